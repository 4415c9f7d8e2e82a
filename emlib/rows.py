"""Rows of data with weights: checked once, then read in chunks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.progress import counted

if TYPE_CHECKING:
    from emlib._types import FloatArray, IntArray

CHUNK = 4096
"""Rows in a chunk: the temporaries of an E-step (rows x components) then stay in the cache."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Checked data, ready for an E-step: the rows that count.

    Attributes
    ----------
    x : ndarray of shape (n, d)
        The rows, finite; float64, or float32 where that was kept: `chunks` gives float64 always.
    weights : ndarray of shape (n,) or None
        Their weights, positive; None means one each.
    numbers : ndarray of int, shape (n,), range or None
        Where each row stood in the data; None where no row was left out.
    memo : dict
        What a family worked out about these rows once and reads again in every E-step.
    whole : Rows or None
        The rows of which these are a part.
    """

    x: FloatArray
    weights: FloatArray | None = None
    numbers: IntArray | range | None = None
    memo: dict[str, Any] = field(default_factory=dict, init=False, repr=False)
    whole: Rows | None = field(default=None, repr=False)

    def part(self, start: int, stop: int) -> Rows:
        """Return some of the rows.

        Parameters
        ----------
        start, stop : int
            The first of them, and the one after the last.

        Returns
        -------
        Rows
            Views.
        """
        weights = None if self.weights is None else self.weights[start:stop]
        numbers = range(start, stop) if self.numbers is None else self.numbers[start:stop]
        return Rows(self.x[start:stop], weights, numbers, self)

    def number(self, row: int) -> int:
        """Return where a row stood in the data as the user gave them.

        Parameters
        ----------
        row : int
            Index into `x`.

        Returns
        -------
        int
            Index into the user's data.
        """
        return row if self.numbers is None else int(self.numbers[row])

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.x)

    @property
    def dim(self) -> int:
        """Number of columns d."""
        return int(self.x.shape[1])

    @property
    def total_weight(self) -> float:
        """Sum of the weights: the N of the note."""
        return float(len(self.x)) if self.weights is None else float(self.weights.sum())

    def at(self, steps: FloatArray) -> FloatArray:
        """Return the rows at which the cumulative weight passes given values.

        Parameters
        ----------
        steps : ndarray of shape (k,)
            Rising values between 0 and the total weight.

        Returns
        -------
        ndarray of shape (k, d)
            A row for each.
        """
        return rows_at(self, steps)

    def chunks(self, size: int | None = None) -> Iterator[tuple[FloatArray, FloatArray | None]]:
        """Return one chunk of rows after the other.

        Parameters
        ----------
        size : int, optional
            The most rows of a chunk, itself at most 2 * CHUNK; CHUNK if not given.

        Returns
        -------
        iterator of pairs
            The next rows, a float64 array of shape (n, d), and their weights, of shape (n,); None in place of these
            when every row counts once.
        """
        return counted(self._chunks(size), self.n)

    def _chunks(self, size: int | None) -> Iterator[tuple[FloatArray, FloatArray | None]]:
        size = CHUNK if size is None else min(size, 2 * CHUNK)
        for start in range(0, len(self.x), size):
            part = slice(start, start + size)
            yield self.x[part].astype(np.float64, copy=False), None if self.weights is None else self.weights[part]


def extremes(rows: Rows) -> tuple[FloatArray, FloatArray]:
    """Return the smallest and the largest number of each column.

    Parameters
    ----------
    rows : Rows
        The rows.

    Returns
    -------
    low : ndarray of shape (d,)
        The smallest.
    high : ndarray of shape (d,)
        The largest.
    """
    if "extremes" in rows.memo:
        return rows.memo["extremes"]
    low, high = np.full(rows.dim, np.inf), np.full(rows.dim, -np.inf)
    for x, _ in rows.chunks():
        columns = np.ascontiguousarray(x.T)  # reductions along contiguous numbers are several times quicker
        low, high = np.minimum(low, columns.min(axis=1)), np.maximum(high, columns.max(axis=1))
    return low, high


def rows_at(rows: Rows, steps: FloatArray) -> FloatArray:
    """Return the rows at which the cumulative weight passes given values.

    Parameters
    ----------
    rows : Rows
        The rows.
    steps : ndarray of shape (k,)
        Rising values between 0 and the total weight.

    Returns
    -------
    ndarray of shape (k, d)
        A row for each.
    """
    parts, passed, taken = [np.empty((0, rows.dim))], 0.0, 0
    for x, weights in rows.chunks():
        until = passed + np.cumsum(np.ones(len(x)) if weights is None else weights)
        chosen = np.searchsorted(until, steps[taken:], side="right")
        chosen = chosen[chosen < len(x)]
        parts.append(x[chosen])
        passed, taken = until[-1], taken + len(chosen)
    if taken < len(steps):  # by rounding of the sums
        parts.append(np.repeat(x[-1:], len(steps) - taken, axis=0))
    return np.concatenate(parts)


def refuse_outside(rows: Rows, check: Callable[[FloatArray], object] | None) -> None:
    """Let a family refuse rows outside its support; a row that it names gets its number in the user's data.

    Parameters
    ----------
    rows : Rows
        The rows.
    check : callable or None
        Called with all rows, an array of shape (n, d), if there are any; raises ValueError.

    Raises
    ------
    ValueError
        As `check` does, which counts only the rows it was given.
    """
    if check is None or rows.n == 0:
        return
    try:
        check(rows.x)
    except ValueError as error:
        if rows.numbers is None:
            raise
        named = re.sub(r"\brow (\d+)", lambda found: f"row {rows.number(int(found[1]))}", str(error), count=1)
        raise type(error)(named) from error


def as_rows(data: Any, sample_weight: Any = None, *, keep_single: bool = False, part: bool = False) -> Rows:
    """Check data and weights, and return them as float64 rows.

    Parameters
    ----------
    data : array_like of shape (n, d)
        Finite numbers.
    sample_weight : array_like of shape (n,), optional
        Finite weights, not negative, not all zero.
    keep_single : bool
        Leave float32 data as they are, for a model that reads rows by `chunks` only.
    part : bool
        The data are a part of more: they may be empty, and their weights all zero. No rows are then returned.

    Returns
    -------
    Rows
        The rows of positive weight: views of float64 data (or float32, if kept), copies of others.

    Raises
    ------
    ValueError
        If the data are not a two-dimensional array of finite real numbers, or the weights do not fit; the
        message names the first offending row and column.
    TypeError
        If the data are a sparse matrix, or hold something that is no number.
    """
    if isinstance(data, Rows):
        if sample_weight is not None:
            raise ValueError("these rows were prepared before: give their weights when preparing them")
        return data
    x = _as_matrix(data, keep_single, part)
    if sample_weight is None:
        return Rows(x)
    weights = _as_weights(sample_weight, len(x))
    if weights.all():
        return Rows(x, weights)
    numbers = np.flatnonzero(weights)
    if len(numbers) == 0 and not part:
        raise ValueError("sample_weight is zero for every row")
    return Rows(x[numbers], weights[numbers], numbers)


def _as_matrix(data: Any, keep_single: bool, part: bool) -> FloatArray:
    if hasattr(data, "tocsr"):
        raise TypeError("sparse data are not supported: pass a dense array, for example data.toarray()")
    # netCDF gives masked slices; without its mask an array holds what was written there. (np.ma takes long to import.)
    if isinstance(data, np.ndarray) and hasattr(data, "mask") and np.ma.is_masked(data):
        data = np.where(np.ma.getmaskarray(data), np.nan, data.data)
    raw = np.asarray(data)
    if raw.dtype.kind == "c":
        raise ValueError("Complex data not supported: pass real numbers")
    try:
        x = raw if keep_single and raw.dtype == np.float32 else np.asarray(raw, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise type(error)(f"the data must be numbers; conversion to float64 failed: {error}") from error
    if part and x.shape[:1] == (0,):
        return np.empty((0, 0))
    if x.ndim != 2:
        raise ValueError(
            f"expected a 2-dimensional array of shape (rows, columns), got shape {x.shape}. Reshape your data "
            "using x.reshape(-1, 1) if it has a single feature or x.reshape(1, -1) if it is a single sample"
        )
    if x.shape[0] == 0:
        raise ValueError(f"the data have 0 sample(s) (shape={x.shape}) while a minimum of 1 is required.")
    if x.shape[1] == 0:
        raise ValueError(f"the data have 0 feature(s) (shape={x.shape}) while a minimum of 1 is required.")
    for start in range(0, len(x), CHUNK):  # in chunks: no temporary of the size of the data
        finite = np.isfinite(x[start : start + CHUNK])
        if not finite.all():
            row, column = (int(k) for k in np.argwhere(~finite)[0])
            kind = "NaN" if np.isnan(x[start + row, column]) else "inf (infinity)"
            raise ValueError(
                f"the data contain {kind}, first at row {start + row}, column {column}: remove or impute it"
            )
    return x


def _as_weights(sample_weight: Any, n: int) -> FloatArray:
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (n,):
        raise ValueError(f"sample_weight must have shape ({n},), one weight a row, got {weights.shape}")
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(f"sample_weight must be finite and not negative; row {row} has {weights[row]}")
    return weights
