"""Time and memory of one EM iteration of a Gaussian mixture: emlib beside scikit-learn, through the public API of both.

One thread, float64, full covariances, no ridge, the same start and number of iterations, the two interleaved in one
fresh process for each shape; CPU time of the process, which other load does not touch much. Printed are medians, the
ratio of each pair, and the most memory that emlib's fit added to the data. Run it from the repository:
``.venv/bin/python -m benchmarks.gaussian_mixtures``; ``--shape 100000,4,8`` runs one shape, ``--json FILE`` writes
the numbers. OpenBLAS chooses its kernels by the processor; ``OPENBLAS_CORETYPE=Haswell`` in the environment asks for
those of AVX2, and the table names the ones that ran.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SHAPES = (
    "150,4,3",
    "272,2,2",
    "10000,2,3",
    "100000,4,8",
    "100000,16,16",
    "1000000,8,10",
    "1000000,2,5",
    "20000,64,10",
)
ELEMENTS = 4e6  # iterations are repeated until about as many responsibilities were computed

Runner = Callable[[int], object]


def problem(n: int, d: int, m: int) -> tuple[np.ndarray, Any]:
    """Return overlapping clusters and a start near them."""
    from emlib import GaussianParameters, MixtureParameters

    rng = np.random.default_rng(0)
    centers = 2.0 * rng.standard_normal((m, d))
    x = rng.standard_normal((n, d))
    x += centers[rng.integers(m, size=n)]
    start = GaussianParameters(centers + 0.3 * rng.standard_normal((m, d)), np.repeat(np.eye(d)[None], m, axis=0))
    return x, MixtureParameters(np.full(m, 1 / m), start)


def emlib_runner(x: np.ndarray, start: Any) -> Runner:
    """Return a function that runs emlib for a number of iterations."""
    from emlib import Gaussian, Mixture, em

    return lambda k: em(Mixture(Gaussian("full")), x, start, tol=0, max_iter=k)


def sklearn_runner(x: np.ndarray, start: Any) -> Runner:
    """Return a function that runs scikit-learn for the same number of iterations."""
    from sklearn.mixture import GaussianMixture

    options = {
        "weights_init": start.weights,
        "means_init": start.components.means,
        "precisions_init": np.linalg.inv(start.components.covariances),
    }
    return lambda k: GaussianMixture(len(start.weights), tol=0, reg_covar=0, max_iter=k, **options).fit(x)


def cpu_per_iteration(run: Runner, few: int, many: int) -> float:
    """Return seconds of CPU an iteration takes: the slope between two numbers of iterations."""
    begin = time.process_time()
    run(few)
    middle = time.process_time()
    run(many)
    end = time.process_time()
    return ((end - middle) - (middle - begin)) / (many - few)


def resident() -> float:
    """Return the anonymous memory of the process in MiB (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    [kilobytes] = [line.split()[1] for line in lines if line.startswith("RssAnon")]
    return int(kilobytes) / 1024


def peak_memory(run: Runner) -> float:
    """Return the most memory in MiB that a run adds, sampled every half millisecond."""
    before, seen, done = resident(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.0005):
            seen.append(resident() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    run(10)
    done.set()
    watcher.join()
    return max(seen)


def measure(n: int, d: int, m: int, repeats: int) -> dict[str, Any]:
    """Return medians, ratios and memory of one shape."""
    x, start = problem(n, d, m)
    memory = peak_memory(emlib_runner(x, start))  # first: nothing has been allocated and freed before
    from threadpoolctl import threadpool_info, threadpool_limits

    warnings.simplefilter("ignore")  # scikit-learn warns that a fixed number of iterations has not converged
    runners = [emlib_runner(x, start), sklearn_runner(x, start)]
    iterations = max(3, min(200, round(ELEMENTS / (n * m))))
    with threadpool_limits(1):
        for run in runners:
            run(2)
        times = np.array([[cpu_per_iteration(run, 2, 2 + iterations) for run in runners] for _ in range(repeats)])
        kernels = sorted({info["architecture"] for info in threadpool_info() if info["internal_api"] == "openblas"})
    ratios = times[:, 1] / times[:, 0]
    ours, theirs = np.median(times, axis=0) * 1e3
    return {
        "shape": [n, d, m],
        "kernels": kernels,
        "emlib_ms": ours,
        "sklearn_ms": theirs,
        "ratio": float(np.median(ratios)),
        "ratio_range": [float(ratios.min()), float(ratios.max())],
        "memory_mib": memory,
    }


def measure_afresh(shape: str, repeats: int) -> dict[str, Any]:
    """Return what :func:`measure` gives in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.gaussian_mixtures", "--one", shape, "--repeats", str(repeats)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def versions() -> str:
    """Return the versions of what is compared."""
    from importlib.metadata import version

    return ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "scikit-learn"))


def main() -> None:
    """Parse the options, measure each shape, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", action="append", help="rows,columns,components; may be repeated")
    parser.add_argument("--repeats", type=int, default=5, help="pairs of runs for each shape (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one is not None:
        print(json.dumps(measure(*map(int, args.one.split(",")), args.repeats)))
        return
    print(f"{versions()}; one thread, CPU time of one EM iteration in ms, medians of {args.repeats}")
    print(
        f"{'rows, columns, components':>26} {'emlib':>9} {'sklearn':>9} {'ratio':>7}  {'from':>5} {'to':>5}  MiB added"
    )
    found = []
    for shape in args.shape or SHAPES:
        one = measure_afresh(shape, args.repeats)
        found.append(one)
        low, high = one["ratio_range"]
        print(
            f"{shape:>26} {one['emlib_ms']:9.4g} {one['sklearn_ms']:9.4g} {one['ratio']:7.2f}  {low:5.1f} {high:5.1f}  "
            f"{one['memory_mib']:9.1f}",
            flush=True,
        )
    mean = np.exp(np.mean([np.log(one["ratio"]) for one in found]))
    print(f"geometric mean of the ratios {mean:.2f}; OpenBLAS kernels {', '.join(found[0]['kernels'])}")
    if args.json is not None:
        args.json.write_text(json.dumps({"versions": versions(), "shapes": found}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
