"""Checked data: what is refused and how the message says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from emlib.rows import CHUNK, Rows, as_rows

GOOD = np.arange(6.0).reshape(3, 2)


def with_value(value: float) -> np.ndarray:
    data = GOOD.copy()
    data[1, 1] = value
    return data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (with_value(np.nan), "contain NaN, first at row 1, column 1"),
        (with_value(np.inf), r"contain inf .*first at row 1, column 1"),
        (with_value(-np.inf), r"contain inf .*first at row 1, column 1"),
        (np.zeros(3), r"got shape \(3,\)\. Reshape your data"),
        (np.zeros((2, 2, 2)), r"got shape \(2, 2, 2\)"),
        (5.0, r"got shape \(\)"),
        (np.zeros((0, 2)), r"0 sample\(s\) \(shape=\(0, 2\)\)"),
        (np.zeros((3, 0)), r"0 feature\(s\) \(shape=\(3, 0\)\)"),
        (GOOD + 1j, "Complex data not supported"),
        ([["a", "b"]], "must be numbers"),
        ([[1, 2], [3]], "inhomogeneous"),
    ],
)
def test_bad_data_are_refused(data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        as_rows(data)


def test_sparse_data_are_refused() -> None:
    from scipy.sparse import csr_matrix

    with pytest.raises(TypeError, match=r"sparse data are not supported.*toarray"):
        as_rows(csr_matrix(GOOD))


def test_objects_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(TypeError, match="must be numbers"):
        as_rows(np.array([[{}, 1]], dtype=object))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 2], r"shape \(3,\), one weight a row, got \(2,\)"),
        ([[1], [2], [3]], r"got \(3, 1\)"),
        (1.0, r"got \(\)"),
        ([1, -1, 1], r"row 1 has -1\.0"),
        ([1, 1, np.nan], "row 2 has nan"),
        ([np.inf, 1, 1], "row 0 has inf"),
        ([0, 0, 0], "zero for every row"),
    ],
)
def test_bad_weights_are_refused(weights: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        as_rows(GOOD, weights)


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.bool_, object])
def test_numbers_of_any_type_become_float64(dtype: Any) -> None:
    rows = as_rows(np.array([[0, 1], [1, 1]], dtype=dtype))
    assert rows.x.dtype == np.float64
    assert_array_equal(rows.x, [[0, 1], [1, 1]])


def test_float64_is_not_copied() -> None:
    assert np.shares_memory(as_rows(GOOD).x, GOOD)


def test_float32_is_not_copied_where_it_is_kept_and_its_chunks_are_float64() -> None:
    data = GOOD.astype(np.float32)
    rows = as_rows(data, keep_single=True)
    assert np.shares_memory(rows.x, data)
    [(x, weights)] = rows.chunks()
    assert x.dtype == np.float64
    assert weights is None
    assert_array_equal(x, GOOD)


def test_total_weight_is_the_n_of_the_note() -> None:
    assert as_rows(GOOD).total_weight == 3
    assert as_rows(GOOD, [0.5, 0, 2]).total_weight == 2.5


def test_rows_pass_through_but_take_no_second_weights() -> None:
    rows = as_rows(GOOD, [1, 2, 3])
    assert as_rows(rows) is rows
    with pytest.raises(ValueError, match="these rows were prepared before"):
        as_rows(rows, [4, 5, 6])


def test_rows_without_weight_are_left_out_and_the_others_keep_their_numbers() -> None:
    rows = as_rows(GOOD, [0, 2, 3])
    assert_array_equal(rows.x, np.asarray(GOOD)[1:])
    assert rows.weights is not None
    assert_array_equal(rows.weights, [2, 3])
    assert [rows.number(k) for k in range(2)] == [1, 2]
    assert as_rows(GOOD).number(2) == 2


def test_a_part_may_have_no_rows_that_count() -> None:
    for data, weights in ((GOOD, [0, 0, 0]), (GOOD[:0], None), ([], []), (GOOD[:0], [])):
        assert as_rows(data, weights, part=True).n == 0
        with pytest.raises(ValueError, match=r"zero for every row|0 sample|got shape \(0,\)"):
            as_rows(data, weights)
    with pytest.raises(ValueError, match=r"shape \(0,\), one weight a row, got \(1,\)"):
        as_rows([], [1.0], part=True)


def test_a_row_outside_the_support_is_named_by_its_number_in_the_data() -> None:
    from emlib import MissingGaussian, Mixture, Poisson

    x, weights = np.array([[-1.0], [2.0], [3.0], [-4.0]]), [0, 1, 0, 1]
    with pytest.raises(ValueError, match=r"row 3, column 0"):
        Mixture(Poisson()).prepare(x, weights)
    Mixture(Poisson()).prepare(x, [0, 1, 1, 0])
    with pytest.raises(ValueError, match="row 1, column 0"):
        MissingGaussian().prepare(x * 1e200, weights)


@pytest.mark.parametrize("n", [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 7])
@pytest.mark.parametrize("weighted", [False, True])
def test_chunks_hold_every_row_once_and_in_order(n: int, weighted: bool) -> None:
    x = np.arange(float(n))[:, None]
    parts = list(as_rows(x, np.arange(1.0, n + 1) if weighted else None).chunks())
    assert_array_equal(np.concatenate([part for part, _ in parts]), x)
    assert all(len(part) <= CHUNK for part, _ in parts)
    if weighted:
        assert_array_equal(np.concatenate([w for _, w in parts]), x[:, 0] + 1)
    else:
        assert all(w is None for _, w in parts)


def test_an_impossible_row_is_named_across_chunks() -> None:
    from emlib import Mixture, MixtureParameters, Poisson, PoissonParameters

    x = np.zeros((CHUNK + 10, 1))
    x[CHUNK + 3] = 1
    theta = MixtureParameters([1.0], PoissonParameters([[0.0]]))
    with pytest.raises(ValueError, match=f"row {CHUNK + 3} has log density -inf .*no component allows it"):
        Mixture(Poisson()).e_step(theta, Rows(x))
