"""Rows of a Dask collection: the fit of an array, the same bits with a worker killed, and no row lost."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import emlib.starts
from emlib import Gaussian, GaussianMixture, Iteration, Mixture, Status, em
from emlib.acceleration import QuasiNewton, Squarem
from emlib.cluster import ClusterRows, Part
from emlib.rows import extremes
from tests.bars import bars_of_rows
from tests.problems import Array, make_problem
from tests.test_checkpoint import assert_same_result

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")


@pytest.fixture(autouse=True)
def in_this_thread() -> Iterator[None]:
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.mark.parametrize("name", ["gaussian-full", "gaussian-tied_diag", "poisson"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_dask_array_gives_the_run_of_its_rows(name: str, weighted: bool) -> None:
    problem = make_problem(name, 6, dim=2, n_components=2, weighted=weighted)
    whole = problem.run(5)
    collection = da.from_array(problem.x, chunks=(7, 1))
    spread = em(problem.model, collection, problem.start, sample_weight=problem.weights, tol=0, max_iter=5)
    assert_allclose(spread.trace, whole.trace, rtol=1e-11)
    assert_allclose(problem.model.pack(spread.theta), problem.model.pack(whole.theta), rtol=1e-7, atol=1e-9)


def test_an_estimator_fits_a_dask_array() -> None:
    x = make_problem("gaussian-full", 6, dim=2, n_components=2, weighted=False).x
    collection = da.from_array(x, chunks=(7, 2))
    fit, streamed = (GaussianMixture(2, random_state=0).fit(data) for data in (collection, lambda: [x]))
    assert_allclose(fit.log_likelihood_, streamed.log_likelihood_, rtol=1e-12)
    assert_array_equal(fit.predict(collection), fit.predict(x))
    assert_allclose(fit.score(collection), fit.score(x), rtol=1e-12)


def test_delayed_chunks_may_hold_weights_and_may_be_empty() -> None:
    problem = make_problem("gaussian-full", 6, dim=2, n_components=2, weighted=True)
    x, weights = problem.x, problem.weights
    assert weights is not None
    chunks = [dask.delayed((x[k::3], weights[k::3])) for k in range(3)]
    chunks.insert(1, dask.delayed((x[:0], weights[:0])))
    spread = em(problem.model, chunks, problem.start, tol=0, max_iter=3)
    assert_allclose(spread.trace, problem.run(3).trace, rtol=1e-11)


def test_workers_pick_the_rows_of_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emlib.starts, "SAMPLE", 20)
    rng = np.random.default_rng(1)
    x, weights = rng.normal(size=(500, 2)), rng.integers(0, 4, 500).astype(float)
    monkeypatch.setattr(ClusterRows, "chunks", None)
    spread = ClusterRows(da.from_array(x, chunks=(30, 2)), weights)
    one = emlib.starts._sample(spread, np.random.default_rng(3))
    other = emlib.starts._sample(Mixture(Gaussian()).prepare(x, weights), np.random.default_rng(3))
    assert_array_equal(one.x, other.x)
    assert_array_equal(extremes(spread), [x[weights > 0].min(axis=0), x[weights > 0].max(axis=0)])


def test_chunks_without_weight_are_passed_over_and_rows_keep_their_numbers() -> None:
    problem = make_problem("gaussian-full", 6, dim=2, n_components=2, weighted=True)
    weights = problem.row_weights.copy()
    weights[:10] = weights[12] = weights[20:33] = 0
    spread = problem.model.prepare(da.from_array(problem.x, chunks=(10, 2)), weights)
    whole = em(problem.model, problem.x, problem.start, sample_weight=weights, tol=0, max_iter=3)
    assert_allclose(em(problem.model, spread, problem.start, tol=0, max_iter=3).trace, whole.trace, rtol=1e-11)
    assert [spread.number(k) for k in range(spread.n)] == np.flatnonzero(weights).tolist()
    far = problem.x.copy()
    far[13], weights[13] = 1e200, 1
    with pytest.raises(ValueError, match="in chunk 1 of the Dask collection: row 3, column 0 is 1e"):
        problem.model.prepare(da.from_array(far, chunks=(10, 2)), weights)
    with pytest.raises(ValueError, match="has no rows of positive weight in its 2 chunks"):
        problem.model.prepare(da.zeros((4, 2), chunks=(2, 2)), np.zeros(4))


def chunks_of(*arrays: Any) -> list[Any]:
    return [dask.delayed(array) for array in arrays]


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([np.zeros((0, 2))], "has no rows in its 1 chunks"),
        ([np.zeros((3, 2)), np.zeros((3, 1))], r"different numbers of columns: \[1, 2\]"),
        ([np.zeros((3, 2)), [[0.0, np.nan]]], "in chunk 1 of the Dask collection: .*NaN, first at row 0, column 1"),
        ([np.zeros(3)], r"in chunk 0 of the Dask collection: .*got shape \(3,\)"),
        ([np.zeros((3, 1)), [[1e200]]], "in chunk 1 of the Dask collection: row 0, column 0 is 1e.200"),
    ],
)
def test_bad_chunks_are_named(chunks: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mixture(Gaussian()).prepare(chunks_of(*chunks))


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask.array", None)
    with pytest.raises(ImportError, match="install emlib with its extra 'cluster'"):
        ClusterRows([])


def test_what_is_no_collection_of_rows() -> None:
    model = Mixture(Gaussian())
    with pytest.raises(ValueError, match=r"got shape \(3,\)"):
        model.prepare(da.zeros(3))
    with pytest.raises(ValueError, match=r"sample_weight must have shape \(3,\)"):
        model.prepare(da.zeros((3, 1)), [1.0])
    with pytest.raises(TypeError, match=r"let them be pairs \(rows, weights\)"):
        model.prepare(chunks_of(np.zeros((3, 1))), [1.0, 1.0, 1.0])
    with pytest.raises(TypeError, match="a list of delayed chunks, got"):
        model.prepare(dask.delayed(np.zeros((3, 1))))
    with pytest.raises(TypeError, match="read chunk by chunk: pass an array"):
        model.from_responsibilities(da.zeros((3, 1)), np.ones((3, 1)))


def test_an_impossible_row_is_named_with_its_chunk() -> None:
    problem = make_problem("poisson", 8, dim=1, n_components=2, weighted=False)
    rows = problem.model.prepare(chunks_of(np.zeros((3, 1)), np.arange(3.0)[:, None]))
    start = type(problem.start)(problem.start.weights, type(problem.start.components)(np.zeros((2, 1))))
    with pytest.raises(ValueError, match="in chunk 1 of the Dask collection: row 1 has log density -inf"):
        problem.model.e_step(start, rows)


def test_a_chunk_that_moves_leaves_its_notes_behind() -> None:
    problem = make_problem("gaussian-full", 8, dim=2, n_components=2, weighted=False)
    part = Part(problem.model.prepare(problem.x), 3, 7, 60)
    problem.model.e_step(problem.start, part.rows)
    moved = pickle.loads(pickle.dumps(part))
    assert part.rows.memo
    assert not moved.rows.memo
    assert (moved.number, moved.checksum, moved.given) == (3, 7, 60)
    assert_array_equal(moved.rows.x, problem.x)
    assert sys.getsizeof(part) >= problem.x.nbytes


def test_a_lost_or_altered_chunk_is_not_passed_over() -> None:
    problem = make_problem("gaussian-full", 8, dim=2, n_components=2, weighted=False)
    rows = problem.model.prepare(da.from_array(problem.x, chunks=(10, 2)))
    parts = vars(rows)["parts"]
    altered = problem.x[:10] + 1e-12
    for wrong in (parts[1:], [*problem.model.prepare(chunks_of(altered)).__dict__["parts"], *parts[1:]]):
        vars(rows)["parts"] = wrong
        with pytest.raises(RuntimeError, match=r"an E-step on the cluster read .* the source of a chunk changed"):
            problem.model.e_step(problem.start, rows)


@contextlib.contextmanager
def two_workers(folder: Path) -> Iterator[Any]:
    """Give the client of a cluster of two processes."""
    distributed = pytest.importorskip("distributed")
    with (
        dask.config.set(scheduler="distributed"),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=folder, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


class DiesOnce(Gaussian):
    """A family in whose E-step one worker dies, if a file lies there."""

    def __init__(self, trap: Path) -> None:
        super().__init__("full")
        self.trap = trap

    def expectation(self, theta: Any, weights: Array, rows: Any) -> Any:
        with contextlib.suppress(FileNotFoundError):
            self.trap.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().expectation(theta, weights, rows)


@pytest.mark.filterwarnings("ignore")  # those of the cluster about its dead worker
def test_a_worker_killed_in_the_middle_changes_no_bit(tmp_path: Path) -> None:
    x = np.concatenate([make_problem("gaussian-full", s, dim=2, n_components=2, weighted=False).x for s in range(40)])
    start = make_problem("gaussian-full", 0, dim=2, n_components=2).start
    trap = tmp_path / "trap"
    workers: list[set[int]] = []

    def before_the_third(state: Iteration[Any]) -> None:
        workers.append(set(client.run(os.getpid).values()))
        if state.number == 2:
            trap.touch()

    options: dict[str, Any] = {"tol": 0, "max_iter": 5}
    model = Mixture(DiesOnce(trap))
    collection = da.from_array(x, chunks=(100, 2))
    undisturbed = em(model, collection, start, **options)
    with two_workers(tmp_path) as client:
        disturbed = em(model, collection, start, callback=before_the_third, **options)
    assert not trap.exists()
    assert len(workers[0]) == 2
    assert workers[0] - workers[3], "no worker was killed"
    assert_array_equal(disturbed.trace, undisturbed.trace)
    assert_array_equal(disturbed.theta.components.covariances, undisturbed.theta.components.covariances)
    assert_allclose(disturbed.trace, em(model, x, start, **options).trace, rtol=1e-12)


def interrupt_after_three(state: Iteration[Any]) -> None:
    if state.number == 3:
        raise KeyboardInterrupt


def resumable() -> tuple[Any, Any, dict[str, Any]]:
    """Return a Dask array, a start and options of a run."""
    x = np.concatenate([make_problem("gaussian-full", s, dim=2, n_components=2, weighted=False).x for s in range(20)])
    start = make_problem("gaussian-full", 0, dim=2, n_components=2).start
    return da.from_array(x, chunks=(100, 2)), start, {"tol": 0, "max_iter": 7}


@pytest.mark.parametrize("accelerate", [None, Squarem(), QuasiNewton()], ids=["em", "squarem", "quasi-newton"])
def test_a_resumed_run_ends_in_the_same_bits(accelerate: Any, tmp_path: Path) -> None:
    collection, start, options = resumable()
    model, path = Mixture(Gaussian()), tmp_path / "run"
    whole = em(model, collection, start, accelerate=accelerate, **options)
    callback = interrupt_after_three
    broken = em(model, collection, start, accelerate=accelerate, checkpoint=path, callback=callback, **options)
    assert (broken.status, broken.n_iter) == (Status.INTERRUPTED, 3)
    assert_same_result(em(model, collection, start, accelerate=accelerate, resume=path, **options), whole)


def test_a_run_resumed_on_a_cluster_ends_in_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collection, start, options = resumable()
    model, path, n = Mixture(Gaussian()), tmp_path / "run", len(collection)
    bars = bars_of_rows(monkeypatch)
    with two_workers(tmp_path):
        whole = em(model, collection, start, **options)
        broken = em(model, collection, start, checkpoint=path, callback=interrupt_after_three, **options)
        assert (broken.status, broken.n_iter) == (Status.INTERRUPTED, 3)
        resumed = em(model, collection, start, resume=path, progress=True, **options)
        with pytest.raises(ValueError, match="these are other data"):
            em(model, collection[::-1] * 2, start, resume=path, **options)
        with pytest.raises(ValueError, match=r"in chunk \d+ of the Dask collection: it fails"):
            em(Mixture(Fails()), collection, start, progress=True)
    assert_same_result(resumed, whole)
    assert_same_result(em(model, collection, start, resume=path, **options), whole)  # with no cluster
    counted = [sum(bar.counts) for bar in bars if bar.total == n]
    assert counted[:5] == [n] * 5, "the rows of the E-step at the saved point and of four more"
    assert counted[5] < n


class Fails(Gaussian):
    """A family whose E-step fails where the chunk is."""

    def expectation(self, *_: Any) -> Any:
        raise ValueError("it fails")
