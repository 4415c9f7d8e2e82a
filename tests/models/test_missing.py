"""Gaussians with missing entries: against SciPy, integrals, closed forms and print, and what they refuse."""

from __future__ import annotations

import doctest
from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, sparse, stats

from emlib import (
    DegenerateComponent,
    Gaussian,
    GaussianParameters,
    InverseWishart,
    LikelihoodDecreased,
    MissingGaussian,
    Mixture,
    MixtureParameters,
    Status,
    em,
)
from emlib.datasets import load_iris, load_johnson_wichern, load_murray
from emlib.models import missing
from emlib.models.components import incomplete
from tests import invariants
from tests.problems import (
    GAUSSIAN_TYPES,
    Array,
    Problem,
    Theta,
    dense_covariance,
    make_problem,
    seeds,
    thorough,
)
from tests.test_robustness import awkward_data

NAN = np.nan
MURRAY, JOHNSON_WICHERN = load_murray().data, load_johnson_wichern().data


def one(mean: Any, covariance: Any) -> Theta:
    return MixtureParameters([1.0], GaussianParameters([mean], [covariance]))


def log_marginals(components: GaussianParameters, m: int, x: Array) -> Array:
    """Return the log densities of the observed entries of the rows, from scipy.stats."""
    densities, observed = np.zeros(len(x)), ~np.isnan(x)
    for seen in np.unique(observed, axis=0):
        rows, covariance = (observed == seen).all(axis=1), dense_covariance(components, m)[np.ix_(seen, seen)]
        if seen.any():
            densities[rows] = stats.multivariate_normal(components.means[m][seen], covariance).logpdf(x[rows][:, seen])
    return densities


@dataclass(frozen=True)
class Incomplete(Problem):
    """A Gaussian problem with entries taken out; SciPy sees what is left."""

    def scipy_log_joint(self, theta: Theta) -> Array:
        columns = [log_marginals(theta.components, m, self.x) for m in range(len(theta.weights))]
        return np.array(columns).T + np.log(theta.weights)


def take_out(x: Array, rng: np.random.Generator, fraction: float = 0.25) -> Array:
    """Return a copy without some entries; the first rows stay complete."""
    gone = rng.random(x.shape) < fraction
    gone[: 2 * x.shape[1]] = False
    return np.where(gone, NAN, x)


def make(seed: int, covariance_type: str = "full", **fixed: Any) -> Incomplete:
    """Return a random problem of one to three components; what is not given is drawn."""
    fixed = {"dim": int(np.random.default_rng(seed).integers(2, 4)), **fixed}
    whole = make_problem(f"gaussian-{covariance_type}", seed, **fixed)
    x = take_out(whole.x, np.random.default_rng(seed))
    return Incomplete(whole.name, x, whole.weights, whole.responsibilities, MissingGaussian(covariance_type))


def incomplete_problems() -> st.SearchStrategy[Incomplete]:
    return st.builds(make, st.integers(0, 2**32 - 1), st.sampled_from(GAUSSIAN_TYPES))


# --- what holds for every mixture ------------------------------------------------------------------------------


@given(incomplete_problems())
@thorough(12)
def test_the_invariants_of_mixtures_hold_without_the_missing_entries(problem: Incomplete) -> None:
    invariants.ascent(problem)
    invariants.mixing_weights(problem)
    invariants.matches_scipy(problem)
    invariants.honest_result(problem)
    invariants.pack_round_trip(problem)
    invariants.far_from_the_origin(problem)
    invariants.chunking(problem, 20)
    invariants.weights_scale(problem, 3.0)


@given(incomplete_problems(), seeds())
@thorough(6)
def test_neither_order_nor_repetition_matters(problem: Incomplete, rng: np.random.Generator) -> None:
    invariants.permutations(problem, rng)
    invariants.weights_are_repetition(problem, rng)


@given(incomplete_problems(), seeds())
@thorough(6)
def test_units_and_origin_of_the_columns_do_not_matter(problem: Incomplete, rng: np.random.Generator) -> None:
    """Each column has its own unit, or all the same where the type ties their variances."""
    spherical = problem.name.endswith("spherical")
    scale = rng.uniform(0.01, 100, 1 if spherical else problem.x.shape[1]) * np.ones(problem.x.shape[1])
    shift = rng.normal(0, 100, len(scale))
    plain, mapped = problem.run(5), problem.change(x=problem.x * scale + shift).run(5)
    in_nats = problem.row_weights @ (~np.isnan(problem.x) @ np.log(scale))
    invariants.close(mapped.trace, plain.trace - in_nats, atol=1e-7)
    invariants.close(mapped.theta.components.means, plain.theta.components.means * scale + shift, rtol=1e-7)
    covariances = plain.theta.components.dense_covariances * np.outer(scale, scale)
    invariants.close(mapped.theta.components.dense_covariances, covariances, rtol=1e-6, atol=1e-7 * covariances.max())


# --- the E-step -----------------------------------------------------------------------------------------------


def step_is_a_gradient_step(problem: Incomplete) -> None:
    """A step moves the mean by Sigma g / N and the moment about the old mean by 2 Sigma G Sigma / N.

    Here g and G are gradients of SciPy's log-likelihood (Xu and Jordan 1996, for one component), so that the
    completed rows and the correction of their second moment are both held to the density alone.
    """
    theta = problem.start
    mean, covariance = theta.components.means[0], theta.components.covariances[0]
    dim, n = len(mean), problem.row_weights @ ~np.isnan(problem.x).all(axis=1)

    def log_likelihood(vector: Array) -> float:
        root = vector[dim:].reshape(dim, dim)
        return problem.scipy_log_likelihood(one(vector[:dim], (root + root.T) / 2))

    slope = invariants.gradient(log_likelihood, np.concatenate([mean, covariance.ravel()]))
    new = problem.model.m_step(problem.model.e_step(theta, problem.model.prepare(problem.x, problem.weights))[0])
    shift = new.components.means[0] - mean
    invariants.close(shift, covariance @ slope[:dim] / n, rtol=1e-6, atol=1e-7)
    moment = new.components.covariances[0] + np.outer(shift, shift)
    G = slope[dim:].reshape(dim, dim)
    invariants.close(moment - covariance, 2 * covariance @ G @ covariance / n, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_step_is_a_gradient_step_on_the_observed_likelihood(seed: int) -> None:
    step_is_a_gradient_step(make(seed, n_components=1))


def test_the_density_of_a_row_is_the_integral_over_its_missing_entry() -> None:
    theta = one([1.0, -2.0], [[2.0, 1.2], [1.2, 3.0]])
    row = np.array([[0.3, NAN]])
    joint = stats.multivariate_normal(theta.components.means[0], theta.components.covariances[0]).pdf
    value, _ = integrate.quad(lambda y: joint([0.3, y]), -30, 30, points=[-2], epsabs=1e-13)
    assert_allclose(MissingGaussian().log_likelihood(theta, row), np.log(value), rtol=1e-10)


def test_the_moments_of_a_row_are_integrals_over_its_missing_entry() -> None:
    theta = one([1.0, -2.0], [[2.0, 1.2], [1.2, 3.0]])
    joint = stats.multivariate_normal(theta.components.means[0], theta.components.covariances[0]).pdf
    powers = [integrate.quad(lambda y, k=k: (y + 2) ** k * joint([0.3, y]), -30, 30, points=[-2])[0] for k in range(3)]
    sums = MissingGaussian().e_step(theta, [[0.3, NAN]])[0].components
    assert_allclose(sums.first[0], [-0.7, powers[1] / powers[0]], rtol=1e-9)
    cross, square = -0.7 * powers[1] / powers[0], powers[2] / powers[0]
    assert_allclose(sums.second[0], [[0.49, cross], [cross, square]], rtol=1e-9)


def test_a_row_without_entries_has_no_part() -> None:
    problem = make(5, n_components=1)
    more = np.vstack([problem.x, np.full((7, problem.x.shape[1]), NAN)])
    plain = em(problem.model, problem.x, problem.start)
    padded = em(problem.model, more, problem.start)
    assert padded.n_iter == plain.n_iter
    assert_allclose(padded.trace, plain.trace, rtol=1e-13)
    assert_allclose(padded.theta.components.means, plain.theta.components.means, rtol=1e-12)
    assert_allclose(problem.model.log_density(plain.theta, more)[-7:], 0, atol=1e-15)


def test_the_stack_of_matrices_may_be_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = make(6, n_components=2, dim=3)
    whole = problem.run(3)
    monkeypatch.setattr(incomplete, "LARGEST_STACK", 20)  # two patterns at a time
    cut = problem.run(3)
    assert_allclose(cut.trace, whole.trace, rtol=1e-14)


def test_statistics_add_up_over_parts_that_lack_a_column() -> None:
    model, theta = MissingGaussian(), one([0.0, 0.0], np.eye(2))
    parts = [model.e_step(theta, MURRAY[rows])[0] for rows in (slice(0, 6), slice(6, 8), slice(8, 12))]
    added = model.m_step(parts[0] + parts[1] + parts[2])
    whole = model.m_step(model.e_step(theta, MURRAY)[0])
    assert_allclose(added.components.covariances, whole.components.covariances, rtol=1e-14)
    plain = Mixture(Gaussian()).e_step(theta, MURRAY[:4])[0]
    with pytest.raises(TypeError, match="statistics of incomplete rows do not add up with StandardStatistics"):
        _ = parts[0] + plain


# --- closed forms ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", GAUSSIAN_TYPES)
def test_with_nothing_missing_it_is_the_gaussian(covariance_type: str) -> None:
    problem = make_problem(f"gaussian-{covariance_type}", 4, dim=3, n_components=2)
    model = MissingGaussian(covariance_type)
    plain = problem.run(5)
    same = em(model, problem.x, problem.start, sample_weight=problem.weights, tol=0, max_iter=5)
    assert_allclose(same.trace, plain.trace, rtol=1e-12)
    assert_allclose(same.theta.components.covariances, plain.theta.components.covariances, rtol=1e-10, atol=1e-12)


def test_with_nothing_missing_one_step_is_the_maximum() -> None:
    x = load_iris().data
    model = MissingGaussian()
    theta = model.m_step(model.e_step(model.start(x), x)[0])
    assert_allclose(theta.components.means[0], x.mean(axis=0), rtol=1e-13)
    assert_allclose(theta.components.covariances[0], np.cov(x.T, bias=True), rtol=1e-11)


def test_a_monotone_pattern_has_a_closed_form() -> None:
    """Where only the last column has gaps, regression gives the maximum (Anderson 1957, JASA 52, 200-203)."""
    x = load_iris().data[:, :3].copy()
    x[90:, 2] = NAN
    model = MissingGaussian()
    found = em(model, x, model.start(x), tol=1e-12, max_iter=5000).theta.components

    front, whole = x[:, :2], x[:90]
    mean, covariance = front.mean(axis=0), np.cov(front.T, bias=True)
    joint = np.cov(whole.T, bias=True)
    slope = np.linalg.solve(joint[:2, :2], joint[:2, 2])
    last = whole[:, 2].mean() + (mean - whole[:, :2].mean(axis=0)) @ slope
    variance = joint[2, 2] - joint[2, :2] @ slope + slope @ covariance @ slope
    assert_allclose(found.means[0], [*mean, last], rtol=1e-6)
    expected = np.block([[covariance, (covariance @ slope)[:, None]], [slope @ covariance, variance]])
    assert_allclose(found.covariances[0], expected, rtol=1e-5)


def test_the_example_of_the_docstring_is_a_regression() -> None:
    """One gap in the last column: the printed value is the line through the three complete rows, by hand 6.143."""
    found = doctest.testmod(missing)
    assert found.attempted > 0
    assert found.failed == 0
    slope, level = np.polyfit([1.0, 2.0, 4.0], [2.0, 4.5, 8.0], 1)
    assert_allclose(level + 3 * slope, 6.143, atol=5e-4)


def test_the_gradient_vanishes_at_the_end() -> None:
    problem = make(9, n_components=1, dim=3)
    theta = em(problem.model, problem.x, problem.start, sample_weight=problem.weights, tol=1e-12).theta
    slope = invariants.gradient(
        lambda vector: problem.scipy_log_likelihood(problem.model.unpack(vector, theta)), problem.model.pack(theta)
    )
    assert_allclose(slope, 0, atol=1e-4)


# --- published ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1])
def test_murrays_two_maxima(sign: int) -> None:
    """Correlation 1/2 of either sign and variance 8/3, with the mean known to be zero."""
    model = MissingGaussian(fixed_mean=[0, 0])
    result = em(model, MURRAY, one([0, 0], [[1.2, 0.12 * sign], [0.12 * sign, 1.2]]), tol=1e-14)
    assert result.status is Status.CONVERGED
    assert_array_equal(result.theta.components.means, [[0, 0]])
    covariance = result.theta.components.covariances[0]
    assert_allclose(np.diag(covariance), 8 / 3, atol=1e-6)
    assert_allclose(covariance[0, 1] / covariance[0, 0], sign / 2, atol=1e-6)


def test_murrays_saddle() -> None:
    """A start without correlation, as `start` makes it, stays without: variance 5/2."""
    model = MissingGaussian(fixed_mean=[0, 0])
    result = em(model, MURRAY, model.start(MURRAY), tol=1e-13)
    assert result.status is Status.CONVERGED
    assert_allclose(result.theta.components.covariances[0], [[2.5, 0], [0, 2.5]], atol=1e-6)


def test_the_first_step_on_johnson_and_wicherns_rows() -> None:
    """Example 5.13: from the moments of the rows filled with column means, to the digits printed."""
    filled = np.where(np.isnan(JOHNSON_WICHERN), np.nanmean(JOHNSON_WICHERN, axis=0), JOHNSON_WICHERN)
    theta = one(filled.mean(axis=0), np.cov(filled.T, bias=True))
    model = MissingGaussian()
    completed = model.impute(theta, JOHNSON_WICHERN)
    new = model.m_step(model.e_step(theta, JOHNSON_WICHERN)[0]).components
    upper = new.covariances[0][np.triu_indices(3)]
    ours = [completed[0, 0], *completed[3, :2], *new.means[0], *upper]
    printed = [5.73, 6.4, 1.3, 6.03, 1.08, 4.0, 0.61, 0.33, 1.17, 0.59, 0.83, 2.5]
    assert_allclose(ours, printed, atol=0.006, rtol=0)


def test_johnson_and_wicherns_four_rows_are_too_few() -> None:
    result = em(MissingGaussian(), JOHNSON_WICHERN, MissingGaussian().start(JOHNSON_WICHERN))
    assert result.status is Status.DEGENERATE
    assert "nearest row of the data: " in result.message
    floor = MissingGaussian(covariance_floor=0.01)
    held = em(floor, JOHNSON_WICHERN, floor.start(JOHNSON_WICHERN), max_iter=5000)
    assert held.status is Status.CONVERGED
    assert_allclose(np.linalg.eigvalsh(held.theta.components.covariances[0])[0], 0.01, rtol=1e-9)


# --- fixed mean, prior, start ---------------------------------------------------------------------------------


def test_a_fixed_mean_is_not_packed_and_not_moved() -> None:
    model = MissingGaussian(fixed_mean=[0.5, -0.5])
    start = model.start(MURRAY)
    assert model.pack(start).shape == (3,)
    again = model.unpack(model.pack(start), start)
    assert_array_equal(again.components.means, start.components.means)
    assert_allclose(again.components.covariances, start.components.covariances, rtol=1e-13)
    problem = Incomplete("gaussian-full", MURRAY, None, np.ones((12, 1)), model)
    invariants.ascent(problem)


def test_the_prior_is_part_of_the_objective() -> None:
    model = MissingGaussian(prior=InverseWishart(np.diag([3.0, 5.0]), dof=6))
    problem = Incomplete("gaussian-full", MURRAY, None, np.ones((12, 1)), model)
    invariants.map_ascent(problem)
    result = em(model, MURRAY, model.start(MURRAY), tol=1e-13)
    density = stats.invwishart(6, np.diag([3.0, 5.0])).logpdf(result.theta.components.covariances[0])
    assert_allclose(result.objective - result.log_likelihood, density, rtol=1e-10)


def test_the_start_has_the_means_and_variances_of_what_is_there() -> None:
    x, weights = np.array([[1.0, NAN], [3.0, 10.0], [NAN, 14.0], [NAN, NAN]]), [2, 1, 3, 5]
    start = MissingGaussian().start(x, weights)
    assert_allclose(start.components.means, [[5 / 3, 13.0]], rtol=1e-14)
    assert_allclose(start.components.covariances, [np.diag([8 / 9, 3.0])], rtol=1e-14)
    assert_allclose(MissingGaussian("diag").start(x, weights).components.covariances, [[8 / 9, 3.0]], rtol=1e-14)


def test_two_species_of_iris_are_found_with_a_fifth_of_the_entries_gone() -> None:
    iris = load_iris()
    x = take_out(iris.data[:100], np.random.default_rng(0), 0.2)
    model = MissingGaussian("tied")
    guess = np.where(np.arange(100)[:, None] % 50 < 10, np.eye(2)[iris.target[:100]], 0.5)
    result = em(model, x, model.from_responsibilities(x, guess))
    assert result.status is Status.CONVERGED
    assert_array_equal(model.responsibilities(result.theta, x).argmax(axis=1), iris.target[:100])


# --- imputation -----------------------------------------------------------------------------------------------


def test_imputed_are_the_conditional_means_and_the_rest_stays() -> None:
    problem = make(3, n_components=1, dim=3)
    theta = problem.start
    completed = problem.model.impute(theta, problem.x)
    seen = ~np.isnan(problem.x)
    assert_array_equal(completed[seen], problem.x[seen])
    mean, covariance = theta.components.means[0], theta.components.covariances[0]
    for row, has, full in zip(problem.x, seen, completed, strict=True):
        slope = covariance[np.ix_(~has, has)] @ np.linalg.inv(covariance[np.ix_(has, has)])
        assert_allclose(full[~has], mean[~has] + slope @ (row - mean)[has], rtol=1e-9)


def test_draws_have_the_conditional_mean_and_covariance_of_the_mixture() -> None:
    components = GaussianParameters([[0.0, 0.0, 1.0], [3.0, 1.0, -1.0]], [np.eye(3) + 0.6, 2 * np.eye(3) - 0.3])
    theta, model, n = MixtureParameters([0.3, 0.7], components), MissingGaussian(), 40_000
    x = np.tile([1.5, NAN, NAN], (n, 1))
    drawn = model.impute(theta, x, np.random.default_rng(0))
    assert (drawn[:, 0] == 1.5).all()
    posterior = model.responsibilities(theta, x[:1])[0]
    means, second = [], []
    for mean, covariance in zip(components.means, components.covariances, strict=True):
        slope = covariance[1:, 0] / covariance[0, 0]
        means.append(mean[1:] + slope * (1.5 - mean[0]))
        second.append(covariance[1:, 1:] - np.outer(slope, covariance[0, 1:]) + np.outer(means[-1], means[-1]))
    expected = posterior @ np.array(means)
    assert_allclose(model.impute(theta, x[:1])[0, 1:], expected, rtol=1e-12)
    assert_allclose(drawn[:, 1:].mean(axis=0), expected, atol=5 * drawn[:, 1:].std() / np.sqrt(n))
    covariance = np.einsum("m,mij->ij", posterior, second) - np.outer(expected, expected)
    assert_allclose(np.cov(drawn[:, 1:].T), covariance, atol=0.08)
    assert_array_equal(model.impute(theta, x, np.random.default_rng(0)), drawn)


def test_a_row_without_entries_is_imputed_by_the_mean() -> None:
    theta = one([1.0, 2.0], np.eye(2))
    assert_array_equal(MissingGaussian().impute(theta, [[NAN, NAN]]), [[1.0, 2.0]])


# --- input ----------------------------------------------------------------------------------------------------


def test_missing_may_be_nan_none_or_masked() -> None:
    model, theta = MissingGaussian(), one([0.0, 1.0], [[2.0, 1.0], [1.0, 3.0]])
    expected = model.log_likelihood(theta, [[1.0, NAN], [2.0, 3.0]])
    assert model.log_likelihood(theta, [[1, None], [2, 3]]) == expected
    assert model.log_likelihood(theta, np.ma.masked_equal([[1, 99], [2, 3]], 99)) == expected


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ([[1.0, np.inf], [NAN, 2.0]], ValueError, r"inf \(infinity\), first at row 0, column 1"),
        ([[1.0, NAN], [1e200, 2.0]], ValueError, "row 1, column 0 is 1e.200: squares of numbers beyond"),
        ([[1.0, NAN], [1.0, 2.0], [1.0, 2.0 + 0j]], ValueError, "Complex data not supported"),
        ([["a", "b"]], ValueError, "the data must be numbers"),
        ([1.0, NAN], ValueError, "expected a 2-dimensional array"),
        (sparse.eye_array(2).tocsr(), TypeError, "sparse data are not supported"),
    ],
)
def test_bad_data_are_named(data: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        MissingGaussian().start(data)


def test_a_column_that_was_never_observed_is_named() -> None:
    x = np.array([[1.0, NAN, 2.0], [3.0, NAN, NAN], [4.0, NAN, 1.0]])
    model = MissingGaussian()
    with pytest.raises(ValueError, match="column 1 was never observed"):
        model.start(x)
    with pytest.raises(ValueError, match="column 1 was never observed"):
        em(model, x, one([0.0, 0.0, 0.0], np.eye(3)))
    # To judge a row by a fit is another matter.
    assert np.isfinite(model.log_likelihood(one([0.0, 0.0, 0.0], np.eye(3)), x))


def test_a_component_without_an_entry_in_a_column_is_named() -> None:
    x = np.array([[1.0, NAN], [2.0, NAN], [3.0, 1.0], [4.0, 2.0]])
    with pytest.raises(ValueError, match="component 0 has no row with an entry in column 1"):
        MissingGaussian().from_responsibilities(x, np.repeat(np.eye(2), 2, axis=0))


def test_a_column_that_does_not_vary_is_refused() -> None:
    model = MissingGaussian()
    x = np.array([[1.0, 5.0], [2.0, NAN], [3.0, 5.0], [4.0, 5.0]])
    with pytest.raises(DegenerateComponent, match="has a variance that is not positive"):
        model.log_likelihood(model.start(x), x)


def test_where_it_degenerates_no_incomplete_row_is_blamed() -> None:
    line = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [NAN, 0.5]])
    model = MissingGaussian()
    result = em(model, line, model.start(line), max_iter=5000)
    assert result.status is Status.DEGENERATE
    assert model.locate(result.theta, line, 0) in (0, 1, 2)
    assert model.locate(result.theta, line[3:], 0) is None


def test_wrong_options_and_starts_are_named() -> None:
    with pytest.raises(ValueError, match=r"fixed_mean must be a vector of finite numbers, one a column, got \["):
        MissingGaussian(fixed_mean=[0.0, NAN])
    model = MissingGaussian(fixed_mean=[0.0, 0.0])
    with pytest.raises(ValueError, match=r"the mean is fixed at \[0\.0, 0\.0\], the start has \[\[0\.0, 1\.0\]\]"):
        em(model, MURRAY, one([0.0, 1.0], np.eye(2)))
    with pytest.raises(ValueError, match="have 3 columns, the parameters 2"):
        model.start(JOHNSON_WICHERN)
    with pytest.raises(ValueError, match="have 2 columns, the parameters 3"):
        MissingGaussian().log_likelihood(one([0.0, 0.0, 0.0], np.eye(3)), MURRAY)


def test_one_column_is_a_sample_without_its_gaps() -> None:
    x = np.array([[1.0], [NAN], [2.0], [6.0]])
    result = em(MissingGaussian(), x, MissingGaussian().start(x))
    assert_allclose(result.theta.components.means, [[3.0]])
    assert_allclose(result.theta.components.covariances, [[[14 / 3]]])


# --- deliberate bugs ------------------------------------------------------------------------------------------


def without_the_correction(patch: pytest.MonkeyPatch) -> None:
    original = incomplete._expectation

    def only_the_mean(part: Any, x: Array, weights: Array) -> tuple[Array, Array]:
        completed, residual = original(part, x, weights)
        return completed, 0 * residual

    patch.setattr(incomplete, "_expectation", only_the_mean)


def with_marginal_variances(patch: pytest.MonkeyPatch) -> None:
    original = incomplete._regression

    def marginal(correlation: Array, observed: Any) -> tuple[Array, Array]:
        neither = ~observed[:, :, None] & ~observed[:, None, :]
        return original(correlation, observed)[0], np.where(neither, correlation, 0)

    patch.setattr(incomplete, "_regression", marginal)


def with_column_means(patch: pytest.MonkeyPatch) -> None:
    original = incomplete._regression

    def no_slopes(correlation: Array, observed: Any) -> tuple[Array, Array]:
        slopes, residual = original(correlation, observed)
        return 0 * slopes, residual

    patch.setattr(incomplete, "_regression", no_slopes)


def without_the_weights_of_rows(patch: pytest.MonkeyPatch) -> None:
    original = incomplete._expectation

    def unweighted(part: Any, x: Array, weights: Array) -> tuple[Array, Array]:
        return original(part, x, np.ones_like(weights))

    patch.setattr(incomplete, "_expectation", unweighted)


@pytest.mark.parametrize(
    "plant", [without_the_correction, with_marginal_variances, with_column_means, without_the_weights_of_rows]
)
def test_a_deliberate_bug_is_noticed(plant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = make(1, n_components=1, weighted=True)
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        step_is_a_gradient_step(problem)


def test_dropping_the_correction_breaks_ascent(monkeypatch: pytest.MonkeyPatch) -> None:
    x, model = take_out(load_iris().data, np.random.default_rng(0), 0.4), MissingGaussian()
    assert em(model, x, model.start(x)).status is Status.CONVERGED
    without_the_correction(monkeypatch)
    with pytest.raises(LikelihoodDecreased):
        em(model, x, model.start(x))


# --- awkward tables -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_awkward_tables_end_well_or_with_a_clear_error(seed: int) -> None:
    """Ties, far origins, outliers, unlike units and many holes: no false alarm, and the log-likelihood is honest."""
    rng = np.random.default_rng(seed)
    n, dim, n_components = (int(k) for k in rng.integers([5, 1, 1], [60, 5, 4]))
    x = take_out(awkward_data(rng, n, dim), rng, rng.choice([0.05, 0.3, 0.7]))
    model = MissingGaussian(str(rng.choice(GAUSSIAN_TYPES)))
    try:
        start = model.from_responsibilities(x, rng.dirichlet(np.ones(n_components), n))
        result = em(model, x, start, max_iter=60)
    except DegenerateComponent:
        return
    assert result.status in (Status.CONVERGED, Status.MAX_ITER, Status.DEGENERATE)
    assert result.log_likelihood == model.log_likelihood(result.theta, x)
    assert np.isfinite(model.impute(result.theta, x)).all()


def test_rows_that_are_all_complete_are_an_ordinary_mixture() -> None:
    """The fused E-step of Gaussians is not taken: its statistics do not say which columns were seen."""
    problem = make_problem("gaussian-full", 3, dim=2, n_components=2, weighted=True)
    model = MissingGaussian()
    found, _ = model.e_step(problem.start, model.prepare(problem.x))
    assert_array_equal(found.components.seen, [len(problem.x)] * 2)
    ours = em(model, problem.x, problem.start, sample_weight=problem.weights, tol=0, max_iter=5)
    plain = problem.run(5)
    assert_allclose(ours.trace, plain.trace, rtol=1e-11)
    assert_allclose(ours.theta.components.means, plain.theta.components.means, rtol=1e-9)
