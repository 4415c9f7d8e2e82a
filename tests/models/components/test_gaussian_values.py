"""The M-step that is a Cholesky factor, beside the M-step from moments."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emlib import Gaussian, GaussianParameters, Mixture, MixtureParameters, em
from emlib.models.components import gaussian_engine
from emlib.models.components.covariance import covariance_structure
from emlib.models.components.gaussian_features import Products
from emlib.models.components.gaussian_values import GaussianStatistics, StandardStatistics
from tests.problems import Array, Problem, make_problem


def step(problem: Problem) -> tuple[Any, Any]:
    """Return the statistics of an E-step and the components of the M-step."""
    stats, _ = problem.model.e_step(problem.start, problem.model.prepare(problem.x, problem.weights))
    return stats.components, problem.model.m_step(stats).components


def plain(stats: GaussianStatistics) -> GaussianStatistics:
    return GaussianStatistics(stats.reference, stats.masses, stats.first, stats.second)


def test_the_factor_is_the_m_step_from_moments() -> None:
    kinds = set()
    for seed in range(40):
        problem = make_problem("gaussian-full", seed)
        stats, found = step(problem)
        kinds.add(type(stats))
        expected = problem.model.family.from_statistics(plain(stats))
        unit = np.ptp(problem.x)
        assert_allclose(found.means, expected.means, rtol=1e-11, atol=1e-13 * unit)
        assert_allclose(found.covariances, expected.covariances, rtol=1e-9, atol=1e-13 * unit**2)
        assert_allclose(found.factor.roots, expected.factor.roots, rtol=1e-9, atol=1e-12 * unit)
        assert_allclose(found.factor.log_det, expected.factor.log_det, rtol=1e-9, atol=1e-9)
        assert_allclose(found.factor.smallest, expected.factor.smallest, rtol=1e-9)
    assert StandardStatistics in kinds


def test_what_is_computed_when_read_is_consistent() -> None:
    _, theta = step(make_problem("gaussian-full", 0, n_components=3, dim=2))
    assert theta.standard is not None
    assert "means" not in vars(theta)
    assert theta.shape == theta.means.shape == (3, 2)
    assert theta.means is theta.means
    assert_array_equal(theta.covariances, theta.covariances.swapaxes(1, 2))
    assert not theta.means.flags.writeable
    assert not theta.covariances.flags.writeable
    again = covariance_structure("full").factor(theta.covariances, 3, 2)
    assert_allclose(theta.factor.roots, again.roots, rtol=1e-12, atol=1e-14)
    with pytest.raises(AttributeError, match="'GaussianParameters' object has no attribute 'mean'"):
        _ = theta.mean
    moved = replace(theta, means=theta.means + 1)
    assert moved.standard is None
    assert_array_equal(moved.means, theta.means + 1)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda theta: pickle.loads(pickle.dumps(theta))])
def test_copies_go_on_to_the_same_bits(copied: Any) -> None:
    problem = make_problem("gaussian-full", 0, n_components=3, dim=2)
    rows = problem.model.prepare(problem.x)
    theta = problem.model.m_step(problem.model.e_step(problem.start, rows)[0])
    stats, value = problem.model.e_step(theta, rows)
    stats_of_copy, value_of_copy = problem.model.e_step(copied(theta), rows)
    assert value == value_of_copy
    assert_array_equal(stats.components.second, stats_of_copy.components.second)


def test_statistics_cross_processes_as_moments() -> None:
    stats, _ = step(make_problem("gaussian-full", 0, n_components=3, dim=2))
    found = pickle.loads(pickle.dumps(stats))
    assert type(found) is GaussianStatistics
    for name in ("reference", "masses", "first", "second"):
        assert_array_equal(getattr(found, name), getattr(stats, name))


def test_parameters_serve_for_other_rows() -> None:
    """The factor is in the frame of the rows it was fitted to; on others it must be carried over."""
    problem = make_problem("gaussian-full", 0, n_components=3, dim=2)
    theta = em(problem.model, problem.x, problem.start, max_iter=3, tol=0).theta
    other = 5 + 2 * problem.x[::2]
    value = problem.model.e_step(theta, other)[1]
    assert_allclose(value, problem.model.log_density(theta, other).sum(), rtol=1e-12)


def collinear(gap: float) -> Array:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 2))
    return np.column_stack([x[:, 0], x[:, 0] + gap * x[:, 1]])


@pytest.mark.parametrize(
    ("x", "clear"),
    [
        (collinear(1.0), True),
        (collinear(1e-3), True),
        (collinear(1e-5), False),
        (collinear(1.0) + 1e9, True),
        (collinear(1.0) + 1e13, False),
    ],
)
def test_the_frame_says_where_an_m_step_must_look_for_itself(x: Array, clear: bool) -> None:
    """Columns nearly dependent, or hardly resolved: an M-step from the factor alone would miss what others refuse."""
    model = Mixture(Gaussian("full"))
    rows = model.prepare(x)
    start = MixtureParameters(np.ones(1), GaussianParameters(x.mean(axis=0)[None], np.cov(x.T)[None]))
    stats, _ = model.e_step(start, rows)
    assert isinstance(rows.memo["work"].features, Products)
    assert rows.memo["work"].features.clear is clear
    assert isinstance(stats.components, StandardStatistics) is clear


def test_a_component_too_small_for_the_factor_has_its_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of the data the moments of a small component are exact, and the next step may not use features."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.standard_normal(400), 8e-4 * rng.standard_normal(400)])[:, None]
    start = GaussianParameters(np.zeros((2, 1)), np.array([[[1.0]], [[1.44e-6]]]))
    model = Mixture(Gaussian("full"))
    rows = model.prepare(x)
    with monkeypatch.context() as patch:
        patch.setattr(gaussian_engine, "_by_whitening", pytest.fail)
        stats, _ = model.e_step(MixtureParameters(np.full(2, 0.5), start), rows)
    assert type(stats.components) is GaussianStatistics
    theta = model.m_step(stats)
    r = model.responsibilities(MixtureParameters(np.full(2, 0.5), start), x)
    assert_allclose(theta.components.covariances.ravel(), r.T @ x[:, 0] ** 2 / r.sum(axis=0), rtol=1e-2)
    found = [model.e_step(theta, rows)[1], model.log_density(theta, x).sum()]
    assert_allclose(*found, rtol=1e-13)
