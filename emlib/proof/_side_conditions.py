"""What has to hold for a formula to mean something, and how its derivatives are to be read."""

from __future__ import annotations

from emlib.proof._shapes import Identity, Typed

DERIVATIVES = ("grad", "ascent", "hess", "d")


def conditions(identity: Identity) -> tuple[str, ...]:
    """Return the side conditions of both sides, in the order in which they occur.

    Parameters
    ----------
    identity : Identity
        The formula that was read.

    Returns
    -------
    tuple of str
        Such as ``det(A) != 0``.
    """
    found: dict[str, None] = {}
    for side in (identity.left, identity.right):
        _collect(side, False, found)
    return tuple(line for line in found if line.replace(" != 0", " > 0") not in found or not line.endswith("!= 0"))


def _collect(node: Typed, derived: bool, found: dict[str, None]) -> None:
    line = _condition(node, derived)
    if line:
        found[line] = None
    for arg in node.args:
        _collect(arg, derived or node.op in DERIVATIVES, found)


def _condition(node: Typed, derived: bool) -> str:
    inner = node.args[0] if node.args else None
    if inner is None:
        return ""
    if node.op == "inv" or (node.op == "power" and node.number < 0):
        return _invertible(inner)
    if node.op == "det" and derived:  # Jacobi's rule is used with the inverse
        return _invertible(inner)
    if node.op == "log":
        positive = inner.op == "det" and _is_spd(inner.args[0])
        return "" if positive else f"{inner.source} > 0"
    if node.op == "divide" and node.args[1].op not in ("number", "size"):
        return f"{_tight(node.args[1])} != 0"
    if node.op == "norm2" and derived:
        return f"{node.source} != 0"
    return ""


def _invertible(inner: Typed) -> str:
    if _is_spd(inner) or inner.op == "identity":
        return ""
    return f"{_tight(inner)} != 0" if inner.is_scalar else f"det({inner.source}) != 0"


def _tight(node: Typed) -> str:
    return node.source


def _is_spd(node: Typed) -> bool:
    return node.op == "symbol" and node.symbol is not None and node.symbol.structure == "spd"


def conventions(identity: Identity) -> tuple[str, ...]:
    """Return how the derivatives by structured matrices are to be read, one line each."""
    lines: dict[str, None] = {}
    for node in identity.walk():
        symbol = node.symbol
        if symbol is None or node.op not in ("grad", "ascent"):
            continue
        if symbol.is_symmetric and node.op == "grad":
            lines[
                f"{symbol.name} is symmetric: grad is the matrix of partials by its free entries, 2 G - diag(G) for "
                f"symmetric G; for the direction of steepest ascent, (G + G')/2, write ascent(f, {symbol.name})"
            ] = None
        elif symbol.is_symmetric:
            lines[
                f"{symbol.name} is symmetric: ascent is the direction of steepest ascent, (G + G')/2; for the matrix "
                f"of partials by the free entries, 2 G - diag(G), write grad(f, {symbol.name})"
            ] = None
        elif symbol.structure == "diagonal":
            lines[
                f"{symbol.name} is diagonal: {node.op} is the diagonal matrix of partials by its diagonal entries"
            ] = None
    return tuple(lines)


def remarks(identity: Identity) -> tuple[str, ...]:
    """Return what a reader might overlook: derivatives that are 0 because the variable does not occur."""
    lines: dict[str, None] = {}
    for node in identity.walk():
        if node.op in DERIVATIVES and node.symbol is not None:
            inner = node.args[0]
            names = {below.symbol.name for below in inner.walk() if below.op == "symbol" and below.symbol}
            if node.symbol.name not in names:
                lines[f"{inner.source} does not contain {node.symbol.name}, so {node.source} is 0"] = None
    return tuple(lines)
