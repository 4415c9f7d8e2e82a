"""Several sequences of rows: checked once, kept one after the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.rows import Rows, as_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from emlib._types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences of rows, one after the other in one array. The sequences are independent, their rows are not.

    Attributes
    ----------
    x : ndarray of shape (n, d)
        The rows of all sequences, finite float64.
    lengths : ndarray of int, shape (S,)
        How many rows each sequence has, at least 1.
    weights : ndarray of shape (S,) or None
        How often each sequence counts, not negative; None means once each.

    Raises
    ------
    ValueError
        If the rows are not finite numbers, or the lengths or the weights do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from emlib.models.sequences import Sequences
    >>> both = Sequences(np.array([[1.], [2.], [3.], [9.], [8.]]), [3, 2])
    >>> [part.ravel().tolist() for part in both.split(both.x)]
    [[1.0, 2.0, 3.0], [9.0, 8.0]]
    """

    x: FloatArray = field(repr=False)
    lengths: IntArray
    weights: FloatArray | None = None

    def __post_init__(self) -> None:
        x = as_rows(self.x).x
        lengths = np.array(self.lengths)
        if lengths.ndim != 1 or lengths.size == 0 or lengths.dtype.kind not in "iu" or (lengths < 1).any():
            raise ValueError(f"lengths must be whole numbers, at least 1, one a sequence, got {self.lengths!r}")
        if lengths.sum() != len(x):
            raise ValueError(f"the lengths add up to {lengths.sum()}, the data have {len(x)} rows")
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "lengths", lengths.astype(np.int64))
        if self.weights is not None:
            object.__setattr__(self, "weights", _as_weights(self.weights, len(lengths)))

    @property
    def starts(self) -> IntArray:
        """Index of the first row of each sequence, shape (S,)."""
        return np.cumsum(self.lengths) - self.lengths

    @property
    def first(self) -> BoolArray:
        """Whether a row is the first of its sequence, shape (n,)."""
        first = np.zeros(len(self.x), dtype=np.bool_)
        first[self.starts] = True
        return first

    @property
    def row_weights(self) -> FloatArray | None:
        """The weight of each row's sequence, shape (n,); None where every sequence counts once."""
        return None if self.weights is None else np.repeat(self.weights, self.lengths)

    @property
    def rows(self) -> Rows:
        """The rows with their weights, to be read in chunks; rows of weight zero are kept."""
        return Rows(self.x, self.row_weights)

    def split(self, values: Any) -> list[Any]:
        """Cut an array with one entry a row into one piece a sequence.

        Parameters
        ----------
        values : ndarray of shape (n, ...)
            What belongs to the rows.

        Returns
        -------
        list of ndarray
            Views, one a sequence.
        """
        return np.split(values, self.starts[1:])

    def place(self, row: int) -> str:
        """Say in words where a row stands.

        Parameters
        ----------
        row : int
            Index into `x`.

        Returns
        -------
        str
            ``row 3``, or ``row 3 of sequence 1`` where there are several.
        """
        sequence = int(np.searchsorted(self.starts, row, side="right")) - 1
        here = f"row {row - int(self.starts[sequence])}"
        return here if len(self.lengths) == 1 else f"{here} of sequence {sequence}"


def as_sequences(data: Any, sample_weight: ArrayLike | None = None) -> Sequences:
    """Check data and weights, and return them as sequences.

    Parameters
    ----------
    data : array_like of shape (n, d), list of ndarray of shape (n_s, d), or Sequences
        One sequence; a list of several; or several made before from one array and its lengths.
    sample_weight : array_like of shape (S,), optional
        How often each sequence counts, finite and not negative, not all zero.

    Returns
    -------
    Sequences
        The same rows; without copying them where there is one sequence of float64.

    Raises
    ------
    ValueError
        If a sequence is not a two-dimensional array of finite real numbers, the sequences have different numbers of
        columns, or the weights do not fit.
    """
    if isinstance(data, Sequences):
        return data if sample_weight is None else Sequences(data.x, data.lengths, np.asarray(sample_weight))
    weights = None if sample_weight is None else np.asarray(sample_weight)
    if not _is_list_of_arrays(data):
        x = as_rows(data).x
        return Sequences(x, np.array([len(x)]), weights)
    parts = []
    for number, one in enumerate(data):
        try:
            parts.append(as_rows(one).x)
        except ValueError as error:
            raise ValueError(f"sequence {number}: {error}") from error
        if parts[-1].shape[1] != parts[0].shape[1]:
            raise ValueError(
                f"sequence {number} has {parts[-1].shape[1]} columns, sequence 0 has {parts[0].shape[1]}: "
                "all sequences need the same columns"
            )
    return Sequences(np.concatenate(parts), np.array([len(part) for part in parts]), weights)


def _is_list_of_arrays(data: Any) -> bool:
    return isinstance(data, list | tuple) and len(data) > 0 and all(np.ndim(one) == 2 for one in data)


def _as_weights(weights: ArrayLike, n: int) -> FloatArray:
    array = np.array(weights, dtype=np.float64)
    if array.shape != (n,):
        raise ValueError(f"sample_weight must have shape ({n},), one weight a sequence, got {array.shape}")
    wrong = ~(np.isfinite(array) & (array >= 0))
    if wrong.any():
        number = int(np.argmax(wrong))
        raise ValueError(f"sample_weight must be finite and not negative; sequence {number} has {array[number]}")
    if array.sum() == 0:
        raise ValueError("sample_weight is zero for every sequence")
    return array
