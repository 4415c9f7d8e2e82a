"""Gradients of scalar SymPy expressions by a matrix of symbolic size, and a normal form for matrix expressions.

SymPy 1.14 returns 0, silently, for the derivatives of most sums, products and functions of traces and
determinants. Here an expression is read into sums of words (`emlib.proof._words.algebra`), differentiated in reverse
mode and written back; what cannot be read is an error, never a zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import sympy as sp
from sympy.matrices.expressions.determinant import Determinant
from sympy.matrices.expressions.diagonal import DiagMatrix, DiagonalMatrix, DiagonalOf
from sympy.matrices.expressions.hadamard import HadamardPower, HadamardProduct, hadamard_product
from sympy.matrices.expressions.kronecker import KroneckerProduct, kronecker_product
from sympy.matrices.expressions.matexpr import MatrixElement

from emlib.proof._words import algebra as words
from emlib.proof._words import calculus, products, traces
from emlib.proof._words.calculus import Unsupported
from emlib.proof._words.letters import Atom, Letter, Poly, Word
from emlib.proof._words.zero import vanishes as words_vanish

STRUCTURES = ("general", "symmetric", "diagonal")
LARGEST_POWER = 12


def gradient(f: Any, X: Any, structure: str = "general", *, symmetric: Iterable[Any] = ()) -> Any:
    """Return the matrix of partial derivatives of a scalar by the entries of a matrix symbol.

    Parameters
    ----------
    f : sympy.Expr or 1 x 1 matrix expression
        Built from Trace, Determinant, Inverse, Transpose, integer powers, quadratic forms, Hadamard and
        Kronecker products, diagonal matrices, and scalar functions such as log and exp of these.
    X : sympy.MatrixSymbol, shape (n, m)
        The argument; a column too.
    structure : {"general", "symmetric", "diagonal"}
        For a symmetric X the partials by the free entries, ``G + G' - diag(G)`` (the note's equation for
        5.7 and 5.8), not the direction of steepest ascent: see `steepest_ascent`.
    symmetric : iterable of sympy.MatrixSymbol
        Other symbols that equal their transposes.

    Returns
    -------
    matrix expression, shape (n, m)
        The partials; a ZeroMatrix only if `f` does not depend on `X`.

    Raises
    ------
    Unsupported
        A part of `f` has no rule.
    TypeError, ValueError
        `f` is not a scalar, `X` not a matrix symbol, or the structure unknown.

    Examples
    --------
    >>> import sympy as sp
    >>> n = sp.Symbol("n", integer=True, positive=True)
    >>> X = sp.MatrixSymbol("X", n, n)
    >>> gradient(sp.log(sp.Determinant(X)), X)
    X.T**(-1)
    """
    reader = _reader(X, structure, symmetric)
    everything = calculus.gradient(reader.scalar(f), X.name, *X.shape)
    return write(calculus.partials_by_free_entries(everything, structure))


def steepest_ascent(f: Any, X: Any, structure: str = "general", *, symmetric: Iterable[Any] = ()) -> Any:
    """Return the direction of steepest ascent within the structure: ``(G + G')/2`` for a symmetric X.

    Parameters
    ----------
    f : sympy.Expr or 1 x 1 matrix expression
        As in `gradient`.
    X : sympy.MatrixSymbol, shape (n, m)
        The argument.
    structure : {"general", "symmetric", "diagonal"}
        What is known of X; for a diagonal X the direction is diagonal.
    symmetric : iterable of sympy.MatrixSymbol
        Other symbols that equal their transposes.

    Returns
    -------
    matrix expression, shape (n, m)
        The projection of the all-entries gradient on the structure.

    Examples
    --------
    >>> import sympy as sp
    >>> n = sp.Symbol("n", integer=True, positive=True)
    >>> X = sp.MatrixSymbol("X", n, n)
    >>> steepest_ascent(sp.log(sp.Determinant(X)), X, "symmetric")
    X**(-1)
    """
    reader = _reader(X, structure, symmetric)
    everything = calculus.gradient(reader.scalar(f), X.name, *X.shape)
    return write(calculus.steepest_ascent(everything, structure))


def differential(F: Any, X: Any, H: Any, *, symmetric: Iterable[Any] = ()) -> Any:
    """Return the derivative of a scalar or a matrix in the direction H: what d F is when dX = H.

    Parameters
    ----------
    F : sympy.Expr or matrix expression
        What is differentiated.
    X : sympy.MatrixSymbol
        The argument.
    H : matrix expression, of the shape of X
        The direction.
    symmetric : iterable of sympy.MatrixSymbol
        Symbols that equal their transposes.

    Returns
    -------
    sympy.Expr or matrix expression, of the shape of F
        Linear in H.
    """
    reader = _Reader(symmetric)
    _require_symbol(X)
    direction = calculus.Direction(X.name, reader.matrix(H))
    if _is_matrix(F):
        return write(direction.poly(reader.matrix(F)))
    return write_scalar(direction.scalar(reader.scalar(F)))


def second_differential(f: Any, X: Any, H: Any, *, symmetric: Iterable[Any] = ()) -> Any:
    """Return the second derivative of a scalar along the line X + t H, at t = 0.

    Parameters
    ----------
    f : sympy.Expr or 1 x 1 matrix expression
        As in `gradient`.
    X : sympy.MatrixSymbol
        The argument.
    H : matrix expression, of the shape of X
        The direction; it must not contain X.
    symmetric : iterable of sympy.MatrixSymbol
        Symbols that equal their transposes.

    Returns
    -------
    sympy.Expr
        Quadratic in H.

    Raises
    ------
    ValueError
        The direction contains X.
    """
    reader = _Reader(symmetric)
    _require_symbol(X)
    step = reader.matrix(H)
    if calculus.poly_mentions(step, X.name):
        raise ValueError(f"the direction {H} contains {X}; give a constant direction")
    direction = calculus.Direction(X.name, step)
    return write_scalar(direction.scalar(direction.scalar(reader.scalar(f))))


def matrix_normal_form(expr: Any, *, symmetric: Iterable[Any] = ()) -> Any:
    """Return a scalar or matrix expression in normal form.

    Products are expanded, transposes moved inwards, inverses cancelled; traces that differ by a cyclic shift
    or a transpose become the same.

    Parameters
    ----------
    expr : sympy.Expr or matrix expression
        As `gradient` reads it.
    symmetric : iterable of sympy.MatrixSymbol
        Symbols that equal their transposes.

    Returns
    -------
    sympy.Expr or matrix expression
        Equal to `expr` wherever its inverses exist.

    Examples
    --------
    >>> import sympy as sp
    >>> n = sp.Symbol("n", integer=True, positive=True)
    >>> A, B = sp.MatrixSymbol("A", n, n), sp.MatrixSymbol("B", n, n)
    >>> matrix_normal_form(sp.Trace(A * B) - sp.Trace(B.T * A.T))
    0
    """
    reader = _Reader(symmetric)
    return write(reader.matrix(expr)) if _is_matrix(expr) else write_scalar(reader.scalar(expr))


def vanishes(expr: Any, *, symmetric: Iterable[Any] = ()) -> bool:
    """Whether the rules of matrix algebra reduce an expression to 0, for every size.

    Parameters
    ----------
    expr : sympy.Expr or matrix expression
        As `gradient` reads it.
    symmetric : iterable of sympy.MatrixSymbol
        Symbols that equal their transposes.

    Returns
    -------
    bool
        False means that the rules do not reduce it, not that it differs from 0.
    """
    return words_vanish(_Reader(symmetric).matrix(expr))


def _reader(X: Any, structure: str, symmetric: Iterable[Any]) -> _Reader:
    _require_symbol(X)
    if structure not in STRUCTURES:
        raise ValueError(f"the structure is one of {', '.join(STRUCTURES)}, not {structure!r}")
    if structure != "general" and X.rows != X.cols:
        raise ValueError(f"{X} is not square, so it cannot be {structure}")
    reader = _Reader(symmetric)
    if structure != "general":
        reader.structures[X.name] = structure
    return reader


def _require_symbol(X: Any) -> None:
    if not isinstance(X, sp.MatrixSymbol):
        raise TypeError(f"differentiate by a MatrixSymbol, not by {X}")


def _is_matrix(expr: Any) -> bool:
    return bool(getattr(expr, "is_Matrix", False) or getattr(expr, "is_MatrixExpr", False))


class _Reader:
    """Turns SymPy expressions into sums of words."""

    def __init__(self, symmetric: Iterable[Any]) -> None:
        self.structures = {symbol.name: "symmetric" for symbol in symmetric}

    def matrix(self, expr: Any) -> Poly:
        """Read a matrix; a scalar is 1 x 1."""
        if not _is_matrix(expr):
            return words.scalar(self.scalar(sp.sympify(expr)))
        for kind, rule in MATRICES.items():
            if isinstance(expr, kind):
                return rule(self, expr)
        raise Unsupported(f"no rule for a {type(expr).__name__}: {expr}")

    def scalar(self, expr: Any) -> sp.Expr:
        """Read a scalar; a 1 x 1 matrix counts as one."""
        if _is_matrix(expr):
            if expr.shape != (1, 1):
                raise TypeError(f"expected a scalar, got a {expr.rows} x {expr.cols} matrix: {expr}")
            return words.as_scalar(self.matrix(expr))
        expr = sp.sympify(expr)
        if isinstance(expr, sp.Trace):
            return traces.trace(self.matrix(expr.arg))
        if isinstance(expr, Determinant):
            return traces.determinant(self.matrix(expr.arg))
        if isinstance(expr, MatrixElement | sp.Sum | sp.Derivative | sp.Integral):
            raise Unsupported(
                f"no rule for {expr}; write a quadratic form as Trace(x.T*A*x) or as the 1 x 1 matrix x.T*A*x, "
                "and finite sums with emlib.proof.sums"
            )
        if not expr.has(sp.MatrixSymbol, sp.MatrixExpr):
            return expr
        if expr.is_Add or expr.is_Mul or expr.is_Pow or isinstance(expr, sp.Function):
            return expr.func(*(self.scalar(arg) for arg in expr.args))
        raise Unsupported(f"no rule for a {type(expr).__name__}: {expr}")

    def _symbol(self, expr: Any) -> Poly:
        return words.symbol(expr.name, expr.rows, expr.cols, self.structures.get(expr.name, "general"))

    def _sum(self, expr: Any) -> Poly:
        first, *rest = (self.matrix(arg) for arg in expr.args)
        return sum(rest, first)

    def _product(self, expr: Any) -> Poly:
        coefficient, factors = expr.as_coeff_matrices()
        return words.times(*(self.matrix(factor) for factor in factors)).scale(self.scalar(coefficient))

    def _power(self, expr: Any) -> Poly:
        base, exponent = expr.args
        if not exponent.is_Integer or abs(int(exponent)) > LARGEST_POWER:
            raise Unsupported(f"the exponent of {expr} is not an integer between -{LARGEST_POWER} and {LARGEST_POWER}")
        return words.power(self.matrix(base), int(exponent))

    def _entrywise_power(self, expr: Any) -> Poly:
        base, exponent = expr.args
        if not exponent.is_Integer or not 1 <= int(exponent) <= LARGEST_POWER:
            raise Unsupported(f"the exponent of {expr} is not an integer between 1 and {LARGEST_POWER}")
        return products.hadamard(*[self.matrix(base)] * int(exponent))

    def _all_ones(self, expr: Any) -> Poly:
        return words.times(words.ones(expr.rows), words.transpose(words.ones(expr.cols)))

    def _kronecker(self, expr: Any) -> Poly:
        first, *rest = (self.matrix(arg) for arg in expr.args)
        for factor in rest:
            first = products.kron(first, factor)
        return first

    def _diagonal(self, expr: Any) -> Poly:
        inner = self.matrix(expr.args[0])
        return products.spread(inner) if inner.cols == 1 else products.diagonal_part(inner)


MATRICES: dict[type, Callable[[_Reader, Any], Poly]] = {
    sp.MatrixSymbol: _Reader._symbol,
    sp.MatAdd: _Reader._sum,
    sp.MatMul: _Reader._product,
    sp.Transpose: lambda reader, expr: words.transpose(reader.matrix(expr.arg)),
    sp.Inverse: lambda reader, expr: words.inverse(reader.matrix(expr.arg)),
    sp.MatPow: _Reader._power,
    sp.Identity: lambda _reader, expr: Poly.identity(expr.rows),
    sp.ZeroMatrix: lambda _reader, expr: Poly.zero(expr.rows, expr.cols),
    sp.OneMatrix: _Reader._all_ones,
    HadamardProduct: lambda reader, expr: products.hadamard(*(reader.matrix(arg) for arg in expr.args)),
    HadamardPower: _Reader._entrywise_power,
    KroneckerProduct: _Reader._kronecker,
    DiagMatrix: _Reader._diagonal,
    DiagonalMatrix: _Reader._diagonal,
    DiagonalOf: lambda reader, expr: products.diagonal_vector(reader.matrix(expr.arg)),
}


# Back to SymPy -----------------------------------------------------------------------------------


def write(poly: Poly) -> Any:
    """Return a sum of words as a SymPy matrix expression."""
    terms = [write_scalar(value) * _word(word) for word, value in poly]
    return sp.MatAdd(*terms).doit(deep=False) if terms else sp.ZeroMatrix(poly.rows, poly.cols)


def write_scalar(value: sp.Expr) -> Any:
    """Return a scalar with its traces and determinants as SymPy writes them."""
    return value.xreplace({atom: _atom(atom) for atom in calculus.atoms_of(value)})


def _atom(atom: Atom) -> Any:
    if atom.invariant == "trace":
        return sp.Trace(_word(atom.parts[0]))
    if atom.invariant == "det":
        return Determinant(write(atom.parts[0]))
    product = hadamard_product(*(_word(word) for word in atom.parts))
    return sp.Trace(sp.OneMatrix(product.cols, product.rows) * product)


def _word(word: Word) -> Any:
    if not word.letters:
        return sp.Identity(word.rows)
    return sp.MatMul(*(_letter(letter) for letter in word.letters)).doit(deep=False)


def _letter(letter: Letter) -> Any:
    if letter.kind == "symbol":
        shape = (letter.cols, letter.rows) if letter.transposed else (letter.rows, letter.cols)
        base = sp.MatrixSymbol(letter.name, *shape)
        base = base.T if letter.transposed else base
        return base.I if letter.inverted else base
    if letter.kind == "ones":
        return sp.OneMatrix(letter.rows, letter.cols)
    written = WRITTEN[letter.kind](letter)
    return written.T if letter.transposed else written


def _vec(letter: Letter) -> Any:
    raise Unsupported(f"SymPy has no symbol for vec: {letter}")


def _diagonal_part(letter: Letter) -> Any:
    return hadamard_product(sp.Identity(letter.rows), _word(letter.parts[0]))


WRITTEN: dict[str, Callable[[Letter], Any]] = {
    "inverse": lambda letter: write(letter.parts[0]).I,
    "hadamard": lambda letter: hadamard_product(*(_word(word) for word in letter.parts)),
    "diagonal": _diagonal_part,
    "spread": lambda letter: DiagMatrix(_word(letter.parts[0])),
    "kron": lambda letter: kronecker_product(*(_word(word) for word in letter.parts)),
    "vec": _vec,
}

__all__ = [
    "Unsupported",
    "differential",
    "gradient",
    "matrix_normal_form",
    "second_differential",
    "steepest_ascent",
    "vanishes",
]
