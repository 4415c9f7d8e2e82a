"""Acceleration: the published counts, exact gradients, ascent, honest ends."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose

from emlib import (
    Bernoulli,
    BernoulliParameters,
    Binomial,
    Dirichlet,
    Gaussian,
    GaussianMixture,
    GaussianParameters,
    InverseWishart,
    LikelihoodDecreased,
    Mixture,
    MixtureParameters,
    Poisson,
    PoissonParameters,
    Status,
    em,
)
from emlib.acceleration import QuasiNewton, Squarem, by_name
from emlib.datasets import load_faithful, load_hasselblad
from tests.problems import (
    GAUSSIAN_KINDS,
    GAUSSIAN_TYPES,
    KINDS,
    Array,
    Problem,
    make_problem,
    problems,
    seeds,
    thorough,
)

SCHEMES = {"squarem": Squarem(), "quasi-newton": QuasiNewton()}
WITH_SCORE = tuple(name for name in KINDS if name != "user-geometric")
DEATHS, DAYS = load_hasselblad().data.T
X = DEATHS[:, None]
# From a root-finding in 30 digits of the equations of the maximum.
HASSELBLAD_MAXIMUM = -1989.94585988296419663769933118


class WithoutScore(Mixture[Any, Any]):
    """A mixture that offers no gradient, as one of a user's own components."""

    def score(self, _theta: Any, _stats: Any) -> None:
        return None


def poisson_start(weight: float, first: float, second: float) -> MixtureParameters[PoissonParameters]:
    return MixtureParameters([weight, 1 - weight], PoissonParameters([[first], [second]]))


# --- published counts -----------------------------------------------------------------------------------------


class RawPoisson(Mixture[PoissonParameters, Any]):
    """Two Poisson components in the coordinates (p, lambda_1, lambda_2), as in the SQUAREM vignette."""

    def __init__(self) -> None:
        super().__init__(Poisson())

    def pack(self, theta: MixtureParameters[PoissonParameters]) -> Array:
        return np.array([theta.weights[0], *theta.components.rates[:, 0]])

    def unpack(self, vector: Array, _like: object) -> MixtureParameters[PoissonParameters]:
        return poisson_start(*vector)


# R: set.seed(123, "Wichmann-Hill", "Box-Muller"); c(runif(1), runif(2, 0, 6))
PUBLISHED_START = (0.44629444987719813, 5.34339807302638548, 0.87135129826869884)


def test_em_takes_the_published_2909_evaluations() -> None:
    model, iterates = RawPoisson(), []

    def small_step(iteration: Any) -> bool:
        iterates.append(model.pack(iteration.theta))
        return len(iterates) > 1 and float(np.linalg.norm(iterates[-1] - iterates[-2])) < 1e-8

    result = em(
        model, X, poisson_start(*PUBLISHED_START), sample_weight=DAYS, tol=0, max_iter=5000, callback=small_step
    )
    assert result.m_steps == 2909
    assert result.e_steps == 2909 + 1  # the last one for the log-likelihood of the last iterate


def test_squarem_takes_the_published_25_cycles_and_72_evaluations() -> None:
    """R's count of iterations and of objective values includes the start; its map is evaluated once more to stop."""
    model = RawPoisson()
    rows = model.prepare(X, DAYS)

    def small_step(iteration: Any) -> bool:
        image = model.m_step(model.e_step(iteration.theta, rows)[0])
        return float(np.linalg.norm(model.pack(image) - model.pack(iteration.theta))) < 1e-8

    scheme = Squarem(step_min=1, step_max=1, growth=4, allowed_fall=1)
    result = em(model, rows, poisson_start(*PUBLISHED_START), tol=0, accelerate=scheme, callback=small_step)
    assert result.status is Status.INTERRUPTED
    assert len(result.trace) == 25
    assert result.m_steps + 1 == 72
    assert_allclose(result.log_likelihood, HASSELBLAD_MAXIMUM, atol=1e-8, rtol=0)
    # R's default lets the log-likelihood fall, and here it does.
    assert np.diff(result.trace).min() < -1e-3


@pytest.mark.parametrize(("scheme", "most"), [(Squarem(), 300), (QuasiNewton(), 30)])
def test_hasselblad_is_reached_in_a_tenth_of_the_evaluations(scheme: Any, most: int) -> None:
    result = em(Mixture(Poisson()), X, poisson_start(*PUBLISHED_START), sample_weight=DAYS, accelerate=scheme)
    assert result.status is Status.CONVERGED
    assert_allclose(result.log_likelihood, HASSELBLAD_MAXIMUM, atol=1e-9, rtol=0)
    assert result.e_steps <= most


# --- plain EM is what it was ----------------------------------------------------------------------------------


@thorough(15)
@given(problem=problems())
def test_without_acceleration_the_iterates_are_bare_em_bit_for_bit(problem: Problem) -> None:
    rows = problem.model.prepare(problem.x, problem.weights)
    expected = [problem.model.e_step(theta, rows)[1] for theta in problem.iterates(6)]
    result = problem.run(6)
    assert result.trace.tolist() == expected
    assert (result.e_steps, result.m_steps) == (7, 6)


# --- the gradient and the metric ------------------------------------------------------------------------------


def with_priors(problem: Problem) -> Problem:
    family: Any = problem.kind.component()
    if problem.name in GAUSSIAN_KINDS:
        family = Gaussian(family.covariance_type, prior=InverseWishart(1.3, 5))
    return problem.change(model=Mixture(family, weight_prior=Dirichlet(2.5)))


def objective(problem: Problem, rows: Any, vector: Array, like: Any) -> float:
    theta = problem.model.unpack(vector, like)
    return problem.model.e_step(theta, rows)[1] + problem.model.log_prior(theta)


@pytest.mark.parametrize("priors", [False, True])
@pytest.mark.parametrize("name", WITH_SCORE)
def test_the_score_is_the_gradient_of_the_objective(name: str, priors: bool) -> None:
    """Fisher's identity, against central differences of the log-likelihood itself."""
    for seed in range(4):
        problem = make_problem(name, seed, n_components=2 + seed % 2)
        problem = with_priors(problem) if priors else problem
        rows = problem.model.prepare(problem.x, problem.weights)
        *_, theta = problem.iterates(1)
        vector = problem.model.pack(theta)
        step = 1e-5 * np.eye(vector.size)
        rises = [
            objective(problem, rows, vector + e, theta) - objective(problem, rows, vector - e, theta) for e in step
        ]
        score = problem.model.score(theta, problem.model.e_step(theta, rows)[0])
        assert_allclose(score, np.array(rises) / 2e-5, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", WITH_SCORE)
def test_the_score_does_not_depend_on_the_reference_of_the_statistics(name: str) -> None:
    problem = make_problem(name, 1, n_components=2)
    responsibilities = problem.responsibilities
    theta = problem.start
    shifted = problem.model.from_responsibilities(problem.x, responsibilities[::-1])
    family = problem.model.family
    one, other = (family.statistics(at.components, problem.x, responsibilities) for at in (theta, shifted))
    assert_allclose(family.score(theta.components, one), family.score(theta.components, other), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("priors", [False, True])
@pytest.mark.parametrize("name", WITH_SCORE)
def test_in_the_complete_data_metric_a_gradient_step_is_an_em_step(name: str, priors: bool) -> None:
    """To first order, so near the maximum; and the metric is symmetric and positive definite."""
    problem = make_problem(name, 9, dim=2, n_components=2, weighted=True)
    problem = with_priors(problem) if priors else problem
    rows = problem.model.prepare(problem.x, problem.weights)
    limit = em(problem.model, rows, problem.start, tol=1e-12, accelerate=QuasiNewton()).theta
    shift = 1e-5 * np.random.default_rng(0).standard_normal(problem.model.pack(limit).size)
    near = problem.model.unpack(problem.model.pack(limit) + shift, limit)
    stats, _ = problem.model.e_step(near, rows)
    metric = problem.model.complete_information(near, stats)
    em_step = problem.model.pack(problem.model.m_step(stats)) - problem.model.pack(near)
    score = problem.model.score(near, stats)
    assert score is not None
    assert_allclose(metric.solve(score), em_step, rtol=1e-3, atol=1e-9)
    dense = np.array([metric.times(e) for e in np.eye(metric.size)])
    assert_allclose(dense, dense.T, atol=1e-12 * np.abs(dense).max())
    assert np.linalg.eigvalsh(dense)[0] > 0


def test_weights_that_are_fixed_are_no_coordinates() -> None:
    """The coins of Do and Batzoglou: the score and the metric are of the two probabilities alone."""
    heads = np.array([[5.0], [9], [8], [4], [7]])
    model = Mixture(Binomial(10), fixed_weights=[0.5, 0.5])
    start = MixtureParameters([0.5, 0.5], BernoulliParameters([[0.6], [0.5]]))
    vector = model.pack(start)
    stats, _ = model.e_step(start, heads)

    def log_likelihood(shift: Any) -> float:
        return model.log_likelihood(model.unpack(vector + shift, start), heads)

    rises = [log_likelihood(step) - log_likelihood(-step) for step in 1e-5 * np.eye(2)]
    assert_allclose(model.score(start, stats), np.array(rises) / 2e-5, rtol=1e-6)
    assert model.complete_information(start, stats).size == 2
    plain, fast = (em(model, heads, start, tol=1e-12, accelerate=scheme) for scheme in (None, QuasiNewton()))
    assert_allclose(fast.theta.components.probabilities, plain.theta.components.probabilities, rtol=1e-5)


# --- ascent, and where it ends --------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
@thorough(25)
@given(problem=problems())
def test_the_objective_never_falls_and_every_iterate_is_valid(scheme: Any, problem: Problem) -> None:
    """SciPy computes the log-likelihood of every iterate; the parameters check themselves when they are made."""
    iterates = []
    em(
        problem.model,
        problem.x,
        problem.start,
        sample_weight=problem.weights,
        max_iter=60,
        accelerate=scheme,
        callback=lambda iteration: iterates.append((iteration.theta, iteration.log_likelihood)),
    )
    with np.errstate(divide="ignore"):  # a probability may be zero, and its logarithm then has no weight
        values = np.array([problem.scipy_log_likelihood(theta) for theta, _ in iterates])
    assert_allclose([value for _, value in iterates], values, rtol=1e-9)
    assert np.diff(values, prepend=values[0]).min() >= -1e-10 * np.abs(values).max()


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
@pytest.mark.parametrize("name", KINDS)
def test_converged_means_that_no_more_than_tol_is_left(scheme: Any, name: str) -> None:
    """A run to 1e-12 from where the accelerated one ended finds at most twice `tol` more."""
    for seed in (1, 2):
        problem = make_problem(name, seed, dim=2, n_components=2)
        rows = problem.model.prepare(problem.x, problem.weights)
        result = em(problem.model, rows, problem.start, tol=1e-6, accelerate=scheme)
        if result.status is Status.DEGENERATE:
            continue
        assert result.status is Status.CONVERGED, result.message
        limit = em(problem.model, rows, result.theta, tol=1e-12, max_iter=4000)
        assert limit.log_likelihood - result.log_likelihood <= 2e-6
        assert result.log_likelihood == result.trace[-1] == problem.model.log_likelihood(result.theta, rows)


@pytest.mark.parametrize(
    ("name", "seed", "dim", "tol"),
    [("poisson", 5, 2, 1e-3), ("poisson", 36, 2, 1e-3), ("bernoulli", 43, 4, 1e-7)],
)
def test_one_small_gradient_is_not_the_end(name: str, seed: int, dim: int, tol: float) -> None:
    """Few rows and a nearly flat direction: an estimate from the last step, or from the last ten, is too low here."""
    problem = make_problem(name, seed, dim=dim, n_components=2)
    rows = problem.model.prepare(problem.x, problem.weights)
    result = em(problem.model, rows, problem.start, tol=tol, accelerate=QuasiNewton())
    limit = em(problem.model, rows, result.theta, tol=1e-12, accelerate=QuasiNewton())
    assert result.status is limit.status is Status.CONVERGED
    assert limit.log_likelihood - result.log_likelihood <= 2 * tol


def overlapping() -> Array:
    rng = np.random.default_rng(10122)
    return np.concatenate([rng.normal(0, 1, (250, 1)), rng.normal(2, 1, (750, 1))])


def start_at(*means: float) -> MixtureParameters[GaussianParameters]:
    components = GaussianParameters(np.reshape(means, (-1, 1)), np.ones((len(means), 1, 1)))
    return MixtureParameters(np.full(len(means), 1 / len(means)), components)


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
@pytest.mark.parametrize("model", [Mixture(Gaussian()), WithoutScore(Gaussian())], ids=["score", "no score"])
@pytest.mark.parametrize("tol", [1e-4, 1e-8])
def test_a_slow_mixture_is_followed_to_its_end(scheme: Any, model: Mixture[Any, Any], tol: float) -> None:
    x = overlapping()
    plain = em(model, x, start_at(-0.5, 1.5), tol=1e-10, max_iter=4000)
    result = em(model, x, start_at(-0.5, 1.5), tol=tol, accelerate=scheme)
    assert result.status is Status.CONVERGED
    assert plain.log_likelihood - result.log_likelihood <= 2 * tol
    assert result.e_steps < plain.e_steps / 3


@pytest.mark.parametrize("model", [Mixture(Gaussian()), WithoutScore(Gaussian())], ids=["score", "no score"])
@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_a_plateau_beside_a_saddle_is_left(scheme: Any, model: Mixture[Any, Any]) -> None:
    """From nearly equal components the objective is not concave along the path, and Newton's step leads back."""
    x = overlapping()
    plain = em(model, x, start_at(0.9, 1.9), max_iter=3000)
    result = em(model, x, start_at(0.9, 1.9), accelerate=scheme)
    assert np.diff(plain.trace)[5:100].min() < 1e-3  # EM rests on it
    assert result.status is Status.CONVERGED
    assert_allclose(result.log_likelihood, plain.log_likelihood, rtol=0, atol=1e-8)
    assert result.e_steps < plain.e_steps / 3


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_one_component_and_a_fixed_point_end_at_once(scheme: Any) -> None:
    x = overlapping()
    result = em(Mixture(Gaussian()), x, start_at(7.0), accelerate=scheme)
    assert result.status is Status.CONVERGED
    assert_allclose(result.theta.components.means, x.mean(axis=0)[None], rtol=1e-12)
    again = em(Mixture(Gaussian()), x, result.theta, accelerate=scheme)
    assert again.status is Status.CONVERGED
    assert again.n_iter <= 3


@pytest.mark.parametrize("scheme", [*SCHEMES.values(), None], ids=[*SCHEMES, "em"])
def test_a_probability_of_zero_has_no_coordinate_and_plain_steps_go_on(scheme: Any) -> None:
    rng = np.random.default_rng(2)
    x = (rng.random((200, 4)) < np.where(rng.random((200, 1)) < 0.5, 0.25, 0.75)).astype(float)
    x[:, 3] = 0
    model = Mixture(Bernoulli())
    start = model.from_responsibilities(x, rng.dirichlet([1, 1], 200))
    limit = em(model, x, start, tol=1e-12, max_iter=5000)
    result = em(model, x, start, tol=1e-7, accelerate=scheme)
    assert result.status is Status.CONVERGED
    assert (result.theta.components.probabilities[:, 3] == 0).all()
    assert 0 <= limit.log_likelihood - result.log_likelihood <= 2e-7


# --- refused steps --------------------------------------------------------------------------------------------


class NoWayBack(Mixture[Any, Any]):
    """Every vector of coordinates is refused."""

    def unpack(self, _vector: Array, _like: Any) -> Any:
        raise ValueError("outside")


class Astray(Mixture[Any, Any]):
    """Every vector of coordinates leads to the same bad parameters."""

    def unpack(self, _vector: Array, _like: Any) -> Any:
        return poisson_start(0.5, 50, 60)


@pytest.mark.parametrize("model", [NoWayBack(Poisson()), Astray(Poisson())], ids=["refused", "astray"])
def test_refused_steps_leave_plain_em(model: Mixture[Any, Any]) -> None:
    """With no usable extrapolation a quasi-Newton run is EM, and a cycle of SQUAREM is two steps of EM."""
    start = poisson_start(0.3, 1, 2.5)
    plain = em(Mixture(Poisson()), X, start, sample_weight=DAYS, tol=0, max_iter=40)
    newton = em(model, X, start, sample_weight=DAYS, tol=0, max_iter=40, accelerate=QuasiNewton())
    squarem = em(model, X, start, sample_weight=DAYS, tol=0, max_iter=20, accelerate=Squarem())
    assert newton.trace.tolist() == plain.trace.tolist()
    assert squarem.trace.tolist() == plain.trace[::2].tolist()
    if isinstance(model, Astray):  # the E-steps of refused steps are counted
        assert newton.e_steps > plain.e_steps + 20


class ToTheBorder(Mixture[Any, Any]):
    """Every vector of coordinates leads to good parameters with a rate of zero, at which it would stay for ever."""

    def unpack(self, _vector: Array, _like: Any) -> Any:
        return poisson_start(0.05, 0, 2.27)


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_a_step_onto_the_border_is_refused(scheme: Any) -> None:
    start, model = poisson_start(0.5, 2.1, 2.2), ToTheBorder(Poisson())
    there = model.log_likelihood(model.unpack(np.zeros(3), None), X, DAYS)
    iterates = []
    em(model, X, start, sample_weight=DAYS, max_iter=9, accelerate=scheme, callback=lambda it: iterates.append(it))
    assert any(before.log_likelihood < there for before in iterates[1:])  # it would have been a rise
    assert all((one.theta.components.rates > 0).all() for one in iterates)


def test_under_a_floor_there_is_no_score() -> None:
    """The gradient need not vanish where the floor holds, so that it says nothing of what is left."""
    model = Mixture(Gaussian(covariance_floor=1.0))
    theta = start_at(-0.5, 1.5)
    assert model.score(theta, model.e_step(theta, overlapping())[0]) is None


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
@pytest.mark.parametrize("covariance_type", GAUSSIAN_TYPES)
def test_a_floor_is_never_crossed(scheme: Any, covariance_type: str) -> None:
    problem = make_problem(f"gaussian-{covariance_type}", 8, dim=2, n_components=2)
    model = Mixture(Gaussian(covariance_type, covariance_floor=0.7))
    rows = model.prepare(problem.x)
    start = model.from_responsibilities(problem.x, problem.responsibilities)
    smallest = []

    def watch(iteration: Any) -> None:
        smallest.append(np.linalg.eigvalsh(iteration.theta.components.dense_covariances).min())

    result = em(model, rows, start, accelerate=scheme, callback=watch)
    assert result.status is Status.CONVERGED
    assert min(smallest) >= 0.7 * (1 - 1e-12)
    limit = em(model, rows, result.theta, tol=1e-12, max_iter=4000).log_likelihood
    assert limit - result.log_likelihood <= 1e-9


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_a_collapse_ends_degenerate(scheme: Any) -> None:
    x = np.array([[0.0], [10.0], [11.0], [12.0]])
    start = MixtureParameters([0.25, 0.75], GaussianParameters([[0.0], [11.0]], [[[1.0]], [[1.0]]]))
    result = em(Mixture(Gaussian()), x, start, accelerate=scheme)
    assert result.status is Status.DEGENERATE
    assert "component 0" in result.message
    assert "row of the data: 0" in result.message
    assert np.isfinite(result.log_likelihood)


class Backwards(Mixture[Any, Any]):
    """A wrong M-step: it exchanges the rates."""

    def m_step(self, stats: Any) -> Any:
        theta = super().m_step(stats)
        return MixtureParameters(theta.weights, PoissonParameters(theta.components.rates[::-1]))


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_a_wrong_m_step_is_found(scheme: Any) -> None:
    with pytest.raises(LikelihoodDecreased, match="check that m_step maximises Q"):
        em(Backwards(Poisson()), X, poisson_start(0.3, 1, 2.5), sample_weight=DAYS, accelerate=scheme)


# --- the driver -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_the_callback_sees_the_accepted_iterates_and_ctrl_c_keeps_the_last(scheme: Any) -> None:
    seen: list[Any] = []

    def watch(iteration: Any) -> None:
        seen.append(iteration)
        if iteration.number == 5:
            raise KeyboardInterrupt

    result = em(Mixture(Gaussian()), overlapping(), start_at(-0.5, 1.5), accelerate=scheme, callback=watch)
    assert [one.number for one in seen] == list(range(6))
    assert result.status is Status.INTERRUPTED
    assert result.theta is seen[-1].theta
    assert result.trace.tolist() == [one.objective for one in seen]
    assert all(before.objective <= after.objective for before, after in pairwise(seen))


@pytest.mark.parametrize("accelerate", ["squarem", Squarem, 3], ids=["name", "class", "number"])
def test_em_takes_accelerators_only(accelerate: Any) -> None:
    with pytest.raises(TypeError, match=r"accelerate must be None or an accelerator.*QuasiNewton\(\)"):
        em(Mixture(Poisson()), X, poisson_start(0.3, 1, 2.5), accelerate=accelerate)


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_a_component_without_coordinates_is_named(scheme: Any) -> None:
    class Unit:
        def log_prob(self, mean: Array, x: Array) -> Array:
            return -((x - mean) ** 2).sum(axis=1) / 2

        def fit(self, x: Array, weights: Array) -> Array:
            return weights @ x / weights.sum()

    start = MixtureParameters([0.5, 0.5], (np.array([0.0]), np.array([2.0])))
    with pytest.raises(TypeError, match=r"'Unit' object has no attribute 'pack'.*or run plain EM"):
        em(Mixture(Unit()), overlapping(), start, accelerate=scheme)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Squarem(step_min=0), "step_min <= step_max is needed"),
        (lambda: Squarem(step_max=0.5), "step_min <= step_max is needed"),
        (lambda: Squarem(growth=1), "growth must be above 1"),
        (lambda: Squarem(allowed_fall=-1), "allowed_fall must be at least 0"),
        (lambda: QuasiNewton(memory=0), "memory must be at least 1"),
        (lambda: QuasiNewton(growth=0.5), "growth must be above 1"),
        (lambda: by_name("newton"), "quasi-newton, squarem; got 'newton'"),
        (lambda: GaussianMixture(2, accelerate="newton").fit(load_faithful().data), "got 'newton'"),
    ],
)
def test_options_out_of_range_are_named(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("accelerate", ["squarem", "quasi-newton", QuasiNewton(memory=4)])
@pytest.mark.parametrize("covariance_type", GAUSSIAN_TYPES)
def test_the_estimator_reaches_the_same_fit(accelerate: Any, covariance_type: str) -> None:
    x = load_faithful().data
    plain = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(x)
    fast = GaussianMixture(2, covariance_type=covariance_type, random_state=0, accelerate=accelerate).fit(x)
    assert fast.converged_
    assert_allclose(fast.log_likelihood_, plain.log_likelihood_, rtol=0, atol=1e-8)
    assert_allclose(fast.means_, plain.means_, rtol=1e-4)


@thorough(10)
@given(problem=problems(WITH_SCORE), rng=seeds())
def test_labels_do_not_matter(problem: Problem, rng: np.random.Generator) -> None:
    """Permuting the components changes nothing but their order, though the coordinates single out the last weight."""
    order = rng.permutation(problem.responsibilities.shape[1])
    swapped = problem.change(responsibilities=problem.responsibilities[:, order])
    ends = [
        em(one.model, one.x, one.start, sample_weight=one.weights, tol=0, max_iter=8, accelerate=QuasiNewton())
        for one in (problem, swapped)
    ]
    assert_allclose(ends[0].trace, ends[1].trace, rtol=1e-7)
