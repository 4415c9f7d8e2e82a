from fractions import Fraction

import pytest
import sympy as sp

from emlib.proof import NotProved, Refuted, Vacuous, exact_check
from emlib.proof.exact import Dual, derivative, determinant, inverse, product


def test_dual_numbers_follow_the_rules_of_differentiation():
    x = Dual(Fraction(3), Fraction(1))
    assert (x * x + 2 * x - 1).slope == 8
    assert (1 - x).slope == -1
    assert (1 / x).slope == Fraction(-1, 9)
    assert (x**-2).slope == Fraction(-2, 27)
    assert (x / (1 + x)).slope == Fraction(1, 16)
    assert (x**0).slope == 0
    assert (-x - x).slope == -2


def test_elimination_agrees_with_sympy():
    rows = [[0, 2, 1], [3, 0, 4], [5, 1, 0]]
    matrix = sp.Matrix(rows)
    assert determinant(rows) == int(matrix.det())
    assert sp.Matrix(3, 3, lambda i, j: sp.Rational(str(inverse(rows)[i][j]))) == matrix.inv()
    assert product(inverse(rows), rows) == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_a_singular_matrix_is_an_error():
    for function in (determinant, inverse):
        with pytest.raises(ZeroDivisionError, match="singular"):
            function([[1, 2], [2, 4]])


def test_the_derivative_of_an_inverse_needs_no_rule():
    at, direction = [[0, 1], [1, 3]], [[1, 2], [0, 1]]
    slope = derivative(inverse, at, direction)
    back = inverse(at)
    expected = [[-entry for entry in row] for row in product(product(back, direction), back)]
    assert slope == expected
    assert derivative(lambda rows: (rows[0][1], 5), at, direction) == [2, 0]


def squares(draw):
    a, b = draw("a"), draw("b")
    yield (a + b) ** 2, a**2 + 2 * a * b + b**2


def wrong_squares(draw):
    a, b = draw("a"), draw("b")
    yield (a + b) ** 2, a**2 + a * b + b**2


def test_a_true_identity_passes_with_its_bound():
    certificate = exact_check(squares, degree=2, statement="a square", trials=2)
    assert certificate.error_bound == Fraction(2, 2**61) ** 2
    assert str(certificate.scope) == "2 exact random points"
    assert not certificate.is_proof


def test_a_false_identity_is_refuted_by_small_integers():
    with pytest.raises(Refuted) as caught:
        exact_check(wrong_squares, degree=2, statement="a wrong square")
    witness = caught.value.witness
    a, b = (int(value) for _, value in witness.point)
    assert [name for name, _ in witness.point] == ["a", "b"]
    assert max(a, b) <= 9
    assert (int(witness.left), int(witness.right)) == ((a + b) ** 2, a**2 + a * b + b**2)


def test_a_difference_that_small_integers_hide_is_shown_where_it_was_found():
    hidden = sp.prod(range(1, 11))

    def claim(draw):
        a = draw("a")
        yield a + int(sp.prod([a - value for value in range(10)])), a

    assert hidden  # the product vanishes at 0..9, so no small witness exists
    with pytest.raises(Refuted) as caught:
        exact_check(claim, degree=10, statement="hidden")
    assert int(caught.value.witness.point[0][1]) > 9


def test_a_finite_field():
    prime = 2**61 - 1
    certificate = exact_check(squares, degree=2, statement="a square", modulus=prime)
    assert certificate.error_bound == Fraction(2, prime)
    assert f"modulo the prime {prime}" in certificate.method
    with pytest.raises(Refuted):
        exact_check(wrong_squares, degree=2, statement="a wrong square", modulus=prime)

    def inverses(draw):
        rows = draw.matrix(4, 4, "A")
        one, zero = rows[0][0] * 0 + 1, rows[0][0] * 0
        yield product(inverse(rows), rows), [[one if i == j else zero for j in range(4)] for i in range(4)]

    assert exact_check(inverses, degree=8, statement="A^-1 A = I", modulus=prime, size=4)


def test_nested_pairs_are_compared_entry_by_entry():
    def claim(draw):
        rows = draw.symmetric(3, "S")
        yield [list(column) for column in zip(*rows, strict=True)], rows
        yield draw.vector(2), draw.drawn and [int(value) for value in draw.drawn[-1][1].strip("[]").split(",")]

    assert exact_check(claim, degree=1, statement="a symmetric draw is symmetric")


@pytest.mark.parametrize(
    ("pairs", "error", "match"),
    [
        ([], Vacuous, "0 = 0"),
        ([(0, 0)], Vacuous, "allow_zero"),
        ([(0.5, 0.5)], TypeError, "exact numbers, not the float"),
        ([("a", "a")], TypeError, None),
        ([(None, None)], TypeError, "NoneType"),
        ([([1, 2], [1])], ValueError, "different shapes"),
        ([([1], 1)], ValueError, "different shapes"),
    ],
)
def test_bad_pairs(pairs, error, match):
    with pytest.raises(error, match=match):
        exact_check(lambda _: pairs, degree=1, statement="bad")


def test_zero_with_a_reason():
    certificate = exact_check(lambda _: [(0, 0)], degree=1, statement="nothing", allow_zero="a constant")
    assert certificate.rests_on == ("both sides are zero: a constant",)


@pytest.mark.parametrize("options", [{"degree": 0}, {"degree": 2**61}, {"degree": 1, "modulus": 15}])
def test_bad_options(options):
    with pytest.raises(ValueError):
        exact_check(squares, statement="bad", **options)


def test_points_without_a_value_are_drawn_again():
    tries = []

    def sometimes(draw):
        tries.append(draw("a"))
        if len(tries) < 3:
            raise ZeroDivisionError
        yield tries[-1], tries[-1]

    assert exact_check(sometimes, degree=1, statement="third time")
    with pytest.raises(NotProved, match="division by zero"):
        exact_check(lambda draw: [(1 / (draw("a") * 0), 1)], degree=1, statement="never")
