"""Multi-secant steps on the EM residual, for models that offer no gradient."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from emlib.acceleration.pace import Pace, PlainSteps
from emlib.em import EMMap, Point

if TYPE_CHECKING:
    from emlib._types import FloatArray

Theta = TypeVar("Theta")
Stats = TypeVar("Stats")


class ResidualPath(Generic[Theta, Stats]):
    """A run of EM steps, each followed by a multi-secant step on the residual."""

    remembers = ("pairs", "last", "pace", "plain", "bound", "distance")

    def __init__(self, memory: int, growth: float, em_map: EMMap[Theta, Stats]) -> None:
        self.growth, self.em_map = growth, em_map
        self.pairs: deque[tuple[FloatArray, FloatArray]] = deque(maxlen=memory)
        self.last: tuple[FloatArray, FloatArray] | None = None
        self.pace, self.plain = Pace(), PlainSteps()
        self.bound = 1.0
        self.distance = float("inf")

    def advance(self, point: Point[Theta, Stats]) -> Point[Theta, Stats]:
        """Take an EM step, then a secant step from there unless it does worse."""
        em_map = self.em_map
        first = em_map.at(em_map.m_step(point))
        x, x1, x2 = (em_map.model.pack(theta) for theta in (point.theta, first.theta, em_map.m_step(first)))
        if not np.isfinite([x, x1, x2]).all():
            self.distance = self.plain.distance(point, first)
            return first
        before, residual = x1 - x, x2 - x1
        self.pace.add(before, before - residual)
        self.distance = self.pace.bound(point, first)
        if self.last is not None:
            self.pairs.append((x - self.last[0], self.last[1] - before))
        self.pairs.append((before, before - residual))
        self.last = (x1, residual)
        step = self._secant_step(residual)
        longest = self.bound * float(np.linalg.norm(residual))
        length = float(np.linalg.norm(step))
        if not 0 < length < np.inf:
            return first
        backwards = bool(step @ residual <= 0)  # the secants point to a saddle: go on along the EM step instead
        if backwards:
            step, length = residual, float(np.linalg.norm(residual))
        at_bound = backwards or length > longest
        ahead = em_map.attempt(x1 + step * (longest / length) if at_bound else x1 + step, first.theta)
        if ahead is None or ahead.objective < first.objective:
            self.bound = max(1.0, self.bound / self.growth)
            return first
        if at_bound:
            self.bound *= self.growth
        return ahead

    def _secant_step(self, residual: FloatArray) -> FloatArray:
        steps, drops = (np.array(columns).T for columns in zip(*self.pairs, strict=True))
        weights = np.linalg.lstsq(drops, residual, rcond=1e-8)[0]
        return residual - drops @ weights + steps @ weights
