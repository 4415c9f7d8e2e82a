import pytest
import sympy as sp

from emlib.proof import SumError, SumsTo, normal_form
from emlib.proof.sums import Inside, ranges_of_entries, sizes_of

n, m, M = sp.symbols("n m M", integer=True, positive=True)
i, j, k, q = sp.symbols("i j k q", integer=True)
A, P = sp.MatrixSymbol("A", n, n), sp.MatrixSymbol("P", n, m)
x = sp.MatrixSymbol("x", n, 1)
p, u, v = (sp.IndexedBase(name) for name in "puv")
f = sp.Function("f")


def same(left, right, **settings):
    return normal_form(left, **settings) == normal_form(right, **settings)


def test_distribution_and_renaming():
    assert same(sp.Sum(u[i] + v[i], (i, 1, M)), sp.Sum(v[j], (j, 1, M)) + sp.Sum(u[q], (q, 1, M)))
    assert same(sp.Sum(u[i], (i, 1, M)) ** 2, sp.Sum(u[i] * u[j], (j, 1, M), (i, 1, M)))
    assert same(sp.Sum(u[i] * v[j], (i, 1, M), (j, 1, n)), sp.Sum(v[j], (j, 1, n)) * sp.Sum(u[q], (q, 1, M)))


def test_deltas_collapse_with_their_ranges():
    delta = sp.KroneckerDelta
    inside = {"ranges": {k: (1, M)}}
    assert normal_form(sp.Sum(delta(i, k, (1, M)) * u[i], (i, 1, M)), **inside) == u[k]
    assert normal_form(sp.Sum(delta(i, k) * u[i], (i, 1, M))) == Inside(k, 1, M) * u[k]
    assert normal_form(sp.Sum(delta(i, k + 1) * u[i], (i, 1, M)), **inside) == Inside(k + 1, 1, M) * u[k + 1]
    assert normal_form(sp.Sum(delta(i, k - 1) * u[i], (i, 0, M)), **inside) == u[k - 1]
    assert normal_form(sp.Sum(delta(2 * i, k) * u[i], (i, 1, M))).has(delta)
    assert normal_form(delta(k, k + 1) * u[k]) == 0
    assert same(delta(i, j) * u[i] * v[j], delta(i, j) * u[j] * v[i])
    assert same(delta(i, j) * delta(j, k) * u[i], delta(i, k) * delta(j, k) * u[k])
    assert not same(delta(i, j) * delta(i, k) * u[i], delta(i, j) * u[i])


def test_the_range_of_an_index_in_an_entry_is_known():
    assert ranges_of_entries(A[k, 0] + P[i, j] + P[j, q]) == {k: (0, n - 1), i: (0, n - 1), q: (0, m - 1)}
    assert sizes_of(P[i, j] + sp.Sum(u[i], (i, q, M)) * sp.KroneckerDelta(i, j, (0, 7))) == {n, m, M, q}


def test_indices_that_nothing_depends_on():
    assert normal_form(sp.Sum(u[k], (i, 1, M))) == M * u[k]
    assert normal_form(sp.Sum(u[k], (i, 0, M), (j, 1, n))) == sp.expand((M + 1) * n * u[k])
    unknown = sp.Sum(u[k], (i, 3, M))  # may be empty in more than one way: its length is not M - 2
    assert normal_form(unknown) == unknown
    assert normal_form(sp.Sum(u[i], (i, M, M))) == u[M]


def test_normalisation():
    rule = SumsTo(p, 1, M)
    assert normal_form(sp.Sum(p[k, i] * u[j], (i, 1, M), (j, 1, n)), normalised=[rule]) == sp.Sum(u[i], (i, 1, n))
    assert normal_form(sp.Sum(p[k, i], (i, 1, n)), normalised=[rule]) == sp.Sum(p[k, i], (i, 1, n))
    assert normal_form(sp.Sum(p[k, i] ** 2, (i, 1, M)), normalised=[rule]).has(sp.Sum)
    assert normal_form(sp.Sum(p[i, i], (i, 1, M)), normalised=[rule]).has(sp.Sum)
    assert normal_form(sp.Sum(p[i, k], (i, 1, M)), normalised=[rule]).has(sp.Sum)
    rows = SumsTo(P, 0, n - 1, axis=0, total=m + 1)
    assert normal_form(sp.Sum(P[i, k] * u[2], (i, 0, n - 1)), normalised=[rows]) == u[2] + m * u[2]
    for total in (sp.Sum(u[i], (i, 1, M)), u[1], P[0, 0], sp.Trace(sp.MatrixSymbol("S", n, n))):
        with pytest.raises(SumError, match="use a symbol"):
            SumsTo(p, 1, M, total=total)
    assert str(rows) == "the sum of P over its index number 1, from 0 to n - 1, is m + 1"


def test_traces_entries_and_products_of_matrices():
    assert same(sp.Trace(A * P * P.T), sp.Sum(A[i, j] * P[j, q] * P[i, q], (i, 0, n - 1), (j, 0, n - 1), (q, 0, m - 1)))
    assert same((A**2)[i, j], sp.Sum(A[i, k] * A[k, j], (k, 0, n - 1)))
    assert same(sp.Trace(A.I * A.T), sp.Sum(A.I[i, j] * A[i, j], (i, 0, n - 1), (j, 0, n - 1)))
    assert same(sp.Trace(sp.Identity(n)), n)


def test_opaque_parts_are_brought_to_normal_form_inside():
    inner = sp.Sum(u[i] + v[i], (i, 1, M))
    other = sp.Sum(v[q], (q, 1, M)) + sp.Sum(u[j], (j, 1, M))
    assert same(f(inner) / inner, f(other) / other)
    assert same(
        sp.Sum(f(sp.Sum(P[i, j], (j, 0, m - 1))), (i, 0, n - 1)),
        sp.Sum(f(sp.Sum(P[q, k], (k, 0, m - 1))), (q, 0, n - 1)),
    )
    assert not same(f(sp.Sum(u[i], (i, 1, M))), sp.Sum(f(u[i]), (i, 1, M)))


def test_a_product_over_a_range_is_opaque_but_its_index_is_bound():
    left = sp.Sum(sp.Product(u[i] * v[k], (i, 1, M)) * sp.KroneckerDelta(k, i), (k, 1, M))
    right = sp.Sum(sp.Product(u[j] * v[q], (j, 1, M)) * sp.KroneckerDelta(q, i), (q, 1, M))
    assert same(left, right, ranges={i: (1, M)})
    assert normal_form(left, ranges={i: (1, M)}).free_symbols >= {i, M}


def test_symmetric_families():
    s = sp.IndexedBase("s")
    bilinear = sp.Sum(s[i, j] * u[i] * v[j], (i, 1, M), (j, 1, M))
    swapped = sp.Sum(s[i, j] * v[i] * u[j], (i, 1, M), (j, 1, M))
    assert same(bilinear, swapped, symmetric=[s])
    assert not same(bilinear, swapped)
    assert same(A.I[i, j], A.I[j, i], symmetric=[A])


def test_names_of_bound_indices_avoid_the_free_ones():
    result = normal_form(sp.Sum(u[q] * v[k, i, j], (q, 1, M)))
    assert str(result) == "Sum(u[l]*v[k, i, j], (l, 1, M))"
    many = normal_form(
        sp.Sum(
            sp.Mul(*(u[index, place] for place, index in enumerate(sp.symbols("a:12")))),
            *((index, 1, M) for index in sp.symbols("a:12")),
        )
    )
    assert {str(index) for index in many.variables} == {*"ijklmpqrst", "i1", "i2"}


@pytest.mark.parametrize(
    ("expression", "match"),
    [
        (sp.Sum(u[i], (i, 1, j), (j, 1, M)), "depends on the index j; ranges must be rectangular"),
        (sp.Sum(f(sp.Sum(u[i], (i, 1, j))), (j, 1, M)), "depends on an outer index"),
        (sp.Symbol("a", commutative=False), "does not commute"),
        (sp.Mul(*(u[place] + v[place] for place in range(15))), "expands to 32768 terms"),
        (sp.Integral(u[i], (i, 1, M)), "does not cover Integral"),
        (
            sp.Sum(sp.Mul(*(u[index] for index in sp.symbols("a:8"))), *((index, 1, M) for index in sp.symbols("a:8"))),
            "40320 ways",
        ),
    ],
)
def test_what_the_normal_form_refuses(expression, match):
    with pytest.raises(SumError, match=match):
        normal_form(expression)


def test_too_many_terms_in_all():
    expression = sum(sp.Mul(*(u[place, part] + v[place, part] for place in range(14))) for part in range(2))
    with pytest.raises(SumError, match="more than 20000 terms"):
        normal_form(expression)


def test_inside_decides_what_it_can():
    assert Inside(3, 1, 5) == 1
    assert Inside(0, 1, M) == 0
    assert Inside(M + 1, 1, M) == 0
    assert Inside(M, 1, M + 2) == 1
    assert Inside(k, 1, M).func is Inside
