"""A normal form for finite sums with symbolic ranges.

The rules are few: distribute, collapse a Kronecker delta against a sum, drop an index that nothing
depends on, apply a declared normalisation such as sum_l p(l) = 1, and rename the bound indices. Two sums
with the same normal form are equal; two sums with different normal forms need not differ.

Ranges are rectangular: a bound that depends on another index is refused. A range from `low` to `high`
with high < low is empty. ``KroneckerDelta(i, j, (low, high))`` is 1 if i = j lies in the range, else 0.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement

Range = tuple[sp.Expr, sp.Expr]
MOST_ORDERS = 5040  # of interchangeable indices tried for one term
MOST_TERMS = 20_000
LARGEST_POWER = 12


class SumError(ValueError):
    """A sum outside the fragment that the normal form covers."""


class Inside(sp.Function):  # type: ignore[misc]  # SymPy has no types
    """``Inside(i, low, high)`` is 1 if low <= i <= high, else 0."""

    nargs = 3

    @classmethod
    def eval(cls, index: sp.Expr, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
        """Decide what can be decided from the assumptions on the symbols."""
        below, above = sp.expand(index - low), sp.expand(high - index)
        if below.is_negative or above.is_negative:
            return sp.Integer(0)
        if below.is_nonnegative and above.is_nonnegative:
            return sp.Integer(1)
        return None


@dataclass(frozen=True)
class SumsTo:
    """A declared normalisation: the entries of `family` add up to `total` over one of its indices.

    Parameters
    ----------
    family : sympy.IndexedBase or sympy.MatrixSymbol
        Such as p in sum_l p[i, l] = 1.
    low, high : sympy.Expr
        The range of the index.
    axis : int
        Which index is summed; the last one unless told.
    total : sympy.Expr
        What the sum is, the same for all values of the other indices.

    Examples
    --------
    >>> i, l = sp.symbols("i l", integer=True)
    >>> M = sp.Symbol("M", integer=True, positive=True)
    >>> p = sp.IndexedBase("p")
    >>> print(normal_form(sp.Sum(p[i, l], (l, 1, M)), normalised=[SumsTo(p, 1, M)]))
    1
    """

    family: Any
    low: Any
    high: Any
    axis: int = -1
    total: Any = 1

    def __str__(self) -> str:
        which = "its last index" if self.axis == -1 else f"its index number {self.axis + 1}"
        return f"the sum of {self.family} over {which}, from {self.low} to {self.high}, is {self.total}"


@dataclass(frozen=True)
class Setting:
    """What is known while a sum is brought to normal form."""

    ranges: Mapping[sp.Expr, Range]
    sizes: frozenset[sp.Symbol]
    symmetric: frozenset[str]
    normalised: tuple[SumsTo, ...]
    depth: int = 0
    taken: Iterator[int] = field(default_factory=itertools.count)

    def fresh(self) -> sp.Symbol:
        """Return an index that no other sum of this normal form has."""
        return _pooled_index(next(self.taken))

    def deeper(self) -> Setting:
        """Return the same setting inside an opaque part."""
        return replace(self, depth=self.depth + 1)

    def knowing(self, ranges: Mapping[sp.Expr, Range]) -> Setting:
        """Return the same setting with the ranges of more indices."""
        return replace(self, ranges={**self.ranges, **ranges})

    def is_symmetric(self, family: Any) -> bool:
        """Whether the entries [i, j] and [j, i] are the same."""
        if not self.symmetric:
            return False
        of = family.arg if isinstance(family, sp.Inverse) else family
        return str(of) in self.symmetric


Bounds = dict[sp.Symbol, Range]
Term = tuple[list[sp.Expr], Bounds]  # factors, and the indices summed over with their ranges


def normal_form(
    expr: sp.Expr,
    *,
    ranges: Mapping[sp.Symbol, tuple[Any, Any]] | None = None,
    symmetric: Iterable[Any] = (),
    normalised: Iterable[SumsTo] = (),
) -> sp.Expr:
    """Return the normal form of a scalar expression with finite sums.

    Parameters
    ----------
    expr : sympy.Expr
        Sums, traces, Kronecker deltas, entries of matrices, indexed families; anything else is a factor.
    ranges : mapping of symbol to (low, high), optional
        Ranges of the free indices. The range of an index that stands in an entry of a matrix is known.
    symmetric : iterable of sympy.MatrixSymbol or IndexedBase
        Families with ``a[i, j] = a[j, i]``.
    normalised : iterable of SumsTo
        Declared normalisations.

    Returns
    -------
    sympy.Expr
        A sum of `Sum` objects, each over a product, with bound indices named i, j, k, ...

    Raises
    ------
    SumError
        A range that depends on another index, or a sum too large to expand.

    Examples
    --------
    >>> n = sp.Symbol("n", integer=True, positive=True)
    >>> i, j = sp.symbols("i j", integer=True)
    >>> x = sp.MatrixSymbol("x", n, 1)
    >>> delta = sp.KroneckerDelta(i, j, (0, n - 1))
    >>> normal_form(sp.Sum(delta * x[i, 0] * x[j, 0], (i, 0, n - 1), (j, 0, n - 1)))
    Sum(x[i, 0]**2, (i, 0, n - 1))
    """
    expr = sp.sympify(expr)
    known = {**ranges_of_entries(expr), **_as_ranges(ranges or {})}
    setting = Setting(known, sizes_of(expr), frozenset(map(str, symmetric)), tuple(normalised))
    return _named(_normal(expr, setting), expr)


def _as_ranges(ranges: Mapping[sp.Symbol, tuple[Any, Any]]) -> dict[sp.Expr, Range]:
    return {index: (sp.sympify(low), sp.sympify(high)) for index, (low, high) in ranges.items()}


def ranges_of_entries(expr: sp.Expr) -> dict[sp.Expr, Range]:
    """Return the ranges of the free indices that stand in entries of matrices: there 0 <= i <= rows - 1.

    An index that stands in entries of different sizes gets no range.
    """
    found: dict[sp.Expr, set[sp.Expr]] = {}
    free = expr.free_symbols
    for entry in expr.atoms(MatrixElement):
        for index, size in zip(entry.args[1:], entry.args[0].shape, strict=True):
            if index.is_Symbol and index in free:
                found.setdefault(index, set()).add(size)
    return {index: (sp.Integer(0), sizes.pop() - 1) for index, sizes in found.items() if len(sizes) == 1}


def sizes_of(expr: sp.Expr) -> frozenset[sp.Symbol]:
    """Return the symbols that are sizes: in shapes of matrices, in limits, in ranges of deltas."""
    places: list[Any] = []
    for matrix in expr.atoms(sp.MatrixExpr):
        places.extend(matrix.shape)
    for summed in expr.atoms(sp.Sum, sp.Product):
        for _, low, high in summed.limits:
            places.extend((low, high))
    for delta in expr.atoms(sp.KroneckerDelta):
        if len(delta.args) == 3:
            places.extend(delta.args[2])
    symbols: set[sp.Symbol] = set().union(*(sp.sympify(place).free_symbols for place in places))
    bound = {index for summed in expr.atoms(sp.Sum, sp.Product) for index in summed.variables}
    return frozenset(symbols - bound)


def _normal(expr: sp.Expr, setting: Setting) -> sp.Expr:
    collected: dict[tuple[sp.Expr, tuple[Range, ...]], sp.Expr] = {}
    pending = _expand(expr, setting)
    while pending:
        if len(pending) + len(collected) > MOST_TERMS:
            raise SumError(f"the sum expands to more than {MOST_TERMS} terms; prove it in smaller steps")
        simplified = _simplify(*pending.pop(), setting)
        if isinstance(simplified, list):
            pending.extend(simplified)
            continue
        coefficient, body, limits = simplified
        collected[body, limits] = collected.get((body, limits), sp.Integer(0)) + coefficient
    return sp.Add(*(coefficient * _summed(*key, setting.depth) for key, coefficient in collected.items()))


def _summed(body: sp.Expr, limits: tuple[Range, ...], depth: int) -> sp.Expr:
    if not limits:
        return body
    return sp.Sum(body, *((_canonical_index(depth, place), *limit) for place, limit in enumerate(limits)))


@cache
def _canonical_index(depth: int, place: int) -> sp.Symbol:
    return sp.Dummy(f"s{depth}_{place}", integer=True)


@cache
def _pooled_index(count: int) -> sp.Symbol:
    """Return an index for one sum; they are kept, since SymPy remembers what it deduced about a symbol."""
    return sp.Dummy(f"t{count}", integer=True)


# --- distribute ---------------------------------------------------------------------------------


def _expand(expr: sp.Expr, setting: Setting) -> list[Term]:
    if expr.is_commutative is False:
        raise SumError(f"{expr} does not commute; the normal form is for scalars")
    if expr.is_Add:
        return [term for arg in expr.args for term in _expand(arg, setting)]
    if expr.is_Mul:
        return _times([_expand(arg, setting) for arg in expr.args])
    if isinstance(expr, sp.Sum):
        return _expand_sum(expr, setting)
    if isinstance(expr, sp.Trace):
        return _expand_trace(expr, setting)
    if isinstance(expr, sp.KroneckerDelta):
        return [(_delta_factors(expr), {})]
    if isinstance(expr, MatrixElement):
        return _expand_entry(expr, setting)
    if expr.is_Pow and expr.args[1].is_Integer and 0 < expr.args[1] <= LARGEST_POWER and expr.args[0].args:
        return _times([_expand(expr.args[0], setting) for _ in range(int(expr.args[1]))])
    return [([_opaque(expr, setting)], {})]


def _times(parts: list[list[Term]]) -> list[Term]:
    count = sp.prod([len(part) for part in parts])
    if count > MOST_TERMS:
        raise SumError(f"a product expands to {count} terms; prove it in smaller steps")
    product = []
    for choice in itertools.product(*parts):
        factors = [factor for chosen, _ in choice for factor in chosen]
        bounds: Bounds = {}
        for _, chosen_bounds in choice:
            bounds |= chosen_bounds
        product.append((factors, bounds))
    return product


def _expand_sum(expr: sp.Sum, setting: Setting) -> list[Term]:
    body = expr.function
    bounds: Bounds = {}
    for index, low, high in expr.limits:
        fresh = setting.fresh()
        body = body.xreplace({index: fresh})
        bounds[fresh] = (low, high)
    variables = set(expr.variables)
    for _, low, high in expr.limits:
        dependent = sorted(map(str, (low.free_symbols | high.free_symbols) & variables))
        if dependent:
            raise SumError(f"the range {low}..{high} depends on the index {dependent[0]}; ranges must be rectangular")
        _refuse_bound(low, high, setting)
    return [(factors, {**bounds, **inner}) for factors, inner in _expand(body, setting.knowing(bounds))]


def _refuse_bound(low: sp.Expr, high: sp.Expr, setting: Setting) -> None:
    for symbol in low.free_symbols | high.free_symbols:
        if isinstance(symbol, sp.Dummy) and symbol in setting.ranges:
            raise SumError(f"the range {low}..{high} depends on an outer index; ranges must be rectangular")


def _expand_trace(expr: sp.Trace, setting: Setting) -> list[Term]:
    matrix = expr.arg
    index = setting.fresh()
    bounds = {index: (sp.Integer(0), matrix.rows - 1)}
    terms = _expand(matrix[index, index], setting.knowing(bounds))
    return [(factors, {**bounds, **inner}) for factors, inner in terms]


def _expand_entry(expr: MatrixElement, setting: Setting) -> list[Term]:
    matrix, row, column = expr.args
    if isinstance(matrix, sp.MatrixSymbol):
        return [([expr], {})]
    entry = matrix[row, column]
    return [([expr], {})] if isinstance(entry, MatrixElement) and entry.args[0] == matrix else _expand(entry, setting)


def _delta_factors(delta: sp.KroneckerDelta) -> list[sp.Expr]:
    """Read a delta with a range as a delta without one, times the indicator of the range."""
    left, right = delta.args[:2]
    if len(delta.args) == 2:
        return [delta]
    low, high = delta.args[2]
    return [sp.KroneckerDelta(left, right), Inside(left, low, high)]


def _opaque(expr: sp.Expr, setting: Setting) -> sp.Expr:
    """Return a factor that the rules do not look into, its own arguments in normal form."""
    if isinstance(expr, sp.Product):
        return _opaque_product(expr, setting)
    if isinstance(expr, sp.concrete.expr_with_limits.ExprWithLimits):
        raise SumError(f"the normal form does not cover {type(expr).__name__}")
    if not isinstance(expr, sp.Function | sp.Pow):
        return expr
    return expr.func(*(_normal(arg, setting.deeper()) if isinstance(arg, sp.Expr) else arg for arg in expr.args))


def _opaque_product(expr: sp.Product, setting: Setting) -> sp.Expr:
    renamed = {index: _canonical_index(setting.depth + 1, place) for place, index in enumerate(expr.variables)}
    inner = setting.deeper().deeper()
    return sp.Product(
        _normal(expr.function.xreplace(renamed), inner),
        *((renamed[index], _normal(low, inner), _normal(high, inner)) for index, low, high in expr.limits),
    )


# --- simplify one term --------------------------------------------------------------------------


def _simplify(
    factors: list[sp.Expr], bounds: Bounds, setting: Setting
) -> list[Term] | tuple[sp.Expr, sp.Expr, tuple[Range, ...]]:
    """Apply the rules to a product under sums until none applies; a rule that gives a sum returns terms."""
    while True:
        factors = list(sp.Mul.make_args(_oriented(sp.Mul(*factors), setting)))
        if factors[0].is_zero:
            return []
        if any(factor.is_Add for factor in factors):
            return [(part, dict(bounds)) for part in _distributed(factors)]
        for rule in (_fix_single, _collapse_delta, _drop_inside, _drop_unused, _apply_normalisation):
            changed = rule(factors, bounds, setting)
            if changed is not None:
                factors, bounds = changed
                break
        else:
            return _canonical(_merge_free_deltas(factors, setting), bounds, setting)


def _distributed(factors: list[sp.Expr]) -> list[list[sp.Expr]]:
    return [list(choice) for choice in itertools.product(*(sp.Add.make_args(factor) for factor in factors))]


def _put(factors: list[sp.Expr], index: sp.Symbol, value: sp.Expr) -> list[sp.Expr]:
    return [factor.xreplace({index: value}) for factor in factors]


def _fix_single(factors: list[sp.Expr], bounds: Bounds, _setting: Setting) -> Term | None:
    for index, (low, high) in bounds.items():
        if low == high:
            return _put(factors, index, low), {other: limit for other, limit in bounds.items() if other != index}
    return None


def _collapse_delta(factors: list[sp.Expr], bounds: Bounds, _setting: Setting) -> Term | None:
    """sum_i delta(i, e) f(i) = f(e) if e lies in the range of i, else 0."""
    for place, factor in enumerate(factors):
        if not isinstance(factor, sp.KroneckerDelta):
            continue
        for index in sorted(factor.free_symbols & bounds.keys(), key=lambda symbol: str(bounds[symbol])):
            value = _solved(factor, index)
            if value is not None:
                rest = _put(factors[:place] + factors[place + 1 :], index, value)
                left = {other: limit for other, limit in bounds.items() if other != index}
                return [*rest, Inside(value, *bounds[index])], left
    return None


def _solved(delta: sp.KroneckerDelta, index: sp.Symbol) -> sp.Expr | None:
    """Return what `index` must be for the delta to be 1, if an expression without it."""
    difference = sp.expand(delta.args[0] - delta.args[1])
    slope = difference.coeff(index)
    rest = difference - slope * index
    return None if slope not in (1, -1) or rest.has(index) else -rest * slope


def _drop_inside(factors: list[sp.Expr], bounds: Bounds, setting: Setting) -> Term | None:
    """Drop the indicator of a range from an index whose own range is no larger."""
    for place, factor in enumerate(factors):
        if isinstance(factor, Inside) and _lies_inside(factor, {**setting.ranges, **bounds}):
            return factors[:place] + factors[place + 1 :], bounds
        if factor.is_Pow and isinstance(factor.args[0], Inside):
            return [*factors[:place], factor.args[0], *factors[place + 1 :]], bounds
    return None


def _lies_inside(indicator: Inside, ranges: Mapping[sp.Expr, Range]) -> bool:
    value, low, high = indicator.args
    for index in value.free_symbols & ranges.keys():
        shift = sp.expand(value - index)
        if not shift.has(index):
            first, last = ranges[index]
            below, above = sp.expand(first + shift - low), sp.expand(high - last - shift)
            if below.is_nonnegative and above.is_nonnegative:
                return True
    return False


def _drop_unused(factors: list[sp.Expr], bounds: Bounds, _setting: Setting) -> Term | None:
    used = set().union(*(factor.free_symbols for factor in factors))
    for index, (low, high) in bounds.items():
        length = sp.expand(high - low + 1)
        if index not in used and length.is_nonnegative:
            return [*factors, length], {other: limit for other, limit in bounds.items() if other != index}
    return None


def _apply_normalisation(factors: list[sp.Expr], bounds: Bounds, setting: Setting) -> Term | None:
    for rule in setting.normalised:
        for index, limit in bounds.items():
            holders = [factor for factor in factors if factor.has(index)]
            if len(holders) == 1 and limit == (rule.low, rule.high) and _is_summed_over(holders[0], rule, index):
                rest = [factor for factor in factors if factor is not holders[0]]
                left = {other: kept for other, kept in bounds.items() if other != index}
                return [*rest, sp.sympify(rule.total)], left
    return None


def _is_summed_over(factor: sp.Expr, rule: SumsTo, index: sp.Symbol) -> bool:
    if not isinstance(factor, sp.Indexed | MatrixElement) or factor.args[0] != rule.family:
        return False
    indices = list(factor.args[1:])
    return bool(indices.pop(rule.axis) == index and not any(other.has(index) for other in indices))


def _merge_free_deltas(factors: list[sp.Expr], setting: Setting) -> list[sp.Expr]:
    """delta(i, j) f(j) = delta(i, j) f(i): under a delta that stays, keep the first of the two names."""
    others = [factor for factor in factors if not isinstance(factor, sp.KroneckerDelta)]
    waiting = sorted((factor for factor in factors if isinstance(factor, sp.KroneckerDelta)), key=str)
    kept: list[sp.Expr] = []
    while waiting:
        delta = waiting.pop(0)
        for index in sorted(delta.free_symbols - setting.sizes, key=str, reverse=True):
            value = _solved(delta, index)
            if value is not None and not isinstance(index, sp.Dummy):
                waiting, others, kept = (_put(part, index, value) for part in (waiting, others, kept))
                break
        kept.append(delta)
    return list(sp.Mul.make_args(_oriented(sp.Mul(*others, *kept), setting)))


# --- name the indices ---------------------------------------------------------------------------


def _oriented(expr: sp.Expr, setting: Setting) -> sp.Expr:
    """Order the two indices of symmetric families."""
    if not setting.symmetric:
        return expr
    turned = {
        entry: entry.func(entry.args[0], *sorted(entry.args[1:], key=_index_key))
        for entry in expr.atoms(sp.Indexed, MatrixElement)
        if len(entry.args) == 3 and setting.is_symmetric(entry.args[0])
    }
    return expr.xreplace(turned)


def _index_key(index: sp.Expr) -> tuple[str, sp.Expr]:
    return str(index), sp.default_sort_key(index)


def _canonical(factors: list[sp.Expr], bounds: Bounds, setting: Setting) -> tuple[sp.Expr, sp.Expr, tuple[Range, ...]]:
    """Rename the bound indices so that equal terms become identical."""
    product = sp.Mul(*factors)
    if not bounds:
        return (*product.as_coeff_Mul(), ())
    groups = _interchangeable(factors, bounds, setting)
    orders = sp.prod([sp.factorial(len(group)) for group in groups])
    if orders > MOST_ORDERS:
        raise SumError(f"{orders} ways to name the indices of one term; prove it in smaller steps")
    candidates = []
    for choice in itertools.product(*(itertools.permutations(group) for group in groups)):
        order = [index for group in choice for index in group]
        renamed = {index: _canonical_index(setting.depth, place) for place, index in enumerate(order)}
        candidates.append(_oriented(product.xreplace(renamed), setting))
    best = candidates[0] if len(candidates) == 1 else min(candidates, key=str)
    limits = tuple(bounds[index] for group in groups for index in group)
    return (*best.as_coeff_Mul(), limits)


def _interchangeable(factors: list[sp.Expr], bounds: Bounds, setting: Setting) -> list[list[sp.Symbol]]:
    """Group the indices by range and by what they look like when the other indices are blotted out."""
    if len(bounds) == 1:
        return [list(bounds)]
    marks: dict[sp.Symbol, tuple[str, list[str]]] = {}
    for index, limit in bounds.items():
        blot = {other: _canonical_index(-1, int(other == index)) for other in bounds}
        marks[index] = (
            str(limit),
            sorted(str(_oriented(factor.xreplace(blot), setting)) for factor in factors if factor.has(index)),
        )
    ordered = sorted(bounds, key=marks.__getitem__)
    return [list(group) for _, group in itertools.groupby(ordered, key=marks.__getitem__)]


def _named(expr: sp.Expr, source: sp.Expr) -> sp.Expr:
    """Give the bound indices of a normal form short names that `source` does not use."""
    taken = {str(symbol) for symbol in source.free_symbols}
    bound = sorted((symbol for symbol in expr.atoms(sp.Dummy) if symbol not in source.free_symbols), key=str)
    letters = itertools.chain("ijklmpqrst", (f"i{count}" for count in itertools.count(1)))
    names = (letter for letter in letters if letter not in taken)
    return expr.xreplace({symbol: sp.Symbol(next(names), integer=True) for symbol in bound})
