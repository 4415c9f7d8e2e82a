"""Gradients of symbolic size, against closed forms and against difference quotients of explicit matrices."""

from __future__ import annotations

from typing import Any

import pytest
import sympy as sp
from sympy.matrices.expressions.determinant import Determinant
from sympy.matrices.expressions.diagonal import DiagMatrix, DiagonalOf
from sympy.matrices.expressions.hadamard import HadamardPower, HadamardProduct
from sympy.matrices.expressions.kronecker import KroneckerProduct

from emlib.proof import (
    Unsupported,
    differential,
    gradient,
    matrix_normal_form,
    second_differential,
    steepest_ascent,
)
from emlib.proof.evaluate import Point, evaluate
from emlib.proof.gradients import vanishes

n, m = sp.symbols("n m", integer=True, positive=True)
R = sp.Symbol("R", positive=True)
A, B, C, X, V = (sp.MatrixSymbol(name, n, n) for name in "ABCXV")
Y = sp.MatrixSymbol("Y", n, m)
a, b, x = (sp.MatrixSymbol(name, n, 1) for name in "abx")
one = sp.Identity(n)
T = sp.Trace

# SymPy 1.14 answers 0, or wrongly, on each of these (tests/proof/test_sympy_zeros.py records what it says).
SILENT_ZEROS = [
    (sp.log(Determinant(X)), X, X.T.I),
    (R * sp.log(Determinant(X)) - T(X * A), X, R * X.T.I - A.T),
    (T(X) + 1, X, one),
    (T(X * A) + R, X, A.T),
    (Determinant(X) ** 2, X, 2 * Determinant(X) ** 2 * X.T.I),
    (T(A * X) * Determinant(X), X, Determinant(X) * A.T + T(A * X) * Determinant(X) * X.T.I),
    (sp.log(T(X)), X, one / T(X)),
    (sp.exp(T(X)), X, sp.exp(T(X)) * one),
    (a.T * X.I * b, X, -X.T.I * a * b.T * X.T.I),
    (x.T * A * x, x, (A + A.T) * x),
    (T(A.T * A) + T(B.T * B), A, 2 * A),
    (-sp.log(Determinant(A)) / 2 - T(A.I * B) / 2, A, -A.T.I / 2 + A.T.I * B.T * A.T.I / 2),
    (sp.log(T(x.T * A * x)), x, (A + A.T) * x / T(x.T * A * x)),
    (sp.exp(-T(x.T * A * x) / 2), x, -sp.exp(-T(x.T * A * x) / 2) * (A + A.T) * x / 2),
    (sp.sqrt(T(X.T * X)), X, X / sp.sqrt(T(X.T * X))),
]
OTHERS = [
    (T(HadamardProduct(X, A) * B), X, HadamardProduct(A, B.T)),
    (T(HadamardPower(X, 3) * B), X, 3 * HadamardProduct(X, X, B.T)),
    (T(KroneckerProduct(A, X)), X, T(A) * one),
    (T(KroneckerProduct(X, X) * KroneckerProduct(A, B)), X, T(X * A) * B.T + T(X * B) * A.T),
    (T(DiagMatrix(x) * A), x, DiagonalOf(A)),
    (T(A * DiagMatrix(DiagonalOf(X))), X, HadamardProduct(A, one)),
    (T((A + X * B).I * C), X, -((B * (A + X * B).I * C * (A + X * B).I).T)),
    (sp.log(Determinant(Y.T * Y)), Y, 2 * Y * (Y.T * Y).I),
    (Determinant(A + x * x.T), x, Determinant(A) * (A.I + A.I.T) * x),
    (T(X**3 * A), X, (A * X**2 + X * A * X + X**2 * A).T),
    (T(X.I**2), X, -2 * (X.I**3).T),
    (sp.OneMatrix(1, n) * X * sp.OneMatrix(n, 1), X, sp.OneMatrix(n, 1) * sp.OneMatrix(1, n)),
    (T(A), X, sp.ZeroMatrix(n, n)),
]


@pytest.mark.parametrize(("f", "by", "expected"), SILENT_ZEROS + OTHERS)
def test_gradient_has_its_closed_form(f: Any, by: Any, expected: Any) -> None:
    assert vanishes(gradient(f, by) - expected)


@pytest.mark.parametrize(("f", "by", "expected"), SILENT_ZEROS + OTHERS[:-1])
def test_a_wrong_factor_is_seen(f: Any, by: Any, expected: Any) -> None:
    assert not vanishes(gradient(f, by) - 2 * expected)


POINT = {
    "A": [[3, 1], [-1, 2]],
    "B": [[1, 2], [0, 1]],
    "C": [[2, -1], [1, 1]],
    "X": [[4, 1], [2, 3]],
    "Y": [[2], [1]],
    "a": [[1], [2]],
    "b": [[-1], [3]],
    "x": [[2], [1]],
}
STEP = sp.Rational(1, 10**6)


def value(expr: Any, **changed: sp.Matrix) -> Any:
    matrices = {name: sp.Matrix(rows) for name, rows in POINT.items()} | changed
    point = Point({n: sp.Integer(2), m: sp.Integer(1), R: sp.Integer(3)}, matrices, lambda *_: sp.nan)
    return evaluate(expr, point)


def number(f: Any, **changed: sp.Matrix) -> float:
    result = value(f, **changed)
    return float(result[0, 0] if isinstance(result, sp.MatrixBase) else result)


STRUCTURED = [
    (f, by, structure)
    for f, by, _ in SILENT_ZEROS + OTHERS
    for structure in ("general", "symmetric", "diagonal")
    if structure == "general" or by.shape == (n, n)
]


@pytest.mark.parametrize(("f", "by", "structure"), STRUCTURED)
def test_gradient_agrees_with_difference_quotients(f: Any, by: Any, structure: str) -> None:
    start = sp.Matrix(POINT[by.name])
    if structure == "symmetric":
        start = start + start.T
    if structure == "diagonal":
        start = sp.diag(*start.diagonal())
    found = value(gradient(f, by, structure), **{by.name: start})
    for row in range(start.rows):
        for col in range(start.cols):
            step = sp.zeros(*start.shape)
            step[row, col] = STEP
            if structure == "symmetric":
                step[col, row] = STEP
            if structure == "diagonal" and row != col:
                assert found[row, col] == 0
                continue
            ahead, behind = (number(f, **{by.name: start + sign * step}) for sign in (1, -1))
            assert float(found[row, col]) == pytest.approx((ahead - behind) / float(2 * STEP), rel=1e-5, abs=1e-7)


def test_the_two_symmetric_conventions_differ_by_the_diagonal() -> None:
    f = sp.log(Determinant(X))
    assert vanishes(gradient(f, X, "symmetric") - 2 * X.I + HadamardProduct(one, X.I), symmetric=(X,))
    assert vanishes(steepest_ascent(f, X, "symmetric") - X.I, symmetric=(X,))
    assert vanishes(steepest_ascent(T(A * X), X, "symmetric") - (A + A.T) / 2)
    assert vanishes(steepest_ascent(T(A * X), X, "diagonal") - HadamardProduct(one, A))
    assert vanishes(steepest_ascent(T(A * X), X) - A.T)


def test_differentials() -> None:
    assert vanishes(differential(X.I, X, V) + X.I * V * X.I)
    assert vanishes(differential(Determinant(X), X, V) - Determinant(X) * T(X.I * V))
    assert vanishes(differential(X.T, X, V) - V.T)
    assert vanishes(differential(HadamardProduct(X, A, X), X, V) - 2 * HadamardProduct(X, A, V))
    assert vanishes(differential(DiagMatrix(x), x, a) - DiagMatrix(a))
    second = second_differential(R * sp.log(Determinant(X)) / 2, X, V, symmetric=(X, V))
    assert vanishes(second + R * T(X.I * V * X.I * V) / 2)
    assert vanishes(second_differential(x.T * A * x, x, a) - 2 * T(a.T * A * a))


def test_normal_form_identifies_cyclic_shifts_and_transposes() -> None:
    assert matrix_normal_form(T(A * B * C) - T(C * A * B)) == 0
    assert matrix_normal_form(T(A * B) - T(B.T * A.T)) == 0
    assert matrix_normal_form((A * B).T - B.T * A.T) == sp.ZeroMatrix(n, n)
    assert matrix_normal_form(A.T - A, symmetric=(A,)) == sp.ZeroMatrix(n, n)
    assert not vanishes(T(A * B * C) - T(B * A * C))


def test_every_kind_of_letter_is_written_back() -> None:
    samples = [
        HadamardProduct(A, B) * C,
        KroneckerProduct(A, B),
        DiagMatrix(x) * A,
        HadamardProduct(A, one),
        (A + B).I,
        sp.OneMatrix(n, n) * A,
        A.T.I,
    ]
    for sample in samples:
        assert vanishes(matrix_normal_form(sample) - sample)
    scalar = T(HadamardProduct(A, B) * HadamardProduct(C, X))
    assert vanishes(matrix_normal_form(scalar) - scalar)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: gradient((x.T * A * x)[0, 0], x), Unsupported, "Trace"),
        (lambda: gradient(T(A**n), A), Unsupported, "integer"),
        (lambda: gradient(T(HadamardPower(A, n)), A), Unsupported, "integer"),
        (lambda: gradient(A * x, x), TypeError, "scalar"),
        (lambda: gradient(T(A), R), TypeError, "MatrixSymbol"),
        (lambda: gradient(T(A), A, "hermitian"), ValueError, "structure"),
        (lambda: gradient(T(Y.T * Y), Y, "symmetric"), ValueError, "square"),
        (lambda: gradient(T(KroneckerProduct(A, X) * sp.MatrixSymbol("K", n * n, n * n)), X), Unsupported, "no rule"),
        (lambda: gradient(T(sp.MatrixSymbol("F", n, n).applyfunc(sp.sin)), X), Unsupported, "no rule"),
        (lambda: second_differential(T(X * X), X, X * A), ValueError, "constant"),
    ],
)
def test_what_has_no_rule_is_an_error_never_a_zero(call: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call()
