"""CPU time of `import emlib` against `import numpy`, in fresh processes taken in turns.

Run from the repository: ``.venv/bin/python -m benchmarks.import_cost``
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys

# The start of the interpreter is left out: it would dilute the difference.
PROGRAM = "import time; start = time.process_time(); import {}; print(time.process_time() - start)"


def cpu_seconds(module: str) -> float:
    """Return the CPU time that importing a module takes in a fresh interpreter."""
    # Compiled files must be written: users have them, and without them the compiler is what is timed.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", PROGRAM.format(module)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(run.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="pairs of processes (default: %(default)s)")
    rounds = parser.parse_args().rounds
    for module in ("numpy", "emlib"):
        cpu_seconds(module)  # the first import writes the compiled files
    pairs = [(cpu_seconds("numpy"), cpu_seconds("emlib")) for _ in range(rounds)]
    numpy, emlib = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(ours / theirs for theirs, ours in pairs)
    print(f"import numpy {1000 * numpy:.0f} ms, import emlib {1000 * emlib:.0f} ms of CPU time (medians of {rounds})")
    print(f"emlib / numpy: {ratio:.2f} (median of the pairs)")


if __name__ == "__main__":
    main()
