"""Products of categorical components, one distribution a column, columns independent (latent classes)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emlib.metric import LogRatios
from emlib.models.components.discrete import Totals, TotalsFamily, refuse, sum_x_log
from emlib.models.components.values import check_columns, frozen

if TYPE_CHECKING:
    from emlib._types import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class CategoricalParameters:
    """Probabilities of K categories, for M components and d columns.

    Attributes
    ----------
    probabilities : ndarray of shape (M, d, K)
        Not negative, sum to one over the last axis.

    Raises
    ------
    ValueError
        If the shape is wrong or the numbers are no distributions.
    """

    probabilities: FloatArray

    def __post_init__(self) -> None:
        p = frozen(self.probabilities)
        if p.ndim != 3 or not ((p >= 0).all() and np.allclose(p.sum(axis=-1), 1, rtol=0, atol=1e-8)):
            raise ValueError(
                "probabilities must be >= 0, sum to 1 over the last axis, and have shape "
                f"(n_components, n_features, n_categories), got shape {p.shape}"
            )
        object.__setattr__(self, "probabilities", p)


class Categorical(TotalsFamily):
    """Categorical family: each column holds a category 0..K-1, drawn from its own distribution.

    The M-step sets each probability to the frequency weighted by the responsibilities.

    Parameters
    ----------
    n_categories : int
        The number K of categories, the same for every column.

    Raises
    ------
    ValueError
        If `n_categories` is not a whole number from 2.
    """

    def __init__(self, n_categories: int) -> None:
        if n_categories != int(n_categories) or n_categories < 2:
            raise ValueError(f"n_categories must be a whole number, at least 2, got {n_categories}")
        self.n_categories = n_categories

    def check(self, x: FloatArray) -> None:
        """Refuse data other than the numbers of categories.

        Parameters
        ----------
        x : ndarray of shape (n, d)
            Rows of data.

        Raises
        ------
        ValueError
            Naming the first row and column that is no category.
        """
        wrong = (x < 0) | (x >= self.n_categories) | (x != np.floor(x))
        refuse(x, wrong, "categorical", f"whole numbers from 0 to {self.n_categories - 1}")

    def features(self, x: FloatArray) -> FloatArray:
        """Return indicators of the category in each column.

        Parameters
        ----------
        x : ndarray of shape (n, d)
            Categories.

        Returns
        -------
        ndarray of shape (n, d * K)
            Zeros and ones.
        """
        return (x[:, :, None] == np.arange(self.n_categories)).reshape(len(x), -1).astype(np.float64)

    def log_prob(self, theta: CategoricalParameters, x: FloatArray) -> FloatArray:
        """Return log probabilities.

        Parameters
        ----------
        theta : CategoricalParameters
            Distributions of M components.
        x : ndarray of shape (n, d)
            Categories.

        Returns
        -------
        ndarray of shape (n, M)
            In nats; -inf where a component excludes a row.

        Raises
        ------
        ValueError
            If data and parameters have different numbers of columns or categories.
        """
        check_columns(x, theta.probabilities.shape[1])
        if theta.probabilities.shape[2] != self.n_categories:
            raise ValueError(
                f"the parameters have {theta.probabilities.shape[2]} categories, the family {self.n_categories}"
            )
        return sum_x_log(self.features(x), theta.probabilities.reshape(len(theta.probabilities), -1))

    def from_statistics(self, stats: Totals) -> CategoricalParameters:
        """Return the probabilities that maximise Q.

        Parameters
        ----------
        stats : Totals
            Counts over all rows.

        Returns
        -------
        CategoricalParameters
            Weighted frequencies.

        Raises
        ------
        DegenerateComponent
            If a component lost its data.
        """
        frequencies = stats.means().reshape(len(stats.masses), -1, self.n_categories)
        return CategoricalParameters(frequencies / frequencies.sum(axis=-1, keepdims=True))

    def sample(self, theta: CategoricalParameters, labels: IntArray, rng: np.random.Generator) -> FloatArray:
        """Draw one row from the component of each label.

        Parameters
        ----------
        theta : CategoricalParameters
            Distributions.
        labels : ndarray of shape (n,)
            Components, counted from 0.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray of shape (n, d)
            Categories.
        """
        steps = theta.probabilities[labels].cumsum(axis=-1)[:, :, :-1]
        u = rng.random(steps.shape[:2])
        return (u[:, :, None] >= steps).sum(axis=-1).astype(np.float64)

    def pack(self, theta: CategoricalParameters) -> FloatArray:
        """Return log ratios to the last category.

        Parameters
        ----------
        theta : CategoricalParameters
            Distributions.

        Returns
        -------
        ndarray of shape (M * d * (K - 1),)
            Unconstrained.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(theta.probabilities)
            return (logs[:, :, :-1] - logs[:, :, -1:]).ravel()

    def unpack(self, vector: FloatArray, like: CategoricalParameters) -> CategoricalParameters:
        """Return the parameters of log ratios.

        Parameters
        ----------
        vector : ndarray of shape (M * d * (K - 1),)
            Log ratios.
        like : CategoricalParameters
            Parameters of the same shape.

        Returns
        -------
        CategoricalParameters
            The parameters.

        Raises
        ------
        ValueError
            If a coordinate is not finite: a probability of zero has no log ratio.
        """
        if not np.isfinite(vector).all():
            raise ValueError("a coordinate is not finite: distributions with a probability of 0 cannot be unpacked")
        n_components, dim, k = like.probabilities.shape
        logits = np.zeros((n_components, dim, k))
        logits[:, :, :-1] = vector.reshape(n_components, dim, k - 1)
        p = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return CategoricalParameters(p / p.sum(axis=-1, keepdims=True))

    def score(self, theta: CategoricalParameters, stats: Totals) -> FloatArray:
        """Return the gradient of the log-likelihood by the log ratios (Fisher's identity).

        Parameters
        ----------
        theta : CategoricalParameters
            The parameters of the E-step.
        stats : Totals
            Its statistics.

        Returns
        -------
        ndarray of shape (p,)
            In nats.
        """
        counts = stats.sums.reshape(theta.probabilities.shape)
        return (counts - stats.masses[:, None, None] * theta.probabilities)[:, :, :-1].ravel()

    def complete_information(self, theta: CategoricalParameters, stats: Totals) -> LogRatios:
        """Return the information of complete data about the log ratios.

        Parameters
        ----------
        theta : CategoricalParameters
            The parameters of the E-step.
        stats : Totals
            Its statistics.

        Returns
        -------
        LogRatios
            In the coordinates of :meth:`pack`.
        """
        p = theta.probabilities
        return LogRatios(np.repeat(stats.masses, p.shape[1]), p.reshape(-1, self.n_categories))
