"""Quasi-Newton steps in the metric of the complete-data information."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from emlib.acceleration.pace import WINDOW, PlainSteps, coordinates
from emlib.acceleration.residual import ResidualPath
from emlib.em import EMMap, Path, Point

if TYPE_CHECKING:
    from emlib._types import FloatArray
    from emlib.metric import Metric

Theta = TypeVar("Theta")
Stats = TypeVar("Stats")

ARMIJO = 0.1
"""A step must gain this much of what the gradient promises, and of what an EM step would gain at most."""


@dataclass(frozen=True)
class QuasiNewton:
    """Quasi-Newton steps in the metric of the complete-data information (after Jamshidian and Jennrich 1997).

    L-BFGS (Nocedal 1980) on the objective, in the coordinates of ``pack``. The gradient comes from the statistics of
    the E-step by Fisher's identity, and the initial metric of every iteration is the information of complete data, in
    which a gradient step is an EM step to first order. An iteration costs one E-step, and one more for each refused
    step; after the second refusal it is the plain EM step.

    A model without ``score`` (a user's own component, a covariance floor) gets the residual form instead: an EM step,
    then a multi-secant step on the residual M(theta) - theta (Zhou, Alexander and Lange 2011, Statistics and Computing
    21, 261-273), two E-steps an iteration.

    Parameters
    ----------
    memory : int
        How many of the last steps are remembered.
    growth : float
        A step is at most so many times longer than the EM step as the bound says; the bound starts at 1, is
        multiplied by `growth` when it was reached and divided by it after a refused step.

    Raises
    ------
    ValueError
        If an option is out of range.
    """

    memory: int = 10
    growth: float = 4.0

    def __post_init__(self) -> None:
        if not self.memory >= 1:
            raise ValueError(f"memory must be at least 1 step, got {self.memory}")
        if not self.growth > 1:
            raise ValueError(f"growth must be above 1, got {self.growth}")

    @property
    def allowed_fall(self) -> float:
        """Zero: the objective never falls."""
        return 0.0

    def begin(self, em_map: EMMap[Theta, Stats], start: Point[Theta, Stats]) -> Path[Theta, Stats]:
        """Return a fresh path.

        Parameters
        ----------
        em_map : EMMap
            The model on its data.
        start : Point
            The first iterate.

        Returns
        -------
        Path
            For :func:`emlib.em.em` to advance.

        Raises
        ------
        TypeError
            If the model cannot pack its parameters.
        """
        coordinates(em_map, start.theta)
        model: Any = em_map.model
        has_metric = hasattr(model, "score") and hasattr(model, "complete_information")
        if has_metric and model.score(start.theta, start.stats) is not None:
            return _MetricPath(self, em_map, start)
        return ResidualPath(self.memory, self.growth, em_map)


@dataclass(frozen=True, eq=False)
class _Slope:
    """The gradient at a point, and the EM step to first order."""

    x: FloatArray
    gradient: FloatArray
    metric: Metric
    em_step: FloatArray

    @property
    def em_rise(self) -> float:
        """Squared length of the EM step, twice what it rises by at least."""
        return float(self.gradient @ self.em_step)


class _MetricPath(Generic[Theta, Stats]):
    """A run of L-BFGS in the complete-data metric."""

    remembers = ("pairs", "fractions", "plain", "bound", "concave", "left", "distance")

    def __init__(self, options: QuasiNewton, em_map: EMMap[Theta, Stats], start: Point[Theta, Stats]) -> None:
        self.options, self.em_map = options, em_map
        self.pairs: deque[tuple[FloatArray, FloatArray]] = deque(maxlen=options.memory)
        self.fractions: deque[float] = deque(maxlen=WINDOW)  # of the information, along each step
        self.plain = PlainSteps()
        self.bound = 1.0
        self.concave: bool | None = None  # along the last step; None before the first
        self.left = self.distance = float("inf")
        self.slope = self._slope(start)

    def advance(self, point: Point[Theta, Stats]) -> Point[Theta, Stats]:
        """Go to the best of a quasi-Newton step, a shorter one, and the EM step."""
        here = self.slope
        new = None if here is None or self.concave is None else self._climb(point, here)
        if new is None:
            new = self.em_map.at(self.em_map.m_step(point))
        self.slope = self._slope(new)
        if here is None or self.slope is None:
            self.pairs.clear()
            self.concave = None
            self.distance = self.plain.distance(point, new)
        else:
            self._learn(here, self.slope)
        return new

    def _slope(self, point: Point[Theta, Stats]) -> _Slope | None:
        """Return the gradient at a point; None on the border of the parameter space, where there is none."""
        model: Any = self.em_map.model
        x = model.pack(point.theta)
        if not np.isfinite(x).all():
            return None
        gradient = model.score(point.theta, point.stats)
        metric = model.complete_information(point.theta, point.stats)
        with np.errstate(all="ignore"):
            em_step = metric.solve(gradient)
        return _Slope(x, gradient, metric, em_step) if np.isfinite(em_step).all() else None

    def _climb(self, point: Point[Theta, Stats], here: _Slope) -> Point[Theta, Stats] | None:
        """Return a point that is higher by enough, a step or a quarter of it away; None if neither is."""
        step, at_bound = self._step(here)
        if not np.isfinite(step).all():
            return None
        for shrink in (1.0, 0.25):
            new = self.em_map.attempt(here.x + shrink * step, point.theta)
            wanted = ARMIJO * max(shrink * float(here.gradient @ step), here.em_rise)
            if new is not None and new.objective - point.objective >= wanted:
                if at_bound and shrink == 1:
                    self.bound *= self.options.growth
                return new
            self.bound = max(1.0, self.bound / self.options.growth)
        return None

    @np.errstate(all="ignore")
    def _step(self, here: _Slope) -> tuple[FloatArray, bool]:
        """Return the quasi-Newton step within the bound, and whether it is as long as the bound.

        Where the objective was not concave along the last step, Newton's step would lead back to a saddle: the step
        then goes as far as the bound lets it.
        """
        step = self._direction(here)
        length = np.sqrt(step @ here.metric.times(step))
        longest = self.bound * np.sqrt(here.em_rise)
        at_bound = bool(length > longest) or not self.concave
        return step * (longest / length) if at_bound else step, at_bound

    def _direction(self, here: _Slope) -> FloatArray:
        """Return H^-1 g by the two-loop recursion, H being the metric here updated by the remembered pairs."""
        q = here.gradient
        coefficients = []
        for step, drop in reversed(self.pairs):
            a = float(step @ q) / float(step @ drop)
            coefficients.append(a)
            q = q - a * drop
        direction = here.metric.solve(q)
        for (step, drop), a in zip(self.pairs, reversed(coefficients), strict=True):
            direction = direction + (a - float(drop @ direction) / float(step @ drop)) * step
        return direction

    @np.errstate(all="ignore")
    def _learn(self, before: _Slope, here: _Slope) -> None:
        """Remember the last step and how much the gradient dropped over it; estimate what is left."""
        step, drop = here.x - before.x, before.gradient - here.gradient
        curvature, complete = float(step @ drop), float(step @ here.metric.times(step))
        self.concave = curvature > 1e-10 * complete
        if self.concave:
            self.pairs.append((step, drop))
            self.fractions.append(curvature / complete)
        else:  # beside a saddle: there is no Newton step, and no rate
            self.fractions.clear()
        last = self.left
        known = len(self.fractions) >= 2
        self.left = here.em_rise / (2 * min(1.0, min(self.fractions))) if known else float("inf")
        self.distance = max(last, self.left)  # one small gradient is not the end
