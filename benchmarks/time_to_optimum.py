"""CPU time to within 1e-9 of the log-likelihood's maximum: emlib with quasi-Newton steps beside scikit-learn's EM.

Slow problems: overlapping Gaussians, 50,000 rows drawn afresh for each run, one thread, both sides from the same
k-means++ start. Each runs to its own maximum; timed is the way to within 1e-9, relative, of it. A run in which the two
end in different maxima is counted as better or worse for emlib and left out of the ratios.

scikit-learn stops by itself far from the maximum, so how many iterations it needs is found with emlib's plain EM: the
same map, as the log-likelihoods of the two show. It is then timed over that many iterations, or over the first `--cap`
and the time scaled: the cost of an iteration does not change along a run. Where EM is not there after `--max-iter`,
what it needs is more than the number given ("bounded"). Run it from the repository:
``.venv/bin/python -m benchmarks.time_to_optimum``
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from typing import Any

import numpy as np

from benchmarks.machine import afresh, kernels, store, versions

N = 50_000
RELATIVE = 1e-9
PROBLEMS = {  # columns, components, standard deviation of the means in units of the components
    "d2 M3": (2, 3, 2.0),
    "d2 M5": (2, 5, 1.5),
    "d4 M4": (4, 4, 1.0),
    "d8 M6": (8, 6, 1.5),
}


def problem(name: str, seed: int, n: int) -> np.ndarray:
    """Return rows drawn from overlapping unit Gaussians."""
    d, m, spread = PROBLEMS[name]
    rng = np.random.default_rng([0, seed])
    centers = spread * rng.standard_normal((m, d))
    return centers[rng.integers(m, size=n)] + rng.standard_normal((n, d))


def reached(trace: np.ndarray, limit: float) -> int | None:
    """Return the first iteration within 1e-9 of a limit, if there is one."""
    there = np.flatnonzero(trace >= limit - RELATIVE * abs(limit))
    return int(there[0]) if len(there) else None


def accelerated(model: Any, rows: Any, start: Any) -> dict[str, Any]:
    """Run emlib with quasi-Newton steps, the clock running; return where it ended and what it cost to be near there."""
    from emlib import em
    from emlib.acceleration import QuasiNewton

    seen: list[tuple[float, float]] = []
    begin = time.process_time()

    def watch(iteration: Any) -> None:
        seen.append((time.process_time() - begin, iteration.objective))

    result = em(model, rows, start, tol=1e-7, max_iter=3000, accelerate=QuasiNewton(), callback=watch)
    seconds, trace = (np.array(column) for column in zip(*seen, strict=True))
    return {
        "status": result.status.value,
        "log_likelihood": float(trace[-1]),
        "seconds": float(seconds[reached(trace, trace[-1])]),
        "iterations": len(trace) - 1,
        "fell": float(max(0.0, -np.diff(result.trace).min())),
    }


def plain(model: Any, rows: Any, start: Any, max_iter: int) -> tuple[np.ndarray, float]:
    """Return the trace of EM and the maximum it climbs to, polished by quasi-Newton steps where EM is still short."""
    from emlib import em
    from emlib.acceleration import QuasiNewton

    run = em(model, rows, start, tol=1e-5, max_iter=max_iter)
    polished = em(model, rows, run.theta, tol=1e-7, max_iter=3000, accelerate=QuasiNewton())
    return np.asarray(run.trace), float(polished.log_likelihood)


def scikit_learn(x: np.ndarray, start: Any, iterations: int) -> tuple[float, float]:
    """Return CPU seconds of so many iterations of scikit-learn, and the log-likelihood before the last M-step."""
    from sklearn.mixture import GaussianMixture

    twin = GaussianMixture(
        len(start.weights),
        tol=0,
        reg_covar=0,
        max_iter=iterations,
        weights_init=start.weights,
        means_init=start.components.means,
        precisions_init=np.linalg.inv(start.components.covariances),
    )
    begin = time.process_time()
    twin.fit(x)
    return time.process_time() - begin, float(twin.lower_bound_) * len(x)


def compare(name: str, seed: int, n: int, max_iter: int, cap: int) -> dict[str, Any]:
    """Run both sides from one start."""
    from emlib import Gaussian, Mixture
    from emlib.rows import as_rows
    from emlib.starts import gaussian_start

    warnings.simplefilter("ignore")  # scikit-learn warns that a fixed number of iterations has not converged
    x = problem(name, seed, n)
    model, rows = Mixture(Gaussian("full")), as_rows(x)
    start = gaussian_start(rows, PROBLEMS[name][1], Gaussian("full"), "k-means++", np.random.default_rng([1, seed]))
    model.e_step(start, rows)  # the first call allocates
    mine = accelerated(model, rows, start)
    trace, maximum = plain(model, rows, start, max_iter)
    arrived = reached(trace, maximum)
    needed = len(trace) - 1 if arrived is None else max(arrived, 1)
    timed = min(needed, cap)
    scikit_learn(x, start, 2)
    seconds, log_likelihood = scikit_learn(x, start, timed)
    np.testing.assert_allclose(log_likelihood, trace[timed - 1], rtol=RELATIVE, err_msg="the two maps differ")
    gap = mine["log_likelihood"] - maximum
    other = abs(gap) > 10 * RELATIVE * abs(maximum)
    return {
        "problem": name,
        "seed": seed,
        "end": ("better" if gap > 0 else "worse") if other else "same",
        "gap": gap,
        "emlib": mine,
        "sklearn": {
            "log_likelihood": maximum,
            "iterations": needed,
            "bounded": arrived is None,
            "timed_iterations": timed,
            "seconds": seconds * needed / timed,
        },
        "ratio": seconds * needed / timed / mine["seconds"],
        "kernels": kernels(),
    }


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median and the range of the ratios, and the counts of the ends."""
    ratios = [run["ratio"] for run in runs if run["end"] == "same"]
    counts = {end: sum(run["end"] == end for run in runs) for end in ("same", "better", "worse")}
    return counts | {
        "median": float(np.median(ratios)) if ratios else None,
        "minimum": min(ratios, default=None),
        "maximum": max(ratios, default=None),
        "median_all_ends": float(np.median([run["ratio"] for run in runs])),
        "minimum_all_ends": min(run["ratio"] for run in runs),
        "bounded": sum(run["sklearn"]["bounded"] for run in runs),
        "not_converged": sum(run["emlib"]["status"] != "converged" for run in runs),
        "largest_fall": max(run["emlib"]["fell"] for run in runs),
    }


def main() -> None:
    """Parse the options, run each start in a process of its own, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=3, help="draws of each problem (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=N, help="rows of data (default: %(default)s)")
    parser.add_argument("--max-iter", type=int, default=3000, help="most iterations of EM (default: %(default)s)")
    parser.add_argument("--cap", type=int, default=40, help="iterations scikit-learn is timed over (default: 40)")
    parser.add_argument("--json", metavar="NAME", help="write the numbers to benchmarks/results/NAME.json")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one is not None:
        name, seed = args.one
        print(json.dumps(compare(name, int(seed), args.rows, args.max_iter, args.cap)))
        return
    options = [f"--rows={args.rows}", f"--max-iter={args.max_iter}", f"--cap={args.cap}"]
    runs = []
    print(f"{'problem':8} {'draw':>5} {'end':>7} {'emlib s':>9} {'sklearn s':>10} {'EM iterations':>14} {'ratio':>8}")
    for name in PROBLEMS:
        for seed in range(args.draws):
            run = afresh("time_to_optimum", *options, "--one", name, str(seed))
            runs.append(run)
            more = ">" if run["sklearn"]["bounded"] else ""
            print(
                f"{name:8} {seed:5} {run['end']:>7} {run['emlib']['seconds']:9.3f} {run['sklearn']['seconds']:10.2f} "
                f"{more + str(run['sklearn']['iterations']):>14} {more + format(run['ratio'], '.1f'):>8}",
                flush=True,
            )
    total = summary(runs)
    if total["same"]:
        low, middle, high = (total[key] for key in ("minimum", "median", "maximum"))
        print(f"ratios where both end alike: median {middle:.1f}, from {low:.1f} to {high:.1f}")
    print(
        f"{total['same']} ends alike, {total['better']} better, {total['worse']} worse, {total['not_converged']} not"
        f" converged; largest fall of the log-likelihood {total['largest_fall']:.1g} nats; {runs[0]['kernels']}"
    )
    if args.json is not None:
        about = {"versions": versions("numpy", "scipy", "scikit-learn"), "rows": args.rows}
        store(args.json, about | {"summary": total, "runs": runs})


if __name__ == "__main__":
    main()
