"""The search for a small integer point at which two expressions differ."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sympy as sp

from emlib.proof.certificates import Witness
from emlib.proof.evaluate import Point, Undefined, evaluate
from emlib.proof.sums import SumsTo, ranges_of_entries, sizes_of

TRIES = 40
SMALL_FIRST = 4
DIGITS = 40
CLEARLY_APART = sp.Float("1e-20")
SHOWN_DIGITS = 12


def find_witness(
    lhs: Any,
    rhs: Any,
    *,
    symmetric: Iterable[Any] = (),
    normalised: Iterable[SumsTo] = (),
    ranges: Mapping[sp.Symbol, tuple[Any, Any]] | None = None,
    seed: int = 0,
) -> Witness | None:
    """Return a small integer point at which the two sides differ, or None if none was found.

    Parameters
    ----------
    lhs, rhs : sympy.Expr or matrix
        Two scalars, or two matrices of the same shape.
    symmetric : iterable of sympy.MatrixSymbol or IndexedBase
        Families with ``a[i, j] = a[j, i]``.
    normalised : iterable of SumsTo
        Declared normalisations; the point obeys them.
    ranges : mapping of symbol to (low, high), optional
        Ranges of free indices; the point obeys them.
    seed : int
        Seed of the search.

    Returns
    -------
    Witness or None

    Examples
    --------
    >>> a, b = sp.symbols("a b")
    >>> print(find_witness((a + b) ** 2, a**2 + b**2))
    left 36, right 18 at a = 3, b = 3
    """
    lhs, rhs = sp.sympify(lhs), sp.sympify(rhs)
    draw = _Draw(sp.Tuple(lhs, rhs), symmetric, normalised, ranges or {})
    for attempt in range(TRIES):
        rng = random.Random(f"{seed}/{attempt}")
        try:
            point = draw.point(rng, attempt)
            left, right = evaluate(lhs, point), evaluate(rhs, point)
        except Undefined:
            continue
        found = _difference(left, right)
        if found is not None:
            where, left_entry, right_entry = found
            return Witness(draw.shown(point), _shown(left_entry), _shown(right_entry), where)
    return None


def _difference(left: Any, right: Any) -> tuple[str, Any, Any] | None:
    if not isinstance(left, sp.MatrixBase):
        return ("", left, right) if _differ(left, right) else None
    if left.shape != right.shape:
        return ("shape", left.shape, right.shape)
    for row in range(left.rows):
        for column in range(left.cols):
            if _differ(left[row, column], right[row, column]):
                return (f"entry ({row}, {column})", left[row, column], right[row, column])
    return None


def _differ(left: sp.Expr, right: sp.Expr) -> bool:
    gap = left - right
    if gap.is_Rational:
        return bool(gap != 0)
    return bool(abs(sp.N(gap, DIGITS)) > CLEARLY_APART)


def _shown(value: Any) -> str:
    if isinstance(value, tuple) or value.is_Rational:
        return str(value)
    return f"about {sp.N(value, SHOWN_DIGITS)}"


class _Draw:
    """Random points for the free things of an expression."""

    def __init__(
        self,
        claim: sp.Tuple,
        symmetric: Iterable[Any],
        normalised: Iterable[SumsTo],
        ranges: Mapping[sp.Symbol, tuple[Any, Any]],
    ) -> None:
        matrices = claim.atoms(sp.MatrixSymbol)
        self.matrices = sorted(matrices, key=lambda matrix: matrix.name)
        self.symmetric = set(map(str, symmetric))
        self.normalised = {str(rule.family): rule for rule in normalised}
        sizes = sizes_of(claim) | {
            symbol for matrix in self.matrices for size in matrix.shape for symbol in size.free_symbols
        }
        limits = {**ranges_of_entries(claim), **ranges}
        sizes |= {symbol for limit in limits.values() for bound in limit for symbol in sp.sympify(bound).free_symbols}
        self.sizes = sorted(sizes, key=str)
        self.ranges = {index: limits[index] for index in sorted(limits, key=str) if index not in sizes}
        families = {base.label for base in claim.atoms(sp.IndexedBase)}
        free = claim.free_symbols - matrices - sizes - set(self.ranges) - families
        free -= {symbol for symbol in free if isinstance(symbol, sp.Indexed | sp.MatrixSymbol)}
        self.symbols = sorted(free, key=lambda symbol: (str(symbol), sp.default_sort_key(symbol)))
        self.entries: dict[tuple[str, tuple[Any, ...]], sp.Expr] = {}

    def point(self, rng: random.Random, attempt: int) -> Point:
        """Sizes first, then indices in their ranges, then symbols and matrices."""
        values: dict[sp.Symbol, sp.Expr] = {size: sp.Integer(rng.randint(1, 3)) for size in self.sizes}
        if attempt < SMALL_FIRST:  # one size: 2; several: 2 and 3 in turns, since unequal sizes show swapped ranges
            turn = attempt * (len(self.sizes) > 1)
            values = {size: sp.Integer(2 + (place + turn) % 2) for place, size in enumerate(self.sizes)}
        for index, limit in self.ranges.items():
            low, high = (int(sp.sympify(bound).xreplace(values)) for bound in limit)
            if high < low:
                raise Undefined(f"no value of {index} between {low} and {high}")
            values[index] = sp.Integer(rng.randint(low, high))
        numbers = _numbers(rng, attempt)
        for symbol in self.symbols:
            values[symbol] = _suited(symbol, next(numbers))
        matrices = {matrix.name: self._matrix(matrix, values, numbers) for matrix in self.matrices}
        self.entries = {}
        return Point(values, matrices, lambda name, indices: self._entry(name, indices, values, numbers))

    def _matrix(self, symbol: sp.MatrixSymbol, values: Mapping[Any, Any], numbers: Iterator[int]) -> sp.Matrix:
        rows, columns = (int(sp.sympify(size).xreplace(values)) for size in symbol.shape)
        if rows < 1 or columns < 1:
            raise Undefined(f"{symbol.name} is empty")
        matrix = sp.Matrix(rows, columns, lambda *_: sp.Integer(next(numbers)))
        if symbol.name in self.symmetric:
            matrix = sp.Matrix(rows, columns, lambda i, j: matrix[min(i, j), max(i, j)])
        rule = self.normalised.get(symbol.name)
        if rule is None:
            return matrix
        along = rule.axis % 2
        length = matrix.shape[along]
        for line in range(matrix.shape[1 - along]):
            place = [line, line]
            place[along] = length - 1
            others = [matrix[(line, c) if along else (c, line)] for c in range(length - 1)]
            matrix[tuple(place)] = sp.sympify(rule.total).xreplace(values) - sum(others)
        return matrix

    def _entry(self, name: str, indices: tuple[Any, ...], values: Mapping[Any, Any], numbers: Iterator[int]) -> sp.Expr:
        if name in self.symmetric and len(indices) == 2:
            indices = tuple(sorted(indices))
        if (name, indices) not in self.entries:
            rule = self.normalised.get(name)
            high = sp.sympify(rule.high).xreplace(values) if rule else None
            if rule is not None and indices[rule.axis] == high:
                self.entries[name, indices] = self._remainder(name, indices, rule, values, numbers)
            else:
                self.entries[name, indices] = sp.Integer(next(numbers))
        return self.entries[name, indices]

    def _remainder(
        self, name: str, indices: tuple[Any, ...], rule: SumsTo, values: Mapping[Any, Any], numbers: Iterator[int]
    ) -> sp.Expr:
        low, high = (int(sp.sympify(bound).xreplace(values)) for bound in (rule.low, rule.high))
        rest = sp.sympify(rule.total).xreplace(values)
        for place in range(low, high):
            other = list(indices)
            other[rule.axis] = sp.Integer(place)
            rest -= self._entry(name, tuple(other), values, numbers)
        return rest

    def shown(self, point: Point) -> tuple[tuple[str, str], ...]:
        """Names and values, sizes first."""
        rows = [(str(symbol), str(value)) for symbol, value in point.symbols.items()]
        rows += [(name, str(matrix.tolist())) for name, matrix in point.matrices.items()]
        entries = sorted(self.entries.items(), key=lambda item: (item[0][0], tuple(map(int, item[0][1]))))
        return (*rows, *((f"{name}[{', '.join(map(str, at))}]", str(value)) for (name, at), value in entries))


def _numbers(rng: random.Random, attempt: int) -> Iterator[int]:
    """Small integers other than 0 and 1, growing with the attempts; negative ones from the third on."""
    while True:
        value = rng.randint(2, 3 + attempt)
        yield value if attempt < 2 or rng.random() < 0.5 else -value


def _suited(symbol: sp.Symbol, value: int) -> sp.Expr:
    """Return the number with the sign that the symbol's assumptions ask for."""
    if symbol.is_nonnegative or symbol.is_positive:
        return sp.Integer(abs(value))
    if symbol.is_nonpositive or symbol.is_negative:
        return sp.Integer(-abs(value))
    return sp.Integer(value)
