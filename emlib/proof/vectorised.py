"""vec, vech, and the 0-1 matrices that relate them."""

from __future__ import annotations

import sympy as sp


def vec(matrix: sp.MatrixBase) -> sp.ImmutableMatrix:
    """Return the columns stacked into one, shape (mn, 1).

    Parameters
    ----------
    matrix : sympy matrix, shape (m, n)
        Any matrix.

    Returns
    -------
    sympy.ImmutableMatrix, shape (mn, 1)
        Column by column.

    Examples
    --------
    >>> list(vec(sp.Matrix([[1, 2], [3, 4]])))
    [1, 3, 2, 4]
    """
    return sp.ImmutableMatrix(matrix.vec())


def vech(matrix: sp.MatrixBase) -> sp.ImmutableMatrix:
    """Return the columns of the lower triangle stacked into one, shape (n(n+1)/2, 1).

    Parameters
    ----------
    matrix : sympy matrix, shape (n, n)
        A square matrix.

    Returns
    -------
    sympy.ImmutableMatrix, shape (n(n+1)/2, 1)
        Column by column, from the diagonal down.

    Examples
    --------
    >>> list(vech(sp.Matrix([[1, 2], [2, 4]])))
    [1, 2, 4]
    """
    return sp.ImmutableMatrix(matrix.vech(check_symmetry=False))


def duplication(size: int) -> sp.ImmutableMatrix:
    """Return D with vec(A) = D vech(A) for symmetric A, shape (n^2, n(n+1)/2).

    Parameters
    ----------
    size : int
        The number n of rows of A.

    Returns
    -------
    sympy.ImmutableMatrix, shape (n^2, n(n+1)/2)
        Zeros and ones.

    Examples
    --------
    >>> S = sp.Matrix([[1, 2], [2, 4]])
    >>> duplication(2) * vech(S) == vec(S)
    True
    """
    lower = _lower(size)
    places = {place: index for index, place in enumerate(lower)}
    ones = {(j * size + i, places[max(i, j), min(i, j)]): 1 for j in range(size) for i in range(size)}
    return sp.ImmutableMatrix(size * size, len(lower), lambda row, column: ones.get((row, column), 0))


def elimination(size: int) -> sp.ImmutableMatrix:
    """Return L with vech(A) = L vec(A) for every A, shape (n(n+1)/2, n^2).

    Parameters
    ----------
    size : int
        The number n of rows of A.

    Returns
    -------
    sympy.ImmutableMatrix, shape (n(n+1)/2, n^2)
        Zeros and ones.

    Examples
    --------
    >>> A = sp.Matrix([[1, 2], [3, 4]])
    >>> elimination(2) * vec(A) == vech(A)
    True
    """
    lower = _lower(size)
    return sp.ImmutableMatrix(
        len(lower), size * size, lambda row, column: int(lower[row] == (column % size, column // size))
    )


def commutation(rows: int, columns: int) -> sp.ImmutableMatrix:
    """Return K with vec(A') = K vec(A) for A of shape (rows, columns).

    Parameters
    ----------
    rows, columns : int
        Shape of A.

    Returns
    -------
    sympy.ImmutableMatrix, shape (mn, mn)
        Zeros and ones.

    Examples
    --------
    >>> A = sp.Matrix([[1, 2, 3], [4, 5, 6]])
    >>> commutation(2, 3) * vec(A) == vec(A.T)
    True
    """
    size = rows * columns
    return sp.ImmutableMatrix(
        size, size, lambda to, start: int((to // columns, to % columns) == (start % rows, start // rows))
    )


def _lower(size: int) -> list[tuple[int, int]]:
    """Return the places of the lower triangle, column by column."""
    return [(i, j) for j in range(size) for i in range(j, size)]
