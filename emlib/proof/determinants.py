"""Determinants, cofactors and permutation sums over polynomial rings, in milliseconds.

SymPy's `Matrix.det` and `Matrix.inv` simplify as they go: they need over 20 s at n = 6 and n = 4.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection

import sympy as sp
from sympy.combinatorics import Permutation

LARGEST_LEIBNIZ = 8


def determinant(matrix: sp.MatrixBase) -> sp.Expr:
    """Return the determinant as an expanded polynomial, by a division-free method (Berkowitz).

    Parameters
    ----------
    matrix : sympy matrix, shape (n, n)
        Entries: numbers, symbols, polynomials, quotients of polynomials.

    Returns
    -------
    sympy.Expr
        Expanded.

    Raises
    ------
    ValueError
        The matrix is not square.

    Examples
    --------
    >>> a, b, c, d = sp.symbols("a b c d")
    >>> determinant(sp.Matrix([[a, b], [c, d]]))
    a*d - b*c
    """
    _refuse_not_square(matrix)
    if matrix.rows == 0:
        return sp.Integer(1)
    domain = matrix.to_DM()
    return domain.domain.to_sympy(domain.charpoly_berk()[-1] * (-1) ** matrix.rows)


def cofactor(matrix: sp.MatrixBase, row: int, column: int) -> sp.Expr:
    """Return the cofactor C_ij: (-1)^(i+j) times the determinant without row i and column j (from 0).

    Parameters
    ----------
    matrix : sympy matrix, shape (n, n)
        A square matrix.
    row, column : int
        The entry, counted from 0.

    Returns
    -------
    sympy.Expr
        Expanded.

    Raises
    ------
    ValueError
        The matrix is not square or has no such entry.

    Examples
    --------
    >>> cofactor(sp.Matrix([[1, 2], [3, 4]]), 0, 1)
    -3
    """
    _refuse_not_square(matrix)
    if not (0 <= row < matrix.rows and 0 <= column < matrix.cols):
        raise ValueError(f"no entry ({row}, {column}) in a {matrix.rows} x {matrix.cols} matrix; indices count from 0")
    minor = sp.Matrix(matrix)
    minor.row_del(row)
    minor.col_del(column)
    return (-1) ** (row + column) * determinant(minor)


def cofactor_matrix(matrix: sp.MatrixBase) -> sp.ImmutableMatrix:
    """Return the matrix of all cofactors; its transpose is the adjugate, det(A) times the inverse of A.

    Parameters
    ----------
    matrix : sympy matrix, shape (n, n)
        A square matrix.

    Returns
    -------
    sympy.ImmutableMatrix, shape (n, n)
        Entry (i, j) is the cofactor of row i and column j.

    Examples
    --------
    >>> cofactor_matrix(sp.Matrix([[1, 2], [3, 4]]))
    Matrix([
    [ 4, -3],
    [-2,  1]])
    """
    _refuse_not_square(matrix)
    return sp.ImmutableMatrix(matrix.rows, matrix.cols, lambda i, j: cofactor(matrix, int(i), int(j)))


def leibniz(
    matrix: sp.MatrixBase,
    keep: Callable[[tuple[int, ...]], bool] | None = None,
    skip: Collection[int] = (),
) -> sp.Expr:
    """Return the sum over permutations of sgn(p) times the product of the entries a[k, p(k)].

    Parameters
    ----------
    matrix : sympy matrix, shape (n, n)
        At most 8 x 8.
    keep : callable, optional
        Which permutations to sum over; a permutation is the tuple (p(0), p(1), ...). All, unless told.
    skip : collection of int
        Rows left out of the product.

    Returns
    -------
    sympy.Expr
        Not expanded.

    Raises
    ------
    ValueError
        The matrix is not square or too large, or a skipped row does not exist.

    Examples
    --------
    The part of det(A) that holds a[0, 1], without that entry:

    >>> a = sp.Matrix(2, 2, sp.symbols("a:2:2"))
    >>> leibniz(a, keep=lambda p: p[0] == 1, skip=(0,))
    -a10
    """
    _refuse_not_square(matrix)
    if matrix.rows > LARGEST_LEIBNIZ:
        raise ValueError(f"{matrix.rows}! permutations are too many; use determinant() beyond n = {LARGEST_LEIBNIZ}")
    if not set(skip) <= set(range(matrix.rows)):
        raise ValueError(f"cannot skip rows {sorted(skip)} of a matrix with {matrix.rows} rows")
    rows = [row for row in range(matrix.rows) if row not in skip]
    return sp.Add(
        *(
            Permutation(list(p)).signature() * sp.prod([matrix[row, p[row]] for row in rows])
            for p in itertools.permutations(range(matrix.rows))
            if keep is None or keep(p)
        )
    )


def _refuse_not_square(matrix: sp.MatrixBase) -> None:
    if matrix.rows != matrix.cols:
        raise ValueError(f"the matrix is {matrix.rows} x {matrix.cols}, not square")
