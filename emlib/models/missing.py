"""Data of which some entries were not recorded: the missing data of the note's section 2, taken literally."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.models.components.gaussian_values import GaussianParameters, GaussianStatistics
from emlib.models.components.incomplete import IncompleteGaussian, by_pattern
from emlib.models.mixture import Mixture, MixtureParameters, MixtureStatistics
from emlib.rows import Rows, as_rows, refuse_outside

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from emlib._types import BoolArray, FloatArray
    from emlib.priors import Dirichlet, InverseWishart


@dataclass(frozen=True, eq=False)
class _Table(Rows):
    """Checked rows, NaN where an entry is missing."""

    @cached_property
    def sorted(self) -> Rows:
        """The same rows by pattern: a chunk of them then holds few patterns, each of which costs a factorisation."""
        order = by_pattern(self.x)
        numbers = order if self.numbers is None else np.asarray(self.numbers)[order]
        return Rows(self.x[order], None if self.weights is None else self.weights[order], numbers)


class MissingGaussian(Mixture[GaussianParameters, GaussianStatistics]):
    """A Gaussian, or a mixture of Gaussians, fitted to rows with missing entries; a model for :func:`emlib.em.em`.

    NaN marks a missing entry. How many components there are is what the start says; :meth:`start` makes one.

    Parameters
    ----------
    covariance_type : {'full', 'tied', 'diag', 'spherical', 'tied_diag', 'tied_spherical'}
        As for :class:`~emlib.models.components.gaussian.Gaussian`.
    covariance_floor : float or None
        Lower bound on the eigenvalues of the covariances, in squared units of the data.
    prior : InverseWishart or None
        Prior on the covariances; its log density is part of the objective (MAP-EM).
    weight_prior : Dirichlet or None
        Prior on the mixing weights.
    fixed_mean : array_like of shape (d,) or None
        A mean that is known, for every component; None estimates it.

    Notes
    -----
    The likelihood is that of the observed entries. It is the right one when the data are missing at random: whether
    an entry is missing may depend on the observed entries, and on nothing else (Rubin 1976, Biometrika 63, 581-592).
    Two columns that no row has both are not tied by the data: what is found of their covariance depends on the start.

    Examples
    --------
    >>> import numpy as np
    >>> from emlib import MissingGaussian, em
    >>> x = np.array([[1.0, 2.0], [2.0, 4.5], [3.0, np.nan], [4.0, 8.0]])
    >>> model = MissingGaussian()
    >>> result = em(model, x, model.start(x))
    >>> model.impute(result.theta, x)[2].round(3).tolist()
    [3.0, 6.143]
    """

    enumerates_hidden = False  # log_joint runs over the labels; the missing entries are hidden besides

    def __init__(
        self,
        covariance_type: str = "full",
        *,
        covariance_floor: float | None = None,
        prior: InverseWishart | None = None,
        weight_prior: Dirichlet | None = None,
        fixed_mean: ArrayLike | None = None,
    ) -> None:
        self.gaussian = IncompleteGaussian(
            covariance_type, covariance_floor=covariance_floor, prior=prior, fixed_mean=fixed_mean
        )
        super().__init__(self.gaussian, weight_prior=weight_prior)

    def prepare(self, data: Any, sample_weight: ArrayLike | None = None) -> Rows:
        """Check data and weights.

        Parameters
        ----------
        data : array_like of shape (n, d)
            Rows of data; NaN, or what a masked array masks, is missing.
        sample_weight : array_like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        Rows
            What :meth:`e_step` reads; `x` has NaN where an entry is missing.

        Raises
        ------
        ValueError
            If the data or weights are invalid.
        """
        if isinstance(data, Rows):
            return as_rows(data, sample_weight)
        x, missing = _split(data)
        rows = as_rows(x, sample_weight)
        kept = missing if rows.numbers is None else missing[rows.numbers]
        table = _Table(np.where(kept, np.nan, rows.x), rows.weights, rows.numbers)
        refuse_outside(table, self.gaussian.check)
        return table

    def e_step(
        self, theta: MixtureParameters[GaussianParameters], data: Any
    ) -> tuple[MixtureStatistics[GaussianStatistics], float]:
        """Return the expected sufficient statistics and the log-likelihood of the observed entries at `theta`.

        Parameters
        ----------
        theta : MixtureParameters
            The current guess.
        data : Rows or array_like of shape (n, d)
            Rows of data, NaN where an entry is missing.

        Returns
        -------
        statistics : MixtureStatistics
            They add up over rows.
        log_likelihood : float
            Weighted sum of the log densities, in nats.
        """
        rows = self.prepare(data)
        return super().e_step(theta, rows.sorted if isinstance(rows, _Table) else rows)

    def start(self, data: Any, sample_weight: ArrayLike | None = None) -> MixtureParameters[GaussianParameters]:
        """Return one Gaussian with the means and variances of what was observed, column by column.

        Parameters
        ----------
        data : array_like of shape (n, d)
            Rows of data, NaN where an entry is missing.
        sample_weight : array_like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        MixtureParameters
            One component without correlations. For more, give :meth:`from_responsibilities` some.

        Raises
        ------
        ValueError
            If the data or weights are invalid, or a column was never observed.
        """
        rows = self.prepare(data, sample_weight)
        weights = np.ones(len(rows.x)) if rows.weights is None else rows.weights
        return MixtureParameters(np.ones(1), self.gaussian.available(rows.x, weights[:, None]))

    def impute(
        self, theta: MixtureParameters[GaussianParameters], data: Any, rng: np.random.Generator | None = None
    ) -> FloatArray:
        """Fill in the missing entries from the observed ones of the same row.

        Parameters
        ----------
        theta : MixtureParameters
            The parameters.
        data : array_like of shape (n, d)
            Rows of data, NaN where an entry is missing.
        rng : numpy.random.Generator or None
            With one, the entries are drawn from their conditional distribution, several draws being multiple
            imputations; without, they are their conditional means, which vary less than data do.

        Returns
        -------
        ndarray of shape (n, d)
            The completed rows; observed entries as they are.
        """
        x = self.prepare(data).x
        posterior = self.responsibilities(theta, x)
        completed = self.gaussian.complete(theta.components, x)
        if rng is None:
            return np.where(np.isnan(x), np.einsum("nm,mnd->nd", posterior, completed), x)
        labels = (rng.random(len(x))[:, None] > posterior.cumsum(axis=1)[:, :-1]).sum(axis=1)
        # A draw of a whole row, less what its own observed entries say of the rest, has the conditional covariance.
        drawn = self.gaussian.sample(theta.components, labels, rng)
        explained = self.gaussian.complete(theta.components, np.where(np.isnan(x), np.nan, drawn))
        own = labels, np.arange(len(x))
        return np.where(np.isnan(x), completed[own] + (drawn - explained[own]), x)

    def locate(self, theta: MixtureParameters[GaussianParameters], data: Any, component: int) -> int | None:
        """Return the complete row in which a component has its highest density, weighted by its responsibility.

        Parameters
        ----------
        theta : MixtureParameters
            The parameters.
        data : Rows or array_like of shape (n, d)
            Rows of data.
        component : int
            Index of the component.

        Returns
        -------
        int or None
            The row of the user's data, counted from 0; None if no row is complete, since densities of rows with
            different entries cannot be compared.
        """
        rows = self.prepare(data)
        complete = np.flatnonzero(~np.isnan(rows.x).any(axis=1))
        numbers = np.array([rows.number(int(row)) for row in complete], dtype=np.int64)
        return super().locate(theta, Rows(rows.x[complete], None, numbers), component) if len(complete) else None


def _split(data: Any) -> tuple[Any, BoolArray]:
    """Return the data with 0 for each missing entry, and where these are; what is no array of reals stays as it is."""
    nowhere = np.zeros(0, dtype=bool)
    if isinstance(data, np.ma.MaskedArray):
        data = np.where(np.ma.getmaskarray(data), np.nan, data.data)
    if hasattr(data, "tocsr") or np.asarray(data).dtype.kind == "c":
        return data, nowhere
    try:
        x = np.asarray(data, dtype=np.float64)
    except (TypeError, ValueError):
        return data, nowhere  # as_rows says what is wrong
    missing = np.isnan(x)
    return np.where(missing, 0.0, x), missing
