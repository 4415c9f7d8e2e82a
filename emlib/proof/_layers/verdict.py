"""What one layer says about one identity."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from emlib.proof._shapes import Typed

LARGEST_EXPONENT = 10_000

DECLARED = "the declared sizes"  # the scope of an identity in which every size is a number


class Status(Enum):
    """The four things a layer can say; the value is the word in the table."""

    PROVED = "proved"
    HOLDS = "holds"
    REFUTED = "refuted"
    UNDECIDED = "not decided"


@dataclass(frozen=True)
class Layer:
    """The verdict of one layer.

    Parameters
    ----------
    name : str
        ``symbolic n``, ``explicit n``, ``exact n`` or ``numeric n``.
    status : Status
        ``proved`` covers every value of the entries in the scope, ``holds`` the points that were tried.
    scope : str
        For which sizes and values.
    why : str
        How it was shown, or why it was not decided.
    witness : str
        For a refutation: where the two sides differ, and both values.
    undefined : bool
        Whether a side had no value at any point that was tried.
    """

    name: str
    status: Status
    scope: str
    why: str
    witness: str = ""
    undefined: bool = False


class Undecided(Exception):
    """The layer cannot decide the identity; the text says why."""


class Undefined(ArithmeticError):
    """A side has no value at the point that was tried."""


def assignments(sizes: tuple[str, ...], main: int) -> list[dict[str, int]]:
    """Return values for the named sizes: the first is `main`, the others are near it and differ.

    Two choices are offered, smaller and larger, because an expression such as ``inv(X'*X)`` has a value
    for one of them only.
    """
    if not sizes:
        return [{}]
    first, *others = sizes
    smaller = {name: max(1, main - 1 - place) for place, name in enumerate(others)}
    larger = {name: main + 1 + place for place, name in enumerate(others)}
    choices = [smaller, larger] if others else [{}]
    return [{first: main, **choice} for choice in choices]


def joined(layers: list[Layer]) -> Layer:
    """Join verdicts at several sizes: one refutation refutes; sizes that were not decided are left out."""
    refuted = [layer for layer in layers if layer.status is Status.REFUTED]
    decided = [layer for layer in layers if layer.status is not Status.UNDECIDED]
    if refuted or len(decided) < 2:
        return (refuted or decided or sorted(layers, key=lambda layer: layer.undefined))[0]
    scopes = " and ".join(layer.scope.partition(";")[0] for layer in decided)
    _, mark, rest = decided[0].scope.partition(";")
    return replace(decided[0], scope=scopes + mark + rest)


def describe(sizes: dict[str, int]) -> str:
    """Return ``n = 20, m = 19``."""
    return ", ".join(f"{name} = {value}" for name, value in sizes.items()) or DECLARED


def extent(size: tuple[str, ...], sizes: dict[str, int]) -> int:
    """Return the value of a size, a product of names and numbers."""
    total = 1
    for name in size:
        total *= int(name) if name.isdigit() else sizes[name]
    return total


def exponent_of(node: Typed, sizes: dict[str, int]) -> int:
    """Return the integer exponent of a ``power`` node at the given sizes."""
    exponent = int(node.number) if len(node.args) == 1 else _integer(node.args[1], sizes)
    if abs(exponent) > LARGEST_EXPONENT:
        raise Undecided(f"an exponent beyond {LARGEST_EXPONENT}")
    return exponent


def _integer(node: Typed, sizes: dict[str, int]) -> int:
    if node.op == "size":
        return sizes[node.source]
    if node.op == "number":
        return int(node.number)
    values = [_integer(arg, sizes) for arg in node.args]
    if node.op == "negate":
        return -values[0]
    return values[0] + values[1] if node.op == "add" else values[0] * values[1]
