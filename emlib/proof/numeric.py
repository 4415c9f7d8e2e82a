"""Floating-point agreement: the last and weakest layer of evidence, and the only one that needs no algebra."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emlib.proof.certificates import Certificate, Refuted, Scope, Vacuous, Witness

COMPLEX_STEP = 1e-30
TIE = 1e-6  # gaps this close to the largest count as equal to it


def agree(
    left: ArrayLike,
    right: ArrayLike,
    *,
    rtol: float,
    atol: float = 0.0,
    statement: str = "two floating-point results",
    points: int = 1,
    size: int | None = None,
    seed: int | None = None,
    allow_zero: str = "",
) -> Certificate:
    """Compare two floating-point results against a stated tolerance.

    They agree if ``max |left - right| <= atol + rtol * max |right|`` over all entries.

    Parameters
    ----------
    left, right : array_like
        Numbers or arrays of one shape; nothing is broadcast.
    rtol, atol : float
        The tolerance, which the certificate states.
    statement : str
        What was compared.
    points, size, seed : int, optional
        How many points the arrays hold, the size of the matrices, and the seed of the data, for the text.
    allow_zero : str, optional
        Why both results are zero throughout, if they are.

    Returns
    -------
    Certificate
        States the tolerance.

    Raises
    ------
    Refuted
        The results differ by more; the witness is the entry that differs most.
    Vacuous
        Both are zero throughout.
    ValueError
        Different shapes, an empty array, a tolerance out of range, or a value that is not finite.

    Examples
    --------
    >>> print(agree(0.1 + 0.2, 0.3, rtol=1e-12, statement="a sum"))
    agrees at one floating-point point: a sum
      method: floating point, rtol = 1e-12, atol = 0
    """
    first, second = np.asarray(left), np.asarray(right)
    _refuse_bad_arrays(first, second)
    if not (0 <= rtol < 1 and 0 <= atol < np.inf and rtol + atol > 0):
        raise ValueError(f"the tolerance must satisfy 0 <= rtol < 1, 0 <= atol and rtol + atol > 0, got {rtol}, {atol}")
    if not first.any() and not second.any() and not allow_zero:
        raise Vacuous("0 = 0", statement, "both results are zero throughout; if that is meant, say why in allow_zero")
    gap = np.abs(first - second)
    if gap.max() > atol + rtol * np.abs(second).max():
        # The first of the largest gaps: which of several equal ones is the very largest is up to rounding.
        at = np.unravel_index(int(np.argmax(gap >= (1 - TIE) * gap.max())), gap.shape)
        where = f"entry ({', '.join(map(str, at))})" if at else ""
        raise Refuted(Witness((), *_told_apart(first[at], second[at]), where), statement)
    seeded = "" if seed is None else f", seed {seed}"
    return Certificate(
        statement,
        f"floating point, rtol = {rtol:g}, atol = {atol:g}{seeded}",
        Scope.floats(points, size),
        rests_on=(f"both sides are zero: {allow_zero}",) if allow_zero else (),
    )


def _told_apart(left: Any, right: Any) -> tuple[str, str]:
    """Return two numbers as text: six digits, or as many more as it takes to see the difference."""
    for digits in range(6, 17):
        texts = f"{left:.{digits}g}", f"{right:.{digits}g}"
        if texts[0] != texts[1]:
            break
    return texts


def _refuse_bad_arrays(first: NDArray[Any], second: NDArray[Any]) -> None:
    for array in (first, second):
        if array.dtype.kind not in "iufc":
            raise ValueError(f"agree compares numbers, not an array of dtype {array.dtype}; evaluate it first")
        if not np.isfinite(array).all():
            raise ValueError("a result is not finite (nan or infinity), so nothing can be compared")
    if first.shape != second.shape:
        raise ValueError(f"the left result has shape {first.shape}, the right one {second.shape}; nothing is broadcast")
    if not first.size:
        raise ValueError("both results are empty, so nothing can be compared")


def numeric_gradient(
    function: Callable[[NDArray[Any]], Any],
    at: ArrayLike,
    *,
    method: Literal["complex step", "central differences"] = "complex step",
) -> NDArray[np.float64]:
    """Return the gradient of a scalar function of an array, entry by entry, by finite steps.

    Parameters
    ----------
    function : callable
        Takes an array of the shape of `at`, returns a scalar. For the complex step it has to take complex
        arrays and be analytic: ``x.T``, not ``x.conj().T``, and no ``abs``.
    at : array_like
        The point.
    method : {"complex step", "central differences"}
        The complex step is exact to rounding. Central differences with one Richardson
        extrapolation need only real values; expect about 10 digits.

    Returns
    -------
    ndarray, shape of `at`
        The partial derivatives.

    Raises
    ------
    ValueError
        An unknown method.

    Examples
    --------
    >>> numeric_gradient(lambda x: x[0] ** 2 * x[1], [3.0, 2.0])
    array([12.,  9.])
    """
    point = np.asarray(at, dtype=float)
    if method == "complex step":
        return _by_entries(point, lambda step: function(point + 1j * COMPLEX_STEP * step).imag / COMPLEX_STEP)
    if method != "central differences":
        raise ValueError(f"the method is 'complex step' or 'central differences', not {method!r}")

    def slope(step: NDArray[np.float64], width: float) -> float:
        return float(function(point + width * step) - function(point - width * step)) / (2 * width)

    width = 1e-3 * max(1.0, float(np.abs(point).max(initial=0.0)))
    return _by_entries(point, lambda step: (4 * slope(step, width / 2) - slope(step, width)) / 3)


def _by_entries(point: NDArray[np.float64], slope: Callable[[NDArray[np.float64]], float]) -> NDArray[np.float64]:
    gradient = np.empty_like(point)
    for place in np.ndindex(point.shape):
        step = np.zeros_like(point)
        step[place] = 1.0
        gradient[place] = slope(step)
    return gradient
