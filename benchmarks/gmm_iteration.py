"""CPU time of one EM iteration of a Gaussian mixture: emlib beside scikit-learn.

One thread, float64, full covariances, same start, same number of iterations, the two interleaved; printed are the
medians and the ratio of each pair. Run it with ``python benchmarks/gmm_iteration.py --rows 100000 --columns 4
--components 8``.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
import scipy
import sklearn
from sklearn.mixture import GaussianMixture as ScikitLearnMixture
from threadpoolctl import threadpool_info, threadpool_limits

from emlib import Gaussian, GaussianParameters, Mixture, MixtureParameters, em

Runner = Callable[[int], object]


def problem(n: int, d: int, m: int, seed: int) -> tuple[np.ndarray, MixtureParameters]:
    """Return overlapping clusters and a start near them."""
    rng = np.random.default_rng(seed)
    centers = 2.0 * rng.standard_normal((m, d))
    x = centers[rng.integers(m, size=n)] + rng.standard_normal((n, d))
    start = GaussianParameters(centers + 0.3 * rng.standard_normal((m, d)), np.repeat(np.eye(d)[None], m, axis=0))
    return x, MixtureParameters(np.full(m, 1 / m), start)


def emlib_runner(x: np.ndarray, start: MixtureParameters) -> Runner:
    """Return a function that runs emlib for a number of iterations."""
    return lambda k: em(Mixture(Gaussian("full")), x, start, tol=0, max_iter=k)


def sklearn_runner(x: np.ndarray, start: MixtureParameters) -> Runner:
    """Return a function that runs scikit-learn for the same number of iterations."""
    components = start.components
    options = {
        "weights_init": start.weights,
        "means_init": components.means,
        "precisions_init": np.linalg.inv(components.covariances),
    }
    return lambda k: ScikitLearnMixture(len(start.weights), tol=0, reg_covar=0, max_iter=k, **options).fit(x)


def cpu_per_iteration(run: Runner, few: int, many: int) -> float:
    """Return seconds of CPU an iteration takes: the slope between two numbers of iterations."""
    begin = time.process_time()
    run(few)
    middle = time.process_time()
    run(many)
    end = time.process_time()
    return ((end - middle) - (middle - begin)) / (many - few)


def main() -> None:
    """Parse the options, time both, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=4)
    parser.add_argument("--components", type=int, default=8)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    warnings.simplefilter("ignore")  # scikit-learn warns that a fixed number of iterations has not converged
    x, start = problem(args.rows, args.columns, args.components, seed=0)
    runners = [emlib_runner(x, start), sklearn_runner(x, start)]
    with threadpool_limits(1):
        for run in runners:
            run(2)
        times = np.array(
            [[cpu_per_iteration(run, 2, 2 + args.iterations) for run in runners] for _ in range(args.repeats)]
        )
        kernels = {info.get("architecture") for info in threadpool_info() if info["internal_api"] == "openblas"}
    ours, theirs = np.median(times, axis=0) * 1e3
    ratios = times[:, 1] / times[:, 0]
    print(f"numpy {np.__version__}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}, kernels {kernels}")
    print(f"N={args.rows} d={args.columns} M={args.components}, one thread, CPU time of one EM iteration")
    print(f"emlib {ours:.3g} ms, scikit-learn {theirs:.3g} ms (medians of {args.repeats})")
    print(f"scikit-learn / emlib: median {np.median(ratios):.2f}, from {ratios.min():.2f} to {ratios.max():.2f}")


if __name__ == "__main__":
    main()
