"""Rows read in chunks from a file: time a row, memory, and what a cluster moves, as the rows grow from 1e5 to 1e7.

Each size is one fresh process that maps a file of float64 rows in four columns to memory (written once, in chunks, by
this script), or runs over a ``dask.array`` of it on a LocalCluster of worker processes, and does EM iterations of five
Gaussians with full covariances. Measured are CPU time a row and iteration (the slope between a short and a long run, so
that neither the start nor imports enter), peak resident memory above that after imports, and for the cluster the bytes
of parameters and statistics, and wall time an iteration. With a file in the page cache; BLAS on one thread.

Run it with ``python benchmarks/streaming.py``; it prints a table and writes ``benchmarks/results/streaming.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from emlib import Gaussian, Mixture, em
from emlib.starts import gaussian_start

RESULTS = Path(__file__).parent / "results" / "streaming.json"
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


def peak() -> float:
    """Return the peak resident memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def stream(path: Path, n: int) -> dict[str, Any]:
    """Measure a run over a source of chunks."""
    model = Mixture(Gaussian())
    em(model, read_rows_of_first(path), start_of(path), tol=0, max_iter=2)
    before = peak()
    rows = model.prepare(lambda: read_rows(path))
    start = gaussian_start(rows, COMPONENTS, model.family, "k-means++", np.random.default_rng(0))
    few, many = 1, 1 + max(2, 20_000_000 // n // 4)
    seconds = []
    for _ in range(3):
        spent = []
        for iterations in (few, many):
            begin = time.process_time()
            em(model, rows, start, tol=0, max_iter=iterations)
            spent.append(time.process_time() - begin)
        seconds.append((spent[1] - spent[0]) / (many - few))
    return {
        "n": n,
        "nanoseconds_per_row_and_iteration": [1e9 * value / n for value in sorted(seconds)],
        "peak_mib_above_one_chunk": peak() - before,
    }


def read_rows_of_first(path: Path) -> np.ndarray:
    """Return the first chunk."""
    return next(read_rows(path))


def start_of(path: Path) -> Any:
    """Return a start from the first chunk."""
    model = Mixture(Gaussian())
    rows = model.prepare(read_rows_of_first(path))
    return gaussian_start(rows, COMPONENTS, model.family, "k-means++", np.random.default_rng(0))


def cluster(path: Path, n: int) -> dict[str, Any]:
    """Measure a run over a dask.array on two worker processes, in ten chunks or one a million rows."""
    import dask.array as da
    from distributed import Client, LocalCluster

    model = Mixture(Gaussian())
    x = da.from_array(np.memmap(path, mode="r").view(np.float64).reshape(-1, COLUMNS), chunks=(max(n // 10, 1), COLUMNS))
    start = start_of(path)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as workers,
        Client(workers),
    ):
        rows = model.prepare(x)
        walls = []
        for _ in range(5):
            begin = time.perf_counter()
            stats, _ = model.e_step(start, rows)
            walls.append(time.perf_counter() - begin)
    return {
        "n": n,
        "chunks": len(x.chunks[0]),
        "workers": 2,
        "wall_seconds_per_iteration": sorted(walls),
        "bytes_of_statistics_of_a_chunk": len(pickle.dumps(stats)),
        "bytes_of_model_and_parameters": len(pickle.dumps((model, start))),
    }


def in_fresh_process(what: str, path: Path, n: int) -> dict[str, Any]:
    """Run one measurement in a process of its own."""
    command = [sys.executable, __file__, "--measure", what, "--path", str(path), "--rows", str(n)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", choices=["stream", "cluster"])
    parser.add_argument("--path", type=Path)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    options = parser.parse_args()
    if options.measure:
        measure = {"stream": stream, "cluster": cluster}[options.measure]
        print(json.dumps(measure(options.path, options.rows)))
        return
    found: dict[str, list[dict[str, Any]]] = {"stream": [], "cluster": []}
    with tempfile.TemporaryDirectory() as folder:
        for n in options.sizes:
            path = Path(folder) / "rows"
            write_rows(path, n)
            for what, results in found.items():
                results.append(in_fresh_process(what, path, n))
                print(what, json.dumps(results[-1]), flush=True)
    first, last = (run["nanoseconds_per_row_and_iteration"][1] for run in (found["stream"][0], found["stream"][-1]))
    result = {"columns": COLUMNS, "components": COMPONENTS, **found, "time_per_row_last_to_first": last / first}
    print(f"time a row, {options.sizes[-1]} rows to {options.sizes[0]}: {last / first:.3f}")
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
