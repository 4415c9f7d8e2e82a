import pytest
import sympy as sp
from sympy.tensor.array.expressions.array_expressions import ZeroArray

from emlib.proof import (
    Certificate,
    NotProved,
    NotRefuted,
    Refuted,
    Scope,
    Structured,
    SumError,
    SumsTo,
    Vacuous,
    cofactor_matrix,
    determinant,
    prove_equal,
    prove_for_sizes,
    refute,
)

a, b, c, t = sp.symbols("a b c t")
n, m, N, M = sp.symbols("n m N M", integer=True, positive=True)
i, j, k, r = sp.symbols("i j k r", integer=True)
A, B, P = (sp.MatrixSymbol(name, n, n) for name in "ABP")
W = sp.MatrixSymbol("W", n, m)
x = sp.MatrixSymbol("x", n, 1)
p, q, w = (sp.IndexedBase(name) for name in "pqw")


# --- what is proved ---


@pytest.mark.parametrize(
    ("lhs", "rhs", "conditions"),
    [
        ((a + b) ** 2, a**2 + 2 * a * b + b**2, ()),
        (1 / a + 1 / b, (a + b) / (a * b), ("a != 0", "b != 0")),
        (1 / (a - b) + 1 / (b - a) + c, c, ("a - b != 0",)),
        (sp.log(a * b + a * c), sp.log(a) + sp.log(b + c), ("a > 0", "b + c > 0")),
        (sp.log(6 * a / b), sp.log(2) + sp.log(3) + sp.log(a) - sp.log(b), ("a > 0", "b != 0", "b > 0")),
        (sp.log(a**2), 2 * sp.log(a), ("a > 0",)),
        (sp.log(-a), sp.log(3) + sp.log(-a / 3), ("-a > 0",)),
        (sp.log(a * sp.exp(b)), sp.log(a) + b, ("a > 0",)),
        (sp.exp(a) * sp.exp(b - a), sp.exp(b), ()),
        (sp.exp(2 * a) + 2 * sp.exp(a) + 1, (sp.exp(a) + 1) ** 2, ()),
        (sp.sqrt(a + b) ** 2 + sp.sqrt(b + a), a + b + sp.sqrt((a**2 - b**2) / (a - b)), ("a - b != 0",)),
        (sp.sin(a * (b + c)), sp.sin(a * b + a * c), ()),
        ((a + 1) ** 100 / (a + 1) ** 99, a + 1, ("a + 1 != 0",)),
    ],
)
def test_scalars(lhs, rhs, conditions):
    certificate = prove_equal(lhs, rhs)
    assert set(certificate.conditions) <= set(conditions)
    assert str(certificate.scope) == "every value of the symbols"
    assert certificate.is_proof


@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_log_of_the_determinant_of_an_inverse(size):
    matrix = Structured("a", size).matrix
    det = determinant(matrix)
    inverse = cofactor_matrix(matrix).T / det
    assert determinant(inverse) == 1 / det
    for left in (determinant(inverse), sp.Matrix(inverse).det(method="laplace")):
        certificate = prove_equal(sp.log(left), -sp.log(det), names={"det": det})
        assert set(certificate.conditions) == {"det != 0", "det > 0"}
    with pytest.raises(Refuted):
        prove_equal(sp.log(determinant(inverse)), sp.log(det))


def test_logs_too_large_to_factor():
    matrix = Structured("a", 4).matrix
    det, adjugate = determinant(matrix), determinant(cofactor_matrix(matrix).T)
    certificate = prove_equal(t * sp.log(adjugate), 3 * t * sp.log(det), names={"det": det})
    assert set(certificate.conditions) == {"det > 0", f"(a sum of {len(adjugate.args)} terms) > 0"}


@pytest.mark.parametrize(
    ("lhs", "rhs", "conditions"),
    [
        (sp.log(1 / (b - a)), -sp.log(b - a), {"-a + b > 0", "a - b != 0"}),
        (sp.log((b - a) * (c - b)), sp.log((a - b) * (b - c)), {"a - b > 0", "b - c > 0"}),
        (sp.log(1 - a**2), sp.log(1 - a) + sp.log(1 + a), {"1 - a > 0", "a + 1 > 0"}),
        (sp.log(-(a**2)), sp.log(-(a**2) / 2) + sp.log(2), {"-a**2 > 0", "-a**2/2 > 0"}),
        (sp.log((a + b + c) ** 64), 64 * sp.log(a + b + c), {"a + b + c > 0"}),
    ],
)
def test_signs_inside_logs(lhs, rhs, conditions):
    assert set(prove_equal(lhs, rhs).conditions) == conditions


def test_logs_of_both_signs_prove_nothing():
    with pytest.raises(NotProved):
        prove_equal(sp.log(a * b), sp.log(-a) + sp.log(-b))
    with pytest.raises(Refuted):
        prove_equal(t * sp.log(a) + c, c)


def test_what_is_too_large_is_not_proved():
    total = sum(sp.symbols("y:12"))
    with pytest.raises(NotProved, match="too large"):
        prove_equal(total**40, (2 * total) ** 40 / 2**40)
    with pytest.raises(Refuted):
        prove_equal(total**40, total**39 * a)


def test_declared_signs_need_no_condition():
    u = sp.Symbol("u", positive=True)
    assert prove_equal(sp.log(u**2) / u, 2 * sp.log(u) / u).conditions == ()


def test_a_long_denominator_gets_its_name():
    determinant = a * b - c**2
    certificate = prove_equal(a / determinant - b / -determinant, (a + b) / determinant, names={"det(A)": determinant})
    assert certificate.conditions == ("det(A) != 0",)


def test_explicit_matrices():
    left = sp.Matrix([[a, b], [b, c]])
    assert prove_equal(left * left, sp.Matrix([[a**2 + b**2, b * (a + c)], [a * b + b * c, b**2 + c**2]])).is_proof
    explicit = sp.MatrixSymbol("S", 2, 2)
    assert prove_equal(explicit.T + explicit, (explicit + explicit.T).as_explicit()).is_proof


def test_symbolic_matrices_entry_by_entry():
    certificate = prove_equal(A * (B + P), P.T.T + A * B + A * P - P)
    assert str(certificate.scope) == "every n >= 1"
    assert certificate.conditions == ()
    assert prove_equal(A.I * B + A.I * P, A.I * (P + B)).conditions == ("det(A) != 0",)


def test_sums_traces_and_symmetric_families():
    assert str(prove_equal(sp.Trace(A * B), sp.Trace(B * A)).scope) == "every n >= 1"
    skew = sp.Sum(P[i, j] * (x[i, 0] - x[j, 0]), (i, 0, n - 1), (j, 0, n - 1))
    twice = sp.Sum(P[i, j] * x[i, 0], (i, 0, n - 1), (j, 0, n - 1))
    back = sp.Sum(P[i, j] * x[i, 0], (j, 0, n - 1), (i, 0, n - 1))
    assert prove_equal(skew + twice, back, symmetric=[P]).conditions == ("P is symmetric",)
    with pytest.raises(Refuted):
        prove_equal(skew + twice, back)
    inverse = prove_equal(sp.Trace(A * P.I), sp.Trace(A.T * P.I), symmetric=[P])
    assert inverse.conditions == ("P is symmetric", "det(P) != 0")


def test_a_quotient_of_sums():
    total = sp.Sum(w[r], (r, 1, M))
    other = sp.Sum(w[k], (k, 1, M))
    certificate = prove_equal(sp.Sum(w[r] / total, (r, 1, M)) + 1 / total, (other + 1) / other)
    assert certificate.conditions == ("Sum(w[k], (k, 1, M)) != 0", "Sum(w[r], (r, 1, M)) != 0")


def test_the_elbo_splits_into_evidence_and_divergence():
    Z = sp.Symbol("Z", positive=True)
    elbo = sp.Sum(q[r] * sp.log(w[r] / q[r]), (r, 1, M))
    divergence = sp.Sum(q[r] * sp.log(q[r] / (w[r] / Z)), (r, 1, M))
    certificate = prove_equal(elbo + divergence, sp.log(Z), normalised=[SumsTo(q, 1, M)])
    assert "q[r] > 0" in certificate.conditions
    assert "w[r] > 0" in certificate.conditions
    assert "the sum of q over its last index, from 1 to M, is 1" in certificate.conditions
    with pytest.raises(Refuted):
        prove_equal(elbo - divergence, sp.log(Z), normalised=[SumsTo(q, 1, M)])


def test_given_equations_become_conditions():
    certificate = prove_equal(a**2 + b**2, 1 - 2 * a * b, given={b: 1 - a})
    assert certificate.conditions == ("b = 1 - a",)
    with pytest.raises(Refuted):
        prove_equal(a**2 + b**2, 1 - 2 * a * b)
    with pytest.raises(ValueError, match="given equation for c"):
        prove_equal(a**2, a * a + b - b + 1, given={c: 1})


def test_ranges_of_free_indices_are_stated():
    slope = sp.Sum(w[r] * sp.log(p[r]), (r, 1, M)).diff(p[k])
    certificate = prove_equal(slope, w[k] / p[k], ranges={k: (1, M)})
    assert "1 <= k <= M" in certificate.conditions
    with pytest.raises(Refuted, match="k = 3"):
        prove_equal(slope, w[k] / p[k])


def test_the_callers_words_are_kept():
    certificate = prove_equal(a + b, b + a, statement="addition", conditions=["a real"], rests_on=["axioms"])
    assert (certificate.statement, certificate.conditions, certificate.rests_on) == (
        "addition",
        ("a real",),
        ("axioms",),
    )
    assert certificate.method == "both sides evaluate to the same expression"


# --- what is refuted ---


def test_a_refutation_carries_its_point():
    with pytest.raises(Refuted) as caught:
        prove_equal((a + b) ** 2, a**2 + b**2)
    point = dict(caught.value.witness.point)
    left, right = ((int(point["a"]) + int(point["b"])) ** 2, int(point["a"]) ** 2 + int(point["b"]) ** 2)
    assert (caught.value.witness.left, caught.value.witness.right) == (str(left), str(right))
    assert left != right


def test_a_witness_in_logs_is_numeric():
    witness = refute(sp.log(a + b), sp.log(a) + sp.log(b))
    assert witness.left.startswith("about ")


def test_a_total_need_not_stand_in_the_claim():
    rule = SumsTo(p, 1, N, total=t)
    assert dict(refute(sp.Sum(p[i] * a, (i, 1, N)), 2 * a, normalised=[rule]).point)["t"] != "2"
    assert prove_equal(sp.Sum(p[i] * a, (i, 1, N)), t * a, normalised=[rule]).is_proof


def test_refute_wants_a_witness():
    assert refute(A * B, B * A).where.startswith("entry (")
    with pytest.raises(NotRefuted, match="is true"):
        refute(a + a, 2 * a + b - b)
    with pytest.raises(NotRefuted, match="no witness"):
        refute(sp.sin(a) ** 2 + sp.cos(a) ** 2, 1)
    with pytest.raises(Vacuous):
        refute(0, 0)


def test_what_cannot_be_decided_says_what_is_left():
    with pytest.raises(NotProved, match="sin") as caught:
        prove_equal(sp.sin(a) ** 2 + sp.cos(a) ** 2, 1, statement="Pythagoras")
    assert caught.value.statement == "Pythagoras"
    assert caught.value.rest == "sin(a)**2 + cos(a)**2 - 1"


def test_what_cannot_be_evaluated_is_not_refuted():
    with pytest.raises(NotProved):
        prove_equal(sp.Piecewise((a, b > 0), (c, True)), a)


# --- what is refused ---


@pytest.mark.parametrize(
    ("lhs", "rhs"),
    [
        (0, 0),
        (sp.Integer(0), a - a),
        (sp.zeros(2, 2), sp.ZeroMatrix(2, 2)),
        (sp.ZeroMatrix(n, n), A - A),
        (ZeroArray(n, n), sp.ZeroMatrix(n, n)),
    ],
)
def test_zero_equals_zero_needs_a_reason(lhs, rhs):
    with pytest.raises(Vacuous, match="allow_zero"):
        prove_equal(lhs, rhs)
    certificate = prove_equal(lhs, rhs, allow_zero="the constant has no slope")
    assert certificate.rests_on == ("both sides are zero: the constant has no slope",)


def test_a_zero_reason_without_zeros_is_an_error():
    with pytest.raises(ValueError, match="not both zero"):
        prove_equal(a, a + b - b, allow_zero="why not")


@pytest.mark.parametrize(
    "side",
    [
        sp.Derivative(a**2, a),
        sp.Integral(a, a),
        sp.Determinant(A).diff(A),
        1 + sp.Subs(sp.Derivative(sp.Function("f")(a), a), a, 0),
    ],
)
def test_unevaluated_operators_are_refused_even_against_themselves(side):
    with pytest.raises(Vacuous, match="unevaluated"):
        prove_equal(side, side)


@pytest.mark.parametrize("side", ["a", True, 0.5, 0.5 * a, None, [a], {a}, sp.true, sp.Eq(a, b), 1j])
def test_only_exact_expressions_are_compared(side):
    with pytest.raises(TypeError):
        prove_equal(side, a)


def test_bad_claims_are_errors():
    with pytest.raises(ValueError, match="2 x 1 matrix, the right side a scalar; take the entry"):
        prove_equal(sp.Matrix([a, b]), a)
    with pytest.raises(ValueError, match="n x m matrix, the right side a m x n matrix"):
        prove_equal(W, W.T)
    skew = determinant(Structured("K", 3, "skew").matrix)
    for side in (sp.oo, 1 / skew, sp.log(skew)):
        with pytest.raises(ValueError, match=r"not finite.*always singular"):
            prove_equal(side, a)
    with pytest.raises(ValueError, match="denominator is zero"):
        prove_equal(1 / (sp.Pow(a + b, 2) - a**2 - 2 * a * b - b**2), 1)
    with pytest.raises(ValueError, match="log of zero"):
        prove_equal(sp.log((a + b) ** 2 - a**2 - 2 * a * b - b**2), 1)
    with pytest.raises(SumError, match="rectangular"):
        prove_equal(sp.Sum(p[i], (i, 0, j), (j, 0, n)), 1)


# --- several sizes ---


def test_sizes_are_joined():
    def claim(size):
        return (prove_equal(a**size / a, a ** (size - 1), rests_on=[f"size {size}"]) for _ in range(2))

    certificate = prove_for_sizes(claim, (3, 2), statement="powers")
    assert str(certificate.scope) == "n = 2..3"
    assert certificate.statement == "powers"
    assert certificate.rests_on == ("size 3", "size 2")


def test_sizes_fail_where_the_claim_fails():
    with pytest.raises(Refuted):
        prove_for_sizes(lambda size: prove_equal(a * size, a + a), (2, 3))
    with pytest.raises(TypeError, match="n = 2"):
        prove_for_sizes(lambda _: [], (2,))
    with pytest.raises(TypeError, match="must return proofs"):
        prove_for_sizes(lambda _: Certificate("s", "m", Scope.points(1)), (2,))
    with pytest.raises(ValueError, match="no size"):
        prove_for_sizes(lambda _: prove_equal(a, a), ())
