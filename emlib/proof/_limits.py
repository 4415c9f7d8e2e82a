"""Limits on work: a formula from a stranger ends in an error within its time, never in a hang.

Work is counted in terms, so that the answer is the same on every machine; the clock is the last resort.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


class OutOfBudget(RuntimeError):
    """The work took longer, or grew larger, than was allowed."""


@dataclass
class _Budget:
    """What is left of a budget of work."""

    left: int
    given: int


_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))
_budget: ContextVar[_Budget | None] = ContextVar("budget", default=None)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let `spend` raise once `seconds` have passed; an outer, earlier limit stays in force."""
    mark = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(mark)


@contextmanager
def work_limit(terms: int) -> Iterator[None]:
    """Let `spend` raise once `terms` have been spent inside; replaces an outer budget of work."""
    mark = _budget.set(_Budget(terms, terms))
    try:
        yield
    finally:
        _budget.reset(mark)


def spend(terms: int = 1) -> None:
    """Count work about to be done.

    Parameters
    ----------
    terms : int
        How many terms are about to be made.

    Raises
    ------
    OutOfBudget
        The budget of work is used up, or the time is.
    """
    budget = _budget.get()
    if budget is not None:
        budget.left -= terms
        if budget.left < 0:
            raise OutOfBudget(f"more than {budget.given} terms would have to be computed")
    if time.monotonic() > _deadline.get():
        raise OutOfBudget("the time limit was reached")
