"""Time per row and memory of an EM iteration as data in memory grow: 4 columns, 8 components, 10^4 rows to 10^7.

One thread, CPU time, each number of rows in a process of its own; memory is the most that a fit adds to the data.
Run it from the repository: ``.venv/bin/python -m benchmarks.growth``
"""

from __future__ import annotations

import argparse
import json
import warnings

import numpy as np

from benchmarks import peers
from benchmarks.gaussian_mixtures import cpu_per_iteration, memory, problem
from benchmarks.machine import afresh, kernels, store, versions

SIZES = {"emlib": (10**4, 10**5, 10**6, 10**7), "scikit-learn": (10**4, 10**5, 10**6)}
COLUMNS, COMPONENTS = 4, 8


def measure(name: str, n: int) -> dict[str, object]:
    """Return nanoseconds an iteration takes per row, and MiB."""
    warnings.simplefilter("ignore")  # scikit-learn warns that a fixed number of iterations has not converged
    added = memory(n, COLUMNS, COMPONENTS, name)["memory_mib"]
    run = peers.PACKAGES[name][2](*problem(n, COLUMNS, COMPONENTS))
    iterations = max(2, 10**6 // n)
    run(1)
    seconds = [cpu_per_iteration(run, 1, 1 + iterations) for _ in range(3)]
    return {"rows": n, "ns_per_row": float(np.median(seconds)) / n * 1e9, "memory_mib": added, "kernels": kernels()}


def main() -> None:
    """Measure each size, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=10**7, help="most rows (default: %(default)s)")
    parser.add_argument("--json", metavar="NAME", help="write the numbers to benchmarks/results/NAME.json")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one is not None:
        name, n = args.one
        print(json.dumps(measure(name, int(n))))
        return
    found: dict[str, list[dict[str, object]]] = {name: [] for name in SIZES}
    print(f"{'package':13} {'rows':>9} {'ns a row':>9} {'MiB added':>10}")
    for name, sizes in SIZES.items():
        for n in sizes:
            if n > args.most:
                continue
            one = afresh("growth", "--one", name, str(n))
            found[name].append(one)
            print(f"{name:13} {n:9} {one['ns_per_row']:9.1f} {one['memory_mib']:10.1f}", flush=True)
    if args.json is not None:
        shape = {"columns": COLUMNS, "components": COMPONENTS}
        store(args.json, {"versions": versions("numpy", "scipy", "scikit-learn")} | shape | {"packages": found})


if __name__ == "__main__":
    main()
