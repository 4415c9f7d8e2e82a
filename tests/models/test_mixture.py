"""Exact invariants of EM on random problems of every component family."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given

from emlib import (
    BernoulliParameters,
    Binomial,
    Dirichlet,
    Mixture,
    MixtureParameters,
    Poisson,
    PoissonParameters,
    em,
    observed_information,
)
from emlib.datasets import load_do_batzoglou
from tests import invariants
from tests.invariants import close, gradient
from tests.problems import GAUSSIAN_KINDS, KINDS, Problem, problems, seeds, thorough


def assume_interior(problem: Problem) -> None:
    """Leave out problems in which a category never occurs: its probability 0 has no finite coordinate."""
    *_, theta = problem.iterates(2)
    assume(np.isfinite(problem.model.pack(theta)).all())


@thorough(120)
@given(problems())
def test_no_step_lowers_the_log_likelihood(problem: Problem) -> None:
    invariants.ascent(problem)


@thorough(120)
@given(problems())
def test_m_step_matches_moments(problem: Problem) -> None:
    invariants.moment_matching(problem)


@thorough(80)
@given(problems())
def test_m_step_averages_responsibilities(problem: Problem) -> None:
    invariants.mixing_weights(problem)


@thorough(80)
@given(problems())
def test_log_likelihood_is_q_plus_h(problem: Problem) -> None:
    invariants.decomposition(problem)


@thorough(80)
@given(problems(), seeds())
def test_m_step_beats_other_parameters(problem: Problem, rng: np.random.Generator) -> None:
    assume_interior(problem)
    invariants.maximises_q(problem, rng)


@thorough(40)
@given(problems(("gaussian-full",)))
def test_start_from_responsibilities_is_the_textbook_m_step(problem: Problem) -> None:
    invariants.textbook_start(problem)


@thorough(120)
@given(problems())
def test_densities_are_those_of_scipy(problem: Problem) -> None:
    invariants.matches_scipy(problem)


@thorough(80)
@given(problems(dim=1))
def test_density_of_one_column_integrates_to_one(problem: Problem) -> None:
    invariants.integrates_to_one(problem)


@thorough(24)
@given(problems((*GAUSSIAN_KINDS, "bernoulli", "binomial", "categorical", "poisson"), dim=2))
def test_density_of_two_columns_integrates_to_one(problem: Problem) -> None:
    invariants.integrates_to_one(problem)


@thorough(120)
@given(problems(), seeds())
def test_order_of_rows_columns_and_labels_does_not_matter(problem: Problem, rng: np.random.Generator) -> None:
    invariants.permutations(problem, rng)


@thorough(100)
@given(problems(GAUSSIAN_KINDS), seeds())
def test_affine_maps_of_the_data_map_the_answer(problem: Problem, rng: np.random.Generator) -> None:
    invariants.affine_equivariance(problem, rng)


@thorough(100)
@given(problems(GAUSSIAN_KINDS))
def test_data_far_from_the_origin(problem: Problem) -> None:
    invariants.far_from_the_origin(problem)


@thorough(100)
@given(problems(), seeds())
def test_integer_weights_are_repetition(problem: Problem, rng: np.random.Generator) -> None:
    invariants.weights_are_repetition(problem, rng)


@thorough(80)
@given(problems(), st.floats(1e-3, 1e3))
def test_scaled_weights_scale_the_log_likelihood(problem: Problem, factor: float) -> None:
    invariants.weights_scale(problem, factor)


@thorough(60)
@given(problems())
def test_fishers_identity(problem: Problem) -> None:
    assume_interior(problem)
    invariants.fisher(problem)


@thorough(60)
@given(problems())
def test_gradient_of_q_vanishes_at_the_m_step(problem: Problem) -> None:
    assume_interior(problem)
    invariants.stationary_m_step(problem)


@thorough(100)
@given(problems(), st.integers(1, 90))
def test_statistics_add_up_over_chunks(problem: Problem, size: int) -> None:
    invariants.chunking(problem, size)


@thorough(120)
@given(problems())
def test_pack_and_unpack(problem: Problem) -> None:
    assume_interior(problem)
    invariants.pack_round_trip(problem)


@thorough(100)
@given(problems())
def test_reported_log_likelihood_is_that_of_the_reported_parameters(problem: Problem) -> None:
    invariants.honest_result(problem)


# --- known weights --------------------------------------------------------------------------------------------


def with_fixed_weights(problem: Problem, rng: np.random.Generator) -> Problem:
    """Return the problem with mixing weights that are known."""
    weights = rng.dirichlet(np.full(problem.responsibilities.shape[1], 5.0))
    return problem.change(model=Mixture(problem.kind.component(), fixed_weights=weights / weights.sum()))


@thorough(40)
@given(problems(), seeds())
def test_fixed_weights_stay_and_the_log_likelihood_still_rises(problem: Problem, rng: np.random.Generator) -> None:
    assume_interior(problem)
    fixed = with_fixed_weights(problem, rng)
    invariants.ascent(fixed)
    invariants.decomposition(fixed)
    invariants.maximises_q(fixed, rng)
    for theta in fixed.iterates(3):
        np.testing.assert_array_equal(theta.weights, fixed.model.fixed_weights)


@thorough(40)
@given(problems(), seeds())
def test_fixed_weights_are_no_free_parameters(problem: Problem, rng: np.random.Generator) -> None:
    assume_interior(problem)
    fixed = with_fixed_weights(problem, rng)
    theta, n_components = fixed.start, fixed.responsibilities.shape[1]
    vector = fixed.model.pack(theta)
    assert vector.size == problem.kind.n_free(n_components, fixed.x.shape[1])
    close(fixed.scipy_log_joint(fixed.model.unpack(vector, theta)), fixed.scipy_log_joint(theta), rtol=1e-10)


@thorough(25)
@given(problems(tuple(name for name in KINDS if name != "user-geometric")), seeds())
def test_the_score_of_a_mixture_with_fixed_weights_is_the_gradient(problem: Problem, rng: np.random.Generator) -> None:
    assume_interior(problem)
    fixed = with_fixed_weights(problem, rng)
    *_, theta = fixed.iterates(1)
    rows, vector = fixed.model.prepare(fixed.x, fixed.weights), fixed.model.pack(theta)
    stats = fixed.model.e_step(theta, rows)[0]
    slope = gradient(lambda v: fixed.model.e_step(fixed.model.unpack(v, theta), rows)[1], vector)
    close(fixed.model.score(theta, stats), slope, rtol=1e-6, atol=1e-6 * (1 + np.abs(slope).max()))
    assert fixed.model.complete_information(theta, stats).size == vector.size


def test_three_roads_to_the_information_agree_with_fixed_weights() -> None:
    """The coins of Do and Batzoglou (2008), at the maximum."""
    heads, start = load_do_batzoglou().data[:, :1], MixtureParameters([0.5, 0.5], BernoulliParameters([[0.6], [0.5]]))
    coins = Mixture(Binomial(10), fixed_weights=[0.5, 0.5])
    theta = em(coins, heads, start, tol=1e-12).theta
    by_hessian, by_map, by_louis = (
        observed_information(coins, theta, heads, method=road) for road in ("hessian", "map", "louis")
    )
    assert by_hessian.shape == (2, 2)
    close(by_map, by_hessian, rtol=1e-5, atol=1e-5)
    close(by_louis, by_hessian, rtol=1e-5, atol=1e-5)


def test_a_start_with_other_weights_than_the_fixed_ones_is_refused() -> None:
    model = Mixture(Poisson(), fixed_weights=[0.5, 0.5])
    start = MixtureParameters([0.4, 0.6], PoissonParameters([[1.0], [2.0]]))
    with pytest.raises(ValueError, match=r"weights \[0\.4, 0\.6\], but this mixture fixes them at \[0\.5, 0\.5\]"):
        em(model, X, start)


@pytest.mark.parametrize(
    ("weights", "message"),
    [([0.5, 0.4], "must sum to 1"), ([1.5, -0.5], "not negative"), (0.5, r"shape \(n_components,\)")],
)
def test_fixed_weights_must_be_a_point_of_the_simplex(weights: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mixture(Poisson(), fixed_weights=weights)


def test_fixed_weights_take_no_prior() -> None:
    with pytest.raises(ValueError, match="give one of the two"):
        Mixture(Poisson(), fixed_weights=[0.5, 0.5], weight_prior=Dirichlet(2.0))


# --- bad input ------------------------------------------------------------------------------------------------

X = np.array([[0.0], [1.0], [5.0]])
ONE = MixtureParameters([1.0], PoissonParameters([[2.0]]))


@pytest.mark.parametrize(
    ("responsibilities", "message"),
    [
        ([1, 0, 1], r"must have shape \(3, n_components\), got \(3,\)"),
        ([[1], [1]], r"must have shape \(3, n_components\), got \(2, 1\)"),
        ([[1, 0], [0.5, 0.4], [1, 0]], r"row 1 is \[0\.5 0\.4\]"),
        ([[1, 0], [1, 0], [1.5, -0.5]], "row 2"),
        ([[np.nan, 1], [1, 0], [1, 0]], "row 0"),
    ],
)
def test_responsibilities_must_be_distributions(responsibilities: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mixture(Poisson()).from_responsibilities(X, responsibilities)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0.5, 0.4], r"must sum to 1, got a sum of .*0\.9"),
        ([1.5, -0.5], r"not negative, got \[1\.5, -0\.5\]"),
        ([np.nan, 1], "must be finite"),
        ([[1.0]], r"must have shape \(n_components,\), got \(1, 1\)"),
        ([], r"must have shape \(n_components,\), got \(0,\)"),
    ],
)
def test_weights_must_be_a_point_of_the_simplex(weights: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MixtureParameters(weights, PoissonParameters([[1.0], [2.0]]))


def test_lists_are_data_everywhere() -> None:
    model, data = Mixture(Poisson()), [[0], [1], [5]]
    for read in (model.log_joint, model.log_density, model.responsibilities, model.log_likelihood):
        close(read(ONE, data), read(ONE, X))
    assert model.locate(ONE, data, 0) == model.locate(ONE, model.prepare(X), 0)


def test_a_row_of_weight_zero_counts_for_nothing_even_where_it_is_impossible() -> None:
    model, nothing = Mixture(Poisson()), MixtureParameters([1.0], PoissonParameters([[0.0]]))
    assert model.log_likelihood(nothing, [[0.0], [1.0]], [1, 0]) == model.log_likelihood(nothing, [[0.0]]) == 0
    with pytest.raises(ValueError, match="row 1 has log density -inf"):
        model.log_likelihood(nothing, [[0.0], [1.0]], [0, 1])


def test_an_infinite_tolerance_is_refused() -> None:
    with pytest.raises(ValueError, match="tol"):
        em(Mixture(Poisson()), X, ONE, tol=np.inf)
