"""The fused E-step of Gaussian mixtures: both of its forms, where each is used, and that neither costs accuracy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from benchmarks.accuracy import cases, emlib_step, errors, form, reference_step, scikit_learn_step
from emlib import Gaussian, GaussianParameters, Mixture, MixtureParameters, em, frame
from emlib.models.components import gaussian_engine, gaussian_features
from emlib.models.components.gaussian_features import Products, product_table
from tests import invariants
from tests.problems import GAUSSIAN_TYPES, Array, Problem, make_problem
from tests.reference import textbook_em

GAUSSIANS = tuple(f"gaussian-{name}" for name in GAUSSIAN_TYPES)


@pytest.fixture
def whitening(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust no features, so that every E-step whitens."""
    monkeypatch.setattr(gaussian_features, "MOST", -1.0)


def general(problem: Problem) -> tuple[Any, float]:
    """Return one E-step by log_prob and statistics, which share no code with the engine."""
    model = Mixture(problem.model.family)
    model._expectation = None
    return model.e_step(problem.start, model.prepare(problem.x, problem.weights))


def same_step(problem: Problem) -> None:
    expected, log_likelihood = general(problem)
    found, value = problem.model.e_step(problem.start, problem.model.prepare(problem.x, problem.weights))
    assert_allclose(value, log_likelihood, rtol=1e-12)
    assert_allclose(found.masses, expected.masses, rtol=1e-10)
    assert_array_equal(found.components.reference, expected.components.reference)
    scale = 1e-13 * problem.row_weights.sum()
    for name, unit in (("first", np.ptp(problem.x)), ("second", np.ptp(problem.x) ** 2)):
        one, other = getattr(found.components, name), getattr(expected.components, name)
        assert_allclose(one, other, rtol=1e-9, atol=scale * unit)


@pytest.mark.parametrize("name", GAUSSIANS)
def test_features_give_the_step_of_the_densities(name: str) -> None:
    for seed in range(30):
        same_step(make_problem(name, seed))


@pytest.mark.parametrize("name", GAUSSIANS)
@pytest.mark.usefixtures("whitening")
def test_whitening_gives_the_step_of_the_densities(name: str) -> None:
    for seed in range(30):
        same_step(make_problem(name, seed))


@pytest.mark.parametrize("name", GAUSSIANS)
@pytest.mark.usefixtures("whitening")
def test_invariants_of_whitening(name: str) -> None:
    problem = make_problem(name, 1, n_components=3, dim=2, weighted=True)
    invariants.ascent(problem)
    invariants.moment_matching(problem)
    invariants.honest_result(problem)
    invariants.chunking(problem, 20)
    invariants.far_from_the_origin(problem)


def test_a_thousand_steps_of_the_textbook() -> None:
    for seed in range(1000):
        problem = make_problem("gaussian-full", seed, weighted=False)
        start = problem.start
        weights, means, covariances, trace = textbook_em(
            problem.x, start.weights, start.components.means, start.components.covariances, 1
        )
        result = problem.run(1)
        found = result.theta.components
        assert_allclose(result.trace, trace, rtol=1e-11, err_msg=f"seed {seed}")
        assert_allclose(result.theta.weights, weights, atol=1e-10, err_msg=f"seed {seed}")
        assert_allclose(found.means, means, atol=1e-9, rtol=1e-9, err_msg=f"seed {seed}")
        assert_allclose(found.covariances, covariances, atol=1e-9, rtol=1e-9, err_msg=f"seed {seed}")


@pytest.mark.parametrize("case", cases(n=100), ids=lambda case: f"{case.name}-{case.size:.0e}")
def test_one_step_against_80_bits(case: Any) -> None:
    """Errors in units of the component are at most 1e-10, or twice scikit-learn's."""
    exact = reference_step(case.x, case.start)
    ours, theirs = (errors(step(case.x, case.start), exact) for step in (emlib_step, scikit_learn_step))
    assert ours[0] <= max(1e-10, 2 * theirs[0])
    assert ours[1] <= max(1e-10, 2 * theirs[1])


def test_the_forms_are_chosen_by_conditioning() -> None:
    forms = {(case.name, case.size): form(case.x, case.start) for case in cases(n=100)}
    assert forms["offset", 1e8] == forms["common condition", 1e12] == forms["own condition", 1e2] == "features"
    assert forms["own condition", 1e8] == forms["separation", 1e4] == forms["unlike sizes", 1e4] == "whitening"


def test_features_alone_would_lose_the_ill_conditioned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the two tests above: without the guard the errors are beyond what they allow."""
    monkeypatch.setattr(gaussian_features, "MOST", np.inf)
    [case] = [case for case in cases(n=100) if (case.name, case.size) == ("separation", 1e4)]
    assert errors(emlib_step(case.x, case.start), reference_step(case.x, case.start))[1] > 1e-9


@pytest.mark.parametrize("name", GAUSSIANS)
def test_features_about_a_point_far_from_the_data_are_not_trusted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the frame not centered, the guard would send data far from the origin to whitening, and nothing be lost."""
    original = frame.frame_of
    monkeypatch.setattr(frame, "frame_of", lambda rows: replace(original(rows), center=np.zeros(rows.dim)))
    invariants.far_from_the_origin(make_problem(name, 1, n_components=3, dim=2, weighted=True))


def test_many_columns_and_few_components_are_whitened(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_args: Any) -> None:
        raise AssertionError("features were used")

    monkeypatch.setattr(gaussian_engine, "_features", never)
    problem = make_problem("gaussian-full", 3, dim=20, n_components=2)
    same_step(problem)
    with pytest.raises(AssertionError, match="features were used"):
        same_step(make_problem("gaussian-full", 3, dim=20, n_components=3))


@pytest.mark.parametrize("dim", range(1, 9))
def test_features_are_all_products_once(dim: int) -> None:
    entry, feature, _ = product_table(dim)
    assert sorted(set(feature.ravel())) == list(range((dim + 1) * (dim + 2) // 2))
    problem = make_problem("gaussian-full", 1, dim=dim, n_components=2)
    rows = problem.model.prepare(problem.x)
    problem.model.e_step(problem.start, rows)
    work = rows.memo["work"]
    assert isinstance(work.features, Products)
    [chunk] = work.kept
    z = (problem.x - work.features.frame.center) @ work.features.frame.whitener.T
    homogeneous = np.column_stack([np.ones(len(z)), z])
    products = homogeneous[:, :, None] * homogeneous[:, None, :]
    assert_allclose(chunk.phi.T, products.reshape(len(z), -1)[:, entry], rtol=1e-12, atol=1e-12)


def far_clusters(gap: float) -> tuple[Array, MixtureParameters[GaussianParameters]]:
    rng = np.random.default_rng(3)
    means = gap * np.array([[0.0, 0], [1, 0], [0, 1]])
    x = means[rng.integers(0, 3, 3000)] + rng.standard_normal((3000, 2))
    return x, MixtureParameters(np.full(3, 1 / 3), GaussianParameters(means, np.tile(np.eye(2), (3, 1, 1))))


@pytest.mark.parametrize("gap", [10.0, 30, 40, 100, 1000, 1e6])
def test_separated_clusters_have_no_denormal_numbers(gap: float) -> None:
    """Arithmetic on denormal numbers is a hundred times slower: there are none among the responsibilities."""
    x, theta = far_clusters(gap)
    smallest = []

    def watch(joint: Array, total: Array) -> None:
        original(joint, total)
        smallest.append(joint[joint > 0].min())

    original = gaussian_engine._exponentials
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gaussian_engine, "_exponentials", watch)
        stats, _ = Mixture(Gaussian()).e_step(theta, x)
    assert min(smallest) >= 1e-294
    assert_allclose(stats.masses.sum(), 3000, rtol=1e-12)


def test_a_row_far_from_all_components_is_shifted_by_its_own_maximum() -> None:
    """Its density, 1e-2000 of the highest peak, is not lost, nor is its responsibility."""
    x, theta = far_clusters(5.0)
    x[7] = [70.0, 30.0]
    problem = Problem("gaussian-full", x, None, np.empty((0, 0)), Mixture(Gaussian()))
    found, value = problem.model.e_step(theta, x)
    assert_allclose(value, problem.scipy_log_likelihood(theta), rtol=1e-12)
    posterior = problem.model.responsibilities(theta, x)
    assert_allclose(found.masses, posterior.sum(axis=0), rtol=1e-12)


def test_a_component_that_loses_its_data_is_not_kept_alive_by_the_clip() -> None:
    x = np.linspace(-1, 1, 50)[:, None]
    theta = MixtureParameters([0.5, 0.5], GaussianParameters([[0.0], [400.0]], [[[1.0]], [[1.0]]]))
    result = em(Mixture(Gaussian()), x, theta)
    assert "component 1 lost its data" in result.message


def test_a_weight_of_zero_stays_zero() -> None:
    x, theta = far_clusters(5.0)
    result = em(Mixture(Gaussian("tied")), x, _tied(theta), tol=0, max_iter=0)
    assert np.isfinite(result.log_likelihood)
    stats, _ = Mixture(Gaussian()).e_step(MixtureParameters([0.0, 0.5, 0.5], theta.components), x)
    assert stats.masses[0] == 0


def _tied(theta: MixtureParameters[GaussianParameters]) -> MixtureParameters[GaussianParameters]:
    return MixtureParameters(theta.weights, GaussianParameters(theta.components.means, np.eye(2), "tied"))


@pytest.mark.parametrize("name", GAUSSIANS)
def test_the_same_rows_serve_mixtures_of_any_size_and_type(name: str) -> None:
    """What the engine keeps with the rows never leaks from one model into another; results are bit for bit."""
    problem = make_problem(name, 4, dim=3, n_components=3, weighted=True)
    fewer = problem.change(
        responsibilities=problem.responsibilities[:, :2] / problem.responsibilities[:, :2].sum(1)[:, None]
    )
    rows = problem.model.prepare(problem.x, problem.weights)
    for one in (problem, fewer, problem, make_problem("gaussian-full", 4, dim=3, n_components=3, weighted=True)):
        again = one.model.e_step(one.start, rows)[1]
        assert again == one.model.e_step(one.start, one.model.prepare(problem.x, problem.weights))[1]


@pytest.mark.parametrize("covariance_type", GAUSSIAN_TYPES)
def test_float32_is_computed_in_float64(covariance_type: str) -> None:
    problem = make_problem(f"gaussian-{covariance_type}", 2, dim=2, n_components=2, weighted=True)
    single = problem.x.astype(np.float32)
    one = em(problem.model, single, problem.start, sample_weight=problem.weights, tol=0, max_iter=5)
    other = em(
        problem.model, single.astype(np.float64), problem.start, sample_weight=problem.weights, tol=0, max_iter=5
    )
    assert_array_equal(one.trace, other.trace)
    assert one.log_likelihood == problem.model.log_likelihood(one.theta, single, problem.weights)
    assert_allclose(problem.model.responsibilities(one.theta, single).sum(axis=1), 1, rtol=1e-12)


def test_constant_columns_and_copies_of_columns_have_a_frame() -> None:
    """A floor or a prior allows them; the frame then scales columns only."""
    x = np.random.default_rng(0).normal(size=(60, 3))
    x[:, 1], x[:, 2] = 5.0, 2 * x[:, 0]
    theta = MixtureParameters([0.5, 0.5], GaussianParameters([[-1.0, 5, -2], [1, 5, 2]], np.tile(np.eye(3), (2, 1, 1))))
    problem = Problem("gaussian-full", x, None, np.empty((0, 0)), Mixture(Gaussian(covariance_floor=0.1)))
    result = em(problem.model, x, theta, tol=0, max_iter=10)
    assert_allclose(result.log_likelihood, problem.scipy_log_likelihood(result.theta), rtol=1e-12)
    assert (np.diff(result.trace) >= 0).all()


@pytest.mark.parametrize("covariance_type", ["full", "diag"])
@pytest.mark.parametrize("transposed", [1, 99])
def test_columns_are_read_right_however_rows_lie(
    covariance_type: str, transposed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Centered before or after they are transposed, in chunks with a rest, in either order in memory."""
    monkeypatch.setattr(gaussian_engine, "TRANSPOSED", transposed)
    monkeypatch.setattr(gaussian_engine, "CACHE", 100_000)
    monkeypatch.setattr(gaussian_engine, "KEPT", 0)
    rng = np.random.default_rng(5)
    x = 7 + rng.normal(size=(1003, 9)) @ rng.normal(size=(9, 9))
    responsibilities = rng.dirichlet(np.ones(3), len(x))
    for rows in (x, np.asfortranarray(x)):
        same_step(
            Problem("gaussian-" + covariance_type, rows, None, responsibilities, Mixture(Gaussian(covariance_type)))
        )


def test_the_chunks_of_little_data_have_no_small_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaussian_engine, "CACHE", 100_000)
    x = np.random.default_rng(0).normal(size=(3001, 2))
    model = Mixture(Gaussian())
    rows = model.prepare(x)
    model.e_step(model.from_responsibilities(x, np.ones((3001, 1))), rows)
    sizes = [chunk.phi.shape[1] for chunk in rows.memo["work"].kept]
    assert len(sizes) > 2
    assert max(sizes) - min(sizes) < 8 * len(sizes)


@pytest.mark.parametrize("scale", [1.0, 1e9])
def test_the_factor_knows_its_condition_whatever_the_units(scale: float) -> None:
    correlations = np.array([[[1.0, 0.6], [0.6, 1.0]], [[1.0, 0.8], [0.8, 1.0]]])
    units = np.array([1.0, scale])
    factor = GaussianParameters(np.zeros((2, 2)), correlations * np.outer(units, units)).factor
    assert_allclose(factor.condition, 1 / 0.36, rtol=1e-12)
    assert_allclose(factor.smallest, min(1.0, 0.6 * scale), rtol=1e-12)


@pytest.mark.parametrize(("rows", "bound"), [([0.0], 1e-19), ([0.0, 3e-4], 1e-7)])
def test_a_collapse_in_one_step_is_as_deep_as_it_is(rows: list[float], bound: float) -> None:
    """The new variance is 1e-20 or 1e-8 of the old one; features alone lose it, or half its digits."""
    x = np.array([*rows, 10.0, 11.0, 12.0])[:, None]
    theta = MixtureParameters([0.25, 0.75], GaussianParameters([[0.0], [11.0]], [[[1.0]], [[1.0]]]))
    weights, _, covariances, _ = textbook_em(x, theta.weights, theta.components.means, theta.components.covariances, 1)
    model = Mixture(Gaussian())
    new = model.m_step(model.e_step(theta, x)[0])
    assert_allclose(new.components.covariances, covariances, rtol=1e-10)
    assert_allclose(new.weights, weights, rtol=1e-12)
    assert covariances[0, 0, 0] < bound
