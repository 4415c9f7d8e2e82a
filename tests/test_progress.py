"""The bar of rows: what it counts, that it goes away, and that nothing is shown or left behind unasked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tqdm

import emlib.models.components.gaussian_engine
import emlib.progress
from emlib import Gaussian, GaussianMixture, Mixture, MixtureParameters, Poisson, PoissonParameters, Status, em
from tests.bars import Bar, bars_of_rows
from tests.problems import Array, make_problem

N = 30


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[Bar]:
    """Return the bars of rows that are opened from now on."""
    monkeypatch.setattr(emlib.models.components.gaussian_engine, "KEPT", 0)  # read the rows in every E-step
    return bars_of_rows(monkeypatch)


def rows(n: int = N) -> Array:
    return np.random.default_rng(0).normal(size=(n, 2)) + 6.0 * (np.arange(n) % 2)[:, None]


def in_chunks(x: Array, size: int = 12) -> Callable[[], Iterator[Array]]:
    return lambda: (x[start : start + size] for start in range(0, len(x), size))


def open_bars() -> int:
    return len(getattr(tqdm.std.tqdm, "_instances", ()))


def test_each_pass_counts_its_rows_and_goes_away(passes: list[Bar], capsys: pytest.CaptureFixture[str]) -> None:
    GaussianMixture(2, random_state=0, tol=0, max_iter=3, progress=True).fit(in_chunks(rows()))
    first, *others = passes
    assert first.total is None, "nobody knows the rows of a source before the first pass"
    assert first.counts == [12, 12, 6]
    for bar in others:
        assert bar.total == N
        assert bar.counts in ([12, 12, 6], []), "a pass is read to its end, or only looked into"
    assert sum(bar.counts != [] for bar in others) >= 4, "E-steps at the start and after each iteration"
    err = capsys.readouterr().err
    assert re.search(r"pass:.*24\.0/30\.0 \[.* rows/s\]", err)
    assert "EM:" in err.splitlines()[-1]
    assert err.endswith("\n")
    assert open_bars() == 0
    assert not any(bar.leave for bar in passes)


@pytest.mark.usefixtures("passes")
def test_a_large_count_is_shown_in_thousands(capsys: pytest.CaptureFixture[str]) -> None:
    with emlib.progress.showing_rows(True):
        list(emlib.progress.counted(iter([(np.zeros(1_500_000),)]), 3_000_000))
    assert re.search(r"50%.*1\.50M/3\.00M ", capsys.readouterr().err)


def test_a_file_mapped_to_memory_is_counted(passes: list[Bar], tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", rows(9000))
    model = Mixture(Gaussian())
    problem = make_problem("gaussian-full", 6, dim=2, n_components=2)
    em(model, np.load(tmp_path / "x.npy", mmap_mode="r"), problem.start, tol=0, max_iter=2, progress=True)
    assert sum(sum(bar.counts) == bar.total == 9000 for bar in passes) >= 3


def test_quick_passes_show_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    GaussianMixture(2, random_state=0, tol=0, max_iter=3, progress=True).fit(in_chunks(rows()))
    err = capsys.readouterr().err
    assert "EM:" in err
    assert "pass" not in err


def test_no_bar_unless_asked(passes: list[Bar], capsys: pytest.CaptureFixture[str]) -> None:
    model, x = GaussianMixture(2, random_state=0, tol=0, max_iter=2, progress=True), rows()
    model.fit(in_chunks(x))
    passes.clear()
    capsys.readouterr()
    model.predict(in_chunks(x))
    GaussianMixture(2, random_state=0, tol=0, max_iter=2).fit(in_chunks(x))
    assert passes == []
    assert capsys.readouterr().err == ""


def interrupting(x: Array, at: int) -> Callable[[], Iterator[Array]]:
    """Return a source that is interrupted in the middle of a pass."""
    calls = iter(range(1000))

    def chunks() -> Iterator[Array]:
        now = next(calls)
        for k, chunk in enumerate(in_chunks(x)()):
            if now == at and k == 2:
                raise KeyboardInterrupt
            yield chunk

    return chunks


def test_an_interrupt_closes_both_bars(passes: list[Bar], capsys: pytest.CaptureFixture[str]) -> None:
    problem = make_problem("gaussian-full", 6, dim=2, n_components=2)
    result = em(Mixture(Gaussian()), interrupting(rows(), 8), problem.start, tol=0, progress=True)
    assert result.status is Status.INTERRUPTED
    assert result.n_iter > 0
    assert passes[-1].counts == [12, 12]
    assert all(bar.disable for bar in passes), "a closed bar is disabled"
    assert open_bars() == 0
    assert capsys.readouterr().err.endswith("\n")


def test_an_interrupt_while_preparing_closes_the_bar(passes: list[Bar]) -> None:
    with pytest.raises(KeyboardInterrupt):
        GaussianMixture(2, progress=True).fit(interrupting(rows(), 0))
    assert len(passes) == 1
    assert open_bars() == 0
    passes.clear()
    Mixture(Gaussian()).prepare(in_chunks(rows()))
    assert passes == [], "it was switched off again"


def test_an_error_in_a_pass_closes_the_bar(passes: list[Bar]) -> None:
    x = np.zeros((N, 1))
    x[15] = 1
    start = MixtureParameters([1.0], PoissonParameters([[0.0]]))
    with pytest.raises(ValueError, match="row 15 has log density -inf"):
        em(Mixture(Poisson()), in_chunks(x), start, progress=True)
    assert passes[-1].counts == [12]
    assert open_bars() == 0


def test_one_bar_at_most_is_open_and_none_in_the_end_although_chunks_are_held(passes: list[Bar]) -> None:
    with emlib.progress.showing_rows(True):
        held = [emlib.progress.counted(iter([(rows(),), (rows(),)]), 2 * N) for _ in range(2)]
        assert [len(chunk[0]) for chunks in held for chunk in [next(chunks)]] == [N, N]
        assert open_bars() == 1
    assert open_bars() == 0
    assert len(passes) == 2


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_rows_of_a_dask_array_count_chunk_by_chunk(scheduler: str, passes: list[Bar]) -> None:
    dask = pytest.importorskip("dask")
    data = pytest.importorskip("dask.array").from_array(rows(), chunks=(12, 2))
    problem = make_problem("gaussian-full", 6, dim=2, n_components=2)
    with dask.config.set(scheduler=scheduler):
        shown = em(Mixture(Gaussian()), data, problem.start, tol=0, max_iter=2, progress=True)
        assert [sorted(filter(None, bar.counts)) for bar in passes if bar.total == N] == [[6, 12, 12]] * 3
        plain = em(Mixture(Gaussian()), data, problem.start, tol=0, max_iter=2)
    assert plain.trace.tolist() == shown.trace.tolist()
