import pytest
import sympy as sp

from emlib.proof.sums import SumsTo
from emlib.proof.witness import find_witness

n, m, M = sp.symbols("n m M", integer=True, positive=True)
i, j, k, q = sp.symbols("i j k q", integer=True)
A, P = sp.MatrixSymbol("A", n, n), sp.MatrixSymbol("P", n, m)
p, s, u = (sp.IndexedBase(name) for name in "psu")


def value(witness, name):
    return sp.sympify(dict(witness.point)[name])


def test_a_true_claim_has_no_witness():
    a, b = sp.symbols("a b")
    assert find_witness((a + b) ** 2, a**2 + 2 * a * b + b**2) is None
    assert find_witness(A.T * A, (A.T * A).T) is None


def test_assumptions_on_signs_are_obeyed():
    signs = ("positive", "nonnegative", "negative", "nonpositive")
    symbols = [sp.Symbol(sign, **{sign: True}) for sign in signs]
    integers = [sp.Symbol(f"{sign}_integer", integer=True, **{sign: True}) for sign in signs]
    for symbol in (*symbols, *integers):
        for seed in range(5):
            number = value(find_witness(symbol, symbol + 1, seed=seed), symbol.name)
            assert getattr(number, f"is_{symbol.name.split('_')[0]}")
    assert find_witness(sp.sqrt(symbols[0] ** 2), symbols[0]) is None


def test_symmetric_families_are_symmetric():
    assert find_witness(A, A.T, symmetric=[A]) is None
    assert find_witness(s[i, j], s[j, i], symmetric=[s]) is None
    assert find_witness(s[i, j], s[j, i]) is not None


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_normalised_matrices_and_families_are_normalised(axis):
    total = sp.Integer(5)
    along = {0: (P[q, k], (q, 0, n - 1)), 1: (P[k, q], (q, 0, m - 1)), -1: (P[k, q], (q, 0, m - 1))}[axis]
    rule = SumsTo(P, *along[1][1:], axis=axis, total=total)
    assert find_witness(sp.Sum(*along), total, normalised=[rule]) is None
    assert find_witness(sp.Sum(*along), total + 1, normalised=[rule]) is not None
    family = {0: p[q, k], 1: p[k, q], -1: p[k, q]}[axis]
    rule = SumsTo(p, 1, M, axis=axis)
    assert find_witness(sp.Sum(family, (q, 1, M)), 1, normalised=[rule]) is None
    assert find_witness(sp.Sum(family * q, (q, 1, M)), 1, normalised=[rule]) is not None


def test_a_total_or_a_bound_may_stand_in_neither_side():
    W = sp.Symbol("W", positive=True)
    found = find_witness(sp.Sum(p[q] * u[k], (q, 1, M)), 2 * u[k], normalised=[SumsTo(p, 1, M, total=m * W)])
    shares = [sp.Rational(number) for name, number in found.point if name.startswith("p[")]
    assert sum(shares) == value(found, "m") * value(found, "W")
    assert sp.Rational(found.left) == sum(shares) * value(found, f"u[{value(found, 'k')}]")
    rows = find_witness(sp.Sum(P[k, q], (q, 0, m - 1)), 2, normalised=[SumsTo(P, 0, m - 1, total=W)])
    assert all(sum(row) == value(rows, "W") for row in value(rows, "P"))
    assert sum(sp.Rational(v) for name, v in find_witness(p[1], p[2] + 1, normalised=[SumsTo(p, 1, M)]).point[1:]) == 1
    assert "W" not in dict(find_witness(u[1], u[2], normalised=[SumsTo(p, 1, M, total=W)]).point)


def test_shares_of_a_total_meet_the_assumptions_on_the_family():
    q_, total = sp.IndexedBase("q", positive=True), sp.Symbol("V", real=True)
    rule = SumsTo(q_, 1, M, total=total)
    assert find_witness(sp.Abs(q_[1]), q_[1], normalised=[rule]) is None
    assert find_witness(q_[1], 2 * q_[1], normalised=[rule]) is not None


def test_families_with_two_rules_are_left_alone():
    rules = [SumsTo(P, 0, m - 1), SumsTo(P, 0, n - 1, axis=0)]
    assert find_witness(P[k, q], P[k, q] + 1, normalised=rules) is None
    assert find_witness(A[k, q], A[k, q] + 1, symmetric=[A], normalised=[SumsTo(A, 0, n - 1)]) is None


def test_every_declared_assumption_is_obeyed():
    even = sp.Symbol("even", even=True)
    for seed in range(5):
        assert value(find_witness(even, even + 1, seed=seed), "even") % 2 == 0
    imaginary = sp.Symbol("imaginary", imaginary=True)
    assert find_witness(imaginary**2, sp.Integer(1)) is None
    positive = sp.IndexedBase("positive", positive=True)
    assert find_witness(sp.sqrt(positive[k] ** 2), sp.Abs(positive[k])) is None
    odd = sp.Symbol("odd", odd=True, positive=True)
    assert value(find_witness(sp.Sum(u[i], (i, 1, odd)), 0), "odd") % 2 == 1


def test_normalised_positive_families_stay_positive():
    q_ = sp.IndexedBase("q", positive=True)
    found = find_witness(sp.Sum(q_[i] * i, (i, 1, M)), 1, normalised=[SumsTo(q_, 1, M)])
    assert all(sp.Rational(number) > 0 for name, number in found.point if name.startswith("q"))


def test_ranges_are_obeyed():
    for seed in range(10):
        found = find_witness(u[k], u[k] + 1, ranges={k: (2, M)}, seed=seed)
        assert 2 <= value(found, "k") <= value(found, "M")


def test_a_range_that_is_always_empty_gives_no_point():
    assert find_witness(u[k], u[k] + 1, ranges={k: (5, 4)}) is None


def test_matrices_that_would_be_empty_are_passed_over():
    small = sp.MatrixSymbol("S", n - 1, n - 1)
    found = find_witness(sp.Trace(small), sp.Trace(small) + 1)
    assert value(found, "n") >= 2


def test_the_first_differing_entry_is_named():
    assert find_witness(sp.Matrix([1, 2]), sp.Matrix([1, 3])).where == "entry (1, 0)"


def test_shapes_that_differ_at_the_point():
    found = find_witness(sp.MatrixSymbol("S", n, n), sp.OneMatrix(n, m))
    assert found.where == "shape"


def test_the_point_rebuilds_the_difference():
    found = find_witness(sp.Trace(A * A), sp.Trace(A) ** 2)
    matrix = sp.Matrix(value(found, "A"))
    assert (str((matrix**2).trace()), str(matrix.trace() ** 2)) == (found.left, found.right)


def test_indexed_values_are_shown():
    found = find_witness(sp.Sum(u[i], (i, 1, 2)), 3 * u[1])
    assert {name for name, _ in found.point} == {"u[1]", "u[2]"}
