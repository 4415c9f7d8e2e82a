"""Structured matrices from one table of patterns, and derivatives by their free entries.

Two different matrices are called "the derivative by a symmetric matrix"; here they keep separate names.
Write G for the matrix of all n^2 partial derivatives, taken as if the entries were unrelated.

* `matrix_derivative` and `chain_rule` give the matrix of partials by the free entries: its (i, j) entry is the
  derivative by a_ij, where a_ij and a_ji move together. For symmetric A it is G + G' - diag(G), which is
  2 G - diag(G) if G is symmetric. This is the convention of the note (Lemmas 5.5-5.8) and of the Matrix Cookbook.
* `projection` gives the direction of steepest ascent among matrices of the structure, by the Frobenius inner
  product. For symmetric A it is (G + G') / 2. This is what Srinivasan and Panda, "What is the gradient of a
  scalar function of a symmetric matrix?" (2023), call the gradient.

They vanish together, so stationary points are the same; a gradient step or a Hessian is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

Place = tuple[int, tuple[int, ...]] | None  # sign and label of an entry; None if it is zero

PATTERNS: dict[str, Callable[[int, int, int], Place]] = {
    "general": lambda i, j, _n: (1, (i, j)),
    "symmetric": lambda i, j, _n: (1, (min(i, j), max(i, j))),
    "skew": lambda i, j, _n: None if i == j else (1 if i < j else -1, (min(i, j), max(i, j))),
    "diagonal": lambda i, j, _n: (1, (i,)) if i == j else None,
    "scalar": lambda i, j, _n: (1, ()) if i == j else None,
    "upper": lambda i, j, _n: (1, (i, j)) if i <= j else None,
    "lower": lambda i, j, _n: (1, (i, j)) if i >= j else None,
    "toeplitz": lambda i, j, n: (1, (i - j + n - 1,)),
    "symmetric toeplitz": lambda i, j, _n: (1, (abs(i - j),)),
    "hankel": lambda i, j, _n: (1, (i + j,)),
    "circulant": lambda i, j, n: (1, ((i - j) % n,)),
}


@dataclass(frozen=True)
class Structured:
    """An n x n matrix of symbols with a pattern: which entries are free, equal, opposite or zero.

    Parameters
    ----------
    name : str
        Stem of the names of the symbols; their indices count from 1.
    size : int
        Number of rows.
    pattern : str
        A key of `PATTERNS`.
    positive : bool
        Whether the symbols are declared positive.

    Raises
    ------
    ValueError
        There is no such pattern, or the size is below 1.

    Examples
    --------
    >>> Structured("a", 2, "symmetric").matrix
    Matrix([
    [a_1_1, a_1_2],
    [a_1_2, a_2_2]])
    """

    name: str
    size: int
    pattern: str = "general"
    positive: bool | None = None

    def __post_init__(self) -> None:
        if self.pattern not in PATTERNS:
            raise ValueError(f"no pattern {self.pattern!r}; there are: {', '.join(PATTERNS)}")
        if self.size < 1:
            raise ValueError(f"the size must be at least 1, got {self.size}")

    def place(self, row: int, column: int) -> Place:
        """Return sign and label of an entry, None if it is zero.

        Parameters
        ----------
        row, column : int
            The entry, counted from 0.

        Returns
        -------
        tuple or None
            Sign and label.
        """
        return PATTERNS[self.pattern](row, column, self.size)

    @cached_property
    def _symbols(self) -> dict[tuple[int, ...], sp.Symbol]:
        grid = [(i, j) for i in range(self.size) for j in range(self.size)]
        labels = dict.fromkeys(place[1] for place in (self.place(i, j) for i, j in grid) if place is not None)
        assumed = {} if self.positive is None else {"positive": self.positive}
        return {
            label: sp.Symbol("_".join([self.name, *(str(index + 1) for index in label)]), **assumed) for label in labels
        }

    @property
    def free_entries(self) -> tuple[sp.Symbol, ...]:
        """The free entries theta_1, theta_2, ... in the order in which rows meet them."""
        return tuple(self._symbols.values())

    @cached_property
    def matrix(self) -> sp.ImmutableMatrix:
        """The matrix itself."""
        return self.spread({symbol: symbol for symbol in self.free_entries})

    @cached_property
    def basis(self) -> tuple[sp.ImmutableMatrix, ...]:
        """The matrices E_k = dA / d theta_k, one a free entry."""
        return tuple(
            self.spread({other: sp.Integer(int(other == symbol)) for other in self.free_entries})
            for symbol in self.free_entries
        )

    def spread(self, values: Mapping[sp.Symbol, Any]) -> sp.ImmutableMatrix:
        """Return the matrix of this pattern whose free entries have the given values.

        Parameters
        ----------
        values : mapping
            Free entry to value.

        Returns
        -------
        sympy.ImmutableMatrix, shape (n, n)
            The matrix.
        """

        def entry(row: int, column: int) -> Any:
            place = self.place(int(row), int(column))
            return sp.Integer(0) if place is None else place[0] * values[self._symbols[place[1]]]

        return sp.ImmutableMatrix(self.size, self.size, entry)


def matrix_derivative(function: sp.Expr, by: Structured) -> sp.ImmutableMatrix:
    """Return the matrix of partial derivatives of a scalar by the free entries of a structured matrix.

    Entry (i, j) is the derivative by a_ij; entries that are zero in the pattern have derivative 0. For
    symmetric matrices this is 2 G - diag(G), not the direction of steepest ascent: see `projection`.

    Parameters
    ----------
    function : sympy.Expr
        A scalar written in the symbols of ``by.matrix``.
    by : Structured
        The matrix.

    Returns
    -------
    sympy.ImmutableMatrix, shape (n, n)
        The partials, laid out as the entries.

    Raises
    ------
    ValueError
        No entry of the matrix stands in the function, so the derivative would vanish.
    TypeError
        The function is not a scalar, or holds a matrix of symbolic size, which SymPy would take for a constant.

    Examples
    --------
    >>> from emlib.proof.determinants import determinant
    >>> A = Structured("a", 2, "symmetric")
    >>> matrix_derivative(determinant(A.matrix), A)
    Matrix([
    [   a_2_2, -2*a_1_2],
    [-2*a_1_2,    a_1_1]])
    """
    function = sp.sympify(function)
    if not isinstance(function, sp.Expr) or isinstance(function, sp.MatrixExpr):
        raise TypeError(f"the function must be a scalar, not a {type(function).__name__}")
    if function.has(sp.MatrixSymbol):
        raise TypeError("the function holds a MatrixSymbol; write it in the entries of the structured matrix")
    if not function.free_symbols & set(by.free_entries):
        raise ValueError(f"no entry of {by.name} stands in the function, so its derivative would be 0 throughout")
    return by.spread({symbol: function.diff(symbol) for symbol in by.free_entries})


def chain_rule(gradient: sp.MatrixBase, by: Structured) -> sp.ImmutableMatrix:
    """Return the matrix of partials by the free entries, from the matrix G of all n^2 partials.

    The derivative by theta_k is tr(G' E_k), where E_k = dA / d theta_k (Matrix Cookbook, section 2.8).

    Parameters
    ----------
    gradient : sympy matrix, shape (n, n)
        G, taken as if all entries were unrelated.
    by : Structured
        The matrix.

    Returns
    -------
    sympy.ImmutableMatrix, shape (n, n)
        Laid out as in `matrix_derivative`.

    Examples
    --------
    >>> G = sp.Matrix([[1, 2], [3, 4]])
    >>> chain_rule(G, Structured("a", 2, "symmetric"))
    Matrix([
    [1, 5],
    [5, 4]])
    """
    return by.spread(_slopes(gradient, by))


def projection(gradient: sp.MatrixBase, by: Structured) -> sp.ImmutableMatrix:
    """Return the direction of steepest ascent inside the structure: G projected on the span of the E_k.

    For symmetric matrices this is (G + G') / 2; the matrix of partials is another one, see `chain_rule`.

    Parameters
    ----------
    gradient : sympy matrix, shape (n, n)
        G, taken as if all entries were unrelated.
    by : Structured
        The structure.

    Returns
    -------
    sympy.ImmutableMatrix, shape (n, n)
        A matrix of the pattern.

    Examples
    --------
    >>> G = sp.Matrix([[1, 2], [3, 4]])
    >>> projection(G, Structured("a", 2, "symmetric"))
    Matrix([
    [  1, 5/2],
    [5/2,   4]])
    """
    slopes = _slopes(gradient, by)
    lengths = {symbol: sum(entry**2 for entry in basis) for symbol, basis in zip(slopes, by.basis, strict=True)}
    return by.spread({symbol: slope / lengths[symbol] for symbol, slope in slopes.items()})


def _slopes(gradient: sp.MatrixBase, by: Structured) -> dict[sp.Symbol, sp.Expr]:
    if gradient.shape != (by.size, by.size):
        raise ValueError(f"the gradient is {gradient.rows} x {gradient.cols}, the matrix {by.size} x {by.size}")
    return {
        symbol: sum((g * e for g, e in zip(gradient, basis, strict=True)), sp.Integer(0))
        for symbol, basis in zip(by.free_entries, by.basis, strict=True)
    }


def diag_part(matrix: Any) -> Any:
    """Return the diagonal matrix with the diagonal of a square matrix, explicit or symbolic.

    Parameters
    ----------
    matrix : sympy matrix, shape (n, n)
        A square matrix.

    Returns
    -------
    sympy matrix, shape (n, n)
        Explicit or symbolic, as the argument.

    Raises
    ------
    ValueError
        The matrix is not square.

    Examples
    --------
    >>> diag_part(sp.Matrix([[1, 2], [3, 4]]))
    Matrix([
    [1, 0],
    [0, 4]])
    """
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"the diagonal part of a {matrix.shape[0]} x {matrix.shape[1]} matrix is not defined")
    if isinstance(matrix, sp.MatrixBase):
        return sp.ImmutableMatrix(sp.diag(*matrix.diagonal()))
    return sp.HadamardProduct(sp.Identity(matrix.rows), matrix)
