"""The covariance structures of a Gaussian mixture: full, diag, spherical, and each of them tied.

Each structure says how second moments are gathered, how a covariance is estimated from them (note,
section 4, last display; tied, diagonal and spherical by the same argument with fewer free entries),
and how deviations are whitened: by a Cholesky factor, and by its inverse only where it is well conditioned.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from emlib.errors import DegenerateComponent

if TYPE_CHECKING:
    from emlib._types import BoolArray, FloatArray
    from emlib.priors import InverseWishart

EPS = float(np.finfo(np.float64).eps)
STEEP = 1e6  # the condition beyond which multiplying by an inverse is less exact than a triangular solve
BLOCK = 16  # rows of a triangular matrix that are multiplied at once
REMEDY = "Use covariance_floor, a covariance_prior, fewer components or another start."


@dataclass(frozen=True, eq=False)
class Factor:
    """Square roots of the covariances of a mixture.

    Attributes
    ----------
    roots : ndarray
        Lower Cholesky factors (k, d, d), or standard deviations (M, d) or (M, 1).
    log_det : ndarray of shape (M,)
        Log determinant of each component's covariance.
    smallest : float
        The smallest entry on the diagonals of the factors: the square root of no variance is less.
    """

    roots: FloatArray
    log_det: FloatArray
    smallest: float

    @cached_property
    def condition(self) -> float:
        """About the largest condition number of the correlation matrices."""
        return 1.0 if self.roots.ndim == 2 else float(1 / _pivots(self.roots).min())

    def inverse_roots(self) -> FloatArray | None:
        """Return the inverses of well conditioned Cholesky factors; None if to multiply by them is not exact enough.

        They are not kept: parameters outlive the E-step.

        Returns
        -------
        ndarray of shape (k, d, d) or None
            Lower triangular.
        """
        if self.roots.ndim == 2 or self.condition > STEEP:
            return None
        lengths = np.sqrt(np.einsum("kij,kij->ki", self.roots, self.roots))  # the units of the columns
        inverses: FloatArray = np.linalg.inv(self.roots / lengths[:, :, None])
        inverses *= np.tri(self.roots.shape[-1])
        inverses /= lengths[:, None, :]
        return inverses


def _blocks(dim: int) -> list[slice]:
    """Return the rows of a triangular matrix in blocks."""
    return [slice(start, min(start + BLOCK, dim)) for start in range(0, dim, BLOCK)]


def diagonals(blocks: FloatArray) -> FloatArray:
    """Return the diagonals of matrices, as a view that np.diagonal takes longer to make.

    Parameters
    ----------
    blocks : ndarray of shape (k, d, d)
        Contiguous.

    Returns
    -------
    ndarray of shape (k, d)
        The diagonals.
    """
    return blocks.reshape(len(blocks), -1)[:, :: blocks.shape[-1] + 1]


def _pivots(roots: FloatArray) -> FloatArray:
    """Return the pivots (k, d) of the correlation matrices that go with Cholesky factors of covariances."""
    pivots: FloatArray = diagonals(roots) ** 2 / np.einsum("kij,kij->ki", roots, roots)
    return pivots


def _correlations(blocks: FloatArray) -> FloatArray:
    """Return the correlations of covariance matrices (k, d, d)."""
    deviations = np.sqrt(diagonals(blocks))
    correlations: FloatArray = blocks / (deviations[:, :, None] * deviations[:, None, :])
    return correlations


class CovarianceStructure(ABC):
    """How the covariances of M components in d dimensions are parametrised."""

    name: str
    dense_products: bool
    """Whether the products of two columns enter, or their squares only."""

    @abstractmethod
    def shape(self, n_components: int, dim: int) -> tuple[int, ...]:
        """Return the shape of the covariance array."""

    @abstractmethod
    def second_moment(self, diff: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the weighted second moment of deviations ``diff`` (d, n): (d, d), or its diagonal (d,)."""

    @abstractmethod
    def outer(self, left: FloatArray, right: FloatArray) -> FloatArray:
        """Return u v^T for each row u of ``left`` and v of ``right``, (M, d) both, or its diagonal."""

    @abstractmethod
    def column_scatter(self, scatter: FloatArray) -> FloatArray:
        """Return the (M, d) diagonal of the scatter of each component."""

    @abstractmethod
    def estimate(self, scatter: FloatArray, masses: FloatArray, prior: InverseWishart | None) -> FloatArray:
        """Return the covariances that maximise Q, or Q plus the log prior."""

    @abstractmethod
    def share(self, matrix: FloatArray, n_components: int) -> FloatArray:
        """Return one (d, d) covariance, repeated for all components in this form."""

    @abstractmethod
    def clip(self, covariances: FloatArray, floor: float) -> FloatArray:
        """Raise eigenvalues below ``floor`` to it: the exact M-step under Sigma >= floor * I."""

    @abstractmethod
    def factor(self, covariances: FloatArray, n_components: int, dim: int) -> Factor:
        """Return square roots; raise `DegenerateComponent` where a covariance is singular."""

    @abstractmethod
    def whiten(self, factor: Factor, component: int, diff: FloatArray) -> FloatArray:
        """Solve L z = diff for one component; ``diff`` is (d, n) and may be overwritten."""

    @abstractmethod
    def whiten_all(self, factor: Factor, inverses: FloatArray | None, diffs: FloatArray, out: FloatArray) -> None:
        """Solve L z = diff for all components into ``out``; ``diffs`` is (M, d, n) and may be overwritten.

        ``inverses`` are what `Factor.inverse_roots` returns.
        """

    @abstractmethod
    def second_moments(self, left: FloatArray, right: FloatArray) -> FloatArray:
        """Return sums over the last axis of left times right, (M, d, n) both: (M, d, d) symmetric, or (M, d)."""

    @abstractmethod
    def unwhiten(self, factor: Factor, first: FloatArray, second: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the first and second moments of deviations from those of the whitened ones."""

    @abstractmethod
    def variances(self, covariances: FloatArray, n_components: int, dim: int) -> FloatArray:
        """Return the variances of the columns under each component, (M, d) or broadcastable to it."""

    @abstractmethod
    def dense(self, covariances: FloatArray, n_components: int, dim: int) -> FloatArray:
        """Return the covariances as an (M, d, d) array."""

    @abstractmethod
    def log_prior(self, covariances: FloatArray, dim: int, prior: InverseWishart) -> float:
        """Return the log prior density of the covariances, in nats."""

    @abstractmethod
    def pack(self, covariances: FloatArray) -> FloatArray:
        """Return log-Cholesky or log-variance coordinates, as a vector."""

    @abstractmethod
    def unpack(self, vector: FloatArray, shape: tuple[int, ...]) -> FloatArray:
        """Return the covariances of :meth:`pack` coordinates."""


class _Matrices(CovarianceStructure):
    """Full covariance matrices: one a component, or one for all (tied)."""

    dense_products = True

    def __init__(self, *, tied: bool) -> None:
        self.tied = tied
        self.name = "tied" if tied else "full"

    def shape(self, n_components: int, dim: int) -> tuple[int, ...]:
        return (dim, dim) if self.tied else (n_components, dim, dim)

    def second_moment(self, diff: FloatArray, weights: FloatArray) -> FloatArray:
        half = diff * np.sqrt(weights)
        return half @ half.T  # NumPy sees one array twice and computes one triangle

    def outer(self, left: FloatArray, right: FloatArray) -> FloatArray:
        return left[:, :, None] * right[:, None, :]

    def column_scatter(self, scatter: FloatArray) -> FloatArray:
        return np.diagonal(scatter, axis1=1, axis2=2)

    def estimate(self, scatter: FloatArray, masses: FloatArray, prior: InverseWishart | None) -> FloatArray:
        moment, count = (scatter.sum(axis=0), masses.sum()) if self.tied else (scatter, masses[:, None, None])
        if prior is not None:
            dim = scatter.shape[-1]
            moment, count = moment + prior.scale_matrix(dim), count + prior.dof + dim + 1
        half: FloatArray = moment / (2 * count)
        covariances: FloatArray = half + half.swapaxes(-1, -2)
        return covariances

    def clip(self, covariances: FloatArray, floor: float) -> FloatArray:
        values, vectors = np.linalg.eigh(covariances)
        if values.min() >= floor:
            return covariances
        clipped: FloatArray = (vectors * np.maximum(values, floor)[..., None, :]) @ vectors.swapaxes(-1, -2)
        return (clipped + clipped.swapaxes(-1, -2)) / 2

    def factor(self, covariances: FloatArray, n_components: int, dim: int) -> Factor:
        blocks = covariances.reshape(-1, dim, dim)
        try:
            roots: FloatArray = np.linalg.cholesky(blocks).astype(np.float64, copy=False)
        except np.linalg.LinAlgError:
            self._refuse(~(diagonals(blocks) > 0).all(axis=1), "has a variance that is not positive")
            smallest = np.linalg.eigvalsh(_correlations(blocks))[:, 0]
            self._refuse(smallest <= smallest.min(), "has a covariance that is not positive definite")
        of_roots = diagonals(roots)
        least = float(np.minimum.reduce(of_roots, axis=None))
        singular = 16 * dim * EPS
        if not least * least > singular * np.vdot(roots, roots):  # the sum of all variances, quick to have
            # Pivots of the correlation matrix: units of the columns then do not touch the condition.
            self._refuse(
                ~(_pivots(roots).min(axis=1) > singular),
                "has a singular covariance: its columns are linearly dependent to rounding",
            )
        log_det = 2 * np.add.reduce(np.log(of_roots), axis=1)
        if self.tied:
            log_det = np.broadcast_to(log_det, (n_components,))
        return Factor(roots, log_det, least)

    def _refuse(self, bad: BoolArray | np.bool_, reason: str) -> None:
        if bad.any():
            whose = " (the covariance is shared by all)" if self.tied else ""
            raise DegenerateComponent(int(np.argmax(bad)), reason + whose, REMEDY)

    def whiten(self, factor: Factor, component: int, diff: FloatArray) -> FloatArray:
        from scipy.linalg.blas import dtrsm

        # Z L^T = diff^T with the long axis contiguous: BLAS then runs along the rows of data.
        root = factor.roots[0 if self.tied else component]
        solved: FloatArray = dtrsm(1.0, root.T, diff.T, side=1, lower=0, trans_a=0, overwrite_b=1)
        return solved.T

    def whiten_all(self, factor: Factor, inverses: FloatArray | None, diffs: FloatArray, out: FloatArray) -> None:
        if inverses is None:
            for m in range(len(diffs)):
                out[m] = self.whiten(factor, m, diffs[m])
            return
        for rows in _blocks(diffs.shape[1]):  # of L^-1, whose entries right of the diagonal are zero
            np.matmul(inverses[:, rows, : rows.stop], diffs[:, : rows.stop], out=out[:, rows])

    def second_moments(self, left: FloatArray, right: FloatArray) -> FloatArray:
        dim = left.shape[1]
        moments = np.empty((len(left), dim, dim))
        for rows in _blocks(dim):  # of the lower triangle, and mirrored to the upper
            block = left[:, rows] @ right[:, : rows.stop].swapaxes(1, 2)
            moments[:, rows, : rows.stop] = block
            moments[:, : rows.start, rows] = block[:, :, : rows.start].swapaxes(1, 2)
        return moments

    def unwhiten(self, factor: Factor, first: FloatArray, second: FloatArray) -> tuple[FloatArray, FloatArray]:
        roots = factor.roots
        return (roots @ first[:, :, None])[:, :, 0], roots @ second @ roots.swapaxes(1, 2)

    def share(self, matrix: FloatArray, n_components: int) -> FloatArray:
        return np.broadcast_to(matrix, self.shape(n_components, len(matrix)))

    def variances(self, covariances: FloatArray, n_components: int, dim: int) -> FloatArray:
        del n_components
        return diagonals(covariances.reshape(-1, dim, dim))

    def dense(self, covariances: FloatArray, n_components: int, dim: int) -> FloatArray:
        return np.broadcast_to(covariances, (n_components, dim, dim))

    def log_prior(self, covariances: FloatArray, dim: int, prior: InverseWishart) -> float:
        from scipy.linalg import solve_triangular

        blocks = covariances.reshape(-1, dim, dim)
        scale = prior.scale_matrix(dim)
        factor = self.factor(covariances, len(blocks), dim)
        root_scale = np.linalg.cholesky(scale)
        # Forward substitution keeps its accuracy when the columns have very unlike units; a general solve does not.
        half = np.array([solve_triangular(root, root_scale, lower=True) for root in factor.roots])
        log_det_scale = 2 * np.log(np.diagonal(root_scale)).sum()
        return prior.log_density(factor.log_det[: len(blocks)], (half**2).sum(axis=(1, 2)), log_det_scale, dim)

    def pack(self, covariances: FloatArray) -> FloatArray:
        dim = covariances.shape[-1]
        blocks = covariances.reshape(-1, dim, dim)
        roots = self.factor(covariances, len(blocks), dim).roots.copy()
        diagonal = np.arange(dim)
        roots[:, diagonal, diagonal] = np.log(roots[:, diagonal, diagonal])
        rows, columns = np.tril_indices(dim)
        return roots[:, rows, columns].ravel()

    def unpack(self, vector: FloatArray, shape: tuple[int, ...]) -> FloatArray:
        dim = shape[-1]
        rows, columns = np.tril_indices(dim)
        roots = np.zeros((vector.size // rows.size, dim, dim))
        roots[:, rows, columns] = vector.reshape(-1, rows.size)
        diagonal = np.arange(dim)
        roots[:, diagonal, diagonal] = np.exp(roots[:, diagonal, diagonal])
        return (roots @ roots.swapaxes(1, 2)).reshape(shape)


class _Variances(CovarianceStructure):
    """Diagonal covariances, one variance a column or (spherical) for all; one set a component or (tied) for all."""

    dense_products = False

    def __init__(self, *, spherical: bool, tied: bool) -> None:
        self.spherical, self.tied = spherical, tied
        self.name = ("tied_" if tied else "") + ("spherical" if spherical else "diag")

    def shape(self, n_components: int, dim: int) -> tuple[int, ...]:
        return (() if self.tied else (n_components,)) + (() if self.spherical else (dim,))

    def second_moment(self, diff: FloatArray, weights: FloatArray) -> FloatArray:
        return (diff * diff) @ weights

    def outer(self, left: FloatArray, right: FloatArray) -> FloatArray:
        return left * right

    def column_scatter(self, scatter: FloatArray) -> FloatArray:
        return scatter

    def estimate(self, scatter: FloatArray, masses: FloatArray, prior: InverseWishart | None) -> FloatArray:
        n_components, dim = scatter.shape
        moment, count = scatter, masses[:, None]
        if self.tied:
            moment, count = moment.sum(axis=0, keepdims=True), count.sum(axis=0, keepdims=True)
        if self.spherical:
            moment, count = moment.sum(axis=1, keepdims=True), count * dim
        if prior is not None:
            moment, count = moment + self._scale(prior, dim), count + prior.dof + 2
        covariances: FloatArray = moment / count
        return covariances.reshape(self.shape(n_components, dim))

    def _scale(self, prior: InverseWishart, dim: int) -> FloatArray:
        return self._diagonal(prior.scale_matrix(dim))

    def _diagonal(self, matrix: FloatArray) -> FloatArray:
        """Return the diagonal, or its mean, as a vector of length d or 1."""
        diagonal = np.diagonal(matrix)
        return diagonal.mean(keepdims=True) if self.spherical else diagonal

    def share(self, matrix: FloatArray, n_components: int) -> FloatArray:
        values = np.broadcast_to(
            self._diagonal(matrix), (1 if self.tied else n_components, 1 if self.spherical else len(matrix))
        )
        return values.reshape(self.shape(n_components, len(matrix)))

    def clip(self, covariances: FloatArray, floor: float) -> FloatArray:
        return np.maximum(covariances, floor)

    def variances(self, covariances: FloatArray, n_components: int, dim: int) -> FloatArray:
        del dim
        variances = covariances.reshape(1 if self.tied else n_components, -1)
        return np.broadcast_to(variances, (n_components, variances.shape[1]))

    def factor(self, covariances: FloatArray, n_components: int, dim: int) -> Factor:
        variances = self.variances(covariances, n_components, dim)
        bad = ~(variances > 0).all(axis=1)
        if bad.any():
            raise DegenerateComponent(int(np.argmax(bad)), "has a variance that is not positive", REMEDY)
        log_det = np.log(variances).sum(axis=1) * (dim if self.spherical else 1)
        roots = np.sqrt(variances)
        return Factor(roots, log_det, float(np.minimum.reduce(roots, axis=None)))

    def whiten(self, factor: Factor, component: int, diff: FloatArray) -> FloatArray:
        diff /= factor.roots[component][:, None]
        return diff

    def whiten_all(self, factor: Factor, inverses: FloatArray | None, diffs: FloatArray, out: FloatArray) -> None:
        del inverses
        np.divide(diffs, factor.roots[:, :, None], out=out)

    def second_moments(self, left: FloatArray, right: FloatArray) -> FloatArray:
        moments: FloatArray = np.einsum("mdn,mdn->md", left, right)
        return moments

    def unwhiten(self, factor: Factor, first: FloatArray, second: FloatArray) -> tuple[FloatArray, FloatArray]:
        return first * factor.roots, second * factor.roots**2

    def dense(self, covariances: FloatArray, n_components: int, dim: int) -> FloatArray:
        return self.variances(covariances, n_components, dim)[:, :, None] * np.eye(dim)

    def log_prior(self, covariances: FloatArray, dim: int, prior: InverseWishart) -> float:
        variances = covariances.reshape(-1, 1 if self.spherical else dim)
        scale = np.broadcast_to(self._scale(prior, dim), variances.shape)
        return prior.log_density(np.log(variances), scale / variances, np.log(scale), 1)

    def pack(self, covariances: FloatArray) -> FloatArray:
        return np.log(covariances).ravel()

    def unpack(self, vector: FloatArray, shape: tuple[int, ...]) -> FloatArray:
        return np.exp(vector).reshape(shape)


STRUCTURES: dict[str, CovarianceStructure] = {
    structure.name: structure
    for structure in (
        _Matrices(tied=False),
        _Matrices(tied=True),
        _Variances(spherical=False, tied=False),
        _Variances(spherical=True, tied=False),
        _Variances(spherical=False, tied=True),
        _Variances(spherical=True, tied=True),
    )
}


def covariance_structure(name: str) -> CovarianceStructure:
    """Return a covariance structure by its name.

    Parameters
    ----------
    name : {'full', 'tied', 'diag', 'spherical', 'tied_diag', 'tied_spherical'}
        The name; in mclust's letters VVV, EEE, VVI, VII, EEI and EII.

    Returns
    -------
    CovarianceStructure
        The structure.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in STRUCTURES:
        raise ValueError(f"covariance_type must be one of {', '.join(STRUCTURES)}, got {name!r}")
    return STRUCTURES[name]
