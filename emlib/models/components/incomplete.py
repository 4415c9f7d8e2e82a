"""Gaussian components for rows of which some entries are missing (marked by NaN).

A row counts with the density of its observed entries; the E-step completes it by what these say of the others, in the
mean and in the second moment. Rows that have the same entries share the matrices for this. The derivation stands in
notebooks/16_missing_data.ipynb.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from emlib.models.components.covariance import STRUCTURES, Factor
from emlib.models.components.gaussian import Gaussian
from emlib.models.components.gaussian_values import GaussianParameters, GaussianStatistics
from emlib.models.components.values import check_columns, frozen

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from emlib._types import BoolArray, FloatArray, IntArray
    from emlib.priors import InverseWishart
    from emlib.rows import Rows

_Component = tuple["FloatArray", "FloatArray", "FloatArray"]  # mean, standard deviations, correlation matrix

LARGEST_STACK = 2**21
"""Entries of the stack of matrices that is factored at once, one matrix a pattern: 16 MB."""


@dataclass(frozen=True, eq=False)
class IncompleteStatistics(GaussianStatistics):
    """Expected moments of rows with missing entries, and how often each column was seen; they add up over rows.

    Attributes
    ----------
    reference : ndarray of shape (M, d)
        The means of the E-step.
    masses : ndarray of shape (M,)
        Sums of the responsibilities.
    first : ndarray of shape (M, d)
        Expected first moments about the reference.
    second : ndarray of shape (M, d, d) or (M, d)
        Expected second moments about the reference, or their diagonals.
    seen : ndarray of shape (d,)
        Sum of the weights of the rows that have an entry in each column.
    """

    seen: FloatArray = field(repr=False)

    def __add__(self, other: GaussianStatistics) -> IncompleteStatistics:
        if not isinstance(other, IncompleteStatistics):
            raise TypeError(f"statistics of incomplete rows do not add up with {type(other).__name__}")
        sums = super().__add__(other)
        return IncompleteStatistics(sums.reference, sums.masses, sums.first, sums.second, self.seen + other.seen)


@dataclass(frozen=True, eq=False)
class _Patterns:
    """Rows that have the same entries, together.

    Attributes
    ----------
    observed : ndarray of bool, shape (P, d)
        Which entries the rows of each pattern have.
    rows : list of P ndarrays of int
        The rows of each pattern.
    """

    observed: BoolArray
    rows: list[IntArray]


class IncompleteGaussian(Gaussian):
    """Gaussian family for rows in which NaN marks a missing entry.

    Parameters
    ----------
    covariance_type : {'full', 'tied', 'diag', 'spherical', 'tied_diag', 'tied_spherical'}
        As for :class:`~emlib.models.components.gaussian.Gaussian`.
    covariance_floor : float or None
        Lower bound on the eigenvalues of the covariances, in squared units of the data.
    prior : InverseWishart or None
        Prior on the covariances.
    fixed_mean : array_like of shape (d,) or None
        A mean that is known, for every component; None estimates it.

    Raises
    ------
    ValueError
        If an option is unknown or out of range.
    """

    def __init__(
        self,
        covariance_type: str = "full",
        *,
        covariance_floor: float | None = None,
        prior: InverseWishart | None = None,
        fixed_mean: ArrayLike | None = None,
    ) -> None:
        super().__init__(covariance_type, covariance_floor=covariance_floor, prior=prior)
        self.fixed_mean = None if fixed_mean is None else frozen(fixed_mean)
        if self.fixed_mean is not None and not (self.fixed_mean.ndim == 1 and np.isfinite(self.fixed_mean).all()):
            raise ValueError(f"fixed_mean must be a vector of finite numbers, one a column, got {self.fixed_mean}")

    def check(self, x: FloatArray) -> None:
        """Refuse data whose squares leave the range of floating point.

        Parameters
        ----------
        x : ndarray of shape (n, d)
            Rows of data, NaN where an entry is missing.

        Raises
        ------
        ValueError
            Naming the first row and column beyond 1e151, or a column that varies by less than 1e-151.
        """
        smallest = np.fmin.reduce(x, axis=0)  # in place of a missing entry it changes neither the size nor the spread
        super().check(np.where(np.isnan(x), np.where(np.isnan(smallest), 0.0, smallest), x))

    def log_prob(self, theta: GaussianParameters, x: FloatArray) -> FloatArray:
        """Return log densities of the observed entries.

        Parameters
        ----------
        theta : GaussianParameters
            Parameters of M components.
        x : ndarray of shape (n, d)
            Rows of data, NaN where an entry is missing.

        Returns
        -------
        ndarray of shape (n, M)
            In nats; 0 for a row without entries.

        Raises
        ------
        ValueError
            If the parameters are of another covariance type or number of columns.
        DegenerateComponent
            If a covariance is singular.
        """
        self._check_fits(theta, x.shape[1])
        distances = np.empty((len(theta.means), len(x)))
        for patterns in _patterns(x):
            constants = patterns.observed.sum(axis=1) * np.log(2 * np.pi)
            for m, (mean, deviation, correlation) in enumerate(_components(theta)):
                factor = _factor(correlation, patterns.observed)
                constant = constants + factor.log_det + 2 * patterns.observed @ np.log(deviation)
                for p, rows in enumerate(patterns.rows):
                    diff = _deviations(x[rows], mean, deviation)
                    white = STRUCTURES["full"].whiten(factor, p, diff.T)
                    distances[m, rows] = np.einsum("dn,dn->n", white, white) + constant[p]
        return -0.5 * distances.T

    def complete(self, theta: GaussianParameters, x: FloatArray) -> FloatArray:
        """Return the rows with each missing entry replaced by its expectation given the observed ones.

        Parameters
        ----------
        theta : GaussianParameters
            Parameters of M components.
        x : ndarray of shape (n, d)
            Rows of data, NaN where an entry is missing.

        Returns
        -------
        ndarray of shape (M, n, d)
            The rows, completed under each component; observed entries as they are.
        """
        self._check_fits(theta, x.shape[1])
        shifts = np.array([_expectation(part, x, np.zeros(len(x)))[0] for part in _components(theta)])
        return np.where(np.isnan(x), theta.means[:, None] + shifts, x)

    def expectation(self, theta: GaussianParameters, weights: FloatArray, rows: Rows) -> None:
        """Return None: rows with missing entries have no fused E-step, and a mixture takes the two parts in turn.

        Parameters
        ----------
        theta : GaussianParameters
            Parameters of M components.
        weights : ndarray of shape (M,)
            Mixing weights.
        rows : Rows
            The data.
        """

    def amplification(self, theta: GaussianParameters, rows: Rows) -> float:
        """Return 0: there is no fused E-step to amplify anything.

        Parameters
        ----------
        theta : GaussianParameters
            The parameters.
        rows : Rows
            The data.

        Returns
        -------
        float
            0.
        """
        del theta, rows
        return 0.0

    def statistics(
        self, theta: GaussianParameters | None, x: FloatArray, responsibilities: FloatArray
    ) -> IncompleteStatistics:
        """Return the expected weighted moments of the completed rows about the means of `theta`.

        A row without any entry has no part in them.

        Parameters
        ----------
        theta : GaussianParameters or None
            The parameters of the E-step; None takes those of :meth:`available`.
        x : ndarray of shape (n, d)
            Rows of data, NaN where an entry is missing.
        responsibilities : ndarray of shape (n, M)
            Responsibilities, already multiplied by the weights of the rows.

        Returns
        -------
        IncompleteStatistics
            They add up over chunks of rows.
        """
        theta = self.available(x, responsibilities) if theta is None else theta
        observed = ~np.isnan(x)
        weights = (responsibilities * observed.any(axis=1, keepdims=True)).T
        first, second = [], []
        for part, weight in zip(_components(theta), weights, strict=True):
            diff, residual = _expectation(part, x, weight)
            moment = self.structure.second_moment(diff.T, weight)
            first.append(weight @ diff)
            second.append(moment + (residual if moment.ndim == 2 else np.diagonal(residual)))
        return IncompleteStatistics(
            theta.means, weights.sum(axis=1), np.array(first), np.array(second), weights.sum(axis=0) @ observed
        )

    def available(self, x: FloatArray, responsibilities: FloatArray) -> GaussianParameters:
        """Return means and variances of what was observed, column by column: a start for EM.

        Parameters
        ----------
        x : ndarray of shape (n, d)
            Rows of data, NaN where an entry is missing.
        responsibilities : ndarray of shape (n, M)
            Responsibilities, already multiplied by the weights of the rows.

        Returns
        -------
        GaussianParameters
            Means of each component; the covariances of all are the variances within them, without correlation.

        Raises
        ------
        ValueError
            If a column has no entry, or none with a positive responsibility for a component.
        """
        if self.fixed_mean is not None:
            check_columns(x, len(self.fixed_mean))
        observed = ~np.isnan(x)
        _refuse_unseen(responsibilities.sum(axis=1) @ observed)
        counts = responsibilities.T @ observed
        lacking = np.argwhere(counts == 0)
        if len(lacking):
            m, column = (int(k) for k in lacking[0])
            raise ValueError(f"component {m} has no row with an entry in column {column}: give it other rows")
        center = np.array([column[seen].mean() for column, seen in zip(x.T, observed.T, strict=True)])
        shifts = responsibilities.T @ np.where(observed, x - center, 0.0) / counts
        means = center + shifts if self.fixed_mean is None else np.broadcast_to(self.fixed_mean, shifts.shape)
        squares = sum(
            r @ np.where(observed, x - mean, 0.0) ** 2 for r, mean in zip(responsibilities.T, means, strict=True)
        )
        variances = np.asarray(squares / counts.sum(axis=0))
        covariances = self.shared_covariances(np.diag(variances), float(responsibilities.sum()), len(means))
        return GaussianParameters(means, covariances, self.covariance_type)

    def from_statistics(self, stats: GaussianStatistics) -> GaussianParameters:
        """Return the means and covariances that maximise Q.

        Parameters
        ----------
        stats : IncompleteStatistics
            Moments of all rows.

        Returns
        -------
        GaussianParameters
            The maximum, under the floor and with the prior if there is one; with `fixed_mean`, of the covariances.

        Raises
        ------
        ValueError
            If a column was never observed.
        DegenerateComponent
            If a component lost its data or its covariance is singular.
        """
        if isinstance(stats, IncompleteStatistics):
            _refuse_unseen(stats.seen)
        if self.fixed_mean is not None:  # the moments are about it: without a shift the mean stays
            stats = replace(stats, first=np.zeros_like(stats.first))
        return super().from_statistics(stats)

    def check_start(self, theta: GaussianParameters) -> None:
        """Refuse a start outside the parameter space.

        Parameters
        ----------
        theta : GaussianParameters
            Where EM is to start.

        Raises
        ------
        ValueError
            If a covariance has an eigenvalue below the floor, or a mean is not the fixed one.
        """
        super().check_start(theta)
        if self.fixed_mean is not None:
            check_columns(theta.means, len(self.fixed_mean))
            if not (theta.means == self.fixed_mean).all():
                raise ValueError(
                    f"the mean is fixed at {self.fixed_mean.tolist()}, the start has {theta.means.tolist()}: "
                    "start from the fixed mean"
                )

    def pack(self, theta: GaussianParameters) -> FloatArray:
        """Return means (unless fixed) and log-Cholesky factors, or log variances, as one vector.

        Parameters
        ----------
        theta : GaussianParameters
            The parameters.

        Returns
        -------
        ndarray of shape (p,)
            As many numbers as there are free parameters.
        """
        return super().pack(theta) if self.fixed_mean is None else self.structure.pack(theta.covariances)

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
        return super().unpack(vector if self.fixed_mean is None else np.append(like.means, vector), like)


def _refuse_unseen(seen: FloatArray) -> None:
    """Raise if a column has no entry in any row."""
    if not seen.all():
        column = int(np.argmin(seen))
        raise ValueError(f"column {column} was never observed, so nothing is known of its mean: leave it out")


def by_pattern(x: FloatArray) -> IntArray:
    """Return an order of the rows in which those with the same entries are next to each other.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Rows of data, NaN where an entry is missing.

    Returns
    -------
    ndarray of int, shape (n,)
        Indices of rows; within a pattern they rise.
    """
    return np.lexsort(np.packbits(~np.isnan(x), axis=1).T)


def _patterns(x: FloatArray) -> Iterator[_Patterns]:
    """Yield the rows grouped by which entries they have, as many patterns at a time as a stack of matrices may hold."""
    observed, order = ~np.isnan(x), by_pattern(x)
    new = (observed[order[1:]] != observed[order[:-1]]).any(axis=1)
    groups = np.split(order, np.flatnonzero(new) + 1)
    at_once = max(1, LARGEST_STACK // x.shape[1] ** 2)
    for first in range(0, len(groups), at_once):
        rows = groups[first : first + at_once]
        yield _Patterns(observed[[group[0] for group in rows]], rows)


def _components(theta: GaussianParameters) -> Iterator[_Component]:
    """Yield the mean, the standard deviations and the correlation matrix of each component."""
    _ = theta.factor  # raises where a covariance is singular; blocks of a regular one are regular
    for mean, covariance in zip(theta.means, theta.dense_covariances, strict=True):
        deviation = np.sqrt(np.diagonal(covariance))
        yield mean, deviation, covariance / np.outer(deviation, deviation)


def _deviations(x: FloatArray, mean: FloatArray, deviation: FloatArray) -> FloatArray:
    """Return rows about the mean in standard deviations, with 0 for a missing entry."""
    diff = (x - mean) / deviation
    return np.where(np.isnan(diff), 0.0, diff)


def _factor(correlation: FloatArray, observed: BoolArray) -> Factor:
    """Return Cholesky factors of the observed block of a correlation matrix, for each pattern (P, d).

    A missing entry is given the row and column of the identity: one size then fits all patterns, and the factors,
    determinants and quadratic forms are those of the observed block.
    """
    both = observed[:, :, None] & observed[:, None, :]
    roots = np.linalg.cholesky(np.where(both, correlation, np.eye(len(correlation))))
    pivots = np.diagonal(roots, axis1=1, axis2=2)
    return Factor(roots, 2 * np.log(pivots).sum(axis=1), float(pivots.min()))


def _regression(correlation: FloatArray, observed: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Return how the missing entries depend on the observed ones, for each pattern (P, d).

    The slopes (P, d, d) hold in column j the coefficients of entry j; the residual (P, d, d) is the covariance of
    the missing entries given the observed ones, zero where one of the two is observed.
    """
    roots = _factor(correlation, observed).roots
    half = np.linalg.solve(roots, np.where(observed[:, :, None], correlation, 0.0))
    neither = ~observed[:, :, None] & ~observed[:, None, :]
    residual = np.where(neither, correlation - half.swapaxes(1, 2) @ half, 0.0)
    return np.linalg.solve(roots.swapaxes(1, 2), half), residual


def _expectation(part: _Component, x: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the completed rows less the mean, and the weighted sum of their residual covariances."""
    mean, deviation, correlation = part
    completed, residual = np.empty_like(x), np.zeros_like(correlation)
    for patterns in _patterns(x):
        slopes, spread = _regression(correlation, patterns.observed)
        masses = np.array([weights[rows].sum() for rows in patterns.rows])
        residual += np.einsum("p,pij->ij", masses, spread)
        for seen, rows, slope in zip(patterns.observed, patterns.rows, slopes, strict=True):
            estimate = _deviations(x[rows], mean, deviation) @ slope * deviation
            completed[rows] = np.where(seen, x[rows] - mean, estimate)
    return completed, residual * np.outer(deviation, deviation)
