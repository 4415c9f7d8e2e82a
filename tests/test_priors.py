"""Priors and floors: the objective of MAP-EM is a log posterior, and the floor an exact constrained M-step."""

from __future__ import annotations

from functools import partial
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose
from scipy import stats

from emlib import Dirichlet, Gaussian, GaussianMixture, InverseWishart, Mixture, Status, em
from tests import invariants
from tests.problems import GAUSSIAN_TYPES, Problem, make_problem, seeds, thorough


def with_prior(covariance_type: str, seed: int, *, priors: str = "both") -> Problem:
    """Return a random problem with a random inverse-Wishart prior, a Dirichlet prior, or both."""
    rng = np.random.default_rng(seed)
    problem = make_problem(f"gaussian-{covariance_type}", seed)
    dim = problem.x.shape[1]
    root = rng.normal(size=(dim, dim))
    prior = InverseWishart(root @ root.T + 0.1 * np.eye(dim), dof=dim - 1 + rng.uniform(0.5, 9))
    family = Gaussian(covariance_type, prior=None if priors == "weights" else prior)
    weight_prior = None if priors == "covariances" else Dirichlet(rng.uniform(1, 6))
    return problem.change(model=Mixture(family, weight_prior=weight_prior))


def with_floor(covariance_type: str, seed: int) -> Problem:
    """Return a random problem whose floor binds: the middle of the eigenvalues of the unconstrained start."""
    problem = make_problem(f"gaussian-{covariance_type}", seed)
    floor = float(np.median(np.linalg.eigvalsh(problem.start.components.dense_covariances)))
    return problem.change(model=Mixture(Gaussian(covariance_type, covariance_floor=floor)))


def map_problems(**fixed: Any) -> st.SearchStrategy[Problem]:
    kinds, numbers = st.sampled_from(GAUSSIAN_TYPES), st.integers(0, 2**32 - 1)
    return st.builds(
        partial(with_prior, **fixed), kinds, numbers, priors=st.sampled_from(["both", "weights", "covariances"])
    )


def floor_problems() -> st.SearchStrategy[Problem]:
    return st.builds(with_floor, st.sampled_from(GAUSSIAN_TYPES), st.integers(0, 2**32 - 1))


@thorough(80)
@given(map_problems())
def test_log_prior_is_that_of_scipy(problem: Problem) -> None:
    invariants.log_prior_is_scipys(problem)


@thorough(80)
@given(map_problems())
def test_no_step_lowers_the_log_posterior(problem: Problem) -> None:
    invariants.map_ascent(problem)


@thorough(40)
@given(map_problems())
def test_gradient_vanishes_at_the_map_m_step(problem: Problem) -> None:
    invariants.stationary_m_step(problem)


@thorough(60)
@given(floor_problems(), seeds())
def test_floor_is_the_exact_constrained_m_step(problem: Problem, rng: np.random.Generator) -> None:
    invariants.floor_is_exact(problem, rng)


def test_the_log_likelihood_itself_may_fall_under_a_prior() -> None:
    """A strong prior pulls away from the maximum of the likelihood: only the posterior ascends."""
    x = np.random.default_rng(0).normal(0, 1, (50, 1))
    model = Mixture(Gaussian(prior=InverseWishart(500.0, dof=20)))
    unpenalised = Mixture(Gaussian())
    start = unpenalised.from_responsibilities(x, np.ones((50, 1)))
    result = em(model, x, start)
    assert result.status is Status.CONVERGED
    assert (np.diff(result.trace) >= 0).all()
    assert result.log_likelihood < unpenalised.log_likelihood(start, x) - 1
    assert_allclose(result.objective, result.log_likelihood + model.log_prior(result.theta), rtol=1e-15)


def test_prior_keeps_a_component_without_rows() -> None:
    """Its covariance is then the mode of the prior, scale / (dof + d + 1), and its mean stays."""
    x = np.array([[-1.0], [0.0], [1.0]])
    model = Mixture(Gaussian(prior=InverseWishart(2.0, dof=3)), weight_prior=Dirichlet(2))
    theta = model.from_responsibilities(x, [[1, 0], [1, 0], [1, 0]])
    assert_allclose(theta.weights, [4 / 5, 1 / 5])
    assert_allclose(theta.components.covariances[1], [[2 / 5]])


@pytest.mark.parametrize("covariance_type", GAUSSIAN_TYPES)
def test_estimator_climbs_the_log_posterior(covariance_type: str) -> None:
    problem = make_problem("gaussian-full", 4, dim=2, n_components=2, weighted=False)
    prior, weight_prior = InverseWishart([[2.0, 0.5], [0.5, 1.0]], dof=4), Dirichlet(3)
    fit = GaussianMixture(
        2, covariance_type=covariance_type, covariance_prior=prior, weight_prior=weight_prior, random_state=0
    ).fit(problem.x)
    model = Mixture(Gaussian(covariance_type, prior=prior), weight_prior=weight_prior)
    same = problem.change(name=f"gaussian-{covariance_type}", model=model)
    assert fit.status_ is Status.CONVERGED
    assert_allclose(
        fit.result_.objective,
        same.scipy_log_likelihood(fit.theta_) + invariants.scipy_log_prior(same, fit.theta_),
        rtol=1e-10,
    )
    assert_allclose(fit.log_likelihood_, same.scipy_log_likelihood(fit.theta_), rtol=1e-10)


def test_flat_dirichlet_is_the_maximum_likelihood() -> None:
    masses = np.array([1.0, 2.0, 5.0])
    assert_allclose(Dirichlet(1).mode(masses), masses / 8)
    assert_allclose(Dirichlet(1).log_density(np.array([0.0, 0.5, 0.5])), np.log(2))  # 0 log 0 = 0; the density is 2!
    assert_allclose(Dirichlet(1).log_density(np.array([1.0])), 0, atol=1e-15)


def test_dirichlet_density() -> None:
    weights = np.array([0.2, 0.3, 0.5])
    assert_allclose(Dirichlet(2.5).log_density(weights), stats.dirichlet.logpdf(weights, np.full(3, 2.5)))


@pytest.mark.parametrize("concentration", [0.5, 0, -1, np.nan, np.inf])
def test_dirichlet_without_a_mode_is_refused(concentration: float) -> None:
    with pytest.raises(ValueError, match=f"at least 1, got {concentration}"):
        Dirichlet(concentration)


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        ([1.0, 2.0], r"got shape \(2,\)"),
        ([[1.0, 2.0]], r"got shape \(1, 2\)"),
        (0.0, "positive definite"),
        (-1.0, "positive definite"),
        (np.nan, "positive definite"),
        ([[1.0, 0.5], [0.0, 1.0]], "symmetric"),
        ([[1.0, 2.0], [2.0, 1.0]], "positive definite"),
    ],
)
def test_wrong_scales_are_refused(scale: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        InverseWishart(scale, dof=5)


@pytest.mark.parametrize("dof", [np.nan, -1.0, 0.0])
def test_impossible_degrees_of_freedom_are_refused(dof: float) -> None:
    """No dimension makes these proper."""
    with pytest.raises(ValueError, match="dof"):
        InverseWishart(1.0, dof=dof)


def test_degrees_of_freedom_must_suit_the_dimension() -> None:
    x = np.random.default_rng(0).normal(size=(20, 3))
    fit = GaussianMixture(1, covariance_prior=InverseWishart(1.0, dof=1.5), covariance_type="full")
    with pytest.raises(ValueError, match=r"dof must be above p - 1 = 2 .*got 1\.5"):
        fit.fit(x)


def test_scale_must_suit_the_dimension() -> None:
    x = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(ValueError, match=r"prior's scale has shape \(2, 2\), the data have 3 columns"):
        GaussianMixture(1, covariance_prior=InverseWishart(np.eye(2), dof=9)).fit(x)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"covariance_prior": 3}, "prior on covariances must be an InverseWishart or None, got 3"),
        ({"covariance_prior": Dirichlet(2)}, "prior on covariances must be an InverseWishart or None, got Dirichlet"),
        ({"weight_prior": 3}, "weight_prior must be a Dirichlet or None, got 3"),
        ({"weight_prior": InverseWishart(1.0, dof=3)}, "weight_prior must be a Dirichlet or None, got InverseWishart"),
    ],
)
def test_priors_of_another_kind_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        GaussianMixture(1, **options).fit(np.arange(6.0).reshape(3, 2))


@pytest.mark.parametrize("floor", [0, -1.0, np.nan, np.inf])
def test_wrong_floors_are_refused(floor: float) -> None:
    with pytest.raises(ValueError, match=f"covariance_floor must be a positive number or None, got {floor}"):
        Gaussian(covariance_floor=floor)


def test_start_below_the_floor_is_refused() -> None:
    x = np.random.default_rng(0).normal(size=(20, 1))
    fit = GaussianMixture(1, covariance_floor=0.5, weights_init=[1.0], means_init=[[0.0]], covariances_init=[[[0.1]]])
    with pytest.raises(ValueError, match=r"component 0 .*0\.1 below covariance_floor=0\.5"):
        fit.fit(x)


def test_floor_on_columns_of_unequal_scale() -> None:
    """Clipping rounds by the largest eigenvalue, 1e8 here: emlib must not then refuse its own parameters."""
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(2, 2)))[0]
    x = np.hstack([rng.normal(0, 1e4, (50, 1)), rng.normal(0, 1e-3, (50, 1))]) @ turn
    fit = GaussianMixture(2, covariance_floor=1e-4, random_state=0).fit(x)
    assert fit.converged_
    assert_allclose(np.linalg.eigvalsh(fit.covariances_)[:, 0], 1e-4, rtol=1e-3)
