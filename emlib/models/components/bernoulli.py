"""Products of Bernoulli components, one probability a column, columns independent."""

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
class BernoulliParameters:
    """Probabilities of a one (binomial: of a success), for M components and d columns.

    Attributes
    ----------
    probabilities : ndarray of shape (M, d)
        Between 0 and 1.

    Raises
    ------
    ValueError
        If the shape is wrong or a probability is outside [0, 1].
    """

    probabilities: FloatArray

    def __post_init__(self) -> None:
        p = frozen(self.probabilities)
        if p.ndim != 2 or not ((p >= 0) & (p <= 1)).all():
            raise ValueError(f"probabilities must be in [0, 1], of shape (n_components, n_features), got {p}")
        object.__setattr__(self, "probabilities", p)


class Bernoulli(TotalsFamily):
    """Bernoulli family for rows of zeros and ones: p(x) = prod_j p_j^x_j (1 - p_j)^(1 - x_j).

    The M-step sets each probability to the mean weighted by the responsibilities.
    """

    def check(self, x: FloatArray) -> None:
        """Refuse data other than 0 and 1.

        Parameters
        ----------
        x : ndarray of shape (n, d)
            Rows of data.

        Raises
        ------
        ValueError
            Naming the first row and column that is neither.
        """
        refuse(x, (x != 0) & (x != 1), "Bernoulli", "0 or 1")

    def log_prob(self, theta: BernoulliParameters, x: FloatArray) -> FloatArray:
        """Return log probabilities.

        Parameters
        ----------
        theta : BernoulliParameters
            Probabilities of M components.
        x : ndarray of shape (n, d)
            Zeros and ones.

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
        return sum_x_log(x, theta.probabilities) + sum_x_log(1 - x, 1 - theta.probabilities)

    def from_statistics(self, stats: Totals) -> BernoulliParameters:
        """Return the probabilities that maximise Q.

        Parameters
        ----------
        stats : Totals
            Sums over all rows.

        Returns
        -------
        BernoulliParameters
            Weighted means.

        Raises
        ------
        DegenerateComponent
            If a component lost its data.
        """
        # Rounding can put a mean of ones an ulp above 1.
        return BernoulliParameters(np.minimum(stats.means(), 1.0))

    def sample(self, theta: BernoulliParameters, labels: IntArray, rng: np.random.Generator) -> FloatArray:
        """Draw one row from the component of each label.

        Parameters
        ----------
        theta : BernoulliParameters
            Probabilities.
        labels : ndarray of shape (n,)
            Components, counted from 0.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray of shape (n, d)
            Zeros and ones.
        """
        p = theta.probabilities[labels]
        return (rng.random(p.shape) < p).astype(np.float64)

    def pack(self, theta: BernoulliParameters) -> FloatArray:
        """Return the log odds.

        Parameters
        ----------
        theta : BernoulliParameters
            Probabilities.

        Returns
        -------
        ndarray of shape (M * d,)
            Unconstrained.
        """
        p = theta.probabilities.ravel()
        with np.errstate(divide="ignore"):
            return np.log(p) - np.log1p(-p)

    def unpack(self, vector: FloatArray, like: BernoulliParameters) -> BernoulliParameters:
        """Return the parameters of log odds.

        Parameters
        ----------
        vector : ndarray of shape (M * d,)
            Log odds.
        like : BernoulliParameters
            Parameters of the same shape.

        Returns
        -------
        BernoulliParameters
            The parameters.
        """
        from scipy.special import expit

        return BernoulliParameters(expit(vector).reshape(like.probabilities.shape))

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
        return (stats.sums - stats.masses[:, None] * theta.probabilities).ravel()

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
        p = theta.probabilities
        return Diagonal((stats.masses[:, None] * p * (1 - p)).ravel())
