"""Genetic linkage: the multinomial with which Dempster, Laird and Rubin (1977) introduce EM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.models.components.discrete import refuse
from emlib.rows import Rows, as_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from emlib._types import FloatArray

EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class LinkageParameters:
    """The one parameter of the linkage model.

    Attributes
    ----------
    pi : float
        Between 0 and 1. For two linked loci with recombination fraction r it is (1 - r)^2 for coupling
        heterozygotes and r^2 for repulsion ones.

    Raises
    ------
    ValueError
        If it is outside [0, 1].
    """

    pi: float

    def __post_init__(self) -> None:
        pi = float(self.pi)
        if not 0 <= pi <= 1:
            raise ValueError(f"pi must be in [0, 1], got {pi}")
        object.__setattr__(self, "pi", pi)

    @property
    def probabilities(self) -> FloatArray:
        """Probabilities of the four classes, shape (4,)."""
        pi = self.pi
        return np.array([2 + pi, 1 - pi, 1 - pi, pi]) / 4


@dataclass(frozen=True)
class LinkageStatistics:
    """Expected numbers of animals that speak for a large and for a small pi; they add up over rows.

    Attributes
    ----------
    for_pi : float
        Animals in cells of probability pi / 4: the second half of class 1, expected, and class 4.
    against_pi : float
        Animals in cells of probability (1 - pi) / 4: classes 2 and 3.
    """

    for_pi: float
    against_pi: float

    def __add__(self, other: LinkageStatistics) -> LinkageStatistics:
        return LinkageStatistics(self.for_pi + other.for_pi, self.against_pi + other.against_pi)


class Linkage:
    """Counts of four classes with probabilities (1/2 + pi/4, (1 - pi)/4, (1 - pi)/4, pi/4).

    Class 1 is two cells that were counted as one, of probabilities 1/2 and pi/4: how many animals were in the
    second one is the missing datum. A row of the data holds the four counts of one experiment.
    Dempster, Laird and Rubin (1977), J. R. Statist. Soc. B 39, 1-38, section 1; the counts are Rao's (1965).

    Examples
    --------
    >>> from emlib import Linkage, LinkageParameters, em
    >>> result = em(Linkage(), [[125, 18, 20, 34]], LinkageParameters(0.5))
    >>> round(result.theta.pi, 6)
    0.626821
    """

    def prepare(self, data: Any, sample_weight: ArrayLike | None = None) -> Rows:
        """Check the counts and their weights.

        Parameters
        ----------
        data : array_like of shape (n, 4)
            Counts of the four classes, one experiment a row.
        sample_weight : array_like of shape (n,), optional
            Weights of the experiments.

        Returns
        -------
        Rows
            What :meth:`e_step` reads.

        Raises
        ------
        ValueError
            If there are not four columns of whole numbers from 0, or nothing was counted.
        """
        rows = as_rows(data, sample_weight)
        if isinstance(data, Rows):
            return rows
        if rows.x.shape[1] != 4:
            raise ValueError(f"linkage data have four columns, one a class; got shape {rows.x.shape}")
        refuse(rows.x, (rows.x < 0) | (rows.x != np.floor(rows.x)), "linkage", "whole numbers from 0")
        if not rows.x.any():
            raise ValueError("all counts are zero: they say nothing about pi")
        return rows

    def check_start(self, theta: LinkageParameters) -> None:
        """Refuse a start on the boundary, where a class is impossible.

        Parameters
        ----------
        theta : LinkageParameters
            Where EM is to start.

        Raises
        ------
        ValueError
            If pi is 0 or 1.
        """
        if not 0 < theta.pi < 1:
            raise ValueError(f"start from a pi above 0 and below 1: there no class is impossible; got {theta.pi}")

    def e_step(self, theta: LinkageParameters, data: Any) -> tuple[LinkageStatistics, float]:
        """Split class 1 into its two cells, and return the log-likelihood at `theta`.

        Parameters
        ----------
        theta : LinkageParameters
            The current guess.
        data : Rows or array_like of shape (n, 4)
            Counts.

        Returns
        -------
        statistics : LinkageStatistics
            They add up over rows.
        log_likelihood : float
            Weighted sum of the log probabilities of the rows, multinomial coefficients included, in nats.
        """
        from scipy.special import gammaln, xlogy

        rows = self.prepare(data)
        weights = _weights(rows)
        one, two, three, four = weights @ rows.x
        hidden = one * theta.pi / (2 + theta.pi)
        coefficients = gammaln(rows.x.sum(axis=1) + 1) - gammaln(rows.x + 1).sum(axis=1)
        log_likelihood = weights @ (xlogy(rows.x, theta.probabilities).sum(axis=1) + coefficients)
        return LinkageStatistics(float(hidden + four), float(two + three)), float(log_likelihood)

    def log_joint(self, theta: LinkageParameters, data: Any) -> FloatArray:
        """Return the log probability of each row together with each number of animals in the second cell.

        Parameters
        ----------
        theta : LinkageParameters
            The parameter, inside (0, 1).
        data : Rows or array_like of shape (n, 4)
            Counts.

        Returns
        -------
        ndarray of shape (n, K)
            In nats; column k is for k animals in the cell of probability pi / 4, -inf where class 1 has fewer. The sum
            of the exponentials over a row is the probability of its counts.
        """
        from scipy.special import gammaln

        rows = self.prepare(data)
        hidden = np.arange(int(rows.x[:, 0].max()) + 1)
        first = rows.x[:, :1] - hidden
        possible = first >= 0
        cells = np.stack(
            [np.where(possible, first, 0.0), *np.broadcast_arrays(hidden, *rows.x[:, 1:, None].swapaxes(0, 1))], axis=-1
        )
        logs = np.log([0.5, theta.pi / 4, (1 - theta.pi) / 4, (1 - theta.pi) / 4, theta.pi / 4])
        values = cells @ logs - gammaln(cells + 1).sum(axis=-1) + gammaln(rows.x.sum(axis=1) + 1)[:, None]
        return np.where(possible, values, -np.inf)

    def m_step(self, stats: LinkageStatistics) -> LinkageParameters:
        """Return the share of animals that speak for a large pi: the maximum of Q.

        Parameters
        ----------
        stats : LinkageStatistics
            Statistics of all rows.

        Returns
        -------
        LinkageParameters
            The maximum.
        """
        return LinkageParameters(stats.for_pi / (stats.for_pi + stats.against_pi))

    def pack(self, theta: LinkageParameters) -> FloatArray:
        """Return the log odds of pi.

        Parameters
        ----------
        theta : LinkageParameters
            The parameter.

        Returns
        -------
        ndarray of shape (1,)
            Unconstrained; infinite on the boundary.
        """
        from scipy.special import logit

        return np.array([logit(theta.pi)])

    def unpack(self, vector: FloatArray, like: LinkageParameters) -> LinkageParameters:
        """Return the parameter of its log odds.

        Parameters
        ----------
        vector : ndarray of shape (1,)
            Log odds.
        like : LinkageParameters
            Not used: there is one shape only.

        Returns
        -------
        LinkageParameters
            The parameter.
        """
        from scipy.special import expit

        del like
        return LinkageParameters(float(expit(vector[0])))

    def rounding(self, theta: LinkageParameters, data: Rows) -> float:
        """Return a bound on the rounding error of the log-likelihood at `theta`.

        Parameters
        ----------
        theta : LinkageParameters
            The parameter.
        data : Rows
            Counts.

        Returns
        -------
        float
            In nats. The multinomial coefficient and the probabilities nearly cancel, so the bound grows with
            the terms and not with their sum.
        """
        from scipy.special import gammaln, xlogy

        terms = np.abs(xlogy(data.x, theta.probabilities)).sum(axis=1) + gammaln(data.x.sum(axis=1) + 1)
        return 8 * EPS * float(_weights(data) @ (terms + gammaln(data.x + 1).sum(axis=1)))


def _weights(rows: Rows) -> FloatArray:
    """Return the weights of the rows, ones where none were given."""
    return np.ones(len(rows.x)) if rows.weights is None else rows.weights
