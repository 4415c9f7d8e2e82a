"""Starts: seeds far from each other, in any order of the rows, and regular parameters around them."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal

import emlib.starts
from emlib import Gaussian, InverseWishart
from emlib.rows import Rows, as_rows
from emlib.starts import SEEDINGS, gaussian_start, kmeans_plus_plus, random_rows
from tests.problems import GAUSSIAN_TYPES, Array, thorough

SEEDERS = (kmeans_plus_plus, random_rows)


def rows_of(seed: int, n: int = 40, dim: int = 2) -> Array:
    return np.random.default_rng(seed).normal(size=(n, dim))


@pytest.mark.parametrize("draw", SEEDERS)
@thorough(40)
@given(seed=st.integers(0, 2**32 - 1), n_components=st.integers(1, 6))
def test_seeds_are_distinct_rows(draw: Any, seed: int, n_components: int) -> None:
    x = rows_of(seed)
    seeds = draw(x, np.ones(40), n_components, np.random.default_rng(seed))
    found = [int(np.flatnonzero((x == one).all(axis=1))[0]) for one in seeds]
    assert len(set(found)) == n_components


@pytest.mark.parametrize("draw", SEEDERS)
@thorough(40)
@given(seed=st.integers(0, 2**32 - 1))
def test_seeds_do_not_depend_on_the_order_of_rows(draw: Any, seed: int) -> None:
    x, weights = rows_of(seed), np.random.default_rng(seed).uniform(0.5, 2, 40)
    order = np.random.default_rng(seed + 1).permutation(40)
    one = draw(x, weights, 4, np.random.default_rng(3))
    other = draw(x[order], weights[order], 4, np.random.default_rng(3))
    assert_array_equal(one, other)


@pytest.mark.parametrize("draw", SEEDERS)
@thorough(40)
@given(seed=st.integers(0, 2**32 - 1))
def test_integer_weights_are_repetition(draw: Any, seed: int) -> None:
    x, counts = rows_of(seed), np.random.default_rng(seed).integers(0, 4, 40)
    one = draw(x, counts.astype(float), 4, np.random.default_rng(3))
    repeated = np.repeat(x, counts, axis=0)
    assert_array_equal(one, draw(repeated, np.ones(len(repeated)), 4, np.random.default_rng(3)))


@pytest.mark.parametrize("draw", SEEDERS)
def test_rows_of_weight_zero_are_never_drawn(draw: Any) -> None:
    x, weights = rows_of(0), np.zeros(40)
    weights[[3, 17, 29]] = 1
    for seed in range(20):
        seeds = draw(x, weights, 3, np.random.default_rng(seed))
        assert sorted(seeds.tolist()) == sorted(x[[3, 17, 29]].tolist())


@pytest.mark.parametrize("draw", SEEDERS)
def test_too_few_distinct_rows(draw: Any) -> None:
    x = np.repeat(rows_of(0, n=2), 10, axis=0)
    with pytest.raises(ValueError, match="only 2 distinct rows, fewer than n_components=3"):
        draw(x, np.ones(20), 3, np.random.default_rng(0))


def test_kmeans_plus_plus_draws_in_proportion_to_squared_distance() -> None:
    """Rows at 0, 1 and 3: after the seed 0 the next is 3 with probability 9/10. Counted over 4000 draws."""
    x, hits, firsts = np.array([[0.0], [1.0], [3.0]]), 0, 0
    for seed in range(4000):
        first, second = kmeans_plus_plus(x, np.ones(3), 2, np.random.default_rng(seed))[:, 0]
        firsts += first == 0
        hits += first == 0 and second == 3
    assert abs(firsts / 4000 - 1 / 3) < 5 * np.sqrt(2 / 9 / 4000)
    assert abs(hits / firsts - 0.9) < 5 * np.sqrt(0.09 / firsts)


def test_random_rows_draws_in_proportion_to_weight() -> None:
    x, weights = np.array([[0.0], [1.0], [3.0]]), np.array([1.0, 2.0, 5.0])
    drawn = [random_rows(x, weights, 1, np.random.default_rng(seed))[0, 0] for seed in range(4000)]
    for value, share in zip((0, 1, 3), weights / 8, strict=True):
        assert abs(np.mean(np.array(drawn) == value) - share) < 5 * np.sqrt(share * (1 - share) / 4000)


@pytest.mark.parametrize("covariance_type", GAUSSIAN_TYPES)
@pytest.mark.parametrize("seeding", SEEDINGS)
def test_start_keeps_the_mean_and_is_regular(covariance_type: str, seeding: str) -> None:
    x, weights = rows_of(1) * [1, 1000] + [0, 1e6], np.random.default_rng(2).uniform(0.1, 2, 40)
    start = gaussian_start(as_rows(x, weights), 3, Gaussian(covariance_type), seeding, np.random.default_rng(0))
    assert start.weights.shape == (3,)
    assert (start.weights > 0).all()
    assert_allclose(start.weights @ start.components.means, np.average(x, axis=0, weights=weights), rtol=1e-12)
    assert np.isfinite(start.components.factor.log_det).all()
    dense = start.components.dense_covariances
    assert_allclose(dense, np.broadcast_to(dense[0], dense.shape))


def test_start_does_not_depend_on_units_or_origin() -> None:
    x = rows_of(1)
    scale, shift = np.array([1e-3, 1e4]), np.array([5.0, -1e3])
    plain = gaussian_start(as_rows(x), 3, Gaussian(), "k-means++", np.random.default_rng(0))
    moved = gaussian_start(as_rows(x * scale + shift), 3, Gaussian(), "k-means++", np.random.default_rng(0))
    assert_allclose(moved.weights, plain.weights, rtol=1e-12)
    assert_allclose((moved.components.means - shift) / scale, plain.components.means, rtol=1e-8, atol=1e-8)
    assert_allclose(moved.components.covariances / np.outer(scale, scale), plain.components.covariances, rtol=1e-8)


def test_as_many_components_as_rows_start_from_the_covariance_of_all() -> None:
    """Within single rows nothing varies: the covariance of all rows takes over."""
    x = rows_of(1, n=4)
    start = gaussian_start(as_rows(x), 4, Gaussian(), "k-means++", np.random.default_rng(0))
    assert_allclose(start.components.covariances[0], np.cov(x.T, bias=True))


def test_collinear_columns_start_from_variances() -> None:
    x = rows_of(1, dim=1) * [1.0, 2.0]
    start = gaussian_start(as_rows(x), 1, Gaussian(), "k-means++", np.random.default_rng(0))
    assert_allclose(start.components.covariances[0], np.diag(x.var(axis=0)))


def test_constant_column_cannot_start() -> None:
    x = np.hstack([rows_of(1), np.full((40, 1), 7.0)])
    with pytest.raises(ValueError, match="constant in column 2"):
        gaussian_start(as_rows(x), 2, Gaussian(), "k-means++", np.random.default_rng(0))


@pytest.mark.parametrize("family", [Gaussian(covariance_floor=0.1), Gaussian(prior=InverseWishart(1.0, dof=5))])
def test_floor_or_prior_make_a_constant_column_startable(family: Gaussian) -> None:
    x = np.hstack([rows_of(1), np.full((40, 1), 7.0)])
    start = gaussian_start(as_rows(x), 2, family, "k-means++", np.random.default_rng(0))
    assert (np.linalg.eigvalsh(start.components.covariances) > 0).all()


def test_given_means_stay() -> None:
    x, means = rows_of(1), np.array([[-1.0, 0], [1.0, 0]])
    start = gaussian_start(as_rows(x), 2, Gaussian(), "k-means++", np.random.default_rng(0), means)
    assert_array_equal(start.components.means, means)
    nearest = np.argmin([((x / x.std(axis=0) - m / x.std(axis=0)) ** 2).sum(axis=1) for m in means], axis=0)
    assert_allclose(start.weights, np.bincount(nearest) / 40)


def test_a_given_mean_far_from_all_rows_is_named() -> None:
    means = np.array([[0.0, 0], [1e6, 0], [0, 1]])
    with pytest.raises(ValueError, match=r"means_init\[1\] is nearest to no row"):
        gaussian_start(as_rows(rows_of(1)), 3, Gaussian(), "k-means++", np.random.default_rng(0), means)


def test_unknown_seeding_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"init must be one of k-means\+\+, random, got 'kmeans'"):
        gaussian_start(as_rows(rows_of(1)), 2, Gaussian(), "kmeans", np.random.default_rng(0))


def test_a_start_looks_at_a_sample_of_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emlib.starts, "SAMPLE", 50)
    x = rows_of(1, 1000)
    seen: list[int] = []
    draw = SEEDINGS["random"]
    monkeypatch.setitem(SEEDINGS, "random", lambda x, *rest: (seen.append(len(x)), draw(x, *rest))[1])
    start = gaussian_start(as_rows(x), 3, Gaussian(), "random", np.random.default_rng(0))
    assert seen == [50]
    assert start.components.means.shape == (3, 2)
    gaussian_start(as_rows(x), 3, Gaussian(), "random", np.random.default_rng(0), x[:3])
    assert seen == [50]  # given means may each be near one row only: all rows are looked at


def test_a_sample_takes_integer_weights_as_repetition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emlib.starts, "SAMPLE", 50)
    x, counts = rows_of(2, 300), np.random.default_rng(2).integers(0, 4, 300)
    one = emlib.starts._sample(as_rows(x, counts), np.random.default_rng(5))
    other = emlib.starts._sample(as_rows(np.repeat(x, counts, axis=0)), np.random.default_rng(5))
    assert_array_equal(one.x, other.x)


def test_where_a_sample_says_too_little_all_rows_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """One row in a thousand makes the column vary: hardly any sample of fifty has it."""
    monkeypatch.setattr(emlib.starts, "SAMPLE", 50)
    x = np.column_stack([rows_of(3, 1000)[:, 0], np.zeros(1000)])
    x[123, 1] = 1.0
    rows: Rows = as_rows(x)
    start = gaussian_start(rows, 1, Gaussian(), "random", np.random.default_rng(0))
    assert_allclose(start.components.means[0], x.mean(axis=0), atol=1e-12)
