"""Binomial components with a known number of trials, one probability a column, columns independent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emlib.models.components.bernoulli import Bernoulli, BernoulliParameters
from emlib.models.components.discrete import Totals, refuse, sum_x_log
from emlib.models.components.values import check_columns

if TYPE_CHECKING:
    from emlib._types import FloatArray, IntArray
    from emlib.metric import Diagonal


class Binomial(Bernoulli):
    """Binomial family: p(x) = prod_j (T choose x_j) p_j^x_j (1 - p_j)^(T - x_j), with T trials in every entry.

    Its parameters are those of the Bernoulli family, which is the case T = 1. The M-step sets each
    probability to the share of successes weighted by the responsibilities.

    Parameters
    ----------
    n_trials : int
        The number T of trials behind each count, the same for every row and column.

    Raises
    ------
    ValueError
        If `n_trials` is not a whole number from 1.

    Examples
    --------
    The two coins of Do and Batzoglou (2008), each of five rounds played with one of them, none preferred:

    >>> from emlib import BernoulliParameters, Binomial, Mixture, MixtureParameters, em
    >>> heads = [[5], [9], [8], [4], [7]]
    >>> start = MixtureParameters([0.5, 0.5], BernoulliParameters([[0.6], [0.5]]))
    >>> coins = Mixture(Binomial(10), fixed_weights=[0.5, 0.5])
    >>> em(coins, heads, start, tol=0, max_iter=10).theta.components.probabilities.round(2).tolist()
    [[0.8], [0.52]]
    """

    def __init__(self, n_trials: int) -> None:
        if n_trials != int(n_trials) or n_trials < 1:
            raise ValueError(f"n_trials must be a whole number, at least 1, got {n_trials}")
        self.n_trials = int(n_trials)

    def check(self, x: FloatArray) -> None:
        """Refuse data that are no numbers of successes.

        Parameters
        ----------
        x : ndarray of shape (n, d)
            Rows of data.

        Raises
        ------
        ValueError
            Naming the first row and column that is not a whole number from 0 to T.
        """
        wrong = (x < 0) | (x > self.n_trials) | (x != np.floor(x))
        refuse(x, wrong, "binomial", f"whole numbers from 0 to {self.n_trials}")

    def log_prob(self, theta: BernoulliParameters, x: FloatArray) -> FloatArray:
        """Return log probabilities.

        Parameters
        ----------
        theta : BernoulliParameters
            Probabilities of success of M components.
        x : ndarray of shape (n, d)
            Numbers of successes.

        Returns
        -------
        ndarray of shape (n, M)
            In nats; -inf where a component excludes a row.

        Raises
        ------
        ValueError
            If data and parameters have different numbers of columns.
        """
        check_columns(x, theta.probabilities.shape[1])
        p, failures = theta.probabilities, self.n_trials - x
        return sum_x_log(x, p) + sum_x_log(failures, 1 - p) + self._log_choose(x)[:, None]

    def magnitude(self, theta: BernoulliParameters, x: FloatArray) -> FloatArray:
        """Return the size of what enters each row's log density, for a bound on its rounding error.

        Parameters
        ----------
        theta : BernoulliParameters
            Probabilities of success of M components.
        x : ndarray of shape (n, d)
            Numbers of successes.

        Returns
        -------
        ndarray of shape (n,)
            Bound on the magnitudes of three log factorials and of the log probabilities, for the worst component
            that allows the row.
        """
        from scipy.special import gammaln

        powers = self._log_choose(x)[:, None] - self.log_prob(theta, x)
        allowed = np.where(np.isfinite(powers), powers, 0.0).max(axis=1)
        magnitude: FloatArray = allowed + 3 * x.shape[1] * gammaln(self.n_trials + 1)
        return magnitude

    def _log_choose(self, x: FloatArray) -> FloatArray:
        """Return the log of the product of the binomial coefficients of each row, shape (n,)."""
        from scipy.special import gammaln

        terms = gammaln(self.n_trials + 1) - gammaln(x + 1) - gammaln(self.n_trials - x + 1)
        log_choose: FloatArray = terms.sum(axis=1)
        return log_choose

    def score(self, theta: BernoulliParameters, stats: Totals) -> FloatArray:
        """Return the gradient of the log-likelihood by the log odds (Fisher's identity).

        Parameters
        ----------
        theta : BernoulliParameters
            The parameters of the E-step.
        stats : Totals
            Its statistics.

        Returns
        -------
        ndarray of shape (p,)
            In nats.
        """
        return super().score(theta, self._trials(stats))

    def complete_information(self, theta: BernoulliParameters, stats: Totals) -> Diagonal:
        """Return the information of complete data about the log odds.

        Parameters
        ----------
        theta : BernoulliParameters
            The parameters of the E-step.
        stats : Totals
            Its statistics.

        Returns
        -------
        Diagonal
            In the coordinates of :meth:`pack`.
        """
        return super().complete_information(theta, self._trials(stats))

    def _trials(self, stats: Totals) -> Totals:
        """Return the statistics of the single trials: each row stands for `n_trials` of them."""
        return Totals(self.n_trials * stats.masses, stats.sums)

    def from_statistics(self, stats: Totals) -> BernoulliParameters:
        """Return the probabilities that maximise Q.

        Parameters
        ----------
        stats : Totals
            Sums over all rows.

        Returns
        -------
        BernoulliParameters
            Weighted shares of successes.

        Raises
        ------
        DegenerateComponent
            If a component lost its data.
        """
        # Rounding can put a share of successes an ulp above 1.
        return BernoulliParameters(np.minimum(stats.means() / self.n_trials, 1.0))

    def sample(self, theta: BernoulliParameters, labels: IntArray, rng: np.random.Generator) -> FloatArray:
        """Draw one row from the component of each label.

        Parameters
        ----------
        theta : BernoulliParameters
            Probabilities of success.
        labels : ndarray of shape (n,)
            Components, counted from 0.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray of shape (n, d)
            Numbers of successes.
        """
        return rng.binomial(self.n_trials, theta.probabilities[labels]).astype(np.float64)
