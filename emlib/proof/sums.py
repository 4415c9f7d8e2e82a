"""A normal form for finite sums with symbolic ranges.

The rules are few: distribute, collapse a Kronecker delta against a sum, drop an index that nothing
depends on, apply a declared normalisation such as sum_l p(l) = 1, and rename the bound indices. Two sums
with the same normal form are equal; two sums with different normal forms need not differ.

Ranges are rectangular: a bound that depends on another index is refused. A range from `low` to `high`
with high < low is empty. ``KroneckerDelta(i, j, (low, high))`` is 1 if i = j lies in the range, else 0.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement

from emlib.proof.sum_terms import (
    Bounds,
    Inside,
    Range,
    Setting,
    SumError,
    SumsTo,
    Term,
    canonical_index,
    simplify,
)

__all__ = ["Inside", "SumError", "SumsTo", "normal_form", "ranges_of_entries", "sizes_of"]

MOST_TERMS = 20_000
LARGEST_POWER = 12


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
        simplified = simplify(*pending.pop(), setting)
        if isinstance(simplified, list):
            pending.extend(simplified)
            continue
        coefficient, body, limits = simplified
        collected[body, limits] = collected.get((body, limits), sp.Integer(0)) + coefficient
    return sp.Add(*(coefficient * _summed(*key, setting.depth) for key, coefficient in collected.items()))


def _summed(body: sp.Expr, limits: tuple[Range, ...], depth: int) -> sp.Expr:
    if not limits:
        return body
    return sp.Sum(body, *((canonical_index(depth, place), *limit) for place, limit in enumerate(limits)))


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
    renamed = {index: canonical_index(setting.depth + 1, place) for place, index in enumerate(expr.variables)}
    inner = setting.deeper().deeper()
    return sp.Product(
        _normal(expr.function.xreplace(renamed), inner),
        *((renamed[index], _normal(low, inner), _normal(high, inner)) for index, low, high in expr.limits),
    )


def _named(expr: sp.Expr, source: sp.Expr) -> sp.Expr:
    """Give the bound indices of a normal form short names that `source` does not use."""
    taken = {str(symbol) for symbol in source.free_symbols}
    bound = sorted((symbol for symbol in expr.atoms(sp.Dummy) if symbol not in source.free_symbols), key=str)
    letters = itertools.chain("ijklmpqrst", (f"i{count}" for count in itertools.count(1)))
    names = (letter for letter in letters if letter not in taken)
    return expr.xreplace({symbol: sp.Symbol(next(names), integer=True) for symbol in bound})
