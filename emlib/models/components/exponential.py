"""Exponential components, one rate a column, columns independent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emlib.errors import DegenerateComponent
from emlib.metric import Diagonal
from emlib.models.components.discrete import Totals, TotalsFamily, refuse
from emlib.models.components.values import check_columns, frozen

if TYPE_CHECKING:
    from emlib._types import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class ExponentialParameters:
    """Rates of M components for d columns.

    Attributes
    ----------
    rates : ndarray of shape (M, d)
        Inverse means, positive, in inverse units of the data.

    Raises
    ------
    ValueError
        If the shape is wrong or a rate is not positive and finite.
    """

    rates: FloatArray

    def __post_init__(self) -> None:
        rates = frozen(self.rates)
        if rates.ndim != 2 or not (np.isfinite(rates).all() and (rates > 0).all()):
            raise ValueError(f"rates must be finite, positive and of shape (n_components, n_features), got {rates}")
        object.__setattr__(self, "rates", rates)


class Exponential(TotalsFamily):
    """Exponential family of waiting times: p(x) = prod_j rate_j exp(-rate_j x_j) for x >= 0.

    The M-step sets each rate to one over the mean weighted by the responsibilities.
    """

    def check(self, x: FloatArray) -> None:
        """Refuse negative data.

        Parameters
        ----------
        x : ndarray of shape (n, d)
            Rows of data.

        Raises
        ------
        ValueError
            Naming the first row and column that is negative.
        """
        refuse(x, x < 0, "exponential", "at least 0")

    def log_prob(self, theta: ExponentialParameters, x: FloatArray) -> FloatArray:
        """Return log densities.

        Parameters
        ----------
        theta : ExponentialParameters
            Rates of M components.
        x : ndarray of shape (n, d)
            Not negative.

        Returns
        -------
        ndarray of shape (n, M)
            In nats.

        Raises
        ------
        ValueError
            If data and parameters have different numbers of columns.
        """
        check_columns(x, theta.rates.shape[1])
        return np.log(theta.rates).sum(axis=1) - x @ theta.rates.T

    def magnitude(self, theta: ExponentialParameters, x: FloatArray) -> FloatArray:
        """Return the size of what enters each row's log density, for a bound on its rounding error.

        Parameters
        ----------
        theta : ExponentialParameters
            Rates of M components.
        x : ndarray of shape (n, d)
            Rows of data.

        Returns
        -------
        ndarray of shape (n,)
            Sum of the magnitudes of ``log rate`` and ``rate x``, for the worst component.
        """
        return (np.abs(np.log(theta.rates)).sum(axis=1) + x @ theta.rates.T).max(axis=1)

    def from_statistics(self, stats: Totals) -> ExponentialParameters:
        """Return the rates that maximise Q.

        Parameters
        ----------
        stats : Totals
            Sums over all rows.

        Returns
        -------
        ExponentialParameters
            One over the weighted means.

        Raises
        ------
        DegenerateComponent
            If a component lost its data or holds only zeros.
        """
        means = stats.means()
        collapsed = ~(means > 0).all(axis=1)
        if collapsed.any():
            raise DegenerateComponent(
                int(np.argmax(collapsed)),
                "collapsed onto rows that are zero: its rate is infinite",
                "Use fewer components or another start.",
            )
        return ExponentialParameters(1 / means)

    def sample(self, theta: ExponentialParameters, labels: IntArray, rng: np.random.Generator) -> FloatArray:
        """Draw one row from the component of each label.

        Parameters
        ----------
        theta : ExponentialParameters
            Rates.
        labels : ndarray of shape (n,)
            Components, counted from 0.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray of shape (n, d)
            Waiting times.
        """
        return rng.exponential(1 / theta.rates[labels])

    def pack(self, theta: ExponentialParameters) -> FloatArray:
        """Return the log rates.

        Parameters
        ----------
        theta : ExponentialParameters
            Rates.

        Returns
        -------
        ndarray of shape (M * d,)
            Unconstrained.
        """
        return np.log(theta.rates).ravel()

    def unpack(self, vector: FloatArray, like: ExponentialParameters) -> ExponentialParameters:
        """Return the parameters of log rates.

        Parameters
        ----------
        vector : ndarray of shape (M * d,)
            Log rates.
        like : ExponentialParameters
            Parameters of the same shape.

        Returns
        -------
        ExponentialParameters
            The parameters.
        """
        return ExponentialParameters(np.exp(vector).reshape(like.rates.shape))

    def score(self, theta: ExponentialParameters, stats: Totals) -> FloatArray:
        """Return the gradient of the log-likelihood by the log rates (Fisher's identity).

        Parameters
        ----------
        theta : ExponentialParameters
            The parameters of the E-step.
        stats : Totals
            Its statistics.

        Returns
        -------
        ndarray of shape (p,)
            In nats.
        """
        return (stats.masses[:, None] - theta.rates * stats.sums).ravel()

    def complete_information(self, theta: ExponentialParameters, stats: Totals) -> Diagonal:
        """Return the information of complete data about the log rates.

        Parameters
        ----------
        theta : ExponentialParameters
            The parameters of the E-step.
        stats : Totals
            Its statistics.

        Returns
        -------
        Diagonal
            In the coordinates of :meth:`pack`.
        """
        return Diagonal(np.repeat(stats.masses, theta.rates.shape[1]))
