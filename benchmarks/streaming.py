"""Rows read in chunks from a file: time a row, memory, and what a cluster moves, as the rows grow from 1e5 to 1e7.

Each measurement is one fresh process that reads float64 rows in four columns from a file (written in chunks by this
script, so in the page cache), and does EM iterations of five Gaussians with full covariances; BLAS has one thread.

* ``stream``: CPU time a row and iteration (the slope between a short and a long run, so that neither the start nor the
  imports enter) and how much the peak of resident memory rises, first in the passes that check the rows and find a
  start, then in the iterations; two chunks of 2 MiB, which the source holds while it reads, are in both. Linux only.
* ``cluster``: a ``dask.array`` of the file on a LocalCluster of two worker processes. Wall time of an E-step, in ten
  chunks and for the fewest rows also in 200, which shows what a chunk costs the scheduler; bytes of a chunk's
  statistics and of model and parameters.

Run it from the repository: ``.venv/bin/python -m benchmarks.streaming``; ``--json streaming`` stores the numbers in
``benchmarks/results/streaming.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import store
from emlib import Gaussian, Mixture, em
from emlib.starts import gaussian_start

SIZES = (100_000, 1_000_000, 10_000_000)
COLUMNS, COMPONENTS = 4, 5
CHUNK = 65_536


def write_rows(path: Path, n: int) -> None:
    """Write n rows of five overlapping Gaussians, chunk by chunk."""
    rng = np.random.default_rng(0)
    centers = 3 * rng.standard_normal((COMPONENTS, COLUMNS))
    with path.open("wb") as file:
        for start in range(0, n, CHUNK):
            size = min(CHUNK, n - start)
            rows = centers[rng.integers(COMPONENTS, size=size)] + rng.standard_normal((size, COLUMNS))
            file.write(rows.tobytes())


def read_rows(path: Path) -> Iterator[np.ndarray]:
    """Yield the rows of a file as read from it, chunk by chunk."""
    with path.open("rb") as file:
        while content := file.read(CHUNK * COLUMNS * 8):
            yield np.frombuffer(content).reshape(-1, COLUMNS)


def resident(which: str) -> float:
    """Return resident memory of this process in MiB, VmRSS or its peak VmHWM (getrusage would include the parent's)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{which}:")[1].split()[0]) / 1024


def from_here() -> float:
    """Forget the peak so far, and return the resident memory."""
    Path("/proc/self/clear_refs").write_text("5")
    return resident("VmRSS")


def stream(path: Path, n: int) -> dict[str, Any]:
    """Measure a run over a source of chunks."""
    before = from_here()
    model = Mixture(Gaussian())
    rows = model.prepare(lambda: read_rows(path))
    start = gaussian_start(rows, COMPONENTS, model.family, "k-means++", np.random.default_rng(0))
    of_start = resident("VmHWM") - before
    before = from_here()
    few, many = 1, 1 + max(2, 20_000_000 // n)
    seconds = []
    for _ in range(5):
        spent = []
        for iterations in (few, many):
            begin = time.process_time()
            em(model, rows, start, tol=0, max_iter=iterations)
            spent.append(time.process_time() - begin)
        seconds.append((spent[1] - spent[0]) / (many - few))
    return {
        "n": n,
        "nanoseconds_per_row_and_iteration": [1e9 * value / n for value in sorted(seconds)],
        "mib_added_by_start": of_start,
        "mib_added_by_iterations": resident("VmHWM") - before,
    }


def start_of(path: Path) -> Any:
    """Return a start from the first chunk."""
    model = Mixture(Gaussian())
    rows = model.prepare(next(read_rows(path)))
    return gaussian_start(rows, COMPONENTS, model.family, "k-means++", np.random.default_rng(0))


def cluster(path: Path, n: int, n_chunks: int) -> dict[str, Any]:
    """Measure E-steps over a dask.array on two worker processes."""
    import dask.array as da
    from distributed import Client, LocalCluster

    model = Mixture(Gaussian())
    mapped = np.memmap(path, mode="r").view(np.float64).reshape(-1, COLUMNS)
    x = da.from_array(mapped, chunks=(n // n_chunks, COLUMNS))
    start = start_of(path)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as workers,
        Client(workers),
    ):
        rows = model.prepare(x)
        walls = []
        for _ in range(9):
            begin = time.perf_counter()
            stats, _ = model.e_step(start, rows)
            walls.append(time.perf_counter() - begin)
    return {
        "n": n,
        "chunks": n_chunks,
        "workers": 2,
        "wall_seconds_per_e_step": sorted(walls[1:]),
        "bytes_of_statistics_of_a_chunk": len(pickle.dumps(stats)),
        "bytes_of_model_and_parameters": len(pickle.dumps((model, start))),
    }


def in_fresh_process(what: str, path: Path, n: int, n_chunks: int = 0) -> dict[str, Any]:
    """Run one measurement in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.streaming",
        "--measure",
        what,
        "--path",
        str(path),
        f"--rows={n}",
        f"--chunks={n_chunks}",
    ]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", choices=["stream", "cluster"])
    parser.add_argument("--path", type=Path)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--chunks", type=int)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--json", metavar="NAME", help="write the numbers to benchmarks/results/NAME.json")
    options = parser.parse_args()
    if options.measure == "stream":
        print(json.dumps(stream(options.path, options.rows)))
        return
    if options.measure == "cluster":
        print(json.dumps(cluster(options.path, options.rows, options.chunks)))
        return
    streams, clusters = [], []
    with tempfile.TemporaryDirectory() as folder:
        for n in options.sizes:
            path = Path(folder) / "rows"
            write_rows(path, n)
            streams.append(in_fresh_process("stream", path, n))
            print(json.dumps(streams[-1]), flush=True)
            for n_chunks in (10, 200) if n == min(options.sizes) else (10,):
                clusters.append(in_fresh_process("cluster", path, n, n_chunks))
                print(json.dumps(clusters[-1]), flush=True)
    medians = [run["nanoseconds_per_row_and_iteration"][2] for run in streams]
    ratio = medians[-1] / medians[0]
    print(f"median time a row, {options.sizes[-1]} rows to {options.sizes[0]}: {ratio:.3f}")
    if options.json is not None:
        result = {"columns": COLUMNS, "components": COMPONENTS, "stream": streams, "cluster": clusters}
        store(options.json, result | {"median_time_per_row_last_to_first": ratio})


if __name__ == "__main__":
    main()
