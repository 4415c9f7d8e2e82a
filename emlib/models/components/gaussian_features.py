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

from emlib.models.components.covariance import diagonals

if TYPE_CHECKING:
    from emlib._types import FloatArray, IntArray
    from emlib.frame import Frame
    from emlib.models.components.gaussian import GaussianParameters

    Moments = tuple[FloatArray, FloatArray, FloatArray]

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
        self._given = np.empty((n_components, dim, dim + 1))
        self._factor = np.zeros((n_components, dim + 1, dim + 1))
        self._factor[:, 0, 0] = 1.0
        self._back = np.zeros((n_components, dim + 1, dim + 1))
        self._back[:, 0, 0] = 1.0
        self._back[:, 1:, 1:] = frame.root

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

    def coefficients(self, theta: GaussianParameters) -> tuple[FloatArray, float]:
        """Return minus half the squared distances to the means, as coefficients of the features.

        With one column more, ``[[1, 0], [nu, L]]`` is the Cholesky factor of a component in z, mean and all; its
        inverse K gives ``|L^-1 (z - nu)|^2`` as the quadratic form of ``K'K`` in (1, z), less the constant 1.

        Parameters
        ----------
        theta : GaussianParameters
            Parameters of M components.

        Returns
        -------
        coefficients : ndarray of shape (M, n_features)
            To be multiplied with the features.
        amplification : float
            Bound on what a rounding error of the features is multiplied by.
        """
        given, factor = self._given, self._factor
        np.subtract(theta.means, self.frame.center, out=given[:, :, 0])
        given[:, :, 1:] = theta.factor.roots
        np.matmul(self.frame.whitener, given, out=factor[:, 1:])
        inverse = np.linalg.inv(factor)
        amplification = np.vdot(factor, factor) * np.vdot(inverse, inverse)
        if amplification > MOST:  # the sums over components are a bound that is quick to have; look closer
            sizes = np.einsum("mij,mij->m", factor, factor) * np.einsum("mij,mij->m", inverse, inverse)
            amplification = sizes.max() / (self.dim + 1)
        half = inverse[:, 1:]
        form = half.swapaxes(1, 2) @ half
        coefficients = form.reshape(len(form), -1).take(self.table.entry, axis=1)
        coefficients *= self.table.multiplicity
        return coefficients, float(amplification)

    def moments(self, sums: FloatArray, theta: GaussianParameters) -> Moments | None:
        """Return the masses, and the first and second moments about the means, in the units of the data.

        Parameters
        ----------
        sums : ndarray of shape (M, n_features)
            Sums of responsibilities times features.
        theta : GaussianParameters
            Gives the means.

        Returns
        -------
        masses : ndarray of shape (M,)
            Sums of the responsibilities.
        first : ndarray of shape (M, d)
            First moments.
        second : ndarray of shape (M, d, d)
            Second moments.
        None
            In place of the three where a component has become so small that its covariance is lost in rounding.
        """
        raw = sums.take(self.table.feature, axis=1)
        try:
            root: FloatArray = np.linalg.cholesky(raw).astype(np.float64, copy=False)
        except np.linalg.LinAlgError:
            return None
        pivots = diagonals(root)
        least = np.minimum.reduce(pivots, axis=None)
        fine = np.vdot(root, root) <= MOST * least * least  # the sum of all squares is a bound that is quick to have
        if not (fine or (diagonals(raw) <= MOST * pivots * pivots).all()):
            return None
        back = self._back  # maps (1, z) to (1, x - mean)
        np.subtract(self.frame.center, theta.means, out=back[:, 1:, 0])
        moments = back @ raw @ back.swapaxes(1, 2)
        return sums[:, 0], moments[:, 1:, 0], moments[:, 1:, 1:]


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

    def coefficients(self, theta: GaussianParameters) -> tuple[FloatArray, float]:
        """Return minus half the squared distances to the means, as coefficients of the features.

        Parameters
        ----------
        theta : GaussianParameters
            Parameters of M components.

        Returns
        -------
        coefficients : ndarray of shape (M, n_features)
            To be multiplied with the features.
        amplification : float
            Bound on what a rounding error of the features is multiplied by.
        """
        dim, frame = self.dim, self.frame
        means = (theta.means - frame.center) / frame.units
        precisions = (frame.units / theta.factor.roots) ** 2
        coefficients = np.empty((len(means), self.n_features))
        coefficients[:, 1 : dim + 1] = -0.5 * precisions
        coefficients[:, dim + 1 :] = precisions * means
        coefficients[:, 0] = -0.5 * np.einsum("md,md->m", means, coefficients[:, dim + 1 :])
        return coefficients, float((precisions * (1 + means**2)).max())

    def moments(self, sums: FloatArray, theta: GaussianParameters) -> Moments | None:
        """Return the masses, and the first and second moments about the means, in the units of the data.

        Parameters
        ----------
        sums : ndarray of shape (M, n_features)
            Sums of responsibilities times features.
        theta : GaussianParameters
            Gives the means.

        Returns
        -------
        masses : ndarray of shape (M,)
            Sums of the responsibilities.
        first : ndarray of shape (M, d)
            First moments.
        second : ndarray of shape (M, d)
            Diagonals of the second moments.
        None
            In place of the three where a component has become so small that its variances are lost in rounding.
        """
        dim, frame = self.dim, self.frame
        masses, squares, columns = sums[:, :1], sums[:, 1 : dim + 1], sums[:, dim + 1 :]
        if not np.minimum.reduce((1 - 1 / MOST) * masses * squares - columns * columns, axis=None) > 0:
            return None
        means = (theta.means - frame.center) / frame.units
        first = columns - masses * means
        second = squares - means * (columns + first)
        return masses[:, 0], first * frame.units, second * frame.units**2
