"""Rows that are in no array: read chunk by chunk from a function of the user, once in every E-step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.progress import one_pass
from emlib.rows import Rows, as_rows, refuse_outside

if TYPE_CHECKING:
    from emlib._types import FloatArray

Source = Callable[[], Iterable[Any]]


class Stream(Rows):
    """Rows from a source, read anew whenever they are needed, by ``chunks`` only.

    Parameters
    ----------
    source : callable
        Returns an iterator over chunks: arrays of shape (n, d), or pairs of an array and the weights of its rows.
        It is called once a pass and must give the same rows each time. Chunks may be empty, or have no weight.
    check : callable, optional
        Called with the rows of each chunk in the first pass; raises ValueError for rows outside the support.

    Attributes
    ----------
    x : ndarray of shape (n, d)
        Not there: raises TypeError.
    weights : ndarray of shape (n,)
        Not there: raises TypeError.
    numbers : ndarray of int, shape (n,), or None
        Always None: :meth:`number` reads the source to find where a row stood.
    memo : dict
        What a family worked out about these rows once and reads again in every E-step.
    whole : None
        These are all rows.

    Raises
    ------
    ValueError
        If a chunk is no valid array of rows, its columns are not as many as those of the first, no row counts, or
        (from `chunks`) a later pass gave other rows than the first: not as many, or of another sum of squares.
    TypeError
        If a chunk is a sparse matrix, or holds something that is no number.
    """

    def __init__(self, source: Source, check: Callable[[FloatArray], object] | None = None) -> None:
        n, given, dim, total_weight, squares = 0, 0, 0, 0.0, 0.0
        with one_pass() as count:
            for end, part in _checked(source, check):
                given = end
                if part.n > 0:
                    n, dim, total_weight = n + part.n, part.dim, total_weight + part.total_weight
                    squares += sum(_squares(x, weights) for x, weights in part.chunks())
                if count is not None:
                    count(part.n)
        if n == 0:
            raise ValueError("the weight of every row of the source is zero" if given else "the source gave no rows")
        self.__dict__.update(
            _source=source,
            _n=n,
            _complete=n == given,
            _dim=dim,
            _total_weight=total_weight,
            _squares=squares,
            memo={},
        )

    def __repr__(self) -> str:
        return f"Stream(n={self.n}, dim={self.dim}, total_weight={self.total_weight:g})"

    @property
    def x(self) -> FloatArray:
        """All rows, which a stream never has at once.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError("this needs all rows at once, and those of a source are read chunk by chunk: pass an array")

    @property
    def weights(self) -> None:
        """The weights of all rows, which a stream never has at once.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError("this needs all weights at once, and those of a source are read chunk by chunk: pass an array")

    @property
    def numbers(self) -> None:
        """None: :meth:`number` reads the source to find where a row stood."""
        return None

    def number(self, row: int) -> int:
        """Return where a row stood in the source; reads up to it where rows have a weight of zero.

        Parameters
        ----------
        row : int
            Its place among the rows of positive weight.

        Returns
        -------
        int
            Its place among all rows of the source.
        """
        if self.__dict__["_complete"]:
            return row
        kept = begin = 0
        for end, part in _checked(self.__dict__["_source"]):
            if row < kept + part.n:
                return begin + part.number(row - kept)
            kept, begin = kept + part.n, end
        raise self._other_rows(kept)

    @property
    def n(self) -> int:
        """Number of rows of positive weight in all chunks."""
        return int(self.__dict__["_n"])

    @property
    def dim(self) -> int:
        """Number of columns d."""
        return int(self.__dict__["_dim"])

    @property
    def total_weight(self) -> float:
        """Sum of the weights."""
        return float(self.__dict__["_total_weight"])

    def _chunks(self, size: int | None) -> Iterator[tuple[FloatArray, FloatArray | None]]:
        """Yield the chunks of the source, cut further where they are larger, never joined."""
        n, squares = 0, 0.0
        for _, part in _checked(self.__dict__["_source"]):
            for x, weights in part._chunks(size):
                squares += _squares(x, weights)
                yield x, weights
            n += part.n
        if n != self.n:
            raise self._other_rows(n)
        first = float(self.__dict__["_squares"])
        if abs(squares - first) > 1e-10 * first:  # chunks cut in another way round differently
            raise ValueError(
                f"the source gave rows with sum of squares {first!r} at first and {squares!r} now: it must give the "
                "same in every pass"
            )

    def _other_rows(self, n: int) -> ValueError:
        return ValueError(f"the source gave {self.n} rows at first and {n} now: it must give the same in every pass")


def _squares(x: FloatArray, weights: FloatArray | None) -> float:
    """Return a sum by which rows and weights are known again, for little beside an E-step."""
    return float(np.vdot(x, x) + (0.0 if weights is None else weights @ weights))


def _checked(source: Source, check: Callable[[FloatArray], object] | None = None) -> Iterator[tuple[int, Rows]]:
    """Yield how many rows the source has given so far, and the rows of the next chunk that count: checked, maybe none.

    An error says which chunk it is in, and where that begins.
    """
    dim, first = None, 0
    for k, chunk in enumerate(source()):
        x, weights = chunk if isinstance(chunk, tuple) else (chunk, None)
        try:
            part = as_rows(x, weights, keep_single=True, part=True)
            refuse_outside(part, check)
        except (ValueError, TypeError) as error:
            raise type(error)(f"in chunk {k} of the source, which begins at row {first}: {error}") from error
        first += len(x)
        if part.n > 0:
            if dim is not None and part.dim != dim:
                raise ValueError(f"in chunk {k} of the source: {part.dim} columns, and {dim} in those before")
            dim = part.dim
        yield first, part
