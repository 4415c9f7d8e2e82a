"""Derivatives from values: central differences with Richardson extrapolation.

A central difference with step h is wrong by a series in h^2. With h, h/2 and h/4 the first two terms of that series are
known and are taken away, so a step may be large, and a large step loses little to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from emlib._types import FloatArray

SHRINK = (1.0, 0.5, 0.25)
FALL = 0.08  # nats by which a step lowers a log-likelihood: 0.4 conditional standard errors
TRIALS, HALVINGS = 40, 8


def steps_of(objective: Callable[[FloatArray], float], vector: FloatArray) -> FloatArray:
    """Return a step for each coordinate that changes a log-likelihood by about 0.08 nats, or less where it must.

    A coordinate may be a mean in seconds or a log ratio: what is a small step can only be told from the objective.
    Where 0.08 nats lead so far that the objective is no parabola any more (a log ratio near the boundary), the step
    is halved.

    Parameters
    ----------
    objective : callable
        From a vector of shape (p,) to nats; may raise ArithmeticError or ValueError where it is not defined.
    vector : ndarray of shape (p,)
        Where the derivatives are wanted.

    Returns
    -------
    ndarray of shape (p,)
        Positive; for a coordinate that the objective does not depend on, a thousandth of its size.
    """
    center = objective(vector)
    return np.array([_step(objective, vector, center, j) for j in range(len(vector))])


def _step(objective: Callable[[FloatArray], float], vector: FloatArray, center: float, j: int) -> float:
    """Return the step of one coordinate: the fall grows with its square, which tells the next one to try."""
    step = 1e-3 * max(1.0, abs(vector[j]))
    best, best_miss = None, np.inf
    for _ in range(TRIALS):
        fall = _fall(objective, vector, center, _unit(len(vector), j, step))
        if np.isfinite(fall):
            miss = abs(np.log(fall / FALL)) if fall > 0 else np.inf
            if best is None or miss < best_miss:
                best, best_miss = step, miss
        if best_miss < np.log(4):
            break
        if not np.isfinite(fall):
            step *= 0.1
        else:
            step *= 10.0 if fall == 0 else float(np.clip(np.sqrt(FALL / fall), 0.1, 10.0))
    return _curved(objective, vector, center, j, step if best is None else best)


def _curved(objective: Callable[[FloatArray], float], vector: FloatArray, center: float, j: int, step: float) -> float:
    """Return the step halved until half of it makes a quarter of the fall, as on a parabola."""
    fall = _fall(objective, vector, center, _unit(len(vector), j, step))
    for _ in range(HALVINGS):
        half = _fall(objective, vector, center, _unit(len(vector), j, step / 2))
        if abs(4 * half - fall) <= 0.02 * fall:
            break
        step, fall = step / 2, half
    return step


def _fall(objective: Callable[[FloatArray], float], vector: FloatArray, center: float, direction: FloatArray) -> float:
    """Return by how much the objective changes both ways on average; nan or inf where it is not defined."""
    with np.errstate(all="ignore"):
        try:
            return abs(center - (objective(vector + direction) + objective(vector - direction)) / 2)
        except (ArithmeticError, ValueError):
            return np.inf


def jacobian(function: Callable[[FloatArray], FloatArray], vector: FloatArray, steps: FloatArray) -> FloatArray:
    """Return the first derivatives of an array-valued function.

    Parameters
    ----------
    function : callable
        From a vector of shape (p,) to an array.
    vector : ndarray of shape (p,)
        Where they are taken.
    steps : ndarray of shape (p,)
        Largest step of each coordinate.

    Returns
    -------
    ndarray of shape (..., p)
        The shape of the values, then the coordinates.
    """

    def slope(j: int, shrink: float) -> FloatArray:
        h = _unit(len(vector), j, shrink * steps[j])
        return (function(vector + h) - function(vector - h)) / (2 * shrink * steps[j])

    columns = [extrapolate([slope(j, shrink) for shrink in SHRINK]) for j in range(len(vector))]
    return np.stack(columns, axis=-1)


def hessian(function: Callable[[FloatArray], float], vector: FloatArray, steps: FloatArray) -> FloatArray:
    """Return the second derivatives of a number-valued function.

    Parameters
    ----------
    function : callable
        From a vector of shape (p,) to a number.
    vector : ndarray of shape (p,)
        Where they are taken.
    steps : ndarray of shape (p,)
        Largest step of each coordinate.

    Returns
    -------
    ndarray of shape (p, p)
        Symmetric.
    """
    p = len(vector)
    center = function(vector)

    def bend(i: int, j: int, shrink: float) -> float:
        """Return the second derivative by i and j; in steps of their own, so that the two count alike."""
        a, b = _unit(p, i, shrink * steps[i]), _unit(p, j, shrink * steps[j])
        if i == j:
            total = function(vector + a) - 2 * center + function(vector - a)
        else:
            straight = function(vector + a + b) + function(vector - a - b)
            total = (straight - function(vector + a - b) - function(vector - a + b)) / 4
        return total / (shrink**2 * steps[i] * steps[j])

    result = np.empty((p, p))
    for i in range(p):
        for j in range(i + 1):
            result[i, j] = result[j, i] = extrapolate([np.array(bend(i, j, shrink)) for shrink in SHRINK])
    return result


def extrapolate(values: list[FloatArray]) -> FloatArray:
    """Return the limit of central differences whose steps are halved from one to the next.

    Parameters
    ----------
    values : list of ndarray, each of the same shape (...)
        Differences with steps h, h/2, h/4, ...; their errors are series in h^2.

    Returns
    -------
    ndarray of shape (...)
        With the first ``len(values) - 1`` terms of the error taken away (Richardson 1911).
    """
    order = 4
    while len(values) > 1:
        values = [(order * fine - coarse) / (order - 1) for coarse, fine in pairwise(values)]
        order *= 4
    return values[0]


def _unit(p: int, j: int, length: float) -> FloatArray:
    vector = np.zeros(p)
    vector[j] = length
    return vector
