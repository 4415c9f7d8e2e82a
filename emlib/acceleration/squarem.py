"""SQUAREM: squared extrapolation of EM steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from emlib.acceleration.pace import Pace, PlainSteps, coordinates
from emlib.em import EMMap, Path, Point

if TYPE_CHECKING:
    from emlib._types import FloatArray

Theta = TypeVar("Theta")
Stats = TypeVar("Stats")


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
        coordinates(em_map, start.theta)
        return _SquaremPath(self, em_map)


class _SquaremPath(Generic[Theta, Stats]):
    """A run of SQUAREM: the bound on the step and the slowest direction seen."""

    remembers = ("step_max", "pace", "plain", "distance")

    def __init__(self, options: Squarem, em_map: EMMap[Theta, Stats]) -> None:
        self.options, self.em_map = options, em_map
        self.step_max = options.step_max
        self.pace, self.plain = Pace(), PlainSteps()
        self.distance = float("inf")

    def advance(self, point: Point[Theta, Stats]) -> Point[Theta, Stats]:
        """Do one cycle: two EM steps, an extrapolation, and an EM step to settle."""
        em_map = self.em_map
        first = em_map.at(em_map.m_step(point))
        second = em_map.m_step(first)
        x, x1, x2 = (em_map.model.pack(theta) for theta in (point.theta, first.theta, second))
        if not np.isfinite([x, x1, x2]).all():
            new = em_map.at(second)
            self.distance = self.plain.distance(point, new)
            return new
        r, v = x1 - x, x2 - 2 * x1 + x
        self.pace.add(r, -v)
        self.distance = self.pace.bound(point, first)
        length = self._length(r, v)
        trial = None if length == 1 else self._extrapolate(x + 2 * length * r + length**2 * v, first)
        refused = trial is None and length != 1
        if length == self.step_max:
            shrunk = max(self.options.step_max, self.step_max / self.options.growth)
            self.step_max = shrunk if refused else self.step_max * self.options.growth
        return em_map.at(second) if trial is None else trial

    def _length(self, r: FloatArray, v: FloatArray) -> float:
        curvature = np.linalg.norm(v)
        ratio = np.linalg.norm(r) / curvature if curvature > 0 else 1.0
        return float(np.clip(ratio, self.options.step_min, self.step_max))

    def _extrapolate(self, vector: FloatArray, first: Point[Theta, Stats]) -> Point[Theta, Stats] | None:
        """Return the EM step from the extrapolated coordinates, unless one EM step from here does better."""
        ahead = self.em_map.attempt(vector, first.theta)
        if ahead is None:
            return None
        settled = self.em_map.attempt_step(ahead)
        good = settled is not None and settled.objective >= first.objective - self.options.allowed_fall
        return settled if good else None
