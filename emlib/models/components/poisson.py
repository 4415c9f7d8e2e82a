"""Poisson components, one rate a column, columns independent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emlib.metric import Diagonal
from emlib.models.components.discrete import Totals, TotalsFamily, refuse, sum_x_log
from emlib.models.components.values import check_columns, frozen

if TYPE_CHECKING:
    from emlib._types import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class PoissonParameters:
    """Rates of M components for d columns.

    Attributes
    ----------
    rates : ndarray of shape (M, d)
        Expected counts, not negative.

    Raises
    ------
    ValueError
        If the shape is wrong or a rate is negative or not finite.
    """

    rates: FloatArray

    def __post_init__(self) -> None:
        rates = frozen(self.rates)
        if rates.ndim != 2 or not (np.isfinite(rates).all() and (rates >= 0).all()):
            raise ValueError(f"rates must be finite, not negative and of shape (n_components, n_features), got {rates}")
        object.__setattr__(self, "rates", rates)


class Poisson(TotalsFamily):
    """Poisson family: p(x) = prod_j exp(-rate_j) rate_j^x_j / x_j!.

    The M-step sets each rate to the mean of the counts weighted by the responsibilities.
    """

    def check(self, x: FloatArray) -> None:
        """Refuse data that are not counts.

        Parameters
        ----------
        x : ndarray of shape (n, d)
            Rows of data.

        Raises
        ------
        ValueError
            Naming the first row and column that is negative or not whole.
        """
        refuse(x, (x < 0) | (x != np.floor(x)), "Poisson", "whole numbers from 0")

    def log_prob(self, theta: PoissonParameters, x: FloatArray) -> FloatArray:
        """Return log probabilities.

        Parameters
        ----------
        theta : PoissonParameters
            Rates of M components.
        x : ndarray of shape (n, d)
            Counts.

        Returns
        -------
        ndarray of shape (n, M)
            In nats; -inf where a rate of zero meets a positive count.

        Raises
        ------
        ValueError
            If data and parameters have different numbers of columns.
        """
        check_columns(x, theta.rates.shape[1])
        from scipy.special import gammaln

        constant = gammaln(x + 1).sum(axis=1)
        return sum_x_log(x, theta.rates) - theta.rates.sum(axis=1) - constant[:, None]

    def magnitude(self, theta: PoissonParameters, x: FloatArray) -> FloatArray:
        """Return the size of what enters each row's log density, for a bound on its rounding error.

        Parameters
        ----------
        theta : PoissonParameters
            Rates of M components.
        x : ndarray of shape (n, d)
            Counts.

        Returns
        -------
        ndarray of shape (n,)
            Sum of the magnitudes of ``x log rate``, ``rate`` and ``log x!``, for the worst component.
        """
        from scipy.special import gammaln

        log_rates = np.abs(np.log(np.where(theta.rates > 0, theta.rates, 1.0)))
        terms = x @ log_rates.T + theta.rates.sum(axis=1)
        return terms.max(axis=1) + np.abs(gammaln(x + 1)).sum(axis=1)

    def from_statistics(self, stats: Totals) -> PoissonParameters:
        """Return the rates that maximise Q.

        Parameters
        ----------
        stats : Totals
            Sums over all rows.

        Returns
        -------
        PoissonParameters
            Weighted means.

        Raises
        ------
        DegenerateComponent
            If a component lost its data.
        """
        return PoissonParameters(stats.means())

    def sample(self, theta: PoissonParameters, labels: IntArray, rng: np.random.Generator) -> FloatArray:
        """Draw one row from the component of each label.

        Parameters
        ----------
        theta : PoissonParameters
            Rates.
        labels : ndarray of shape (n,)
            Components, counted from 0.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray of shape (n, d)
            Counts.
        """
        return rng.poisson(theta.rates[labels]).astype(np.float64)

    def pack(self, theta: PoissonParameters) -> FloatArray:
        """Return the log rates.

        Parameters
        ----------
        theta : PoissonParameters
            Rates.

        Returns
        -------
        ndarray of shape (M * d,)
            Unconstrained.
        """
        with np.errstate(divide="ignore"):
            return np.log(theta.rates).ravel()

    def unpack(self, vector: FloatArray, like: PoissonParameters) -> PoissonParameters:
        """Return the parameters of log rates.

        Parameters
        ----------
        vector : ndarray of shape (M * d,)
            Log rates.
        like : PoissonParameters
            Parameters of the same shape.

        Returns
        -------
        PoissonParameters
            The parameters.
        """
        return PoissonParameters(np.exp(vector).reshape(like.rates.shape))

    def score(self, theta: PoissonParameters, stats: Totals) -> FloatArray:
        """Return the gradient of the log-likelihood by the log rates (Fisher's identity).

        Parameters
        ----------
        theta : PoissonParameters
            The parameters of the E-step.
        stats : Totals
            Its statistics.

        Returns
        -------
        ndarray of shape (p,)
            In nats.
        """
        return (stats.sums - stats.masses[:, None] * theta.rates).ravel()

    def complete_information(self, theta: PoissonParameters, stats: Totals) -> Diagonal:
        """Return the information of complete data about the log rates.

        Parameters
        ----------
        theta : PoissonParameters
            The parameters of the E-step.
        stats : Totals
            Its statistics.

        Returns
        -------
        Diagonal
            In the coordinates of :meth:`pack`.
        """
        return Diagonal((stats.masses[:, None] * theta.rates).ravel())
