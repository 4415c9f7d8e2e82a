"""Lemmas 5.1-5.8 in the three layers: what the tests of true and of false claims share."""

import sympy as sp

from emlib.proof import Structured, cofactor_matrix, determinant, diag_part
from emlib.proof.exact import Dual, derivative, inverse, product
from emlib.proof.exact import determinant as exact_determinant

n, m, N, M = sp.symbols("n m N M", integer=True, positive=True)
i, j, k, q, r = sp.symbols("i j k q r", integer=True)
A, B, G = (sp.MatrixSymbol(name, n, n) for name in "ABG")
W = sp.MatrixSymbol("W", n, m)
x = sp.MatrixSymbol("x", n, 1)
rows, columns = (i, 0, n - 1), (j, 0, n - 1)

double = sp.Sum(A[i, j] * x[i, 0] * x[j, 0], rows, columns)


def delta(left, right, size=n):
    return sp.KroneckerDelta(left, right, (0, size - 1))


def moves(row, column, at_row=i, at_column=j):
    """1 if a[row, column] changes when a symmetric matrix changes at (at_row, at_column), else 0."""
    here = delta(row, at_row) * delta(column, at_column)
    mirrored = delta(row, at_column) * delta(column, at_row)
    return 1 - (1 - here) * (1 - mirrored)


def along(partials, at_row=i, at_column=j):
    """The chain rule under symmetry: the partials added up over the entries that move."""
    return sp.Sum(partials(q, r) * moves(q, r, at_row, at_column), (q, 0, n - 1), (r, 0, n - 1))


class Entries:
    """The matrices of one explicit size."""

    def __init__(self, size):
        self.size = size
        self.general = Structured("a", size)
        self.symmetric = Structured("s", size, "symmetric")
        self.a, self.s = self.general.matrix, self.symmetric.matrix
        self.b = Structured("b", size).matrix
        self.x = sp.ImmutableMatrix(sp.symbols(f"x_:{size}"))
        self.det_a, self.det_s = determinant(self.a), determinant(self.s)
        self.cof_a, self.cof_s = cofactor_matrix(self.a), cofactor_matrix(self.s)
        self.twice_off_diagonal = 2 * self.cof_s - diag_part(self.cof_s)


# --- exact arithmetic at n = 20 ---

SIZE = 20
PAIRS = ((0, 0), (0, 1), (2, 5), (18, 19))


def unit(row, column, symmetric):
    """E_ij, or E_ij + E_ji without counting the diagonal twice."""
    places = {(row, column), (column, row)} if symmetric else {(row, column)}
    return [[int((a, b) in places) for b in range(SIZE)] for a in range(SIZE)]


def transposed(matrix):
    return [list(column) for column in zip(*matrix, strict=True)]


def trace(matrix):
    return sum((matrix[place][place] for place in range(1, len(matrix))), matrix[0][0])


def det_slope(matrix, row, column, symmetric):
    return derivative(exact_determinant, matrix, unit(row, column, symmetric))


def log_det_slope(matrix, row, column):
    direction = unit(row, column, symmetric=True)
    lifted = [[Dual(*pair) for pair in zip(*both, strict=True)] for both in zip(matrix, direction, strict=True)]
    value = exact_determinant(lifted)
    return value.slope / value.value


def cofactors(matrix):
    """C = det(A) inverse(A)': exact, and computed without any derivative."""
    value = exact_determinant(matrix)
    return [[value * entry for entry in row] for row in transposed(inverse(matrix))]


def quadratic_form(matrix, vector):
    return trace(product(product([vector], matrix), transposed([vector])))
