"""Exact dual numbers, and linear algebra over any exact field: derivatives with no rule taken on trust."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

Number = Any  # int, Fraction, an element of a finite field, or a Dual of these
Rows = Sequence[Sequence[Number]]


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
