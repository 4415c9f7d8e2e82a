"""Layer 3: exact arithmetic modulo a prime at random points, with dual numbers for the derivatives."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil, log10

import numpy as np

from emlib.proof._layers.jets import BASE, PRIME, Jet, Oracle, Residues, invert_number
from emlib.proof._layers.verdict import (
    Layer,
    Status,
    Undecided,
    Undefined,
    assignments,
    describe,
    exponent_of,
    extent,
    joined,
)
from emlib.proof._limits import OutOfBudget
from emlib.proof._shapes import Identity, Size, Symbol, Typed

NAME = "exact n"
MAIN_SIZES = (20, 8, 5, 3, 2)
LARGEST_ARRAY = 1_000_000
POINTS = 2
DRAWS = 8
DERIVATIVES = ("grad", "ascent", "hess", "d")


def judge(identity: Identity, seed: int = 0) -> Layer:
    """Compare both sides at random points modulo a prime, all entries.

    Parameters
    ----------
    identity : Identity
        The formula that was read.
    seed : int
        Seed of the points.

    Returns
    -------
    Layer
        ``holds``, ``refuted`` (a difference modulo the prime is one over the integers too), or ``not decided``.
    """
    main = next((size for size in MAIN_SIZES if _largest_array(identity, size) <= LARGEST_ARRAY), None)
    if main is None:
        return Layer(NAME, Status.UNDECIDED, "no point", "its arrays are too large even for n = 2")
    return joined([_judge_sizes(identity, sizes, seed) for sizes in assignments(identity.sizes, main)])


def _judge_sizes(identity: Identity, sizes: dict[str, int], seed: int) -> Layer:
    scope = f"{describe(sizes)}; {POINTS} random points modulo 2^31 - 1"
    try:
        return _judge_at(identity, sizes, scope, seed)
    except Undefined as error:
        return Layer(NAME, Status.UNDECIDED, scope, f"no value at {DRAWS} random points: {error}", undefined=True)
    except (Undecided, OutOfBudget) as error:
        return Layer(NAME, Status.UNDECIDED, scope, str(error))


def _largest_array(identity: Identity, main: int) -> int:
    """Return the entries of the largest array, directions of derivatives included."""
    sizes = max(assignments(identity.sizes, main), key=lambda choice: sum(choice.values()))

    def largest(node: Typed, directions: int) -> int:
        if node.op in DERIVATIVES and node.op != "d" and node.symbol is not None:
            count = extent(node.symbol.rows, sizes) * extent(node.symbol.cols, sizes)
            directions *= count**2 if node.op == "hess" else count
        own = extent(node.rows, sizes) * extent(node.cols, sizes)
        return max([own * directions, *(largest(arg, directions) for arg in node.args)])

    return max(largest(identity.left, 1), largest(identity.right, 1))


def _judge_at(identity: Identity, sizes: dict[str, int], scope: str, seed: int) -> Layer:
    zero = True
    for point in range(POINTS):
        machine, left, right = _draw_and_compare(identity, sizes, f"{seed}/{point}")
        different = np.argwhere(left != right)
        if different.size:
            if machine.oracle.signed:
                raise Undecided("a root in a prime field has two signs, so a difference there decides nothing")
            if machine.oracle.used and _depends_on_oracle(machine, identity, left, right):
                raise Undecided("the two sides hold logarithms, exponentials or roots that have no exact value")
            row, col = map(int, different[0])
            where = f"entry ({row}, {col}): " if left.size > 1 else ""
            witness = f"{where}left {left[row, col]}, right {right[row, col]} modulo 2^31 - 1 at {describe(sizes)}"
            return Layer(NAME, Status.REFUTED, scope, "dual numbers over a prime field", f"{witness}, seed {seed}")
        zero = zero and not left.any()
    bound = _bound(identity, sizes)
    note = "; both sides are 0" if zero else ""
    return Layer(NAME, Status.HOLDS, scope, f"dual numbers over a prime field{bound}{note}")


def _draw_and_compare(identity: Identity, sizes: dict[str, int], seed: str) -> tuple[Machine, Residues, Residues]:
    failure = Undefined("no point was tried")
    for draw in range(DRAWS):
        machine = Machine(identity, sizes, f"{seed}/{draw}", Oracle(0))
        try:
            return machine, machine.value(identity.left), machine.value(identity.right)
        except Undefined as error:
            failure = error
    raise failure


def _depends_on_oracle(machine: Machine, identity: Identity, left: Residues, right: Residues) -> bool:
    gap = (left - right) % PRIME
    for seed in (1, 2, 3):
        other = Machine(identity, machine.sizes, machine.seed, Oracle(seed))
        if ((other.value(identity.left) - other.value(identity.right)) % PRIME != gap).any():
            return True
    return False


@dataclass
class Machine:
    """Evaluates trees at one random point.

    Parameters
    ----------
    identity : Identity
        Supplies the symbols.
    sizes : dict of str to int
        Values of the named sizes.
    seed : str
        Seed of the point.
    oracle : Oracle
        For functions without a value in a prime field.
    """

    identity: Identity
    sizes: dict[str, int]
    seed: str
    oracle: Oracle
    levels: int = field(init=False)

    def __post_init__(self) -> None:
        self.levels = max(_depth(self.identity.left), _depth(self.identity.right))
        rng = random.Random(self.seed)
        self.point = {symbol.name: self._draw(symbol, rng) for symbol in self.identity.symbols}

    def _draw(self, symbol: Symbol, rng: random.Random) -> Jet:
        rows, cols = self.extent(symbol.rows), self.extent(symbol.cols)
        entries = np.array([[rng.randrange(PRIME) for _ in range(cols)] for _ in range(rows)], dtype=np.int64)
        if symbol.is_symmetric:
            entries = np.triu(entries) + np.triu(entries, 1).T
        if symbol.structure == "diagonal":
            entries = np.diag(np.diag(entries))
        return self.constant(entries)

    def extent(self, size: Size) -> int:
        """Return the value of a size."""
        return extent(size, self.sizes)

    def constant(self, entries: Residues) -> Jet:
        """Return a matrix without infinitesimal parts."""
        return Jet({BASE: (entries % PRIME).reshape((1,) * self.levels + entries.shape)})

    def value(self, node: Typed) -> Residues:
        """Return the value of a tree at the point."""
        return self.read(node, self.point, 0).base

    def read(self, node: Typed, point: Mapping[str, Jet], level: int) -> Jet:
        """Return the value of a tree, with infinitesimals below `level` in use already."""
        if node.op in DERIVATIVES:
            return self._derivative(node, point, level)
        if node.op in LEAVES:
            return LEAVES[node.op](self, node, point)
        return OPERATIONS[node.op](self, node, [self.read(arg, point, level) for arg in node.args])

    # Derivatives ---------------------------------------------------------------------------------

    def _derivative(self, node: Typed, point: Mapping[str, Jet], level: int) -> Jet:
        symbol = node.symbol
        assert symbol is not None
        here = point[symbol.name]
        if node.op == "d":
            step = self.read(node.args[1], point, level)
            moved = Jet({levels | {level}: part for levels, part in step.parts.items()})
            inner = self.read(node.args[0], {**point, symbol.name: here + moved}, level + 1)
            return self._slope(inner, level, (), inner.base.shape)
        shape = here.base.shape
        moved = here + self._all_directions(symbol, shape, level)
        if node.op == "hess":
            moved = moved + self._all_directions(symbol, shape, level + 1)
            inner = self.read(node.args[0], {**point, symbol.name: moved}, level + 2)
            first = self._slope(inner, level + 1, (level + 1,), (shape[0], 1))
            return self._slope(first, level, (level,), (shape[0], shape[0]))
        inner = self.read(node.args[0], {**point, symbol.name: moved}, level + 1)
        if symbol.is_scalar:
            return self._slope(inner, level, (), inner.base.shape)
        slope = self._slope(inner, level, (level,), shape)
        return slope * self.constant(_halves(shape)) if node.op == "ascent" and symbol.is_symmetric else slope

    def _all_directions(self, symbol: Symbol, shape: tuple[int, ...], level: int) -> Jet:
        """Return one direction for every entry: the free entries of a structured matrix move together."""
        rows, cols = shape
        steps = np.eye(rows * cols, dtype=np.int64).reshape(rows * cols, rows, cols)
        if symbol.is_symmetric:
            steps = np.maximum(steps, steps.transpose(0, 2, 1))
        if symbol.structure == "diagonal":
            steps = steps * np.eye(rows, dtype=np.int64)
        axes = [1] * self.levels
        axes[level] = rows * cols
        return Jet({frozenset({level}): steps.reshape((*axes, rows, cols))})

    def _slope(self, jet: Jet, level: int, axes: tuple[int, ...], shape: tuple[int, ...]) -> Jet:
        """Return the coefficient of e_level; its axis, if it has one, becomes the entries of the result."""
        parts = {levels - {level}: part for levels, part in jet.parts.items() if level in levels}
        if axes:
            parts = {levels: self._unfold(part, level, shape) for levels, part in parts.items()}
        zero = {BASE: np.zeros((1,) * self.levels + shape, dtype=np.int64)}
        return Jet({**zero, **parts})

    def _unfold(self, part: Residues, level: int, shape: tuple[int, ...]) -> Residues:
        """Move the axis of a level into the matrix axes; a column of slopes becomes the rows of a Hessian."""
        old = part.shape[-2] * part.shape[-1]
        moved = np.moveaxis(part, level, -1)  # (other levels..., rows, cols, directions)
        target = (*moved.shape[:-3], *shape) if old == 1 else (*moved.shape[:-3], shape[0], shape[1])
        return np.expand_dims(moved.reshape(target), level)


def _halves(shape: tuple[int, ...]) -> Residues:
    half = np.full(shape, invert_number(2), dtype=np.int64)
    np.fill_diagonal(half, 1)
    return half


def _depth(node: Typed) -> int:
    own = 2 if node.op == "hess" else int(node.op in DERIVATIVES)
    return own + max((_depth(arg) for arg in node.args), default=0)


def _number(machine: Machine, node: Typed, _point: Mapping[str, Jet]) -> Jet:
    value = node.number.numerator * invert_number(node.number.denominator)
    return machine.constant(np.array([[value % PRIME]], dtype=np.int64))


def _size(machine: Machine, node: Typed, _point: Mapping[str, Jet]) -> Jet:
    return machine.constant(np.array([[machine.sizes[node.source]]], dtype=np.int64))


def _filled(make: Callable[[int, int], Residues]) -> Callable[[Machine, Typed, Mapping[str, Jet]], Jet]:
    return lambda machine, node, _point: machine.constant(make(machine.extent(node.rows), machine.extent(node.cols)))


LEAVES: dict[str, Callable[[Machine, Typed, Mapping[str, Jet]], Jet]] = {
    "number": _number,
    "size": _size,
    "symbol": lambda _machine, node, point: point[node.symbol.name if node.symbol else ""],
    "identity": _filled(lambda rows, _cols: np.eye(rows, dtype=np.int64)),
    "ones": _filled(lambda rows, cols: np.ones((rows, cols), dtype=np.int64)),
    "zero": _filled(lambda rows, cols: np.zeros((rows, cols), dtype=np.int64)),
}


def _power(machine: Machine, node: Typed, args: list[Jet]) -> Jet:
    exponent = exponent_of(node, machine.sizes)
    square = args[0].inverse() if exponent < 0 else args[0]
    result = machine.constant(np.eye(len(square.base), dtype=np.int64))
    for digit in reversed(f"{abs(exponent):b}"):
        result = result @ square if digit == "1" else result
        square = square @ square
    return result


def _diag(_machine: Machine, node: Typed, args: list[Jet]) -> Jet:
    if node.is_scalar:
        return args[0]
    eye = np.eye(len(args[0].base), dtype=np.int64)
    return args[0].each(lambda part: part * eye)  # a column is spread over the columns, and kept on the diagonal


def _trace(jet: Jet) -> Jet:
    return jet.each(lambda part: np.trace(part, axis1=-2, axis2=-1)[..., None, None])


def _vec(jet: Jet) -> Jet:
    return jet.each(lambda part: np.swapaxes(part, -1, -2).reshape((*part.shape[:-2], -1, 1)))


def _kron(left: Jet, right: Jet) -> Jet:
    def multiply(a: Residues, b: Residues) -> Residues:
        blocks = a[..., :, None, :, None] * b[..., None, :, None, :] % PRIME
        return blocks.reshape((*blocks.shape[:-4], a.shape[-2] * b.shape[-2], a.shape[-1] * b.shape[-1]))

    return left.times(right, multiply)


def _norm(machine: Machine, jet: Jet) -> Jet:
    square = (jet * jet).each(lambda part: (part % PRIME).sum(axis=(-2, -1), keepdims=True))
    return machine.oracle.root(square)


OPERATIONS: dict[str, Callable[[Machine, Typed, list[Jet]], Jet]] = {
    "add": lambda _machine, _node, args: args[0] + args[1],
    "negate": lambda _machine, _node, args: args[0].scaled(-1),
    "multiply": lambda _machine, _node, args: args[0] @ args[1],
    "scale": lambda _machine, _node, args: args[0] * args[1],
    "divide": lambda _machine, _node, args: args[0] * args[1].reciprocal(),
    "power": _power,
    "transpose": lambda _machine, _node, args: args[0].each(lambda part: np.swapaxes(part, -1, -2)),
    "inv": lambda _machine, _node, args: args[0].inverse(),
    "det": lambda _machine, _node, args: args[0].determinant(),
    "tr": lambda _machine, _node, args: _trace(args[0]),
    "log": lambda machine, _node, args: machine.oracle.log(args[0]),
    "exp": lambda machine, _node, args: machine.oracle.exp(args[0]),
    "diag": _diag,
    "vec": lambda _machine, _node, args: _vec(args[0]),
    "kron": lambda _machine, _node, args: _kron(*args),
    "hadamard": lambda _machine, _node, args: args[0] * args[1],
    "norm2": lambda machine, _node, args: _norm(machine, args[0]),
}


# The error bound ---------------------------------------------------------------------------------


def _bound(identity: Identity, sizes: dict[str, int]) -> str:
    """Return the Schwartz-Zippel bound in words, rounded up to a power of ten."""
    (a, b), (c, d) = (_degrees(side, sizes) for side in (identity.left, identity.right))
    chance = POINTS * log10(max(1, a + d, b + c) / PRIME)
    return f"; a false claim passes with probability below 1e{ceil(chance)}" if chance < -4 else ""


def _degrees(node: Typed, sizes: dict[str, int]) -> tuple[int, int]:
    """Bound the degrees of numerator and common denominator of the entries, in the drawn numbers."""
    args = [_degrees(arg, sizes) for arg in node.args]
    if not args:
        return int(node.op == "symbol"), 0
    a, b = args[0]
    size = extent(node.args[0].rows, sizes)
    if node.op == "add":
        c, d = args[1]
        return max(a + d, b + c), b + d
    if node.op in ("multiply", "scale", "kron", "hadamard"):
        return a + args[1][0], b + args[1][1]
    if node.op == "divide":
        return a + args[1][1], b + args[1][0]
    if node.op == "power":
        times = abs(int(node.number)) if len(args) == 1 else max(sizes.values(), default=1)
        return (times * size * (a + b),) * 2 if node.number < 0 or len(args) == 2 else (times * a, times * b)
    if node.op == "inv":
        return b + (size - 1) * a, size * a
    if node.op == "det":
        return size * a, size * b
    if node.op in ("log", "exp", "norm2"):  # generous enough to bound their derivatives as well
        return 2 * (a + b) + 1, 2 * (a + b)
    if node.op in DERIVATIVES:
        twice = 2 if node.op == "hess" else 1
        step = args[1] if node.op == "d" else (0, 0)
        for _ in range(twice):
            a, b = a + b, 2 * b
        return a + step[0], b + step[1]
    return a, b
