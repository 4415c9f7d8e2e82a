"""A run that was saved goes on to the same bits, after a kill at any moment; another run is refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import emlib.checkpoint
import emlib.parallel
from emlib import (
    Dirichlet,
    EMResult,
    Gaussian,
    GaussianMixture,
    HiddenMarkov,
    HiddenMarkovParameters,
    Mixture,
    MixtureParameters,
    Parallel,
    Poisson,
    PoissonParameters,
    Status,
    em,
)
from emlib.acceleration import QuasiNewton, Squarem
from tests.problems import KINDS, make_problem

ROOT = Path(__file__).parents[1]


def assert_same_result(one: EMResult[Any], other: EMResult[Any]) -> None:
    """Compare everything, bit for bit."""
    assert_array_equal(one.trace, other.trace)
    for name in ("log_likelihood", "objective", "n_iter", "status", "message", "distance", "e_steps", "m_steps"):
        assert getattr(one, name) == getattr(other, name), name
    assert emlib.checkpoint.describe(one.theta) == emlib.checkpoint.describe(other.theta)


def interrupted(path: Path, *args: Any, at: int, **options: Any) -> EMResult[Any]:
    """Run em with a checkpoint until an iteration."""
    result = em(*args, checkpoint=path, callback=lambda state: state.number == at, **options)
    assert result.status is Status.INTERRUPTED
    return result


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("accelerate", [None, Squarem(), QuasiNewton()], ids=["em", "squarem", "quasi-newton"])
def test_a_resumed_run_ends_in_the_same_bits(name: str, accelerate: Any, tmp_path: Path) -> None:
    problem = make_problem(name, 6, dim=2, n_components=2, weighted=True)
    args = (problem.model, problem.x, problem.start)
    options: dict[str, Any] = {"sample_weight": problem.weights, "accelerate": accelerate, "tol": 1e-7}
    whole = em(*args, **options)
    path = tmp_path / "run.npz"
    stopped = min(5, whole.n_iter - 1)
    interrupted(path, *args, at=stopped, **options)
    resumed = em(*args, resume=path, checkpoint=path, **options)
    assert_same_result(resumed, whole)
    assert resumed.n_iter > stopped
    assert_same_result(em(*args, resume=path, **options), whole)  # one that had ended


def test_a_hidden_markov_model_resumes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sequences = [rng.poisson(3.0, size=(20, 1)).astype(float) for _ in range(3)]
    model = HiddenMarkov(Poisson())
    start = HiddenMarkovParameters([0.5, 0.5], [[0.8, 0.2], [0.3, 0.7]], PoissonParameters([[2.0], [4.0]]))
    whole = em(model, sequences, start, tol=0, max_iter=9)
    interrupted(tmp_path / "run", model, sequences, start, at=4, tol=0, max_iter=9)
    assert_same_result(em(model, sequences, start, tol=0, max_iter=9, resume=tmp_path / "run"), whole)


SCRIPT = """
import sys, time
from emlib import em
from tests.test_checkpoint import LONG, long_run
em(*long_run(), **LONG, checkpoint=sys.argv[1], callback=lambda _: time.sleep(0.002))
"""
LONG: dict[str, Any] = {"tol": 0, "max_iter": 2000, "accelerate": Squarem()}


def long_run() -> tuple[Any, Any, Any]:
    problem = make_problem("gaussian-tied", 3, dim=1, n_components=2, weighted=False)
    return problem.model, problem.x, problem.start


@pytest.mark.parametrize("seed", range(2))
def test_a_process_killed_at_a_random_moment(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    child = subprocess.Popen([sys.executable, "-c", SCRIPT, str(path)], cwd=ROOT)
    while not path.exists() and child.poll() is None:
        time.sleep(0.01)
    time.sleep(np.random.default_rng(seed).uniform(0, 0.3))
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, "it had ended before"
    args = long_run()
    identity = emlib.checkpoint.identity_of(args[0], args[2], LONG["accelerate"])
    n_saved = len(emlib.checkpoint.read(path, identity, args[2]).trace)
    assert 1 <= n_saved < 2000
    assert_same_result(em(*args, **LONG, resume=path), em(*args, **LONG))


def test_a_kill_while_writing_leaves_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = make_problem("poisson", 6, dim=2, n_components=2, weighted=False)
    args, options = (problem.model, problem.x, problem.start), {"tol": 0, "max_iter": 6}
    interrupted(tmp_path / "run", *args, at=3, **options)
    before = (tmp_path / "run").read_bytes()
    replace_file, calls = Path.replace, []

    def killed(self: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == 2:  # the first writes again what was read
            raise SystemExit
        replace_file(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(SystemExit):
        em(*args, resume=tmp_path / "run", checkpoint=tmp_path / "run", **options)
    assert (tmp_path / "run").read_bytes() == before


def test_what_differs_is_refused(tmp_path: Path) -> None:
    problem = make_problem("gaussian-full", 6, dim=2, n_components=2, weighted=False)
    model, x, start = problem.model, problem.x, problem.start
    path = tmp_path / "run"
    interrupted(path, model, x, start, at=3)
    altered = x.copy()
    altered[7, 1] += 1e-6
    with pytest.raises(ValueError, match="these are other data"):
        em(model, altered, start, resume=path)
    with pytest.raises(ValueError, match=r"another model: family.covariance_floor was None, now it is 1e-09"):
        em(Mixture(Gaussian(covariance_floor=1e-9)), x, start, resume=path)
    with pytest.raises(
        ValueError, match=r"another model: weight_prior was None, now it is \{'class': 'emlib.priors.Dir"
    ):
        em(Mixture(Gaussian(), weight_prior=Dirichlet(2.0)), x, start, resume=path)
    with pytest.raises(ValueError, match="another start: weights was float64 array of shape"):
        em(model, x, MixtureParameters(start.weights[::-1], start.components), resume=path)
    with pytest.raises(ValueError, match=r"another accelerator: it was None, now it is \{'class'"):
        em(model, x, start, resume=path, accelerate=Squarem())
    with pytest.raises(ValueError, match="the saved run did 3 iterations, more than max_iter=2"):
        em(model, x, start, resume=path, max_iter=2)
    with pytest.raises(FileNotFoundError, match=r"there is no checkpoint .*none to resume from"):
        em(model, x, start, resume=tmp_path / "none")


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 broken"])
def test_a_file_that_is_no_checkpoint(content: bytes, tmp_path: Path) -> None:
    problem = make_problem("poisson", 6)
    path = tmp_path / "run"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="run is no checkpoint that this version of emlib wrote"):
        em(problem.model, problem.x, problem.start, resume=path)


@pytest.mark.parametrize("arrays", [{"x": np.zeros(3)}, {"header": np.array({"a": 1}, dtype=object)}])
def test_a_pickle_or_another_archive_is_not_read(arrays: dict[str, Any], tmp_path: Path) -> None:
    problem = make_problem("poisson", 6)
    np.savez(tmp_path / "run.npz", **arrays)
    with pytest.raises(ValueError, match="is no checkpoint"):
        em(problem.model, problem.x, problem.start, resume=tmp_path / "run.npz")


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    problem = make_problem("poisson", 6)
    header = json.dumps({"format": "emlib checkpoint 2"})
    np.savez(tmp_path / "run.npz", header=np.array(header))
    with pytest.raises(ValueError, match="its format is 'emlib checkpoint 2'"):
        em(problem.model, problem.x, problem.start, resume=tmp_path / "run.npz")


def test_what_cannot_be_saved_says_so(tmp_path: Path) -> None:
    class Opaque:
        def e_step(self, *_: Any) -> tuple[Any, float]:
            return None, 0.0

    with pytest.raises(TypeError, match="a set cannot be saved in a checkpoint"):
        em(Opaque(), None, {1, 2}, checkpoint=tmp_path / "run")  # type: ignore[type-var] # no EMModel

    class Forgetful(Squarem):
        def begin(self, em_map: Any, start: Any) -> Any:
            path = super().begin(em_map, start)
            return type("Plain", (), {"advance": path.advance, "distance": 1.0})()

    problem = make_problem("poisson", 6)
    with pytest.raises(TypeError, match="it does not list in `remembers`"):
        em(problem.model, problem.x, problem.start, accelerate=Forgetful(), checkpoint=tmp_path / "run")


def test_another_number_of_workers_may_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("joblib")
    monkeypatch.setattr(emlib.parallel, "SMALLEST_PART", 5)
    problem = make_problem("gaussian-full", 6, dim=2, n_components=2, weighted=False)
    with Parallel(problem.model, n_jobs=1) as workers:
        interrupted(tmp_path / "run", workers, problem.x, problem.start, at=2)
        whole = em(workers, problem.x, problem.start)
    with Parallel(problem.model, n_jobs=2) as workers:
        assert_same_result(em(workers, problem.x, problem.start, resume=tmp_path / "run"), whole)


def test_an_estimator_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = make_problem("gaussian-full", 6, dim=2, n_components=2, weighted=False).x
    whole = GaussianMixture(2, n_init=3, random_state=0).fit(x)
    writes = []

    def stop_in_the_second_run(*args: Any, **options: Any) -> None:
        writes.append(args[0])
        if len({str(path) for path in writes}) == 2 and len(options["trace"]) == 4:
            raise KeyboardInterrupt
        original(*args, **options)

    original = emlib.checkpoint.write
    monkeypatch.setattr(emlib.checkpoint, "write", stop_in_the_second_run)
    broken = GaussianMixture(2, n_init=3, random_state=0, checkpoint=tmp_path / "fit").fit(x)
    assert broken.status_ is Status.INTERRUPTED
    monkeypatch.undo()
    assert sorted(path.name for path in (tmp_path / "fit").iterdir()) == ["run_0.npz", "run_1.npz"]
    resumed = GaussianMixture(2, n_init=3, random_state=0, checkpoint=tmp_path / "fit").fit(x)
    for one, other in zip(resumed.restarts_, whole.restarts_, strict=True):
        assert_same_result(one, other)
    with pytest.raises(ValueError, match="another start"):
        GaussianMixture(2, n_init=3, random_state=1, checkpoint=tmp_path / "fit").fit(x)


def test_a_description_tells_arrays_apart() -> None:
    start = make_problem("gaussian-full", 6).start
    other = replace(start, weights=np.nextafter(start.weights, 1))
    assert emlib.checkpoint.describe(start) != emlib.checkpoint.describe(other)
