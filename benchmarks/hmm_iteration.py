"""CPU time of one Baum-Welch iteration with Gaussian emissions: emlib beside hmmlearn.

One thread, float64, full covariances, same start, same number of iterations, the two interleaved in a fresh process for
each shape; printed are the medians and the ratio of each pair, for hmmlearn's default (logarithms) and its
``implementation="scaling"``. Run it from the repository: ``.venv/bin/python -m benchmarks.hmm_iteration``;
``--shape 1000,100,5,4`` runs a thousand sequences of length 100 with 5 states and 4 columns.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.gaussian_mixtures import cpu_per_iteration
from benchmarks.machine import afresh, kernels, store, versions
from emlib import Gaussian, GaussianParameters, HiddenMarkov, HiddenMarkovParameters, Sequences, em

Runner = Callable[[int], float]
SHAPES = ("1,500,3,1", "1,20000,3,1", "1,20000,20,2", "1,100000,5,4", "1000,100,5,4")


def problem(
    n_sequences: int, length: int, k: int, d: int, seed: int
) -> tuple[Sequences, HiddenMarkovParameters[GaussianParameters]]:
    """Return sequences drawn from overlapping Gaussians, and a start near the truth."""
    rng = np.random.default_rng(seed)
    centers = 2.0 * rng.standard_normal((k, d))
    stay = 0.9 * np.eye(k) + 0.1 / k
    truth = HiddenMarkovParameters(np.full(k, 1 / k), stay, GaussianParameters(centers, np.tile(np.eye(d), (k, 1, 1))))
    sequences, _ = HiddenMarkov(Gaussian()).sample(truth, np.full(n_sequences, length), rng)
    near = GaussianParameters(centers + 0.3 * rng.standard_normal((k, d)), np.tile(1.5 * np.eye(d), (k, 1, 1)))
    return sequences, HiddenMarkovParameters(np.full(k, 1 / k), 0.7 * np.eye(k) + 0.3 / k, near)


def emlib_runner(sequences: Sequences, start: HiddenMarkovParameters[GaussianParameters]) -> Runner:
    """Return a function that runs emlib for a number of iterations, and returns the log-likelihood it reached."""
    return lambda k: em(HiddenMarkov(Gaussian()), sequences, start, tol=0, max_iter=k).log_likelihood


def hmmlearn_runner(
    sequences: Sequences, start: HiddenMarkovParameters[GaussianParameters], implementation: str
) -> Runner:
    """Return a function that runs hmmlearn for the same number of iterations, without its priors."""
    from hmmlearn.hmm import GaussianHMM

    def run(k: int) -> float:
        model = GaussianHMM(
            len(start.initial),
            covariance_type="full",
            implementation=implementation,
            n_iter=k + 1,  # em() ends with an E-step at the last parameters; hmmlearn with an M-step
            tol=-np.inf,
            init_params="",
            covars_prior=0.0,
            covars_weight=-(1.0 + sequences.x.shape[1]),
            min_covar=0.0,
        )
        model.startprob_, model.transmat_ = start.initial.copy(), start.transitions.copy()
        model.means_, model.covars_ = start.emissions.means.copy(), start.emissions.covariances.copy()
        model.fit(sequences.x, sequences.lengths)
        return float(model.monitor_.history[-1])

    return run


def measure(shape: str, repeats: int) -> dict[str, Any]:
    """Check that both do the same, and return medians and ratios of one shape."""
    from threadpoolctl import threadpool_limits

    logging.getLogger("hmmlearn").setLevel(logging.ERROR)
    n_sequences, length, k, d = map(int, shape.split(","))
    sequences, start = problem(n_sequences, length, k, d, seed=0)
    runners = {
        "emlib": emlib_runner(sequences, start),
        "hmmlearn": hmmlearn_runner(sequences, start, "log"),
        "hmmlearn scaling": hmmlearn_runner(sequences, start, "scaling"),
    }
    iterations = max(2, min(100, round(2e5 / (n_sequences * length * k))))
    with threadpool_limits(1):
        reached = [run(3) for run in runners.values()]
        np.testing.assert_allclose(reached, reached[0], rtol=1e-9)
        times = np.array(
            [[cpu_per_iteration(run, 1, 1 + iterations) for run in runners.values()] for _ in range(repeats)]
        )
    packages = {}
    for name, column in zip(runners, times.T, strict=True):
        ratios = column / times[:, 0]
        packages[name] = {
            "ms": float(np.median(column)) * 1e3,
            "ratio": float(np.median(ratios)),
            "ratio_range": [float(ratios.min()), float(ratios.max())],
        }
    agreement = float(np.ptp(reached) / abs(reached[0]))
    return {"shape": [n_sequences, length, k, d], "kernels": kernels(), "agreement": agreement, "packages": packages}


def main() -> None:
    """Parse the options, measure each shape, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", action="append", help="sequences,length,states,columns; may be repeated")
    parser.add_argument("--repeats", type=int, default=3, help="rounds for each shape (default: %(default)s)")
    parser.add_argument("--json", metavar="NAME", help="write the numbers to benchmarks/results/NAME.json")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if find_spec("hmmlearn") is None:
        print("hmmlearn is not installed, so Baum-Welch is left out: pip install 'emlib[bench]'")
        return
    if args.one is not None:
        print(json.dumps(measure(args.one, args.repeats)))
        return
    print("one thread, CPU time of one Baum-Welch iteration in ms; ratio to emlib's median, from, to")
    found = []
    for shape in args.shape or SHAPES:
        one = afresh("hmm_iteration", f"--repeats={args.repeats}", "--one", shape)
        found.append(one)
        columns = (
            f"{name} {package['ms']:.3f} ({package['ratio']:.2f}, {package['ratio_range'][0]:.2f}"
            f" to {package['ratio_range'][1]:.2f})"
            for name, package in one["packages"].items()
        )
        print(f"{shape:>14}  {'  '.join(columns)}", flush=True)
    if args.json is not None:
        store(args.json, {"versions": versions("numpy", "scipy", "hmmlearn"), "shapes": found})


if __name__ == "__main__":
    main()
