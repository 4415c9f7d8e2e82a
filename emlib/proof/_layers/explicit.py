"""Layer 2: n = 2, 3, 4 with a symbol for every entry, differentiated entry by entry."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import exp, log, sqrt
from typing import Any, cast

from emlib.proof._layers.entries import Entries, Matrix
from emlib.proof._layers.verdict import Layer, Status, Undecided, Undefined, assignments, describe, exponent_of, extent
from emlib.proof._limits import OutOfBudget, spend, work_limit
from emlib.proof._shapes import Identity, Size, Symbol, Typed
from emlib.proof.rational import Quotient

NAME = "explicit n"
MAIN_SIZES = (2, 3, 4)
TERMS_FOR_A_SIZE = 150_000
LARGEST_POWER = 64
WITNESS_DRAWS = 200
LARGEST_ENTRIES = 300
CLEARLY_APART = 1e-9
METHOD = "a symbol for every entry, entrywise derivatives, equal as rational functions"


def judge(identity: Identity) -> Layer:
    """Compare both sides with a symbol for every free entry, at n = 2, 3, 4.

    Parameters
    ----------
    identity : Identity
        The formula that was read.

    Returns
    -------
    Layer
        ``proved`` for the sizes in the scope, ``refuted`` with a witness of small integers, or ``not decided``.
    """
    proved: list[str] = []
    reasons: list[str] = []
    both_zero = undefined = True
    for main in MAIN_SIZES if identity.sizes else (1,):
        verdicts = [_judge_sizes(identity, sizes) for sizes in assignments(identity.sizes, main)]
        for verdict in verdicts:
            if verdict.witness:
                return Layer(NAME, Status.REFUTED, verdict.sizes, METHOD.split(",")[0], verdict.witness)
        defined = [verdict for verdict in verdicts if not verdict.undefined] or verdicts[:1]
        reasons += [f"{verdict.sizes}: {verdict.reason}" for verdict in defined if verdict.reason]
        proved += [verdict.sizes for verdict in defined if not verdict.reason]
        undefined = undefined and all(verdict.undefined for verdict in defined)
        both_zero = both_zero and all(verdict.zero for verdict in defined)
        if any(verdict.reason and not verdict.undefined for verdict in defined):
            break  # what is too large stays so at the next size
    rest = f"; {'; '.join(reasons)}" if reasons else ""
    if not proved:
        return Layer(NAME, Status.UNDECIDED, "no size", rest.strip("; "), undefined=undefined)
    note = "; both sides are 0" if both_zero else ""
    return Layer(NAME, Status.PROVED, _join(proved), METHOD + note + rest)


def _join(scopes: list[str]) -> str:
    """Shorten ``n = 2``, ``n = 3``, ``n = 4`` to ``n = 2, 3, 4``."""
    if all(scope.startswith("n = ") and "," not in scope for scope in scopes):
        return "n = " + ", ".join(scope.removeprefix("n = ") for scope in scopes)
    return "; ".join(scopes)


@dataclass(frozen=True)
class _Verdict:
    sizes: str
    witness: str = ""
    reason: str = ""
    zero: bool = False
    undefined: bool = False


def _judge_sizes(identity: Identity, sizes: dict[str, int]) -> _Verdict:
    text = describe(sizes)
    try:
        with work_limit(TERMS_FOR_A_SIZE):
            return _compare(identity, sizes, text)
    except Undefined as error:
        return _Verdict(text, reason=f"not defined ({error})", undefined=True)
    except (OutOfBudget, Undecided) as error:
        return _Verdict(text, reason=str(error))


def _compare(identity: Identity, sizes: dict[str, int], text: str) -> _Verdict:
    machine = Machine(identity, sizes)
    left, right = machine.value(identity.left), machine.value(identity.right)
    ring = machine.entries
    minus = ring.number(-1)
    gaps = [
        (row, col, ring.plus(a, ring.times(minus, b)))
        for row, (these, those) in enumerate(zip(left, right, strict=True))
        for col, (a, b) in enumerate(zip(these, those, strict=True))
    ]
    open_gaps = [(row, col) for row, col, gap in gaps if not ring.is_zero(gap) and not _is_log_of_one(machine, gap)]
    if not open_gaps:
        zero = all(not entry.top for row in left for entry in row)
        return _Verdict(text, zero=zero)
    row, col = open_gaps[0]
    witness = _Point.search(machine, left[row][col], right[row][col])
    if witness is None:
        return _Verdict(text, reason="the difference could neither be removed nor shown at small integers")
    where = f"entry ({row}, {col}): " if len(gaps) > 1 else ""
    return _Verdict(text, witness=f"{where}{witness}")


def _is_log_of_one(machine: Machine, gap: Quotient) -> bool:
    """Whether a gap is a sum of c log(u) with constants c, and the product of the u^c is 1."""
    ring = machine.entries
    logs = {function.unknown: function for function in machine.entries.functions if function.kind == "log"}
    if gap.under or not logs:
        return False
    product, rest = ring.one, gap.top
    for unknown, function in logs.items():
        constant = gap.top.coeff(unknown)
        if Fraction(int(constant.numerator), int(constant.denominator)).denominator != 1:
            return False
        rest = rest - unknown * constant
        if constant:
            product = ring.times(product, function.argument.power(int(constant)))
    return not rest and not ring.plus(product, ring.number(-1)).top


@dataclass
class Machine:
    """Evaluates trees on matrices of symbols.

    Parameters
    ----------
    identity : Identity
        Supplies the symbols.
    sizes : dict of str to int
        Values of the named sizes.
    """

    identity: Identity
    sizes: dict[str, int]
    entries: Entries = field(init=False)

    def __post_init__(self) -> None:
        names = [name for symbol in self.identity.symbols for name in self.names(symbol)]
        if len(names) > LARGEST_ENTRIES:
            raise Undecided(f"more than {LARGEST_ENTRIES} entries")
        self.entries = Entries(names)
        self.point = {symbol.name: self._matrix(symbol) for symbol in self.identity.symbols}

    def extent(self, size: Size) -> int:
        """Return the value of a size."""
        return extent(size, self.sizes)

    def names(self, symbol: Symbol) -> list[str]:
        """Return the names of the free entries of a symbol."""
        found = {self._free(symbol, row, col): None for row, col in self._places(symbol)}
        return [name for name in found if name]

    def _places(self, symbol: Symbol) -> list[tuple[int, int]]:
        return [(row, col) for row in range(self.extent(symbol.rows)) for col in range(self.extent(symbol.cols))]

    def _free(self, symbol: Symbol, row: int, col: int) -> str:
        """Return the name of the free entry at a place; none off the diagonal of a diagonal matrix."""
        if symbol.structure == "diagonal" and row != col:
            return ""
        if symbol.is_symmetric:
            row, col = min(row, col), max(row, col)
        return f"{symbol.name}[{row},{col}]"

    def _matrix(self, symbol: Symbol) -> Matrix:
        rows, cols = self.extent(symbol.rows), self.extent(symbol.cols)
        return [[self._entry(symbol, row, col) for col in range(cols)] for row in range(rows)]

    def _entry(self, symbol: Symbol, row: int, col: int) -> Quotient:
        name = self._free(symbol, row, col)
        return Quotient(self.entries.unknown[name], {}) if name else self.entries.zero

    def value(self, node: Typed) -> Matrix:
        """Return the value of a tree."""
        spend()
        if node.op in ("grad", "ascent", "hess", "d"):
            return self._derivative(node)
        return RULES[node.op](self, node, [self.value(arg) for arg in node.args])

    def scalar(self, value: Quotient) -> Matrix:
        """Return a 1 x 1 matrix."""
        return [[value]]

    def each(self, matrix: Matrix, change: Callable[[Quotient], Quotient]) -> Matrix:
        """Apply a function to every entry."""
        return [[change(entry) for entry in row] for row in matrix]

    def _derivative(self, node: Typed) -> Matrix:
        symbol = node.symbol
        assert symbol is not None
        inner = self.value(node.args[0])
        if node.op == "d":
            return self._along(inner, symbol, self.value(node.args[1]))
        if symbol.is_scalar:
            times = 2 if node.op == "hess" else 1
            for _ in range(times):
                inner = self.each(inner, lambda entry: self._by(entry, symbol, 0, 0))
            return inner
        if node.op == "hess":
            slopes = [self._by(inner[0][0], symbol, row, 0) for row, _ in self._places(symbol)]
            return [[self._by(slope, symbol, col, 0) for col, _ in self._places(symbol)] for slope in slopes]
        rows, cols = self.extent(symbol.rows), self.extent(symbol.cols)
        partials = [[self._by(inner[0][0], symbol, row, col) for col in range(cols)] for row in range(rows)]
        return self._halve(partials) if node.op == "ascent" and symbol.is_symmetric else partials

    def _by(self, value: Quotient, symbol: Symbol, row: int, col: int) -> Quotient:
        name = self._free(symbol, row, col)
        return self.entries.derivative(value, self.entries.unknown[name]) if name else self.entries.zero

    def _halve(self, matrix: Matrix) -> Matrix:
        half = self.entries.number(Fraction(1, 2))
        return [
            [entry if row == col else self.entries.times(half, entry) for col, entry in enumerate(entries)]
            for row, entries in enumerate(matrix)
        ]

    def _along(self, inner: Matrix, symbol: Symbol, step: Matrix) -> Matrix:
        """Return the sum of the partials by the free entries times the entries of the direction."""
        places = {self._free(symbol, row, col): (row, col) for row, col in reversed(self._places(symbol))}

        def slope(entry: Quotient) -> Quotient:
            total = self.entries.zero
            for name, (row, col) in sorted(places.items()):
                if name:
                    partial = self.entries.derivative(entry, self.entries.unknown[name])
                    total = self.entries.plus(total, self.entries.times(partial, step[row][col]))
            return total

        return self.each(inner, slope)


Rule = Callable[[Machine, Typed, list[Matrix]], Matrix]


def _filled(machine: Machine, node: Typed, entry: Callable[[int, int], int]) -> Matrix:
    rows, cols = machine.extent(node.rows), machine.extent(node.cols)
    return [[machine.entries.number(entry(row, col)) for col in range(cols)] for row in range(rows)]


def _entrywise(combine: Callable[[Entries], Callable[[Quotient, Quotient], Quotient]]) -> Rule:
    def rule(machine: Machine, _node: Typed, args: list[Matrix]) -> Matrix:
        join = combine(machine.entries)
        pairs = zip(*args, strict=True)
        return [[join(a, b) for a, b in zip(these, those, strict=True)] for these, those in pairs]

    return rule


def _scale(machine: Machine, _node: Typed, args: list[Matrix]) -> Matrix:
    return machine.each(args[1], lambda entry: machine.entries.times(args[0][0][0], entry))


def _divide(machine: Machine, _node: Typed, args: list[Matrix]) -> Matrix:
    below = machine.entries.reciprocal(args[1][0][0])
    return machine.each(args[0], lambda entry: machine.entries.times(below, entry))


def _power(machine: Machine, node: Typed, args: list[Matrix]) -> Matrix:
    exponent = exponent_of(node, machine.sizes)
    if abs(exponent) > LARGEST_POWER:
        raise Undecided(f"a power beyond {LARGEST_POWER}")
    base = machine.entries.inverse(args[0]) if exponent < 0 else args[0]
    result = _filled_identity(machine, len(base))
    for _ in range(abs(exponent)):
        result = machine.entries.matmul(result, base)
    return result


def _filled_identity(machine: Machine, size: int) -> Matrix:
    return [[machine.entries.one if row == col else machine.entries.zero for col in range(size)] for row in range(size)]


def _diag(machine: Machine, _node: Typed, args: list[Matrix]) -> Matrix:
    (matrix,) = args
    size = len(matrix)
    column = len(matrix[0]) == 1
    return [
        [matrix[row][0 if column else row] if row == col else machine.entries.zero for col in range(size)]
        for row in range(size)
    ]


def _trace(machine: Machine, _node: Typed, args: list[Matrix]) -> Matrix:
    total = machine.entries.zero
    for place, row in enumerate(args[0]):
        total = machine.entries.plus(total, row[place])
    return machine.scalar(total)


def _vec(_machine: Machine, _node: Typed, args: list[Matrix]) -> Matrix:
    return [[row[col]] for col in range(len(args[0][0])) for row in args[0]]


def _kron(machine: Machine, _node: Typed, args: list[Matrix]) -> Matrix:
    return [[machine.entries.times(a, b) for a in these for b in those] for these in args[0] for those in args[1]]


def _function(kind: str) -> Rule:
    def rule(machine: Machine, _node: Typed, args: list[Matrix]) -> Matrix:
        if kind == "log" and not args[0][0][0].top:
            raise Undefined("the log of 0")
        return machine.scalar(machine.entries.function(kind, args[0][0][0]))

    return rule


def _norm(machine: Machine, _node: Typed, args: list[Matrix]) -> Matrix:
    flat = [entry for row in args[0] for entry in row]
    square = machine.entries.inner(flat, flat)
    if not square.top:
        return machine.scalar(machine.entries.zero)
    return machine.scalar(machine.entries.function("root", square))


RULES: Mapping[str, Rule] = {
    "number": lambda machine, node, _args: machine.scalar(machine.entries.number(node.number)),
    "size": lambda machine, node, _args: machine.scalar(machine.entries.number(machine.sizes[node.source])),
    "symbol": lambda machine, node, _args: machine.point[node.symbol.name if node.symbol else ""],
    "identity": lambda machine, node, _args: _filled(machine, node, lambda row, col: int(row == col)),
    "ones": lambda machine, node, _args: _filled(machine, node, lambda _row, _col: 1),
    "zero": lambda machine, node, _args: _filled(machine, node, lambda _row, _col: 0),
    "add": _entrywise(lambda entries: entries.plus),
    "negate": lambda machine, _node, args: machine.each(
        args[0], lambda entry: machine.entries.times(machine.entries.number(-1), entry)
    ),
    "multiply": lambda machine, _node, args: machine.entries.matmul(*args),
    "scale": _scale,
    "divide": _divide,
    "power": _power,
    "transpose": lambda _machine, _node, args: [list(column) for column in zip(*args[0], strict=True)],
    "inv": lambda machine, _node, args: machine.entries.inverse(args[0]),
    "det": lambda machine, _node, args: machine.scalar(machine.entries.determinant(args[0])),
    "tr": _trace,
    "log": _function("log"),
    "exp": _function("exp"),
    "diag": _diag,
    "vec": _vec,
    "kron": _kron,
    "hadamard": _entrywise(lambda entries: entries.times),
    "norm2": _norm,
}


@dataclass
class _Point:
    """Small integers for every free entry, and the values of quotients there."""

    machine: Machine
    values: dict[str, int]

    @classmethod
    def search(cls, machine: Machine, left: Quotient, right: Quotient) -> str | None:
        """Return the text of a point at which two quotients differ, or None."""
        rng = random.Random(0)
        for _ in range(WITNESS_DRAWS):
            spend()
            point = cls(machine, dict.fromkeys(machine.entries.names, 0))
            for symbol in machine.identity.symbols:
                point.values.update(point._draw(symbol, rng))
            try:
                a, b = point.evaluate(left), point.evaluate(right)
            except (ValueError, ZeroDivisionError, OverflowError):
                continue
            if _clearly_apart(a, b):
                return f"left {_number(a)}, right {_number(b)} at {point}"
        return None

    def _draw(self, symbol: Symbol, rng: random.Random) -> dict[str, int]:
        names = self.machine.names(symbol)
        if symbol.structure != "spd":
            return {name: rng.randint(-2, 3) for name in names}
        size = self.machine.extent(symbol.rows)
        root = [[rng.randint(-1, 1) for _ in range(size)] for _ in range(size)]
        found = {}
        for row in range(size):
            for col in range(row, size):
                value = sum(a * b for a, b in zip(root[row], root[col], strict=True)) + int(row == col)
                found[f"{symbol.name}[{row},{col}]"] = value
        return found

    def evaluate(self, value: Quotient) -> Fraction | float:
        """Return the value of a quotient at the point."""
        point = self._with_functions()
        total = _at(value.top, point)
        for key, power in value.under.items():
            total = total / _at(key, point) ** power
        return cast("Fraction | float", total)

    def _with_functions(self) -> list[Fraction | float]:
        """Return values of all unknowns; those of functions are computed from their arguments, in order."""
        entries = self.machine.entries
        point: list[Any] = [Fraction(self.values[name]) for name in entries.names]
        point += [Fraction(0)] * (len(entries.ring.gens) - len(point))
        for function in entries.functions:
            argument = _at(function.argument.top, point)
            for key, power in function.argument.under.items():
                argument = argument / _at(key, point) ** power
            place = entries.ring.gens.index(function.unknown)
            point[place] = {"log": log, "exp": exp, "root": sqrt}[function.kind](argument)
        return point

    def __str__(self) -> str:
        shown = []
        for symbol in self.machine.identity.symbols:
            matrix = [
                [
                    self.values.get(self.machine._free(symbol, row, col), 0)
                    for col in range(self.machine.extent(symbol.cols))
                ]
                for row in range(self.machine.extent(symbol.rows))
            ]
            shown.append(f"{symbol.name} = {matrix[0][0] if symbol.is_scalar else matrix}")
        return ", ".join(shown) or describe(self.machine.sizes)


def _at(polynomial: Any, point: list[Any]) -> Any:
    total: Any = Fraction(0)
    for monomial, coefficient in polynomial.terms():
        term: Any = Fraction(int(coefficient.numerator), int(coefficient.denominator))
        for place, power in enumerate(monomial):
            if power:
                term = term * point[place] ** power
        total = total + term
    return total


def _clearly_apart(a: Fraction | float, b: Fraction | float) -> bool:
    """Exact values differ at all; floats beyond rounding."""
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a != b
    left, right = float(a), float(b)
    return abs(left - right) > CLEARLY_APART * max(1.0, abs(left), abs(right))


def _number(value: Fraction | float) -> str:
    return str(value) if isinstance(value, Fraction) else f"{value:.8g}"
