"""CPU time of one Baum-Welch iteration with Gaussian emissions: emlib beside hmmlearn.

One thread, float64, full covariances, same start, same number of iterations, the two interleaved; printed are the
medians and the ratio of each pair, for hmmlearn's default (logarithms) and its ``implementation="scaling"``. Run it
with ``python benchmarks/hmm_iteration.py --sequences 1000 --length 100 --states 5 --columns 4``; hmmlearn is not among
emlib's dependencies.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable

import hmmlearn
import numpy as np
from hmmlearn.hmm import GaussianHMM
from threadpoolctl import threadpool_info, threadpool_limits

from emlib import Gaussian, GaussianParameters, HiddenMarkov, HiddenMarkovParameters, Sequences, em

Runner = Callable[[int], float]


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


def cpu_per_iteration(run: Runner, few: int, many: int) -> float:
    """Return seconds of CPU an iteration takes: the slope between two numbers of iterations."""
    begin = time.process_time()
    run(few)
    middle = time.process_time()
    run(many)
    end = time.process_time()
    return ((end - middle) - (middle - begin)) / (many - few)


def main() -> None:
    """Parse the options, check that both do the same, time them, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sequences", type=int, default=1)
    parser.add_argument("--length", type=int, default=20_000)
    parser.add_argument("--states", type=int, default=3)
    parser.add_argument("--columns", type=int, default=1)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    logging.getLogger("hmmlearn").setLevel(logging.ERROR)
    sequences, start = problem(args.sequences, args.length, args.states, args.columns, seed=0)
    runners = {
        "emlib": emlib_runner(sequences, start),
        "hmmlearn": hmmlearn_runner(sequences, start, "log"),
        "hmmlearn scaling": hmmlearn_runner(sequences, start, "scaling"),
    }
    with threadpool_limits(1):
        reached = [run(3) for run in runners.values()]
        np.testing.assert_allclose(reached, reached[0], rtol=1e-9)
        times = np.array(
            [[cpu_per_iteration(run, 2, 2 + args.iterations) for run in runners.values()] for _ in range(args.repeats)]
        )
        kernels = sorted({info.get("architecture", "") for info in threadpool_info()} - {""})
    print(f"numpy {np.__version__}, hmmlearn {hmmlearn.__version__}, kernels {kernels}")
    print(
        f"{args.sequences} x {args.length} rows, K={args.states} d={args.columns}, one thread, CPU time an iteration\n"
        f"log-likelihoods after 3 iterations agree to {np.ptp(reached) / abs(reached[0]):.1e}"
    )
    for (name, _), column in zip(runners.items(), times.T, strict=True):
        ratios = column / times[:, 0]
        print(
            f"{name:17} {np.median(column) * 1e3:8.3f} ms, / emlib: median {np.median(ratios):5.2f}, "
            f"from {ratios.min():.2f} to {ratios.max():.2f}"
        )


if __name__ == "__main__":
    main()
