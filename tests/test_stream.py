"""Rows that are in no array: a source of chunks, and a file mapped to memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import emlib.starts
from emlib import Gaussian, GaussianMixture, Mixture, MixtureParameters, Parallel, Poisson, PoissonParameters, em
from emlib.stream import Stream
from tests.problems import KINDS, Array, Problem, make_problem

STREAMING = tuple(name for name in KINDS if not name.startswith("user"))


def source_of(x: Array, weights: Array | None = None, size: int = 7) -> Callable[[], Iterator[Any]]:
    """Return a source of chunks that are lists or arrays, some with their weights."""

    def chunks() -> Iterator[Any]:
        for start in range(0, len(x), size):
            part = x[start : start + size]
            yield part if weights is None else (part.tolist(), weights[start : start + size])

    return chunks


@pytest.mark.parametrize("name", STREAMING)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_source_gives_the_run_of_its_rows(name: str, weighted: bool) -> None:
    problem = make_problem(name, 6, dim=2, n_components=2, weighted=weighted)
    whole = problem.run(5)
    streamed = em(problem.model, source_of(problem.x, problem.weights), problem.start, tol=0, max_iter=5)
    assert_allclose(streamed.trace, whole.trace, rtol=1e-11)
    assert_allclose(problem.model.pack(streamed.theta), problem.model.pack(whole.theta), rtol=1e-7, atol=1e-9)
    again = problem.model.log_likelihood(streamed.theta, source_of(problem.x, problem.weights))
    assert streamed.log_likelihood == again


def test_an_estimator_fits_a_source() -> None:
    problem = make_problem("gaussian-full", 6, dim=2, n_components=2, weighted=False)
    source = source_of(problem.x)
    fit = GaussianMixture(2, random_state=0).fit(source)
    assert fit.converged_
    whole = GaussianMixture(2, means_init=fit.means_, weights_init=fit.weights_, covariances_init=fit.covariances_)
    assert_allclose(fit.log_likelihood_, whole.fit(problem.x).log_likelihood_, rtol=1e-10)
    assert_allclose(fit.predict_proba(source), fit.predict_proba(problem.x), rtol=1e-12)
    assert_allclose(fit.score(source), fit.score(problem.x), rtol=1e-12)
    assert fit.bic(source) == pytest.approx(fit.bic(problem.x), rel=1e-12)


def test_a_start_samples_a_source_as_it_samples_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emlib.starts, "SAMPLE", 20)
    x = np.random.default_rng(1).normal(size=(500, 2))
    weights = np.random.default_rng(2).integers(0, 4, 500).astype(float)
    model = Mixture(Gaussian())
    one = emlib.starts._sample(model.prepare(x, weights), np.random.default_rng(3))
    other = emlib.starts._sample(model.prepare(source_of(x, weights)), np.random.default_rng(3))
    assert_array_equal(one.x, other.x)
    assert len(one.x) == 20


def test_a_collapse_names_the_row_of_a_source() -> None:
    x = np.array([[0.0], [10.0], [11.0], [12.0]])
    problem = Problem("gaussian-full", x, None, np.repeat(np.eye(2), [1, 3], axis=0), Mixture(Gaussian()))
    start = make_problem("gaussian-full", 1, dim=1, n_components=2).start
    results = [em(problem.model, data, start) for data in (x, source_of(x, size=2))]
    one, other = (result.message.split(" Parameters")[0] for result in results)
    assert one == other
    assert "nearest row of the data: " in one


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([], "the source gave no rows"),
        ([np.zeros((3, 2)), np.zeros((3, 1))], "in chunk 1 of the source: 1 columns, and 2 in those before"),
        (
            [np.zeros((3, 2)), [[0.0, np.nan]]],
            "in chunk 1 of the source, which begins at row 3: .*NaN, first at row 0, column 1",
        ),
        ([np.zeros(3)], r"in chunk 0 of the source, which begins at row 0: .*got shape \(3,\)"),
        (
            [np.zeros((3, 1)), [[1.0], [1e200]]],
            "in chunk 1 of the source, which begins at row 3: row 1, column 0 is 1e",
        ),
        ([(np.zeros((2, 1)), [1.0, -1.0])], "in chunk 0 of the source, .*: .*row 1 has -1.0"),
    ],
)
def test_bad_chunks_are_named(chunks: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mixture(Gaussian()).prepare(lambda: chunks)


def test_a_source_must_give_the_same_rows_again() -> None:
    x = np.random.default_rng(0).normal(size=(30, 1))
    passes = iter([x, x, x[:20], x[:20]])
    with pytest.raises(ValueError, match="gave 30 rows at first and 20 now"):
        GaussianMixture(1).fit(lambda: [next(passes)])


def test_a_source_must_give_equal_rows_again() -> None:
    x = np.random.default_rng(0).normal(size=(30, 1))
    rows = Stream(iter([[x], [x + 1e-8 * (np.arange(30)[:, None] == 7)], [x[:13], x[13:]]]).__next__)
    with pytest.raises(ValueError, match=r"rows with sum of squares .* at first and .* now"):
        list(rows.chunks())
    assert sum(len(part) for part, _ in rows.chunks()) == 30


# --- chunks of which no row counts --------------------------------------------------------------------------------


def some_without_weight() -> tuple[Array, Array, list[Any]]:
    """Return 40 rows, their weights, and both in chunks: some empty, of some no row counts."""
    x = make_problem("gaussian-full", 6, dim=2, n_components=2, weighted=False).x[:40]
    weights = np.random.default_rng(0).uniform(0.5, 2, 40)
    weights[:10] = weights[20:30] = weights[33] = weights[37:] = 0
    cuts = [0, 0, 10, 10, 20, 30, 35, 40, 40]
    return x, weights, [(x[a:b], weights[a:b]) for a, b in pairwise(cuts)]


def test_chunks_without_weight_and_empty_ones_are_passed_over() -> None:
    x, weights, chunks = some_without_weight()
    model, start = Mixture(Gaussian()), make_problem("gaussian-full", 6, dim=2, n_components=2).start
    streamed = em(model, lambda: [[], *chunks, np.empty((0, 7))], start, tol=0, max_iter=4)
    whole = em(model, x, start, sample_weight=weights, tol=0, max_iter=4)
    assert_allclose(streamed.trace, whole.trace, rtol=1e-11)
    fit = GaussianMixture(2, random_state=0, covariance_floor=0.1).fit(lambda: chunks)
    assert fit.score(lambda: chunks) == pytest.approx(fit.score(x, sample_weight=weights))
    rows = model.prepare(lambda: chunks)
    assert [rows.number(k) for k in range(rows.n)] == np.flatnonzero(weights).tolist()


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([(np.eye(2), [0, 0]), (np.eye(2), [0, 0])], "the weight of every row of the source is zero"),
        ([[], np.empty((0, 2))], "the source gave no rows"),
        ([np.eye(2), (np.empty((0, 2)), [1.0])], r"in chunk 1 .*row 2: sample_weight must have shape \(0,\)"),
        ([np.eye(2), ([[1.0, np.nan]], [0.0])], "in chunk 1 .*row 2: .*NaN, first at row 0"),
        ([np.eye(2), (np.eye(2), [0.0])], r"in chunk 1 .*row 2: sample_weight must have shape \(2,\)"),
        ([(np.eye(2), [0.0, 0.0]), [], ([[1, 2], [1e200, 1]], [0, 1])], "in chunk 2 .*row 2: row 1, column 0 is 1e"),
    ],
)
def test_what_is_wrong_in_a_chunk_without_weight(chunks: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mixture(Gaussian()).prepare(lambda: chunks)


def test_rows_are_named_by_their_number_in_the_source() -> None:
    x, weights = np.zeros((20, 1)), np.repeat([0.0, 1.0], [6, 14])
    weights[10] = 0
    x[13] = 1
    theta = MixtureParameters([1.0], PoissonParameters([[0.0]]))
    for data, given in ((x, weights), (source_of(x, weights, 5), None)):
        rows = Mixture(Poisson()).prepare(data, given)
        with pytest.raises(ValueError, match="row 13 has log density -inf"):
            Mixture(Poisson()).e_step(theta, rows)


def test_a_collapse_names_the_row_of_a_source_with_weights() -> None:
    x, weights = np.array([[5.0], [7.0], [0.0], [10.0], [11.0], [12.0]]), np.array([0.0, 0, 1, 1, 1, 1])
    start = make_problem("gaussian-full", 1, dim=1, n_components=2).start
    results = [em(Mixture(Gaussian()), data, start) for data in (x[2:], source_of(x, weights, size=2))]
    one, other = (int(result.message.split("nearest row of the data: ")[1].split(")")[0]) for result in results)
    assert other == one + 2


def test_a_source_that_ends_sooner_when_a_row_is_looked_up() -> None:
    data = iter([[(np.zeros((3, 1)), [0.0, 1.0, 1.0])], []])
    rows = Stream(lambda: next(data))
    with pytest.raises(ValueError, match="gave 2 rows at first and 0 now"):
        rows.number(1)


def test_memory_does_not_grow_with_the_rows() -> None:
    model = Mixture(Gaussian())
    start = make_problem("gaussian-full", 6, dim=2, n_components=2).start
    peaks = []
    for n_chunks in (2, 40):
        chunks = partial(map, lambda seed: np.random.default_rng(seed).normal(size=(5000, 2)), range(n_chunks))
        em(model, chunks, start, tol=0, max_iter=1)
        tracemalloc.start()
        em(model, chunks, start, tol=0, max_iter=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 4 * 2**20


def weighted_rows(seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(5000, 2)), rng.uniform(0.5, 1.5, size=5000)


def test_weights_that_were_read_are_let_go() -> None:
    """Each chunk is let go when the pass is behind it: two hundred take no more memory than forty."""
    model = Mixture(Gaussian())
    start = make_problem("gaussian-full", 6, dim=2, n_components=2).start
    peaks = []
    for n_chunks in (40, 200):
        rows = model.prepare(partial(map, weighted_rows, range(n_chunks)))
        model.e_step(start, rows)
        tracemalloc.start()
        model.e_step(start, rows)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_weights_of_a_source_come_with_its_chunks() -> None:
    with pytest.raises(ValueError, match=r"let its chunks be pairs \(rows, weights\)"):
        Mixture(Gaussian()).prepare(source_of(np.zeros((3, 1))), [1, 1, 1])


def test_what_needs_all_rows_says_so() -> None:
    model = Mixture(Gaussian())
    source = source_of(np.random.default_rng(0).normal(size=(9, 1)))
    assert repr(model.prepare(source)) == "Stream(n=9, dim=1, total_weight=9)"
    for needs_all in (
        lambda: model.from_responsibilities(source, np.ones((9, 1))),
        lambda: Parallel(model).prepare(source),
        lambda: Stream(source).weights,
    ):
        with pytest.raises(TypeError, match="read chunk by chunk: pass an array"):
            needs_all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_file_mapped_to_memory_is_read_in_place(tmp_path: Path, dtype: Any) -> None:
    problem = make_problem("gaussian-full", 6, dim=2, n_components=2, weighted=False)
    np.save(tmp_path / "x.npy", problem.x.astype(dtype))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    rows = problem.model.prepare(mapped)
    assert np.shares_memory(rows.x, mapped)
    result = em(problem.model, mapped, problem.start, tol=0, max_iter=4)
    assert_array_equal(result.trace, em(problem.model, np.array(mapped), problem.start, tol=0, max_iter=4).trace)
