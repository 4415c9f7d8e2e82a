"""The search for a small integer point at which two expressions differ."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sympy as sp

from emlib.proof.certificates import Witness, shorten
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
        rules = [rule for rule in normalised if claim.has(rule.family)]
        claim = sp.Tuple(claim, *(rule.total for rule in rules))  # a total need not stand in the claim itself
        matrices = claim.atoms(sp.MatrixSymbol)
        self.matrices = sorted(matrices, key=lambda matrix: matrix.name)
        self.symmetric = set(map(str, symmetric))
        self.normalised = {str(rule.family): rule for rule in rules}
        self.conflict = len(self.normalised) < len(rules) or bool(self.symmetric & self.normalised.keys())
        sizes = sizes_of(claim) | {
            symbol for matrix in self.matrices for size in matrix.shape for symbol in size.free_symbols
        }
        limits = {**ranges_of_entries(claim), **ranges}
        bounds = [bound for limit in limits.values() for bound in limit]
        bounds += [bound for rule in rules for bound in (rule.low, rule.high)]
        sizes |= {symbol for bound in bounds for symbol in sp.sympify(bound).free_symbols}
        self.sizes = sorted(sizes, key=str)
        self.ranges = {index: limits[index] for index in sorted(limits, key=str) if index not in sizes}
        self.families = {str(base): base for base in claim.atoms(sp.IndexedBase)}
        free = claim.free_symbols - matrices - sizes - set(self.ranges) - {b.label for b in self.families.values()}
        free -= {symbol for symbol in free if isinstance(symbol, sp.Indexed | sp.MatrixSymbol)}
        self.symbols = sorted(free, key=lambda symbol: (_label(symbol), sp.default_sort_key(symbol)))
        self.entries: dict[tuple[str, tuple[Any, ...]], sp.Expr] = {}

    def point(self, rng: random.Random, attempt: int) -> Point:
        """Sizes first, then indices in their ranges, then symbols and matrices."""
        if self.conflict:
            raise Undefined("points that obey two rules for one family are not searched")
        values: dict[sp.Symbol, sp.Expr] = {}
        turn = attempt * (len(self.sizes) > 1)
        for place, size in enumerate(self.sizes):
            # First one size: 2; several: 2 and 3 in turns, since unequal sizes show swapped ranges.
            values[size] = _suited(size, 2 + (place + turn) % 2 if attempt < SMALL_FIRST else rng.randint(1, 3))
        for index, limit in self.ranges.items():
            low, high = _bounds(*limit, values)
            if high < low:
                raise Undefined(f"no value of {index} between {low} and {high}")
            values[index] = _suited(index, rng.randint(low, high))
        numbers = _numbers(rng, attempt)
        for symbol in self.symbols:
            value = rng.randint(0, 3) if symbol.is_integer else next(numbers)  # an integer symbol is an index
            values[symbol] = _suited(symbol, value)
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
        low, high = _bounds(rule.low, rule.high, values)
        for line in range(matrix.shape[1 - along]):
            for place, share in zip(range(low, high + 1), _shares(rule, low, high, values, numbers), strict=True):
                matrix[(line, place) if along else (place, line)] = share
        return matrix

    def _entry(self, name: str, indices: tuple[Any, ...], values: Mapping[Any, Any], numbers: Iterator[int]) -> sp.Expr:
        if name in self.symmetric and len(indices) == 2:
            indices = tuple(sorted(indices))
        if (name, indices) not in self.entries:
            rule = self.normalised.get(name)
            low, high = _bounds(rule.low, rule.high, values) if rule else (0, -1)
            if rule is not None and low <= indices[rule.axis] <= high:
                for place, share in zip(range(low, high + 1), _shares(rule, low, high, values, numbers), strict=True):
                    other = list(indices)
                    other[rule.axis] = sp.Integer(place)
                    self.entries[name, tuple(other)] = share
            else:
                family = self.families.get(name)
                value = next(numbers)
                self.entries[name, indices] = sp.Integer(value) if family is None else _suited(family, value)
        return self.entries[name, indices]

    def shown(self, point: Point) -> tuple[tuple[str, str], ...]:
        """Names and values, sizes first."""
        rows = [(_label(symbol), str(value)) for symbol, value in point.symbols.items()]
        rows += [(name, str(matrix.tolist())) for name, matrix in point.matrices.items()]
        entries = sorted(self.entries.items(), key=lambda item: (item[0][0], tuple(map(int, item[0][1]))))
        return (*rows, *((f"{name}[{', '.join(map(str, at))}]", str(value)) for (name, at), value in entries))


def _label(symbol: sp.Symbol) -> str:
    """Return the name of a symbol, without the running number of an unnamed dummy."""
    return shorten(str(symbol))


def _bounds(low: Any, high: Any, values: Mapping[Any, Any]) -> tuple[int, int]:
    return int(sp.sympify(low).xreplace(values)), int(sp.sympify(high).xreplace(values))


def _shares(rule: SumsTo, low: int, high: int, values: Mapping[Any, Any], numbers: Iterator[int]) -> list[sp.Expr]:
    """Return one number for each place from low to high, of one sign, that add up to the total of the rule."""
    weights = [abs(next(numbers)) for _ in range(low, high + 1)]
    total = sp.sympify(rule.total).xreplace(values)
    shares = [total * sp.Rational(weight, sum(weights)) for weight in weights]
    return [_meeting(rule.family, share) for share in shares] if isinstance(rule.family, sp.IndexedBase) else shares


def _numbers(rng: random.Random, attempt: int) -> Iterator[int]:
    """Small integers other than 0 and 1, growing with the attempts; negative ones from the third on."""
    while True:
        value = rng.randint(2, 3 + attempt)
        yield value if attempt < 2 or rng.random() < 0.5 else -value


def _suited(family: Any, value: int) -> sp.Expr:
    """Return the number with the sign that the assumptions on a symbol or family ask for, if it meets them all."""
    if family.is_negative or family.is_nonpositive:
        value = -abs(value)
    elif family.is_nonnegative:
        value = abs(value)
    if value == 0 and family.is_nonzero:
        value = -1 if family.is_negative else 1
    return _meeting(family, sp.Integer(value))


def _meeting(family: Any, number: sp.Expr) -> sp.Expr:
    """Return the number if it meets all assumptions on a symbol or family."""
    for assumption, wanted in family.assumptions0.items():
        if getattr(number, f"is_{assumption}", None) is (not wanted):
            raise Undefined(f"{number} is not a value of {family}: {assumption} is declared {wanted}")
    return number
