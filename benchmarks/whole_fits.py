"""CPU time of whole fits, start and stopping rule included: emlib beside scikit-learn, to the same log-likelihood.

Each side keeps its defaults (emlib k-means++ seeds, scikit-learn k-means; full covariances) but for the tolerance: the
loosest of a ladder that ends within 1e-6, relative, of the higher of the two log-likelihoods at the tightest rung;
scikit-learn also has no ridge, which would change the maximum. Seeds from which the two end in different maxima are
counted and left out. Run it from the repository: ``.venv/bin/python -m benchmarks.whole_fits``
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.gaussian_mixtures import problem
from benchmarks.machine import afresh, kernels, store, versions

SHAPES = ("150,4,3", "272,2,2", "10000,2,3", "100000,4,8")
RELATIVE = 1e-6
SPREAD = 4.0  # of the means, in standard deviations of the clusters: most are apart, as in data that one clusters
MAX_ITER = 2000
LADDERS = {"emlib": 10.0 ** np.arange(2, -6, -1), "scikit-learn": 10.0 ** np.arange(-3, -11, -1)}
Fit = Callable[[np.ndarray, int, float, int], float]


def emlib(x: np.ndarray, m: int, tol: float, seed: int) -> float:
    """Fit with emlib; return the log-likelihood."""
    from emlib import GaussianMixture

    return GaussianMixture(m, tol=tol, max_iter=MAX_ITER, random_state=seed).fit(x).log_likelihood_


def sklearn(x: np.ndarray, m: int, tol: float, seed: int) -> float:
    """Fit with scikit-learn; return the log-likelihood."""
    from sklearn.mixture import GaussianMixture

    fit = GaussianMixture(m, tol=tol, max_iter=MAX_ITER, reg_covar=0, random_state=seed).fit(x)
    return float(fit.score(x)) * len(x)


FITS: dict[str, Fit] = {"emlib": emlib, "scikit-learn": sklearn}


def loosest(name: str, x: np.ndarray, m: int, seed: int, target: float) -> float | None:
    """Return the loosest tolerance whose fit reaches a log-likelihood."""
    for tol in LADDERS[name]:
        if FITS[name](x, m, tol, seed) >= target:
            return float(tol)
    return None


def start_seconds(x: np.ndarray, m: int, seed: int) -> float:
    """Return what emlib's start takes of its fit."""
    from emlib import Gaussian
    from emlib.rows import as_rows
    from emlib.starts import gaussian_start

    begin = time.process_time()
    gaussian_start(as_rows(x), m, Gaussian("full"), "k-means++", np.random.default_rng(seed))
    return time.process_time() - begin


def measure(shape: str, seed: int, repeats: int) -> dict[str, Any]:
    """Return the times of both sides from one seed, or that they end in different maxima."""
    warnings.simplefilter("ignore")
    n, d, m = map(int, shape.split(","))
    x, _ = problem(n, d, m, SPREAD)
    ends = {name: fit(x, m, LADDERS[name][-1], seed) for name, fit in FITS.items()}
    best = max(ends.values())
    target = best - RELATIVE * abs(best)
    found: dict[str, Any] = {"shape": [n, d, m], "seed": seed, "log_likelihoods": ends, "kernels": kernels()}
    if min(ends.values()) < target:
        return found | {"end": "better" if ends["emlib"] == best else "worse"}
    tolerances = {name: loosest(name, x, m, seed, target) for name in FITS}
    times: dict[str, list[float]] = {name: [] for name in FITS}
    for _ in range(repeats):
        for name, fit in FITS.items():
            begin = time.process_time()
            fit(x, m, tolerances[name], seed)
            times[name].append(time.process_time() - begin)
    ours, theirs = (float(np.median(times[name])) for name in FITS)
    started = start_seconds(x, m, seed)
    return found | {
        "end": "same",
        "tolerances": tolerances,
        "emlib_ms": ours * 1e3,
        "start_ms": started * 1e3,
        "sklearn_ms": theirs * 1e3,
        "ratio": theirs / ours,
    }


def main() -> None:
    """Measure each shape and seed in a process of its own, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", action="append", help="rows,columns,components; may be repeated")
    parser.add_argument("--seeds", type=int, default=3, help="starts of each shape (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds for each (default: %(default)s)")
    parser.add_argument("--json", metavar="NAME", help="write the numbers to benchmarks/results/NAME.json")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one is not None:
        print(json.dumps(measure(args.one[0], int(args.one[1]), args.repeats)))
        return
    runs = []
    print(f"{'shape':>13} {'seed':>4} {'end':>7} {'emlib ms':>9} {'its start':>9} {'sklearn ms':>10} {'ratio':>6}")
    for shape in args.shape or SHAPES:
        for seed in range(args.seeds):
            one = afresh("whole_fits", f"--repeats={args.repeats}", "--one", shape, str(seed))
            runs.append(one)
            numbers = ""
            if one["end"] == "same":
                numbers = f"{one['emlib_ms']:9.2f} {one['start_ms']:9.2f} {one['sklearn_ms']:10.2f} {one['ratio']:6.2f}"
            print(f"{shape:>13} {seed:4} {one['end']:>7} {numbers}", flush=True)
    ratios = [one["ratio"] for one in runs if one["end"] == "same"]
    if ratios:
        print(
            f"ratios of {len(ratios)} fits with the same end: median {np.median(ratios):.1f}, lowest {min(ratios):.1f}"
        )
    if args.json is not None:
        store(args.json, {"versions": versions("numpy", "scipy", "scikit-learn"), "fits": runs})


if __name__ == "__main__":
    main()
