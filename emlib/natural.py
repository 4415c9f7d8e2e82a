"""Parameters under their own names, with standard errors carried over to them by the delta method."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.differences import jacobian

if TYPE_CHECKING:
    from emlib._types import FloatArray

Natural = Callable[[Any], "dict[str, Any]"]


def named_parameters(theta: Any) -> dict[str, float]:
    """Return every number in a parameter object, under the Python expression that reaches it.

    Parameters
    ----------
    theta : object
        A dataclass of numbers, arrays, tuples and dataclasses, as the models of emlib have; text is passed over.

    Returns
    -------
    dict of str to float
        For example ``weights[0]`` and ``components.means[0, 1]`` of a mixture of Gaussians.
    """
    return dict(_walk("" if dataclasses.is_dataclass(theta) else "theta", theta))


def _walk(path: str, value: Any) -> Iterator[tuple[str, float]]:
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            name = f"{path}.{field.name}" if path else field.name
            yield from _walk(name, getattr(value, field.name))
    elif isinstance(value, tuple | list):
        for k, item in enumerate(value):
            yield from _walk(f"{path}[{k}]", item)
    elif not isinstance(value, str):
        array = np.asarray(value, dtype=np.float64)
        for index in np.ndindex(array.shape):
            place = f"[{', '.join(map(str, index))}]" if index else ""
            yield path + place, float(array[index])


@dataclass(frozen=True, eq=False)
class Linearised:
    """Named parameters as functions of a model's unconstrained coordinates, to first order.

    Attributes
    ----------
    names : tuple of str
        Names of q parameters.
    values : ndarray of shape (q,)
        Their values.
    gradients : ndarray of shape (q, p)
        Their derivatives by the p coordinates.
    """

    names: tuple[str, ...]
    values: FloatArray
    gradients: FloatArray

    def deviations(self, covariance: FloatArray) -> FloatArray:
        """Return the standard deviations that a covariance of the coordinates gives the parameters.

        Parameters
        ----------
        covariance : ndarray of shape (p, p)
            Of the coordinates.

        Returns
        -------
        ndarray of shape (q,)
            Square roots of the variances, to first order (delta method).
        """
        variances = np.einsum("qi,ij,qj->q", self.gradients, covariance, self.gradients)
        return np.sqrt(np.maximum(variances, 0.0))


def linearise(
    unpack: Callable[[FloatArray], Any], vector: FloatArray, steps: FloatArray, natural: Natural | None = None
) -> Linearised:
    """Return named parameters and their derivatives by the coordinates.

    Parameters
    ----------
    unpack : callable
        From coordinates, shape (p,), to a parameter object.
    vector : ndarray of shape (p,)
        The coordinates.
    steps : ndarray of shape (p,)
        Steps of the differences.
    natural : callable, optional
        From a parameter object to a dict of names and numbers; by default :func:`named_parameters`.

    Returns
    -------
    Linearised
        One entry a parameter. An entry that is another one by construction (same value, same derivatives: the mirror
        image in a symmetric matrix) is listed once.

    Raises
    ------
    TypeError
        If `natural` does not return a dict of real numbers.
    """
    named = natural or named_parameters
    at_vector = named(unpack(vector))
    if not isinstance(at_vector, dict):
        raise TypeError(f"natural(theta) must return a dict of names and numbers, got {type(at_vector).__name__}")
    names = tuple(at_vector)

    def values_of(u: FloatArray) -> FloatArray:
        named_values = named(unpack(u))
        return np.array([named_values[name] for name in names], dtype=np.float64)

    values, gradients = values_of(vector), jacobian(values_of, vector, steps)
    seen: set[bytes] = set()
    keep = []
    for k, (value, gradient) in enumerate(zip(values, gradients, strict=True)):
        key = np.append(gradient, value).tobytes()
        if key not in seen or not gradient.any():
            keep.append(k)
        seen.add(key)
    return Linearised(tuple(names[k] for k in keep), values[keep], gradients[keep])


@dataclass(frozen=True, eq=False)
class Estimates:
    """Named estimates with standard errors and Wald confidence intervals.

    Attributes
    ----------
    names : tuple of str
        Names of q parameters.
    values : ndarray of shape (q,)
        Estimates, in the units of the parameters.
    standard_errors : ndarray of shape (q,)
        In the same units, to first order (delta method).
    lower, upper : ndarray of shape (q,)
        Ends of the intervals. They are symmetric and know no boundary: near one (a weight close to 0) they may
        reach across it, and their coverage is not the nominal one.
    level : float
        Nominal coverage.
    """

    names: tuple[str, ...]
    values: FloatArray
    standard_errors: FloatArray
    lower: FloatArray
    upper: FloatArray
    level: float

    def __str__(self) -> str:
        width = max(map(len, self.names))
        head = f"{'':{width}}  {'estimate':>12}  {'std. error':>12}  {self.level:.0%} interval"
        rows = zip(self.names, self.values, self.standard_errors, self.lower, self.upper, strict=True)
        lines = [f"{name:{width}}  {value:12.6g}  {se:12.3g}  {a:.6g} to {b:.6g}" for name, value, se, a, b in rows]
        return "\n".join([head, *lines])


def estimates(linear: Linearised, covariance: FloatArray, level: float) -> Estimates:
    """Return estimates and intervals from a covariance of the coordinates.

    Parameters
    ----------
    linear : Linearised
        The parameters and their derivatives.
    covariance : ndarray of shape (p, p)
        Of the coordinates.
    level : float
        Nominal coverage of the intervals, between 0 and 1.

    Returns
    -------
    Estimates
        Normal (Wald) intervals.

    Raises
    ------
    ValueError
        If the level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level!r}: for example 0.95")
    from scipy.special import ndtri

    errors = linear.deviations(covariance)
    margin = float(ndtri((1 + level) / 2)) * errors
    return Estimates(linear.names, linear.values, errors, linear.values - margin, linear.values + margin, level)
