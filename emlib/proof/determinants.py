"""Determinants, cofactors and permutation sums over polynomial rings, in milliseconds.

SymPy's `Matrix.det` and `Matrix.inv` simplify as they go: they need over 20 s at n = 6 and n = 4. Quotients of
polynomials are cleared of their denominators first: common factors in many unknowns cost minutes.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Collection
from functools import reduce
from typing import Any

import sympy as sp
from sympy.combinatorics import Permutation

from emlib.proof._limits import OutOfBudget, spend, work_limit
from emlib.proof.rational import Quotient, exact_quotient

LARGEST_LEIBNIZ = 8
MOST_PRODUCTS = 2_000_000  # of terms; a few seconds


def determinant(matrix: sp.MatrixBase) -> sp.Expr:
    """Return the determinant as an expanded polynomial, without a division.

    Parameters
    ----------
    matrix : sympy matrix, shape (n, n)
        Entries: numbers, symbols, polynomials, quotients of polynomials.

    Returns
    -------
    sympy.Expr
        Expanded; a quotient of expanded polynomials if there are quotients among the entries.

    Raises
    ------
    ValueError
        The matrix is not square, or its determinant has too many terms to be written out.

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
    try:
        with work_limit(MOST_PRODUCTS):
            return _determinant(domain)
    except OutOfBudget as error:
        raise ValueError(
            f"the determinant of this {matrix.rows} x {matrix.cols} matrix is too large to be written out: {error}; "
            "try a smaller size, or numbers in place of symbols"
        ) from error


def _determinant(matrix: Any) -> sp.Expr:
    rows, domain = matrix.to_list(), matrix.domain
    if domain.is_FractionField:
        return _determinant_of_quotients(rows, domain.field.ring)
    if domain.is_PolynomialRing:
        return _minor(rows, tuple(range(len(rows))), domain.ring, {}).as_expr()
    return domain.to_sympy(matrix.charpoly_berk()[-1] * (-1) ** len(rows))


def _minor(rows: Any, columns: tuple[int, ...], ring: Any, known: dict[tuple[int, ...], Any]) -> Any:
    """Expand the minor of the last rows along its first row; minors are computed once."""
    if not columns:
        return ring.one
    if columns not in known:
        total = ring.zero
        for place, column in enumerate(columns):
            entry = rows[-len(columns)][column]
            if entry:
                below = _minor(rows, columns[:place] + columns[place + 1 :], ring, known)
                spend(len(entry) * len(below))
                total = total + entry * below * (-1) ** place
        known[columns] = total
    return known[columns]


def _determinant_of_quotients(rows: Any, ring: Any) -> sp.Expr:
    """Multiply every row by its denominators, and divide the determinant by them."""
    below = [reduce(_common_multiple, (entry.denom for entry in row)) for row in rows]
    cleared = [
        [entry.numer * exact_quotient(multiple, entry.denom) for entry in row]
        for row, multiple in zip(rows, below, strict=True)
    ]
    return Quotient(_minor(cleared, tuple(range(len(rows))), ring, {}), Counter(below)).as_expr()


def _common_multiple(one: Any, other: Any) -> Any:
    """Return a common multiple of two polynomials, the least one if one divides the other."""
    if exact_quotient(one, other) is not None:
        return one
    return other if exact_quotient(other, one) is not None else one * other


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
