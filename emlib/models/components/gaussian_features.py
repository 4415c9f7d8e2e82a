"""The log density of a Gaussian is linear in quadratic features of the row; so are the sums an M-step needs.

With the features ``phi(z) = (1, z_i, z_i z_j)``, the log joint densities of a chunk are one matrix product,
``coefficients @ phi``, and the sums over rows another, ``responsibilities @ phi.T``. This file has the two kinds of
features, with all products or with squares only, and the way from parameters to coefficients and from sums to
statistics. Both kinds are in the coordinates z of a :class:`emlib.frame.Frame`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from emlib._types import FloatArray
    from emlib.frame import Frame
    from emlib.models.components.gaussian import GaussianParameters

LOG_TWO_PI = float(np.log(2 * np.pi))


class Products:
    """Features 1, all products of two columns, and the columns: for covariances that are matrices.

    Parameters
    ----------
    dim : int
        Number of columns d.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        shifts = range(dim // 2 + 1)
        # Products are made by whole shifts, z_i z_(i + k mod d): d // 2 + 1 multiplications of contiguous blocks.
        pairs = [(i, (i + k) % dim) for k in shifts for i in range(self._block(k))]
        left = np.array([0] + [i + 1 for i, _ in pairs] + [0] * dim)
        right = np.array([0] + [j + 1 for _, j in pairs] + list(range(1, dim + 1)))
        self.n_features = len(left)
        self.n_rows = self.n_features + dim // 2  # the first columns once more, so that shifts do not wrap
        self.entry = left * (dim + 1) + right
        self.feature = np.empty((dim + 1, dim + 1), dtype=np.intp)
        self.feature[left, right] = self.feature[right, left] = np.arange(self.n_features)
        self.multiplicity = np.where(left == right, -0.5, -1.0)

    def _block(self, shift: int) -> int:
        """Return how many products a shift has; half the number of columns repeats itself."""
        return self.dim // 2 if self.dim > 1 and 2 * shift == self.dim else self.dim

    def fill(self, features: FloatArray, deviations: FloatArray, frame: Frame) -> None:
        """Write the features of a chunk.

        Parameters
        ----------
        features : ndarray of shape (n_rows, n)
            Written; row 0 is 1 already.
        deviations : ndarray of shape (d, n)
            The rows minus the center of the frame.
        frame : Frame
            The coordinates.
        """
        first = self.n_features - self.dim
        columns = np.matmul(frame.whitener, deviations, out=features[first : self.n_features])
        features[self.n_features :] = columns[: self.dim // 2]
        at = 1
        for shift in range(self.dim // 2 + 1):
            n = self._block(shift)
            np.multiply(columns[:n], features[first + shift : first + shift + n], out=features[at : at + n])
            at += n

    def coefficients(self, theta: GaussianParameters, frame: Frame) -> tuple[FloatArray, float]:
        """Return minus half the squared distances to the means, as coefficients of the features.

        With one column more, ``[[1, 0], [nu, L]]`` is the Cholesky factor of a component in z, mean and all; its
        inverse K gives ``|L^-1 (z - nu)|^2`` as the quadratic form of ``K'K`` in (1, z), less the constant 1.

        Parameters
        ----------
        theta : GaussianParameters
            Parameters of M components.
        frame : Frame
            The coordinates.

        Returns
        -------
        coefficients : ndarray of shape (M, n_features)
            To be multiplied with the features.
        amplification : float
            Bound on what a rounding error of the features is multiplied by.
        """
        n_components, dim = theta.means.shape
        factor = np.zeros((n_components, dim + 1, dim + 1))
        factor[:, 0, 0] = 1.0
        white = factor[:, 1:]
        white[:, :, 1:] = frame.whitener @ theta.factor.roots
        white[:, :, 0] = (theta.means - frame.center) @ frame.whitener.T
        inverse = np.linalg.inv(factor)
        amplification = np.vdot(factor, factor) * np.vdot(inverse, inverse)
        if amplification > MOST:  # the sums over components are a bound that is quick to have; look closer
            sizes = np.einsum("mij,mij->m", factor, factor) * np.einsum("mij,mij->m", inverse, inverse)
            amplification = sizes.max() / (dim + 1)
        half = inverse[:, 1:]
        form = half.swapaxes(1, 2) @ half
        coefficients = form.reshape(n_components, -1).take(self.entry, axis=1)
        coefficients *= self.multiplicity
        return coefficients, float(amplification)

    def moments(
        self, sums: FloatArray, theta: GaussianParameters, frame: Frame
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the masses, and the first and second moments about the means, in the units of the data.

        Parameters
        ----------
        sums : ndarray of shape (M, n_features)
            Sums of responsibilities times features.
        theta : GaussianParameters
            Gives the means.
        frame : Frame
            The coordinates.

        Returns
        -------
        masses : ndarray of shape (M,)
            Sums of the responsibilities.
        first : ndarray of shape (M, d)
            First moments.
        second : ndarray of shape (M, d, d)
            Second moments.
        """
        n_components, dim = theta.means.shape
        back = np.zeros((n_components, dim + 1, dim + 1))  # maps (1, z) to (1, x - mean)
        back[:, 0, 0] = 1.0
        back[:, 1:, 0] = frame.center - theta.means
        back[:, 1:, 1:] = frame.root
        moments = back @ sums.take(self.feature, axis=1) @ back.swapaxes(1, 2)
        return sums[:, 0], moments[:, 1:, 0], moments[:, 1:, 1:]


class Squares:
    """Features 1, the squares of the columns, and the columns: for diagonal and spherical covariances.

    Parameters
    ----------
    dim : int
        Number of columns d.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.n_features = self.n_rows = 2 * dim + 1

    def fill(self, features: FloatArray, deviations: FloatArray, frame: Frame) -> None:
        """Write the features of a chunk.

        Parameters
        ----------
        features : ndarray of shape (n_rows, n)
            Written; row 0 is 1 already.
        deviations : ndarray of shape (d, n)
            The rows minus the center of the frame.
        frame : Frame
            The coordinates; only its units are used.
        """
        columns = np.divide(deviations, frame.units[:, None], out=features[self.dim + 1 :])
        np.multiply(columns, columns, out=features[1 : self.dim + 1])

    def coefficients(self, theta: GaussianParameters, frame: Frame) -> tuple[FloatArray, float]:
        """Return minus half the squared distances to the means, as coefficients of the features.

        Parameters
        ----------
        theta : GaussianParameters
            Parameters of M components.
        frame : Frame
            The coordinates.

        Returns
        -------
        coefficients : ndarray of shape (M, n_features)
            To be multiplied with the features.
        amplification : float
            Bound on what a rounding error of the features is multiplied by.
        """
        dim = self.dim
        means = (theta.means - frame.center) / frame.units
        precisions = (frame.units / theta.factor.roots) ** 2
        coefficients = np.empty((len(means), self.n_features))
        coefficients[:, 1 : dim + 1] = -0.5 * precisions
        coefficients[:, dim + 1 :] = precisions * means
        coefficients[:, 0] = -0.5 * np.einsum("md,md->m", means, coefficients[:, dim + 1 :])
        return coefficients, float((precisions * (1 + means**2)).max())

    def moments(
        self, sums: FloatArray, theta: GaussianParameters, frame: Frame
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the masses, and the first and second moments about the means, in the units of the data.

        Parameters
        ----------
        sums : ndarray of shape (M, n_features)
            Sums of responsibilities times features.
        theta : GaussianParameters
            Gives the means.
        frame : Frame
            The coordinates.

        Returns
        -------
        masses : ndarray of shape (M,)
            Sums of the responsibilities.
        first : ndarray of shape (M, d)
            First moments.
        second : ndarray of shape (M, d)
            Diagonals of the second moments.
        """
        dim = self.dim
        masses, squares, columns = sums[:, :1], sums[:, 1 : dim + 1], sums[:, dim + 1 :]
        means = (theta.means - frame.center) / frame.units
        first = columns - masses * means
        second = squares - means * (columns + first)
        return masses[:, 0], first * frame.units, second * frame.units**2


MOST = 3e5
"""Where an amplification is above this the features are not used; the engine's docstring says why."""
