"""A bar that counts the rows of the pass over the data that is under way, for passes that take long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
Chunk = TypeVar("Chunk", bound=tuple[Any, ...])

DELAY = 0.5
"""Seconds after which a pass shows its bar: quick ones would only flicker."""


class _Passes:
    """The bar of the pass that is under way; there is one at most, and the next pass takes its place."""

    def __init__(self) -> None:
        self._bar: Any = None

    def begin(self, n: int | None) -> Any:
        from tqdm import tqdm

        self.end()
        self._bar = tqdm(desc="pass", unit=" rows", unit_scale=True, total=n, leave=False, delay=DELAY)
        return self._bar

    def end(self) -> None:
        if self._bar is not None:
            self._bar.close()


_shown: ContextVar[_Passes | None] = ContextVar("emlib_rows_shown", default=None)


@contextmanager
def showing_rows(wanted: bool) -> Iterator[None]:
    """Show the rows of each pass within the ``with`` statement, on stderr; however it ends, no bar stays open.

    Parameters
    ----------
    wanted : bool
        False changes nothing.

    Yields
    ------
    None
        The bars are those of :func:`counted` and :func:`one_pass`.
    """
    if not wanted or _shown.get() is not None:
        yield
        return
    passes = _Passes()
    token = _shown.set(passes)
    try:
        yield
    finally:
        _shown.reset(token)
        passes.end()


def shows_rows(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function show the rows of each pass when it is called with ``progress=True``.

    Parameters
    ----------
    function : callable
        Has a keyword-only argument `progress`.

    Returns
    -------
    callable
        The same, inside of :func:`showing_rows`.
    """

    @wraps(function)
    def shown(*args: P.args, **kwargs: P.kwargs) -> R:
        with showing_rows(bool(kwargs.get("progress", False))):
            return function(*args, **kwargs)

    return shown


def counted(chunks: Iterator[Chunk], n: int) -> Iterator[Chunk]:
    """Return the chunks of a pass, each counted when it has been worked on; as they are where nothing is shown.

    Parameters
    ----------
    chunks : iterator of tuples
        The first item of each is an array of rows.
    n : int
        Number of rows in all chunks.

    Returns
    -------
    iterator
        The same chunks.
    """
    passes = _shown.get()
    return chunks if passes is None else _counted(chunks, passes.begin(n))


def _counted(chunks: Iterator[Chunk], bar: Any) -> Iterator[Chunk]:
    with bar:
        for chunk in chunks:
            yield chunk
            bar.update(len(chunk[0]))


@contextmanager
def one_pass(n: int | None = None) -> Iterator[Callable[[int], object] | None]:
    """Give what counts rows in the bar of one pass; passes inside of this one do not show.

    Parameters
    ----------
    n : int, optional
        Number of rows, if known.

    Yields
    ------
    callable or None
        Takes how many rows more were read. None where nothing is shown.
    """
    passes = _shown.get()
    if passes is None:
        yield None
        return
    token = _shown.set(None)
    try:
        with passes.begin(n) as bar:
            yield bar.update
    finally:
        _shown.reset(token)
