"""Accuracy of one EM step of a Gaussian mixture: emlib and scikit-learn against 80-bit arithmetic.

Data and start are float64 and exact for all three; the reference does the step from the formulas in np.longdouble,
with the deviations taken first. Errors are in units of the component: of its own standard deviations for the means,
relative to its own covariance for the covariances. Run it from the repository:
``.venv/bin/python -m benchmarks.accuracy``
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.mixture import GaussianMixture as ScikitLearnMixture

from emlib import Gaussian, GaussianParameters, Mixture, MixtureParameters
from emlib.models.components import gaussian_engine
from emlib.rows import as_rows

Array = np.ndarray
Step = tuple[Array, Array]  # means and covariances after one step
Start = tuple[Array, Array, Array]  # weights, means, covariances


@dataclass(frozen=True)
class Case:
    """Data and a start, and what is hard about them."""

    name: str
    size: float
    x: Array
    start: Start


def cholesky(matrix: Array) -> Array:
    """Return the lower Cholesky factor in the precision of the matrix."""
    d = len(matrix)
    root = np.zeros_like(matrix)
    for j in range(d):
        root[j, j] = np.sqrt(matrix[j, j] - root[j, :j] @ root[j, :j])
        for i in range(j + 1, d):
            root[i, j] = (matrix[i, j] - root[i, :j] @ root[j, :j]) / root[j, j]
    return root


def solve(root: Array, columns: Array) -> Array:
    """Return root^-1 columns by forward substitution."""
    solved = np.zeros_like(columns)
    for i in range(len(root)):
        solved[i] = (columns[i] - root[i, :i] @ solved[:i]) / root[i, i]
    return solved


def reference_step(x: Array, start: Start) -> Step:
    """Return one EM step in 80-bit arithmetic."""
    x, weights, means, covariances = (part.astype(np.longdouble) for part in (x, *start))
    joint = []
    for weight, mean, covariance in zip(weights, means, covariances, strict=True):
        root = cholesky(covariance)
        joint.append(
            np.log(weight) - np.log(np.diagonal(root)).sum() - (solve(root, (x - mean).T) ** 2).sum(axis=0) / 2
        )
    r = np.exp(np.array(joint) - np.max(joint, axis=0))
    r /= r.sum(axis=0)
    new_means, new_covariances = [], []
    for m, mean in enumerate(means):
        shift = r[m] @ (x - mean) / r[m].sum()
        deviations = x - mean - shift
        new_means.append(mean + shift)
        new_covariances.append((r[m][:, None] * deviations).T @ deviations / r[m].sum())
    return np.array(new_means), np.array(new_covariances)


def emlib_step(x: Array, start: Start) -> Step:
    """Return one EM step of emlib."""
    weights, means, covariances = start
    model = Mixture(Gaussian("full"))
    theta = MixtureParameters(weights, GaussianParameters(means, covariances))
    new = model.m_step(model.e_step(theta, model.prepare(x))[0]).components
    return new.means, new.covariances


def scikit_learn_step(x: Array, start: Start) -> Step:
    """Return one EM step of scikit-learn, from covariances (its constructor takes precisions only)."""
    from sklearn.mixture._gaussian_mixture import _compute_precision_cholesky

    weights, means, covariances = start
    model = ScikitLearnMixture(len(weights), reg_covar=0)
    model.weights_, model.means_, model.covariances_ = weights, means, covariances
    model.precisions_cholesky_ = _compute_precision_cholesky(covariances, "full")
    _, log_responsibilities = model._e_step(x)
    model._m_step(x, log_responsibilities)
    return model.means_, model.covariances_


def errors(step: Step, exact: Step) -> tuple[float, float]:
    """Return the largest errors of the means and of the covariances, in units of the component."""
    of_means, of_covariances = 0.0, 0.0
    for mean, covariance, right_mean, right_covariance in zip(*step, *exact, strict=True):
        root = cholesky(right_covariance)
        of_means = max(of_means, float(np.abs(solve(root, (mean - right_mean)[:, None])).max()))
        half = solve(root, covariance - right_covariance)
        of_covariances = max(of_covariances, float(np.abs(solve(root, half.T)).max()))
    return of_means, of_covariances


def draw(rng: np.random.Generator, means: Array, covariances: Array, n: int) -> tuple[Array, Start]:
    """Return rows of a mixture, and a start a little off its parameters."""
    m, d = means.shape
    roots = np.linalg.cholesky(covariances)
    x = np.concatenate([mean + rng.standard_normal((n, d)) @ root.T for mean, root in zip(means, roots, strict=True)])
    moved = means + 0.3 * np.einsum("mij,mj->mi", roots, rng.standard_normal((m, d)))
    return x, (np.full(m, 1 / m), moved, 1.3 * covariances)


def conditioned(rng: np.random.Generator, d: int, condition: float) -> Array:
    """Return a random covariance with largest eigenvalue 1 and a condition number."""
    directions = np.linalg.qr(rng.standard_normal((d, d)))[0]
    matrix = (directions * np.geomspace(1, 1 / condition, d)) @ directions.T
    return (matrix + matrix.T) / 2


def cases(d: int = 4, m: int = 3, n: int = 400) -> list[Case]:
    """Return the cases: offsets, separations, and conditions of all components together and of each its own."""
    found = []
    sizes = [1.0, 1e2, 1e4, 1e6, 1e8]
    for name in ("offset", "separation", "common condition", "own condition", "unlike sizes"):
        for size in sizes if name in ("offset", "separation") else [*sizes, 1e10, 1e12]:
            rng = np.random.default_rng(17)
            means = 2 * rng.standard_normal((m, d))
            own = np.array([conditioned(rng, d, 10) for _ in range(m)])
            if name == "offset":
                means = means + size
            elif name == "separation":
                means = means * size
            elif name == "common condition":
                root = np.linalg.cholesky(conditioned(rng, d, size))
                means, own = means @ root.T, root @ own @ root.T
            elif name == "own condition":
                own = np.array([conditioned(rng, d, size) for _ in range(m)])
            else:
                own[0] /= size
            found.append(Case(name, size, *draw(rng, means, own, n)))
    return found


def form(x: Array, start: Start) -> str:
    """Return how emlib's E-step goes about a case."""
    _, means, covariances = start
    theta = GaussianParameters(means, covariances)
    return "features" if gaussian_engine.amplification(Gaussian("full").structure, theta, as_rows(x)) else "whitening"


def main() -> None:
    """Print the table."""
    steps: tuple[Callable[[Array, Start], Step], ...] = (emlib_step, scikit_learn_step)
    print("One EM step against 80-bit arithmetic, largest errors in units of the component")
    print(f"{'':17} {'':6}  {'':9}  {'means':>18}  {'covariances':>18}")
    print(f"{'what is hard':17} {'size':>6}  {'form':9}  {'emlib':>8} {'sklearn':>9}  {'emlib':>8} {'sklearn':>9}")
    for case in cases():
        exact = reference_step(case.x, case.start)
        (means, covariances), (their_means, their_covariances) = (
            errors(step(case.x, case.start), exact) for step in steps
        )
        print(
            f"{case.name:17} {case.size:6.0e}  {form(case.x, case.start):9}  {means:8.0e} {their_means:9.0e}  "
            f"{covariances:8.0e} {their_covariances:9.0e}"
        )


if __name__ == "__main__":
    main()
