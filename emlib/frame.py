"""One affine map for all rows: to mean zero and unit covariance.

Sums of squares far from the origin cancel: with a mean a million standard deviations away, second moments lose
twelve of their sixteen digits. In the coordinates ``z = W (x - c)`` nothing is far and no direction is thin.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from emlib._types import FloatArray
    from emlib.rows import Rows

SMALLEST_PIVOT = 1e-14  # below it a column is a combination of others to rounding


@dataclass(frozen=True, eq=False)
class Frame:
    """Coordinates in which all rows together have mean zero and unit covariance.

    Any map would do for exactness; this one keeps numbers near one. Weights of rows do not enter.

    Attributes
    ----------
    center : ndarray of shape (d,)
        The mean of the rows, c.
    units : ndarray of shape (d,)
        Their standard deviations; 1 for a constant column.
    correlations : ndarray of shape (d, d)
        Their correlations; those of a constant column are 0.
    """

    center: FloatArray
    units: FloatArray
    correlations: FloatArray

    @cached_property
    def root(self) -> FloatArray:
        """The inverse of the map, V = W^-1: lower triangular, shape (d, d)."""
        try:
            root = np.linalg.cholesky(self.correlations)
        except np.linalg.LinAlgError:
            root = np.eye(len(self.units))
        if np.diagonal(root).min() ** 2 < SMALLEST_PIVOT:
            root = np.eye(len(self.units))
        return root * self.units[:, None]

    @cached_property
    def log_volume(self) -> float:
        """The log of what the inverse map multiplies volumes by."""
        return float(np.log(np.diagonal(self.root)).sum())

    @cached_property
    def whitener(self) -> FloatArray:
        """The map W, lower triangular, shape (d, d)."""
        return np.tril(np.linalg.inv(self.root / self.units[:, None])) / self.units


def shared_frame(rows: Rows) -> Frame:
    """Return the frame of all rows of which these may be a part; it is worked out once.

    Parameters
    ----------
    rows : Rows
        The rows.

    Returns
    -------
    Frame
        The map, kept with the rows.
    """
    whole = rows if rows.whole is None else rows.whole
    frame: Frame | None = whole.memo.get("frame")
    if frame is None:
        frame = whole.memo["frame"] = frame_of(whole)
    return frame


def frame_of(rows: Rows) -> Frame:
    """Return the frame of some rows, in two passes over them.

    Parameters
    ----------
    rows : Rows
        The rows.

    Returns
    -------
    Frame
        The map.
    """
    origin = next(rows.chunks())[0][0].copy()
    total, low, high = np.zeros_like(origin), origin, origin
    for x, _ in rows.chunks():
        columns = np.array(x.T, order="C")  # reductions along contiguous numbers are several times quicker
        low, high = np.minimum(low, columns.min(axis=1)), np.maximum(high, columns.max(axis=1))
        columns -= origin[:, None]
        total += columns.sum(axis=1)
    n = rows.n
    center = origin + total / n
    # Scaled by their reach first: squares then neither overflow nor vanish, whatever the units.
    reach = np.maximum(high - center, center - low)
    reach = np.where(reach > 0, reach, 1.0)
    moments = np.zeros((len(center), len(center)))
    for x, _ in rows.chunks():
        scaled = np.array(x.T, order="C")
        scaled -= center[:, None]
        scaled /= reach[:, None]
        moments += scaled @ scaled.T
    deviations = np.sqrt(np.diagonal(moments) / n)
    deviations = np.where(high > low, deviations, 1.0)
    correlations = moments / n / np.outer(deviations, deviations)
    np.fill_diagonal(correlations, 1.0)
    return Frame(center, deviations * reach, correlations)
