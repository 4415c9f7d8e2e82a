"""Gradient and complete-data information of Gaussian components, in the coordinates of ``Gaussian.pack``.

With Sigma = L L^T and dL = L A, A lower triangular, a covariance with n rows of scatter S changes the expected
log-likelihood by <tril(W - n I), A>, where W = L^-1 S L^-T, and its information about A is diagonal: n for an entry
below the diagonal and 2 n for one on it. The formulas need no inverse of a covariance.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from emlib.metric import Diagonal, Stacked

if TYPE_CHECKING:
    from emlib._types import FloatArray, IntArray
    from emlib.models.components.gaussian_values import GaussianParameters, GaussianStatistics
    from emlib.priors import InverseWishart


@cache
def _lower(dim: int) -> tuple[IntArray, IntArray]:
    """Return the rows and columns of a lower triangle, in the order of ``Gaussian.pack``."""
    return np.tril_indices(dim)


@dataclass(frozen=True, eq=False)
class LogCholesky:
    """Information about the log-Cholesky coordinates of covariance matrices.

    Parameters
    ----------
    counts : ndarray of shape (k,)
        Rows behind each covariance.
    roots : ndarray of shape (k, d, d)
        Lower Cholesky factors.
    """

    counts: FloatArray
    roots: FloatArray = field(repr=False)

    @property
    def size(self) -> int:
        """Number p = k d (d + 1) / 2 of coordinates."""
        k, dim, _ = self.roots.shape
        return k * dim * (dim + 1) // 2

    def times(self, step: FloatArray) -> FloatArray:
        """Return the product with a step.

        Parameters
        ----------
        step : ndarray of shape (p,)
            Change of the coordinates.

        Returns
        -------
        ndarray of shape (p,)
            The product.
        """
        change = self._scatter(step) * self._stretch()
        return self.pull_back(self._weights() * np.linalg.solve(self.roots, change))

    def solve(self, gradient: FloatArray) -> FloatArray:
        """Return the step whose product is the gradient.

        Parameters
        ----------
        gradient : ndarray of shape (p,)
            By the coordinates.

        Returns
        -------
        ndarray of shape (p,)
            The step.
        """
        by_roots = self._scatter(gradient) / self._stretch()
        relative = np.tril(self.roots.swapaxes(1, 2) @ by_roots) / self._weights()
        return self._gather(self.roots @ relative / self._stretch())

    def pull_back(self, by_relative: FloatArray) -> FloatArray:
        """Turn a gradient by A, where dL = L A, into one by the coordinates.

        Parameters
        ----------
        by_relative : ndarray of shape (k, d, d)
            Lower triangular.

        Returns
        -------
        ndarray of shape (p,)
            The gradient.
        """
        by_roots = np.linalg.solve(self.roots.swapaxes(1, 2), by_relative)
        return self._gather(by_roots * self._stretch())

    def _stretch(self) -> FloatArray:
        """Return dL by the coordinates: L_jj on the diagonal, whose coordinate is a logarithm, and 1 below it."""
        diagonal = np.eye(self.roots.shape[1])
        return np.ones(self.roots.shape) - diagonal + self.roots * diagonal

    def _weights(self) -> FloatArray:
        """Return the information about each entry of A."""
        dim = self.roots.shape[1]
        return self.counts[:, None, None] * (np.ones((dim, dim)) + np.eye(dim))

    def _scatter(self, vector: FloatArray) -> FloatArray:
        """Return the (k, d, d) lower triangles of a vector."""
        rows, columns = _lower(self.roots.shape[1])
        matrices = np.zeros(self.roots.shape)
        matrices[:, rows, columns] = vector.reshape(len(matrices), -1)
        return matrices

    def _gather(self, matrices: FloatArray) -> FloatArray:
        rows, columns = _lower(self.roots.shape[1])
        return matrices[:, rows, columns].ravel()


@dataclass(frozen=True, eq=False)
class Means:
    """Information about the means: n Sigma^-1 for each component.

    Parameters
    ----------
    counts : ndarray of shape (M,)
        Rows behind each mean.
    roots : ndarray of shape (M, d, d)
        Lower Cholesky factors of the covariances.
    """

    counts: FloatArray
    roots: FloatArray = field(repr=False)

    @property
    def size(self) -> int:
        """Number p = M d of coordinates."""
        return self.counts.size * self.roots.shape[1]

    def times(self, step: FloatArray) -> FloatArray:
        """Return the product with a step.

        Parameters
        ----------
        step : ndarray of shape (p,)
            Change of the means.

        Returns
        -------
        ndarray of shape (p,)
            The product.
        """
        white = np.linalg.solve(self.roots, step.reshape(len(self.counts), -1, 1))
        return (self.counts[:, None, None] * np.linalg.solve(self.roots.swapaxes(1, 2), white)).ravel()

    def solve(self, gradient: FloatArray) -> FloatArray:
        """Return the step whose product is the gradient.

        Parameters
        ----------
        gradient : ndarray of shape (p,)
            By the means.

        Returns
        -------
        ndarray of shape (p,)
            The step.
        """
        columns = gradient.reshape(len(self.counts), -1, 1)
        return (self.roots @ (self.roots.swapaxes(1, 2) @ columns) / self.counts[:, None, None]).ravel()


def gaussian_score(
    theta: GaussianParameters, stats: GaussianStatistics, prior: InverseWishart | None = None
) -> FloatArray:
    """Return the gradient of the log-likelihood (plus the log prior) by means and packed covariances.

    Parameters
    ----------
    theta : GaussianParameters
        The parameters of the E-step.
    stats : GaussianStatistics
        Its statistics, about any reference.
    prior : InverseWishart, optional
        Prior on the covariances.

    Returns
    -------
    ndarray of shape (p,)
        In the coordinates of ``Gaussian.pack``.
    """
    shift = theta.means - stats.reference
    first = stats.first - stats.masses[:, None] * shift
    if theta.covariance_type in ("full", "tied"):
        half = np.linalg.solve(theta.factor.roots, first[:, :, None])
        by_means = np.linalg.solve(theta.factor.roots.swapaxes(1, 2), half)
        by_covariances = _score_of_matrices(theta, stats, shift, first, prior)
    else:
        variances = theta.factor.roots**2
        by_means = first / variances
        by_covariances = _score_of_variances(theta, stats, shift, first, prior)
    return np.concatenate([by_means.ravel(), by_covariances])


def gaussian_information(
    theta: GaussianParameters, stats: GaussianStatistics, prior: InverseWishart | None = None
) -> Stacked:
    """Return the information of complete data about means and packed covariances.

    Parameters
    ----------
    theta : GaussianParameters
        The parameters of the E-step.
    stats : GaussianStatistics
        Its statistics, of which the masses are read: the expected rows of each component.
    prior : InverseWishart, optional
        Prior on the covariances: its pseudo-rows count.

    Returns
    -------
    Stacked
        Means, then covariances.
    """
    n_components, dim = theta.means.shape
    masses, roots = stats.masses, theta.factor.roots
    if theta.covariance_type in ("full", "tied"):
        about_means = Means(masses, np.broadcast_to(roots, (n_components, dim, dim)))
        return Stacked((about_means, LogCholesky(_counts(theta, masses, prior), roots)))
    by_entry = np.broadcast_to(masses[:, None], (n_components, dim))
    counts = _shared(theta, by_entry) + (0 if prior is None else prior.dof + 2)
    return Stacked((Diagonal((by_entry / roots**2).ravel()), Diagonal(counts.ravel() / 2)))


def _counts(theta: GaussianParameters, masses: FloatArray, prior: InverseWishart | None) -> FloatArray:
    """Return the rows behind each covariance matrix, pseudo-rows of the prior included."""
    counts = masses.sum(keepdims=True) if theta.covariance_type == "tied" else masses
    return counts if prior is None else counts + prior.dof + theta.means.shape[1] + 1


def _score_of_matrices(
    theta: GaussianParameters,
    stats: GaussianStatistics,
    shift: FloatArray,
    first: FloatArray,
    prior: InverseWishart | None,
) -> FloatArray:
    cross = shift[:, :, None] * first[:, None, :]
    outer = stats.masses[:, None, None] * shift[:, :, None] * shift[:, None, :]
    scatter = stats.second - cross - cross.swapaxes(1, 2) - outer
    if theta.covariance_type == "tied":
        scatter = scatter.sum(axis=0, keepdims=True)
    if prior is not None:
        scatter = scatter + prior.scale_matrix(theta.means.shape[1])
    roots = theta.factor.roots
    half = np.linalg.solve(roots, scatter)
    white = np.linalg.solve(roots, half.swapaxes(1, 2))
    counts = _counts(theta, stats.masses, prior)
    excess = np.tril(white - counts[:, None, None] * np.eye(len(roots[0])))
    return LogCholesky(counts, roots).pull_back(excess)


def _score_of_variances(
    theta: GaussianParameters,
    stats: GaussianStatistics,
    shift: FloatArray,
    first: FloatArray,
    prior: InverseWishart | None,
) -> FloatArray:
    scatter = stats.second - 2 * shift * first - stats.masses[:, None] * shift**2
    scatter = _shared(theta, scatter)
    counts = _shared(theta, np.broadcast_to(stats.masses[:, None], theta.means.shape))
    if prior is not None:
        diagonal = np.diagonal(prior.scale_matrix(theta.means.shape[1]))
        scatter = scatter + (diagonal.mean() if theta.covariance_type.endswith("spherical") else diagonal)
        counts = counts + prior.dof + 2
    variances = theta.covariances.reshape(scatter.shape)
    return ((scatter / variances - counts) / 2).ravel()


def _shared(theta: GaussianParameters, entries: FloatArray) -> FloatArray:
    """Sum (M, d) entries over the components and columns that share a variance."""
    tied, spherical = theta.covariance_type.startswith("tied"), theta.covariance_type.endswith("spherical")
    entries = entries.sum(axis=0, keepdims=True) if tied else entries
    return entries.sum(axis=1, keepdims=True) if spherical else entries
