"""Layer 4: floating point at n = 50, with finite steps for the derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
from emlib.proof._limits import OutOfBudget, spend
from emlib.proof._shapes import Identity, Size, Symbol, Typed

NAME = "numeric n"
MAIN_SIZE = 50
SMALL_SIZE = 4  # when a derivative is needed in full, not only at sampled entries
LARGEST_KRON = 40_000
SAMPLED = 6
DRAWS = 30
TOLERANCE = {0: 1e-9, 1: 1e-8, 2: 1e-5}  # by how many derivatives are nested
CANCELLED = 1e-9  # of the largest term of any sum: a gap below it may be rounding, and refutes nothing
CLEARLY = 1e3  # a gap beyond this many tolerances is a refutation
COMPLEX_STEP = 1e-30
LARGEST_CONDITION = 1e10
ROUNDING = 1e-14
DIFFERENCE = 1e-4
DERIVATIVES = ("grad", "ascent", "hess", "d")

Array = NDArray[Any]  # float64, or complex128 while a complex step is taken


def judge(identity: Identity, seed: int = 0) -> Layer:
    """Compare both sides in floating point at one seeded point.

    Parameters
    ----------
    identity : Identity
        The formula that was read.
    seed : int
        Seed of the point.

    Returns
    -------
    Layer
        ``holds`` within the tolerance, ``refuted`` if the gap is beyond 1000 tolerances, else ``not decided``.
    """
    nested = any(_has_sampled_derivative_inside(side) for side in (identity.left, identity.right))
    for main in (SMALL_SIZE,) if nested else (MAIN_SIZE, SMALL_SIZE):
        verdicts = [_judge_sizes(identity, sizes, seed) for sizes in assignments(identity.sizes, main)]
        found = joined(verdicts)
        if found.status is not Status.UNDECIDED:
            return found
    return found


def _judge_sizes(identity: Identity, sizes: dict[str, int], seed: int) -> Layer:
    scope = f"{describe(sizes)}; one floating-point point, seed {seed}"
    try:
        found = _judge_at(identity, sizes, scope, seed)
    except (Undefined, Undecided, OutOfBudget) as error:
        return Layer(NAME, Status.UNDECIDED, scope, str(error), undefined=isinstance(error, Undefined))
    return found or Layer(NAME, Status.UNDECIDED, scope, "no entry could be compared")


def _has_sampled_derivative_inside(node: Typed, inside: bool = False) -> bool:
    """Whether a derivative is taken of a derivative by a matrix, which is then needed at all entries."""
    derived = node.op in DERIVATIVES
    by_matrix = node.op in ("grad", "ascent") and node.symbol is not None and bool(node.symbol.cols)
    if inside and by_matrix:
        return True
    return any(_has_sampled_derivative_inside(arg, inside or derived) for arg in node.args)


def _judge_at(identity: Identity, sizes: dict[str, int], scope: str, seed: int) -> Layer | None:
    machine, left, right = _compare(identity, sizes, seed)
    known = np.isfinite(left) & np.isfinite(right)
    if not known.any():
        return None
    depth = min(2, max(_depth(identity.left), _depth(identity.right)))
    tolerance = TOLERANCE[depth]
    scale = machine.largest_term(identity)
    gap = np.where(known, np.abs(left - right), 0.0)
    how = {0: "floating point", 1: "complex step", 2: "central differences of a complex step"}[depth]
    entries = "" if known.all() else f" at {int(known.sum())} of {known.size} entries"
    why = f"{how}{entries}, relative tolerance {tolerance:g}"
    if gap.max() <= tolerance * scale:
        return Layer(NAME, Status.HOLDS, scope, why + ("; both sides are 0" if scale == 0 else ""))
    row, col = (int(place) for place in np.unravel_index(int(gap.argmax()), gap.shape))
    where = f"entry ({row}, {col}): " if gap.size > 1 else ""
    witness = f"{where}left {left[row, col]:.6g}, right {right[row, col]:.6g}"
    if gap.max() > max(CLEARLY * tolerance * scale, CANCELLED * machine.peak):
        return Layer(NAME, Status.REFUTED, scope, why, f"{witness} at {describe(sizes)}, seed {seed}")
    return Layer(NAME, Status.UNDECIDED, scope, f"{why}: the gap is too small to refute and too large to agree")


def _compare(identity: Identity, sizes: dict[str, int], seed: int) -> tuple[Machine, Array, Array]:
    reason = Undefined("")
    for draw in range(DRAWS):
        machine = Machine(identity, sizes, np.random.default_rng([seed, draw]))
        try:
            with np.errstate(all="ignore"):
                left, right = machine.read(identity.left, machine.point), machine.read(identity.right, machine.point)
                return machine, left, right
        except Undefined as error:
            reason = error
    raise Undefined(f"no value at {DRAWS} random points: {reason}")


@dataclass
class Machine:
    """Evaluates trees at one point; a derivative that was not sampled at an entry is nan there.

    Parameters
    ----------
    identity : Identity
        Supplies the symbols.
    sizes : dict of str to int
        Values of the named sizes.
    rng : numpy.random.Generator
        Source of the point.
    """

    identity: Identity
    sizes: dict[str, int]
    rng: np.random.Generator
    point: dict[str, Array] = field(init=False)
    peak: float = 0.0

    def __post_init__(self) -> None:
        self.point = {symbol.name: self._draw(symbol) for symbol in self.identity.symbols}
        self.complete = all(size <= SMALL_SIZE + 2 for size in self.sizes.values())

    def extent(self, size: Size) -> int:
        """Return the value of a size."""
        return extent(size, self.sizes)

    def _draw(self, symbol: Symbol) -> Array:
        """Draw a well-conditioned matrix, or a vector or scalar of moderate size."""
        rows, cols = self.extent(symbol.rows), self.extent(symbol.cols)
        if symbol.is_scalar:
            return self.rng.uniform(0.5, 1.5, (1, 1))
        entries = self.rng.standard_normal((rows, cols)) / np.sqrt(max(rows, cols))
        if symbol.structure == "spd":
            return entries @ entries.T + np.eye(rows)
        if symbol.structure == "symmetric":
            return (entries + entries.T) / 2 + 1.5 * np.eye(rows)
        if symbol.structure == "diagonal":
            return np.diag(self.rng.uniform(0.5, 1.5, rows))
        return entries + np.eye(rows, cols) if rows > 1 and cols > 1 else entries * np.sqrt(max(rows, cols))

    def read(self, node: Typed, point: Mapping[str, Array]) -> Array:
        """Return the value of a tree."""
        spend()
        if self.extent(node.rows) * self.extent(node.cols) > LARGEST_KRON:
            raise Undecided("its arrays are too large")
        if node.op in DERIVATIVES:
            return self._derivative(node, point)
        if node.op in LEAVES:
            return LEAVES[node.op](self, node, point)
        args = [self.read(arg, point) for arg in node.args]
        if node.op == "add":
            self.peak = max(self.peak, *(_largest(arg.real) for arg in args))
            self.peak = max(self.peak, *(_largest(arg.imag) / COMPLEX_STEP for arg in args))
        return OPERATIONS[node.op](self, node, args)

    def largest_term(self, identity: Identity) -> float:
        """Return the largest entry among the terms of both sides, the natural scale of their difference."""
        terms = [term for side in (identity.left, identity.right) for term in _terms(side)]
        return max(_largest(self.read(term, self.point)) for term in terms)

    # Derivatives ---------------------------------------------------------------------------------

    def _derivative(self, node: Typed, point: Mapping[str, Array]) -> Array:
        symbol = node.symbol
        assert symbol is not None
        inner = node.args[0]
        if node.op == "d":
            return self._slope(inner, symbol, self.read(node.args[1], point), point)
        if node.op == "hess":
            return self._hessian(inner, symbol, point)
        if symbol.is_scalar:
            return self._slope(inner, symbol, np.ones((1, 1)), point)
        shape = point[symbol.name].shape
        result = np.full(shape, np.nan)
        for place in self._places(shape):
            step = self._step(symbol, shape, place)
            slope = self._slope(inner, symbol, step, point)[0, 0]
            halved = node.op == "ascent" and symbol.is_symmetric and place[0] != place[1]
            result[place] = slope / 2 if halved else slope
        return result

    def _places(self, shape: tuple[int, ...]) -> list[tuple[int, int]]:
        """Return all entries of a vector or of a small matrix, and a sample closed under transposition of a large."""
        rows, cols = shape
        if 1 in shape or self.complete:
            return [(row, col) for row in range(rows) for col in range(cols)]
        rng = np.random.default_rng(0)
        drawn = [(int(rng.integers(rows)), int(rng.integers(cols))) for _ in range(SAMPLED)]
        drawn += [(place, place) for place in range(0, min(shape), max(1, min(shape) // 4))]
        mirrored = [(col, row) for row, col in drawn if rows == cols]
        return sorted({*drawn, *mirrored})

    def _step(self, symbol: Symbol, shape: tuple[int, ...], place: tuple[int, int]) -> Array:
        step = np.zeros(shape)
        step[place] = 1.0
        if symbol.is_symmetric:
            step[place[::-1]] = 1.0
        return step * np.eye(len(step)) if symbol.structure == "diagonal" else step

    def _slope(self, inner: Typed, symbol: Symbol, step: Array, point: Mapping[str, Array]) -> Array:
        """Return the derivative in a direction: complex step, or central differences around another derivative."""
        here = point[symbol.name]
        real = not any(np.iscomplexobj(value) for value in point.values()) and not np.iscomplexobj(step)
        if _depth(inner) == 0 and real:
            moved = self.read(inner, {**point, symbol.name: here + 1j * COMPLEX_STEP * step})
            return moved.imag / COMPLEX_STEP

        def difference(width: float) -> Array:
            ahead = self.read(inner, {**point, symbol.name: here + width * step})
            return (ahead - self.read(inner, {**point, symbol.name: here - width * step})) / (2 * width)

        return (4 * difference(DIFFERENCE / 2) - difference(DIFFERENCE)) / 3

    def _hessian(self, inner: Typed, symbol: Symbol, point: Mapping[str, Array]) -> Array:
        size = len(point[symbol.name])
        result = np.full((size, size), np.nan)
        for row, col in self._places((size, size)):
            first, second = (np.eye(size)[:, [place]] for place in (row, col))

            def slope(shift: float, first: Array = first, second: Array = second) -> Array:
                return self._slope(inner, symbol, first, {**point, symbol.name: point[symbol.name] + shift * second})

            half, full = ((slope(w) - slope(-w)) / (2 * w) for w in (DIFFERENCE / 2, DIFFERENCE))
            result[row, col] = ((4 * half - full) / 3)[0, 0]
        return result


def _largest(values: Array) -> float:
    known = np.abs(values[np.isfinite(values)])
    return float(known.max(initial=0.0))


def _terms(node: Typed) -> list[Typed]:
    """Return the terms of a sum, signs dropped."""
    if node.op in ("add", "negate"):
        return [term for arg in node.args for term in _terms(arg)]
    return [node]


def _depth(node: Typed) -> int:
    own = 2 if node.op == "hess" else int(node.op in DERIVATIVES)
    return own + max((_depth(arg) for arg in node.args), default=0)


def _filled(make: Callable[[int, int], Array]) -> Callable[[Machine, Typed, Mapping[str, Array]], Array]:
    return lambda machine, node, _point: make(machine.extent(node.rows), machine.extent(node.cols))


LEAVES: dict[str, Callable[[Machine, Typed, Mapping[str, Array]], Array]] = {
    "number": lambda _machine, node, _point: np.array([[float(node.number)]]),
    "size": lambda machine, node, _point: np.array([[float(machine.sizes[node.source])]]),
    "symbol": lambda _machine, node, point: point[node.symbol.name if node.symbol else ""],
    "identity": _filled(lambda rows, _cols: np.eye(rows)),
    "ones": _filled(lambda rows, cols: np.ones((rows, cols))),
    "zero": _filled(lambda rows, cols: np.zeros((rows, cols))),
}


def _inverse(matrix: Array) -> Array:
    try:
        inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        raise Undefined("the inverse of a singular matrix") from None
    if _largest(matrix) * _largest(inverse) > LARGEST_CONDITION:
        raise Undefined("the inverse of a matrix that is singular up to rounding")
    return inverse


def _determinant(matrix: Array) -> complex | np.generic:
    """Return the determinant, 0 where it is nothing but rounding: its sign and size would say nothing."""
    stretches = np.linalg.svd(matrix.real, compute_uv=False)
    if stretches[-1] * LARGEST_CONDITION > stretches[0]:
        return np.linalg.det(matrix)
    if stretches[-1] > len(matrix) * ROUNDING * stretches[0] or np.iscomplexobj(matrix):
        raise Undefined("the determinant of a matrix that is singular up to rounding")
    return np.float64(0)


def _reciprocal(value: Array) -> Array:
    if value[0, 0] == 0:
        raise Undefined("a division by zero")
    return 1 / value


def _positive(value: Array, what: str) -> Array:
    if not np.isnan(value[0, 0]) and value[0, 0].real <= 0:
        raise Undefined(f"{what} of a number that is not positive")
    return value


def _power(machine: Machine, node: Typed, args: list[Array]) -> Array:
    exponent = exponent_of(node, machine.sizes)
    base = _inverse(args[0]) if exponent < 0 else args[0]
    return np.linalg.matrix_power(base, abs(exponent))


def _diag(_machine: Machine, node: Typed, args: list[Array]) -> Array:
    if node.is_scalar:
        return args[0]
    return np.diag(args[0].ravel()) if args[0].shape[1] == 1 else np.diag(np.diag(args[0]))


def _scalar(value: complex | np.generic) -> Array:
    return np.array([[value]])


OPERATIONS: dict[str, Callable[[Machine, Typed, list[Array]], Array]] = {
    "add": lambda _machine, _node, args: args[0] + args[1],
    "negate": lambda _machine, _node, args: -args[0],
    "multiply": lambda _machine, _node, args: args[0] @ args[1],
    "scale": lambda _machine, _node, args: args[0] * args[1],
    "divide": lambda _machine, _node, args: args[0] * _reciprocal(args[1]),
    "power": _power,
    "transpose": lambda _machine, _node, args: args[0].T,
    "inv": lambda _machine, _node, args: _inverse(args[0]),
    "det": lambda _machine, _node, args: _scalar(_determinant(args[0])),
    "tr": lambda _machine, _node, args: _scalar(np.trace(args[0])),
    "log": lambda _machine, _node, args: np.log(_positive(args[0], "the log")),
    "exp": lambda _machine, _node, args: np.exp(args[0]),
    "diag": _diag,
    "vec": lambda _machine, _node, args: args[0].reshape((-1, 1), order="F"),
    "kron": lambda _machine, _node, args: np.kron(*args),
    "hadamard": lambda _machine, _node, args: args[0] * args[1],
    "norm2": lambda _machine, _node, args: np.sqrt(_positive(_scalar((args[0] * args[0]).sum()), "the norm")),
}
