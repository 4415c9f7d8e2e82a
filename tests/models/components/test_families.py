"""The component families one by one: samples, edges of the parameter space, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emlib import (
    Bernoulli,
    BernoulliParameters,
    Binomial,
    Categorical,
    CategoricalParameters,
    DegenerateComponent,
    Exponential,
    ExponentialParameters,
    Mixture,
    MixtureParameters,
    Poisson,
    PoissonParameters,
    Status,
    em,
)
from emlib.models.components.separate import Separate, as_family
from tests.problems import KINDS, Geometric, make_problem

DISCRETE = ("poisson", "bernoulli", "binomial", "categorical", "exponential", "user-geometric")


# --- samples --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DISCRETE)
def test_samples_have_the_moments_of_the_mixture(name: str) -> None:
    """The sample means of the sufficient statistic are within five standard errors of their expectation."""
    problem = make_problem(name, 3, dim=2, n_components=3)
    theta, n = problem.start, 20_000
    x, labels = problem.model.sample(theta, n, np.random.default_rng(0))
    problem.model.prepare(x)  # inside the support
    assert x.shape == (n, 2)
    zero = np.zeros(2)
    for m, weight in enumerate(theta.weights):
        own = problem.kind.statistic(x[labels == m], zero)
        assert abs(len(own) / n - weight) < 5 * np.sqrt(weight * (1 - weight) / n)
        errors = np.abs(own.mean(axis=0) - problem.kind.moment(theta.components, m, zero))
        assert (errors < 5 * own.std(axis=0) / np.sqrt(len(own))).all()


@pytest.mark.parametrize("name", KINDS)
def test_a_fit_finds_the_mixture_it_was_sampled_from(name: str) -> None:
    """With 4000 rows the fit is at least as likely as the truth, and not much more: chi-squared in expectation."""
    problem = make_problem(name, 8, dim=2, n_components=2)
    theta = problem.start
    x, _ = problem.model.sample(theta, 4000, np.random.default_rng(1))
    result = em(problem.model, x, theta, tol=1e-3, max_iter=400)
    truth = problem.model.log_likelihood(theta, x)
    assert result.log_likelihood >= truth
    assert result.log_likelihood - truth < 3 * (1 + problem.kind.n_free(2, 2))


def test_a_family_without_sample_says_so() -> None:
    class NoSample(Poisson):
        sample: Any = None

    theta = MixtureParameters([1.0], PoissonParameters([[1.0]]))
    with pytest.raises(TypeError, match=r"NoSample has no sample\(theta, labels, rng\)"):
        Mixture(NoSample()).sample(theta, 2, np.random.default_rng(0))


# --- support --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "value", "message"),
    [
        (Poisson(), -1, "Poisson data must be whole numbers from 0; row 1, column 1 is -1"),
        (Poisson(), 0.5, r"Poisson data must be whole numbers from 0; row 1, column 1 is 0\.5"),
        (Bernoulli(), 2, "Bernoulli data must be 0 or 1; row 1, column 1 is 2"),
        (Binomial(4), 5, "binomial data must be whole numbers from 0 to 4; row 1, column 1 is 5"),
        (Binomial(4), -1, "row 1, column 1 is -1"),
        (Binomial(4), 2.5, r"row 1, column 1 is 2\.5"),
        (Categorical(3), 3, "categorical data must be whole numbers from 0 to 2; row 1, column 1 is 3"),
        (Categorical(3), -1, "row 1, column 1 is -1"),
        (Categorical(3), 1.5, r"row 1, column 1 is 1\.5"),
        (Exponential(), -0.1, r"exponential data must be at least 0; row 1, column 1 is -0\.1"),
    ],
)
def test_data_outside_the_support_are_named(family: Any, value: float, message: str) -> None:
    data = np.zeros((3, 2))
    data[1, 1] = value
    with pytest.raises(ValueError, match=message):
        Mixture(family).prepare(data)


PARAMETERS = [
    (PoissonParameters, [[-1.0]], "rates must be finite, not negative"),
    (PoissonParameters, [[np.inf]], "rates must be finite"),
    (PoissonParameters, [1.0], "of shape"),
    (ExponentialParameters, [[0.0]], "rates must be finite, positive"),
    (ExponentialParameters, [[np.nan]], "rates must be finite, positive"),
    (ExponentialParameters, 1.0, "of shape"),
    (BernoulliParameters, [[1.1]], r"must be in \[0, 1\]"),
    (BernoulliParameters, [[np.nan]], r"must be in \[0, 1\]"),
    (BernoulliParameters, [0.5], "of shape"),
    (CategoricalParameters, [[[0.5, 0.6]]], "sum to 1 over the last axis"),
    (CategoricalParameters, [[[1.5, -0.5]]], "must be >= 0"),
    (CategoricalParameters, [[0.5, 0.5]], r"got shape \(1, 2\)"),
]


@pytest.mark.parametrize(("kind", "values", "message"), PARAMETERS)
def test_impossible_parameters_are_refused(kind: Any, values: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(values)


@pytest.mark.parametrize("n_categories", [1, 0, -2, 2.5])
def test_impossible_numbers_of_categories(n_categories: Any) -> None:
    with pytest.raises(ValueError, match=f"n_categories must be .*at least 2, got {n_categories}"):
        Categorical(n_categories)


@pytest.mark.parametrize("n_trials", [0, -2, 2.5])
def test_impossible_numbers_of_trials(n_trials: Any) -> None:
    with pytest.raises(ValueError, match=f"n_trials must be .*at least 1, got {n_trials}"):
        Binomial(n_trials)


def test_parameters_are_copies_that_cannot_be_written_to() -> None:
    mine = np.array([[1.0, 2.0]])
    theta = PoissonParameters(mine)
    mine[0, 0] = 5
    assert theta.rates[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        theta.rates[0, 0] = 5


COLUMNS = {
    "poisson": (Poisson(), PoissonParameters([[1.0, 2, 3]])),
    "bernoulli": (Bernoulli(), BernoulliParameters([[0.1, 0.2, 0.3]])),
    "binomial": (Binomial(4), BernoulliParameters([[0.1, 0.2, 0.3]])),
    "exponential": (Exponential(), ExponentialParameters([[1.0, 2, 3]])),
    "categorical": (Categorical(2), CategoricalParameters(np.full((1, 3, 2), 0.5))),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_data_and_parameters_must_have_the_same_columns(name: str) -> None:
    family, components = COLUMNS[name]
    with pytest.raises(ValueError, match="the data have 2 columns, the parameters 3"):
        Mixture(family).log_density(MixtureParameters([1.0], components), np.zeros((4, 2)))


def test_categories_and_columns_are_not_confused() -> None:
    """Three columns of two categories have as many numbers as two columns of three."""
    theta = MixtureParameters([1.0], CategoricalParameters(np.full((1, 3, 2), 0.5)))
    with pytest.raises(ValueError, match=r"columns|categories"):
        Mixture(Categorical(3)).log_density(theta, np.zeros((4, 2)))


def test_another_number_of_categories() -> None:
    theta = MixtureParameters([1.0], CategoricalParameters(np.full((1, 2, 4), 0.25)))
    with pytest.raises(ValueError, match="the parameters have 4 categories, the family 3"):
        Mixture(Categorical(3)).log_density(theta, np.zeros((4, 2)))


# --- edges of the parameter space -----------------------------------------------------------------------------


def test_rates_of_zero_are_allowed() -> None:
    x = np.array([[0.0, 1], [0, 3]])
    theta = Mixture(Poisson()).from_responsibilities(x, np.ones((2, 1)))
    assert_array_equal(theta.components.rates, [[0, 2]])
    assert_allclose(Mixture(Poisson()).log_density(theta, x), np.log([2 * np.exp(-2), 8 / 6 * np.exp(-2)]))
    assert Mixture(Poisson()).log_joint(theta, np.array([[1.0, 0]])).tolist() == [[-np.inf]]
    assert em(Mixture(Poisson()), x, theta).status is Status.CONVERGED


def test_a_component_may_exclude_rows_that_another_allows() -> None:
    theta = MixtureParameters([0.5, 0.5], BernoulliParameters([[0.0], [0.5]]))
    model, x = Mixture(Bernoulli()), np.array([[0.0], [1.0]])
    assert_allclose(model.responsibilities(theta, x), [[2 / 3, 1 / 3], [0, 1]])
    assert_allclose(model.log_density(theta, x), np.log([0.75, 0.25]))
    with pytest.raises(ValueError, match="row 1 has log density -inf under the mixture: no component allows it"):
        model.responsibilities(MixtureParameters([1.0], BernoulliParameters([[0.0]])), x)


def test_certain_bernoulli_columns_stay_probabilities() -> None:
    """A weighted mean of ones can round to more than one; 200 random weightings must not."""
    rng = np.random.default_rng(0)
    x = np.ones((37, 1))
    for _ in range(200):
        theta = Mixture(Bernoulli()).from_responsibilities(x, rng.dirichlet(np.ones(3), 37), rng.uniform(0.1, 3, 37))
        assert (theta.components.probabilities <= 1).all()


def test_one_trial_is_a_bernoulli_trial() -> None:
    x, theta = np.array([[0.0, 1], [1, 1], [0, 0]]), BernoulliParameters([[0.2, 0.7], [0.0, 0.5]])
    assert_allclose(Binomial(1).log_prob(theta, x), Bernoulli().log_prob(theta, x), rtol=1e-14)


def test_certain_successes_are_allowed_and_large_numbers_of_trials_do_not_overflow() -> None:
    x = np.array([[100_000.0], [0.0], [50_000.0]])
    theta = MixtureParameters([0.3, 0.3, 0.4], BernoulliParameters([[1.0], [0.0], [0.5]]))
    model = Mixture(Binomial(100_000))
    assert_allclose(model.responsibilities(theta, x), np.eye(3), atol=1e-15)
    assert em(model, x, theta).status is Status.CONVERGED


def test_exponential_of_zeros_collapses() -> None:
    theta = MixtureParameters([0.5, 0.5], ExponentialParameters([[1.0], [50.0]]))
    result = em(Mixture(Exponential()), np.zeros((5, 1)), theta)
    assert result.status is Status.DEGENERATE
    assert "component 0 collapsed onto rows that are zero: its rate is infinite" in result.message


@pytest.mark.parametrize("name", ["poisson", "bernoulli", "binomial", "categorical", "exponential", "gaussian-full"])
def test_a_component_without_rows_is_named(name: str) -> None:
    problem = make_problem(name, 0, dim=2, n_components=2)
    ones = np.tile([1.0, 0.0], (len(problem.x), 1))
    with pytest.raises(DegenerateComponent, match="component 1 lost its data") as caught:
        problem.model.from_responsibilities(problem.x, ones)
    assert caught.value.component == 1


def test_a_weight_of_zero_ends_degenerate_not_nan() -> None:
    """Errata B4: x = (0, 1, 5), alpha = (1, 0); the printed update divides 0 by 0."""
    theta = MixtureParameters([1.0, 0.0], PoissonParameters([[1.0], [2.0]]))
    model, x = Mixture(Poisson()), np.array([[0.0], [1.0], [5.0]])
    assert_array_equal(model.responsibilities(theta, x), np.tile([1.0, 0.0], (3, 1)))
    result = em(model, x, theta)
    assert result.status is Status.DEGENERATE
    assert result.message.startswith("component 1 lost its data")
    assert "row" not in result.message  # it sits on none


def test_frequencies_of_one_class() -> None:
    x = np.array([[0, 1], [0, 2], [1, 2], [0, 2.0]])
    model = Mixture(Categorical(3))
    theta = model.from_responsibilities(x, np.ones((4, 1)))
    assert_allclose(theta.components.probabilities, [[[0.75, 0.25, 0], [0, 0.25, 0.75]]])
    assert_allclose(model.log_likelihood(theta, x), 6 * np.log(0.75) + 2 * np.log(0.25))


def test_a_category_that_never_occurs_cannot_be_unpacked() -> None:
    model = Mixture(Categorical(3))
    theta = model.from_responsibilities(np.array([[0.0], [1.0]]), np.ones((2, 1)))
    with pytest.raises(ValueError, match="probability of 0 cannot be unpacked"):
        model.unpack(model.pack(theta), theta)


def test_a_weight_of_zero_cannot_be_unpacked() -> None:
    theta = MixtureParameters([1.0, 0.0], PoissonParameters([[1.0], [2.0]]))
    with pytest.raises(ValueError, match="weight of 0 cannot be unpacked"):
        Mixture(Poisson()).unpack(Mixture(Poisson()).pack(theta), theta)


def test_unpacking_far_coordinates_does_not_overflow() -> None:
    model, like = Mixture(Poisson()), MixtureParameters([0.2, 0.3, 0.5], PoissonParameters([[1.0], [2.0], [3.0]]))
    theta = model.unpack(np.array([800.0, -800.0, 0.0, 0.0, 0.0]), like)
    assert_allclose(theta.weights, [1, 0, 0], atol=1e-300)
    classes = CategoricalParameters([[[0.2, 0.3, 0.5]]])
    assert_allclose(Categorical(3).unpack(np.array([800.0, -800.0]), classes).probabilities, [[[1, 0, 0]]], atol=1e-300)


# --- components of one's own ----------------------------------------------------------------------------------


def test_a_weighted_fit_is_wrapped() -> None:
    assert isinstance(as_family(Geometric()), Separate)
    family = Poisson()
    assert as_family(family) is family


@pytest.mark.parametrize(
    ("methods", "has"),
    [((), "none of them"), (("log_prob",), "log_prob"), (("fit", "statistics"), "statistics, fit")],
)
def test_what_a_family_lacks_is_named(methods: tuple[str, ...], has: str) -> None:
    incomplete = type("Mine", (), dict.fromkeys(methods, lambda *_: None))()
    with pytest.raises(TypeError, match=f"Mine is no component family: it needs log_prob and .*it has {has}"):
        Mixture(incomplete)


def test_a_log_prob_of_the_wrong_shape_is_named() -> None:
    class Wrong(Geometric):
        def log_prob(self, p: Any, x: Any) -> Any:
            return super().log_prob(p, x)[:, None]

    theta = MixtureParameters([1.0], (np.array([0.5]),))
    with pytest.raises(ValueError, match=r"Wrong\.log_prob must return shape \(3,\) for 3 rows, got \(3, 1\)"):
        Mixture(Wrong()).log_density(theta, np.zeros((3, 1)))


def test_a_component_of_ones_own_may_check_its_data() -> None:
    class Checks(Geometric):
        def check(self, x: Any) -> None:
            if (x < 0).any():
                raise ValueError("no negative counts please")

    with pytest.raises(ValueError, match="no negative counts please"):
        Mixture(Checks()).prepare([[-1.0]])
    assert Mixture(Checks()).prepare([[1.0]]).x.shape == (1, 1)
    assert Mixture(Geometric()).prepare([[-1.0]]).x.shape == (1, 1)


def test_component_without_pack_or_sample_still_fits() -> None:
    class Least:
        """A point mass smeared over the line: a Laplace density about a weighted median, scale one."""

        def log_prob(self, center: float, x: Any) -> Any:
            return -np.abs(x[:, 0] - center) - np.log(2)

        def fit(self, x: Any, weights: Any) -> float:
            order = np.argsort(x[:, 0])
            share = np.cumsum(weights[order]) / weights.sum()
            return float(x[order[np.searchsorted(share, 0.5)], 0])

    rng = np.random.default_rng(0)
    x = np.concatenate([rng.laplace(0, 1, (60, 1)), rng.laplace(9, 1, (40, 1))])
    result = em(Mixture(Least()), x, MixtureParameters([0.5, 0.5], (1.0, 5.0)))
    assert result.status is Status.CONVERGED
    assert (np.diff(result.trace) >= -1e-12).all()
    assert_allclose(result.theta.components, [0, 9], atol=0.6)
    with pytest.raises(AttributeError, match="pack"):
        Mixture(Least()).pack(result.theta)
