"""Wall-clock time of an EM iteration on all cores: emlib with one worker a core beside emlib and scikit-learn alone.

A fixed number of iterations from the same start by the public interfaces; scikit-learn with as many BLAS threads as
there are cores. Other load makes wall-clock times worthless: what other processes take is printed and stored, and it
should be next to nothing before the run. Run it from the repository: ``.venv/bin/python -m benchmarks.all_cores``
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.gaussian_mixtures import problem
from benchmarks.machine import busy_cores, kernels, store, versions

SHAPES = ("100000,4,8", "1000000,2,5", "1000000,8,10", "100000,16,16", "1000000,16,16")
Runner = Callable[[int], object]


def emlib(x: np.ndarray, start: Any, n_jobs: int) -> Runner:
    """Return a function that fits with workers for a number of iterations."""
    from emlib import GaussianMixture

    options: dict[str, Any] = {
        "weights_init": start.weights,
        "means_init": start.components.means,
        "covariances_init": start.components.covariances,
    }
    return lambda k: GaussianMixture(len(start.weights), tol=0, max_iter=k, n_jobs=n_jobs, **options).fit(x)


def per_iteration(run: Runner, few: int, many: int) -> float:
    """Return seconds an iteration takes, a slope between two numbers of them: what starting workers takes cancels."""
    begin = time.perf_counter()
    run(few)
    middle = time.perf_counter()
    run(many)
    end = time.perf_counter()
    return ((end - middle) - (middle - begin)) / (many - few)


def measure(shape: str, repeats: int) -> dict[str, Any]:
    """Return medians in ms and the speed-up of one shape."""
    from benchmarks.peers import sklearn

    n, d, m = map(int, shape.split(","))
    x, start = problem(n, d, m)
    runners = {"one_process": emlib(x, start, 1), "all_cores": emlib(x, start, -1), "sklearn": sklearn(x, start)}
    iterations = max(10, min(200, round(1e8 / (n * m))))
    times: dict[str, list[float]] = {name: [] for name in runners}
    for run in runners.values():
        run(1)
    for _ in range(repeats):
        for name, run in runners.items():
            times[name].append(per_iteration(run, 1, 1 + (2 if name == "sklearn" else iterations)))
    medians = {f"{name}_ms": float(np.median(found)) * 1e3 for name, found in times.items()}
    ratios = np.array(times["one_process"]) / np.array(times["all_cores"])
    return {
        "shape": [n, d, m],
        "kernels": kernels(),
        **medians,
        "speed_up": float(np.median(ratios)),
        "speed_up_range": [float(ratios.min()), float(ratios.max())],
        "sklearn_ratio": medians["sklearn_ms"] / medians["all_cores_ms"],
    }


def main() -> None:
    """Measure each shape, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", action="append", help="rows,columns,components; may be repeated")
    parser.add_argument("--repeats", type=int, default=5, help="rounds for each shape (default: %(default)s)")
    parser.add_argument("--json", metavar="NAME", help="write the numbers to benchmarks/results/NAME.json")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    busy = busy_cores()
    print(f"wall-clock ms of an iteration; {os.cpu_count()} cores, of which others keep {busy:.2f} busy")
    if busy > 0.2:
        print("the machine is busy: these times say nothing about the cores")
    print(f"{'shape':>13} {'alone':>8} {'workers':>8} {'speed-up':>8} {'sklearn':>9} {'ratio':>7}")
    found = []
    for shape in args.shape or SHAPES:
        one = measure(shape, args.repeats)
        found.append(one)
        print(
            f"{shape:>13} {one['one_process_ms']:8.2f} {one['all_cores_ms']:8.2f} {one['speed_up']:8.2f} "
            f"{one['sklearn_ms']:9.1f} {one['sklearn_ratio']:7.1f}",
            flush=True,
        )
    if args.json is not None:
        about = {"versions": versions("numpy", "scipy", "scikit-learn", "joblib"), "busy_cores_at_start": busy}
        store(args.json, about | {"shapes": found})


if __name__ == "__main__":
    main()
