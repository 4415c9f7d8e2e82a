import functools
import itertools

import pytest
import sympy as sp

from emlib.proof import (
    PATTERNS,
    NotProved,
    Structured,
    chain_rule,
    cofactor,
    cofactor_matrix,
    commutation,
    determinant,
    diag_part,
    duplication,
    elimination,
    expectation_over_labels,
    leibniz,
    matrix_derivative,
    projection,
    prove_equal,
    sum_over_labels,
    vec,
    vech,
)
from emlib.proof import determinants as determinants_module

SIZES = (1, 2, 3)
FREE = {
    "general": lambda n: n * n,
    "symmetric": lambda n: n * (n + 1) // 2,
    "skew": lambda n: n * (n - 1) // 2,
    "diagonal": lambda n: n,
    "scalar": lambda _: 1,
    "upper": lambda n: n * (n + 1) // 2,
    "lower": lambda n: n * (n + 1) // 2,
    "toeplitz": lambda n: 2 * n - 1,
    "symmetric toeplitz": lambda n: n,
    "hankel": lambda n: 2 * n - 1,
    "circulant": lambda n: n,
}
DEFINING = {
    "general": lambda _: True,
    "symmetric": lambda a: a == a.T,
    "skew": lambda a: a == -a.T,
    "diagonal": lambda a: a.is_diagonal(),
    "scalar": lambda a: a == a[0, 0] * sp.eye(a.rows),
    "upper": lambda a: a.is_upper,
    "lower": lambda a: a.is_lower,
    "toeplitz": lambda a: a[1:, 1:] == a[:-1, :-1],
    "symmetric toeplitz": lambda a: a == a.T and a[1:, 1:] == a[:-1, :-1],
    "hankel": lambda a: a[1:, :-1] == a[:-1, 1:],
    "circulant": lambda a: a == sp.Matrix(a.rows, a.rows, lambda i, j: a[(i + 1) % a.rows, (j + 1) % a.rows]),
}


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("size", SIZES)
def test_the_table_of_patterns(pattern, size):
    a = Structured("a", size, pattern)
    assert len(a.free_entries) == FREE[pattern](size)
    assert DEFINING[pattern](sp.Matrix(a.matrix))
    assert a.matrix == sum((s * e for s, e in zip(a.free_entries, a.basis, strict=True)), sp.zeros(size, size))
    inner = sp.Matrix([[e.dot(f) if e.rows == 1 else vec(e).dot(vec(f)) for f in a.basis] for e in a.basis])
    assert inner.is_diagonal()  # the projection relies on it


def functions(a, b):
    y = sp.Matrix(sp.symbols(f"y:{a.rows}"))
    yield (a * b).trace()
    yield (a * a * b).trace()
    yield determinant(a)
    if a.rows == 2:
        yield (y.T * a.T * b * a * y)[0]


@functools.cache
def partials_of_all_entries(size):
    """Return a general matrix with the matrices of partials of the functions at it."""
    every, b = Structured("g", size), Structured("b", size).matrix
    return every.matrix, [matrix_derivative(function, every) for function in functions(every.matrix, b)]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_chain_rule_is_the_derivative_by_the_free_entries(pattern):
    for size in (2, 3):
        a, b = Structured("a", size, pattern), Structured("b", size).matrix
        every, partials = partials_of_all_entries(size)
        put = dict(zip(every, a.matrix, strict=True))
        for direct, full in zip(functions(a.matrix, b), partials, strict=True):
            if direct == 0:  # the determinant of a 3 x 3 skew matrix
                assert (pattern, size) == ("skew", 3)
                continue
            assert prove_equal(matrix_derivative(direct, a), chain_rule(full.xreplace(put), a)).is_proof


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_projection_is_the_nearest_matrix_of_the_structure(pattern):
    a = Structured("a", 3, pattern)
    g = Structured("g", 3).matrix
    nearest = projection(g, a)
    distance = sum(entry**2 for entry in g - a.matrix)
    free = dict(zip(a.free_entries, (sp.solve(sp.diff(distance, s), s)[0] for s in a.free_entries), strict=True))
    assert prove_equal(nearest, a.spread(free)).is_proof


def test_the_two_symmetric_conventions():
    g = Structured("g", 3).matrix
    symmetric = Structured("a", 3, "symmetric")
    assert prove_equal(chain_rule(g, symmetric), g + g.T - diag_part(g)).is_proof
    assert prove_equal(projection(g, symmetric), (g + g.T) / 2).is_proof
    s = symmetric.matrix
    assert prove_equal(chain_rule(s, symmetric), 2 * s - diag_part(s)).is_proof


def test_positive_entries_and_names():
    a = Structured("sigma", 2, "diagonal", positive=True)
    assert [str(symbol) for symbol in a.free_entries] == ["sigma_1", "sigma_2"]
    assert all(symbol.is_positive for symbol in a.free_entries)
    assert str(Structured("c", 2, "scalar").free_entries[0]) == "c"


def test_bad_structures_and_derivatives():
    with pytest.raises(ValueError, match="no pattern 'banded'; there are: general"):
        Structured("a", 2, "banded")
    with pytest.raises(ValueError, match="at least 1"):
        Structured("a", 0)
    a = Structured("a", 2)
    with pytest.raises(ValueError, match="no entry of a"):
        matrix_derivative(sp.Symbol("z"), a)
    with pytest.raises(TypeError, match="MatrixSymbol"):
        matrix_derivative(a.matrix[0, 0] + sp.Trace(sp.MatrixSymbol("X", 2, 2)), a)
    with pytest.raises(TypeError, match="must be a scalar"):
        matrix_derivative(a.matrix, a)
    for function in (chain_rule, projection):
        with pytest.raises(ValueError, match="the gradient is 3 x 3, the matrix 2 x 2"):
            function(sp.eye(3), a)


# --- determinants ---


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_determinant_cofactors_and_permutations(size):
    a = Structured("a", size).matrix
    value = determinant(a)
    assert sp.expand(sp.Matrix(a).det(method="laplace")) == value
    assert prove_equal(leibniz(a), value).is_proof
    assert prove_equal(a * cofactor_matrix(a).T, value * sp.eye(size)).is_proof
    for row, column in itertools.product(range(size), repeat=2):
        assert sp.expand(sp.Matrix(a).cofactor(row, column)) == cofactor(a, row, column)


def test_determinants_of_other_entries():
    t = sp.Symbol("t")
    assert determinant(sp.Matrix([[2, 1], [1, 3]])) == 5
    assert determinant(sp.Matrix(0, 0, [])) == 1
    assert determinant(sp.Matrix([[sp.Rational(1, 2), 1], [1, 4]])) == 1
    assert prove_equal(
        determinant(sp.Matrix([[1 / t, t], [1, t**2]])), t - t + 0 * t + t - t, allow_zero="dependent rows"
    )
    assert prove_equal(determinant(sp.Matrix([[sp.log(t), sp.exp(t)], [1, t]])), t * sp.log(t) - sp.exp(t)).is_proof


def test_determinants_of_quotients():
    x = sp.symbols("x:9")
    point = {symbol: sp.Integer(place**2 + 2) for place, symbol in enumerate(x)}
    for matrix in (
        sp.Matrix([[1 / x[0], 1 / (x[0] * x[1])], [1 / (x[0] + x[1]), x[2]]]),
        sp.Matrix(3, 3, lambda i, j: x[3 * i + j] / x[3 * j + i]),
        sp.Matrix(3, 3, lambda i, j: 1 / (x[i] - x[3 + j])),
    ):
        assert determinant(matrix).xreplace(point) == matrix.xreplace(point).det() != 0
    assert determinant(sp.Matrix([[x[0], x[1]], [x[2] / x[3], x[1] * x[2] / (x[0] * x[3])]])) == 0


def test_a_determinant_too_large_to_write_out(monkeypatch):
    monkeypatch.setattr(determinants_module, "MOST_PRODUCTS", 1000)
    adjugate = cofactor_matrix(Structured("a", 4).matrix)
    with pytest.raises(ValueError, match="4 x 4 matrix is too large"):
        determinant(adjugate)


def test_a_determinant_of_size_eight_is_quick_enough_to_use():
    a = Structured("a", 8, "toeplitz").matrix
    number = a.subs({symbol: place**2 + 3 for place, symbol in enumerate(sorted(a.free_symbols, key=str))})
    assert determinant(number) == sp.Matrix(number).det()


def test_leibniz_keeps_and_skips():
    a = Structured("a", 3).matrix
    parts = [leibniz(a, lambda p, value=value: p[0] == value) for value in range(3)]
    assert prove_equal(sum(parts), determinant(a)).is_proof
    assert prove_equal(a[0, 1] * leibniz(a, lambda p: p[0] == 1, skip=(0,)), parts[1]).is_proof


def test_bad_determinants():
    wide = sp.Matrix([[1, 2]])
    for function in (determinant, cofactor_matrix, leibniz, diag_part):
        with pytest.raises(ValueError, match="1 x 2"):
            function(wide)
    with pytest.raises(ValueError, match="count from 0"):
        cofactor(sp.eye(2), 1, 2)
    with pytest.raises(ValueError, match="9! permutations"):
        leibniz(sp.eye(9))
    with pytest.raises(ValueError, match="cannot skip"):
        leibniz(sp.eye(2), skip=(2,))


# --- vec and vech ---


@pytest.mark.parametrize("size", SIZES)
def test_duplication_elimination_commutation(size):
    a, s = Structured("a", size).matrix, Structured("s", size, "symmetric").matrix
    assert duplication(size) * vech(s) == vec(s)
    assert elimination(size) * vec(a) == vech(a)
    assert elimination(size) * duplication(size) == sp.eye(size * (size + 1) // 2)
    for rows, columns in ((size, size + 1), (size + 2, size)):
        b = sp.Matrix(rows, columns, sp.symbols(f"b:{rows * columns}"))
        assert commutation(rows, columns) * vec(b) == vec(b.T)


def test_the_chain_rule_by_the_duplication_matrix():
    g = Structured("g", 3).matrix
    assert prove_equal(duplication(3).T * vec(g), vech(chain_rule(g, Structured("a", 3, "symmetric")))).is_proof


def test_diag_part_of_a_symbolic_matrix():
    n = sp.Symbol("n", integer=True, positive=True)
    a = sp.MatrixSymbol("A", n, n)
    assert prove_equal(sp.Trace(diag_part(a)), sp.Trace(a)).is_proof


# --- labels ---


@pytest.mark.parametrize(("items", "classes"), [(1, 2), (2, 3), (3, 2), (4, 3), (6, 2)])
def test_the_expectation_collapses(items, classes):
    free = [sp.symbols(f"r{row}_:{classes - 1}") for row in range(items)]
    r = [[*row, 1 - sum(row)] for row in free]
    value = [sp.symbols(f"L{row}_:{classes}") for row in range(items)]
    total = expectation_over_labels(lambda y: sum(value[row][label] for row, label in enumerate(y)), r)
    marginals = sum(value[row][label] * r[row][label] for row in range(items) for label in range(classes))
    assert prove_equal(total, marginals).is_proof


def test_without_normalisation_the_expectation_does_not_collapse():
    r = [sp.symbols("r0_:2"), sp.symbols("r1_:2")]
    with pytest.raises(AssertionError, match="refuted"):
        prove_equal(expectation_over_labels(lambda y: y[0], r), r[0][1])


def test_bad_labellings():
    with pytest.raises(ValueError, match="same number"):
        expectation_over_labels(len, [[1], [1, 2]])
    with pytest.raises(ValueError, match="same number"):
        expectation_over_labels(len, [])
    with pytest.raises(ValueError, match="too many"):
        expectation_over_labels(len, [[1, 2]] * 15)
    with pytest.raises(ValueError, match="at least one item"):
        sum_over_labels(len, sp.IndexedBase("p"), 0, sp.Symbol("M"))


def test_a_claim_about_an_undecidable_entry_names_it():
    with pytest.raises(NotProved):
        prove_equal(sp.Matrix([sp.sin(1) ** 2 + sp.cos(1) ** 2]), sp.Matrix([1]))
