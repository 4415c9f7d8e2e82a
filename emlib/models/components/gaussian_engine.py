"""The fused E-step of Gaussian mixtures: responsibilities, sums and log-likelihood in one pass over the rows.

Draft.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from emlib.frame import Frame, frame_of
from emlib.models.components.gaussian_features import LOG_TWO_PI, MOST, Products, Squares

if TYPE_CHECKING:
    from emlib._types import FloatArray
    from emlib.models.components.covariance import CovarianceStructure
    from emlib.models.components.gaussian import GaussianParameters
    from emlib.rows import Rows

    Features = Products | Squares
    Sums = tuple[FloatArray, FloatArray, FloatArray]  # masses, first and second moments about the means

CACHE = 3 << 18  # bytes of temporaries in a chunk: they stay in a core's own cache
WHITE_CACHE = 5 << 19  # the same where whitened rows are kept for every component
SMALL_PRODUCT = 1_000_000  # multiplications of a matrix product below which OpenBLAS neither packs nor starts threads
KEPT = 3 << 19  # bytes of features that are kept between E-steps
LOWEST = -600.0  # exponentials of less are clipped here: their products with features are no denormals then, which are slow
FAINT = 1e-140  # a row whose densities sum to less, relative to the highest possible, is shifted by its own peak
LOST = 1e-30  # a share of the rows below which clipped exponentials could show


def expectation(
    structure: CovarianceStructure, theta: GaussianParameters, weights: FloatArray, rows: Rows
) -> tuple[Sums, float] | None:
    """Return the moments of all components and the log-likelihood of a mixture.

    Parameters
    ----------
    structure : CovarianceStructure
        The form of the covariances.
    theta : GaussianParameters
        Parameters of M components.
    weights : ndarray of shape (M,)
        Mixing weights.
    rows : Rows
        The data.

    Returns
    -------
    moments : tuple of ndarray
        Masses (M,), first moments (M, d) and second moments (M, d, d) or (M, d), about the means of `theta`.
    log_likelihood : float
        In nats.
    """
    features = _features(structure, theta)
    found = None if features is None else _by_features(features, theta, weights, rows)
    return _by_whitening(structure, theta, weights, rows) if found is None else found


def amplification(structure: CovarianceStructure, theta: GaussianParameters, rows: Rows) -> float:
    """Return a bound on what the E-step multiplies rounding errors by; 0 where it whitens.

    Parameters
    ----------
    structure : CovarianceStructure
        The form of the covariances.
    theta : GaussianParameters
        Parameters of M components.
    rows : Rows
        The data.

    Returns
    -------
    float
        At most MOST.
    """
    features = _features(structure, theta)
    bound = 0.0 if features is None else features.coefficients(theta, frame_of(rows))[1]
    return bound if bound <= MOST else 0.0


def _features(structure: CovarianceStructure, theta: GaussianParameters) -> Features | None:
    """Return the features to use; None where there are so many of them that whitening is quicker."""
    n_components, dim = theta.means.shape
    few = not structure.dense_products or 170 * n_components >= dim**2
    return features_of(structure.dense_products, dim) if few else None


@lru_cache(maxsize=64)
def features_of(products: bool, dim: int) -> Features:
    """Return the features for matrices or for variances in a number of columns."""
    return Products(dim) if products else Squares(dim)


def _by_features(
    features: Features, theta: GaussianParameters, weights: FloatArray, rows: Rows
) -> tuple[Sums, float] | None:
    """Return moments and log-likelihood by two matrix products a chunk; None where that is not accurate."""
    if min(weights.tolist()) < LOST:
        return None
    frame = rows.memo.get("frame")
    if frame is None:
        frame = rows.memo["frame"] = frame_of(rows)
    coefficients, amplification = features.coefficients(theta, frame)
    if not amplification <= MOST:
        return None
    peaks = np.log(weights) - 0.5 * theta.factor.log_det
    highest = max(peaks.tolist())  # a list of a few numbers is quicker than a NumPy reduction
    coefficients[:, 0] += peaks - highest
    space = rows.memo.pop("space", None)  # taken, so that two threads never write to one
    if space is None or space.of != (features, len(weights)):
        space = _Space(features, len(weights), len(rows.x))
    sums = np.zeros(coefficients.shape)
    log_likelihood = 0.0
    for phi, row_weights in _chunks_of_features(features, frame, rows, space):
        part, value = _chunk(coefficients, phi, row_weights, space)
        sums += part
        log_likelihood += value
    rows.memo["space"] = space
    masses = sums[:, 0].tolist()
    if min(masses) < LOST * sum(masses):
        return None
    log_likelihood += rows.total_weight * (highest - 0.5 * LOG_TWO_PI * theta.means.shape[1])
    return features.moments(sums, theta, frame), log_likelihood


def _chunk(
    coefficients: FloatArray, phi: FloatArray, row_weights: FloatArray | None, space: _Space
) -> tuple[FloatArray, float]:
    """Return the sums of responsibilities times features, and of the log densities over the highest peak."""
    n = phi.shape[1]
    joint, total, inverse = space.joint(n), space.total[:n], space.inverse[:n]
    np.matmul(coefficients, phi, out=joint)
    shift = None
    _exponentials(joint, total)
    np.divide(1.0, total, out=inverse)
    if not np.vdot(inverse, inverse) < FAINT**-2:  # quicker than the minimum
        np.matmul(coefficients, phi, out=joint)
        shift = joint.max(axis=0)
        joint -= shift
        _exponentials(joint, total)
        np.divide(1.0, total, out=inverse)
    log_density = np.log(total, out=total)
    if shift is not None:
        log_density += shift
    if row_weights is None:
        value = np.vdot(phi[0], log_density)  # row 0 of the features is 1
    else:
        inverse *= row_weights
        value = np.vdot(row_weights, log_density)
    joint *= inverse
    return np.matmul(joint, phi.T), float(value)


def _exponentials(joint: FloatArray, total: FloatArray) -> None:
    """Replace log joint densities by densities, and sum them over the components."""
    np.maximum(joint, LOWEST, out=joint)
    np.exp(joint, out=joint)
    np.add.reduce(joint, axis=0, out=total)


def _chunks_of_features(
    features: Features, frame: Frame, rows: Rows, space: _Space
) -> Iterator[tuple[FloatArray, FloatArray | None]]:
    """Yield the features and the weights of one chunk after the other, from the memo where they are kept."""
    kept = rows.memo.get("features")
    if kept is not None and kept[0] == (features, space.size):
        yield from kept[1]
        return
    keep = features.n_rows * len(rows.x) * 8 <= KEPT
    made = []
    for x, row_weights in rows.chunks(space.size):
        n = len(x)
        block = _aligned(features.n_rows * n) if keep else space.features[: features.n_rows * n]
        phi = block.reshape(features.n_rows, n)
        phi[0] = 1.0
        deviations = np.subtract(x.T, frame.center[:, None], out=space.deviations[: x.size].reshape(x.shape[::-1]))
        features.fill(phi, deviations, frame)
        phi = phi[: features.n_features]
        if keep:
            made.append((phi, row_weights))
        yield phi, row_weights
    if keep:
        rows.memo["features"] = (features, space.size), made


class _Space:
    """Arrays that every chunk of every E-step uses again."""

    def __init__(self, features: Features, n_components: int, n: int) -> None:
        width = features.n_rows + features.dim + n_components + 3
        most = min(CACHE // (8 * width), SMALL_PRODUCT // (n_components * features.n_features))
        self.size = min(n, max(64, most // 8 * 8))
        self.of = features, n_components
        self._joint = _aligned(n_components * self.size)
        self.total, self.inverse = _aligned(self.size), _aligned(self.size)
        self.features = _aligned(features.n_rows * self.size)
        self.deviations = _aligned(features.dim * self.size)

    def joint(self, n: int) -> FloatArray:
        """Return the (M, n) array of log joint densities."""
        n_components = self.of[1]
        return self._joint[: n_components * n].reshape(n_components, n)


def _aligned(n: int) -> FloatArray:
    """Return n uninitialised numbers at an address that vector instructions read in one piece."""
    raw = np.empty(n + 8)
    start = -raw.ctypes.data % 64 // 8
    return raw[start : start + n]


def _by_whitening(
    structure: CovarianceStructure, theta: GaussianParameters, weights: FloatArray, rows: Rows
) -> tuple[Sums, float] | None:
    """Return moments and log-likelihood from deviations whitened component by component; None for impossible rows."""
    n_components, dim = theta.means.shape
    factor = theta.factor
    with np.errstate(divide="ignore"):
        peaks = np.log(weights) - 0.5 * (factor.log_det + dim * LOG_TWO_PI)
    size = max(64, WHITE_CACHE // (16 * dim * n_components) // 8 * 8)
    space = [_aligned(n_components * dim * min(size, len(rows.x))) for _ in range(2)]
    masses, first, second = np.zeros(n_components), np.zeros((n_components, dim)), None
    log_likelihood = 0.0
    for x, row_weights in rows.chunks(size):
        shape = n_components, dim, len(x)
        diffs, white = (part[: n_components * x.size].reshape(shape) for part in space)
        np.subtract(np.ascontiguousarray(x.T), theta.means[:, :, None], out=diffs)
        structure.whiten_all(factor, diffs, white)
        np.multiply(white, white, out=diffs)
        joint = np.add.reduce(diffs, axis=1)
        joint *= -0.5
        joint += peaks[:, None]
        shift = joint.max(axis=0)
        if not np.isfinite(shift).all():
            return None
        joint -= shift
        total = np.empty(len(x))
        _exponentials(joint, total)
        log_density = np.log(total) + shift
        joint *= (1.0 if row_weights is None else row_weights) / total
        log_likelihood += float(log_density.sum() if row_weights is None else row_weights @ log_density)
        masses += joint.sum(axis=1)
        first += (white @ joint[:, :, None])[:, :, 0]
        part = structure.second_moments(np.multiply(white, joint[:, None], out=diffs), white)
        second = part if second is None else second + part
    return (masses, *structure.unwhiten(factor, first, second)), log_likelihood
