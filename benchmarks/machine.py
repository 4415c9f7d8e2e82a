"""What a time depends on beside the code: processor, OpenBLAS' kernels, versions; and processes of one's own."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
CHOSEN_KERNEL = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # of the environment; without them OpenBLAS looks itself


def processor() -> str:
    """Return the name of the processor with its number of cores."""
    names = [platform.processor() or platform.machine()]
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")] or names
    return f"{names[0]}, {os.cpu_count()} cores"


def kernels() -> list[str]:
    """Return the kernels that the OpenBLAS of NumPy and SciPy runs; other packages may bring an older one."""
    from threadpoolctl import threadpool_info

    ours = [info for info in threadpool_info() if "scipy_openblas" in Path(info["filepath"]).name]
    return sorted({info["architecture"] for info in ours})


def versions(*names: str) -> str:
    """Return the versions of Python and of those packages that are installed."""
    found = [f"Python {platform.python_version()}"]
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def load() -> float:
    """Return how many processes wanted to run in the last minute: wall times mean little above the number of cores."""
    return round(os.getloadavg()[0], 1)


def busy_cores(seconds: float = 2.0) -> float:
    """Return how many cores other processes keep busy while this one sleeps (Linux; the load elsewhere)."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return load()

    def spent() -> tuple[int, int]:
        times = [int(field) for field in stat.read_text(encoding="utf-8").splitlines()[0].split()[1:]]
        return sum(times), times[3] + times[4]  # all, idle

    before = spent()
    time.sleep(seconds)
    total, idle = (after - first for after, first in zip(spent(), before, strict=True))
    return round((os.cpu_count() or 1) * (1 - idle / total), 2)


def environment(kernel: str) -> dict[str, str]:
    """Return an environment with one thread and OpenBLAS' choice of kernels ("own"), or the kernels of this name."""
    chosen = {name: value for name, value in os.environ.items() if name not in CHOSEN_KERNEL}
    chosen |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    chosen["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    return chosen if kernel == "own" else chosen | {"OPENBLAS_CORETYPE": kernel}


def afresh(module: str, *arguments: str, kernel: str = "own") -> Any:
    """Return the JSON that a module of the benchmarks prints in a process of its own.

    Parameters
    ----------
    module : str
        Its name, as in ``benchmarks.NAME``.
    *arguments : str
        Its command line.
    kernel : str
        What OpenBLAS is to run, "own" for what it chooses on this processor.

    Returns
    -------
    object
        What the last line of its output says.

    Raises
    ------
    RuntimeError
        If the process fails; the message ends with what it wrote.
    """
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    run = subprocess.run(command, env=environment(kernel), capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise RuntimeError(f"benchmarks.{module} {' '.join(arguments)} failed:\n{run.stderr[-2000:]}")
    return json.loads(run.stdout.splitlines()[-1])


def store(name: str, content: dict[str, Any]) -> None:
    """Write results to a file of this name, with what they depend on."""
    RESULTS.mkdir(exist_ok=True)
    about = {"processor": processor(), "load": load()}
    (RESULTS / f"{name}.json").write_text(json.dumps(about | content, indent=1) + "\n", encoding="utf-8")
