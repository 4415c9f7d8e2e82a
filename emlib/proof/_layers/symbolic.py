"""Layer 1: every size at once, by reverse mode and a normal form of matrix words."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from emlib.proof._layers.verdict import DECLARED, Layer, Status
from emlib.proof._limits import OutOfBudget, work_limit
from emlib.proof._shapes import Identity, Size, Symbol, Typed
from emlib.proof._words import algebra as words
from emlib.proof._words import calculus, products, traces
from emlib.proof._words.calculus import Unsupported
from emlib.proof._words.letters import ONE, Poly
from emlib.proof._words.zero import leftover, vanishes
from emlib.proof.certificates import shorten

NAME = "symbolic n"
LARGEST_WORK = 50_000
RULES_OF = {"det": "Jacobi's rule for det", "inv": "d inv(M) = -inv(M) dM inv(M)"}


def judge(identity: Identity) -> Layer:
    """Return what the rules of matrix algebra say about an identity of symbolic size.

    Parameters
    ----------
    identity : Identity
        The formula that was read.

    Returns
    -------
    Layer
        ``proved`` or ``not decided``: a difference that the rules cannot remove is no refutation.
    """
    scope = "every " + ", ".join(identity.sizes) if identity.sizes else DECLARED
    try:
        with work_limit(LARGEST_WORK):
            return _judge(identity, scope)
    except (Unsupported, OutOfBudget, ZeroDivisionError, ValueError) as error:
        return Layer(NAME, Status.UNDECIDED, scope, str(error))


def _judge(identity: Identity, scope: str) -> Layer:
    difference = leftover(_read(identity.left) - _read(identity.right))
    if vanishes(difference):
        return Layer(NAME, Status.PROVED, scope, _method(identity))
    rest = shorten(str(words.as_scalar(difference) if identity.left.is_scalar else difference), 120)
    return Layer(NAME, Status.UNDECIDED, scope, f"the rules leave left - right = {rest}")


def _method(identity: Identity) -> str:
    nodes = list(identity.walk())
    derived = [node for node in nodes if node.op in ("grad", "ascent", "hess", "d")]
    if not derived:
        return "both sides have the same normal form"
    below = {inner.op for node in derived for inner in node.walk()}
    rests = [text for op, text in RULES_OF.items() if op in below]
    on = f"; rests on {' and '.join(rests)}" if rests else ""
    return f"derivative by the product and chain rules, then a normal form{on}"


def size_of(size: Size) -> sp.Expr:
    """Return a size as a SymPy expression."""
    factors = [
        sp.Integer(int(name)) if name.isdigit() else sp.Symbol(name, integer=True, positive=True) for name in size
    ]
    return sp.Mul(*factors)


def _read(node: Typed) -> Poly:
    return RULES[node.op](node)


def _scalar(node: Typed) -> sp.Expr:
    return words.as_scalar(_read(node))


def _number(node: Typed) -> Poly:
    return words.scalar(sp.Rational(node.number.numerator, node.number.denominator))


def _symbol(node: Typed) -> Poly:
    assert node.symbol is not None
    return symbol_of(node.symbol)


def symbol_of(symbol: Symbol) -> Poly:
    """Return a symbol of a formula as a word of one letter, or as a scalar."""
    if symbol.is_scalar:
        return words.scalar(sp.Symbol(symbol.name, real=True))
    structure = "symmetric" if symbol.is_symmetric else symbol.structure
    return words.symbol(symbol.name, size_of(symbol.rows), size_of(symbol.cols), structure)


def _divide(node: Typed) -> Poly:
    below = _scalar(node.args[1])
    if below == 0:
        raise ZeroDivisionError(f"{node.args[1].source} is zero")
    return _read(node.args[0]).scale(1 / below)


def _power(node: Typed) -> Poly:
    if len(node.args) == 2:
        return words.scalar(_scalar(node.args[0]) ** _scalar(node.args[1]))
    base, exponent = node.args[0], int(node.number)
    if not base.is_scalar:
        return words.power(_read(base), exponent)
    value = _scalar(base)
    if value == 0 and exponent < 0:
        raise ZeroDivisionError(f"{base.source} is zero")
    return words.scalar(value**exponent)


def _inverse(node: Typed) -> Poly:
    if not node.is_scalar:
        return words.inverse(_read(node.args[0]))
    value = _scalar(node.args[0])
    if value == 0:
        raise ZeroDivisionError(f"{node.args[0].source} is zero")
    return words.scalar(1 / value)


def _log(node: Typed) -> Poly:
    value = _scalar(node.args[0])
    if value == 0:
        raise ZeroDivisionError(f"the log of {node.args[0].source}, which is zero")
    return words.scalar(sp.log(value))


def _diag(node: Typed) -> Poly:
    inner = _read(node.args[0])
    if node.is_scalar:
        return inner
    return products.spread(inner) if inner.cols == 1 else products.diagonal_part(inner)


def _norm(node: Typed) -> Poly:
    inner = _read(node.args[0])
    return words.scalar(sp.sqrt(traces.trace(words.times(words.transpose(inner), inner))))


def _grad(node: Typed) -> Poly:
    inner, symbol = node.args[0], node.symbol
    assert symbol is not None
    if symbol.is_scalar:
        return calculus.Direction(symbol.name, Poly.identity(ONE)).poly(_read(inner))
    everything = _all_entries(node)
    return calculus.partials_by_free_entries(everything, _structure(symbol))


def _all_entries(node: Typed) -> Poly:
    symbol = node.symbol
    assert symbol is not None
    return calculus.gradient(_scalar(node.args[0]), symbol.name, size_of(symbol.rows), size_of(symbol.cols))


def _structure(symbol: Symbol) -> str:
    return "symmetric" if symbol.is_symmetric else symbol.structure


def _ascent(node: Typed) -> Poly:
    symbol = node.symbol
    assert symbol is not None
    if symbol.is_scalar:
        return _grad(node)
    return calculus.steepest_ascent(_all_entries(node), _structure(symbol))


def _hess(node: Typed) -> Poly:
    symbol = node.symbol
    assert symbol is not None
    if symbol.is_scalar:
        once = calculus.Direction(symbol.name, Poly.identity(ONE))
        return once.poly(once.poly(_read(node.args[0])))
    return calculus.jacobian(_all_entries(node), symbol.name, size_of(symbol.rows))


def _differential(node: Typed) -> Poly:
    assert node.symbol is not None
    inner, step = (_read(arg) for arg in node.args)
    if not node.symbol.is_scalar and _structure(node.symbol) != "general":
        mirrored = words.transpose(step) if _structure(node.symbol) == "symmetric" else products.diagonal_part(step)
        if mirrored != step:
            raise Unsupported(f"the direction {step} is not {_structure(node.symbol)}")
    return calculus.Direction(node.symbol.name, step).poly(inner)


RULES: dict[str, Callable[[Typed], Poly]] = {
    "number": _number,
    "symbol": _symbol,
    "size": lambda node: words.scalar(size_of((node.source,))),
    "identity": lambda node: Poly.identity(size_of(node.rows)),
    "ones": lambda node: words.ones(size_of(node.rows)),
    "zero": lambda node: Poly.zero(size_of(node.rows), size_of(node.cols)),
    "add": lambda node: _read(node.args[0]) + _read(node.args[1]),
    "negate": lambda node: _read(node.args[0]).scale(sp.Integer(-1)),
    "multiply": lambda node: words.times(*map(_read, node.args)),
    "scale": lambda node: _read(node.args[1]).scale(_scalar(node.args[0])),
    "divide": _divide,
    "power": _power,
    "transpose": lambda node: words.transpose(_read(node.args[0])),
    "inv": _inverse,
    "det": lambda node: words.scalar(traces.determinant(_read(node.args[0]))),
    "tr": lambda node: words.scalar(traces.trace(_read(node.args[0]))),
    "log": _log,
    "exp": lambda node: words.scalar(sp.exp(_scalar(node.args[0]))),
    "diag": _diag,
    "vec": lambda node: products.vec(_read(node.args[0])),
    "kron": lambda node: products.kron(*map(_read, node.args)),
    "hadamard": lambda node: products.hadamard(*map(_read, node.args)),
    "norm2": _norm,
    "grad": _grad,
    "ascent": _ascent,
    "hess": _hess,
    "d": _differential,
}
