"""One term of a finite sum, a product under sums over index ranges, and the rules that simplify it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement

Range = tuple[sp.Expr, sp.Expr]
MOST_ORDERS = 5040  # of interchangeable indices tried for one term


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
        What the sum is, the same for all values of the other indices: a number, or made of symbols.

    Raises
    ------
    SumError
        The total holds sums or entries; give it a name.

    Examples
    --------
    >>> from emlib.proof.sums import normal_form
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

    def __post_init__(self) -> None:
        total = sp.sympify(self.total)
        if total.has(sp.Sum, sp.Indexed, sp.MatrixExpr, MatrixElement):
            raise SumError(f"the total {total} of {self.family} holds sums or entries; use a symbol for it")

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
        return pooled_index(next(self.taken))

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


@cache
def canonical_index(depth: int, place: int) -> sp.Symbol:
    """Return the name of a bound index in a normal form; opaque parts use those of the next depth."""
    return sp.Dummy(f"s{depth}_{place}", integer=True)


@cache
def pooled_index(count: int) -> sp.Symbol:
    """Return an index for one sum; they are kept, since SymPy remembers what it deduced about a symbol."""
    return sp.Dummy(f"t{count}", integer=True)


def simplify(
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
        renamed = {index: canonical_index(setting.depth, place) for place, index in enumerate(order)}
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
        blot = {other: canonical_index(-1, int(other == index)) for other in bounds}
        marks[index] = (
            str(limit),
            sorted(str(_oriented(factor.xreplace(blot), setting)) for factor in factors if factor.has(index)),
        )
    ordered = sorted(bounds, key=marks.__getitem__)
    return [list(group) for _, group in itertools.groupby(ordered, key=marks.__getitem__)]
