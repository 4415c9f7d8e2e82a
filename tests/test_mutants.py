"""Deliberate bugs, planted one at a time: the named invariants must notice each of them.

The first seventeen are those that were put to scikit-learn's own suite; six of them survive it (marked).
Every check here also runs on the unbroken code, so that a check which always fails kills nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import emlib.estimators
import emlib.models.mixture
import emlib.rows
import emlib.starts
from emlib import (
    Bernoulli,
    Binomial,
    DegenerateComponent,
    Dirichlet,
    Exponential,
    Gaussian,
    GaussianMixture,
    GaussianParameters,
    InverseWishart,
    LikelihoodDecreased,
    Mixture,
    MixtureParameters,
    Poisson,
    Status,
    em,
)
from emlib.em import _Run
from emlib.models.components import gaussian_engine, gaussian_features, gaussian_values, poisson
from emlib.models.components.covariance import STRUCTURES, CovarianceStructure
from emlib.models.components.discrete import Totals, TotalsFamily
from emlib.models.components.values import trusted
from emlib.models.mixture import MixtureStatistics, log_sum_exp
from tests import invariants
from tests.problems import GAUSSIAN_TYPES, KINDS, Problem, make_problem

Patch = pytest.MonkeyPatch

# --- checks: invariants on three problems a family ------------------------------------------------------------


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def problems_of(*names: str, **fixed: Any) -> list[Problem]:
    fixed = {"n_components": 3, "dim": 2, "weighted": True, **fixed}
    return [make_problem(name, seed, **fixed) for name in names for seed in (1, 2, 3)]


def each(check: Callable[..., None], *names: str, **fixed: Any) -> Callable[[], None]:
    def run() -> None:
        for problem in problems_of(*names, **fixed):
            check(problem)

    return run


def each_random(check: Callable[..., None], *names: str) -> Callable[[], None]:
    return each(lambda problem: check(problem, rng()), *names)


def each_type(check: Callable[[str], None]) -> Callable[[], None]:
    def run() -> None:
        for covariance_type in GAUSSIAN_TYPES:
            check(covariance_type)

    return run


def with_priors(problem: Problem) -> Problem:
    """Add priors of more weight than the data, so that the posterior goes another way than the likelihood."""
    prior = InverseWishart([[2000.0, 500.0], [500.0, 1000.0]], dof=200)
    family = Gaussian(problem.name.removeprefix("gaussian-"), prior=prior)
    return problem.change(model=Mixture(family, weight_prior=Dirichlet(4)))


def with_floor(problem: Problem) -> Problem:
    floor = float(np.median(np.linalg.eigvalsh(problem.start.components.dense_covariances)))
    covariance_type = problem.name.removeprefix("gaussian-")
    return problem.change(model=Mixture(Gaussian(covariance_type, covariance_floor=floor)))


class Falling:
    """A model whose log-likelihood falls by a quarter in its second step."""

    def e_step(self, theta: int, _data: object) -> tuple[int, float]:
        return theta, (-5.0, -4.0, -4.25, -4.0, -4.0)[theta]

    def m_step(self, stats: int) -> int:
        return stats + 1

    def pack(self, theta: int) -> Any:
        return np.array([theta])

    def unpack(self, vector: Any, _like: int) -> int:
        return int(vector[0])


def falls_raise() -> None:
    try:
        result = em(Falling(), None, 0, max_iter=4)
    except LikelihoodDecreased:
        return
    raise AssertionError(f"a fall was called {result.status}")


class Slow(Falling):
    """A model that gains 1 % less in each step: when a step is small, a hundred times as much is to come."""

    def e_step(self, theta: int, _data: object) -> tuple[int, float]:
        return theta, -(0.99**theta)


def stops_where_it_says() -> None:
    result = em(Slow(), None, 0, tol=1e-4, max_iter=5000)
    assert result.status is Status.CONVERGED
    assert -result.log_likelihood <= 1.01e-4


FULL = "gaussian-full"
GAUSSIANS = tuple(f"gaussian-{name}" for name in GAUSSIAN_TYPES)
DISCRETE = ("poisson", "bernoulli", "binomial", "categorical")

CHECKS: dict[str, Callable[[], None]] = {
    "ascent": each(invariants.ascent, *KINDS),
    "Gaussian ascent": each(invariants.ascent, *GAUSSIANS),
    "moment matching": each(invariants.moment_matching, *KINDS),
    "mixing weights": each(invariants.mixing_weights, *KINDS),
    "log L = Q + H": each(invariants.decomposition, *KINDS),
    "M-step beats others": each_random(invariants.maximises_q, FULL, "poisson", "exponential"),
    "textbook start": each(invariants.textbook_start, FULL),
    "densities of scipy": each(invariants.matches_scipy, *KINDS),
    "integral of Gaussians": each(invariants.integrates_to_one, *GAUSSIANS),
    "sum of probabilities": each(invariants.integrates_to_one, *DISCRETE),
    "integral of exponentials": each(invariants.integrates_to_one, "exponential", dim=1),
    "permutations": each_random(invariants.permutations, *KINDS),
    "affine equivariance": each_random(invariants.affine_equivariance, *GAUSSIANS),
    "far from the origin": each(invariants.far_from_the_origin, *GAUSSIANS),
    "weights repeat": each_random(invariants.weights_are_repetition, *KINDS),
    "weights scale": each(lambda problem: invariants.weights_scale(problem, 3.0), *KINDS),
    "Fisher": each(invariants.fisher, FULL, "poisson"),
    "gradient of Q": each(invariants.stationary_m_step, *GAUSSIANS),
    "chunking": each(lambda problem: invariants.chunking(problem, 20), *KINDS),
    "pack": each(invariants.pack_round_trip, *KINDS),
    "honest result": each(invariants.honest_result, *KINDS),
    "log prior": each(lambda problem: invariants.log_prior_is_scipys(with_priors(problem)), *GAUSSIANS),
    "MAP ascent": each(lambda problem: invariants.map_ascent(with_priors(problem)), *GAUSSIANS),
    "gradient of MAP": each(lambda problem: invariants.stationary_m_step(with_priors(problem)), *GAUSSIANS),
    "floor": each_random(lambda problem, rng: invariants.floor_is_exact(with_floor(problem), rng), *GAUSSIANS),
    "criteria": each_type(invariants.criteria),
    "Bayes": each_type(invariants.posterior_is_bayes),
    "far rows": each_type(invariants.far_rows),
    "best restart": lambda: invariants.keeps_the_best_restart(0),
    "shuffled samples": invariants.samples_are_shuffled,
    "sample moments": each_type(invariants.sample_moments),
    "fit repeats": each_type(invariants.fit_takes_weights_as_repetition),
    "falls raise": falls_raise,
    "stops where it says": stops_where_it_says,
}


@pytest.mark.parametrize("name", CHECKS)
def test_the_unbroken_code_passes(name: str) -> None:
    CHECKS[name]()


# --- mutants --------------------------------------------------------------------------------------------------

Plant = Callable[[Patch], None]


@dataclass(frozen=True)
class Mutant:
    """A bug: how to plant it, the checks that must fail, and whether scikit-learn's own suite lets it through."""

    plant: Plant
    killers: tuple[str, ...]
    survives_sklearn: bool = False


def without_engine(patch: Patch) -> None:
    """Send Gaussians the way of the other families, where a bug planted in Mixture or in log_prob is in the E-step."""
    patch.setattr(Gaussian, "expectation", lambda *_args: None)


def weights_dropped_from_e_step(patch: Patch) -> None:
    without_engine(patch)

    def log_joint(self: Mixture[Any, Any], theta: Any, x: Any) -> Any:
        return self.family.log_prob(theta.components, x)

    patch.setattr(Mixture, "_log_joint", log_joint)


def two_pi_dropped(patch: Patch) -> None:
    without_engine(patch)
    original = Gaussian.log_prob
    patch.setattr(
        Gaussian, "log_prob", lambda self, theta, x: original(self, theta, x) + x.shape[1] / 2 * np.log(2 * np.pi)
    )


def replace_estimate(patch: Patch, names: tuple[str, ...], estimate: Callable[..., Any]) -> None:
    """Give the named covariance structures another M-step; `estimate` gets the original first."""
    for name in names:
        structure = STRUCTURES[name]
        original = structure.estimate

        def broken(*args: Any, original: Any = original, structure: Any = structure) -> Any:
            return estimate(original, structure, *args)

        patch.setattr(structure, "estimate", broken)


def tied_averages_unweighted(patch: Patch) -> None:
    def estimate(_original: Any, _structure: Any, scatter: Any, masses: Any, _prior: Any) -> Any:
        return (scatter / masses[:, None, None]).mean(axis=0)

    replace_estimate(patch, ("tied",), estimate)


def fall_called_converged(patch: Patch) -> None:
    original = _Run.converged
    patch.setattr(_Run, "rounding", lambda _self, _state: np.inf)
    patch.setattr(_Run, "converged", lambda self: original(self) or self.trace[-1] < self.trace[-2:][0])


def bic_with_penalty_two(patch: Patch) -> None:
    patch.setattr(GaussianMixture, "bic", GaussianMixture.aic)


def proba_ignores_covariances(patch: Patch) -> None:
    def predict_proba(self: GaussianMixture, X: Any) -> Any:
        dim = self.means_.shape[1]
        round_ones = GaussianParameters(self.means_, np.tile(np.eye(dim), (len(self.means_), 1, 1)))
        return Mixture(Gaussian()).responsibilities(MixtureParameters(self.weights_, round_ones), X)

    patch.setattr(GaussianMixture, "predict_proba", predict_proba)


def covariance_as_precision(patch: Patch) -> None:
    without_engine(patch)
    original = Gaussian.log_prob

    def log_prob(_self: Gaussian, theta: GaussianParameters, x: Any) -> Any:
        swapped = GaussianParameters(theta.means, np.linalg.inv(theta.dense_covariances))
        return original(Gaussian(), swapped, x)

    patch.setattr(Gaussian, "log_prob", log_prob)


def scale_log_det(factor: float) -> Plant:
    def plant(patch: Patch) -> None:
        for structure in STRUCTURES.values():
            original = structure.factor

            def broken(*args: Any, original: Any = original) -> Any:
                found = original(*args)
                return replace(found, log_det=factor * found.log_det)

            patch.setattr(structure, "factor", broken)

    return plant


def covariance_about_old_mean(patch: Patch) -> None:
    for structure in STRUCTURES.values():
        original = structure.outer
        patch.setattr(structure, "outer", lambda u, v, original=original: 0 * original(u, v))


def unbiased_covariance(patch: Patch) -> None:
    replace_estimate(
        patch, GAUSSIAN_TYPES, lambda original, _s, scatter, masses, prior: original(scatter, masses - 1, prior)
    )


def hard_assignment(patch: Patch) -> None:
    without_engine(patch)

    def chunk(self: Mixture[Any, Any], theta: Any, x: Any, weights: Any, *_where: Any) -> Any:
        log_joint = self.log_joint(theta, x)
        hard = np.eye(log_joint.shape[1])[log_joint.argmax(axis=1)]
        hard *= np.ones((len(x), 1)) if weights is None else weights[:, None]
        value = log_sum_exp(log_joint) @ (np.ones(len(x)) if weights is None else weights)
        return MixtureStatistics(hard.sum(axis=0), self.family.statistics(theta.components, x, hard)), float(value)

    patch.setattr(Mixture, "_chunk", chunk)


def spherical_not_divided(patch: Patch) -> None:
    def estimate(original: Any, _structure: Any, scatter: Any, masses: Any, prior: Any) -> Any:
        return original(scatter, masses, prior) * scatter.shape[1]

    replace_estimate(patch, ("spherical", "tied_spherical"), estimate)


def parameters_miscounted(patch: Patch) -> None:
    patch.setattr(
        GaussianMixture, "n_parameters", property(lambda self: Mixture(Gaussian()).pack(self.theta_).size + 1)
    )


def last_restart_kept(patch: Patch) -> None:
    patch.setattr(emlib.estimators, "max", lambda runs, **_key: runs[-1], raising=False)


def naive_log_sum_exp(patch: Patch) -> None:
    def naive(log_joint: Any) -> Any:
        with np.errstate(divide="ignore"):
            return np.log(np.exp(log_joint).sum(axis=1))

    patch.setattr(emlib.models.mixture, "log_sum_exp", naive)


def replace_m_step(change: Callable[[Any, Any], Any]) -> Plant:
    """Change the parameters that a mixture's M-step returns."""

    def plant(patch: Patch) -> None:
        original = Mixture.m_step
        patch.setattr(Mixture, "m_step", lambda self, stats: change(original(self, stats), stats))

    return plant


def uniform_weights(theta: Any, _stats: Any) -> Any:
    return MixtureParameters(np.full(len(theta.weights), 1 / len(theta.weights)), theta.components)


def ridge(patch: Patch) -> None:
    def estimate(original: Any, structure: CovarianceStructure, scatter: Any, masses: Any, prior: Any) -> Any:
        return original(scatter, masses, prior) + 1e-3 * structure.share(np.eye(2), len(masses))

    replace_estimate(patch, GAUSSIAN_TYPES, estimate)


def floor_as_ridge(patch: Patch) -> None:
    for structure in STRUCTURES.values():

        def add(covariances: Any, floor: float, structure: Any = structure) -> Any:
            dim = 2 if covariances.ndim < 2 else covariances.shape[-1]
            full = covariances.reshape(-1, *structure.shape(1, dim)[-covariances.ndim :] if covariances.ndim else ())
            return covariances + floor * structure.share(np.eye(dim), len(full)).reshape(covariances.shape)

        patch.setattr(structure, "clip", add)


def log_prior_left_out(patch: Patch) -> None:
    patch.setattr(Mixture, "log_prior", lambda _self, _theta: 0.0)


def prior_mean_for_mode(patch: Patch) -> None:
    """Divide by mass + dof - d - 1 (the posterior mean) in place of mass + dof + d + 1 (the mode)."""

    def estimate(original: Any, _structure: Any, scatter: Any, masses: Any, prior: Any) -> Any:
        shifted = None if prior is None else InverseWishart(prior.scale, prior.dof - 6)
        return original(scatter, masses, shifted)

    replace_estimate(patch, ("full",), estimate)


def dirichlet_mean_for_mode(patch: Patch) -> None:
    def mean(self: Dirichlet, masses: Any) -> Any:
        return (masses + self.concentration) / (masses + self.concentration).sum()

    patch.setattr(Dirichlet, "mode", mean)


def stale_log_likelihood(patch: Patch) -> None:
    original = _Run.result

    def result(self: Any, *args: Any) -> Any:
        found = original(self, *args)
        return replace(found, log_likelihood=float(found.trace[max(found.n_iter - 1, 0)]))

    patch.setattr(_Run, "result", result)


def last_chunk_lost(patch: Patch) -> None:
    original = emlib.rows.Rows.chunks

    def chunks(self: Any, *size: int) -> Any:
        parts = list(original(self, *size))
        return iter(parts[:-1] or parts)

    patch.setattr(emlib.rows.Rows, "chunks", chunks)


def weights_not_in_log_likelihood(patch: Patch) -> None:
    original = Mixture.e_step

    def e_step(self: Mixture[Any, Any], theta: Any, data: Any) -> Any:
        return original(self, theta, data)[0], float(self.log_density(theta, data).sum())

    patch.setattr(Mixture, "e_step", e_step)


def weights_not_in_statistics(patch: Patch) -> None:
    original = Mixture.e_step

    def e_step(self: Mixture[Any, Any], theta: Any, data: Any) -> Any:
        rows = self.prepare(data)
        return original(self, theta, emlib.rows.Rows(rows.x))[0], original(self, theta, rows)[1]

    patch.setattr(Mixture, "e_step", e_step)


def raw_second_moments(patch: Patch) -> None:
    without_engine(patch)
    original = Gaussian.statistics

    def statistics(self: Gaussian, theta: Any, x: Any, responsibilities: Any) -> Any:
        n_components = responsibilities.shape[1]
        origin = GaussianParameters(np.zeros((n_components, x.shape[1])), np.ones((n_components,)), "spherical")
        return original(self, origin if theta is None else replace(theta, means=origin.means), x, responsibilities)

    patch.setattr(Gaussian, "statistics", statistics)


def small_change_called_converged(patch: Patch) -> None:
    patch.setattr(_Run, "converged", lambda self: len(self.trace) > 1 and self.trace[-1] - self.trace[-2] < self.tol)


def samples_grouped(patch: Patch) -> None:
    original = Mixture.sample

    def sample(self: Mixture[Any, Any], theta: Any, n: int, rng: np.random.Generator) -> Any:
        x, labels = original(self, theta, n, rng)
        order = np.argsort(labels, kind="stable")
        return x[order], labels[order]

    patch.setattr(Mixture, "sample", sample)


def variance_used_as_deviation(patch: Patch) -> None:
    original = Gaussian.sample

    def sample(self: Gaussian, theta: GaussianParameters, labels: Any, rng: np.random.Generator) -> Any:
        squared = theta.dense_covariances @ theta.dense_covariances
        return original(self, GaussianParameters(theta.means, squared), labels, rng)

    patch.setattr(Gaussian, "sample", sample)


def factorial_dropped(patch: Patch) -> None:
    patch.setattr(
        Poisson,
        "log_prob",
        lambda _self, theta, x: poisson.sum_x_log(x, theta.rates) - theta.rates.sum(axis=1),
    )


def zeros_ignored(patch: Patch) -> None:
    patch.setattr(Bernoulli, "log_prob", lambda _self, theta, x: poisson.sum_x_log(x, theta.probabilities))


def coefficient_dropped(patch: Patch) -> None:
    patch.setattr(Binomial, "_log_choose", lambda _self, x: np.zeros(len(x)))


def scale_for_rate(patch: Patch) -> None:
    original = Exponential.from_statistics

    def from_statistics(self: Exponential, stats: Totals) -> Any:
        return type(original(self, stats))(stats.means())

    patch.setattr(Exponential, "from_statistics", from_statistics)


def unweighted_totals(patch: Patch) -> None:
    """Means of the features without the responsibilities."""

    def statistics(self: TotalsFamily, _theta: Any, x: Any, responsibilities: Any) -> Totals:
        return Totals(responsibilities.sum(axis=0), np.ones_like(responsibilities).T @ self.features(x))

    patch.setattr(TotalsFamily, "statistics", statistics)


def joint_for_posterior(patch: Patch) -> None:
    """Errata B6: alpha_m p_m(x_i) in place of the responsibilities, the weights made to sum to one again."""
    without_engine(patch)

    def chunk(self: Mixture[Any, Any], theta: Any, x: Any, weights: Any, *_where: Any) -> Any:
        log_joint = self.log_joint(theta, x)
        joint = np.exp(log_joint) * (np.ones((len(x), 1)) if weights is None else weights[:, None])
        value = log_sum_exp(log_joint) @ (np.ones(len(x)) if weights is None else weights)
        return MixtureStatistics(joint.sum(axis=0), self.family.statistics(theta.components, x, joint)), float(value)

    patch.setattr(Mixture, "_chunk", chunk)


def expected_log_density_for_log_likelihood(patch: Patch) -> None:
    """Report sum_i sum_m r_im log p_m(x_i), as the package mixem does."""
    original = Mixture.e_step

    def e_step(self: Mixture[Any, Any], theta: Any, data: Any) -> Any:
        stats, rows = original(self, theta, data)[0], self.prepare(data)
        weights = np.ones(len(rows.x)) if rows.weights is None else rows.weights
        r = self.responsibilities(theta, rows)
        return stats, float(weights @ (r * self.family.log_prob(theta.components, rows.x)).sum(axis=1))

    patch.setattr(Mixture, "e_step", e_step)


def first_row_skipped(patch: Patch) -> None:
    original = Mixture.e_step

    def e_step(self: Mixture[Any, Any], theta: Any, data: Any) -> Any:
        rows = self.prepare(data)
        weights = None if rows.weights is None else rows.weights[1:]
        return original(self, theta, emlib.rows.Rows(rows.x[1:], weights))

    patch.setattr(Mixture, "e_step", e_step)


def rate_missing_from_density(patch: Patch) -> None:
    patch.setattr(Exponential, "log_prob", lambda _self, theta, x: -x @ theta.rates.T)


def all_weights_packed(patch: Patch) -> None:
    original = Mixture.pack
    patch.setattr(Mixture, "pack", lambda self, theta: np.append(np.log(theta.weights), original(self, theta)))


def variances_packed_without_logs(patch: Patch) -> None:
    for name in ("diag", "spherical", "tied_diag", "tied_spherical"):
        patch.setattr(STRUCTURES[name], "pack", np.ravel)


def prior_ignored_by_m_step(patch: Patch) -> None:
    replace_estimate(
        patch, GAUSSIAN_TYPES, lambda original, _s, scatter, masses, _prior: original(scatter, masses, None)
    )


def seeds_drawn_without_weights(patch: Patch) -> None:
    original = emlib.starts.kmeans_plus_plus
    patch.setitem(
        emlib.starts.SEEDINGS, "k-means++", lambda x, weights, *rest: original(x, np.ones_like(weights), *rest)
    )


# --- mutants of the engine ------------------------------------------------------------------------------------


def whiten_always(patch: Patch) -> None:
    """Trust no features, so that the E-step whitens and its bugs show."""
    patch.setattr(gaussian_features, "MOST", -1.0)


def engine_ignores_weights(patch: Patch) -> None:
    original = Gaussian.expectation

    def expectation(self: Gaussian, theta: Any, weights: Any, rows: Any) -> Any:
        return original(self, theta, np.ones_like(weights), rows)

    patch.setattr(Gaussian, "expectation", expectation)


def replace_exponentials(break_it: Callable[[Any, Any], None]) -> Plant:
    """Change the densities and their sums after the exponential, in both forms of the E-step."""

    def plant(patch: Patch) -> None:
        original = gaussian_engine._exponentials

        def exponentials(joint: Any, total: Any) -> None:
            original(joint, total)
            break_it(joint, total)

        patch.setattr(gaussian_engine, "_exponentials", exponentials)

    return plant


def hard_densities(joint: Any, total: Any) -> None:
    joint[:] = total * (joint == joint.max(axis=0))


def joint_densities(joint: Any, total: Any) -> None:
    joint *= total


def engine_drops_row_weights(patch: Patch) -> None:
    original = gaussian_engine._sums

    def sums(coefficients: Any, chunk: Any) -> Any:
        return original(coefficients, chunk._replace(weights=None))

    patch.setattr(gaussian_engine, "_sums", sums)


def products_counted_once(patch: Patch) -> None:
    original = gaussian_features.product_table

    def table(dim: int) -> Any:
        return original(dim)._replace(multiplicity=np.full_like(original(dim).multiplicity, -0.5))

    patch.setattr(gaussian_features, "product_table", table)


def products_not_moved_back(patch: Patch) -> None:
    """Give moments about the center of the frame for those about the means, for products."""
    original = gaussian_values.moments_about
    for module in (gaussian_values, gaussian_features):
        patch.setattr(
            module, "moments_about", lambda raw, frame, points: original(raw, frame, 0 * points + frame.center)
        )


def squares_not_moved_back(patch: Patch) -> None:
    """The same for squares."""
    original = gaussian_features.Squares.statistics

    def statistics(self: Any, sums: Any, theta: Any) -> Any:
        found = original(self, sums, replace(theta, means=0 * theta.means + self.frame.center))
        return None if found is None else replace(found, reference=theta.means)

    patch.setattr(gaussian_features.Squares, "statistics", statistics)


def replace_factors(change: Callable[[Any, Any], Any]) -> Plant:
    """Let an M-step find another factor than that of the moments (1, z)(1, z)^T over the masses."""

    def plant(patch: Patch) -> None:
        original = gaussian_values.StandardStatistics.maximum

        def maximum(self: Any) -> Any:
            found = original(self)
            width = self.theta.shape[1] + 1
            pair = self.pair.copy()
            pair[:, :width, :width] = change(pair[:, :width, :width], self.masses)
            pair[:, width:, :width] = np.linalg.inv(pair[:, :width, :width]).swapaxes(1, 2)
            standard = found.standard._replace(pair=pair)
            return trusted(GaussianParameters, covariance_type="full", standard=standard)

        patch.setattr(gaussian_values.StandardStatistics, "maximum", maximum)

    return plant


def not_centered(factor: Any, _masses: Any) -> Any:
    """The second moment about the center of the frame for the covariance: no Schur complement."""
    block, mean = factor[:, 1:, 1:], factor[:, 1:, 0]
    factor[:, 1:, 1:] = np.linalg.cholesky(block @ block.swapaxes(1, 2) + mean[:, :, None] * mean[:, None])
    return factor


def other_divisor(factor: Any, masses: Any) -> Any:
    factor[:, 1:, 1:] *= np.sqrt(masses / (masses - 1))[:, None, None]
    return factor


def mean_left_at_the_center(factor: Any, _masses: Any) -> Any:
    factor[:, 1:, 0] = 0
    return factor


def standard_means_not_moved(patch: Patch) -> None:
    original = gaussian_values.GaussianParameters.__getattr__

    def found(self: Any, name: str) -> Any:
        return original(self, name) - self.standard[0] if name == "means" else original(self, name)

    patch.setattr(gaussian_values.GaussianParameters, "__getattr__", found)


def one_triangle_forgotten(patch: Patch) -> None:
    whiten_always(patch)
    for structure in STRUCTURES.values():
        original = structure.second_moments

        def moments(left: Any, right: Any, original: Any = original) -> Any:
            found = original(left, right)
            return np.tril(found) if found.ndim == 3 else found

        patch.setattr(structure, "second_moments", moments)


def moments_left_white(patch: Patch) -> None:
    whiten_always(patch)
    for structure in STRUCTURES.values():
        patch.setattr(structure, "unwhiten", lambda _factor, first, second: (first, second))


MUTANTS: dict[str, Mutant] = {
    # The seventeen.
    "E-step ignores the weights": Mutant(
        weights_dropped_from_e_step,
        (
            "densities of scipy",
            "integral of Gaussians",
            "sum of probabilities",
            "mixing weights",
            "Bayes",
            "log L = Q + H",
        ),
        survives_sklearn=True,
    ),
    "2 pi dropped": Mutant(two_pi_dropped, ("densities of scipy", "integral of Gaussians"), survives_sklearn=True),
    "tied covariance averages the components unweighted": Mutant(
        tied_averages_unweighted, ("moment matching", "gradient of Q"), survives_sklearn=True
    ),
    "stops when the log-likelihood falls and calls it converged": Mutant(
        fall_called_converged, ("falls raise",), survives_sklearn=True
    ),
    "BIC with penalty 2": Mutant(bic_with_penalty_two, ("criteria",), survives_sklearn=True),
    "predict_proba ignores the covariances": Mutant(proba_ignores_covariances, ("Bayes",), survives_sklearn=True),
    "covariance used as precision": Mutant(
        covariance_as_precision, ("ascent", "densities of scipy", "affine equivariance")
    ),
    "log det with the wrong sign": Mutant(scale_log_det(-1.0), ("densities of scipy", "integral of Gaussians")),
    "log det dropped": Mutant(scale_log_det(0.0), ("densities of scipy", "integral of Gaussians")),
    "covariance about the old mean": Mutant(covariance_about_old_mean, ("moment matching", "gradient of Q")),
    "covariance divided by n_k - 1": Mutant(
        unbiased_covariance, ("moment matching", "gradient of Q", "textbook start", "weights scale")
    ),
    "hard assignment": Mutant(hard_assignment, ("mixing weights", "ascent")),
    "spherical variance not divided by d": Mutant(spherical_not_divided, ("moment matching", "gradient of Q")),
    "one parameter too many counted": Mutant(parameters_miscounted, ("criteria",)),
    "last restart kept": Mutant(last_restart_kept, ("best restart",)),
    "log-sum-exp without its shift": Mutant(naive_log_sum_exp, ("far rows",)),
    "mixing weights stay uniform": Mutant(replace_m_step(uniform_weights), ("mixing weights", "moment matching")),
    # More, most of them found in other packages.
    "joint in place of the posterior (errata B6)": Mutant(joint_for_posterior, ("mixing weights", "ascent")),
    "ridge added after the M-step": Mutant(ridge, ("moment matching", "gradient of Q")),
    "floor added as a ridge": Mutant(floor_as_ridge, ("floor",)),
    "log prior left out of the objective": Mutant(log_prior_left_out, ("log prior",)),
    "posterior mean of the covariance for its mode": Mutant(prior_mean_for_mode, ("gradient of MAP",)),
    "posterior mean of the weights for their mode": Mutant(dirichlet_mean_for_mode, ("gradient of MAP",)),
    "log-likelihood of the step before": Mutant(stale_log_likelihood, ("honest result",)),
    "last chunk lost": Mutant(last_chunk_lost, ("chunking",)),
    "log-likelihood without the weights of rows": Mutant(
        weights_not_in_log_likelihood, ("weights repeat", "weights scale", "densities of scipy")
    ),
    "statistics without the weights of rows": Mutant(weights_not_in_statistics, ("weights repeat", "ascent")),
    "second moments about the origin": Mutant(raw_second_moments, ("far from the origin",)),
    "a small change called converged": Mutant(small_change_called_converged, ("stops where it says",)),
    "samples grouped by component": Mutant(samples_grouped, ("shuffled samples",)),
    "variance used as standard deviation in sampling": Mutant(variance_used_as_deviation, ("sample moments",)),
    "factorial dropped from the Poisson": Mutant(factorial_dropped, ("sum of probabilities", "densities of scipy")),
    "zeros ignored by the Bernoulli": Mutant(zeros_ignored, ("sum of probabilities", "densities of scipy")),
    "coefficient dropped from the binomial": Mutant(
        coefficient_dropped, ("sum of probabilities", "densities of scipy")
    ),
    "mean used as rate of the exponential": Mutant(scale_for_rate, ("moment matching", "M-step beats others")),
    "expected log density for the log-likelihood": Mutant(
        expected_log_density_for_log_likelihood, ("Fisher", "densities of scipy", "honest result")
    ),
    "first row skipped": Mutant(first_row_skipped, ("permutations", "moment matching")),
    "rate missing from the exponential density": Mutant(
        rate_missing_from_density, ("integral of exponentials", "densities of scipy")
    ),
    "weights packed with redundancy": Mutant(all_weights_packed, ("pack",)),
    "variances packed without logarithms": Mutant(variances_packed_without_logs, ("pack",)),
    "prior ignored by the M-step": Mutant(prior_ignored_by_m_step, ("MAP ascent", "gradient of MAP")),
    "seeds drawn without the weights of rows": Mutant(seeds_drawn_without_weights, ("fit repeats",)),
    "engine: mixing weights ignored": Mutant(engine_ignores_weights, ("mixing weights", "honest result")),
    "engine: hard assignment": Mutant(replace_exponentials(hard_densities), ("mixing weights", "Gaussian ascent")),
    "engine: joint for the posterior": Mutant(replace_exponentials(joint_densities), ("mixing weights",)),
    "engine: weights of rows dropped": Mutant(engine_drops_row_weights, ("weights repeat", "Gaussian ascent")),
    "engine: mixed products counted once": Mutant(products_counted_once, ("Gaussian ascent", "honest result")),
    "engine: moments of products about the center": Mutant(
        products_not_moved_back, ("moment matching", "Gaussian ascent")
    ),
    "engine: moments of squares about the center": Mutant(
        squares_not_moved_back, ("moment matching", "Gaussian ascent")
    ),
    "engine: covariance about the center of the frame": Mutant(
        replace_factors(not_centered), ("moment matching", "Gaussian ascent")
    ),
    "engine: covariance divided by n_k - 1": Mutant(
        replace_factors(other_divisor), ("moment matching", "gradient of Q")
    ),
    "engine: means left at the center": Mutant(
        replace_factors(mean_left_at_the_center), ("moment matching", "Gaussian ascent")
    ),
    "engine: means not in the units of the data": Mutant(standard_means_not_moved, ("moment matching",)),
    "engine: one triangle of a moment forgotten": Mutant(one_triangle_forgotten, ("moment matching",)),
    "engine: moments left in whitened units": Mutant(moments_left_white, ("moment matching", "Gaussian ascent")),
    "sums without responsibilities": Mutant(unweighted_totals, ("moment matching", "M-step beats others")),
}

NOTICED = (AssertionError, LikelihoodDecreased, DegenerateComponent)


@pytest.mark.parametrize(("mutant", "killer"), [(name, killer) for name, m in MUTANTS.items() for killer in m.killers])
def test_mutant_is_noticed(mutant: str, killer: str, monkeypatch: Patch) -> None:
    MUTANTS[mutant].plant(monkeypatch)
    with pytest.raises(NOTICED):
        CHECKS[killer]()


def test_the_table_is_the_one_put_to_scikit_learn() -> None:
    first = list(MUTANTS.values())[:17]
    assert sum(mutant.survives_sklearn for mutant in first) == 6
    assert not any(mutant.survives_sklearn for mutant in list(MUTANTS.values())[17:])


def test_every_check_kills_something() -> None:
    """A check that kills no mutant has not been seen to fail."""
    idle = set(CHECKS) - {killer for mutant in MUTANTS.values() for killer in mutant.killers}
    assert idle == set()
