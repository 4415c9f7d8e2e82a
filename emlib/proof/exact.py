"""Checks in exact arithmetic at random points, for sizes at which symbols are out of reach.

By Schwartz and Zippel, a polynomial of total degree d that is not zero vanishes at a point drawn
uniformly from S^m with probability at most d / |S|. So a false identity is caught at one point of
61-bit integers with near certainty. A rational identity counts after clearing denominators.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeVar

import sympy as sp

from emlib.proof.certificates import Certificate, NotProved, Refuted, Scope, Vacuous, Witness, shorten

Number = Any  # int, Fraction, an element of a finite field, or a Dual of these
T = TypeVar("T")
Rows = Sequence[Sequence[Number]]

SMALL_TRIES = 20
REDRAWS = 5


@dataclass(frozen=True)
class Dual:
    """An exact dual number ``value + slope * e`` with e^2 = 0: arithmetic that carries a derivative along.

    Examples
    --------
    >>> x = Dual(Fraction(3), Fraction(1))
    >>> (x**2 / (x + 1)).slope
    Fraction(15, 16)
    """

    value: Number
    slope: Number = 0

    @staticmethod
    def _lift(other: Number) -> Dual:
        return other if isinstance(other, Dual) else Dual(other, other * 0)

    def __add__(self, other: Number) -> Dual:
        other = self._lift(other)
        return Dual(self.value + other.value, self.slope + other.slope)

    def __sub__(self, other: Number) -> Dual:
        return self + (-self._lift(other))

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.slope)

    def __mul__(self, other: Number) -> Dual:
        other = self._lift(other)
        return Dual(self.value * other.value, self.value * other.slope + self.slope * other.value)

    def __truediv__(self, other: Number) -> Dual:
        other = self._lift(other)
        quotient = _ratio(self.value, other.value)
        return Dual(quotient, _ratio(self.slope - quotient * other.slope, other.value))

    def __pow__(self, exponent: int) -> Dual:
        result = self._lift(self.value * 0 + 1)
        for _ in range(abs(exponent)):
            result = result * self
        return result if exponent >= 0 else self._lift(self.value * 0 + 1) / result

    def __rsub__(self, other: Number) -> Dual:
        return self._lift(other) - self

    def __rtruediv__(self, other: Number) -> Dual:
        return self._lift(other) / self

    __radd__ = __add__
    __rmul__ = __mul__


def _ratio(top: Number, bottom: Number) -> Number:
    """Divide exactly; Python's own integers become fractions."""
    if isinstance(top, int) and isinstance(bottom, int):
        return Fraction(top, bottom)
    return top / bottom


def derivative(function: Callable[[Any], Any], at: Rows, direction: Rows) -> Any:
    """Return the exact derivative of a function of a matrix in a direction.

    Parameters
    ----------
    function : callable
        Takes rows of dual numbers; returns a dual number, or rows of them.
    at, direction : sequences of rows, shape (n, m)
        The point and the direction.

    Returns
    -------
    number or rows of numbers

    Examples
    --------
    >>> derivative(determinant, [[2, 1], [1, 3]], [[0, 1], [1, 0]])
    Fraction(-2, 1)
    """
    moved = [[Dual(*pair) for pair in zip(*rows, strict=True)] for rows in zip(at, direction, strict=True)]
    return _slopes(function(moved))


def _slopes(result: Any) -> Any:
    if isinstance(result, Dual):
        return result.slope
    if isinstance(result, list | tuple):
        return [_slopes(part) for part in result]
    return result * 0


def determinant(rows: Rows) -> Number:
    """Return the determinant by elimination, over any exact field and its dual numbers.

    Examples
    --------
    >>> determinant([[2, 1], [1, 3]])
    Fraction(5, 1)
    """
    work = [list(row) for row in rows]
    result: Number = Fraction(1)
    for column in range(len(work)):
        pivot = _pivot_row(work, column)
        if pivot is None:
            raise ZeroDivisionError("no pivot: the matrix is singular at this point")
        if pivot != column:
            work[column], work[pivot] = work[pivot], work[column]
            result = -result
        result = work[column][column] * result
        for row in range(column + 1, len(work)):
            _eliminate(work, row, column)
    return result


def inverse(rows: Rows) -> list[list[Number]]:
    """Return the inverse by elimination, over any exact field and its dual numbers.

    Examples
    --------
    >>> inverse([[2, 1], [1, 1]])
    [[Fraction(1, 1), Fraction(-1, 1)], [Fraction(-1, 1), Fraction(2, 1)]]
    """
    size = len(rows)
    work = [[*row, *(int(place == column) for column in range(size))] for place, row in enumerate(rows)]
    for column in range(size):
        pivot = _pivot_row(work, column)
        if pivot is None:
            raise ZeroDivisionError("no pivot: the matrix is singular at this point")
        work[column], work[pivot] = work[pivot], work[column]
        head = work[column][column]
        work[column] = [_divided(entry, head) for entry in work[column]]
        for row in range(size):
            if row != column:
                _eliminate(work, row, column)
    return [row[size:] for row in work]


def _divided(top: Number, bottom: Number) -> Number:
    return _ratio(top, bottom) if not isinstance(bottom, Dual) else Dual._lift(top) / bottom


def _pivot_row(work: list[list[Number]], column: int) -> int | None:
    """Return the first row whose pivot can be divided by: of a dual number, the value must not be zero."""
    for row in range(column, len(work)):
        entry = work[row][column]
        if (entry.value if isinstance(entry, Dual) else entry) != 0:
            return row
    return None


def _eliminate(work: list[list[Number]], row: int, column: int) -> None:
    """Subtract a multiple of the pivot row, which is zero before the column."""
    factor = _divided(work[row][column], work[column][column])
    for place in range(column, len(work[row])):
        work[row][place] = work[row][place] - factor * work[column][place]


def product(left: Rows, right: Rows) -> list[list[Number]]:
    """Return the matrix product of rows of exact numbers.

    Examples
    --------
    >>> product([[1, 2]], [[3], [4]])
    [[11]]
    """
    columns = list(zip(*right, strict=True))
    return [[sum((a * b for a, b in zip(row, column, strict=True)), 0) for column in columns] for row in left]


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
