"""The log density of a Gaussian is linear in quadratic features of the row; so are the sums an M-step needs.

With the features ``phi(z) = (1, z_i, z_i z_j)``, the log joint densities of a chunk are one matrix product,
``coefficients @ phi``, and the sums over rows another, ``responsibilities @ phi.T``. This file has the two kinds of
features, with all products or with squares only, and the way from parameters to coefficients and from sums to
statistics. Both kinds are in the coordinates z of a :class:`emlib.frame.Frame`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from emlib.models.components.covariance import EPS
from emlib.models.components.gaussian_values import (
    GaussianStatistics,
    StandardStatistics,
    bordered,
    halves,
    moments_about,
)

if TYPE_CHECKING:
    from emlib._types import FloatArray, IntArray
    from emlib.frame import Frame
    from emlib.models.components.gaussian_values import GaussianParameters

MOST = 3e5
"""The amplification of rounding errors up to which features are used; errors then stay below 1e-10."""


class Products:
    """Features 1, all products of two columns, and the columns: for covariances that are matrices.

    Parameters
    ----------
    frame : Frame
        The coordinates.
    n_components : int
        Number of components M.
    """

    def __init__(self, frame: Frame, n_components: int) -> None:
        self.frame = frame
        self.dim = dim = len(frame.center)
        self.table = product_table(dim)
        self.n_features = len(self.table.entry)
        self.n_rows = self.n_features + dim // 2  # the first columns once more, so that shifts do not wrap
        self.clear = _clear(frame)
        self._given = np.empty((n_components, dim, dim + 1))
        self._factor = np.zeros((n_components, dim + 1, dim + 1))
        self._factor[:, 0, 0] = 1.0
        self._signs = np.concatenate([[1.0], -np.ones(dim)])
        self._scales = np.empty((n_components, dim + 1))
        self._bordered = bordered(n_components, dim + 1)

    def fill(self, features: FloatArray, deviations: FloatArray) -> None:
        """Write the features of a chunk.

        Parameters
        ----------
        features : ndarray of shape (n_rows, n)
            Written; row 0 is 1 already.
        deviations : ndarray of shape (d, n)
            The rows minus the center of the frame.
        """
        first = self.n_features - self.dim
        columns = np.matmul(self.frame.whitener, deviations, out=features[first : self.n_features])
        features[self.n_features :] = columns[: self.dim // 2]
        at = 1
        for shift in range(self.dim // 2 + 1):
            n = _n_products(self.dim, shift)
            np.multiply(columns[:n], features[first + shift : first + shift + n], out=features[at : at + n])
            at += n

    def coefficients(self, theta: GaussianParameters, weights: FloatArray) -> tuple[FloatArray, float] | None:
        """Return log joint densities as coefficients of the features.

        With one column more, ``F = [[1, 0], [nu, L]]`` is the Cholesky factor of a component in z, mean and all; its
        inverse K gives ``|L^-1 (z - nu)|^2`` as the quadratic form of ``K'K`` in (1, z), less the constant 1: half of
        it is added to what was subtracted.

        Parameters
        ----------
        theta : GaussianParameters
            Parameters of M components.
        weights : ndarray of shape (M,)
            Mixing weights.

        Returns
        -------
        coefficients : ndarray of shape (M, n_features)
            To be multiplied with the features.
        highest : float
            The log of the highest peak of any component, which was subtracted.
        None
            In place of the two where rounding errors of the features would be multiplied by more than MOST.
        """
        known = self._known(theta)
        factor, inverse = self._factors(theta) if known is None else known
        if known is None and not self._amplification(factor, inverse) <= MOST:
            return None
        form = inverse.swapaxes(1, 2) @ inverse
        coefficients = form.reshape(len(form), -1).take(self.table.entry, axis=1)
        coefficients *= self.table.multiplicity
        scales = self._scales
        np.copyto(scales, factor.diagonal(0, 1, 2))
        scales[:, 0] = weights  # in place of 1
        peaks = np.dot(np.log(scales, out=scales), self._signs)  # quicker than a sum
        return coefficients, raise_to_peaks(coefficients, peaks) + 0.5 - self.frame.log_volume

    def amplification(self, theta: GaussianParameters) -> float:
        """Return a bound on what a rounding error of the features is multiplied by.

        Parameters
        ----------
        theta : GaussianParameters
            Parameters of M components.

        Returns
        -------
        float
            The bound.
        """
        return self._amplification(*self._factors(theta))

    def _amplification(self, factor: FloatArray, inverse: FloatArray) -> float:
        sizes = np.einsum("mij,mij->m", factor, factor) * np.einsum("mij,mij->m", inverse, inverse)
        return float(sizes.max()) / (self.dim + 1)

    def _known(self, theta: GaussianParameters) -> tuple[FloatArray, FloatArray] | None:
        """Return F and K where an M-step found them in this frame."""
        if theta.standard is None:
            return None
        frame = self.frame
        center, root, pair = theta.standard
        if center is frame.center or (np.array_equal(center, frame.center) and np.array_equal(root, frame.root)):
            return halves(pair)
        return None

    def _factors(self, theta: GaussianParameters) -> tuple[FloatArray, FloatArray]:
        """Return F and K of any parameters."""
        given, factor = self._given, self._factor
        np.subtract(theta.means, self.frame.center, out=given[:, :, 0])
        given[:, :, 1:] = theta.factor.roots
        np.matmul(self.frame.whitener, given, out=factor[:, 1:])
        inverse: FloatArray = np.linalg.inv(factor).astype(np.float64, copy=False)
        return factor, inverse

    def statistics(self, sums: FloatArray, theta: GaussianParameters) -> GaussianStatistics | None:
        """Return the statistics of which these are the sums.

        Parameters
        ----------
        sums : ndarray of shape (M, n_features)
            Sums of responsibilities times features.
        theta : GaussianParameters
            Gives the means.

        Returns
        -------
        GaussianStatistics or None
            None where a component has become so small that its covariance is lost in rounding.
        """
        raw = sums.take(self.table.feature, axis=1)
        width = self.dim + 1
        mean = np.divide(raw, raw[:, :1, :1], out=self._bordered[:, :width, :width])
        try:
            pair: FloatArray = np.linalg.cholesky(self._bordered).astype(np.float64, copy=False)
        except np.linalg.LinAlgError:
            return None
        # Twice the product of two norms is at most the sum of their squares: one sum, of all components at once.
        both = pair[:, :, :width]
        size = np.vdot(both, both)
        if self.clear and (size * size <= 4 * MOST or self._amplification(*halves(pair)) <= MOST):
            return StandardStatistics(theta, self.frame, raw, pair)
        if not (mean.diagonal(0, 1, 2) <= MOST * halves(pair)[0].diagonal(0, 1, 2) ** 2).all():
            return None
        moments = moments_about(raw, self.frame, theta.means)
        return GaussianStatistics(theta.means, raw[:, 0, 0], moments[:, 1:, 0], moments[:, 1:, 1:])


def _clear(frame: Frame) -> bool:
    """Whether no covariance that is not amplified by more than MOST in z can be refused by an M-step.

    With |F| |K| below A = ((d + 1) MOST)^(1/2), and 1 / L_jj an entry of K, L_jj is at least |F| / A. Back in x the
    pivot of a correlation matrix is then at least that of the frame over A^2, and a standard deviation at least
    root_jj L_jj. Here they are compared, once, with what an M-step refuses as singular, and as below the resolution
    of the data.
    """
    dim = len(frame.center)
    pivots = np.diagonal(frame.root)
    correlated = pivots**2 / np.einsum("ij,ij->i", frame.root, frame.root)
    largest = (dim + 1) * MOST
    resolution = 8 * EPS * largest**0.5 * np.abs(frame.center)
    return bool((correlated > 16 * dim * EPS * largest).all() and (pivots > resolution).all())


def raise_to_peaks(coefficients: FloatArray, peaks: FloatArray) -> float:
    """Add to each component's constant the log of its peak, relative to the highest of all.

    Parameters
    ----------
    coefficients : ndarray of shape (M, n_features)
        Those of minus half the squared distances; changed.
    peaks : ndarray of shape (M,)
        Logs of the peaks; changed.

    Returns
    -------
    float
        The highest.
    """
    highest: float = max(peaks.tolist())  # for a few numbers a list is quicker than a reduction of NumPy
    peaks -= highest
    coefficients[:, 0] += peaks
    return highest


class ProductTable(NamedTuple):
    """Where the products of the columns of (1, z) stand among the features.

    Attributes
    ----------
    entry : ndarray of int, shape (n_features,)
        Entry of the flattened (d + 1, d + 1) matrix of products that each feature is.
    feature : ndarray of int, shape (d + 1, d + 1)
        Feature that each entry is.
    multiplicity : ndarray of shape (n_features,)
        Minus half the number of entries that each feature stands for.
    """

    entry: IntArray
    feature: IntArray
    multiplicity: FloatArray


@lru_cache(maxsize=64)
def product_table(dim: int) -> ProductTable:
    """Return the table of a number of columns.

    Products are made by whole shifts, z_i z_(i + k mod d): d // 2 + 1 multiplications of contiguous blocks.

    Parameters
    ----------
    dim : int
        Number of columns d.

    Returns
    -------
    ProductTable
        The table.
    """
    pairs = [(i, (i + k) % dim) for k in range(dim // 2 + 1) for i in range(_n_products(dim, k))]
    left = np.array([0, *(i + 1 for i, _ in pairs), *[0] * dim])
    right = np.array([0, *(j + 1 for _, j in pairs), *range(1, dim + 1)])
    feature = np.empty((dim + 1, dim + 1), dtype=np.int64)
    feature[left, right] = feature[right, left] = np.arange(len(left))
    return ProductTable(left * (dim + 1) + right, feature, np.where(left == right, -0.5, -1.0))


def _n_products(dim: int, shift: int) -> int:
    """Return how many products a shift has; half the number of columns repeats itself."""
    return dim // 2 if dim > 1 and 2 * shift == dim else dim


class Squares:
    """Features 1, the squares of the columns, and the columns: for diagonal and spherical covariances.

    Parameters
    ----------
    frame : Frame
        The coordinates; only its center and units are used.
    n_components : int
        Number of components M.
    """

    def __init__(self, frame: Frame, n_components: int) -> None:
        del n_components
        self.frame = frame
        self.dim = len(frame.center)
        self.n_features = self.n_rows = 2 * self.dim + 1

    def fill(self, features: FloatArray, deviations: FloatArray) -> None:
        """Write the features of a chunk.

        Parameters
        ----------
        features : ndarray of shape (n_rows, n)
            Written; row 0 is 1 already.
        deviations : ndarray of shape (d, n)
            The rows minus the center of the frame.
        """
        columns = np.divide(deviations, self.frame.units[:, None], out=features[self.dim + 1 :])
        np.multiply(columns, columns, out=features[1 : self.dim + 1])

    def coefficients(self, theta: GaussianParameters, weights: FloatArray) -> tuple[FloatArray, float] | None:
        """Return log joint densities as coefficients of the features.

        Parameters
        ----------
        theta : GaussianParameters
            Parameters of M components.
        weights : ndarray of shape (M,)
            Mixing weights.

        Returns
        -------
        coefficients : ndarray of shape (M, n_features)
            To be multiplied with the features.
        highest : float
            The log of the highest peak of any component, which was subtracted.
        None
            In place of the two where rounding errors of the features would be multiplied by more than MOST.
        """
        if not self.amplification(theta) <= MOST:
            return None
        dim = self.dim
        means, precisions = self._standard(theta)
        coefficients = np.empty((len(means), self.n_features))
        coefficients[:, 1 : dim + 1] = -0.5 * precisions
        coefficients[:, dim + 1 :] = precisions * means
        coefficients[:, 0] = -0.5 * np.einsum("md,md->m", means, coefficients[:, dim + 1 :])
        peaks = np.log(weights) - 0.5 * theta.factor.log_det
        return coefficients, raise_to_peaks(coefficients, peaks)

    def amplification(self, theta: GaussianParameters) -> float:
        """Return a bound on what a rounding error of the features is multiplied by.

        Parameters
        ----------
        theta : GaussianParameters
            Parameters of M components.

        Returns
        -------
        float
            The bound.
        """
        means, precisions = self._standard(theta)
        return float((precisions * (1 + means**2)).max())

    def _standard(self, theta: GaussianParameters) -> tuple[FloatArray, FloatArray]:
        """Return means and inverse variances in z."""
        return (theta.means - self.frame.center) / self.frame.units, (self.frame.units / theta.factor.roots) ** 2

    def statistics(self, sums: FloatArray, theta: GaussianParameters) -> GaussianStatistics | None:
        """Return the statistics of which these are the sums, in the units of the data.

        Parameters
        ----------
        sums : ndarray of shape (M, n_features)
            Sums of responsibilities times features.
        theta : GaussianParameters
            Gives the means.

        Returns
        -------
        GaussianStatistics or None
            None where a component has become so small that its variances are lost in rounding.
        """
        dim, frame = self.dim, self.frame
        masses, squares, columns = sums[:, :1], sums[:, 1 : dim + 1], sums[:, dim + 1 :]
        if not np.minimum.reduce((1 - 1 / MOST) * masses * squares - columns * columns, axis=None) > 0:
            return None
        means = (theta.means - frame.center) / frame.units
        first = columns - masses * means
        second = squares - means * (columns + first)
        return GaussianStatistics(theta.means, masses[:, 0], first * frame.units, second * frame.units**2)
