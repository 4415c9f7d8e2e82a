"""GaussianMixture: scikit-learn's conventions, agreement with scikit-learn, bad input, restarts."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import emlib.estimators
from emlib import (
    ConvergenceWarning,
    DegenerateFitWarning,
    Gaussian,
    GaussianMixture,
    LikelihoodDecreased,
    Mixture,
    NotFittedError,
    Status,
)
from tests import invariants
from tests.problems import GAUSSIAN_TYPES, Array, make_problem

X = invariants.three_clusters()
SKLEARN_TYPES = ("full", "tied", "diag", "spherical")


# --- scikit-learn ---------------------------------------------------------------------------------------------


def checks_of_sklearn(estimator: Any) -> dict[str, set[str]]:
    """Return the names of scikit-learn's checks by their outcome."""
    from sklearn.utils.estimator_checks import check_estimator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its checks fit degenerate and unconverged data on purpose
        results = check_estimator(estimator, on_skip=None, on_fail=None)
    outcomes: dict[str, set[str]] = {}
    for one in results:
        outcomes.setdefault(one["status"], set()).add(one["check_name"])
    return outcomes


def test_check_estimator() -> None:
    """Every check passes; skipped is what scikit-learn skips for its own mixture (its array API is switched off)."""
    from sklearn.mixture import GaussianMixture as Twin

    mine, theirs = checks_of_sklearn(GaussianMixture(random_state=0)), checks_of_sklearn(Twin(random_state=0))
    assert mine.keys() == {"passed", "skipped"}
    assert len(mine["passed"]) > 30
    assert mine["skipped"] == theirs["skipped"] == {"check_array_api_input"}


def sklearn_twin(covariance_type: str, start: Any, n_iter: int) -> Any:
    from sklearn.mixture import GaussianMixture as Twin

    covariances = start.components.covariances
    precisions = np.linalg.inv(covariances) if covariance_type in ("full", "tied") else 1 / covariances
    return Twin(
        len(start.weights),
        covariance_type=covariance_type,
        tol=0,
        reg_covar=0,
        max_iter=n_iter,
        weights_init=start.weights,
        means_init=start.components.means,
        precisions_init=precisions,
    )


@pytest.mark.parametrize("covariance_type", SKLEARN_TYPES)
@pytest.mark.parametrize("seed", range(5))
def test_same_iterates_as_scikit_learn(covariance_type: str, seed: int) -> None:
    problem = make_problem(f"gaussian-{covariance_type}", seed, dim=2, n_components=3, weighted=False)
    start = problem.start
    mine = GaussianMixture(
        3,
        covariance_type=covariance_type,
        tol=0,
        max_iter=15,
        weights_init=start.weights,
        means_init=start.components.means,
        covariances_init=start.components.covariances,
    ).fit(problem.x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn says that 15 iterations with tol=0 did not converge
        theirs = sklearn_twin(covariance_type, start, 15).fit(problem.x)
    assert mine.n_iter_ == theirs.n_iter_ == 15
    assert_allclose(mine.weights_, theirs.weights_, atol=1e-7)
    assert_allclose(mine.means_, theirs.means_, atol=1e-7)
    assert_allclose(mine.covariances_, theirs.covariances_, atol=1e-7)
    assert_allclose(mine.score_samples(X), theirs.score_samples(X), rtol=1e-7)
    assert_allclose(mine.predict_proba(X), theirs.predict_proba(X), atol=1e-7)
    assert_allclose(mine.score(problem.x), theirs.score(problem.x), rtol=1e-9)
    assert_allclose(mine.bic(problem.x), theirs.bic(problem.x), rtol=1e-9)
    assert_allclose(mine.aic(problem.x), theirs.aic(problem.x), rtol=1e-9)


def test_clone_and_search_of_scikit_learn() -> None:
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV, KFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    mixture = GaussianMixture(2, covariance_type="diag", tol=1e-4, means_init=np.zeros((2, 2)))
    copied = clone(mixture)
    assert copied.get_params().keys() == mixture.get_params().keys()
    assert_array_equal(copied.means_init, mixture.means_init)
    assert "theta_" not in vars(copied)
    folds = KFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(GaussianMixture(random_state=0, tol=1e-4), {"n_components": [1, 3]}, cv=folds).fit(X)
    assert search.best_params_ == {"n_components": 3}
    labels = make_pipeline(StandardScaler(), GaussianMixture(3, random_state=0)).fit(X).predict(X)
    assert set(labels) == {0, 1, 2}


# --- options --------------------------------------------------------------------------------------------------


def test_get_and_set_params() -> None:
    mixture = GaussianMixture(2, tol=1e-5)
    assert mixture.get_params()["tol"] == 1e-5
    assert mixture.set_params(n_components=4, tol=1e-3) is mixture
    assert (mixture.n_components, mixture.tol) == (4, 1e-3)
    before = mixture.get_params()
    with pytest.raises(ValueError, match=r"GaussianMixture has no option 'n_component'; it has n_components, .*tol"):
        mixture.set_params(tol=1.0, n_component=3)
    assert mixture.get_params() == before
    assert GaussianMixture(**before).get_params() == before


def test_repr_shows_what_was_changed() -> None:
    assert repr(GaussianMixture()) == "GaussianMixture()"
    assert repr(GaussianMixture(3, covariance_type="tied", random_state=0)) == (
        "GaussianMixture(n_components=3, covariance_type='tied', random_state=0)"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 0}, "n_components must be a whole number, at least 1, got 0"),
        ({"n_components": 2.5}, r"n_components must be a whole number, at least 1, got 2\.5"),
        ({"n_components": True}, "n_components must be a whole number"),
        ({"n_init": 0}, "n_init must be a whole number, at least 1, got 0"),
        ({"max_iter": -1}, "max_iter must be a whole number, at least 0, got -1"),
        ({"max_iter": "many"}, "max_iter must be a whole number, at least 0, got 'many'"),
        ({"tol": -1.0}, r"tol must be at least 0, got -1\.0"),
        ({"init": "kmeans"}, r"init must be one of k-means\+\+, k-means, random, got 'kmeans'"),
        ({"covariance_type": "banded"}, "covariance_type must be one of full, tied, .*got 'banded'"),
        ({"covariance_floor": -1.0}, r"covariance_floor must be a positive number or None, got -1\.0"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GaussianMixture(**{"random_state": 0, **options}).fit(X)


def test_numpy_integers_are_whole_numbers() -> None:
    fit = GaussianMixture(np.int64(2), max_iter=np.int32(0), random_state=0, tol=0).fit(X)
    assert fit.n_iter_ == 0


FIVE = X[:5]


def column_of(value: float) -> Array:
    return np.column_stack([X, np.full(len(X), value)])


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (np.where(np.arange(300).reshape(150, 2) == 7, np.nan, X), {}, "NaN, first at row 3, column 1"),
        (np.where(np.arange(300).reshape(150, 2) == 8, np.inf, X), {}, "inf .*first at row 4, column 0"),
        (X[:0], {}, r"0 sample\(s\)"),
        (X[:, 0], {}, r"got shape \(150,\)\. Reshape"),
        (FIVE, {"n_components": 6}, "n_samples = 5 rows, fewer than n_components = 6"),
        (X[:1], {"n_components": 1}, "n_samples = 1 row; a covariance needs at least 2"),
        (column_of(3.0), {}, "constant in column 2: their variance is zero .*covariance_floor"),
        (np.ones((10, 2)), {"covariance_type": "spherical"}, "constant in column 0, 1"),
        (np.repeat(X[:2], 9, axis=0), {"n_components": 3}, "only 2 distinct rows, fewer than n_components=3"),
        (X, {"n_components": 2, "weights_init": [0.5, 0.3, 0.2]}, "3 weights for 2 means"),
        (X, {"n_components": 2, "weights_init": [0.5, 0.6]}, "sum to 1"),
        (X, {"n_components": 2, "weights_init": [1.5, -0.5]}, "not negative"),
        (X, {"n_components": 2, "means_init": np.zeros((2, 3))}, r"means_init must have shape \(2, 2\), got \(2, 3\)"),
        (X, {"n_components": 2, "means_init": np.full((2, 2), np.nan)}, "means_init contains NaN or inf"),
        (X, {"n_components": 2, "covariances_init": np.eye(2)}, r"must have shape \(2, 2, 2\), got \(2, 2\)"),
        (X, {"n_components": 1, "covariances_init": [[[1.0, 2], [2, 1]]]}, "component 0 .*not positive definite"),
        (X, {"n_components": 1, "covariances_init": [[[1.0, 0.5], [0, 1]]]}, "symmetric"),
        (X, {"n_components": 1, "covariances_init": [[[-1.0, 0], [0, 1]]]}, "component 0 .*variance .*not positive"),
        (X, {"n_components": 1, "covariances_init": np.full((1, 2, 2), np.inf)}, "covariances contain NaN or inf"),
    ],
)
def test_bad_data_and_starts_are_named(data: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GaussianMixture(**{"n_components": 2, "random_state": 0, **options}).fit(data)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3), r"sample_weight must have shape \(150,\)"),
        (-np.ones(150), "row 0 has -1"),
        (np.zeros(150), "zero for every row"),
        (np.r_[1.0, np.zeros(149)], "n_samples = 1 rows of positive weight, fewer than n_components = 2"),
    ],
)
def test_bad_weights_are_named(weights: Array, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GaussianMixture(2, random_state=0).fit(X, sample_weight=weights)


def test_a_column_constant_where_weights_are_positive_is_constant() -> None:
    data, weights = column_of(3.0), np.ones(150)
    data[0, 2], weights[0] = 4.0, 0.0
    with pytest.raises(ValueError, match="constant in column 2"):
        GaussianMixture(2, random_state=0).fit(data, sample_weight=weights)


def test_a_spherical_variance_needs_only_one_column_that_varies() -> None:
    fit = GaussianMixture(2, covariance_type="spherical", random_state=0).fit(column_of(3.0))
    assert fit.converged_
    assert_allclose(fit.means_[:, 2], 3)


def test_collinear_columns_end_degenerate_with_advice() -> None:
    data = X[:, :1] * [1.0, 2.0]
    with pytest.warns(DegenerateFitWarning, match="linearly dependent|not positive definite"):
        fit = GaussianMixture(1, random_state=0).fit(data)
    assert fit.status_ is Status.DEGENERATE
    assert np.isfinite(fit.score(data))
    assert GaussianMixture(1, covariance_floor=1e-3, random_state=0).fit(data).converged_


# --- use before a fit, and new data ---------------------------------------------------------------------------

UNFITTED = [
    lambda m: m.predict(X),
    lambda m: m.predict_proba(X),
    lambda m: m.score(X),
    lambda m: m.score_samples(X),
    lambda m: m.bic(X),
    lambda m: m.aic(X),
    lambda m: m.sample(3),
    lambda m: m.weights_,
    lambda m: m.means_,
    lambda m: m.covariances_,
    lambda m: m.n_iter_,
    lambda m: m.log_likelihood_,
    lambda m: m.converged_,
    lambda m: m.n_parameters,
]


@pytest.mark.parametrize("use", UNFITTED)
def test_use_before_fit_says_so(use: Any) -> None:
    with pytest.raises(NotFittedError, match="this GaussianMixture is not fitted yet: call fit first"):
        use(GaussianMixture())


def test_not_fitted_is_also_scikit_learns_error_where_that_is_loaded() -> None:
    from sklearn.exceptions import NotFittedError as Theirs

    with pytest.raises(Theirs):
        GaussianMixture().predict(X)


def test_not_fitted_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(__import__("sys").modules, "sklearn.exceptions", raising=False)
    with pytest.raises(NotFittedError) as caught:
        GaussianMixture().predict(X)
    assert type(caught.value) is NotFittedError
    assert not hasattr(GaussianMixture(), "weights_")


def test_new_data_must_have_the_columns_of_the_fit() -> None:
    fit = GaussianMixture(2, random_state=0).fit(X)
    assert fit.n_features_in_ == 2
    with pytest.raises(ValueError, match="X has 3 features, but GaussianMixture is expecting 2 features"):
        fit.predict(column_of(0.0))
    with pytest.raises(ValueError, match="NaN, first at row 0, column 1"):
        fit.score_samples([[0.0, np.nan]])


# --- data frames ----------------------------------------------------------------------------------------------

FRAME = pd.DataFrame(X, columns=["length", "width"])


def test_data_frames_keep_their_names() -> None:
    fit = GaussianMixture(2, random_state=0).fit(FRAME)
    assert fit.feature_names_in_.tolist() == ["length", "width"]
    assert_array_equal(fit.predict(FRAME), GaussianMixture(2, random_state=0).fit(X).predict(X))
    fit.fit(X)
    assert not hasattr(fit, "feature_names_in_")


def test_names_that_are_not_strings_do_not_count() -> None:
    assert not hasattr(GaussianMixture(1).fit(pd.DataFrame(X)), "feature_names_in_")


def test_other_names_are_refused() -> None:
    fit = GaussianMixture(2, random_state=0).fit(FRAME)
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        fit.predict(FRAME[["width", "length"]])
    with pytest.raises(ValueError, match=r"unseen at fit time:\n- depth\nFeature names seen .*missing:\n- width"):
        fit.predict(FRAME.rename(columns={"width": "depth"}))
    many = pd.DataFrame(np.zeros((3, 8)), columns=list("abcdefgh"))
    with pytest.raises(ValueError, match=r"- e\n- \.\.\.\n"):
        fit.predict(many)


def test_names_on_one_side_only_warn() -> None:
    named, bare = GaussianMixture(2, random_state=0).fit(FRAME), GaussianMixture(2, random_state=0).fit(X)
    with pytest.warns(UserWarning, match="X does not have valid feature names, but GaussianMixture was fitted with"):
        named.predict(X)
    with pytest.warns(UserWarning, match="does not have valid") as caught:
        named.score_samples(X)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="X has feature names, but GaussianMixture was fitted without"):
        bare.predict(FRAME)


# --- known parameters -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", GAUSSIAN_TYPES)
def test_posterior_and_criteria_of_known_parameters(covariance_type: str) -> None:
    invariants.posterior_is_bayes(covariance_type)
    invariants.criteria(covariance_type)
    invariants.far_rows(covariance_type)


@pytest.mark.parametrize("covariance_type", GAUSSIAN_TYPES)
def test_samples_have_the_moments_of_the_mixture(covariance_type: str) -> None:
    invariants.sample_moments(covariance_type)


def test_samples_are_shuffled() -> None:
    invariants.samples_are_shuffled()


def test_one_generator_gives_different_draws_and_a_number_the_same() -> None:
    known, _, _ = invariants.known_mixture("full")
    rng = np.random.default_rng(0)
    first, second = known.sample(5, rng)[0], known.sample(5, rng)[0]
    assert not np.array_equal(first, second)
    assert_array_equal(known.sample(5, 0)[0], first)
    assert_array_equal(known.sample(5, np.random.default_rng(0))[0], first)
    x, labels = known.sample()
    assert (x.shape, labels.shape) == ((1, 2), (1,))


@pytest.mark.parametrize("n", [0, -3])
def test_sample_needs_at_least_one_row(n: int) -> None:
    known, _, _ = invariants.known_mixture("full")
    with pytest.raises(ValueError, match=f"at least 1, got {n}"):
        known.sample(n)


def test_known_parameters_have_no_fit() -> None:
    known, _, theta = invariants.known_mixture("diag")
    assert_array_equal(known.means_, theta.components.means)
    assert (known.n_components, known.covariance_type, known.n_features_in_) == (3, "diag", 2)
    for attribute in ("n_iter_", "log_likelihood_", "converged_"):
        with pytest.raises(NotFittedError, match="was made from parameters: no fit, no result"):
            getattr(known, attribute)


@pytest.mark.parametrize(
    ("weights", "means", "covariances", "message"),
    [
        ([0.5, 0.5], [[0.0]], [[[1.0]]], "2 weights for 1 means"),
        ([1.0], [0.0], [[[1.0]]], r"means must have shape \(n_components, n_features\), got \(1,\)"),
        ([1.0], [[0.0]], [1.0], r"full covariances of 1 components in 1 dimensions must have shape \(1, 1, 1\)"),
        ([1.0], [[0.0]], [[[0.0]]], "component 0 has a variance that is not positive"),
        ([1.0], [[np.nan]], [[[1.0]]], "means contain NaN or inf"),
        ([[1.0]], [[0.0]], [[[1.0]]], r"weights must have shape \(n_components,\), got \(1, 1\)"),
        ([], np.zeros((0, 1)), np.zeros((0, 1, 1)), r"means must have shape .* got \(0, 1\), which is empty"),
        ([np.nan], [[0.0]], [[[1.0]]], "finite"),
    ],
)
def test_parameters_that_do_not_fit_together(weights: Any, means: Any, covariances: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GaussianMixture.from_parameters(weights, means, covariances)


# --- starts and restarts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_best_restart_is_kept(seed: int) -> None:
    invariants.keeps_the_best_restart(seed)


@pytest.mark.parametrize("covariance_type", GAUSSIAN_TYPES)
def test_weights_are_repetition_from_the_start_on(covariance_type: str) -> None:
    invariants.fit_takes_weights_as_repetition(covariance_type)


def test_same_seed_same_fit_whatever_holds_it() -> None:
    one = GaussianMixture(3, random_state=4, n_init=2).fit(X)
    for state in (4, np.int64(4), np.random.default_rng(4)):
        other = GaussianMixture(3, random_state=state, n_init=2).fit(X)
        assert_array_equal(other.means_, one.means_)
        assert_array_equal(other.result_.trace, one.result_.trace)
    legacy = [GaussianMixture(3, random_state=np.random.RandomState(4)).fit(X).means_ for _ in range(2)]
    assert_array_equal(*legacy)


def test_a_generator_moves_on() -> None:
    rng = np.random.default_rng(4)
    options: dict[str, Any] = {"random_state": rng, "init": "random", "max_iter": 0, "tol": 0}
    assert not np.array_equal(GaussianMixture(3, **options).fit(X).means_, GaussianMixture(3, **options).fit(X).means_)


def test_more_restarts_begin_with_the_same_ones() -> None:
    few = GaussianMixture(4, n_init=2, random_state=1, tol=1e-4).fit(X)
    more = GaussianMixture(4, n_init=5, random_state=1, tol=1e-4).fit(X)
    for one, other in zip(few.restarts_, more.restarts_, strict=False):
        assert_array_equal(one.trace, other.trace)
    assert more.log_likelihood_ >= few.log_likelihood_


def test_a_start_given_in_full_is_run_once() -> None:
    start = GaussianMixture(3, random_state=0, max_iter=0, tol=0).fit(X)
    given: dict[str, Any] = {
        "weights_init": start.weights_,
        "means_init": start.means_,
        "covariances_init": start.covariances_,
    }
    fit = GaussianMixture(3, n_init=7, tol=0, max_iter=0, **given).fit(X)
    assert len(fit.restarts_) == 1
    assert_array_equal(fit.means_, start.means_)
    assert_array_equal(fit.covariances_, start.covariances_)
    warm = GaussianMixture(3, tol=0, max_iter=3, **given).fit(X)
    cold = GaussianMixture(3, tol=0, max_iter=3, random_state=0).fit(X)
    assert_array_equal(warm.means_, cold.means_)


@pytest.mark.parametrize("given", ["weights_init", "means_init", "covariances_init"])
def test_a_start_given_in_part_is_completed(given: str) -> None:
    values = {
        "weights_init": [0.2, 0.3, 0.5],
        "means_init": X[[0, 60, 149]],
        "covariances_init": np.tile(2.0 * np.eye(2), (3, 1, 1)),
    }
    fit = GaussianMixture(3, random_state=0, max_iter=0, tol=0, **{given: values[given]}).fit(X)
    assert_allclose(getattr(fit, given.replace("init", "")), values[given])


def test_fit_predict_is_fit_then_predict() -> None:
    one, other = GaussianMixture(3, random_state=0), GaussianMixture(3, random_state=0)
    weights = np.linspace(0.5, 2, 150)
    assert_array_equal(one.fit_predict(X, sample_weight=weights), other.fit(X, sample_weight=weights).predict(X))


def test_attributes_are_those_of_the_result() -> None:
    fit = GaussianMixture(3, random_state=0).fit(X)
    model = Mixture(Gaussian())
    assert fit.log_likelihood_ == fit.result_.log_likelihood == model.log_likelihood(fit.theta_, X)
    assert fit.log_likelihood_ == fit.result_.trace[-1]
    assert fit.n_iter_ == fit.result_.n_iter == len(fit.result_.trace) - 1
    assert fit.status_ is fit.result_.status is Status.CONVERGED
    assert fit.converged_
    assert_allclose(fit.score_samples(X).sum(), fit.log_likelihood_, rtol=1e-12)


def test_fitted_parameters_cannot_be_written_to() -> None:
    fit = GaussianMixture(2, random_state=0).fit(X)
    for array in (fit.weights_, fit.means_, fit.covariances_):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_zero_tolerance_runs_exactly_max_iter_without_a_warning() -> None:
    fit = GaussianMixture(3, random_state=0, tol=0, max_iter=4).fit(X)
    assert (fit.n_iter_, fit.status_) == (4, Status.MAX_ITER)
    with pytest.warns(ConvergenceWarning, match="max_iter=1") as caught:
        GaussianMixture(3, random_state=0, max_iter=1).fit(X)
    assert caught[0].filename == __file__


# --- restarts that end badly ----------------------------------------------------------------------------------


def degenerating() -> Array:
    """Few rows in two clusters: three components collapse from some starts and not from others."""
    rng = np.random.default_rng(3)
    return np.concatenate([rng.normal(0, 1, (7, 1)), rng.normal(5, 1, (7, 1))])


def test_degenerate_restarts_are_recorded_and_passed_over() -> None:
    fit = GaussianMixture(3, n_init=8, init="random", random_state=1, tol=1e-4).fit(degenerating())
    states = {run.status for run in fit.restarts_}
    assert states == {Status.CONVERGED, Status.DEGENERATE}
    assert fit.converged_
    assert fit.log_likelihood_ == max(r.log_likelihood for r in fit.restarts_ if r.status is Status.CONVERGED)


def interrupt_run(monkeypatch: pytest.MonkeyPatch, number: int, after: int) -> None:
    """Press Ctrl-C in E-step `after` of run `number`, counted from 0; the next runs must not happen."""
    original_em, original_e_step, seen = emlib.estimators.em, Mixture.e_step, {"runs": -1, "steps": 0}

    def em(*args: Any, **options: Any) -> Any:
        seen["runs"] += 1
        seen["steps"] = 0
        assert seen["runs"] <= number
        return original_em(*args, **options)

    def e_step(self: Any, theta: Any, data: Any) -> Any:
        seen["steps"] += 1
        if seen["runs"] == number and seen["steps"] > after:
            raise KeyboardInterrupt
        return original_e_step(self, theta, data)

    monkeypatch.setattr(emlib.estimators, "em", em)
    monkeypatch.setattr(Mixture, "e_step", e_step)


def test_ctrl_c_in_a_restart_keeps_the_best_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = GaussianMixture(4, n_init=5, random_state=0, tol=1e-4).fit(X)
    interrupt_run(monkeypatch, number=2, after=2)
    fit = GaussianMixture(4, n_init=5, random_state=0, tol=1e-4).fit(X)
    monkeypatch.undo()
    assert len(fit.restarts_) == 3
    assert fit.status_ is Status.INTERRUPTED
    assert not fit.converged_
    assert fit.restarts_[2].status is Status.INTERRUPTED
    assert fit.restarts_[2].n_iter == 1
    assert_array_equal(fit.restarts_[0].trace, whole.restarts_[0].trace)
    assert fit.log_likelihood_ == max(run.log_likelihood for run in fit.restarts_)
    assert fit.predict(X).shape == (150,)


def test_ctrl_c_before_a_later_run_has_begun_keeps_the_earlier_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt_run(monkeypatch, number=1, after=0)
    fit = GaussianMixture(4, n_init=5, random_state=0, tol=1e-4).fit(X)
    assert len(fit.restarts_) == 1
    assert fit.status_ is Status.INTERRUPTED


def test_ctrl_c_before_anything_was_reached_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt_run(monkeypatch, number=0, after=0)
    mixture = GaussianMixture(4, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        mixture.fit(X)
    assert "theta_" not in vars(mixture)


def test_a_failed_fit_leaves_the_last_one() -> None:
    fit = GaussianMixture(2, random_state=0).fit(X)
    means = fit.means_
    with pytest.raises(ValueError, match="NaN"):
        fit.fit(np.full((3, 5), np.nan))
    assert fit.means_ is means
    assert fit.n_features_in_ == 2


# --- copies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy])
def test_copies_predict_alike(copied: Any) -> None:
    fit = GaussianMixture(3, random_state=0, n_init=2).fit(X)
    twin = copied(fit)
    assert_array_equal(twin.predict_proba(X), fit.predict_proba(X))
    assert twin.status_ is Status.CONVERGED
    assert_array_equal(twin.result_.trace, fit.result_.trace)
    assert len(twin.restarts_) == 2


def test_errors_survive_pickling() -> None:
    from emlib import DegenerateComponent

    error = pickle.loads(pickle.dumps(LikelihoodDecreased(3, -1.0, -2.0, 1e-12, "theta")))
    assert (error.iteration, error.before, error.after, error.theta) == (3, -1.0, -2.0, "theta")
    other = pickle.loads(pickle.dumps(DegenerateComponent(1, "died", "Rest.", row=4)))
    assert str(other) == "component 1 died (nearest row of the data: 4). Rest."
