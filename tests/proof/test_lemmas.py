"""Lemmas 5.1-5.8 of the note: for every n, entry by entry for n = 2..5, and exactly at n = 20."""

import itertools

import pytest
import sympy as sp
from lemmas import (
    PAIRS,
    SIZE,
    A,
    B,
    Entries,
    G,
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
    n,
    q,
    quadratic_form,
    rows,
    trace,
    transposed,
    unit,
    x,
)

from emlib.proof import (
    Refuted,
    SumsTo,
    determinant,
    diag_part,
    exact_check,
    leibniz,
    matrix_derivative,
    normal_form,
    prove_equal,
    prove_for_sizes,
    sum_over_labels,
)
from emlib.proof.exact import derivative, inverse, product

EXPLICIT = range(2, 6)


def every_n(certificate):
    return certificate.is_proof and str(certificate.scope) == "every n >= 1"


def two_to_five(certificate):
    return certificate.is_proof and str(certificate.scope) == "n = 2..5"


# --- for every n ---


def test_5_1_for_every_n():
    column = sp.Sum(A[i, j] * x[j, 0], columns)
    assert every_n(prove_equal((x.T * A * x)[0, 0], sp.Sum(x[i, 0] * column, rows)))
    assert every_n(prove_equal(sp.Sum(x[i, 0] * column, rows), double))


def test_5_2_for_every_n_in_the_steps_of_the_note():
    off = sp.Sum((1 - delta(j, k)) * A[k, j] * x[k, 0] * x[j, 0], columns)
    others = sp.Sum((1 - delta(i, k)) * A[i, j] * x[i, 0] * x[j, 0], rows, columns)
    assert every_n(prove_equal(double, A[k, k] * x[k, 0] ** 2 + off + others))
    slope = (
        2 * A[k, k] * x[k, 0]
        + sp.Sum((1 - delta(j, k)) * A[k, j] * x[j, 0], columns)
        + sp.Sum((1 - delta(i, k)) * A[i, k] * x[i, 0], rows)
    )
    assert every_n(prove_equal(double.diff(x[k, 0]), slope))
    assert every_n(prove_equal(slope, sp.Sum((A[k, i] + A[i, k]) * x[i, 0], rows)))
    assert every_n(prove_equal(slope, ((A + A.T) * x)[k, 0]))


def test_5_3_for_every_n():
    diagonal = sp.Sum(A[i, j] * x[j, 0] * x[i, 0], columns)
    assert every_n(prove_equal((A * x * x.T)[i, i], diagonal))
    assert every_n(prove_equal(sp.Trace(A * x * x.T), double))


def test_5_4_for_every_n_given_the_expansion_along_a_column():
    C = sp.MatrixSymbol("C", n, n)  # symbols of their own: no cofactor of column j holds an entry of column j
    expansion = sp.Sum(A[i, j] * C[i, j], rows)
    proof = prove_equal(expansion.diff(A[k, j]), C[k, j], rests_on=["Laplace expansion", "C_ij is free of column j"])
    assert every_n(proof)
    assert proof.rests_on == ("Laplace expansion", "C_ij is free of column j")


def test_5_5_for_every_n_by_a_schur_complement():
    det_r, alpha, beta, t, uu, uv, vv = sp.symbols("rho alpha beta t uu uv vv")
    det_a = det_r * sp.Matrix([[alpha - uu, t - uv], [t - uv, beta - vv]]).det()
    rests_on = ["the determinant of a block matrix", "a polynomial identity where det R != 0 holds everywhere"]
    assert prove_equal(det_a.diff(t), 2 * -det_r * (t - uv), rests_on=rests_on).is_proof
    assert prove_equal(det_a.diff(alpha), det_r * (beta - vv), rests_on=rests_on).is_proof


def test_5_5_for_every_n_by_the_chain_rule():
    C = sp.MatrixSymbol("C", n, n)
    lemma = (2 - delta(i, j)) * C[i, j]
    assert every_n(prove_equal(along(lambda a, b: C[a, b]), lemma, symmetric=[C], rests_on=["Lemma 5.4"]))


def test_5_7_for_every_n_by_the_chain_rule():
    symmetric = {"symmetric": [A]}
    jacobi = along(lambda a, b: A.I[b, a])
    proof = prove_equal(jacobi, (2 * A.I - diag_part(A.I))[i, j], rests_on=["Jacobi's rule"], **symmetric)
    assert every_n(proof)
    assert "det(A) != 0" in proof.conditions


def test_5_8_for_every_n():
    assert every_n(prove_equal(along(lambda a, b: B[b, a]), (B + B.T - diag_part(B))[i, j]))
    assert every_n(prove_equal(along(lambda a, b: G[a, b]), (G + G.T - diag_part(G))[i, j]))


def test_rectangular_sizes_stay_apart():
    left = sp.Sum(W[i, q] * W[j, q], (q, 0, m - 1))
    assert str(prove_equal((W * W.T)[i, j], left).scope) == "every m >= 1, n >= 1"


# --- n = 2..5, entry by entry ---


def test_5_1_to_5_3_entry_by_entry():
    def claims(size):
        e = Entries(size)
        form = sum(e.a[r, c] * e.x[r] * e.x[c] for r, c in itertools.product(range(size), repeat=2))
        yield prove_equal((e.x.T * e.a * e.x)[0], form)
        yield prove_equal(sp.Matrix([form.diff(v) for v in e.x]), (e.a + e.a.T) * e.x)
        yield prove_equal((e.a * e.x * e.x.T).trace(), form)

    assert two_to_five(prove_for_sizes(claims, EXPLICIT))


def test_5_4_entry_by_entry():
    def claims(size):
        e = Entries(size)
        for column in range(size):
            expansion = sum(e.a[row, column] * e.cof_a[row, column] for row in range(size))
            yield prove_equal(expansion, e.det_a)
            assert not e.cof_a.col(column).free_symbols & e.a.col(column).free_symbols
        yield prove_equal(matrix_derivative(e.det_a, e.general), e.cof_a)

    assert two_to_five(prove_for_sizes(claims, EXPLICIT))


def test_5_5_to_5_7_entry_by_entry():
    def claims(size):
        e = Entries(size)
        yield prove_equal(matrix_derivative(e.det_s, e.symmetric), e.twice_off_diagonal)
        yield prove_equal(e.s * e.cof_s.T, e.det_s * sp.eye(size))  # so the inverse is the adjugate over det
        by_log = matrix_derivative(sp.log(e.det_s), e.symmetric)
        inverse_s = e.cof_s.T / e.det_s
        yield prove_equal(by_log, e.twice_off_diagonal / e.det_s, names={"det(A)": e.det_s})
        yield prove_equal(by_log, 2 * inverse_s - diag_part(inverse_s), names={"det(A)": e.det_s})

    certificate = prove_for_sizes(claims, EXPLICIT)
    assert two_to_five(certificate)
    assert certificate.conditions == ("det(A) != 0",)


def test_5_8_entry_by_entry():
    def claim(size):
        e = Entries(size)
        return prove_equal(matrix_derivative((e.s * e.b).trace(), e.symmetric), e.b + e.b.T - diag_part(e.b))

    assert two_to_five(prove_for_sizes(claim, EXPLICIT))


@pytest.mark.parametrize("size", EXPLICIT)
def test_5_5_the_split_of_the_permutations_in_four(size):
    e, (p, s) = Entries(size), (0, size - 1)
    a = e.s[p, s]
    both = leibniz(e.s, lambda pi: pi[p] == s and pi[s] == p, (p, s))
    first = leibniz(e.s, lambda pi: pi[p] == s and pi[s] != p, (p,))
    second = leibniz(e.s, lambda pi: pi[p] != s and pi[s] == p, (s,))
    neither = leibniz(e.s, lambda pi: pi[p] != s and pi[s] != p)
    assert not any(part.has(a) for part in (both, first, second, neither))
    assert prove_equal(leibniz(e.s), a**2 * both + a * first + a * second + neither).is_proof
    assert prove_equal(leibniz(e.s).diff(a), 2 * a * both + first + second).is_proof
    to_c_ij = leibniz(e.s, lambda pi: pi[p] == s, (p,))
    to_c_ji = leibniz(e.s, lambda pi: pi[s] == p, (s,))
    assert prove_equal(2 * a * both + first + second, to_c_ij + to_c_ji).is_proof
    assert prove_equal(to_c_ij, e.cof_s[p, s]).is_proof
    assert prove_equal(to_c_ji, e.cof_s[s, p]).is_proof


@pytest.mark.parametrize("size", EXPLICIT)
def test_5_5_the_printed_line_before_the_last_is_refuted(size):
    e, (p, s) = Entries(size), (0, size - 1)
    printed = leibniz(e.s, lambda pi: pi[p] == s and pi[s] != p, (s,)) + leibniz(
        e.s, lambda pi: pi[s] == p and pi[p] != s, (p,)
    )
    with pytest.raises(Refuted):
        prove_equal(printed, 2 * e.cof_s[p, s])


# --- n = 20, exactly ---


def test_5_1_to_5_3_at_size_20():
    def claims(draw):
        a, v = draw.matrix(SIZE, SIZE, "A"), draw.vector(SIZE, "x")
        form = sum(a[r][c] * v[r] * v[c] for r, c in itertools.product(range(SIZE), repeat=2))
        yield quadratic_form(a, v), form
        yield trace(product(a, [[left * right for right in v] for left in v])), form
        both = [[a[r][c] + a[c][r] for c in range(SIZE)] for r in range(SIZE)]
        right = product(both, transposed([v]))
        for row in range(SIZE):
            step = [[int(row == c) for c in range(SIZE)]]
            yield derivative(lambda point: quadratic_form(a, point[0]), [v], step), right[row][0]

    assert exact_check(claims, degree=3, statement="5.1-5.3", size=SIZE).error_bound < 1e-17


def test_5_4_to_5_6_at_size_20():
    def claims(draw):
        a, s = draw.matrix(SIZE, SIZE, "A"), draw.symmetric(SIZE, "S")
        cof_a, cof_s = cofactors(a), cofactors(s)
        for row, column in PAIRS:
            factor = 1 if row == column else 2
            yield det_slope(a, row, column, symmetric=False), cof_a[row][column]
            yield det_slope(s, row, column, symmetric=True), factor * cof_s[row][column]

    assert exact_check(claims, degree=SIZE, statement="5.4-5.5", size=SIZE).error_bound < 1e-17


def test_5_7_at_size_20():
    def claims(draw):
        s = draw.symmetric(SIZE, "S")
        back = inverse(s)
        for row, column in PAIRS:
            yield log_det_slope(s, row, column), (2 - (row == column)) * back[row][column]

    assert exact_check(claims, degree=2 * SIZE, statement="5.6-5.7", size=SIZE).error_bound < 1e-16


def test_5_8_at_size_20():
    def claims(draw):
        s, b = draw.symmetric(SIZE, "S"), draw.matrix(SIZE, SIZE, "B")
        for row, column in PAIRS:
            slope = derivative(lambda point: trace(product(point, b)), s, unit(row, column, symmetric=True))
            yield slope, b[row][column] + b[column][row] - (row == column) * b[row][row]

    assert exact_check(claims, degree=1, statement="5.8", size=SIZE)


# --- section 3, with the same tools ---


def test_the_collapse_for_every_number_of_classes():
    M = sp.Symbol("M", integer=True, positive=True)
    p, L = sp.IndexedBase("p"), sp.IndexedBase("L")
    for items in (1, 2, 3, 4):
        total = sum_over_labels(lambda y: sum(L[at + 1, label] for at, label in enumerate(y)), p, items, M)
        marginals = sum(sp.Sum(L[at, k] * p[at, k], (k, 1, M)) for at in range(1, items + 1))
        assert prove_equal(total, marginals, normalised=[SumsTo(p, 1, M)]).is_proof
    with pytest.raises(Refuted):
        prove_equal(total, marginals)


def test_the_induction_step_of_the_collapse():
    M, N = sp.symbols("M N", integer=True, positive=True)
    T, P = sp.symbols("T P")
    p, L, y = sp.IndexedBase("p"), sp.IndexedBase("L"), sp.Symbol("y", integer=True)
    one_more = sp.Sum((T + P * L[N + 1, y]) * p[N + 1, y], (y, 1, M))
    expected = T + sp.Sum(L[N + 1, y] * p[N + 1, y], (y, 1, M))
    assert prove_equal(one_more, expected, given={P: 1}, normalised=[SumsTo(p, 1, M)]).is_proof


def test_the_multiplier_of_the_mixing_weights():
    M, N = sp.symbols("M N", integer=True, positive=True)
    alpha, r, w, multiplier = sp.IndexedBase("alpha"), sp.IndexedBase("r"), sp.IndexedBase("w"), sp.Symbol("lambda")
    objective = sp.Sum(w[q] * sp.log(alpha[q]), (q, 1, M)) + multiplier * (sp.Sum(alpha[q], (q, 1, M)) - 1)
    slope = objective.diff(alpha[k])
    assert prove_equal(slope, w[k] / alpha[k] + multiplier, ranges={k: (1, M)}).is_proof
    cleared = sp.Sum(sp.Sum(r[i, k], (i, 1, N)) + multiplier * alpha[k], (k, 1, M))
    rules = [SumsTo(alpha, 1, M), SumsTo(r, 1, M)]
    assert sp.solve(normal_form(cleared, normalised=rules), multiplier) == [-N]


def test_the_determinant_of_the_map_that_hides_behind_s_equals_zero():
    for size in (2, 3, 4):
        e = Entries(size)
        entries = list(e.symmetric.free_entries)
        image = 2 * e.s - diag_part(e.s)
        jacobian = sp.Matrix([[image[r, c].diff(s) for s in entries] for r in range(size) for c in range(r, size)])
        assert determinant(jacobian) == 2 ** (size * (size - 1) // 2)
