"""False twins of true claims: each is rejected by the strongest method that sees it, its true twin accepted."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import sympy as sp
from lemmas import (
    PAIRS,
    SIZE,
    A,
    B,
    Entries,
    G,
    M,
    N,
    W,
    along,
    cofactors,
    columns,
    delta,
    det_slope,
    double,
    i,
    j,
    k,
    log_det_slope,
    m,
    moves,
    n,
    q,
    r,
    rows,
    trace,
    transposed,
    unit,
    x,
)

from emlib.proof import (
    NotProved,
    Refuted,
    SumsTo,
    agree,
    cofactor_matrix,
    determinant,
    diag_part,
    exact_check,
    leibniz,
    matrix_derivative,
    numeric_gradient,
    prove_equal,
    refute,
)
from emlib.proof.exact import derivative, inverse, product


@dataclass
class Twins:
    name: str
    left: Any
    true: Any
    false: Any
    assumed: dict[str, Any]


def twins(name, left, true, false, **assumed):
    return pytest.param(Twins(name, left, true, false, assumed), id=name)


C, H = sp.MatrixSymbol("C", n, n), sp.MatrixSymbol("H", n, n)
p, u, v, w = (sp.IndexedBase(name) for name in "puvw")
slope = double.diff(x[k, 0])
chain_b = along(lambda a, b: B[b, a])
chain_jacobi = along(lambda a, b: A.I[b, a])
by_x = ((A + A.T) * x)[k, 0]
by_det = (2 - delta(i, j)) * C[i, j]
by_log_det = (2 * A.I - diag_part(A.I))[i, j]
by_trace = (B + B.T - diag_part(B))[i, j]
along_sums = sp.Sum(v[i, j], (i, 0, n - 1), (j, 0, m - 1))
ab = (A * B)[i, j]

FOR_EVERY_SIZE = [
    twins("5.1 transposed factor order", (x.T * A * x)[0, 0], double, sp.Sum(A[i, j] * x[i, 0] ** 2, rows, columns)),
    twins("5.1 only the diagonal", (x.T * A * x)[0, 0], double, sp.Sum(A[i, i] * x[i, 0] ** 2, rows)),
    twins("5.1 an upper limit too small", double, double + A[i, i] - A[i, i],
          sp.Sum(A[i, j] * x[i, 0] * x[j, 0], (i, 0, n - 2), columns)),
    twins("5.2 a factor 2 for A + A'", slope, by_x, (2 * A * x)[k, 0]),
    twins("5.2 only A", slope, by_x, (A * x)[k, 0]),
    twins("5.2 A - A'", slope, by_x, ((A - A.T) * x)[k, 0]),
    twins("5.2 A' for A", slope, by_x, (2 * A.T * x)[k, 0]),
    twins("5.2 a diagonal term counted twice", slope, by_x, by_x + A[k, k] * x[k, 0]),
    twins("5.2 a diagonal term left out", slope, by_x, by_x - A[k, k] * x[k, 0]),
    twins("5.2 a free index at the wrong place", slope, by_x, sp.Sum((A[k, i] + A[i, k]) * x[k, 0], rows)),
    twins("5.2 j = k left in the sum", double, double,
          A[k, k] * x[k, 0] ** 2 + sp.Sum(A[k, j] * x[k, 0] * x[j, 0], columns)
          + sp.Sum((1 - delta(i, k)) * A[i, j] * x[i, 0] * x[j, 0], rows, columns)),
    twins("5.3 a trace of the wrong product", sp.Trace(A * x * x.T), double, sp.Trace(A * A.T)),
    twins("5.3 a square of the trace", sp.Trace(A * B), sp.Trace(B.T * A.T), sp.Trace(A) * sp.Trace(B)),
    twins("5.3 A for A' under the trace", sp.Trace(A * B), sp.Trace(A.T * B.T), sp.Trace(A.T * B)),
    twins("5.4 the cofactor of the transposed place", sp.Sum(A[i, j] * C[i, j], rows).diff(A[k, j]), C[k, j], C[j, k]),
    twins("5.4 a sign", sp.Sum(A[i, j] * C[i, j], rows).diff(A[k, j]), C[k, j], -C[k, j]),
    twins("5.4 the whole column", sp.Sum(A[i, j] * C[i, j], rows).diff(A[k, j]), C[k, j], sp.Sum(C[i, j], rows)),
    twins("5.5 a factor 2 on the diagonal too", along(lambda a, b: C[a, b]), by_det, 2 * C[i, j],
          symmetric=[C]),
    twins("5.5 no factor 2", along(lambda a, b: C[a, b]), by_det, C[i, j], symmetric=[C]),
    twins("5.5 the diagonal halved", along(lambda a, b: C[a, b]), by_det,
          (2 - sp.Rational(3, 2) * delta(i, j)) * C[i, j], symmetric=[C]),
    twins("5.7 no diag", chain_jacobi, by_log_det, (2 * A.I)[i, j], symmetric=[A]),
    twins("5.7 the general rule", chain_jacobi, by_log_det, A.I[i, j], symmetric=[A]),
    twins("5.7 plus diag", chain_jacobi, by_log_det, (2 * A.I + diag_part(A.I))[i, j], symmetric=[A]),
    twins("5.7 diag of A", chain_jacobi, by_log_det, (2 * A.I - diag_part(A))[i, j], symmetric=[A]),
    twins("5.8 no diag", chain_b, by_trace, (B + B.T)[i, j]),
    twins("5.8 2B for B + B'", chain_b, by_trace, (2 * B - diag_part(B))[i, j]),
    twins("5.8 the general rule", chain_b, by_trace, B[j, i]),
    twins("5.8 diag twice", chain_b, by_trace, (B + B.T - 2 * diag_part(B))[i, j]),
    twins("5.8 the ascent direction", chain_b, by_trace, (B + B.T)[i, j] / 2),
    twins("the chain rule with the diagonal twice", along(lambda a, b: G[a, b]), (G + G.T - diag_part(G))[i, j],
          sp.Sum(G[q, r] * (delta(q, i) * delta(r, j) + delta(q, j) * delta(r, i)), (q, 0, n - 1), (r, 0, n - 1))),
    twins("the moves of a general matrix", sp.Sum(G[q, r] * moves(q, r), (q, 0, n - 1), (r, 0, n - 1)),
          (G + G.T - diag_part(G))[i, j],
          sp.Sum(G[q, r] * delta(q, i) * delta(r, j), (q, 0, n - 1), (r, 0, n - 1))),
    twins("a product in the wrong order", ab, sp.Sum(A[i, q] * B[q, j], (q, 0, n - 1)), (B * A)[i, j]),
    twins("a product of transposes", (A * B).T[i, j], (B.T * A.T)[i, j], (A.T * B.T)[i, j]),
    twins("the entrywise product", ab, sp.Sum(A[i, q] * B[q, j], (q, 0, n - 1)), sp.HadamardProduct(A, B)[i, j]),
    twins("the inverse of a transpose", sp.Trace(A.I * B), sp.Trace(B * A.I), sp.Trace(A.T.I * B)),
    twins("swapped unequal ranges", along_sums, sp.Sum(v[i, j], (j, 0, m - 1), (i, 0, n - 1)),
          sp.Sum(v[i, j], (i, 0, m - 1), (j, 0, n - 1))),
    twins("a delta with a wrong range", sp.Sum(delta(i, k, m) * u[i], (i, 0, m - 1)), u[k],
          sp.Sum(delta(i, k, n) * u[i], (i, 0, m - 1)), ranges={k: (0, m - 1)}),
    twins("a sum over the wrong range of a delta", sp.Sum(sp.KroneckerDelta(i, k) * u[i], (i, 0, n - 1)), u[k],
          sp.Sum(sp.KroneckerDelta(i, k) * u[i], (i, 1, n - 1)), ranges={k: (0, n - 1)}),
    twins("the length of a range", sp.Sum(u[k], (i, 1, N)), N * u[k], (N + 1) * u[k]),
    twins("a square of a sum", sp.Sum(u[i], (i, 1, N)) ** 2, sp.Sum(u[i] * u[j], (i, 1, N), (j, 1, N)),
          sp.Sum(u[i] ** 2, (i, 1, N))),
    twins("an expectation without its weight", sp.Sum(p[1, i] * p[2, j] * u[i], (i, 1, M), (j, 1, M)),
          sp.Sum(p[1, i] * u[i], (i, 1, M)), sp.Sum(u[i], (i, 1, M)), normalised=[SumsTo(p, 1, M)]),
    twins("the weight of another item", sp.Sum(p[1, i] * p[2, j] * u[i], (i, 1, M), (j, 1, M)),
          sp.Sum(p[1, i] * u[i], (i, 1, M)), sp.Sum(p[2, i] * u[i], (i, 1, M)), normalised=[SumsTo(p, 1, M)]),
    twins("a total of 2", sp.Sum(p[1, i], (i, 1, M)) + u[1], 1 + u[1], 2 + u[1], normalised=[SumsTo(p, 1, M)]),
    twins("a scatter with a transposed index", (W * W.T)[i, j], sp.Sum(W[i, q] * W[j, q], (q, 0, m - 1)),
          sp.Sum(W[i, q] * W[i, q], (q, 0, m - 1))),
    twins("log of a sum", sp.Sum(sp.log(w[i] * u[i]), (i, 1, N)), sp.Sum(sp.log(w[i]) + sp.log(u[i]), (i, 1, N)),
          sp.log(sp.Sum(w[i] * u[i], (i, 1, N)))),
]  # fmt: skip


@pytest.mark.parametrize("claim", FOR_EVERY_SIZE)
def test_for_every_size(claim):
    proof = prove_equal(claim.left, claim.true, **claim.assumed)
    assert proof.is_proof
    assert ">= 1" in str(proof.scope)
    with pytest.raises(Refuted):
        prove_equal(claim.left, claim.false, **claim.assumed)
    assert refute(claim.left, claim.false, **claim.assumed).point


def explicit_claims():
    for size in (2, 3):
        e = Entries(size)
        name = f"n = {size}: "
        by_det, by_log = (matrix_derivative(f, e.symmetric) for f in (e.det_s, sp.log(e.det_s)))
        free = matrix_derivative(e.det_a, e.general)
        back = e.cof_s.T / e.det_s
        right = e.twice_off_diagonal / e.det_s
        by_trace = matrix_derivative((e.s * e.b).trace(), e.symmetric)
        yield twins(name + "5.4 the adjugate", free, e.cof_a, e.cof_a.T)
        yield twins(name + "5.4 minors without sign", free, e.cof_a, e.cof_a.applyfunc(lambda entry: -entry))
        yield twins(name + "5.4 times det", free, e.cof_a, e.cof_a * e.det_a)
        yield twins(name + "5.5 2C", by_det, e.twice_off_diagonal, 2 * e.cof_s)
        yield twins(name + "5.5 C", by_det, e.twice_off_diagonal, e.cof_s)
        yield twins(name + "5.6 not divided by det", by_log, right, e.twice_off_diagonal)
        yield twins(
            name + "5.6 divided twice", by_log, e.twice_off_diagonal / e.det_s, e.twice_off_diagonal / e.det_s**2
        )
        yield twins(name + "5.7 the inverse", by_log, 2 * back - diag_part(back), back)
        yield twins(name + "5.7 no diag", by_log, 2 * back - diag_part(back), 2 * back)
        yield twins(name + "5.7 NumPy's diag is a vector", by_log, 2 * back - diag_part(back),
                    2 * back - sp.Matrix(size, size, lambda _, c, back=back: back[c, c]))  # fmt: skip
        yield twins(name + "5.8 B", by_trace, e.b + e.b.T - diag_part(e.b), e.b)
        yield twins(name + "5.8 B'", by_trace, e.b + e.b.T - diag_part(e.b), e.b.T)
        yield twins(name + "5.8 no diag", by_trace, e.b + e.b.T - diag_part(e.b), e.b + e.b.T)


@pytest.mark.parametrize("claim", list(explicit_claims()))
def test_entry_by_entry(claim):
    assert prove_equal(claim.left, claim.true).is_proof
    with pytest.raises(Refuted, match=r"entry \("):
        prove_equal(claim.left, claim.false)


def lines_of_5_5(size):
    e, (a, b) = Entries(size), (0, size - 1)

    def part(keep, skip):
        return leibniz(e.s, keep, (skip,))

    meant = part(lambda pi: pi[a] == b, a) + part(lambda pi: pi[b] == a, b)
    printed = part(lambda pi: pi[a] == b and pi[b] != a, b) + part(lambda pi: pi[b] == a and pi[a] != b, a)
    half_mended = part(lambda pi: pi[a] == b and pi[b] != a, a) + part(lambda pi: pi[b] == a and pi[a] != b, b)
    return 2 * e.cof_s[a, b], meant, printed, half_mended


@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_misprinted_line_of_5_5(size):
    truth, meant, printed, half_mended = lines_of_5_5(size)
    assert prove_equal(truth, meant).is_proof
    for wrong in (printed, half_mended):
        with pytest.raises(Refuted):
            prove_equal(truth, wrong)


def test_the_misprinted_line_of_5_5_at_the_point_of_the_errata():
    e = Entries(3)
    point = dict(zip(e.symmetric.free_entries, (2, 1, 3, 5, 4, 7), strict=True))
    a, b = 0, 1
    printed = leibniz(e.s, lambda pi: pi[a] == b and pi[b] != a, (b,)) + leibniz(
        e.s, lambda pi: pi[b] == a and pi[a] != b, (a,)
    )
    assert (printed.subs(point), 2 * e.cof_s[a, b].subs(point)) == (7, 10)


# --- at n = 20, where only exact arithmetic reaches ---


def once(_row, _column):
    return 1


def twice(_row, _column):
    return 2


def lemma(row, column):
    return 2 - (row == column)


def lemma_5_8(b, row, column):
    return b[row][column] + b[column][row] - (row == column) * b[row][row]


def exact_claims():
    def at(name, true, false, degree=2 * SIZE):
        return pytest.param(true, false, degree, id=name)

    def det(factor, symmetric=True, swap=False):
        def claim(draw):
            s = draw.symmetric(SIZE, "S") if symmetric else draw.matrix(SIZE, SIZE, "A")
            cof = cofactors(s)
            for row, column in PAIRS[:2]:
                where = (column, row) if swap else (row, column)
                yield det_slope(s, row, column, symmetric), factor(row, column) * cof[where[0]][where[1]]

        return claim

    def log_det(factor):
        def claim(draw):
            s = draw.symmetric(SIZE, "S")
            back = inverse(s)
            for row, column in PAIRS[:2]:
                yield log_det_slope(s, row, column), factor(row, column) * back[row][column]

        return claim

    def linear(partial):
        def claim(draw):
            s, b = draw.symmetric(SIZE, "S"), draw.matrix(SIZE, SIZE, "B")
            for row, column in PAIRS:
                step = unit(row, column, symmetric=True)
                yield derivative(lambda point: trace(product(point, b)), s, step), partial(b, row, column)

        return claim

    def inverse_rule(order):
        def claim(draw):
            a = draw.matrix(4, 4, "A")
            step, back = draw.matrix(4, 4, "E"), inverse(a)
            left, right = (back, back) if order else (transposed(back), back)
            minus = product(product(left, step), right)
            yield derivative(inverse, a, step), [[-entry for entry in row] for row in minus]

        return claim

    yield at("5.4 transposed", det(once, symmetric=False), det(once, symmetric=False, swap=True))
    yield at("5.4 doubled", det(once, symmetric=False), det(lemma, symmetric=False))
    yield at("5.5 no factor 2", det(lemma), det(once))
    yield at("5.5 2 on the diagonal", det(lemma), det(twice))
    yield at("5.7 no diag", log_det(lemma), log_det(twice))
    yield at("5.7 the general rule", log_det(lemma), log_det(once))
    yield at("5.8 no diag", linear(lemma_5_8), linear(lambda b, row, column: b[row][column] + b[column][row]), 1)
    yield at("5.8 2B", linear(lemma_5_8), linear(lambda b, row, column: (2 - (row == column)) * b[row][column]), 1)
    yield at("the derivative of an inverse", inverse_rule(True), inverse_rule(False), 16)


@pytest.mark.parametrize(("true", "false", "degree"), list(exact_claims()))
def test_exactly_at_size_20(true, false, degree):
    assert exact_check(true, degree=degree, statement="true").error_bound < 1e-16
    with pytest.raises(Refuted):
        exact_check(false, degree=degree, statement="false")


# --- in floats ---


@pytest.mark.parametrize("wrong", ["no diag", "all entries", "ascent"])
def test_in_floats_at_size_50(wrong):
    rng = np.random.default_rng(3)
    upper, b = rng.normal(size=(50, 50)), rng.normal(size=(50, 50))
    places = list(itertools.combinations_with_replacement(range(12), 2))

    def of_free_entries(theta):
        s = np.zeros((50, 50), dtype=theta.dtype)
        for value, (row, column) in zip(theta, places, strict=True):
            s[row, column] = s[column, row] = value
        return (s * b.T).sum()

    slope = numeric_gradient(of_free_entries, np.array([upper[place] for place in places]))
    diagonal = np.diag(np.diag(b))
    claims = {"no diag": b + b.T, "all entries": b.T, "ascent": (b + b.T) / 2}
    assert agree(slope, [(b + b.T - diagonal)[place] for place in places], rtol=1e-12, seed=3)
    with pytest.raises(Refuted):
        agree(slope, [claims[wrong][place] for place in places], rtol=1e-12)


def test_there_are_enough_false_claims():
    assert len(FOR_EVERY_SIZE) >= 40
    assert len({claim.values[0].name for claim in FOR_EVERY_SIZE}) == len(FOR_EVERY_SIZE)


def test_an_index_out_of_its_matrix_is_never_proved():
    """Entries beyond the shape have no value, so there is no witness either, but no proof."""
    inside = sp.Sum(W[i, j], (i, 0, n - 1), (j, 0, m - 1))
    with pytest.raises(NotProved):
        prove_equal(inside, sp.Sum(W[i, j], (i, 0, m - 1), (j, 0, n - 1)))


def test_a_cofactor_is_not_a_minor():
    e = Entries(3)
    minors = sp.Matrix(3, 3, lambda a, b: determinant(sp.Matrix(e.a).minor_submatrix(a, b)))
    assert prove_equal(cofactor_matrix(e.a)[0, 1], -minors[0, 1]).is_proof
    with pytest.raises(Refuted):
        prove_equal(cofactor_matrix(e.a), minors)
