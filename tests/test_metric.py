"""Blocks of the complete-data information against the dense matrices they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from emlib.metric import Diagonal, LogRatios, Metric, Stacked
from emlib.models.components.gaussian_score import LogCholesky, Means

RNG = np.random.default_rng(5)
P = RNG.dirichlet(np.ones(4), 2)
ROOTS = np.tril(RNG.normal(size=(2, 3, 3))) + 3 * np.eye(3)
COUNTS = np.array([7.0, 11.0])


def block_diagonal(blocks: list[np.ndarray]) -> np.ndarray:
    size = sum(len(block) for block in blocks)
    matrix = np.zeros((size, size))
    start = 0
    for block in blocks:
        matrix[start : start + len(block), start : start + len(block)] = block
        start += len(block)
    return matrix


def fisher_of_log_cholesky(count: float, root: np.ndarray) -> np.ndarray:
    """Return count/2 tr(Sigma^-1 dSigma Sigma^-1 dSigma) with dSigma by central differences of the coordinates."""
    rows, columns = np.tril_indices(len(root))
    vector = np.where(rows == columns, np.log(np.abs(root[rows, columns])), root[rows, columns])

    def covariance(v: np.ndarray) -> np.ndarray:
        lower = np.zeros_like(root)
        lower[rows, columns] = np.where(rows == columns, np.exp(v), v)
        return lower @ lower.T

    h = 1e-6
    derivatives = [(covariance(vector + h * e) - covariance(vector - h * e)) / (2 * h) for e in np.eye(vector.size)]
    white = [np.linalg.solve(covariance(vector), one) for one in derivatives]
    return np.array([[count / 2 * np.trace(a @ b) for b in white] for a in white])


DENSE: dict[str, tuple[Metric, np.ndarray]] = {
    "diagonal": (Diagonal(COUNTS), np.diag(COUNTS)),
    "log ratios": (
        LogRatios(COUNTS, P),
        block_diagonal([n * (np.diag(p) - np.outer(p, p))[:-1, :-1] for n, p in zip(COUNTS, P, strict=True)]),
    ),
    "means": (
        Means(COUNTS, ROOTS),
        block_diagonal([n * np.linalg.inv(root @ root.T) for n, root in zip(COUNTS, ROOTS, strict=True)]),
    ),
    "log-Cholesky": (
        LogCholesky(COUNTS, ROOTS),
        block_diagonal([fisher_of_log_cholesky(n, root) for n, root in zip(COUNTS, ROOTS, strict=True)]),
    ),
    "stacked": (
        Stacked((Diagonal(COUNTS), LogRatios(COUNTS[:1], P[:1]))),
        block_diagonal([np.diag(COUNTS), 7 * (np.diag(P[0]) - np.outer(P[0], P[0]))[:-1, :-1]]),
    ),
}


@pytest.mark.parametrize("name", DENSE)
def test_a_block_multiplies_as_its_matrix_and_solves_back(name: str) -> None:
    metric, dense = DENSE[name]
    assert metric.size == len(dense)
    vectors = RNG.normal(size=(3, metric.size))
    for vector in vectors:
        assert_allclose(metric.times(vector), dense @ vector, rtol=1e-7, atol=1e-8)
        assert_allclose(metric.solve(metric.times(vector)), vector, rtol=1e-10, atol=1e-12)
