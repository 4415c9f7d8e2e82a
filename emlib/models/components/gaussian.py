"""Gaussian components with full, diagonal or spherical covariances, tied or not (note, section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emlib.errors import DegenerateComponent
from emlib.models.components.covariance import EPS, REMEDY, covariance_structure
from emlib.models.components.gaussian_engine import amplification, expectation
from emlib.models.components.gaussian_score import gaussian_information, gaussian_score
from emlib.models.components.gaussian_values import GaussianParameters, GaussianStatistics, StandardStatistics
from emlib.models.components.values import trusted
from emlib.priors import InverseWishart

if TYPE_CHECKING:
    from emlib._types import FloatArray, IntArray
    from emlib.metric import Stacked
    from emlib.rows import Rows

SMALLEST_MASS = float(np.finfo(np.float64).tiny) / EPS
LARGEST = 1e151  # its square, summed over a million rows, is still finite


class Gaussian:
    """Gaussian family for :class:`emlib.models.mixture.Mixture`.

    Parameters
    ----------
    covariance_type : {'full', 'tied', 'diag', 'spherical', 'tied_diag', 'tied_spherical'}
        One free matrix a component; one for all; one variance a column; one a component; and the last two shared
        by all components.
    covariance_floor : float or None
        Lower bound on the eigenvalues of the covariances, in squared units of the data. The M-step under this
        constraint clips eigenvalues and is exact, so the log-likelihood still never falls.
    prior : InverseWishart or None
        Prior on the covariances; its log density is part of the objective (MAP-EM).

    Raises
    ------
    ValueError
        If an option is unknown or out of range.
    TypeError
        If the prior is something else.

    Notes
    -----
    Without floor or prior the likelihood is unbounded (errata of the note, A4): a component that shrinks onto
    a point or a plane raises :class:`~emlib.errors.DegenerateComponent`.
    """

    def __init__(
        self,
        covariance_type: str = "full",
        *,
        covariance_floor: float | None = None,
        prior: InverseWishart | None = None,
    ) -> None:
        if not (prior is None or isinstance(prior, InverseWishart)):
            raise TypeError(f"the prior on covariances must be an InverseWishart or None, got {prior!r}")
        self.structure = covariance_structure(covariance_type)
        if covariance_floor is not None and not (np.isfinite(covariance_floor) and covariance_floor > 0):
            raise ValueError(f"covariance_floor must be a positive number or None, got {covariance_floor}")
        self.covariance_type = covariance_type
        self.covariance_floor = covariance_floor
        self.prior = prior
        self._free = covariance_type == "full" and covariance_floor is None and prior is None

    def check(self, x: FloatArray) -> None:
        """Refuse data whose squares leave the range of floating point.

        Parameters
        ----------
        x : ndarray of shape (n, d)
            Rows of data.

        Raises
        ------
        ValueError
            Naming the first row and column beyond 1e151, or a column that varies by less than 1e-151.
        """
        low, high = x.min(axis=0).astype(np.float64), x.max(axis=0).astype(np.float64)
        large = np.maximum(high, -low) > LARGEST
        if large.any():
            row, column = (int(k) for k in np.argwhere(np.abs(x) > LARGEST)[0])
            raise ValueError(
                f"row {row}, column {column} is {x[row, column]:g}: squares of numbers beyond {LARGEST:g} overflow. "
                "Rescale the column."
            )
        spread = high - low
        small = (spread > 0) & (spread < 1 / LARGEST)
        if small.any():
            column = int(np.argmax(small))
            raise ValueError(
                f"column {column} varies by {spread[column]:g} only: squares below {1 / LARGEST:g} underflow. "
                "Rescale the column."
            )

    def _check_fits(self, theta: GaussianParameters, dim: int) -> int:
        """Return the number of components; raise if the parameters belong to another type or number of columns."""
        if theta.covariance_type != self.covariance_type:
            raise ValueError(f"the parameters are {theta.covariance_type!r}, the family is {self.covariance_type!r}")
        n_components, expected = theta.shape
        if dim != expected:
            raise ValueError(f"the data have {dim} columns, the parameters {expected}")
        return n_components

    def log_prob(self, theta: GaussianParameters, x: FloatArray) -> FloatArray:
        """Return log densities.

        Parameters
        ----------
        theta : GaussianParameters
            Parameters of M components.
        x : ndarray of shape (n, d)
            Rows of data.

        Returns
        -------
        ndarray of shape (n, M)
            ``log N(x_i; mu_m, Sigma_m)`` in nats.

        Raises
        ------
        ValueError
            If the parameters are of another covariance type or number of columns.
        DegenerateComponent
            If a covariance is singular.
        """
        self._check_fits(theta, x.shape[1])
        n_components, dim = theta.means.shape
        factor = theta.factor
        columns = np.ascontiguousarray(x.T)
        distances = np.empty((n_components, len(x)))
        for m in range(n_components):
            white = self.structure.whiten(factor, m, columns - theta.means[m][:, None])
            np.einsum("dn,dn->n", white, white, out=distances[m])
        distances += (factor.log_det + dim * np.log(2 * np.pi))[:, None]
        distances *= -0.5
        return distances.T

    def statistics(
        self, theta: GaussianParameters | None, x: FloatArray, responsibilities: FloatArray
    ) -> GaussianStatistics:
        """Return the weighted moments of the rows about the means of `theta`.

        Parameters
        ----------
        theta : GaussianParameters or None
            The parameters of the E-step; None takes the weighted means themselves as reference.
        x : ndarray of shape (n, d)
            Rows of data.
        responsibilities : ndarray of shape (n, M)
            Responsibilities, already multiplied by the weights of the rows.

        Returns
        -------
        GaussianStatistics
            They add up over chunks of rows.
        """
        weights = np.ascontiguousarray(responsibilities.T)
        masses = weights.sum(axis=1)
        columns = np.ascontiguousarray(x.T)
        reference = _weighted_means(x, weights, masses) if theta is None else theta.means
        first, second = [], []
        for m, center in enumerate(reference):
            diff = columns - center[:, None]
            first.append(diff @ weights[m])
            second.append(self.structure.second_moment(diff, weights[m]))
        return GaussianStatistics(reference, masses, np.array(first), np.array(second))

    def expectation(
        self, theta: GaussianParameters, weights: FloatArray, rows: Rows
    ) -> tuple[GaussianStatistics, float] | None:
        """Return the statistics and the log-likelihood of a mixture in one pass over the rows.

        Parameters
        ----------
        theta : GaussianParameters
            Parameters of M components.
        weights : ndarray of shape (M,)
            Mixing weights.
        rows : Rows
            The data.

        Returns
        -------
        statistics : GaussianStatistics
            Moments about the means of `theta`.
        log_likelihood : float
            In nats.
        None
            In place of the two where a row is out of reach of every component: ``log_prob`` can say which.

        Raises
        ------
        ValueError
            If the parameters are of another covariance type or number of columns, or not as many as the weights.
        DegenerateComponent
            If a covariance is singular.
        """
        n_components = self._check_fits(theta, rows.dim)
        if len(weights) != n_components:
            return None
        return expectation(self.structure, theta, weights, rows)

    def from_statistics(self, stats: GaussianStatistics) -> GaussianParameters:
        """Return the means and covariances that maximise Q (note, section 4, last display).

        Parameters
        ----------
        stats : GaussianStatistics
            Moments of all rows.

        Returns
        -------
        GaussianParameters
            The maximum, under the floor and with the prior if there is one.

        Raises
        ------
        DegenerateComponent
            If a component lost its data or its covariance is singular.
        """
        if self._free and isinstance(stats, StandardStatistics):
            return stats.maximum()
        masses = stats.masses
        divisors = masses
        if not min(masses.tolist()) > SMALLEST_MASS:
            lost = ~(masses > SMALLEST_MASS)
            if self.prior is None:
                raise DegenerateComponent(
                    int(np.argmax(lost)),
                    "lost its data: the sum of its responsibilities is zero",
                    "Use fewer components or another start.",
                )
            # With a prior every mean of a component without data is a maximum; it keeps the one it had.
            divisors = np.where(lost, 1.0, masses)
        shift = stats.first / divisors[:, None]
        means = stats.reference + shift
        scatter = stats.second - self.structure.outer(stats.first, shift)
        covariances = self.structure.estimate(scatter, masses, self.prior)
        if self.covariance_floor is not None:
            covariances = self.structure.clip(covariances, self.covariance_floor)
        try:
            factor = self.structure.factor(covariances, *means.shape)
        except (DegenerateComponent, np.linalg.LinAlgError):
            self._refuse_collapsed(means, covariances, scatter, masses)
            raise
        # No resolution exceeds this: a spread is at most the largest deviation plus the reach of the means.
        bound = 16 * EPS**2 * (2 * np.vdot(factor.roots, factor.roots) + 10 * np.vdot(means, means))
        if not factor.smallest**2 > bound:  # or something is NaN
            self._refuse_collapsed(means, covariances, scatter, masses)
        # The cached property is set here: a singular matrix is found in the M-step, and factorised once.
        kind = self.covariance_type
        return trusted(GaussianParameters, means=means, covariances=covariances, covariance_type=kind, factor=factor)

    def _refuse_collapsed(
        self, means: FloatArray, covariances: FloatArray, scatter: FloatArray, masses: FloatArray
    ) -> None:
        """Raise if a number is NaN, or a variance at or below the resolution of the data."""
        GaussianParameters(means, covariances, self.covariance_type)  # its checks say where the NaN is
        variances = self.structure.variances(covariances, *means.shape)
        center = masses @ means / masses.sum()
        total = self.structure.column_scatter(scatter).sum(axis=0) + masses @ (means - center) ** 2
        spread = np.sqrt(np.maximum(total, 0) / masses.sum())
        resolution = (4 * EPS * (np.abs(means) + spread)) ** 2
        collapsed = ~(variances > resolution).all(axis=1)
        if collapsed.any():
            raise DegenerateComponent(int(np.argmax(collapsed)), "collapsed: a variance of it fell to zero", REMEDY)

    def shared_covariances(self, matrix: FloatArray, mass: float, n_components: int) -> FloatArray:
        """Return one covariance matrix repeated for all components, under the prior and the floor.

        Parameters
        ----------
        matrix : ndarray of shape (d, d)
            The covariance of rows of total weight `mass`.
        mass : float
            The weight that the prior is set against.
        n_components : int
            Number of components M.

        Returns
        -------
        ndarray
            Covariances in the shape of this family's type.
        """
        if self.prior is not None:
            dim = len(matrix)
            matrix = (mass * matrix + self.prior.scale_matrix(dim)) / (mass + self.prior.dof + dim + 1)
        covariances = self.structure.share(matrix, n_components)
        return covariances if self.covariance_floor is None else self.structure.clip(covariances, self.covariance_floor)

    def check_start(self, theta: GaussianParameters) -> None:
        """Refuse a start outside the parameter space.

        Parameters
        ----------
        theta : GaussianParameters
            Where EM is to start.

        Raises
        ------
        ValueError
            If a covariance has an eigenvalue below the floor, or the floor is below the rounding of the covariances.
        """
        if self.covariance_floor is None:
            return
        values = np.linalg.eigvalsh(theta.dense_covariances)
        # Eigenvalues are known to rounding of the largest one; a clipped matrix is on the floor to that.
        resolution = 8 * values.shape[1] * EPS * values[:, -1]
        if self.covariance_type in ("full", "tied") and self.covariance_floor < resolution.max():
            raise ValueError(
                f"covariance_floor={self.covariance_floor:.6g} is lost in the rounding of the largest eigenvalue "
                f"{values.max():.6g} of the covariances: bring the columns to similar units, or raise the floor"
            )
        below = values[:, 0] < self.covariance_floor - resolution
        if below.any():
            m = int(np.argmax(below))
            raise ValueError(
                f"the covariance of component {m} has an eigenvalue {values[m, 0]:.6g} below "
                f"covariance_floor={self.covariance_floor:.6g}: start from covariances above the floor"
            )

    def log_prior(self, theta: GaussianParameters) -> float:
        """Return the log prior density of the covariances, in nats; 0 without a prior.

        Parameters
        ----------
        theta : GaussianParameters
            The parameters.

        Returns
        -------
        float
            The log density.
        """
        if self.prior is None:
            return 0.0
        return self.structure.log_prior(theta.covariances, theta.means.shape[1], self.prior)

    def magnitude(self, theta: GaussianParameters, x: FloatArray) -> FloatArray:
        """Return the size of what enters each row's log density, for a bound on its rounding error.

        Parameters
        ----------
        theta : GaussianParameters
            The parameters.
        x : ndarray of shape (n, d)
            Rows of data.

        Returns
        -------
        ndarray of shape (n,)
            Number of columns times the condition number of the worst covariance plus the largest mean in
            standard deviations.
        """
        deviations = np.sqrt(np.diagonal(theta.dense_covariances, axis1=1, axis2=2))
        amplified = theta.factor.condition + float((np.abs(theta.means) / deviations).max())
        return np.full(len(x), x.shape[1] * amplified)

    def amplification(self, theta: GaussianParameters, rows: Rows) -> float:
        """Return what the fused E-step multiplies rounding errors by, for the same bound.

        Parameters
        ----------
        theta : GaussianParameters
            The parameters.
        rows : Rows
            The data.

        Returns
        -------
        float
            0 where it adds nothing to :meth:`magnitude`.
        """
        return amplification(self.structure, theta, rows)

    def sample(self, theta: GaussianParameters, labels: IntArray, rng: np.random.Generator) -> FloatArray:
        """Draw one row from the component of each label.

        Parameters
        ----------
        theta : GaussianParameters
            The parameters.
        labels : ndarray of shape (n,)
            Components, counted from 0.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray of shape (n, d)
            The rows.
        """
        roots = np.linalg.cholesky(theta.dense_covariances)
        noise = rng.standard_normal((len(labels), theta.means.shape[1]))
        return theta.means[labels] + np.einsum("nij,nj->ni", roots[labels], noise)

    def pack(self, theta: GaussianParameters) -> FloatArray:
        """Return means and log-Cholesky factors (or log variances) as one unconstrained vector.

        Parameters
        ----------
        theta : GaussianParameters
            The parameters.

        Returns
        -------
        ndarray of shape (p,)
            As many numbers as there are free parameters.
        """
        return np.concatenate([theta.means.ravel(), self.structure.pack(theta.covariances)])

    def unpack(self, vector: FloatArray, like: GaussianParameters) -> GaussianParameters:
        """Return the parameters of a vector made by :meth:`pack`.

        Parameters
        ----------
        vector : ndarray of shape (p,)
            The coordinates.
        like : GaussianParameters
            Parameters of the same shapes.

        Returns
        -------
        GaussianParameters
            The parameters.
        """
        n_means = like.means.size
        means = vector[:n_means].reshape(like.means.shape)
        covariances = self.structure.unpack(vector[n_means:], like.covariances.shape)
        return GaussianParameters(means, covariances, self.covariance_type)

    def score(self, theta: GaussianParameters, stats: GaussianStatistics) -> FloatArray | None:
        """Return the gradient of the log-likelihood (plus the log prior) by the coordinates of :meth:`pack`.

        Parameters
        ----------
        theta : GaussianParameters
            The parameters of the E-step.
        stats : GaussianStatistics
            Its statistics.

        Returns
        -------
        ndarray of shape (p,) or None
            In nats; None with a floor, under which the gradient need not vanish at the maximum.
        """
        return None if self.covariance_floor is not None else gaussian_score(theta, stats, self.prior)

    def complete_information(self, theta: GaussianParameters, stats: GaussianStatistics) -> Stacked:
        """Return the information of complete data about means and covariances.

        Parameters
        ----------
        theta : GaussianParameters
            The parameters of the E-step.
        stats : GaussianStatistics
            Its statistics.

        Returns
        -------
        Stacked
            In the coordinates of :meth:`pack`.
        """
        return gaussian_information(theta, stats, self.prior)


def _weighted_means(x: FloatArray, weights: FloatArray, masses: FloatArray) -> FloatArray:
    """Return the mean of the rows under each row of ``weights``, computed about the overall mean."""
    center = x.mean(axis=0)
    return center + (weights @ (x - center)) / np.where(masses > 0, masses, 1.0)[:, None]
