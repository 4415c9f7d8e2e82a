"""Faster steps over the same EM map, for any model that :func:`emlib.em.em` runs.

EM converges linearly, at the largest fraction of missing information (Dempster, Laird and Rubin 1977): where the
components overlap, thousands of iterations. The schemes here use the same E- and M-steps, in the coordinates of the
model's ``pack``, and keep what makes EM safe: a step that would lower the objective or leave the parameter space is
refused, and the plain EM step taken instead.

Each scheme says how far the limit still is by the same argument. One EM step rises by at least ``g^T B^-1 g / 2``,
where g is the gradient and B the information of complete data; the whole rise to the limit is
``g^T H^-1 g / 2`` with the observed information ``H >= (1 - r) B``. So what is left is at most the rise of an EM step over
``1 - r``, to second order. The rate r is taken from the slowest direction in which the run has moved lately: like
Aitken's, the estimate cannot see a direction that the run has not.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from emlib.em import EPS, Accelerator, EMMap, Path, Point

if TYPE_CHECKING:
    from emlib._types import FloatArray
    from emlib.metric import Metric

Theta = TypeVar("Theta")
Stats = TypeVar("Stats")

ARMIJO = 1e-4


@dataclass(frozen=True)
class Squarem:
    """Squared extrapolation of two EM steps (Varadhan and Roland 2008, Scand. J. Statist. 35, 335-353; scheme S3).

    A cycle takes two EM steps r and r + v from x, goes to ``x + 2 a r + a^2 v`` with ``a = |r| / |v|`` within bounds,
    and ends with an EM step from there. It needs nothing of a model but ``pack`` and ``unpack``.

    Parameters
    ----------
    step_min, step_max : float
        First bounds on the length a; at 1 a cycle is two plain EM steps.
    growth : float
        The upper bound is multiplied by it when it was reached, and divided by it after a refused step that reached it.
    allowed_fall : float
        A cycle may end this much below where one EM step would, in nats. 0 keeps the objective from falling; R's
        package SQUAREM takes 1.

    Raises
    ------
    ValueError
        If an option is out of range.
    """

    step_min: float = 1.0
    step_max: float = 1.0
    growth: float = 4.0
    allowed_fall: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.step_min <= self.step_max:
            raise ValueError(f"0 < step_min <= step_max is needed, got {self.step_min} and {self.step_max}")
        if not self.growth > 1:
            raise ValueError(f"growth must be above 1, got {self.growth}")
        if not self.allowed_fall >= 0:
            raise ValueError(f"allowed_fall must be at least 0 nats, got {self.allowed_fall}")

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
        _coordinates(em_map, start.theta)
        return _SquaremPath(self, em_map)


class _SquaremPath(Generic[Theta, Stats]):
    """A run of SQUAREM: the bound on the step and the slowest direction seen."""

    def __init__(self, options: Squarem, em_map: EMMap[Theta, Stats]) -> None:
        self.options, self.em_map = options, em_map
        self.step_max = options.step_max
        self.slowness = _Slowness()
        self.distance = float("inf")

    def advance(self, point: Point[Theta, Stats]) -> Point[Theta, Stats]:
        """Do one cycle: two EM steps, an extrapolation, and an EM step to settle."""
        em_map = self.em_map
        first = em_map.at(em_map.m_step(point))
        second = em_map.m_step(first)
        x, x1, x2 = (em_map.model.pack(theta) for theta in (point.theta, first.theta, second))
        r, v = x1 - x, x2 - 2 * x1 + x
        self.slowness.add(r, -v)
        self.distance = self.slowness.bound(point, first)
        length = self._length(r, v)
        trial = None if length == 1 else self._extrapolate(x + 2 * length * r + length**2 * v, first)
        refused = trial is None and length != 1
        if length == self.step_max:
            shrunk = max(self.options.step_max, self.step_max / self.options.growth)
            self.step_max = shrunk if refused else self.step_max * self.options.growth
        return em_map.at(second) if trial is None else trial

    def _length(self, r: FloatArray, v: FloatArray) -> float:
        curvature = np.linalg.norm(v)
        ratio = float(np.linalg.norm(r) / curvature) if curvature > 0 else 1.0
        return float(np.clip(ratio, self.options.step_min, self.step_max)) if np.isfinite(ratio) else 1.0

    def _extrapolate(self, vector: FloatArray, first: Point[Theta, Stats]) -> Point[Theta, Stats] | None:
        """Return the EM step from the extrapolated coordinates, unless one EM step from here does better."""
        ahead = self.em_map.attempt(vector, first.theta)
        if ahead is None:
            return None
        settled = self.em_map.attempt_step(ahead)
        good = settled is not None and settled.objective >= first.objective - self.options.allowed_fall
        return settled if good else None


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
        _coordinates(em_map, start.theta)
        model: Any = em_map.model
        if hasattr(model, "score") and model.score(start.theta, start.stats) is not None:
            return _MetricPath(self, em_map, start)
        return _ResidualPath(self, em_map)


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

    def __init__(self, options: QuasiNewton, em_map: EMMap[Theta, Stats], start: Point[Theta, Stats]) -> None:
        self.options, self.em_map = options, em_map
        self.pairs: deque[tuple[FloatArray, FloatArray]] = deque(maxlen=options.memory)
        self.fractions: deque[float] = deque(maxlen=options.memory)
        self.bound = 1.0
        self.distance = float("inf")
        self.slope = self._slope(start)

    def advance(self, point: Point[Theta, Stats]) -> Point[Theta, Stats]:
        """Go to the best of a quasi-Newton step, a shorter one, and the EM step."""
        here = self.slope
        new = None if here is None or not self.pairs else self._climb(point, here)
        if new is None:
            new = self.em_map.at(self.em_map.m_step(point))
        self.slope = self._slope(new)
        self._learn(here)
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
        step = self._direction(here)
        length = float(np.sqrt(max(step @ here.metric.times(step), 0)))
        if not length > 0: return None
        longest = self.bound * float(np.sqrt(here.em_rise))
        if length > longest:
            step = step * (longest / length)
        for shrink in (1.0, 0.25):
            new = self.em_map.attempt(here.x + shrink * step, point.theta)
            wanted = ARMIJO * max(shrink * float(here.gradient @ step), here.em_rise)
            if new is not None and new.objective - point.objective >= wanted:
                if length > longest and shrink == 1:
                    self.bound *= self.options.growth
                return new
            self.bound = max(1.0, self.bound / self.options.growth)
        return None

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

    def _learn(self, before: _Slope | None) -> None:
        """Remember the last step and how much the gradient dropped over it; estimate what is left."""
        here = self.slope
        if here is None or before is None:
            self.pairs.clear()
            self.fractions.clear()
            self.distance = float("inf")
            return
        step, drop = here.x - before.x, before.gradient - here.gradient
        curvature, complete = float(step @ drop), float(step @ here.metric.times(step))
        if curvature > 1e-10 * complete > 0:
            self.pairs.append((step, drop))
            self.fractions.append(curvature / complete)
        elif complete > 0:
            self.fractions.clear()  # not concave here: the rate is unknown
        known = len(self.fractions) >= 2
        self.distance = here.em_rise / (2 * min(1.0, min(self.fractions))) if known else float("inf")


class _ResidualPath(Generic[Theta, Stats]):
    """A run of EM steps, each followed by a multi-secant step on the residual."""

    def __init__(self, options: QuasiNewton, em_map: EMMap[Theta, Stats]) -> None:
        self.options, self.em_map = options, em_map
        self.pairs: deque[tuple[FloatArray, FloatArray]] = deque(maxlen=options.memory)
        self.last: tuple[FloatArray, FloatArray] | None = None
        self.slowness = _Slowness()
        self.bound = 1.0
        self.distance = float("inf")

    def advance(self, point: Point[Theta, Stats]) -> Point[Theta, Stats]:
        """Take an EM step, then a secant step from there unless it does worse."""
        em_map = self.em_map
        first = em_map.at(em_map.m_step(point))
        x, x1, x2 = (em_map.model.pack(theta) for theta in (point.theta, first.theta, em_map.m_step(first)))
        before, residual = x1 - x, x2 - x1
        self.slowness.add(before, before - residual)
        self.distance = self.slowness.bound(point, first)
        if self.last is not None:
            self.pairs.append((x - self.last[0], self.last[1] - before))
        self.pairs.append((before, before - residual))
        self.last = (x1, residual)
        step = self._secant_step(residual)
        longest = self.bound * float(np.linalg.norm(residual))
        length = float(np.linalg.norm(step))
        if not (np.isfinite(length) and length > 0):
            return first
        ahead = em_map.attempt(x1 + step * min(1.0, longest / length), first.theta)
        if ahead is None or ahead.objective < first.objective:
            self.bound = max(1.0, self.bound / self.options.growth)
            return first
        if length > longest: self.bound *= self.options.growth
        return ahead

    def _secant_step(self, residual: FloatArray) -> FloatArray:
        steps, drops = (np.array(columns).T for columns in zip(*self.pairs, strict=True))
        weights = np.linalg.lstsq(drops, residual, rcond=1e-8)[0]
        return residual - drops @ weights + steps @ weights


class _Slowness:
    """How many EM steps away the limit was, in each direction of the last cycles."""

    def __init__(self) -> None:
        self.ratios: deque[float] = deque(maxlen=10)

    def add(self, step: FloatArray, drop: FloatArray) -> None:
        """Remember an EM step and how much the next one was shorter: their ratio is 1 / (1 - rate)."""
        shortened = float(np.linalg.norm(drop))
        ratio = float(np.linalg.norm(step)) / shortened if shortened > 0 else 1.0
        if np.isfinite(ratio): self.ratios.append(max(1.0, ratio))

    def bound(self, point: Point[Any, Any], first: Point[Any, Any]) -> float:
        """Estimate the rise still to come from `point`, whose EM step is `first`; inf before the second cycle."""
        if len(self.ratios) < 2:
            return float("inf")
        resolution = EPS * max(1.0, abs(first.objective))
        return (max(first.objective - point.objective, 0.0) + resolution) * max(self.ratios)


def by_name(name: str) -> Accelerator:
    """Return an accelerator with its usual options.

    Parameters
    ----------
    name : {'squarem', 'quasi-newton'}
        The scheme.

    Returns
    -------
    Accelerator
        ``Squarem()`` or ``QuasiNewton()``.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    known = {"quasi-newton": QuasiNewton, "squarem": Squarem}
    if name not in known:
        raise ValueError(f"accelerate must be None, an accelerator, or one of {', '.join(known)}; got {name!r}")
    return known[name]()


def _coordinates(em_map: EMMap[Theta, Any], theta: Theta) -> FloatArray:
    """Return the coordinates of the start; raise if the model has none."""
    try:
        return em_map.model.pack(theta)
    except AttributeError as error:
        raise TypeError(
            f"acceleration works in the coordinates of pack and unpack, which are missing here ({error}): "
            "give the component pack(theta) and unpack(vector, like), or run plain EM"
        ) from error
