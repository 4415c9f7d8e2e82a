"""Deciding whether an expression is zero as a rational function of its symbols and its opaque parts.

An opaque part (a logarithm, a root, the entry of an inverse) counts as a symbol of its own, after its
arguments were brought to a standard form. So "zero" is a proof, and "not zero" is not a refutation.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from emlib.proof.conditions import Conditions

LARGEST_POWER = 64
LARGEST_TO_FACTOR = 60  # terms; factoring the argument of a log beyond that costs seconds


@dataclass(frozen=True)
class Quotient:
    """A numerator over a product of denominators, never multiplied out nor cancelled.

    Parameters
    ----------
    top : PolyElement
        The numerator, in a ring over QQ.
    under : mapping
        Denominator polynomial (leading coefficient 1) to its exponent.
    """

    top: Any
    under: Mapping[Any, int]

    def __add__(self, other: Quotient) -> Quotient:
        common = {key: max(self.under.get(key, 0), other.under.get(key, 0)) for key in {**self.under, **other.under}}
        return Quotient(self._over(common) + other._over(common), common)

    def _over(self, common: Mapping[Any, int]) -> Any:
        top = self.top
        for key, exponent in common.items():
            missing = exponent - self.under.get(key, 0)
            if missing:
                top = top * key**missing
        return top

    def __mul__(self, other: Quotient) -> Quotient:
        return Quotient(self.top * other.top, dict(Counter(self.under) + Counter(other.under)))

    def power(self, exponent: int) -> Quotient:
        """Return the integer power."""
        if exponent < 0:
            return self._inverse().power(-exponent)
        return Quotient(self.top**exponent, {key: times * exponent for key, times in self.under.items() if exponent})

    def _inverse(self) -> Quotient:
        if not self.top:
            raise ZeroDivisionError("a denominator is zero everywhere")
        lead = self.top.LC
        top = self.top.ring(1) / lead
        for key, exponent in self.under.items():
            top = top * key**exponent
        monic = self.top / lead
        return Quotient(top, {} if monic == 1 else {monic: 1})


@dataclass(frozen=True)
class RationalForm:
    """The standard form of an expression: its numerator over the common denominator."""

    numerator: sp.Expr

    @property
    def is_zero(self) -> bool:
        """Whether the expression vanishes wherever it is defined."""
        return bool(self.numerator == 0)


def rational_form(expr: sp.Expr, conditions: Conditions | None = None) -> RationalForm:
    """Return the numerator of `expr` over the common denominator.

    Parameters
    ----------
    expr : sympy.Expr
        A scalar; `log` is split over products, `exp` over sums, other functions count as symbols.
    conditions : Conditions, optional
        Where to note that the arguments of log are positive.

    Returns
    -------
    RationalForm

    Raises
    ------
    ZeroDivisionError
        A denominator is identically zero.

    Examples
    --------
    >>> a, b = sp.symbols("a b")
    >>> rational_form(1 / (a - b) + 1 / (b - a)).is_zero
    True
    """
    return RationalForm(_lift(_standard(sp.sympify(expr), conditions or Conditions())).top.as_expr())


def split_logs(expr: sp.Expr, conditions: Conditions) -> sp.Expr:
    """Return `expr` with every log of a product split, inside sums too; what that needs goes to `conditions`.

    Examples
    --------
    >>> a, b = sp.symbols("a b")
    >>> needed = Conditions()
    >>> split_logs(sp.log(a * b), needed), needed.lines()
    (log(a) + log(b), ('a > 0', 'b > 0'))
    """
    return expr.replace(sp.log, lambda argument: _split_log(argument, conditions)) if expr.has(sp.log) else expr


def _standard(expr: sp.Expr, conditions: Conditions) -> sp.Expr:
    """Rebuild the expression with the arguments of its opaque parts in standard form."""
    if not expr.args or not expr.has(sp.Function, sp.Pow):
        return expr
    if expr.func in (sp.Add, sp.Mul):
        return expr.func(*(_standard(arg, conditions) for arg in expr.args))
    if isinstance(expr, sp.Pow):
        base, exponent = expr.args
        if exponent.is_Integer:
            return _standard(base, conditions) ** exponent
        return _tidy(base, conditions) ** _tidy(exponent, conditions)
    if isinstance(expr, sp.log):
        return _split_log(_standard(expr.args[0], conditions), conditions)
    if isinstance(expr, sp.exp):
        return sp.exp(_tidy(expr.args[0], conditions))
    if isinstance(expr, sp.Function) and all(isinstance(arg, sp.Expr) for arg in expr.args):
        return expr.func(*(_tidy(arg, conditions) for arg in expr.args))
    return expr


def _tidy(expr: sp.Expr, conditions: Conditions) -> sp.Expr:
    return sp.expand(sp.cancel(_standard(expr, conditions)))


def _exp_parts(node: sp.exp) -> list[tuple[sp.exp, int]]:
    """Return exp(2 s - t) as the generators exp(s), exp(t) with their exponents 2, -1."""
    parts = []
    for term in sp.Add.make_args(node.args[0]):
        rational, rest = term.as_coeff_Mul()
        parts.append((sp.exp(rest / rational.q), int(rational.p)))
    return parts


def _split_log(argument: sp.Expr, conditions: Conditions) -> sp.Expr:
    """Return the log of a product as a sum of logs; every factor then has to be positive."""
    quotient = _lift(argument)
    parts = [(quotient.top, 1), *((key, -exponent) for key, exponent in quotient.under.items())]
    total = sp.Integer(0)
    for polynomial, times in parts:
        constant, factors = _factors(polynomial)
        total += times * _log_of_number(constant)
        for factor, exponent in factors:
            total += times * exponent * _log_of_factor(factor, conditions)
    return total


def _factors(polynomial: Any) -> tuple[sp.Rational, list[tuple[sp.Expr, int]]]:
    if len(polynomial) > LARGEST_TO_FACTOR:
        return sp.Integer(1), [(polynomial.as_expr(), 1)]
    constant, pairs = polynomial.factor_list()
    constant = sp.Rational(str(constant))
    factors = [(factor.as_expr(), exponent) for factor, exponent in pairs]
    if constant < 0:
        odd = next((place for place, (_, exponent) in enumerate(factors) if exponent % 2), None)
        if odd is None:
            return sp.Integer(1), [(polynomial.as_expr(), 1)]
        factors[odd] = (-factors[odd][0], factors[odd][1])
        constant = -constant
    return constant, factors


def _log_of_number(value: sp.Rational) -> sp.Expr:
    if value == 0:
        raise ZeroDivisionError("log of zero")
    return sp.Add(*(power * sp.log(prime) for prime, power in sp.factorrat(value).items()))


def _log_of_factor(factor: sp.Expr, conditions: Conditions) -> sp.Expr:
    if isinstance(factor, sp.exp):
        return factor.args[0]
    conditions.add_positive(factor)
    return sp.log(factor)


def _is_polynomial_node(expr: sp.Expr) -> bool:
    if expr.func in (sp.Add, sp.Mul):
        return True
    return isinstance(expr, sp.Pow) and expr.args[1].is_Integer and abs(expr.args[1]) <= LARGEST_POWER


def _generators(expr: sp.Expr) -> list[sp.Expr]:
    found: dict[sp.Expr, None] = {}
    stack = [expr]
    while stack:
        node = stack.pop()
        if _is_polynomial_node(node):
            stack.extend(node.args)
        elif isinstance(node, sp.exp):
            found |= dict.fromkeys(base for base, _ in _exp_parts(node))
        elif not node.is_Rational:
            found[node] = None
    return sorted(found, key=sp.default_sort_key)


def _lift(expr: sp.Expr) -> Quotient:
    """Read an expression into the ring of its generators; note every denominator."""
    generators = _generators(expr)
    ring = sp.polys.rings.PolyRing(generators or [sp.Dummy("unused")], sp.QQ)
    known = {generator: Quotient(ring(place), {}) for generator, place in zip(generators, ring.gens, strict=False)}

    def read(node: sp.Expr) -> Quotient:
        if node in known:
            return known[node]
        if node.is_Rational:
            return Quotient(ring(sp.QQ(node.p, node.q)), {})
        if isinstance(node, sp.exp):
            factors = [known[base].power(times) for base, times in _exp_parts(node)]
            value = functools.reduce(Quotient.__mul__, factors)
        elif isinstance(node, sp.Pow):
            base, exponent = read(node.args[0]), int(node.args[1])
            value = base.power(exponent)
        else:
            join = Quotient.__add__ if node.is_Add else Quotient.__mul__
            value = functools.reduce(join, map(read, node.args))
        known[node] = value
        return value

    return read(expr)
