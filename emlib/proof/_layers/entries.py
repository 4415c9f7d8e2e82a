"""Explicit matrices whose entries are quotients of polynomials, differentiated entry by entry.

Logarithms, exponentials and roots are further unknowns of the polynomial ring; each remembers its argument,
so that it can be differentiated by the chain rule of scalars. No rule of matrix calculus is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from emlib.proof._layers.verdict import Undecided, Undefined
from emlib.proof._limits import spend
from emlib.proof.rational import Quotient

LARGEST_DETERMINANT = 5
FUNCTION_SLOTS = 6
Matrix = list[list[Quotient]]


@dataclass(frozen=True)
class Function:
    """An unknown that stands for log, exp or the root of a quotient."""

    kind: str
    argument: Quotient
    unknown: Any


@dataclass
class Entries:
    """The ring of all entries, and the arithmetic of its quotients.

    Parameters
    ----------
    names : list of str
        One for every free entry.
    """

    names: list[str]
    functions: list[Function] = field(default_factory=list)

    def __post_init__(self) -> None:
        spare = [f"_function{k}" for k in range(FUNCTION_SLOTS)]
        self.ring = sp.polys.rings.PolyRing([*self.names, *spare], sp.QQ)
        self.unknown = dict(zip(self.names, self.ring.gens, strict=False))
        self.spare = list(self.ring.gens[len(self.names) :])
        self.zero, self.one = self.number(0), self.number(1)

    def number(self, value: Any) -> Quotient:
        """Return a rational number."""
        return Quotient(self.ring(sp.QQ(value.numerator, value.denominator)), {})

    def times(self, left: Quotient, right: Quotient) -> Quotient:
        """Return a product."""
        if not left.top or not right.top:
            return self.zero
        return left * right

    def plus(self, left: Quotient, right: Quotient) -> Quotient:
        """Return a sum over the common denominator."""
        if not left.top or not right.top:
            return right if not left.top else left
        return left + right

    def reciprocal(self, value: Quotient) -> Quotient:
        """Return 1 / value."""
        if not value.top:
            raise Undefined("a division by zero")
        return value.power(-1)

    def is_zero(self, value: Quotient) -> bool:
        """Whether a quotient is zero, given that a root squared is its argument."""
        # The last root first: its argument may hold earlier roots, never later ones.
        return self._vanishes(value, [function for function in reversed(self.functions) if function.kind == "root"])

    def _vanishes(self, value: Quotient, roots: list[Function]) -> bool:
        if not value.top or not roots:
            return not value.top
        return all(self._vanishes(part, roots[1:]) for part in self._split_by_parity(value, roots[0]))

    def _split_by_parity(self, value: Quotient, root: Function) -> list[Quotient]:
        """Return the coefficients of 1 and of the root, even powers of the root being replaced."""
        place = self.ring.gens.index(root.unknown)
        by_power: dict[int, Any] = {}
        for monomial, coefficient in value.top.terms():
            power = monomial[place]
            rest = tuple(0 if index == place else exponent for index, exponent in enumerate(monomial))
            by_power.setdefault(power, self.ring.zero)[rest] = coefficient
        parts = [self.zero, self.zero]
        for power, top in by_power.items():
            value = self.times(Quotient(top, {}), root.argument.power(power // 2))
            parts[power % 2] = self.plus(parts[power % 2], value)
        return [part for part in parts if part.top]

    # Scalar functions ----------------------------------------------------------------------------

    def function(self, kind: str, argument: Quotient) -> Quotient:
        """Return the unknown for log, exp or root of a quotient; equal arguments share it."""
        for known in self.functions:
            if known.kind == kind and not self.plus(known.argument, self.times(self.number(-1), argument)).top:
                return Quotient(known.unknown, {})
        if not self.spare:
            raise Undecided(f"more than {FUNCTION_SLOTS} different logarithms, exponentials and roots")
        unknown = self.spare.pop(0)
        self.functions.append(Function(kind, argument, unknown))
        return Quotient(unknown, {})

    def derivative(self, value: Quotient, by: Any) -> Quotient:
        """Return the derivative by one unknown, through the functions that depend on it."""
        total = self._partial(value, by)
        for function in self.functions:
            partial = self._partial(value, function.unknown)
            if partial.top:
                total = self.plus(total, self.times(partial, self._slope(function, by)))
        return total

    def _slope(self, function: Function, by: Any) -> Quotient:
        inner = self.derivative(function.argument, by)
        if function.kind == "log":
            return self.times(inner, self.reciprocal(function.argument))
        itself = Quotient(function.unknown, {})
        if function.kind == "exp":
            return self.times(inner, itself)
        return self.times(inner, self.reciprocal(self.times(self.number(2), itself)))

    def _partial(self, value: Quotient, by: Any) -> Quotient:
        total = Quotient(value.top.diff(by), dict(value.under))
        for key, power in value.under.items():
            slope = key.diff(by)
            if slope:
                top = self.times(Quotient(value.top, {}), Quotient(-power * slope, {})).top
                total = self.plus(total, Quotient(top, {**value.under, key: power + 1}))
        return total if total.top else self.zero

    # Matrices ------------------------------------------------------------------------------------

    def matmul(self, left: Matrix, right: Matrix) -> Matrix:
        """Return the matrix product."""
        columns = list(zip(*right, strict=True))
        return [[self.inner(row, column) for column in columns] for row in left]

    def inner(self, left: Any, right: Any) -> Quotient:
        """Return the sum of products of two sequences."""
        total = self.zero
        for a, b in zip(left, right, strict=True):
            total = self.plus(total, self.times(a, b))
        return total

    def determinant(self, matrix: Matrix) -> Quotient:
        """Return the determinant of a matrix, by minors."""
        polynomials, common = self._cleared(matrix)
        below = {key: power * len(matrix) for key, power in common.items()}
        return Quotient(self._minor(polynomials, tuple(range(len(matrix))), tuple(range(len(matrix))), {}), below)

    def inverse(self, matrix: Matrix) -> Matrix:
        """Return the inverse of a matrix as adjugate over determinant."""
        polynomials, common = self._cleared(matrix)
        size = len(matrix)
        minors: dict[Any, Any] = {}
        everything = tuple(range(size))
        determinant = self._minor(polynomials, everything, everything, minors)
        if not determinant:
            raise Undefined("the inverse of a singular matrix")
        scale = self.times(self.reciprocal(Quotient(determinant, {})), self._denominator(common))

        def cofactor(row: int, col: int) -> Quotient:
            rows = tuple(place for place in everything if place != row)
            cols = tuple(place for place in everything if place != col)
            return Quotient(self._minor(polynomials, rows, cols, minors) * (-1) ** (row + col), {})

        return [[self.times(cofactor(col, row), scale) for col in everything] for row in everything]

    def _denominator(self, common: dict[Any, int]) -> Quotient:
        total = self.one
        for key, power in common.items():
            total = self.times(total, Quotient(key**power, {}))
        return total

    def _cleared(self, matrix: Matrix) -> tuple[list[list[Any]], dict[Any, int]]:
        """Return polynomials and the denominator that all entries share."""
        if len(matrix) > LARGEST_DETERMINANT:
            raise Undecided(f"a determinant larger than {LARGEST_DETERMINANT} x {LARGEST_DETERMINANT}")
        common: dict[Any, int] = {}
        for row in matrix:
            for entry in row:
                for key, power in entry.under.items():
                    common[key] = max(power, common.get(key, 0))
        blank = Quotient(self.ring.zero, common)
        return [[(entry + blank).top for entry in row] for row in matrix], common

    def _minor(self, matrix: Any, rows: tuple[int, ...], cols: tuple[int, ...], known: dict[Any, Any]) -> Any:
        if not rows:
            return self.ring.one
        if (rows, cols) not in known:
            total = self.ring.zero
            for place, col in enumerate(cols):
                entry = matrix[rows[0]][col]
                if entry:
                    minor = self._minor(matrix, rows[1:], cols[:place] + cols[place + 1 :], known)
                    spend(len(entry) * len(minor))
                    total += entry * minor * (-1) ** place
            known[rows, cols] = total
        return known[rows, cols]
