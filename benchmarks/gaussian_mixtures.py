"""Time and memory of one EM iteration of a Gaussian mixture: emlib beside other packages, by their public interfaces.

One thread, float64, full covariances, no ridge, the same start, no stopping rule, all packages interleaved in one fresh
process for each shape; CPU time of the process, which other load does not touch much: the slope between one iteration
and as many as take a second. Printed are medians,
the ratio of each pair, and the most memory that a fit added to the data, each in a process of its own. mlpack and
OpenCV cannot be given the whole start, so theirs differs. Of a package whose start and first iteration took more than
`SLOW` seconds two iterations are timed once, or none if it was more than `TOO_SLOW`.

Run it from the repository: ``.venv/bin/python -m benchmarks.gaussian_mixtures``; ``--shape 100000,4,8`` runs one shape.
OpenBLAS chooses its kernels by the processor; ``--kernel Haswell`` asks for those of AVX2, and the table names the ones
that ran. Other packages than scikit-learn are timed where they are installed.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.machine import afresh, kernels, store, versions

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
SECONDS = 1.0  # a run lasts about as long, unless that is more than 200 iterations or fewer than 2

Runner = Callable[[int], object]
ALWAYS = ("emlib", "scikit-learn")
SLOW, TOO_SLOW = 1.0, 2.0


def problem(n: int, d: int, m: int, spread: float = 2.0) -> tuple[np.ndarray, Any]:
    """Return clusters, overlapping unless their means spread far, and a start near them."""
    from emlib import GaussianParameters, MixtureParameters

    rng = np.random.default_rng(0)
    centers = spread * rng.standard_normal((m, d))
    x = rng.standard_normal((n, d))
    x += centers[rng.integers(m, size=n)]
    start = GaussianParameters(centers + 0.3 * rng.standard_normal((m, d)), np.repeat(np.eye(d)[None], m, axis=0))
    return x, MixtureParameters(np.full(m, 1 / m), start)


def cpu(run: Runner, iterations: int) -> float:
    """Return seconds of CPU that a run takes."""
    begin = time.process_time()
    run(iterations)
    return time.process_time() - begin


def cpu_per_iteration(run: Runner, few: int, many: int) -> float:
    """Return seconds of CPU an iteration takes: the slope between two numbers of iterations."""
    short = cpu(run, few)
    return (cpu(run, many) - short) / (many - few)


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
    run(3)
    done.set()
    watcher.join()
    return max(seen)


def same_means(runners: dict[str, Runner], names: list[str]) -> float:
    """Return by how much the means of the packages that take the same start differ after three iterations, at most."""
    means = [np.asarray(runners[name](3)) for name in names]
    return max(float(np.abs(one - means[0]).max()) for one in means)


def measure(n: int, d: int, m: int, repeats: int, names: list[str]) -> dict[str, Any]:
    """Return medians and ratios of one shape."""
    from threadpoolctl import threadpool_limits

    warnings.simplefilter("ignore")  # scikit-learn warns that a fixed number of iterations has not converged
    x, start = problem(n, d, m)
    runners, broken = peers.runners(x, start, names)
    with threadpool_limits(1):
        first = {name: cpu(run, 1) for name, run in runners.items()}
        for name, run in runners.items():
            if first[name] < TOO_SLOW:  # again: the first time JAX compiles, and others allocate
                first[name] = cpu(run, 1)
        many = {name: 1 + max(2, min(200, round(SECONDS / first[name]))) for name in runners}
        regular = [name for name in runners if name in ALWAYS or first[name] < SLOW]
        once = [name for name in runners if name not in regular and first[name] < TOO_SLOW]
        times: dict[str, list[float]] = {name: [] for name in regular}
        for _ in range(repeats):
            for name in regular:
                times[name].append(cpu_per_iteration(runners[name], 1, many[name]))
        times |= {name: [cpu_per_iteration(runners[name], 1, 3)] for name in once}
        agree = same_means(runners, [name for name in regular if name not in peers.OTHER_START])
    left_out = broken | {
        name: f"start and first iteration took {first[name]:.1f} s" for name in runners if name not in times
    }
    return {"shape": [n, d, m], "kernels": kernels(), "means_differ": agree, "left_out": left_out, **table(times)}


def table(times: dict[str, list[float]]) -> dict[str, Any]:
    """Return medians in ms, and the median and the range of the ratios to emlib's time of the same round."""
    ours = np.array(times["emlib"])
    packages = {}
    for name, found in times.items():
        ratios = np.array(found) / (ours if len(found) > 1 else np.median(ours))
        packages[name] = {
            "ms": float(np.median(found)) * 1e3,
            "ratio": float(np.median(ratios)),
            "ratio_range": [float(ratios.min()), float(ratios.max())],
            "rounds": len(found),
        }
    main = packages.pop("scikit-learn")
    ours_ms = packages.pop("emlib")["ms"]
    return {"emlib_ms": ours_ms, "sklearn_ms": main.pop("ms"), **main, "peers": packages}


def memory(n: int, d: int, m: int, name: str) -> dict[str, float]:
    """Return the memory in MiB that a fit of one package adds, nothing having been allocated and freed before."""
    warnings.simplefilter("ignore")
    x, start = problem(n, d, m)
    return {"memory_mib": peak_memory(peers.PACKAGES[name][2](x, start))}


def line(found: dict[str, Any]) -> str:
    """Return one shape as a line of the table."""
    low, high = found["ratio_range"]
    shape = ",".join(str(size) for size in found["shape"])
    others = "  ".join(f"{name} {peer['ratio']:.2f}" for name, peer in found["peers"].items())
    return (
        f"{shape:>13} {found['emlib_ms']:9.4g} {found['sklearn_ms']:9.4g} {found['ratio']:7.2f} {low:5.1f} {high:5.1f} "
        f"{found['memory_mib']['emlib']:7.1f} {found['memory_mib']['scikit-learn']:8.1f}  {others}"
    )


def main() -> None:
    """Parse the options, measure each shape, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", action="append", help="rows,columns,components; may be repeated")
    parser.add_argument("--repeats", type=int, default=3, help="rounds for each shape (default: %(default)s)")
    parser.add_argument("--kernel", default="own", help="OpenBLAS kernels, say Haswell (default: its own choice)")
    parser.add_argument("--alone", action="store_true", help="leave out packages other than scikit-learn")
    parser.add_argument("--json", metavar="NAME", help="write the numbers to benchmarks/results/NAME.json")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    names = [name for name in peers.installed() if name in ALWAYS or not args.alone]
    if args.one is not None:
        print(json.dumps(measure(*map(int, args.one.split(",")), args.repeats, names)))
        return
    if args.memory is not None:
        shape, name = args.memory
        print(json.dumps(memory(*map(int, shape.split(",")), name)))
        return
    about = versions("numpy", "scipy", "scikit-learn")
    others = versions(*(distribution for _, distribution, _ in peers.PACKAGES.values()))
    print(f"{about}; {others}")
    print(f"one thread, CPU time of one EM iteration in ms, medians of {args.repeats}; ratios to emlib's time")
    missing = [name for name in peers.PACKAGES if name not in peers.installed()]
    if missing and not args.alone:
        print(f"not installed, so left out: {', '.join(missing)}")
    print("  rows,columns,components, ms: emlib, scikit-learn, ratio from to, MiB added: emlib, scikit-learn, others")
    shapes = []
    for shape in args.shape or SHAPES:
        options = [f"--repeats={args.repeats}", *(["--alone"] if args.alone else [])]
        found = afresh("gaussian_mixtures", "--one", shape, *options, kernel=args.kernel)
        found["memory_mib"] = {
            name: afresh("gaussian_mixtures", "--memory", shape, name, kernel=args.kernel)["memory_mib"]
            for name in ALWAYS
        }
        shapes.append(found)
        print(line(found), flush=True)
        mean = float(np.exp(np.mean([np.log(one["ratio"]) for one in shapes])))
        if args.json is not None:
            content = {"versions": about, "peer_versions": others, "not_installed": missing}
            store(args.json, content | {"geometric_mean": mean, "shapes": shapes})
    ran = ", ".join(shapes[0]["kernels"])
    print(f"geometric mean of the ratios to scikit-learn {mean:.2f}; OpenBLAS kernels {ran}")
    lost = [f"{one['shape']} {name}" for one in shapes for name, peer in one["peers"].items() if peer["ratio"] < 1]
    lost += [f"{one['shape']} scikit-learn" for one in shapes if one["ratio"] < 1]
    print(f"emlib is slower: {'; '.join(lost) or 'nowhere'}")


if __name__ == "__main__":
    main()
