"""EM for Gaussian mixtures straight from the formulas of the note: explicit inverses, no logarithms, no tricks.

It shares no code with emlib, so that agreement means something; it overflows where emlib does not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def gaussian_density(x: Array, mean: Array, covariance: Array) -> Array:
    """Return N(x_i; mean, covariance) for every row (note, section 4, first display)."""
    diff = x - mean
    exponent = -0.5 * np.einsum("ni,ij,nj->n", diff, np.linalg.inv(covariance), diff)
    return np.exp(exponent) / np.sqrt((2 * np.pi) ** x.shape[1] * np.linalg.det(covariance))


def textbook_em(
    x: Array, weights: Array, means: Array, covariances: Array, n_iter: int
) -> tuple[Array, Array, Array, Array]:
    """Return weights, means, covariances and the log-likelihoods of iterations 0..n_iter."""
    trace = []
    for iteration in range(n_iter + 1):
        joint = np.array([a * gaussian_density(x, m, s) for a, m, s in zip(weights, means, covariances, strict=True)]).T
        density = joint.sum(axis=1)
        trace.append(np.log(density).sum())
        if iteration == n_iter:
            break
        r = joint / density[:, None]
        weights = r.sum(axis=0) / len(x)
        means = (r.T @ x) / r.sum(axis=0)[:, None]
        diffs = x[None, :, :] - means[:, None, :]
        covariances = np.einsum("nm,mni,mnj->mij", r, diffs, diffs) / r.sum(axis=0)[:, None, None]
    return weights, means, covariances, np.array(trace)
