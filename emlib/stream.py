"""Rows that are in no array: read chunk by chunk from a function of the user, once in every E-step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.rows import Rows, as_rows

if TYPE_CHECKING:
    from emlib._types import FloatArray

Source = Callable[[], Iterable[Any]]


class Stream(Rows):
    """Rows from a source, read anew whenever they are needed, by ``chunks`` only.

    Parameters
    ----------
    source : callable
        Returns an iterator over chunks: arrays of shape (n, d), or pairs of an array and the weights of its rows.
        It is called once a pass and must give the same rows each time.
    check : callable, optional
        Called with the rows of each chunk in the first pass; raises ValueError for rows outside the support.

    Attributes
    ----------
    x : ndarray of shape (n, d)
        Not there: raises TypeError.
    weights : ndarray of shape (n,)
        Not there: raises TypeError.
    numbers : ndarray of int, shape (n,), or None
        Always None: rows are numbered as they come, without those of weight zero.
    memo : dict
        What a family worked out about these rows once and reads again in every E-step.

    Raises
    ------
    ValueError
        If a chunk is no valid array of rows, its columns are not as many as those of the first, or there is none.
    TypeError
        If a chunk is a sparse matrix, or holds something that is no number.
    """

    def __init__(self, source: Source, check: Callable[[FloatArray], object] | None = None) -> None:
        n, dim, total_weight, squares = 0, 0, 0.0, 0.0
        for part in _checked(source, check):
            n, dim, total_weight = n + part.n, part.dim, total_weight + part.total_weight
            squares += sum(_squares(x, weights) for x, weights in part.chunks())
        if n == 0:
            raise ValueError("the source gave no rows")
        self.__dict__.update(_source=source, _n=n, _dim=dim, _total_weight=total_weight, _squares=squares, memo={})

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
        """None: rows are numbered as they come, without those of weight zero."""
        return None

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

    def chunks(self, size: int | None = None) -> Iterator[tuple[FloatArray, FloatArray | None]]:
        """Yield one chunk of rows after the other; those of the source are cut further, never joined.

        Parameters
        ----------
        size : int, optional
            The most rows of a chunk, as for :meth:`emlib.rows.Rows.chunks`.

        Yields
        ------
        rows : ndarray of shape (n, d)
            The next rows, float64.
        weights : ndarray of shape (n,) or None
            Their weights; None when every row counts once.

        Raises
        ------
        ValueError
            If the rows are invalid, or others than in the first pass: not as many, or of another sum of squares.
        """
        n, squares = 0, 0.0
        for part in _checked(self.__dict__["_source"]):
            for x, weights in part.chunks(size):
                squares += _squares(x, weights)
                yield x, weights
            n += part.n
        if n != self.n:
            raise ValueError(f"the source gave {self.n} rows at first and {n} now: it must give the same in every pass")
        first = float(self.__dict__["_squares"])
        if abs(squares - first) > 1e-10 * first:  # chunks cut in another way round differently
            raise ValueError(
                f"the source gave rows with sum of squares {first!r} at first and {squares!r} now: it must give the "
                "same in every pass"
            )


def _squares(x: FloatArray, weights: FloatArray | None) -> float:
    """Return a sum by which rows and weights are known again, for little beside an E-step."""
    return float(np.vdot(x, x) + (0.0 if weights is None else weights @ weights))


def _checked(source: Source, check: Callable[[FloatArray], object] | None = None) -> Iterator[Rows]:
    """Yield the chunks of one pass, checked; an error says which chunk it is in, and where that begins."""
    dim, first = None, 0
    for k, chunk in enumerate(source()):
        x, weights = chunk if isinstance(chunk, tuple) else (chunk, None)
        try:
            part = as_rows(x, weights, keep_single=True)
            if check is not None:
                check(part.x)
        except (ValueError, TypeError) as error:
            raise type(error)(f"in chunk {k} of the source, which begins at row {first}: {error}") from error
        if dim is not None and part.dim != dim:
            raise ValueError(f"in chunk {k} of the source: {part.dim} columns, and {dim} in those before")
        dim, first = part.dim, first + len(x)
        yield part
