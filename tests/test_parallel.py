"""E-steps in worker processes: the number of workers changes nothing, and a dead one is not passed over."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import emlib.parallel
from emlib import Gaussian, GaussianMixture, Mixture, MixtureParameters, Parallel, Poisson, PoissonParameters, em
from emlib.acceleration import QuasiNewton
from emlib.stream import Stream
from tests.problems import make_problem

joblib = pytest.importorskip("joblib")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emlib.parallel, "SMALLEST_PART", 5)


@pytest.mark.parametrize("name", ["gaussian-full", "gaussian-tied_diag", "poisson"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_number_of_workers_changes_no_bit(name: str, weighted: bool) -> None:
    problem = make_problem(name, 8, dim=2, n_components=2, weighted=weighted)
    options: dict[str, Any] = {"sample_weight": problem.weights, "tol": 0, "max_iter": 4}
    alone = em(problem.model, problem.x, problem.start, **options)
    runs = []
    for n_jobs in (1, 2):
        with Parallel(problem.model, n_jobs=n_jobs) as workers:
            runs.append(em(workers, problem.x, problem.start, **options))
    assert_array_equal(runs[0].trace, runs[1].trace)
    assert_array_equal(problem.model.pack(runs[0].theta), problem.model.pack(runs[1].theta))
    assert_allclose(runs[0].trace, alone.trace, rtol=1e-12)


def test_every_row_is_in_one_part() -> None:
    for n in (1, 7, 100, 1003):
        x = np.arange(float(n))[:, None]
        bounds = Parallel(Mixture(Gaussian())).prepare(x).bounds
        assert_array_equal(np.concatenate([x[start:stop] for start, stop in bounds]), x)


def test_a_degenerate_component_is_located() -> None:
    problem = make_problem("gaussian-full", 1, dim=1, n_components=2, weighted=False)
    x = np.concatenate([problem.x, [[1e3]]])
    r = np.column_stack([np.arange(len(x)) < len(x) - 2, np.arange(len(x)) >= len(x) - 2]).astype(float)
    start = problem.model.from_responsibilities(x, r)
    with Parallel(problem.model, n_jobs=1) as workers:
        result = em(workers, x, start)
    assert result.message == em(problem.model, x, start).message


@pytest.mark.parametrize("weights", [None, np.repeat([0.0, 1.0], [4, 27])])
def test_an_impossible_row_is_named_as_in_the_data(weights: Any) -> None:
    x = np.repeat([[0.0], [3.0]], [30, 1], axis=0)
    start = MixtureParameters([0.5, 0.5], PoissonParameters(np.zeros((2, 1))))
    with (
        pytest.raises(ValueError, match="row 30 has log density -inf"),
        Parallel(Mixture(Poisson()), n_jobs=1) as workers,
    ):
        em(workers, x, start, sample_weight=weights)


class Killed(Poisson):
    """A family in whose E-step the worker dies."""

    def log_prob(self, theta: Any, x: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)
        return super().log_prob(theta, x)


def test_a_worker_asks_for_the_rows_once() -> None:
    problem = make_problem("gaussian-full", 1, dim=2, n_components=2)
    steps, bounds = emlib.parallel._packed_e_steps, ((0, 7), (7, 20))
    asked = pickle.dumps((problem.model, problem.start))
    emlib.parallel._kept.clear()
    try:
        assert steps(asked, "a run", bounds) is None
        packed = steps(asked, "a run", bounds, (problem.x, None, None))
        packed_again = steps(asked, "a run", bounds[1:])
        assert steps(asked, "another run", bounds) is None
    finally:
        emlib.parallel._kept.clear()
    assert packed is not None
    assert packed_again is not None
    found, again = pickle.loads(packed), pickle.loads(packed_again)
    assert [value for _, value in found[1:]] == [value for _, value in again]
    assert_allclose(found[1][1], problem.model.log_likelihood(problem.start, problem.x[7:20]), rtol=1e-12)


def test_rows_of_one_part_stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = make_problem("gaussian-full", 1, dim=2, n_components=2)
    monkeypatch.setattr(emlib.parallel, "SMALLEST_PART", 10_000)
    monkeypatch.setattr(Parallel, "_ask", lambda *_args: pytest.fail("workers were asked"))
    with Parallel(problem.model, n_jobs=2) as workers:
        result = em(workers, problem.x, problem.start, tol=0, max_iter=3)
    assert_array_equal(result.trace, em(problem.model, problem.x, problem.start, tol=0, max_iter=3).trace)


def test_a_killed_worker_raises() -> None:
    problem = make_problem("poisson", 8, dim=2, n_components=2, weighted=False)
    with pytest.raises(Exception, match="worker process"), Parallel(Mixture(Killed()), n_jobs=2) as workers:
        em(workers, problem.x, problem.start)


@pytest.mark.parametrize("n_jobs", [0, -2, 1.5, True])
def test_numbers_of_workers_that_are_none(n_jobs: Any) -> None:
    with pytest.raises(ValueError, match="n_jobs must be a positive whole number, or -1"):
        Parallel(Mixture(Gaussian()), n_jobs=n_jobs)


def test_without_with_there_are_no_workers() -> None:
    problem = make_problem("poisson", 8)
    with pytest.raises(RuntimeError, match="with Parallel"):
        em(Parallel(problem.model), problem.x, problem.start)


@pytest.mark.parametrize("accelerate", [None, "quasi-newton"])
def test_an_estimator_in_workers_finds_what_it_finds_alone(accelerate: str | None) -> None:
    x = make_problem("gaussian-full", 3, dim=2, n_components=2, weighted=False).x
    options: dict[str, Any] = {"random_state": 0, "tol": 1e-8, "n_init": 2, "accelerate": accelerate}
    alone, two, three = (GaussianMixture(2, n_jobs=n_jobs, **options).fit(x) for n_jobs in (1, 2, 3))
    assert_array_equal(two.result_.trace, three.result_.trace)
    assert_array_equal(two.covariances_, three.covariances_)
    assert two.n_iter_ == alone.n_iter_
    assert_allclose(two.result_.trace, alone.result_.trace, rtol=1e-12)


def test_quasi_newton_steps_use_the_gradient_of_the_model() -> None:
    """Without it the residual form takes two E-steps an iteration."""
    problem = make_problem("gaussian-full", 3, dim=2, n_components=2, weighted=False)
    options: dict[str, Any] = {"tol": 0, "max_iter": 6, "accelerate": QuasiNewton()}
    with Parallel(problem.model, n_jobs=1) as workers:
        found = em(workers, problem.x, problem.start, **options)
    alone = em(problem.model, problem.x, problem.start, **options)
    assert_allclose(found.trace, alone.trace, rtol=1e-12)


@pytest.mark.parametrize("n_jobs", [0, -2, 1.5, True, None])
def test_an_estimator_names_a_wrong_number_of_workers(n_jobs: Any) -> None:
    with pytest.raises(ValueError, match="n_jobs must be a positive whole number, or -1"):
        GaussianMixture(2, n_jobs=n_jobs).fit(np.arange(20.0).reshape(10, 2))


def test_rows_of_a_source_have_one_reader() -> None:
    x = make_problem("gaussian-full", 3, dim=2, n_components=2, weighted=False).x
    with pytest.raises(TypeError, match="read chunk by chunk: pass an array"):
        GaussianMixture(2, n_jobs=2, random_state=0).fit(Stream(lambda: iter([x])))


def test_without_joblib_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "joblib", None)
    x = make_problem("gaussian-full", 3, dim=2, n_components=2, weighted=False).x
    with pytest.raises(ImportError, match=r"emlib\[parallel\]"):
        GaussianMixture(2, n_jobs=2, random_state=0).fit(x)
    assert GaussianMixture(2, random_state=0).fit(x).result_ is not None
