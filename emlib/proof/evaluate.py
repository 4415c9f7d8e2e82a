"""The exact value of an expression with symbolic sizes, at sizes and entries given as small integers.

It reads the expression literally, term by term, and shares no rule with the normal forms: what it
finds is evidence of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp
from sympy.matrices.expressions.determinant import Determinant
from sympy.matrices.expressions.diagonal import DiagMatrix, DiagonalMatrix, DiagonalOf
from sympy.matrices.expressions.hadamard import HadamardPower, HadamardProduct
from sympy.matrices.expressions.kronecker import KroneckerProduct
from sympy.matrices.expressions.matexpr import MatrixElement

Value = Any  # a SymPy number or an explicit SymPy matrix
LARGEST_SUM = 20_000


class Undefined(ArithmeticError):
    """The expression has no value at this point (a zero denominator, a singular matrix, log of -1)."""


class Unreadable(TypeError):
    """The expression holds something this module does not know."""


@dataclass(frozen=True)
class Point:
    """Values for symbols, matrices and indexed families.

    Parameters
    ----------
    symbols : mapping
        Symbol to number, sizes and free indices included.
    matrices : mapping
        Name of a MatrixSymbol to its explicit matrix.
    family : callable
        ``family(name, indices)`` is the entry of an IndexedBase, or the value of an undefined function.
    """

    symbols: Mapping[sp.Symbol, sp.Expr]
    matrices: Mapping[str, sp.Matrix]
    family: Callable[[str, tuple[sp.Expr, ...]], sp.Expr]
    bound: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict)

    def bind(self, values: Mapping[sp.Symbol, sp.Expr]) -> Point:
        """Return the same point with bound variables set."""
        return Point(self.symbols, self.matrices, self.family, {**self.bound, **values})


def evaluate(expr: Any, point: Point) -> Value:
    """Return the exact value of `expr` at `point`.

    Parameters
    ----------
    expr : sympy.Expr or matrix
        Scalars and matrices, explicit or symbolic.
    point : Point
        Values of everything in it.

    Returns
    -------
    sympy number or explicit sympy matrix

    Raises
    ------
    Undefined
        The expression has no finite real value there.
    Unreadable
        It holds an object this module does not know.

    Examples
    --------
    >>> n, k = sp.symbols("n k", integer=True)
    >>> here = Point({n: sp.Integer(3)}, {}, lambda name, indices: sp.Integer(0))
    >>> evaluate(sp.Sum(k**2, (k, 1, n)), here)
    14
    """
    if isinstance(expr, sp.MatrixBase):
        return expr.applyfunc(lambda entry: evaluate(entry, point))
    rule = _rule(type(expr))
    if rule is not None:
        return rule(expr, point)
    if expr.is_Number or expr.is_NumberSymbol:
        return _finite(expr)
    if isinstance(expr, sp.Function):
        return _function(expr, point)
    raise Unreadable(f"cannot evaluate a {type(expr).__name__}: {expr}")


def _finite(value: Value) -> Value:
    if value.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise Undefined(str(value))
    return value


def _symbol(expr: sp.Symbol, point: Point) -> Value:
    for table in (point.bound, point.symbols):
        if expr in table:
            return table[expr]
    raise Unreadable(f"no value is given for {expr}")


def _add(expr: Any, point: Point) -> Value:
    first, *rest = (evaluate(arg, point) for arg in expr.args)
    for value in rest:
        first += value
    return first


def _mul(expr: Any, point: Point) -> Value:
    product = sp.Integer(1)
    for arg in expr.args:
        product = product * evaluate(arg, point)
    return _finite(product) if not isinstance(product, sp.MatrixBase) else product


def _pow(expr: Any, point: Point) -> Value:
    base, exponent = (evaluate(arg, point) for arg in expr.args)
    if isinstance(base, sp.MatrixBase):
        return _inverse_of(base) ** (-exponent) if exponent < 0 else base**exponent
    if base.is_zero and exponent.is_negative:
        raise Undefined("division by zero")
    if base.is_negative and not exponent.is_integer:
        raise Undefined("a root of a negative number")
    return _finite(base**exponent)


def _inverse_of(matrix: sp.Matrix) -> sp.Matrix:
    if matrix.det() == 0:
        raise Undefined("the inverse of a singular matrix")
    return matrix.inv()


def _sum(expr: sp.Sum, point: Point) -> Value:
    return _over_range(expr, point, sp.Integer(0), lambda total, value: total + value)


def _product(expr: sp.Product, point: Point) -> Value:
    return _over_range(expr, point, sp.Integer(1), lambda total, value: total * value)


def _over_range(expr: Any, point: Point, start: Value, join: Callable[[Value, Value], Value]) -> Value:
    """Loop over the limits, the last one outermost, as SymPy reads them."""

    def loop(limits: tuple[Any, ...], here: Point, total: Value) -> Value:
        if not limits:
            return join(total, evaluate(expr.function, here))
        *inner, (index, low, high) = limits
        values = range(int(evaluate(low, here)), int(evaluate(high, here)) + 1)
        if len(values) > LARGEST_SUM:
            raise Undefined(f"a range of {len(values)} terms")
        for value in values:
            total = loop(tuple(inner), here.bind({index: sp.Integer(value)}), total)
        return total

    return loop(tuple(expr.limits), point, start)


def _delta(expr: sp.KroneckerDelta, point: Point) -> Value:
    left, right = (evaluate(arg, point) for arg in expr.args[:2])
    if len(expr.args) == 3:
        low, high = (evaluate(bound, point) for bound in expr.args[2])
        if not low <= left <= high:
            return sp.Integer(0)
    return sp.Integer(int(left == right))


def _log(expr: sp.log, point: Point) -> Value:
    argument = evaluate(expr.args[0], point)
    if not argument.is_positive:
        raise Undefined(f"log of {argument}")
    return sp.log(argument)


def _function(expr: sp.Function, point: Point) -> Value:
    arguments = tuple(evaluate(arg, point) for arg in expr.args)
    if isinstance(expr, sp.core.function.AppliedUndef):
        return point.family(expr.func.__name__, arguments)
    return _finite(expr.func(*arguments))


def _entry(expr: MatrixElement, point: Point) -> Value:
    matrix, row, column = (evaluate(arg, point) for arg in expr.args)
    if not (0 <= row < matrix.rows and 0 <= column < matrix.cols):
        raise Undefined(f"entry ({row}, {column}) of a {matrix.rows} x {matrix.cols} matrix")
    return matrix[int(row), int(column)]


def _indexed(expr: sp.Indexed, point: Point) -> Value:
    return point.family(str(expr.base), tuple(evaluate(index, point) for index in expr.indices))


def _matrix_symbol(expr: sp.MatrixSymbol, point: Point) -> Value:
    if expr.name not in point.matrices:
        raise Unreadable(f"no value is given for the matrix {expr.name}")
    return point.matrices[expr.name]


def _entrywise(expr: Any, point: Point) -> Value:
    factors = [evaluate(arg, point) for arg in expr.args]
    shapes = {factor.shape for factor in factors}
    if len(shapes) > 1:
        raise Undefined("an entrywise product of matrices of different shapes")
    rows, columns = shapes.pop()
    return sp.Matrix(rows, columns, lambda i, j: sp.prod([factor[i, j] for factor in factors]))


def _hadamard_power(expr: Any, point: Point) -> Value:
    base, exponent = (evaluate(arg, point) for arg in expr.args)
    return base.applyfunc(lambda entry: _finite(entry**exponent))


def _filled(make: Callable[[int, int], sp.Matrix]) -> Callable[[Any, Point], Value]:
    return lambda expr, point: make(*(int(evaluate(size, point)) for size in expr.shape))


def _of_matrix(make: Callable[[sp.Matrix], Value]) -> Callable[[Any, Point], Value]:
    return lambda expr, point: make(evaluate(expr.args[0], point))


def _determinant(matrix: sp.Matrix) -> Value:
    if matrix.rows != matrix.cols:
        raise Undefined("the determinant of a matrix that is not square")
    return matrix.det()


def _kronecker(expr: Any, point: Point) -> Value:
    return sp.kronecker_product(*(sp.Matrix(evaluate(arg, point)) for arg in expr.args))


def _diagonal(matrix: sp.Matrix) -> sp.Matrix:
    """Return the diagonal matrix of a vector, or of the diagonal of a matrix."""
    if 1 in matrix.shape:
        return sp.diag(*list(matrix))
    return sp.diag(*list(matrix.diagonal()))


def _block(expr: sp.BlockMatrix, point: Point) -> Value:
    rows, columns = expr.blockshape
    blocks = expr.blocks
    return sp.Matrix.vstack(
        *(sp.Matrix.hstack(*(evaluate(blocks[i, j], point) for j in range(columns))) for i in range(rows))
    )


RULES: dict[type, Callable[[Any, Point], Value]] = {
    sp.Symbol: _symbol,
    sp.Add: _add,
    sp.MatAdd: _add,
    sp.Mul: _mul,
    sp.MatMul: _mul,
    sp.Pow: _pow,
    sp.MatPow: _pow,
    sp.Inverse: _of_matrix(_inverse_of),
    sp.Sum: _sum,
    sp.Product: _product,
    sp.KroneckerDelta: _delta,
    sp.log: _log,
    MatrixElement: _entry,
    sp.Indexed: _indexed,
    sp.MatrixSymbol: _matrix_symbol,
    sp.Identity: _filled(sp.eye),
    sp.ZeroMatrix: _filled(sp.zeros),
    sp.OneMatrix: _filled(sp.ones),
    sp.Trace: _of_matrix(lambda matrix: matrix.trace()),
    sp.Transpose: _of_matrix(lambda matrix: matrix.T),
    Determinant: _of_matrix(_determinant),
    HadamardProduct: _entrywise,
    HadamardPower: _hadamard_power,
    KroneckerProduct: _kronecker,
    DiagMatrix: _of_matrix(_diagonal),
    DiagonalMatrix: _of_matrix(_diagonal),
    DiagonalOf: _of_matrix(lambda matrix: matrix.diagonal().T),
    sp.BlockMatrix: _block,
}


def _rule(kind: type) -> Callable[[Any, Point], Value] | None:
    return next((RULES[base] for base in kind.__mro__ if base in RULES), None)
