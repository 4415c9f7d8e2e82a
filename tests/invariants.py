"""Exact facts about EM and mixtures, each a function that raises AssertionError where the fact does not hold.

The property tests call them on random problems; tests/test_mutants.py calls them on deliberately broken code,
where they must fail.
"""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any
from unittest import mock

import numpy as np
from numpy.testing import assert_allclose
from scipy import integrate, special, stats

import emlib.rows
from emlib import GaussianMixture, GaussianParameters, MixtureParameters, decompose, em
from tests.problems import (
    GAUSSIAN_KINDS,
    KINDS,
    N_CATEGORIES,
    N_TRIALS,
    Array,
    Problem,
    Theta,
    dense_covariance,
    make_problem,
)

N_ITER = 8


def close(actual: Any, expected: Any, rtol: float = 1e-9, atol: float = 1e-9) -> None:
    assert_allclose(actual, expected, rtol=rtol, atol=atol)


# --- one step -------------------------------------------------------------------------------------------------


def ascent(problem: Problem) -> None:
    """No step lowers the log-likelihood, which SciPy computes here (Dempster, Laird and Rubin 1977, theorem 1)."""
    values = np.array([problem.scipy_log_likelihood(theta) for theta in problem.iterates(2 * N_ITER)])
    falls = -np.diff(values)
    assert falls.max() <= 1e-11 * np.abs(values).max(), f"log-likelihood fell by {falls.max()}"


def moment_matching(problem: Problem) -> None:
    """After an M-step the mixture expects of the sufficient statistic what the sample shows of it."""
    weights = problem.row_weights / problem.row_weights.sum()
    center = weights @ problem.x
    observed = weights @ problem.kind.statistic(problem.x, center)
    for theta in problem.iterates(N_ITER):
        moments = [problem.kind.moment(theta.components, m, center) for m in range(len(theta.weights))]
        close(theta.weights @ np.array(moments), observed, atol=1e-11 * (1 + np.abs(observed).max()), rtol=1e-11)


def mixing_weights(problem: Problem) -> None:
    """An M-step sets the weights to the means of the responsibilities, which SciPy computes here (note, section 3)."""
    for theta, new in pairwise(problem.iterates(3)):
        posterior = special.softmax(problem.scipy_log_joint(theta), axis=1)
        close(new.weights, problem.row_weights @ posterior / problem.row_weights.sum(), rtol=1e-9, atol=1e-12)


def decomposition(problem: Problem) -> None:
    """Log L = Q + H, and a step gains dQ + KL with KL >= 0; Q is also summed term by term from SciPy's densities."""
    for guess, theta in pairwise(problem.iterates(4)):
        at_guess = decompose(problem.model, guess, guess, problem.x, problem.weights)
        at_theta = decompose(problem.model, theta, guess, problem.x, problem.weights)
        before, after = problem.scipy_log_likelihood(guess), problem.scipy_log_likelihood(theta)
        close([at_guess.q + at_guess.h, at_theta.q + at_theta.h], [before, after], rtol=1e-11)
        close(after - before, at_theta.q - at_guess.q + at_theta.kl, atol=1e-11 * abs(before))
        close(at_guess.kl, 0, atol=1e-11 * abs(before))
        assert at_theta.kl >= -1e-11 * abs(before)
        assert at_theta.q >= at_guess.q - 1e-11 * abs(before)
        posterior = special.softmax(problem.scipy_log_joint(guess), axis=1)
        terms = np.where(posterior > 0, posterior * problem.scipy_log_joint(theta), 0)
        close(at_theta.q, problem.row_weights @ terms.sum(axis=1))


def maximises_q(problem: Problem, rng: np.random.Generator) -> None:
    """No parameters near or far have a higher Q than those of the M-step."""
    *_, guess, theta = problem.iterates(2)
    best = decompose(problem.model, theta, guess, problem.x, problem.weights).q
    vector = problem.model.pack(theta)
    for scale in (1e-4, 1e-2, 1):
        other = problem.model.unpack(vector + scale * rng.standard_normal(vector.size), theta)
        assert decompose(problem.model, other, guess, problem.x, problem.weights).q <= best + 1e-10 * abs(best)


def textbook_start(problem: Problem) -> None:
    """The M-step from given responsibilities has the weighted means and (Gaussian, full) covariances of the note."""
    if problem.name != "gaussian-full":
        return
    r = problem.responsibilities * problem.row_weights[:, None]
    theta = problem.start
    for m in range(r.shape[1]):
        mean = r[:, m] @ problem.x / r[:, m].sum()
        diff = problem.x - mean
        close(theta.components.means[m], mean)
        close(theta.components.covariances[m], (r[:, m] * diff.T) @ diff / r[:, m].sum())


# --- densities ------------------------------------------------------------------------------------------------


def matches_scipy(problem: Problem) -> None:
    """Log densities, responsibilities and the log-likelihood are those of scipy.stats."""
    for theta in problem.iterates(2):
        log_joint = problem.scipy_log_joint(theta)
        close(problem.model.log_density(theta, problem.x), special.logsumexp(log_joint, axis=1))
        close(problem.model.responsibilities(theta, problem.x), special.softmax(log_joint, axis=1))
        close(
            problem.model.log_likelihood(theta, problem.x, problem.weights),
            problem.scipy_log_likelihood(theta),
            rtol=1e-11,
        )


def integrates_to_one(problem: Problem) -> None:
    """The density of the start integrates, or sums, to 1 (one or two columns)."""
    theta, dim = problem.start, problem.x.shape[1]
    if problem.name == "exponential":
        total = _exponential_integral(problem, theta)
    elif problem.name in GAUSSIAN_KINDS:
        total = _gaussian_integral(problem, theta)
    else:
        largest = {
            "bernoulli": 1,
            "binomial": N_TRIALS,
            "categorical": N_CATEGORIES - 1,
            "poisson": 60,
            "user-geometric": 300,
        }
        support = np.array(list(product(range(largest[problem.name] + 1), repeat=dim)), dtype=float)
        total = float(np.exp(problem.model.log_density(theta, support)).sum())
    close(total, 1, atol=1e-9, rtol=0)


def _exponential_integral(problem: Problem, theta: Theta) -> float:
    """Integrate in u = exp(-slowest rate * x), which maps the half line to the unit interval (one column)."""
    slowest = theta.components.rates.min()

    def integrand(u: float) -> float:
        x = np.array([[-np.log(u) / slowest]])
        return float(np.exp(problem.model.log_density(theta, x)[0])) / (slowest * u)

    return float(integrate.quad(integrand, 0, 1, epsabs=1e-11)[0])


def _gaussian_integral(problem: Problem, theta: Theta) -> float:
    """Trapezoidal rule with half a standard deviation a step: its error is exp(-2 pi^2 / step^2) for a Gaussian."""
    means, matrices = theta.components.means, theta.components.dense_covariances
    reach = 9 * np.sqrt(np.diagonal(matrices, axis1=1, axis2=2))
    step = 0.5 * np.sqrt(np.linalg.eigvalsh(matrices).min())
    low, high = (means - reach).min(axis=0), (means + reach).max(axis=0)
    axes = [np.arange(a, b, step) for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    return float(np.exp(problem.model.log_density(theta, points)).sum() * step ** len(axes))


# --- symmetries -----------------------------------------------------------------------------------------------


def _path(problem: Problem, n_iter: int = N_ITER) -> tuple[Array, Array]:
    """Return the trace and the last responsibilities, which describe a run without naming its parameters."""
    result = problem.run(n_iter)
    return result.trace, problem.model.responsibilities(result.theta, problem.x)


def permutations(problem: Problem, rng: np.random.Generator) -> None:
    """The order of the rows, of the columns and of the labels does not matter."""
    trace, posterior = _path(problem)
    rows = rng.permutation(len(problem.x))
    columns = rng.permutation(problem.x.shape[1])
    labels = rng.permutation(posterior.shape[1])
    weights = None if problem.weights is None else problem.weights[rows]
    shuffled = problem.change(
        x=problem.x[rows][:, columns], weights=weights, responsibilities=problem.responsibilities[rows][:, labels]
    )
    new_trace, new_posterior = _path(shuffled)
    close(new_trace, trace)
    close(new_posterior, posterior[rows][:, labels], atol=1e-7)


def symmetry_group(covariance_type: str, dim: int, rng: np.random.Generator) -> Array:
    """Return a random matrix that maps a covariance type into itself: any, scaled permutation, or similarity."""
    if covariance_type in ("full", "tied"):
        orthogonal = np.linalg.qr(rng.standard_normal((2, dim, dim)))[0]
        return orthogonal[0] @ np.diag(rng.uniform(0.2, 5, dim)) @ orthogonal[1]
    if covariance_type.endswith("diag"):
        return np.diag(rng.uniform(0.2, 5, dim) * rng.choice([-1, 1], dim))[rng.permutation(dim)]
    return rng.uniform(0.2, 5) * np.linalg.qr(rng.standard_normal((dim, dim)))[0]


def affine_equivariance(problem: Problem, rng: np.random.Generator) -> None:
    """Fitting A x + b maps the means and covariances and shifts the log-likelihood by -N log |det A|."""
    A = symmetry_group(problem.name.removeprefix("gaussian-"), problem.x.shape[1], rng)
    b = rng.normal(0, 100, len(A))
    moved = problem.change(x=problem.x @ A.T + b)
    plain, mapped = problem.run(N_ITER), moved.run(N_ITER)
    shift = problem.row_weights.sum() * np.linalg.slogdet(A)[1]
    close(mapped.trace, plain.trace - shift, rtol=1e-9, atol=1e-8)
    close(mapped.theta.weights, plain.theta.weights, atol=1e-8)
    close(mapped.theta.components.means, plain.theta.components.means @ A.T + b, rtol=1e-7, atol=1e-7)
    close(
        mapped.theta.components.dense_covariances,
        A @ plain.theta.components.dense_covariances @ A.T,
        rtol=1e-7,
        atol=1e-7,
    )


def far_from_the_origin(problem: Problem) -> None:
    """Data moved by 1e8 give the same steps to 1e-7. Their 2^-20 grid makes the move itself exact.

    Few steps: a mean near 1e8 is stored to 1.5e-8, and EM leaving a saddle multiplies any difference each step.
    """
    on_grid = problem.change(x=np.round(problem.x * 2**20) / 2**20)
    moved = on_grid.change(x=on_grid.x + 1e8)
    plain, mapped = on_grid.run(2), moved.run(2)
    close(mapped.trace, plain.trace, rtol=1e-7, atol=1e-7)
    close(mapped.theta.weights, plain.theta.weights, atol=1e-7)
    close(mapped.theta.components.means - 1e8, plain.theta.components.means, atol=1e-7)
    close(mapped.theta.components.covariances, plain.theta.components.covariances, rtol=1e-7, atol=1e-7)


def weights_are_repetition(problem: Problem, rng: np.random.Generator) -> None:
    """Integer weights equal repeated rows; a row of weight zero equals no row."""
    counts = rng.integers(0, 4, len(problem.x))
    counts[: 8 * problem.responsibilities.shape[1]] += 1  # enough rows stay for every component
    weighted = problem.change(weights=counts.astype(float))
    repeated = problem.change(
        x=np.repeat(problem.x, counts, axis=0),
        weights=None,
        responsibilities=np.repeat(problem.responsibilities, counts, axis=0),
    )
    close(weighted.run(N_ITER).trace, repeated.run(N_ITER).trace)
    posterior = _path(weighted)[1]
    close(np.repeat(posterior, counts, axis=0), _path(repeated)[1], atol=1e-7)


def weights_scale(problem: Problem, factor: float) -> None:
    """Weights times c give the same parameters and c times the log-likelihood."""
    scaled = problem.change(weights=problem.row_weights * factor)
    trace, posterior = _path(problem)
    new_trace, new_posterior = _path(scaled)
    close(new_trace, factor * trace, atol=1e-9 * factor)
    close(new_posterior, posterior, atol=1e-7)


# --- calculus -------------------------------------------------------------------------------------------------


def gradient(function: Any, at: Array) -> Array:
    """Return central differences, with Richardson extrapolation to fourth order."""

    def differences(step: float) -> Array:
        shifts = step * np.eye(len(at))
        return np.array([(function(at + shift) - function(at - shift)) / (2 * step) for shift in shifts])

    return (4 * differences(5e-4) - differences(1e-3)) / 3


def fisher(problem: Problem) -> None:
    """The gradient of log L equals that of Q(., theta) at theta (Fisher's identity)."""
    *_, theta = problem.iterates(1)
    model, vector = problem.model, problem.model.pack(theta)
    posterior = special.softmax(problem.scipy_log_joint(theta), axis=1)

    def log_likelihood(v: Array) -> float:
        return model.log_likelihood(model.unpack(v, theta), problem.x, problem.weights)

    def q(v: Array) -> float:
        log_joint = problem.scipy_log_joint(model.unpack(v, theta))
        return float(problem.row_weights @ (posterior * log_joint).sum(axis=1))

    expected = gradient(q, vector)
    close(gradient(log_likelihood, vector), expected, rtol=1e-6, atol=1e-6 * (1 + np.abs(expected).max()))


def stationary_m_step(problem: Problem) -> None:
    """The gradient of Q plus the log prior vanishes at the M-step's result."""
    *_, guess, theta = problem.iterates(1)
    model = problem.model

    def objective(v: Array) -> float:
        at = model.unpack(v, theta)
        return decompose(model, at, guess, problem.x, problem.weights).q + model.log_prior(at)

    slope = gradient(objective, model.pack(theta))
    close(slope, np.zeros_like(slope), atol=1e-6 * problem.row_weights.sum())


# --- bookkeeping ----------------------------------------------------------------------------------------------


def chunking(problem: Problem, size: int) -> None:
    """Statistics and log-likelihood add up over any cutting of the rows."""
    theta = problem.start
    whole, value = problem.model.e_step(theta, problem.model.prepare(problem.x, problem.weights))
    with mock.patch.object(emlib.rows, "CHUNK", size):
        parts, sum_of_values = problem.model.e_step(theta, problem.model.prepare(problem.x, problem.weights))
        cut_run = problem.run(N_ITER)
    close(sum_of_values, value, rtol=1e-12)
    for one, other in ((problem.model.m_step(whole), problem.model.m_step(parts)),):
        close(problem.model.log_joint(other, problem.x), problem.model.log_joint(one, problem.x))
    close(cut_run.trace, problem.run(N_ITER).trace)


def pack_round_trip(problem: Problem) -> None:
    """Packing and unpacking gives the parameters back, in as many numbers as are free."""
    n_components, dim = problem.responsibilities.shape[1], problem.x.shape[1]
    for theta in problem.iterates(1):
        vector = problem.model.pack(theta)
        assert vector.shape == (n_components - 1 + problem.kind.n_free(n_components, dim),)
        again = problem.model.unpack(vector, theta)
        close(problem.scipy_log_joint(again), problem.scipy_log_joint(theta), rtol=1e-10)
        if np.isfinite(vector).all():
            close(problem.model.pack(again), vector, rtol=1e-7)


def honest_result(problem: Problem) -> None:
    """The reported log-likelihood is, bit for bit, that of the reported parameters, and the end of the trace."""
    result = em(problem.model, problem.x, problem.start, sample_weight=problem.weights, tol=1e-3, max_iter=40)
    again = problem.model.log_likelihood(result.theta, problem.x, problem.weights)
    assert result.log_likelihood == again == result.trace[-1] == result.objective
    assert len(result.trace) == result.n_iter + 1
    close(result.trace[0], problem.scipy_log_likelihood(problem.start), rtol=1e-11)
    close(result.log_likelihood, problem.scipy_log_likelihood(result.theta), rtol=1e-11)


# --- priors and floors ----------------------------------------------------------------------------------------


def scipy_log_prior(problem: Problem, theta: Theta) -> float:
    """Return the log prior density of a Gaussian mixture from scipy.stats, in nats."""
    value = 0.0
    if problem.model.weight_prior is not None and len(theta.weights) > 1:
        concentration = np.full(len(theta.weights), problem.model.weight_prior.concentration)
        value += float(stats.dirichlet.logpdf(theta.weights / theta.weights.sum(), concentration))
    prior, family = problem.model.family.prior, theta.components.covariance_type
    if prior is None:
        return value
    scale = np.asarray(prior.scale) * (np.eye(problem.x.shape[1]) if np.ndim(prior.scale) == 0 else 1)
    if family in ("full", "tied"):
        blocks = theta.components.covariances.reshape(-1, *scale.shape)
        return value + sum(float(stats.invwishart.logpdf(block, prior.dof, scale)) for block in blocks)
    scales = np.diagonal(scale).mean() if family.endswith("spherical") else np.diagonal(scale)
    variances = theta.components.covariances
    return value + float(stats.invgamma.logpdf(variances, prior.dof / 2, scale=scales / 2).sum())


def log_prior_is_scipys(problem: Problem) -> None:
    """The log prior is that of scipy.stats, and the objective of a run adds it to the log-likelihood."""
    result = problem.run(3)
    expected = scipy_log_prior(problem, result.theta)
    close(problem.model.log_prior(result.theta), expected, rtol=1e-9)
    close(result.objective, problem.scipy_log_likelihood(result.theta) + expected, rtol=1e-11)
    close(result.trace[0], problem.scipy_log_likelihood(problem.start) + scipy_log_prior(problem, problem.start))


def map_ascent(problem: Problem) -> None:
    """No step of MAP-EM lowers log-likelihood plus log prior, which SciPy computes here."""
    values = [problem.scipy_log_likelihood(t) + scipy_log_prior(problem, t) for t in problem.iterates(2 * N_ITER)]
    assert np.diff(values).min() >= -1e-11 * np.abs(values).max()


def random_feasible(covariances: Array, covariance_type: str, floor: float, rng: np.random.Generator) -> Array:
    """Return covariances at or above the floor, near the given ones."""
    if covariance_type not in ("full", "tied"):
        return np.maximum(covariances * np.exp(rng.normal(0, 0.2, covariances.shape)), floor)
    noise = np.eye(covariances.shape[-1]) + rng.normal(0, 0.1, covariances.shape)
    values, vectors = np.linalg.eigh(noise @ covariances @ noise.swapaxes(-1, -2))
    return (vectors * np.maximum(values, floor)[..., None, :]) @ vectors.swapaxes(-1, -2)


def floor_is_exact(problem: Problem, rng: np.random.Generator) -> None:
    """The clipped M-step beats feasible parameters around it, and no step lowers the log-likelihood."""
    floor, kind = problem.model.family.covariance_floor, problem.model.family.covariance_type
    guess, theta, *_ = iterates = list(problem.iterates(2 * N_ITER))
    best = decompose(problem.model, theta, guess, problem.x, problem.weights).q
    for _ in range(20):
        covariances = random_feasible(theta.components.covariances, kind, floor, rng)
        components = GaussianParameters(theta.components.means, covariances, kind)
        other = MixtureParameters(theta.weights, components)
        assert decompose(problem.model, other, guess, problem.x, problem.weights).q <= best + 1e-10 * abs(best)
    values = [problem.scipy_log_likelihood(one) for one in iterates]
    assert np.diff(values).min() >= -1e-11 * np.abs(values).max()
    smallest = min(np.linalg.eigvalsh(one.components.dense_covariances).min() for one in iterates)
    assert smallest >= floor * (1 - 1e-9)


# --- GaussianMixture ------------------------------------------------------------------------------------------


def known_mixture(covariance_type: str) -> tuple[GaussianMixture, Problem, Theta]:
    """Return a mixture of known parameters, and the problem they come from."""
    problem = make_problem(f"gaussian-{covariance_type}", 11, n_components=3, dim=2, weighted=True)
    *_, theta = problem.iterates(6)
    components = theta.components
    known = GaussianMixture.from_parameters(
        theta.weights, components.means, components.covariances, covariance_type=covariance_type
    )
    return known, problem, theta


def criteria(covariance_type: str) -> None:
    """BIC is p log N - 2 log L, AIC 2 p - 2 log L, ICL p log N - 2 log L_c: p counted by hand, densities from SciPy."""
    known, problem, theta = known_mixture(covariance_type)
    p = 2 + problem.kind.n_free(3, 2)
    log_likelihood = problem.scipy_log_likelihood(theta)
    n = problem.row_weights.sum()
    close(known.bic(problem.x, problem.weights), p * np.log(n) - 2 * log_likelihood)
    close(known.aic(problem.x, problem.weights), 2 * p - 2 * log_likelihood)
    completed = problem.row_weights @ problem.scipy_log_joint(theta).max(axis=1)
    close(known.icl(problem.x, problem.weights), p * np.log(n) - 2 * completed)
    close(known.score(problem.x, sample_weight=problem.weights), log_likelihood / n)
    close(known.bic(problem.x), p * np.log(len(problem.x)) - 2 * known.score_samples(problem.x).sum())


def posterior_is_bayes(covariance_type: str) -> None:
    """predict_proba, predict and score_samples follow Bayes' rule with SciPy's densities."""
    known, problem, theta = known_mixture(covariance_type)
    log_joint = problem.scipy_log_joint(theta)
    close(known.predict_proba(problem.x), special.softmax(log_joint, axis=1))
    assert (known.predict(problem.x) == log_joint.argmax(axis=1)).all()
    close(known.score_samples(problem.x), special.logsumexp(log_joint, axis=1))


def far_rows(covariance_type: str) -> None:
    """A row a thousand standard deviations away has the log density of SciPy, not -inf."""
    known, problem, theta = known_mixture(covariance_type)
    far = problem.change(x=1e4 * np.array([[1.0, 0], [0, -1], [1, 1]]))
    log_joint = far.scipy_log_joint(theta)
    close(known.score_samples(far.x), special.logsumexp(log_joint, axis=1))
    close(known.predict_proba(far.x), special.softmax(log_joint, axis=1))


def three_clusters() -> Array:
    """Return rows on which many starts of four components end in different local maxima."""
    return KINDS["gaussian-full"].draw(np.random.default_rng(5), np.repeat(np.arange(6), 25), 2)


def keeps_the_best_restart(seed: int) -> None:
    """Of several runs, all are kept and the one with the highest log-likelihood is returned."""
    x = three_clusters()
    fit = GaussianMixture(4, covariance_type="diag", n_init=5, init="random", random_state=seed, tol=1e-6).fit(x)
    ends = [run.log_likelihood for run in fit.restarts_]
    assert len(ends) == 5
    assert max(ends) - min(ends) > 0.1, "the restarts agree: this says nothing"
    assert fit.log_likelihood_ == max(ends)
    close(fit.score(x) * len(x), max(ends), rtol=1e-12)


def samples_are_shuffled() -> None:
    """The components of sampled rows are exchangeable: no run of equal labels longer than chance allows."""
    known, _, _ = known_mixture("full")
    _, labels = known.sample(2000, np.random.default_rng(0))
    changes = (np.diff(labels) != 0).mean()
    expected = 1 - (known.weights_**2).sum()
    assert abs(changes - expected) < 5 * np.sqrt(expected * (1 - expected) / 2000)


def sample_moments(covariance_type: str) -> None:
    """Sampled rows have the shares, means and covariances of their components, within five standard errors."""
    known, _, theta = known_mixture(covariance_type)
    n = 20_000
    x, labels = known.sample(n, np.random.default_rng(1))
    for m, (weight, mean) in enumerate(zip(theta.weights, theta.components.means, strict=True)):
        own, covariance = x[labels == m], dense_covariance(theta.components, m)
        variances = np.diagonal(covariance)
        assert abs(len(own) / n - weight) < 5 * np.sqrt(weight * (1 - weight) / n)
        assert (np.abs(own.mean(axis=0) - mean) < 5 * np.sqrt(variances / len(own))).all()
        spread = np.sqrt((np.outer(variances, variances) + covariance**2) / len(own))
        assert (np.abs(np.cov(own.T) - covariance) < 5 * spread).all()


def fit_takes_weights_as_repetition(covariance_type: str) -> None:
    """GaussianMixture.fit with integer weights equals the fit of repeated rows, its own start included."""
    x = three_clusters()
    counts = np.random.default_rng(2).integers(0, 4, len(x))
    options: dict[str, Any] = {"covariance_type": covariance_type, "random_state": 3, "n_init": 2, "tol": 1e-9}
    weighted = GaussianMixture(3, **options).fit(x, sample_weight=counts)
    repeated = GaussianMixture(3, **options).fit(np.repeat(x, counts, axis=0))
    for one, other in zip(weighted.restarts_, repeated.restarts_, strict=True):
        close(one.trace[:10], other.trace[:10])
        close(one.log_likelihood, other.log_likelihood)
    close(weighted.means_, repeated.means_, atol=1e-4)
