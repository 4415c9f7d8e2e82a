"""Names and shapes: what every symbol of a formula is, and whether the sizes fit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from emlib.proof.language import FUNCTIONS, LARGEST_EXPONENT, RESERVED, FormulaError, Node, parse

Size = tuple[str, ...]  # a product of names or numbers; () is 1
UNIT: Size = ()
LARGEST_TOWER = 48
SIZE_NAME = re.compile(r"[a-z][a-z0-9_]*|[1-9]")


@dataclass(frozen=True)
class Unknown:
    """A size that is not known yet: that of an `I`, of `ones` or of a 0."""

    number: int


AnySize = Size | Unknown
AnyShape = tuple[AnySize, AnySize]


@dataclass(frozen=True)
class Symbol:
    """A matrix, vector or scalar of a formula.

    Parameters
    ----------
    name : str
        Its name.
    rows, cols : tuple of str
        Its shape; ``()`` is 1.
    structure : str
        ``general``, ``symmetric``, ``diagonal`` or ``spd``.
    """

    name: str
    rows: Size
    cols: Size
    structure: str = "general"

    @property
    def is_scalar(self) -> bool:
        """Whether it is 1 x 1."""
        return not self.rows and not self.cols

    @property
    def is_symmetric(self) -> bool:
        """Whether it equals its transpose by its structure (a diagonal matrix is counted apart)."""
        return self.structure in ("symmetric", "spd")


@dataclass(frozen=True)
class Typed:
    """A node with its shape.

    Parameters
    ----------
    op : str
        As `emlib.proof.language.Node`; ``name`` and ``call`` are resolved, and ``scale`` is scalar times matrix.
    args : tuple of Typed
        The operands; a derivative keeps its variable in `symbol`.
    rows, cols : tuple of str
        The shape.
    symbol : Symbol, optional
        The symbol, or the variable of a derivative.
    number : Fraction
        The value of a number, or an integer exponent.
    source : str
        The text of the node, for messages.
    """

    op: str
    args: tuple[Typed, ...]
    rows: Size
    cols: Size
    symbol: Symbol | None = None
    number: Fraction = Fraction(0)
    source: str = ""

    @property
    def is_scalar(self) -> bool:
        """Whether it is 1 x 1."""
        return not self.rows and not self.cols

    def walk(self) -> Iterable[Typed]:
        """Yield this node and all below it."""
        yield self
        for arg in self.args:
            yield from arg.walk()


@dataclass(frozen=True)
class Identity:
    """A formula that was read.

    Parameters
    ----------
    text : str
        The formula as given.
    left, right : Typed
        Its sides, of one shape.
    symbols : tuple of Symbol
        What occurs in it, by name.
    sizes : tuple of str
        The names of its sizes, the main one first.
    """

    text: str
    left: Typed
    right: Typed
    symbols: tuple[Symbol, ...]
    sizes: tuple[str, ...]

    def walk(self) -> Iterable[Typed]:
        """Yield every node of both sides."""
        yield from self.left.walk()
        yield from self.right.walk()


def read(
    text: str,
    *,
    symmetric: Sequence[str] = (),
    shapes: Mapping[str, Sequence[str | int]] | None = None,
    scalars: Sequence[str] = (),
    diagonal: Sequence[str] = (),
    spd: Sequence[str] = (),
) -> Identity:
    """Read a formula and give every part of it a shape.

    Parameters
    ----------
    text : str
        ``LEFT == RIGHT``.
    symmetric, diagonal, spd, scalars : sequence of str
        Names of symmetric, diagonal, symmetric positive definite matrices, and of scalars.
    shapes : mapping of str to (rows, cols), optional
        Shapes that differ from the convention, as names of sizes or numbers below 10.

    Returns
    -------
    Identity

    Raises
    ------
    FormulaError
        The formula or a declaration is wrong.
    """
    left, right = parse(text)
    declared = _declarations(text, symmetric, dict(shapes or {}), scalars, diagonal, spd)
    return _Reader(text, declared).identity(left, right)


def _declarations(
    text: str,
    symmetric: Sequence[str],
    shapes: Mapping[str, Sequence[str | int]],
    scalars: Sequence[str],
    diagonal: Sequence[str],
    spd: Sequence[str],
) -> dict[str, Symbol]:
    for option, names in (("symmetric", symmetric), ("scalars", scalars), ("diagonal", diagonal), ("spd", spd)):
        if isinstance(names, str):
            raise FormulaError(f"{option} takes a list of names, such as {option}=({names!r},)", text)
    declared = {name: _declare_shape(text, name, shape) for name, shape in shapes.items()}
    for name in scalars:
        _forbid(text, name, declared)
        declared[name] = Symbol(name, UNIT, UNIT)
    for structure, names in (("symmetric", symmetric), ("diagonal", diagonal), ("spd", spd)):
        for name in names:
            before = declared.get(name, Symbol(name, ("n",), ("n",)))
            if before.structure != "general":
                raise FormulaError(f"{name} is declared {before.structure} and {structure}; choose one", text)
            if before.rows != before.cols or before.is_scalar:
                raise FormulaError(f"{name} is declared {structure}, but it is not a square matrix", text)
            declared[name] = replace(before, structure=structure)
    for name in declared:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or name in RESERVED:
            raise FormulaError(f"{name!r} cannot be declared: it is not a free name", text)
    return declared


def _forbid(text: str, name: str, declared: Mapping[str, Symbol]) -> None:
    if name in declared:
        raise FormulaError(f"{name} is declared a scalar and given a shape; choose one", text)


def _declare_shape(text: str, name: str, shape: Sequence[str | int]) -> Symbol:
    if isinstance(shape, str) or len(shape) != 2:
        raise FormulaError(f'the shape of {name} takes two sizes, such as ("n", "m") or --shape "{name}:n,m"', text)
    rows, cols = (_declare_size(text, name, str(size)) for size in shape)
    return Symbol(name, rows, cols)


def _declare_size(text: str, name: str, size: str) -> Size:
    if not SIZE_NAME.fullmatch(size):
        raise FormulaError(f"the size {size!r} of {name} is neither a lower-case name nor a number from 1 to 9", text)
    return UNIT if size == "1" else (size,)


class _Reader:
    """Infers shapes from the leaves up; sizes that stay open become n."""

    def __init__(self, text: str, declared: Mapping[str, Symbol]) -> None:
        self.text, self.declared = text, declared
        self.used: dict[str, Symbol] = {}
        self.known: dict[int, AnySize] = {}
        self.count = 0
        self.directions: dict[str, str] = {}
        names = {part for symbol in declared.values() for size in (symbol.rows, symbol.cols) for part in size}
        self.sizes = ("n", *sorted(name for name in names - {"n"} if not name.isdigit()))

    # Sizes ---------------------------------------------------------------------------------------

    def _open(self) -> Unknown:
        self.count += 1
        return Unknown(self.count)

    def _find(self, size: AnySize) -> AnySize:
        while isinstance(size, Unknown) and size.number in self.known:
            size = self.known[size.number]
        return size

    def _same(self, left: AnySize, right: AnySize) -> bool:
        left, right = self._find(left), self._find(right)
        if left == right:
            return True
        if isinstance(left, Unknown):
            self.known[left.number] = right
            return True
        if isinstance(right, Unknown):
            self.known[right.number] = left
            return True
        return False

    def _closed(self, size: AnySize) -> Size:
        """Return a known size; an open one becomes n."""
        self._same(size, ("n",)) if isinstance(self._find(size), Unknown) else None
        found = self._find(size)
        assert not isinstance(found, Unknown)
        return found

    def _times(self, left: AnySize, right: AnySize) -> Size:
        return tuple(sorted(self._closed(left) + self._closed(right)))

    def _is_scalar(self, shape: AnyShape) -> bool:
        return self._find(shape[0]) == UNIT == self._find(shape[1])

    def _spell(self, shape: AnyShape) -> str:
        return " x ".join("*".join(self._closed(size)) or "1" for size in shape)

    def _fail(self, reason: str, node: Node) -> FormulaError:
        return FormulaError(reason, self.text, node.position)

    # The tree ------------------------------------------------------------------------------------

    def identity(self, left: Node, right: Node) -> Identity:
        self._collect_directions(left, right)
        zero_left, zero_right = _is_zero(left), _is_zero(right)
        a = None if zero_left else self._read(left)
        b = None if zero_right else self._read(right)
        a = a or _zero_like(b, left)
        b = b or _zero_like(a, right)
        self._match_shapes(a.shape, b.shape, right, "the two sides of ==")
        sides = a.close(self), b.close(self)
        symbols = tuple(self.used[name] for name in sorted(self.used))
        sizes = self._sizes_in_use(sides, symbols)
        return Identity(self.text, *sides, symbols, sizes)

    def _sizes_in_use(self, sides: tuple[Typed, Typed], symbols: tuple[Symbol, ...]) -> tuple[str, ...]:
        shapes = [(node.rows, node.cols) for side in sides for node in side.walk()]
        shapes += [(symbol.rows, symbol.cols) for symbol in symbols]
        names = {name for shape in shapes for size in shape for name in size}
        names |= {node.source for side in sides for node in side.walk() if node.op == "size"}
        return tuple(name for name in self.sizes if name in names)

    def _collect_directions(self, *roots: Node) -> None:
        """Note the directions that are introduced: d(F, X) introduces dX."""
        stack = list(roots)
        while stack:
            node = stack.pop()
            stack.extend(node.args)
            if node.op == "call" and node.name == "d" and len(node.args) > 1 and node.args[1].op == "name":
                self.directions[f"d{node.args[1].name}"] = node.args[1].name

    def _symbol(self, name: str) -> Symbol:
        if name in self.directions and name not in self.declared:
            found = replace(self._symbol(self.directions[name]), name=name)
            found = replace(found, structure="symmetric" if found.is_symmetric else found.structure)
        elif name in self.declared:
            found = self.declared[name]
        else:
            found = Symbol(name, ("n",), ("n",) if name[0].isupper() else UNIT)
        self.used[name] = found
        return found

    def _read(self, node: Node) -> _Open:
        return getattr(self, f"_{node.op}")(node)

    def _number(self, node: Node) -> _Open:
        return _Open("number", (), (UNIT, UNIT), node, number=node.number)

    def _name(self, node: Node) -> _Open:
        if node.name == "I":
            size = self._open()
            return _Open("identity", (), (size, size), node)
        if node.name == "ones":
            return _Open("ones", (), (self._open(), UNIT), node)
        if node.name in FUNCTIONS and node.name not in self.declared:
            raise self._fail(f"{node.name} is a function; write {node.name}(...)", node)
        if node.name in self.sizes and node.name not in self.declared:
            return _Open("size", (), (UNIT, UNIT), node)
        symbol = self._symbol(node.name)
        return _Open("symbol", (), (symbol.rows, symbol.cols), node, symbol)

    def _add(self, node: Node) -> _Open:
        left, right = (self._read(arg) for arg in node.args)
        self._match_shapes(left.shape, right.shape, node.args[1], "the terms of a sum")
        return _Open("add", (left, right), left.shape, node)

    def _match_shapes(self, left: AnyShape, right: AnyShape, node: Node, what: str) -> None:
        if not (self._same(left[0], right[0]) and self._same(left[1], right[1])):
            advice = "; write c*I for a scalar c" if self._is_scalar(left) != self._is_scalar(right) else ""
            raise self._fail(f"{what} are {self._spell(left)} and {self._spell(right)}{advice}", node)

    def _negate(self, node: Node) -> _Open:
        inner = self._read(node.args[0])
        return _Open("negate", (inner,), inner.shape, node)

    def _multiply(self, node: Node) -> _Open:
        left, right = (self._read(arg) for arg in node.args)
        if self._is_scalar(left.shape):
            return _Open("scale", (left, right), right.shape, node)
        if self._is_scalar(right.shape):
            return _Open("scale", (right, left), left.shape, node)
        if not self._same(left.shape[1], right.shape[0]):
            shapes = f"{self._spell(left.shape)} times {self._spell(right.shape)}"
            raise self._fail(f"these factors do not fit: {shapes}", node.args[1])
        return _Open("multiply", (left, right), (left.shape[0], right.shape[1]), node)

    def _divide(self, node: Node) -> _Open:
        left, right = (self._read(arg) for arg in node.args)
        if not self._is_scalar(right.shape):
            raise self._fail("/ takes a scalar on its right; write *inv(M) for a matrix M", node.args[1])
        return _Open("divide", (left, right), left.shape, node)

    def _power(self, node: Node) -> _Open:
        base = self._read(node.args[0])
        exponent = _integer(node.args[1])
        if exponent is None:
            return self._symbolic_power(node, base)
        if abs(exponent) > LARGEST_EXPONENT:
            raise self._fail(f"exponents go from -{LARGEST_EXPONENT} to {LARGEST_EXPONENT}", node.args[1])
        if any(part.op == "power" and abs(part.number) > 1 for part in base.walk()) and abs(exponent) > 1:
            self._limit_towers(base, exponent, node)
        self._require_square(base, node.args[0], "^")
        return _Open("power", (base,), base.shape, node, number=exponent)

    def _limit_towers(self, base: _Open, exponent: Fraction, node: Node) -> None:
        """Powers of powers multiply; their product is limited."""

        def tallest(part: _Open) -> int:
            own = max(1, abs(int(part.number))) if part.op == "power" else 1
            return own * max((tallest(arg) for arg in part.args), default=1)

        if abs(int(exponent)) * tallest(base) > LARGEST_TOWER:
            raise self._fail(f"powers of powers go up to exponent {LARGEST_TOWER}", node.args[1])

    def _symbolic_power(self, node: Node, base: _Open) -> _Open:
        exponent = self._read(node.args[1])
        if not all(part.op in ("size", "number", "add", "negate", "scale") for part in exponent.walk()):
            raise self._fail("^ takes an integer, a size such as n, or T", node.args[1])
        if any(part.op == "number" and part.number.denominator != 1 for part in exponent.walk()):
            raise self._fail("^ takes integers", node.args[1])
        if not self._is_scalar(base.shape):
            raise self._fail("the exponent of a matrix has to be an integer", node.args[1])
        return _Open("power", (base, exponent), base.shape, node)

    def _transpose(self, node: Node) -> _Open:
        inner = self._read(node.args[0])
        return _Open("transpose", (inner,), (inner.shape[1], inner.shape[0]), node)

    def _require_square(self, inner: _Open, node: Node, what: str) -> None:
        if not self._same(*inner.shape):
            raise self._fail(f"{what} takes a square matrix; this is {self._spell(inner.shape)}", node)

    def _require_scalar(self, inner: _Open, node: Node, what: str) -> None:
        if not self._is_scalar(inner.shape):
            raise self._fail(f"{what} takes a scalar; this is {self._spell(inner.shape)}", node)

    def _call(self, node: Node) -> _Open:
        if node.name not in FUNCTIONS:
            known = ", ".join(sorted(FUNCTIONS))
            raise self._fail(f"there is no function {node.name}; there are {known}", node)
        if len(node.args) not in FUNCTIONS[node.name]:
            wanted = " or ".join(map(str, FUNCTIONS[node.name]))
            raise self._fail(f"{node.name} takes {wanted} argument(s), not {len(node.args)}", node)
        if node.name in ("grad", "ascent", "hess", "d"):
            return self._derivative(node)
        inner = [self._read(arg) for arg in node.args]
        return _Open(node.name, tuple(inner), self._shape_of_call(node, inner), node)

    def _shape_of_call(self, node: Node, inner: list[_Open]) -> AnyShape:
        first, place = inner[0], node.args[0]
        if node.name in ("inv", "det", "tr"):
            self._require_square(first, place, node.name)
            return first.shape if node.name == "inv" else (UNIT, UNIT)
        if node.name in ("log", "exp"):
            self._require_scalar(first, place, node.name)
            return UNIT, UNIT
        if node.name == "diag":
            if self._find(first.shape[1]) != UNIT:
                self._require_square(first, place, "diag of a matrix")
            return first.shape[0], first.shape[0]
        if node.name == "hadamard":
            self._match_shapes(first.shape, inner[1].shape, node.args[1], "the factors of hadamard")
            return first.shape
        if node.name == "kron":
            other = inner[1]
            return self._times(first.shape[0], other.shape[0]), self._times(first.shape[1], other.shape[1])
        return (self._times(*first.shape), UNIT) if node.name == "vec" else (UNIT, UNIT)

    def _derivative(self, node: Node) -> _Open:
        function, variable = node.args[:2]
        if variable.op != "name" or variable.name in ("I", "ones") or variable.name in self.sizes:
            raise self._fail(f"{node.name} differentiates by a symbol: {node.name}(f, X)", variable)
        self._name(variable)
        symbol = self._symbol(variable.name)
        inner = self._read(function)
        if node.name == "d":
            return self._differential(node, inner, symbol)
        if node.name == "grad" and symbol.is_scalar:
            return _Open("grad", (inner,), inner.shape, node, symbol)
        self._require_scalar(inner, function, node.name)
        shape: AnyShape = (symbol.rows, symbol.cols)
        if node.name == "hess":
            if symbol.cols != UNIT:
                raise self._fail("hess differentiates by a column or a scalar", variable)
            shape = (symbol.rows, symbol.rows)
        return _Open(node.name, (inner,), shape, node, symbol)

    def _differential(self, node: Node, inner: _Open, symbol: Symbol) -> _Open:
        if len(node.args) == 3:
            step = self._read(node.args[2])
            self._match_shapes((symbol.rows, symbol.cols), step.shape, node.args[2], "the variable and its direction")
        else:
            direction = self._symbol(f"d{symbol.name}")
            step = _Open("symbol", (), (direction.rows, direction.cols), node, direction)
        return _Open("d", (inner, step), inner.shape, node, symbol)


@dataclass(frozen=True)
class _Open:
    """A node whose shape may still hold open sizes."""

    op: str
    args: tuple[_Open, ...]
    shape: AnyShape
    node: Node
    symbol: Symbol | None = None
    number: Fraction = Fraction(0)

    def walk(self) -> Iterable[_Open]:
        yield self
        for arg in self.args:
            yield from arg.walk()

    def close(self, reader: _Reader) -> Typed:
        args = tuple(arg.close(reader) for arg in self.args)
        rows, cols = (reader._closed(size) for size in self.shape)
        typed = Typed(self.op, args, rows, cols, self.symbol, self.number)
        return replace(typed, source=self.node.name if self.op == "size" else spell(typed))


def _is_zero(node: Node) -> bool:
    return node.op == "number" and node.number == 0


def _zero_like(other: _Open | None, node: Node) -> _Open:
    shape: AnyShape = other.shape if other is not None else (UNIT, UNIT)
    return _Open("zero", (), shape, node)


def _integer(node: Node) -> Fraction | None:
    if node.op == "negate":
        inner = _integer(node.args[0])
        return None if inner is None else -inner
    return node.number if node.op == "number" and node.number.denominator == 1 else None


LEVELS = {"add": 1, "negate": 2, "multiply": 2, "scale": 2, "divide": 2, "power": 4, "transpose": 4}


def spell(node: Typed) -> str:
    """Return the text of a node, with the parentheses it needs."""
    inside = [arg.source for arg in node.args]
    level = LEVELS.get(node.op, 5)

    def fenced(place: int, lowest: int) -> str:
        inner = LEVELS.get(node.args[place].op, 5)
        return f"({inside[place]})" if inner < lowest else inside[place]

    if node.op == "number":
        return str(node.number)
    if node.op in ("symbol", "size"):
        return node.symbol.name if node.symbol else node.source
    if node.op in ("identity", "ones", "zero"):
        return {"identity": "I", "ones": "ones", "zero": "0"}[node.op]
    if node.op == "add":
        last = node.args[1]
        if last.op == "negate":
            return f"{inside[0]} - {inside[1][1:]}"
        return f"{inside[0]} + {inside[1]}"
    if node.op == "negate":
        return f"-{fenced(0, 2)}"
    if node.op in ("multiply", "scale"):
        return f"{fenced(0, level)}*{fenced(1, level)}"
    if node.op == "divide":
        return f"{fenced(0, level)}/{fenced(1, 3)}"
    if node.op == "power":
        exponent = inside[1] if len(inside) > 1 else str(node.number)
        return f"{fenced(0, 5)}^{exponent if exponent.isalnum() else f'({exponent})'}"
    if node.op == "transpose":
        return f"{fenced(0, 4)}'"
    if node.op in ("grad", "ascent", "hess", "d") and node.symbol is not None:
        return f"{node.op}({', '.join([inside[0], node.symbol.name, *inside[1:]])})"
    return f"{node.op}({', '.join(inside)})"
