"""Checks in exact arithmetic at random points, for sizes at which symbols are out of reach.

By Schwartz and Zippel, a polynomial of total degree d that is not zero vanishes at a point drawn
uniformly from S^m with probability at most ``d / |S|``. So a false identity is caught at one point of
61-bit integers with near certainty. A rational identity counts after clearing denominators.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeVar

import sympy as sp

from emlib.proof.certificates import Certificate, NotProved, Refuted, Scope, Vacuous, Witness, shorten

Number = Any  # int, Fraction, an element of a finite field, or a Dual of these
T = TypeVar("T")

SMALL_TRIES = 20
REDRAWS = 5


@dataclass
class Draw:
    """A source of random integers, or of elements of a finite field, for `exact_check`.

    Call it for one number; `vector`, `matrix` and `symmetric` draw several. A name given to a draw
    is the name under which a witness shows it.
    """

    rng: random.Random
    low: int
    high: int
    modulus: int | None = None
    drawn: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, name: str = "") -> Number:
        """Draw one number."""
        return self._keep(name, self._one())

    def vector(self, size: int, name: str = "") -> list[Number]:
        """Draw a vector of `size` numbers."""
        return self._keep(name, [self._one() for _ in range(size)])

    def matrix(self, rows: int, columns: int, name: str = "") -> list[list[Number]]:
        """Draw a matrix, as a list of rows."""
        return self._keep(name, [[self._one() for _ in range(columns)] for _ in range(rows)])

    def symmetric(self, size: int, name: str = "") -> list[list[Number]]:
        """Draw a symmetric matrix, as a list of rows."""
        upper = [[self._one() for _ in range(size)] for _ in range(size)]
        return self._keep(name, [[upper[min(r, c)][max(r, c)] for c in range(size)] for r in range(size)])

    def _one(self) -> Number:
        value = self.rng.randint(self.low, self.high)
        return value if self.modulus is None else sp.GF(self.modulus, symmetric=False)(value)

    def _keep(self, name: str, value: T) -> T:
        self.drawn.append((name or f"draw {len(self.drawn) + 1}", shorten(str(value))))
        return value


def exact_check(
    claim: Callable[[Draw], Iterable[tuple[Any, Any]]],
    *,
    degree: int,
    statement: str,
    size: int | None = None,
    trials: int = 1,
    seed: int = 0,
    bits: int = 61,
    modulus: int | None = None,
    conditions: Iterable[str] = (),
    rests_on: Iterable[str] = (),
    allow_zero: str = "",
) -> Certificate:
    """Check a polynomial identity in exact arithmetic at random points.

    Parameters
    ----------
    claim : callable
        ``claim(draw)`` draws a point from the `Draw` and returns or yields pairs (left, right) of exact
        numbers, or of nested lists of them, that should be equal.
    degree : int
        A bound on the total degree in the drawn numbers of left - right, denominators cleared.
    statement : str
        The claim in words.
    size : int, optional
        The size n of the matrices, for the text.
    trials : int
        How many points.
    seed : int
        Seed of the draws. The error bound holds for a seed chosen without regard to the claim.
    bits : int
        The numbers are drawn uniformly from 0 .. 2**bits - 1.
    modulus : int, optional
        A prime: draw from, and compare in, the field of that size instead.
    conditions, rests_on : iterable of str
        Kept in the certificate.
    allow_zero : str, optional
        Why all pairs are 0 = 0, if they are.

    Returns
    -------
    Certificate
        With the error bound (degree / number of values) ** trials.

    Raises
    ------
    Refuted
        With a witness of small integers, if small integers show the difference.
    Vacuous
        No pair was given, or all are 0 = 0.
    NotProved
        Every point drawn led to a division by zero.
    TypeError, ValueError
        A pair is not exact; the degree is too large for the range.

    Examples
    --------
    >>> from emlib.proof.dual import determinant, product
    >>> def cauchy(draw):
    ...     a, b = draw.matrix(20, 20, "A"), draw.matrix(20, 20, "B")
    ...     yield determinant(product(a, b)), determinant(a) * determinant(b)
    >>> print(exact_check(cauchy, degree=40, statement="det(AB) = det(A) det(B)", size=20))
    holds exactly at one exact random point of size 20: det(AB) = det(A) det(B)
      method: exact integer arithmetic, seed 0
      a false claim passes with probability at most: 1.7e-17
    """
    values = modulus if modulus is not None else 2**bits
    if not 0 < degree < values:
        raise ValueError(f"the degree must lie between 1 and {values - 1}, got {degree}")
    if modulus is not None and not sp.isprime(modulus):
        raise ValueError(f"the modulus must be a prime, got {modulus}")
    zeros = True
    for trial in range(trials):
        for left, right in _pairs(claim, seed, trial, (0, values - 1), modulus):
            zeros = zeros and left == 0 and right == 0
            if left != right:
                raise Refuted(_small_witness(claim, seed, trial, values, modulus), statement)
    if zeros and not allow_zero:
        raise Vacuous("0 = 0", statement, "every pair of the check is 0 = 0; if that is meant, say why in allow_zero")
    field_text = "integer arithmetic" if modulus is None else f"arithmetic modulo the prime {modulus}"
    return Certificate(
        statement,
        f"exact {field_text}, seed {seed}",
        Scope.points(trials, size),
        tuple(conditions),
        (*rests_on, *((f"both sides are zero: {allow_zero}",) if allow_zero else ())),
        Fraction(degree, values) ** trials,
    )


def _pairs(
    claim: Callable[[Draw], Iterable[tuple[Any, Any]]],
    seed: int,
    trial: int,
    limits: tuple[int, int],
    modulus: int | None,
    draws: list[Draw] | None = None,
) -> list[tuple[Any, Any]]:
    for again in range(REDRAWS):
        draw = Draw(random.Random(f"{seed}/{trial}/{again}"), *limits, modulus)
        if draws is not None:
            draws.append(draw)
        try:
            return [pair for left, right in claim(draw) for pair in _flat(left, right)]
        except ZeroDivisionError:
            continue
    raise NotProved("", "", f"{REDRAWS} random points in a row led to a division by zero")


def _flat(left: Any, right: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(left, list | tuple) or isinstance(right, list | tuple):
        sized = isinstance(left, list | tuple) and isinstance(right, list | tuple) and len(left) == len(right)
        if not sized:
            raise ValueError("the two sides of a pair have different shapes")
        for pair in zip(left, right, strict=True):
            yield from _flat(*pair)
        return
    for value in (left, right):
        if isinstance(value, float | complex | str | sp.Float) or not hasattr(value, "__mul__"):
            raise TypeError(f"exact_check compares exact numbers, not the {type(value).__name__} {value!r}")
    yield left, right


def _small_witness(claim: Any, seed: int, trial: int, values: int, modulus: int | None) -> Witness:
    """Look for a difference at small integers; else return the point that was drawn."""
    for limits in [(2, 3)] * SMALL_TRIES + [(0, 9)] * SMALL_TRIES:
        seed += 1
        try:
            found = _witness(claim, seed, trial, limits, modulus)
        except NotProved:
            continue
        if found is not None:
            return found
    found = _witness(claim, seed - 2 * SMALL_TRIES, trial, (0, values - 1), modulus)
    assert found is not None, "the check gave two answers at one point; it must depend on the draws alone"
    return found


def _witness(claim: Any, seed: int, trial: int, limits: tuple[int, int], modulus: int | None) -> Witness | None:
    draws: list[Draw] = []
    for left, right in _pairs(claim, seed, trial, limits, modulus, draws):
        if left != right:
            return Witness(tuple(draws[-1].drawn), shorten(str(left)), shorten(str(right)))
    return None
