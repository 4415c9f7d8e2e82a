"""Deciding whether an expression is zero as a rational function of its symbols and its opaque parts.

An opaque part (a logarithm, a root, the entry of an inverse) counts as a symbol of its own, after its
arguments were brought to a standard form. So "zero" is a proof, and "not zero" is not a refutation.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import comb, prod
from typing import Any

import sympy as sp

from emlib.proof._limits import spend
from emlib.proof.conditions import Conditions

LARGEST_POWER = 64
LARGEST_TO_FACTOR = 60  # terms; factoring the argument of a log beyond that costs seconds
LARGEST_TO_CANCEL = 60  # terms above and below; a greatest common divisor in many unknowns may cost minutes
LARGEST_TO_DIVIDE = 300_000  # product of the numbers of terms


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
                spend(len(top) * _terms_of_power(key, missing))
                top = top * key**missing
        return top

    def __mul__(self, other: Quotient) -> Quotient:
        spend(len(self.top) * len(other.top))
        return Quotient(self.top * other.top, dict(Counter(self.under) + Counter(other.under)))

    def power(self, exponent: int) -> Quotient:
        """Return the integer power."""
        if exponent < 0:
            return self._inverse().power(-exponent)
        spend(_terms_of_power(self.top, exponent))
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

    def reduced(self) -> Quotient:
        """Return the quotient with the numerator divided by its denominators as often as that leaves no rest."""
        top, under = self.top, dict(self.under)
        for key in self.under:
            while under[key] and (divided := exact_quotient(top, key)) is not None:
                top, under[key] = divided, under[key] - 1
        return Quotient(top, {key: times for key, times in under.items() if times})

    def as_expr(self) -> sp.Expr:
        """Return the expression, in lowest terms unless it is large."""
        small = self.reduced()
        value = small.top.as_expr() / sp.Mul(*(key.as_expr() ** times for key, times in small.under.items()))
        return sp.cancel(value) if len(small.top) + sum(map(len, small.under)) <= LARGEST_TO_CANCEL else value


def _terms_of_power(polynomial: Any, exponent: int) -> int:
    """Bound the terms of a power."""
    return comb(len(polynomial) + exponent - 1, exponent) if polynomial else 1


def exact_quotient(above: Any, below: Any) -> Any:
    """Return above / below if that is a polynomial and not too much work, else None."""
    if above == below:
        return above.ring.one
    if len(above) * len(below) > LARGEST_TO_DIVIDE:
        return None
    quotient, rest = divmod(above, below)
    return None if rest else quotient


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
    top = _lift(_standard(sp.sympify(expr), conditions or Conditions())).top
    return RationalForm(sp.Integer(0) if _logs_cancel(top) else top.as_expr())


def _logs_cancel(top: Any) -> bool:
    """Whether a polynomial is zero because its logs cancel: sum of c_k log(u_k) = 0 where the product of u_k^c_k is 1.

    So a log whose argument is too large to factor needs no factoring.
    """
    logs = {place: symbol for place, symbol in enumerate(top.ring.symbols) if isinstance(symbol, sp.log)}
    arguments = {symbol.args[0] for symbol in logs.values()}
    if any(-argument in arguments for argument in arguments):
        return False  # u > 0 and -u > 0: the proof would be about no point at all
    exponents: dict[Any, dict[Any, Any]] = {}  # what the logs are multiplied with, to log and rational number
    for monomial, number in top.terms():
        held = [place for place in logs if monomial[place]]
        if len(held) != 1 or monomial[held[0]] != 1:
            return False
        others = tuple(0 if place == held[0] else power for place, power in enumerate(monomial))
        exponents.setdefault(others, {})[logs[held[0]].args[0]] = number
    return all(_product_is_one(powers) for powers in exponents.values())


def _product_is_one(powers: Mapping[sp.Expr, Any]) -> bool:
    """Whether the product of u^p is 1, for positive u and rational p."""
    common = functools.reduce(sp.lcm, [int(power.denominator) for power in powers.values()], 1)
    whole = {argument: int(power * common) for argument, power in powers.items()}
    if any(abs(power) > LARGEST_POWER for power in whole.values()):
        return False
    above = sp.Mul(*(argument**power for argument, power in whole.items() if power > 0), evaluate=False)
    below = sp.Mul(*(argument**-power for argument, power in whole.items() if power < 0), evaluate=False)
    return not _lift(sp.Add(above, sp.Mul(-1, below, evaluate=False), evaluate=False)).top


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
    return sp.expand(_lift(_standard(expr, conditions)).as_expr())


def _exp_parts(node: sp.exp) -> list[tuple[sp.exp, int]]:
    """Return exp(2 s - t) as the generators exp(s), exp(t) with their exponents 2, -1."""
    parts = []
    for term in sp.Add.make_args(node.args[0]):
        rational, rest = term.as_coeff_Mul()
        parts.append((sp.exp(rest / rational.q), int(rational.p)))
    return parts


def _split_log(argument: sp.Expr, conditions: Conditions) -> sp.Expr:
    """Return the log of a product as a sum of logs; every factor then has to be positive."""
    constant, powers = sp.Integer(1), Counter[sp.Expr]()
    written = list(_powers(argument))
    for base, times in written if _terms_of_product(written) > LARGEST_TO_FACTOR else [(argument, 1)]:
        quotient = _lift(base).reduced()
        for polynomial, power in [(quotient.top, 1), *((key, -power) for key, power in quotient.under.items())]:
            number, factors = _factors(polynomial)
            constant *= number ** (power * times)
            for factor, exponent in factors:
                powers[factor] += exponent * power * times
    if constant < 0:
        odd = next((factor for factor, exponent in powers.items() if exponent % 2), None)
        if odd is None:
            conditions.add_positive(argument)
            return sp.log(argument)
        constant, powers = -constant, Counter({-f if f == odd else f: power for f, power in powers.items()})
    logs = [power * _log_of_factor(factor, conditions) for factor, power in powers.items() if power]
    return sp.Add(_log_of_number(constant), *logs)


def _powers(expr: sp.Expr) -> Iterator[tuple[sp.Expr, int]]:
    """Yield the factors of a product with their integer exponents, as they are written."""
    if expr.is_Mul:
        for arg in expr.args:
            yield from _powers(arg)
    elif expr.is_Pow and expr.exp.is_Integer:
        for base, times in _powers(expr.base):
            yield base, times * int(expr.exp)
    else:
        yield expr, 1


def _terms_of_product(powers: list[tuple[sp.Expr, int]]) -> int:
    """Bound the terms of a product of powers when it is multiplied out."""
    return prod(comb(len(sp.Add.make_args(base)) + abs(times) - 1, abs(times)) for base, times in powers)


def _factors(polynomial: Any) -> tuple[sp.Rational, list[tuple[sp.Expr, int]]]:
    """Return a constant and the irreducible factors; a large polynomial stays in one piece."""
    if len(polynomial) <= LARGEST_TO_FACTOR:
        constant, pairs = polynomial.factor_list()
        if [exponent for _, exponent in pairs] != [1]:
            return sp.Rational(str(constant)), [(factor.as_expr(), exponent) for factor, exponent in pairs]
    constant, whole = polynomial.primitive()  # as it is written: factors have a sign of their own
    return sp.Rational(str(constant)), [(whole.as_expr(), 1)]


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
