import pytest
import sympy as sp
from sympy.matrices.expressions.diagonal import DiagMatrix, DiagonalMatrix, DiagonalOf

from emlib.proof.evaluate import Point, Undefined, Unreadable, evaluate

n, m = sp.symbols("n m", integer=True, positive=True)
i, j, k = sp.symbols("i j k", integer=True)
a, b = sp.symbols("a b")
A, B = sp.MatrixSymbol("A", n, n), sp.MatrixSymbol("B", n, n)
W, x = sp.MatrixSymbol("W", n, m), sp.MatrixSymbol("x", n, 1)
u, f = sp.IndexedBase("u"), sp.Function("f")

MA, MB = sp.Matrix([[2, 3], [1, 4]]), sp.Matrix([[0, 5], [-1, 2]])
MW, MX = sp.Matrix([[1, 2, 3], [4, 5, 6]]), sp.Matrix([3, -2])
HERE = Point(
    {n: sp.Integer(2), m: sp.Integer(3), k: sp.Integer(1), a: sp.Rational(1, 2), b: sp.Integer(-3)},
    {"A": MA, "B": MB, "W": MW, "x": MX},
    lambda _, indices: sum(indices) + 10,
)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (a + 2 * b, sp.Rational(-11, 2)),
        (b**-2, sp.Rational(1, 9)),
        (sp.sqrt(a), sp.sqrt(sp.Rational(1, 2))),
        (sp.pi * a, sp.pi / 2),
        (sp.log(a) + sp.exp(b), sp.log(sp.Rational(1, 2)) + sp.exp(-3)),
        (sp.Sum(i * j, (i, 1, j), (j, 1, m)), 1 + 6 + 18),
        (sp.Sum(i, (i, 2, 1)), 0),
        (sp.Product(i + 1, (i, 1, m)), 24),
        (sp.Sum(u[i] * f(i), (i, 0, 1)), 10 * 10 + 11 * 11),
        (sp.KroneckerDelta(k, 1), 1),
        (sp.KroneckerDelta(k, 1, (2, n)), 0),
        (sp.KroneckerDelta(k, 1, (0, n - 1)), 1),
        (A[k, 0], 1),
        (A.T[k, 0], 3),
        (sp.Trace(A * B), (MA * MB).trace()),
        (sp.Determinant(A), 5),
        (2 * sp.Determinant(A) * A.I, 2 * MA.adjugate()),
        (A - B.T, MA - MB.T),
        (A**-2, MA.inv() ** 2),
        (A**3, MA**3),
        (sp.Identity(n) + sp.OneMatrix(n, n) + sp.ZeroMatrix(n, n), sp.Matrix([[2, 1], [1, 2]])),
        (sp.HadamardProduct(A, B), MA.multiply_elementwise(MB)),
        (sp.HadamardPower(A, 2), MA.multiply_elementwise(MA)),
        (sp.KroneckerProduct(A, W), sp.kronecker_product(MA, MW)),
        (DiagMatrix(x), sp.diag(3, -2)),
        (DiagonalMatrix(A), sp.diag(2, 4)),
        (DiagonalOf(A), sp.Matrix([2, 4])),
        (
            sp.BlockMatrix([[A, W], [W.T, sp.OneMatrix(m, m)]]),
            sp.Matrix(sp.BlockMatrix([[MA, MW], [MW.T, sp.ones(3)]])),
        ),
        (sp.Matrix([a, b]), sp.Matrix([sp.Rational(1, 2), -3])),
    ],
)
def test_values(expression, value):
    assert evaluate(expression, HERE) == value


@pytest.mark.parametrize(
    ("expression", "match"),
    [
        (1 / (b + 3), "division by zero"),
        (sp.sqrt(b), "root of a negative"),
        (sp.log(b), "log of -3"),
        (sp.tan(sp.pi * a), "zoo"),
        ((A - MA).I, "singular"),
        (sp.MatrixSymbol("A", n, n)[k + 5, 0], "entry"),
        (sp.Sum(i, (i, 0, 10**6)), "1000001 terms"),
    ],
)
def test_points_without_a_value(expression, match):
    with pytest.raises(Undefined, match=match):
        evaluate(expression, HERE)


def test_shapes_that_do_not_fit_at_this_point():
    square = sp.MatrixSymbol("W", n, n)  # at the point above W is 2 x 3
    with pytest.raises(Undefined, match="not square"):
        evaluate(sp.Determinant(square), HERE)
    with pytest.raises(Undefined, match="different shapes"):
        evaluate(sp.HadamardProduct(A, square), HERE)


@pytest.mark.parametrize(
    ("expression", "match"),
    [
        (sp.Symbol("unknown"), "no value is given for unknown"),
        (sp.MatrixSymbol("Z", n, n), "matrix Z"),
        (sp.Integral(a, a), "cannot evaluate a Integral"),
    ],
)
def test_what_is_not_known(expression, match):
    with pytest.raises(Unreadable, match=match):
        evaluate(expression, HERE)
