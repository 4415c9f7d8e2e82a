"""Expectations over all M^N ways to label N items with M classes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import sympy as sp

MOST_LABELLINGS = 20_000


def expectation_over_labels(value: Callable[[tuple[int, ...]], Any], probabilities: Sequence[Sequence[Any]]) -> sp.Expr:
    """Return the expectation of a function of N independent labels, term by term over all M^N labellings.

    Parameters
    ----------
    value : callable
        ``value((y_1, ..., y_N))``; labels count from 0.
    probabilities : N rows of M expressions
        Row i holds the probabilities of the labels of item i.

    Returns
    -------
    sympy.Expr
        Not simplified; `prove_equal` reads it quickly.

    Raises
    ------
    ValueError
        Too many labellings to write down, or rows of different lengths.

    Examples
    --------
    >>> p, q = sp.symbols("p q")
    >>> both = expectation_over_labels(lambda y: int(y == (1, 1)), [[1 - p, p], [1 - q, q]])
    >>> both
    p*q
    """
    classes = {len(row) for row in probabilities}
    if len(classes) != 1 or 0 in classes:
        raise ValueError(f"every item needs the same number of probabilities, got rows of length {sorted(classes)}")
    count = classes.pop() ** len(probabilities)
    if count > MOST_LABELLINGS:
        raise ValueError(f"{count} labellings are too many to write down; use sum_over_labels for symbolic M")
    labellings = itertools.product(*(range(len(row)) for row in probabilities))
    return sp.Add(
        *(
            sp.Mul(value(labels), *(row[label] for row, label in zip(probabilities, labels, strict=True)))
            for labels in labellings
        )
    )


def sum_over_labels(
    value: Callable[[tuple[sp.Symbol, ...]], Any], family: sp.IndexedBase, items: int, classes: sp.Expr
) -> sp.Sum:
    """Return the same expectation for M symbolic classes: a sum over y_1, ..., y_N from 1 to M.

    Parameters
    ----------
    value : callable
        ``value((y_1, ..., y_N))``, an expression in the labels.
    family : sympy.IndexedBase
        ``family[i, y]`` is the probability that item i has label y; both count from 1.
    items : int
        The number N of items.
    classes : sympy.Expr
        The number M of classes.

    Returns
    -------
    sympy.Sum
        Over N labels.

    Raises
    ------
    ValueError
        There is no item.

    Examples
    --------
    >>> from emlib.proof.sums import SumsTo, normal_form
    >>> M, p = sp.Symbol("M", integer=True, positive=True), sp.IndexedBase("p")
    >>> first = sum_over_labels(lambda y: y[0], p, 3, M)
    >>> normal_form(first, normalised=[SumsTo(p, 1, M)])
    Sum(i*p[1, i], (i, 1, M))
    """
    if items < 1:
        raise ValueError(f"there must be at least one item, got {items}")
    labels = tuple(sp.Symbol(f"y{item + 1}", integer=True) for item in range(items))
    weights = [family[item + 1, label] for item, label in enumerate(labels)]
    return sp.Sum(sp.Mul(value(labels), *weights), *((label, 1, classes) for label in labels))
