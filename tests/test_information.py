"""Information, rate and standard errors: three roads that agree, published numbers, and points that are refused."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from emlib import (
    Bernoulli,
    BernoulliParameters,
    Dirichlet,
    Gaussian,
    GaussianParameters,
    HiddenMarkov,
    HiddenMarkovParameters,
    InverseWishart,
    Mixture,
    MixtureParameters,
    NotAMaximum,
    Poisson,
    PoissonParameters,
    distance_to_limit,
    em,
    em_jacobian,
    information_at,
    observed_information,
)
from emlib.datasets import load_faithful, load_hasselblad
from emlib.metric import Diagonal
from emlib.models.linkage import Linkage, LinkageParameters
from emlib.models.missing import MissingGaussian
from emlib.natural import linearise, named_parameters
from tests.problems import KINDS, make_problem

Array = NDArray[np.float64]
METHODS = ("hessian", "map", "louis")

LINKAGE = np.array([[125.0, 18.0, 20.0, 34.0]])
LINKAGE_TOP = LinkageParameters((15 + np.sqrt(53809)) / 394)
FAITHFUL = load_faithful().data
WAITING = FAITHFUL[:, 1:]


def top(model: Any, x: Any, start: Any, weights: Any = None) -> Any:
    """Run EM until nothing moves any more, and return where."""
    for _ in range(20):
        before, start = start, em(model, x, start, sample_weight=weights, tol=0, max_iter=500).theta
        if np.abs(model.pack(start) - model.pack(before)).max() < 1e-13:
            break
    return start


@cache
def fitted(name: str) -> tuple[Any, Any, Any, Any]:
    """Return model, maximum, data and weights of an example."""
    if name == "linkage":
        return Linkage(), LINKAGE_TOP, LINKAGE, None
    if name == "hasselblad":
        counts, days = load_hasselblad().data.T
        start = MixtureParameters([0.36, 0.64], PoissonParameters([[1.2], [2.7]]))
        model: Any = Mixture(Poisson())
        return model, top(model, counts[:, None], start, days), counts[:, None], days
    x = WAITING if name == "waiting" else FAITHFUL
    model = Mixture(Gaussian("tied" if name == "tied" else "full"))
    r = np.eye(2)[(x[:, -1] > 68).astype(int)]
    return model, top(model, x, model.from_responsibilities(x, r)), x, None


def relative(a: Array, b: Array) -> float:
    """Return the largest difference of two information matrices, in units of the standard errors of b."""
    size = np.sqrt(np.diagonal(b))
    return float(np.abs((a - b) / np.outer(size, size)).max())


EXAMPLES = ("linkage", "hasselblad", "waiting", "full", "tied")


@pytest.mark.parametrize("name", EXAMPLES)
def test_three_roads_to_the_observed_information_agree(name: str) -> None:
    model, theta, x, weights = fitted(name)
    roads = [observed_information(model, theta, x, method=method, sample_weight=weights) for method in METHODS]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert relative(roads[one], roads[other]) < 1e-6
        errors = [np.sqrt(np.diagonal(np.linalg.inv(roads[k]))) for k in (one, other)]
        assert_allclose(*errors, rtol=1e-6)


@pytest.mark.parametrize("name", [name for name in KINDS if name != "user-geometric"])
def test_three_roads_agree_on_every_family(name: str) -> None:
    # One component of columns that differ: nothing is missing. Two that overlap: much is.
    problem = make_problem(name, 3, dim=2, n_components=1, weighted=True)
    theta = top(problem.model, problem.x, problem.start, problem.weights)
    info = information_at(problem.model, theta, problem.x, sample_weight=problem.weights)
    assert info.rate < 1e-6
    for method in METHODS:
        got = observed_information(problem.model, theta, problem.x, method=method, sample_weight=problem.weights)
        assert relative(got, info.complete) < 1e-6


@pytest.mark.parametrize(
    ("name", "seed"),
    [("gaussian-diag", 3), ("gaussian-tied_spherical", 6), ("poisson", 1), ("exponential", 3), ("user-geometric", 2)],
)
def test_three_roads_agree_with_two_components_and_weights(name: str, seed: int) -> None:
    problem = make_problem(name, seed, dim=2, n_components=2, weighted=True)
    theta = top(problem.model, problem.x, problem.start, problem.weights)
    first, *others = (
        observed_information(problem.model, theta, problem.x, method=method, sample_weight=problem.weights)
        for method in METHODS
    )
    assert np.abs(em_jacobian(problem.model, theta, problem.x, sample_weight=problem.weights)).max() > 1e-3
    for other in others:
        assert relative(other, first) < 1e-6


def test_three_roads_agree_with_priors() -> None:
    prior = InverseWishart(np.diag([0.1, 30.0]), dof=20)
    model = Mixture(Gaussian(prior=prior), weight_prior=Dirichlet(30.0))
    theta = top(model, FAITHFUL, fitted("full")[1])
    first, *others = (observed_information(model, theta, FAITHFUL, method=method) for method in METHODS)
    for other in others:
        assert relative(other, first) < 1e-6
    flat = information_at(*fitted("full")[:3])
    assert (np.diagonal(np.linalg.inv(first)) < np.diagonal(flat.covariance)).sum() >= 8  # a prior is information


def test_published_information_of_the_linkage_data() -> None:
    # Louis (1982); McLachlan and Krishnan, section 4.2.
    pi = LINKAGE_TOP.pi
    info = information_at(Linkage(), LINKAGE_TOP, LINKAGE)
    slope = pi * (1 - pi)  # of pi by its log odds
    by_pi = [float(part[0, 0]) / slope**2 for part in (info.complete, info.missing, info.observed)]
    assert_allclose(by_pi, [435.318, 57.801, 377.517], rtol=0, atol=6e-4)
    assert_allclose(info.estimates().standard_errors, [0.051467], rtol=0, atol=6e-7)
    assert_allclose(info.rate, 0.132779, rtol=0, atol=6e-7)
    exact = 125 / (2 + pi) ** 2 + 38 / (1 - pi) ** 2 + 34 / pi**2
    assert_allclose(by_pi[2], exact, rtol=1e-8)


def test_eigenvalues_at_hasselblads_maximum() -> None:
    # 30-digit arithmetic: 0, 0.720418154572900703, 0.995666223226077629
    model, theta, x, days = fitted("hasselblad")
    info = information_at(model, theta, x, sample_weight=days)
    assert_allclose(info.fractions, [0, 0.720418154572900703, 0.995666223226077629], rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_measured_rate_is_the_spectral_radius(name: str) -> None:
    model, theta, x, weights = fitted(name)
    rate = information_at(model, theta, x, sample_weight=weights).rate
    vector = model.pack(theta)
    start = model.unpack(vector + 1e-2, theta)
    seen: list[Any] = []
    em(model, x, start, sample_weight=weights, tol=0, max_iter=1500, callback=lambda it: seen.append(it.theta))
    errors = np.array([np.linalg.norm(model.pack(one) - vector) for one in seen])
    last = int(np.flatnonzero(errors > 1e-9)[-1])
    first = 2 * last // 3
    measured = (errors[last] / errors[first]) ** (1 / (last - first))
    assert_allclose(measured, rate, rtol=0, atol=5e-4)


def test_information_adds_up_over_experiments() -> None:
    # Rows of different counts of class 1: the hidden number of one row is impossible in the other.
    halves = np.array([[100.0, 10.0, 15.0, 24.0], [25.0, 8.0, 5.0, 10.0]])
    assert_array_equal(halves.sum(axis=0), LINKAGE[0])
    for method in METHODS:
        both = observed_information(Linkage(), LINKAGE_TOP, halves, method=method)
        assert_allclose(both, observed_information(Linkage(), LINKAGE_TOP, LINKAGE), rtol=1e-7)


def test_weights_count_as_repetitions() -> None:
    model, theta, x, days = fitted("hasselblad")
    repeated = np.repeat(x, days.astype(int), axis=0)
    weighted, counted = information_at(model, theta, x, sample_weight=days), information_at(model, theta, repeated)
    assert relative(weighted.observed, counted.observed) < 1e-7
    assert relative(weighted.complete, counted.complete) < 1e-7


def test_standard_errors_of_one_gaussian_are_those_of_the_textbook() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal([3.0, -1.0], [2.0, 0.5], (50, 2))
    model = Mixture(Gaussian("diag"))
    theta = model.from_responsibilities(x, np.ones((50, 1)))
    shown = information_at(model, theta, x).estimates(level=0.9)
    variances = x.var(axis=0)
    expected = {
        "weights[0]": 0.0,
        "components.means[0, 0]": np.sqrt(variances[0] / 50),
        "components.means[0, 1]": np.sqrt(variances[1] / 50),
        "components.covariances[0, 0]": variances[0] * np.sqrt(2 / 50),
        "components.covariances[0, 1]": variances[1] * np.sqrt(2 / 50),
    }
    assert shown.names == tuple(expected)
    assert_allclose(shown.standard_errors, list(expected.values()), rtol=1e-7, atol=1e-12)
    assert_allclose(shown.upper - shown.values, 1.6448536269514722 * shown.standard_errors)
    assert_allclose(shown.values - shown.lower, shown.upper - shown.values)
    lines = str(shown).splitlines()
    assert "90% interval" in lines[0]
    assert len(lines) == 6


def test_mirror_images_in_a_symmetric_matrix_are_listed_once() -> None:
    names = information_at(*fitted("full")[:3]).estimates().names
    assert "components.covariances[1, 0, 1]" in names
    assert "components.covariances[1, 1, 0]" not in names
    assert len(names) == 2 + 4 + 6


def test_equal_values_that_may_differ_are_all_listed() -> None:
    # Two columns with the same data have the same means, but these are two parameters.
    x = np.repeat(WAITING[:40], 2, axis=1) + np.random.default_rng(0).normal(0, [[1.0, 1.0]], (40, 2)) * [[1, 0]]
    model = Mixture(Gaussian("diag"))
    theta = model.from_responsibilities(x, np.ones((40, 1)))
    same = replace(theta, components=GaussianParameters([[1.0, 1.0]], [[2.0, 2.0]], "diag"))
    linear = linearise(lambda u: model.unpack(u, same), model.pack(same), np.full(4, 0.1))
    assert len(linear.names) == 5


def test_functions_of_the_parameters_get_standard_errors() -> None:
    info = information_at(*fitted("waiting")[:3])

    def gap(theta: Any) -> dict[str, float]:
        means = theta.components.means[:, 0]
        return {"gap": means[1] - means[0], "odds": theta.weights[0] / theta.weights[1]}

    shown = info.estimates(gap)
    plain = info.estimates()
    weight = plain.values[0]
    assert_allclose(shown.standard_errors[1], plain.standard_errors[0] / (1 - weight) ** 2, rtol=1e-6)
    assert 0 < shown.standard_errors[0] < plain.standard_errors[2] + plain.standard_errors[3]
    with pytest.raises(TypeError, match="must return a dict"):
        info.estimates(lambda theta: theta.weights)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        info.estimates(level=95)


def test_the_distance_bound_holds_where_a_small_step_deceives() -> None:
    model, theta, x, days = fitted("hasselblad")
    seen: list[Any] = []
    start = MixtureParameters([0.3, 0.7], PoissonParameters([[1.0], [2.5]]))
    em(model, x, start, sample_weight=days, tol=0, max_iter=3000, callback=lambda it: seen.append(it))
    moved = [np.linalg.norm(model.pack(b.theta) - model.pack(a.theta)) for a, b in pairwise(seen)]
    top_value = seen[-1].log_likelihood
    for k in (int(np.argmax(np.array(moved) < size)) for size in (1e-4, 1e-5, 1e-6)):
        at, bound = seen[k], distance_to_limit(model, seen[k].theta, x, sample_weight=days)
        reach = bound.parameters()
        errors = {
            "weights[0]": at.theta.weights[0] - theta.weights[0],
            "components.rates[0, 0]": at.theta.components.rates[0, 0] - theta.components.rates[0, 0],
        }
        for name, error in errors.items():
            assert 0.3 * reach[name] < abs(error) <= 1.01 * reach[name]
        assert abs(errors["weights[0]"]) > 50 * abs(seen[k + 1].theta.weights[0] - at.theta.weights[0])
        assert 0.9 * bound.nats < top_value - at.log_likelihood < 1.05 * bound.nats + 1e-10
        assert_allclose(bound.rate, 0.9957, rtol=0, atol=2e-4)


def test_the_distance_is_unknown_where_em_does_not_approach() -> None:
    model, theta, x = saddle()
    bound = distance_to_limit(model, theta, x)
    assert bound.rate > 1
    assert bound.radius == bound.nats == np.inf


def saddle() -> tuple[Any, Any, Array]:
    """Return two equal components with weights held, on data with long tails: EM makes their variances differ."""
    x = np.array([[-2.0], *[[0.0]] * 6, [2.0]])
    return Halves(), np.zeros(1), x


class Halves:
    """An equal mixture of N(0, e^u) and N(0, 2 - e^u), one parameter u: it has a saddle, or top, at u = 0."""

    def e_step(self, theta: Array, x: Array) -> tuple[Array, float]:
        joint = self.log_joint(theta, x)
        shift = joint.max(axis=1, keepdims=True)
        density = np.exp(joint - shift).sum(axis=1, keepdims=True)
        r = np.exp(joint - shift) / density
        sums = np.concatenate([r.sum(axis=0), r.T @ x[:, 0] ** 2])
        return sums, float((np.log(density) + shift).sum())

    def m_step(self, stats: Array) -> Array:
        from scipy.optimize import minimize_scalar

        masses, squares = stats[:2], stats[2:]

        def loss(u: float) -> float:
            variances = np.array([np.exp(u), 2 - np.exp(u)])
            return float((masses * np.log(variances) + squares / variances).sum())

        return np.array([minimize_scalar(loss, bracket=(-0.1, 0.1), tol=1e-14).x])

    def log_joint(self, theta: Array, x: Array) -> Array:
        variances = np.array([np.exp(theta[0]), 2 - np.exp(theta[0])])
        if variances[1] <= 0:
            raise ValueError("negative variance")
        return -0.5 * (np.log(8 * np.pi * variances) + x**2 / variances)

    def pack(self, theta: Array) -> Array:
        return theta

    def unpack(self, vector: Array, like: Array) -> Array:
        del like
        return vector


def test_a_saddle_is_refused_and_its_direction_named() -> None:
    with pytest.raises(NotAMaximum, match="saddle: EM moves away") as caught:
        information_at(*saddle())
    assert list(caught.value.direction) == ["theta[0]"]


def test_a_ridge_is_refused_and_its_direction_named() -> None:
    # Two Bernoulli components of one column: only the mean of the mixture is identified.
    x = (np.arange(10)[:, None] < 4).astype(float)
    model = Mixture(Bernoulli())
    theta = top(model, x, MixtureParameters([0.5, 0.5], BernoulliParameters([[0.3], [0.6]])))
    with pytest.raises(NotAMaximum, match="singular: the data do not tell") as caught:
        information_at(model, theta, x)
    moved = caught.value.direction
    assert any(name.startswith("components.probabilities") for name in moved)
    assert "The direction changes" in str(caught.value)


def test_a_point_on_the_way_is_refused() -> None:
    model, theta, x, _ = fitted("waiting")
    early = em(model, x, model.unpack(model.pack(theta) + 0.1, theta), tol=0, max_iter=3).theta
    for ask in (information_at, observed_information):
        with pytest.raises(NotAMaximum, match=r"still rises\. Run em with a smaller tol") as caught:
            ask(model, early, x)
        assert caught.value.direction


def test_a_point_near_the_top_of_a_flat_likelihood_is_refused() -> None:
    model, theta, x, days = fitted("hasselblad")
    along = np.linalg.eigh(observed_information(model, theta, x, sample_weight=days))[1][:, 0]
    off = model.unpack(model.pack(theta) + 0.02 * along, theta)
    with pytest.raises(NotAMaximum, match="standard errors from where EM is heading"):
        information_at(model, off, x, sample_weight=days)


def test_a_weight_of_zero_is_refused() -> None:
    model = Mixture(Poisson())
    theta = MixtureParameters([0.0, 1.0], PoissonParameters([[1.0], [2.0]]))
    for ask in (information_at, em_jacobian, distance_to_limit):
        with pytest.raises(NotAMaximum, match="on the boundary"):
            ask(model, theta, np.array([[1.0], [3.0]]))


def test_a_probability_next_to_zero_is_refused() -> None:
    # The second component says "always 1", to rounding: its log odds are 36 and mean nothing.
    x = np.repeat([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]], [7, 4, 3], axis=0)
    theta = MixtureParameters([0.5, 0.5], BernoulliParameters([[0.3, 0.6], [1 - 2e-16, 0.7]]))
    with pytest.raises(NotAMaximum, match="or so near that floating point does not tell"):
        em_jacobian(Mixture(Bernoulli()), theta, x)


def test_a_way_to_the_boundary_is_refused() -> None:
    # A geometric component whose probability goes to 1 ever more slowly; its log odds have no limit.
    problem = make_problem("user-geometric", 7, dim=2, n_components=2, weighted=True)
    theta = top(problem.model, problem.x, problem.start, problem.weights)
    with pytest.raises(NotAMaximum, match="EM is on its way to the boundary") as caught:
        information_at(problem.model, theta, problem.x, sample_weight=problem.weights)
    assert next(iter(caught.value.direction)) == "components[1][0]"


def test_a_covariance_floor_that_binds_is_refused() -> None:
    model = Mixture(Gaussian(covariance_floor=40.0))
    r = np.eye(2)[(WAITING[:, 0] > 68).astype(int)]
    theta = em(model, WAITING, model.from_responsibilities(WAITING, r)).theta  # as far as a user would go
    with pytest.raises(NotAMaximum, match="a constraint, such as covariance_floor, holds it") as caught:
        information_at(model, theta, WAITING)
    assert any("covariances" in name for name in caught.value.direction)


def test_a_floor_that_does_not_bind_changes_nothing() -> None:
    model, theta, x, _ = fitted("waiting")
    free, floored = information_at(model, theta, x), information_at(Mixture(Gaussian(covariance_floor=1.0)), theta, x)
    assert_array_equal(free.observed, floored.observed)


class LazyMixture(Mixture[Any, Any]):
    """A planted bug: means move by half of what the M-step says. Its fixed points are the right ones."""

    def m_step(self, stats: Any) -> Any:
        theta = super().m_step(stats)
        old = stats.components.reference
        components = replace(theta.components, means=(theta.components.means + old) / 2)
        return replace(theta, components=components)


def test_an_m_step_that_does_not_maximise_q_is_found_out() -> None:
    _, theta, x, _ = fitted("waiting")
    with pytest.raises(ArithmeticError, match="check that m_step maximises Q"):
        information_at(LazyMixture(Gaussian()), theta, x)


class Without:
    """A model with some of its methods taken away, or another in their place."""

    def __init__(self, model: Any, *hidden: str, **more: Any) -> None:
        self._model, self._hidden = model, hidden
        for name, value in more.items():
            setattr(self, name, value)

    def __getattr__(self, name: str) -> Any:
        if name in self._hidden:
            raise AttributeError(f"no {name}")
        return getattr(self._model, name)


def test_without_log_joint_the_complete_information_is_implied() -> None:
    model, theta, x, _ = fitted("waiting")
    bare: Any = Without(model, "log_joint", "complete_information")
    assert relative(information_at(bare, theta, x).complete, information_at(model, theta, x).complete) < 1e-6
    near = model.unpack(model.pack(theta) + 1e-4, theta)
    assert_allclose(distance_to_limit(bare, near, x).nats, distance_to_limit(model, near, x).nats, rtol=1e-2)
    for method in ("map", "louis"):
        with pytest.raises(TypeError, match="offers neither log_joint"):
            observed_information(bare, theta, x, method=method)


def test_a_models_own_complete_information_is_used() -> None:
    def complete(theta: LinkageParameters, stats: Any) -> Diagonal:
        return Diagonal(np.array([(stats.for_pi + stats.against_pi) * theta.pi * (1 - theta.pi)]))

    model: Any = Without(Linkage(), "log_joint", complete_information=complete)
    by_map = observed_information(model, LINKAGE_TOP, LINKAGE, method="map")
    assert_allclose(by_map, observed_information(Linkage(), LINKAGE_TOP, LINKAGE), rtol=1e-8)
    with pytest.raises(TypeError, match="has no log_joint"):
        observed_information(model, LINKAGE_TOP, LINKAGE, method="louis")


def test_missing_entries_are_missing_information() -> None:
    rng = np.random.default_rng(5)
    x = FAITHFUL[:80].copy()
    x[rng.random(80) < 0.4, 1] = np.nan
    model = MissingGaussian()
    theta = top(model, x, model.start(x))
    info = information_at(model, theta, x)
    by_map = observed_information(model, theta, x, method="map")
    assert relative(by_map, info.observed) < 1e-6
    assert info.rate > 0.3
    with pytest.raises(TypeError, match="over all that is hidden"):
        observed_information(model, theta, x, method="louis")
    # A monotone pattern: the column that is always there has the errors of a complete column.
    shown = info.estimates()
    error = shown.standard_errors[shown.names.index("components.means[0, 0]")]
    assert_allclose(error, x[:, 0].std() / np.sqrt(80), rtol=1e-6)


def test_a_hidden_markov_model_needs_nothing_but_the_protocol() -> None:
    truth = HiddenMarkovParameters(
        np.array([0.4, 0.6]), np.array([[0.8, 0.2], [0.3, 0.7]]), PoissonParameters([[1.0], [6.0]])
    )
    model = HiddenMarkov(Poisson())
    rng = np.random.default_rng(8)
    sequences, _ = model.sample(truth, [15] * 12, rng)
    theta = top(model, sequences, truth)
    info = information_at(model, theta, sequences)
    assert_allclose(info.complete, info.complete.T)
    assert np.linalg.eigvalsh(info.missing)[0] > -1e-6 * np.linalg.eigvalsh(info.complete)[-1]
    shown = info.estimates()
    assert {"initial[0]", "transitions[0, 1]", "emissions.rates[1, 0]"} <= set(shown.names)
    near = np.abs(shown.values - [named_parameters(truth)[name] for name in shown.names])
    assert (near < 4 * shown.standard_errors).all()


@pytest.mark.parametrize("name", ["hasselblad", "full", "tied"])
def test_the_hessian_of_q_is_the_metric_of_the_accelerators(name: str) -> None:
    model, theta, x, weights = fitted(name)
    by_q = information_at(model, theta, x, sample_weight=weights).complete
    bare: Any = Without(model, "log_joint")
    assert relative(information_at(bare, theta, x, sample_weight=weights).complete, by_q) < 1e-6


def test_what_cannot_be_asked() -> None:
    model, theta, x, _ = fitted("waiting")
    with pytest.raises(ValueError, match="method must be one of hessian, map, louis"):
        observed_information(model, theta, x, method="fisher")
    bare: Any = Without(model, "pack")
    with pytest.raises(TypeError, match="cannot be packed"):
        information_at(bare, theta, x)
