"""The E-step of Gaussian mixtures: responsibilities, sums and log-likelihood in one pass over the rows.

Two forms compute the same numbers. Which one is used depends on the shape of the problem and on its conditioning, and
never costs accuracy: an EM step agrees with 80-bit arithmetic to 1e-10 in units of each component, or to
scikit-learn's own error where that is larger (``benchmarks/accuracy.py`` has the table, and
``benchmarks/gaussian_mixtures.py`` the times). Notebook 28 proves the formulas of both, and runs the first in ten
lines.

**Features.** The log density of a Gaussian is linear in (1, z_i, z_i z_j), and these products are also all that an
M-step sums. So an E-step is two matrix products a chunk of rows, and a few passes over (M, n) arrays between them. A
component costs (d + 1)(d + 2) multiplications a row. What makes it quick, in ns a row measured on one core with
AVX-512; all together 25 for d = 4, M = 8 and 200 for d = 16, M = 16, of scikit-learn's 550 and 1,900:

* Chunks whose arrays stay in the core's own cache (CACHE: 32 in place of 26 with chunks of a third of the size), in
  products small enough for OpenBLAS to leave out packing and threads (SMALL_PRODUCT: 270 to 300 in place of 260).
* Chunks of one size, without a small rest (4 % at 10,000 rows of 2 columns), and rows of many columns centered as they
  lie, to be read as columns by the product that whitens them (TRANSPOSED: 5 % for d = 8, 3 % for d = 16).
* Products of columns by whole shifts, z_i z_(i + k), into rows of one array: d // 2 + 1 calls of NumPy a chunk.
* No maximum a row: all log densities are taken relative to the highest peak of any component, so their exponentials
  cannot overflow. A chunk with a row far from all components (FAINT) is done again with a maximum.
* Exponentials of numbers below LOWEST are clipped there: denormal numbers are many times slower, and well separated
  components would be full of them. What the clip adds to a mass is below 1e-120 a row; where a whole component has
  as little (LOST) the other form is used. Looking whether there is anything to clip takes 1, clipping always 4.
* Aligned arrays, used again by each chunk and each iteration; for little data the features themselves are kept.
* With many features the second product is quicker with the responsibilities transposed (WIDE: 200 in place of 260).
* Of 150 rows an iteration is some 25 calls of NumPy, and little else. The M-step stays in z: the moments of (1, z)
  are factorised and inverted by one call, and that is what the next E-step needs (``gaussian_values``; 28 microseconds
  an iteration in place of 55, scikit-learn's being 190).

Raw products would cancel: at a million standard deviations from the origin nothing is left of them. z are the rows in
the coordinates of a :class:`~emlib.frame.Frame`, centered and whitened by one affine map for all. What is left is a
component much smaller than the whole or far out in it, for which rounding errors are amplified by about
``|(1, z)|^2 / (its smallest variance)``; above MOST the other form takes over.

**Whitening.** y = L^-1 (x - mean), component by component, subtracting first, so that nothing is lost for components
any number of their standard deviations apart. All components in one batch, block by block of the triangle: half of
the multiplications of square matrices. It costs 2 d^2 multiplications a row and component, in place of d^2, but runs
on larger matrices, and for many columns and few components it is quicker: about M < d^2 / 170. An inverse is
multiplied by while covariances are well conditioned; beyond, triangular systems are solved.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from emlib.frame import shared_frame
from emlib.models.components.gaussian_features import MOST, Products, Squares
from emlib.models.components.gaussian_values import GaussianStatistics
from emlib.rows import CHUNK

if TYPE_CHECKING:
    from emlib._types import FloatArray
    from emlib.frame import Frame
    from emlib.models.components.covariance import CovarianceStructure
    from emlib.models.components.gaussian_values import GaussianParameters
    from emlib.rows import Rows

    Features = Products | Squares

CACHE = 1 << 20  # bytes of arrays that a chunk uses: a core's own cache
SMALL_PRODUCT = 1_000_000  # multiplications of one matrix product
WHITE_CACHE = 3 << 19  # bytes of arrays where whitened rows are held for every component
KEPT = 3 << 19  # bytes of features that are kept between E-steps
WIDE = 128  # features from which on the responsibilities are transposed for the second product
TRANSPOSED = 8  # columns from which on BLAS reads rows as columns quicker than NumPy copies them
LOWEST = -600.0  # exponentials of less are clipped, also so that their products with features are no denormals
FAINT = 1e-140  # the density of a row, relative to the highest peak, below which its own maximum is subtracted
LOST = 1e-30  # the share of all rows below which the mass of a component may show the clip
ZERO = -675.0  # exponentials of less are zero where no clip may show: too small for any mass, and soon denormal
LOG_TWO_PI = float(np.log(2 * np.pi))


def expectation(
    structure: CovarianceStructure, theta: GaussianParameters, weights: FloatArray, rows: Rows
) -> tuple[GaussianStatistics, float] | None:
    """Return the statistics of all components and the log-likelihood of a mixture.

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
    statistics : GaussianStatistics
        Masses (M,), first moments (M, d) and second moments (M, d, d) or (M, d), about the means of `theta`.
    log_likelihood : float
        In nats.
    None
        In place of the two where a row has density zero under every component.
    """
    found = None
    n_components = len(weights)
    if _few_features(structure, n_components, rows.dim):
        work = rows.memo.pop("work", None)  # taken away, so that two threads never write to one
        if work is None or work.made_for != (structure.dense_products, n_components):
            work = _Work(structure.dense_products, n_components, rows)
        found = work.expectation(theta, weights, rows)
        rows.memo["work"] = work
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
    n_components, dim = theta.shape
    if not _few_features(structure, n_components, dim):
        return 0.0
    bound = _features(structure.dense_products, shared_frame(rows), n_components).amplification(theta)
    return bound if bound <= MOST else 0.0


def _few_features(structure: CovarianceStructure, n_components: int, dim: int) -> bool:
    """Whether there are so few features for the components that the first form is the quicker one."""
    return not structure.dense_products or 170 * n_components >= dim**2


def _features(products: bool, frame: Frame, n_components: int) -> Features:
    return Products(frame, n_components) if products else Squares(frame, n_components)


class _Chunk(NamedTuple):
    """Features (p, n) of a chunk and weights (n,) of its rows, with space that chunks of one size share."""

    phi: FloatArray
    transposed: FloatArray
    weights: FloatArray | None
    joint: FloatArray
    total: FloatArray
    inverse: FloatArray


class _Work:
    """The first form, with the arrays that every chunk of every E-step uses again."""

    def __init__(self, products: bool, n_components: int, rows: Rows) -> None:
        self.made_for = products, n_components
        frame = shared_frame(rows)
        self.features = features = _features(products, frame, n_components)
        width = features.n_rows + features.dim + n_components + 2
        most = min(CACHE // (8 * width), SMALL_PRODUCT // (n_components * features.n_features), 2 * CHUNK)
        n_chunks = -(-rows.n // max(64, most // 8 * 8))
        self.size = min(rows.n, -(-rows.n // (8 * n_chunks)) * 8)  # all of one size, a multiple of 8
        self.keeps = features.n_rows * rows.n * 8 <= KEPT
        self.kept: list[_Chunk] = []
        self.total_weight = rows.total_weight
        self._joint = _aligned(n_components * self.size)
        self._total, self._inverse = _aligned(self.size), _aligned(self.size)
        self._block = _aligned(features.n_rows * self.size)
        self._deviations = _aligned(features.dim * self.size)
        self._centers = np.tile(frame.center, self.size) if features.dim >= TRANSPOSED else None

    def expectation(
        self, theta: GaussianParameters, weights: FloatArray, rows: Rows
    ) -> tuple[GaussianStatistics, float] | None:
        """Return statistics and log-likelihood by two matrix products a chunk; None where that is not accurate."""
        if min(weights.tolist()) < LOST:  # for a few numbers a list is quicker than a reduction of NumPy
            return None
        found = self.features.coefficients(theta, weights)
        if found is None:
            return None
        coefficients, highest = found
        sums, log_likelihood = None, 0.0
        for chunk in self.kept or self.chunks(rows):
            part, value = _sums(coefficients, chunk)
            sums = part if sums is None else sums + part
            log_likelihood += value
        assert sums is not None  # rows are never empty
        masses = sums[:, 0].tolist()
        if min(masses) < LOST * sum(masses):
            return None
        statistics = self.features.statistics(sums, theta)
        if statistics is None:
            return None
        return statistics, log_likelihood + self.total_weight * (highest - 0.5 * LOG_TWO_PI * self.features.dim)

    def chunks(self, rows: Rows) -> Iterator[_Chunk]:
        """Yield one chunk after the other; keep them if they are few."""
        features, kept = self.features, []
        n_components = self.made_for[1]
        for x, row_weights in rows.chunks(self.size):
            n = len(x)
            block = _aligned(features.n_rows * n) if self.keeps else self._block[: features.n_rows * n]
            phi = block.reshape(features.n_rows, n)
            phi[0] = 1.0
            features.fill(phi, self.centered(x))
            phi = phi[: features.n_features]
            joint = self._joint[: n_components * n].reshape(n_components, n)
            chunk = _Chunk(phi, phi.T, row_weights, joint, self._total[:n], self._inverse[:n])
            if self.keeps:  # or memory would grow with the rows, by their weights above all
                kept.append(chunk)
            yield chunk
        if self.keeps:
            self.kept = kept

    def centered(self, x: FloatArray) -> FloatArray:
        """Return rows (n, d) minus the center of the frame, as columns (d, n)."""
        space = self._deviations[: x.size]
        if self._centers is None:
            return np.subtract(x.T, self.features.frame.center[:, None], out=space.reshape(x.shape[::-1]))
        return np.subtract(x, self._centers[: x.size].reshape(x.shape), out=space.reshape(x.shape)).T


def _sums(coefficients: FloatArray, chunk: _Chunk) -> tuple[FloatArray, float]:
    """Return the sums of responsibilities times features, and of log densities relative to the highest peak."""
    phi, transposed, row_weights, joint, total, inverse = chunk
    np.dot(coefficients, phi, out=joint)
    _clip(joint)
    _exponentials(joint, total)
    shift = None
    np.divide(1.0, total, out=inverse)
    if not np.vdot(inverse, inverse) < FAINT**-2:  # quicker than the minimum
        np.dot(coefficients, phi, out=joint)
        shift = joint.max(axis=0)
        joint -= shift
        _clip(joint)
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
    np.multiply(joint, inverse, out=joint)
    sums = np.dot(joint, transposed) if len(phi) < WIDE else np.dot(phi, np.ascontiguousarray(joint.T)).T
    return sums, float(value)


def _clip(joint: FloatArray) -> None:
    """Raise what is below LOWEST to it; looking first is quicker than clipping always."""
    if np.minimum.reduce(joint, axis=None) < LOWEST:
        np.clip(joint, LOWEST, np.inf, out=joint)


def _exponentials(joint: FloatArray, total: FloatArray) -> None:
    """Replace log joint densities by densities, and sum them over the components."""
    np.exp(joint, out=joint)
    np.add.reduce(joint, axis=0, out=total)


def _aligned(n: int) -> FloatArray:
    """Return n uninitialised numbers at an address that vector instructions read in one piece."""
    raw = np.empty(n + 8)
    start = -raw.ctypes.data % 64 // 8
    return raw[start : start + n]


def _by_whitening(
    structure: CovarianceStructure, theta: GaussianParameters, weights: FloatArray, rows: Rows
) -> tuple[GaussianStatistics, float] | None:
    """Return statistics and log-likelihood from whitened deviations; None for impossible rows."""
    found = _whitened_sums(structure, theta, weights, rows)
    if found is None:
        return None
    masses, first, second, log_likelihood = found
    moments = structure.unwhiten(theta.factor, first, second)
    return GaussianStatistics(theta.means, masses, *moments), log_likelihood


def _whitened_sums(
    structure: CovarianceStructure, theta: GaussianParameters, weights: FloatArray, rows: Rows
) -> tuple[FloatArray, FloatArray, FloatArray, float] | None:
    """Return masses, moments of whitened deviations, and the log-likelihood; None for impossible rows."""
    n_components, dim = theta.means.shape
    factor = theta.factor
    inverses = factor.inverse_roots()  # before the other arrays, so that their peaks of memory do not add up
    with np.errstate(divide="ignore"):
        peaks = np.log(weights) - 0.5 * (factor.log_det + dim * LOG_TWO_PI)
    size = max(64, WHITE_CACHE // (16 * dim * n_components) // 8 * 8)
    space = [_aligned(n_components * dim * min(size, rows.n)) for _ in range(2)]
    masses, first = np.zeros(n_components), np.zeros((n_components, dim))
    second = np.zeros((n_components, dim, dim) if structure.dense_products else (n_components, dim))
    log_likelihood = 0.0
    for x, row_weights in rows.chunks(size):
        shape = n_components, dim, len(x)
        diffs, white = (part[: n_components * x.size].reshape(shape) for part in space)
        np.subtract(np.ascontiguousarray(x.T), theta.means[:, :, None], out=diffs)
        structure.whiten_all(factor, inverses, diffs, white)
        joint = np.add.reduce(np.multiply(white, white, out=diffs), axis=1)
        joint *= -0.5
        joint += peaks[:, None]
        shift = joint.max(axis=0)
        if not np.isfinite(shift).all():
            return None
        joint -= shift
        joint[joint < ZERO] = -np.inf
        total = np.empty(len(x))
        _exponentials(joint, total)
        log_density = np.log(total) + shift
        joint *= (1.0 if row_weights is None else row_weights) / total
        log_likelihood += float(log_density.sum() if row_weights is None else row_weights @ log_density)
        masses += joint.sum(axis=1)
        first += (white @ joint[:, :, None])[:, :, 0]
        second += structure.second_moments(np.multiply(white, joint[:, None], out=diffs), white)
    return masses, first, second, log_likelihood
