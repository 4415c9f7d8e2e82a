"""Run all benchmarks one after the other, store their numbers in benchmarks/results/ and draw the figure.

``make bench``, or ``.venv/bin/python -m benchmarks``; ``--quick`` runs small problems and stores nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from benchmarks.machine import environment

FULL = (
    ("gaussian_mixtures", "--json=gaussian_mixtures"),
    ("gaussian_mixtures", "--kernel=Haswell", "--alone", "--json=gaussian_mixtures_haswell"),
    ("hmm_iteration", "--json=hmm_iteration"),
    ("growth", "--json=growth"),
    ("whole_fits", "--json=whole_fits"),
    ("acceleration", "--json=acceleration"),
    ("time_to_optimum", "--json=time_to_optimum"),
    ("all_cores", "--json=all_cores"),
    ("streaming", "--json=streaming"),
    ("figure",),
)
QUICK = (
    ("gaussian_mixtures", "--shape=272,2,2", "--shape=10000,2,3", "--repeats=2"),
    ("hmm_iteration", "--shape=1,500,3,1", "--repeats=2"),
    ("growth", "--most=10000"),
    ("whole_fits", "--shape=272,2,2", "--seeds=1", "--repeats=1"),
    ("acceleration", "--starts=1", "--only=Hasselblad"),
    ("time_to_optimum", "--rows=2000", "--draws=1", "--max-iter=200", "--cap=10"),
    ("all_cores", "--shape=100000,4,8", "--repeats=1"),
    ("streaming", "--sizes", "10000", "20000"),
)


def main() -> int:
    """Run each benchmark in a process of its own; return how many failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small problems, nothing stored")
    quick = parser.parse_args().quick
    failed = 0
    for module, *options in QUICK if quick else FULL:
        print(f"\n== {' '.join([module, *options])}", flush=True)
        begin = time.monotonic()
        # All cores means all of BLAS' threads too; the others set one thread in the processes that they start.
        command = [sys.executable, "-m", f"benchmarks.{module}", *options]
        chosen = environment("own")
        if module == "all_cores":
            for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
                chosen.pop(name)
        failed += subprocess.run(command, env=chosen, check=False).returncode != 0
        print(f"({time.monotonic() - begin:.0f} s)", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
