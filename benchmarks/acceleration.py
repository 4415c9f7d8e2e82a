"""EM beside SQUAREM and quasi-Newton on slow problems: evaluations and CPU time to the same log-likelihood.

Every scheme runs from the same starts. Counted are E-steps (passes over the data, refused steps included) and CPU time
until the log-likelihood is within 1e-9, relative, of where that run ends; EM itself runs until its estimate of what
is left is below 1e-10 nats. A run that ends in another optimum than EM's is counted as better or worse and left out of
the ratios; a run that does not converge is counted as failed. Run it from the repository:
``.venv/bin/python -m benchmarks.acceleration``; ``--json acceleration`` stores the numbers.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.machine import store, versions
from emlib import Bernoulli, Categorical, Exponential, Gaussian, Mixture, MixtureParameters, Poisson, Status, em
from emlib.acceleration import QuasiNewton, Squarem
from emlib.datasets import load_hasselblad
from emlib.rows import as_rows
from emlib.starts import gaussian_start

SCHEMES = {"em": None, "squarem": Squarem(), "quasi-newton": QuasiNewton()}
Data = tuple[np.ndarray, np.ndarray | None]


@dataclass(frozen=True)
class Problem:
    """Data, a family and how many components to fit."""

    name: str
    data: Callable[[np.random.Generator], Data]
    family: Callable[[], Any]
    n_components: int

    def start(self, data: Data, rng: np.random.Generator) -> MixtureParameters[Any]:
        """Return k-means++ clusters for Gaussians, an M-step from random responsibilities for the others."""
        x, weights = data
        family = self.family()
        if isinstance(family, Gaussian):
            return gaussian_start(as_rows(x), self.n_components, family, "k-means++", rng)
        responsibilities = rng.dirichlet(np.ones(self.n_components), len(x))
        return Mixture(family).from_responsibilities(x, responsibilities, weights)


def gaussians(n: int, d: int, m: int, separation: float) -> Callable[[np.random.Generator], Data]:
    """Return a draw of unit Gaussians whose means are normal with this standard deviation."""

    def draw(rng: np.random.Generator) -> Data:
        centers = separation * rng.standard_normal((m, d))
        return centers[rng.integers(m, size=n)] + rng.standard_normal((n, d)), None

    return draw


def overlapping(rng: np.random.Generator) -> Data:
    """Return two unit Gaussians two standard deviations apart, weights 1/4 and 3/4."""
    return np.array([0.0, 2.0])[rng.choice(2, size=(1000, 1), p=[0.25, 0.75])] + rng.standard_normal((1000, 1)), None


def latent_classes(n: int, d: int, m: int, k: int) -> Callable[[np.random.Generator], Data]:
    """Return a draw of m classes with d items of k categories."""

    def draw(rng: np.random.Generator) -> Data:
        steps = rng.dirichlet(np.full(k, 2.0), (m, d)).cumsum(axis=-1)[:, :, :-1]
        return (rng.random((n, d, 1)) > steps[rng.integers(m, size=n)]).sum(axis=-1).astype(float), None

    return draw


def poissons(rng: np.random.Generator) -> Data:
    """Return counts in two columns with three overlapping rates."""
    rates = np.array([[2.0, 3.0], [4.0, 4.0], [6.0, 8.0]])
    return rng.poisson(rates[rng.integers(3, size=1000)]).astype(float), None


def waiting_times(rng: np.random.Generator) -> Data:
    """Return exponential times at two rates."""
    return rng.exponential(np.array([1.0, 3.0])[rng.integers(2, size=1000)])[:, None], None


def hasselblad(_rng: np.random.Generator) -> Data:
    """Return the published counts with the number of days as weights."""
    deaths, days = load_hasselblad().data.T
    return deaths[:, None], days


PROBLEMS = (
    Problem("Gauss d1 M2 overlap", overlapping, Gaussian, 2),
    Problem("Gauss d2 M3 sep 2", gaussians(1000, 2, 3, 2.0), Gaussian, 3),
    Problem("Gauss d2 M5 sep 1.5", gaussians(1000, 2, 5, 1.5), Gaussian, 5),
    Problem("Gauss d2 true 2 fit 4", gaussians(1000, 2, 2, 2.0), Gaussian, 4),
    Problem("Gauss d3 tied M4", gaussians(1000, 3, 4, 1.2), lambda: Gaussian("tied"), 4),
    Problem("Gauss d4 diag M4", gaussians(1000, 4, 4, 1.0), lambda: Gaussian("diag"), 4),
    Problem("Gauss d5 M4 sep 1.5", gaussians(2000, 5, 4, 1.5), Gaussian, 4),
    Problem("Gauss d8 M6 sep 1.5", gaussians(4000, 8, 6, 1.5), Gaussian, 6),
    Problem("Poisson Hasselblad", hasselblad, Poisson, 2),
    Problem("Poisson d2 M3", poissons, Poisson, 3),
    Problem("Bernoulli d8 M3", latent_classes(1000, 8, 3, 2), Bernoulli, 3),
    Problem("Categorical d6 M3", latent_classes(1000, 6, 3, 3), lambda: Categorical(3), 3),
    Problem("Exponential M2", waiting_times, Exponential, 2),
)


class Counting(Mixture[Any, Any]):
    """A mixture that counts its E-steps."""

    e_steps = 0

    def e_step(self, theta: Any, data: Any) -> Any:
        """Return what a mixture does, and count."""
        self.e_steps += 1
        return super().e_step(theta, data)


@dataclass(frozen=True)
class Run:
    """How one run went: the end, and what it cost to come within 1e-9 of it."""

    status: str
    log_likelihood: float
    fell: float
    e_steps: int
    seconds: float
    total_e_steps: int


def run(problem: Problem, data: Data, start: MixtureParameters[Any], scheme: Any, max_iter: int) -> Run:
    """Run one scheme and look up when it came within 1e-9 of its end."""
    model = Counting(problem.family())
    seen: list[tuple[int, float, float]] = []
    begin = time.process_time()

    def watch(iteration: Any) -> None:
        seen.append((model.e_steps, time.process_time() - begin, iteration.objective))

    x, weights = data
    result = em(model, x, start, sample_weight=weights, max_iter=max_iter, accelerate=scheme, callback=watch)
    steps, seconds, values = (np.array(column) for column in zip(*seen, strict=True))
    there = int(np.argmax(values >= values[-1] - 1e-9 * abs(values[-1])))
    fell = float(max(0.0, -np.diff(values, prepend=values[0]).min()))
    return Run(result.status.value, float(values[-1]), fell, int(steps[there]), float(seconds[there]), model.e_steps)


def compare(problem: Problem, n_starts: int, max_iter: int) -> dict[str, Any]:
    """Run all schemes from all starts and sum up."""
    data = problem.data(np.random.default_rng(0))
    starts = [problem.start(data, np.random.default_rng([1, k])) for k in range(n_starts)]
    runs = {name: [run(problem, data, start, scheme, max_iter) for start in starts] for name, scheme in SCHEMES.items()}
    return {name: summary(mine, runs["em"]) for name, mine in runs.items()} | {
        "runs": {name: [vars(one) for one in mine] for name, mine in runs.items()}
    }


def summary(mine: list[Run], plain: list[Run]) -> dict[str, Any]:
    """Return counts of the ends, medians of the cost, and median ratios to EM where both end alike."""
    gaps = [one.log_likelihood - other.log_likelihood for one, other in zip(mine, plain, strict=True)]
    scale = [1e-6 * abs(one.log_likelihood) for one in plain]
    converged = [one.status == Status.CONVERGED.value for one in mine]
    alike = [
        (one, other)
        for one, other, gap, size in zip(mine, plain, gaps, scale, strict=True)
        if abs(gap) <= size and one.status == Status.CONVERGED.value
    ]
    return {
        "failed": converged.count(False),
        "better": sum(ok and gap > size for ok, gap, size in zip(converged, gaps, scale, strict=True)),
        "worse": sum(ok and gap < -size for ok, gap, size in zip(converged, gaps, scale, strict=True)),
        "e_steps": float(np.median([one.e_steps for one in mine])),
        "ms": 1e3 * float(np.median([one.seconds for one in mine])),
        "fewer_e_steps": float(np.median([other.e_steps / one.e_steps for one, other in alike])) if alike else None,
        "faster": float(np.median([other.seconds / one.seconds for one, other in alike])) if alike else None,
    }


def main() -> None:
    """Parse the options, run all, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=6)
    parser.add_argument("--max-iter", type=int, default=10_000)
    parser.add_argument("--only", default="", help="part of the name of a problem")
    parser.add_argument("--json", metavar="NAME", help="write the numbers to benchmarks/results/NAME.json")
    args = parser.parse_args()
    results = {}
    print(f"{'problem':22} {'scheme':13} {'E-steps':>8} {'ms':>8} {'fewer':>7} {'faster':>7}  failed better worse")
    for problem in PROBLEMS:
        if args.only not in problem.name:
            continue
        results[problem.name] = compare(problem, args.starts, args.max_iter)
        for name in SCHEMES:
            row = results[problem.name][name]
            ratios = " ".join(
                "      -" if row[key] is None else f"{row[key]:7.1f}" for key in ("fewer_e_steps", "faster")
            )
            print(
                f"{problem.name:22} {name:13} {row['e_steps']:8.0f} {row['ms']:8.1f} {ratios}"
                f"  {row['failed']:6} {row['better']:6} {row['worse']:5}",
                flush=True,
            )
    if args.json is not None:
        store(args.json, {"versions": versions("numpy", "scipy"), "problems": results})


if __name__ == "__main__":
    main()
