"""Limits on work: a formula from a stranger ends in an error within its time, never in a hang."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class OutOfBudget(RuntimeError):
    """The work took longer, or grew larger, than was allowed."""


_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let `spend` raise once `seconds` have passed; an outer, earlier limit stays in force."""
    mark = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(mark)


def spend(size: int = 0, largest: int = 1_000_000, what: str = "the expression") -> None:
    """Stop if the time is up, or if something grew beyond `largest`.

    Parameters
    ----------
    size : int
        The size of what is about to be made.
    largest : int
        The largest size allowed.
    what : str
        Its name, for the message.

    Raises
    ------
    OutOfBudget
        Either limit was passed.
    """
    if size > largest:
        raise OutOfBudget(f"{what} grew beyond {largest} terms")
    if time.monotonic() > _deadline.get():
        raise OutOfBudget("the time limit was reached")
