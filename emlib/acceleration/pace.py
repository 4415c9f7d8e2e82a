"""How slow EM is from here, as the steps of a run tell; and the coordinates that acceleration works in."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from emlib.em import EPS, EMMap, Point, aitken_distance

if TYPE_CHECKING:
    from emlib._types import FloatArray

Theta = TypeVar("Theta")

WINDOW = 30
"""How many of the last steps the slowest direction is looked for in."""


class Pace:
    """How many EM steps away the limit was, in the directions of the last cycles."""

    remembers = ("ratios",)

    def __init__(self) -> None:
        self.ratios: deque[float] = deque(maxlen=WINDOW)

    def add(self, step: FloatArray, drop: FloatArray) -> None:
        """Remember an EM step and how much the next one was shorter: their ratio is 1 / (1 - rate)."""
        shortened = float(np.linalg.norm(drop))
        ratio = float(np.linalg.norm(step)) / shortened if shortened > 0 else 1.0
        if np.isfinite(ratio):
            self.ratios.append(max(1.0, ratio))

    def bound(self, point: Point[Any, Any], first: Point[Any, Any]) -> float:
        """Estimate the rise still to come from `point`, whose EM step is `first`; inf before the second cycle."""
        if len(self.ratios) < 2:
            return float("inf")
        resolution = EPS * max(1.0, abs(first.objective))
        return (max(first.objective - point.objective, 0.0) + resolution) * max(self.ratios)


class PlainSteps:
    """Aitken's estimate for steps that had to be plain EM: on the border of the parameter space, which EM never leaves.

    A probability that is zero has no finite coordinate, so nothing can be extrapolated there.
    """

    remembers = ("trace",)

    def __init__(self) -> None:
        self.trace: deque[float] = deque(maxlen=4)

    def distance(self, point: Point[Any, Any], new: Point[Any, Any]) -> float:
        """Add the step from one point to the next; estimate the rise still to come."""
        if not self.trace:
            self.trace.append(point.objective)
        self.trace.append(new.objective)
        return aitken_distance(list(self.trace))


def coordinates(em_map: EMMap[Theta, Any], theta: Theta) -> FloatArray:
    """Return the coordinates of the start; raise TypeError if the model has none."""
    try:
        return em_map.model.pack(theta)
    except AttributeError as error:
        raise TypeError(
            f"acceleration works in the coordinates of pack and unpack, which are missing here ({error}): "
            "give the component pack(theta) and unpack(vector, like), or run plain EM"
        ) from error
