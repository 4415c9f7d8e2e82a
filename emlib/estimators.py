"""Estimators in scikit-learn's conventions, without importing scikit-learn."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.acceleration import by_name
from emlib.conventions import Estimator, check_features, feature_names, not_fitted
from emlib.em import EMResult, Status, em
from emlib.errors import ConvergenceWarning, DegenerateFitWarning
from emlib.models.components.gaussian import Gaussian
from emlib.models.components.gaussian_values import GaussianParameters
from emlib.models.mixture import Mixture, MixtureParameters
from emlib.parallel import Parallel, check_n_jobs
from emlib.progress import showing_rows
from emlib.rows import Rows, extremes
from emlib.starts import SEEDINGS, gaussian_start
from emlib.stream import Stream

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from emlib._types import FloatArray, IntArray
    from emlib.em import Accelerator, EMModel
    from emlib.priors import Dirichlet, InverseWishart

    GaussianMixtureParameters = MixtureParameters[GaussianParameters]


class GaussianMixture(Estimator):
    """Gaussian mixture fitted by EM (note, sections 3 and 4).

    Parameters
    ----------
    n_components : int
        Number of components M.
    covariance_type : {'full', 'tied', 'diag', 'spherical', 'tied_diag', 'tied_spherical'}
        One free matrix a component; one for all; one variance a column; one a component; and the last two shared
        by all components.
    tol : float
        EM has converged when the estimated rise of the log-likelihood still to come is at most `tol` nats
        (see :func:`emlib.em.em`). ``tol=0`` runs exactly `max_iter` iterations.
    max_iter : int
        The most iterations of each run.
    n_init : int
        Number of runs from different starts; the one with the highest final objective is kept.
        A start given in full by `weights_init`, `means_init` and `covariances_init` is run once.
    init : {'k-means++', 'k-means', 'random'}
        How the means of a start are drawn: rows far apart, the centres of clusters around such rows, or any rows.
    weights_init : array_like of shape (M,), optional
        Weights to start from.
    means_init : array_like of shape (M, d), optional
        Means to start from.
    covariances_init : array_like, optional
        Covariances to start from, in the shape of `covariance_type`.
    covariance_floor : float, optional
        Lower bound on the eigenvalues of the covariances, in squared units of the data; the exact constrained M-step.
    covariance_prior : InverseWishart, optional
        Prior on the covariances; EM then climbs the log posterior.
    weight_prior : Dirichlet, optional
        Prior on the weights; likewise.
    accelerate : {'quasi-newton', 'squarem'} or Accelerator, optional
        Faster steps over the same EM map (:mod:`emlib.acceleration`). None runs plain EM.
    n_jobs : int
        Worker processes that share the E-steps; -1 for one a core; 1 works in this process. Others need joblib
        (``emlib[parallel]``) and rows in an array or a memmap. They all give the same fit bit for bit, and that of
        ``n_jobs=1`` but for rounding (:class:`~emlib.parallel.Parallel`).
    random_state : int, Generator, RandomState or None
        Source of the starts. An int gives the same fit every time.
    progress : bool
        Show a tqdm progress bar; during a pass over the data that takes longer than half a second, one of its rows
        too (not with ``n_jobs``).
    checkpoint : str or Path, optional
        Folder in which every run saves its state after each iteration; a fit that finds states there goes on from
        them, to the same result (:mod:`emlib.checkpoint`). It needs an int as `random_state`.

    Attributes
    ----------
    weights_ : ndarray of shape (M,)
        Mixing weights.
    means_ : ndarray of shape (M, d)
        Means.
    covariances_ : ndarray
        Covariances: (M, d, d), (d, d), (M, d), (M,), (d,) or () by type.
    theta_ : MixtureParameters
        The same three as one value.
    log_likelihood_ : float
        Log-likelihood of the fitted parameters on the training data, in nats.
    status_ : Status
        How the fit ended.
    converged_ : bool
        Whether that is ``CONVERGED``.
    n_iter_ : int
        Iterations of the run that was kept.
    result_ : EMResult
        That run, with its trace.
    restarts_ : tuple of EMResult
        All runs in their order, degenerate ones included.
    n_features_in_ : int
        Number of columns d.
    feature_names_in_ : ndarray of shape (d,)
        Names of the columns, when the data had names.

    Examples
    --------
    >>> from emlib import GaussianMixture
    >>> from emlib.datasets import load_faithful
    >>> mixture = GaussianMixture(2, random_state=0).fit(load_faithful().data)
    >>> round(mixture.log_likelihood_, 4)
    -1130.264
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-10,
        max_iter: int = 1000,
        n_init: int = 1,
        init: str = "k-means++",
        weights_init: ArrayLike | None = None,
        means_init: ArrayLike | None = None,
        covariances_init: ArrayLike | None = None,
        covariance_floor: float | None = None,
        covariance_prior: InverseWishart | None = None,
        weight_prior: Dirichlet | None = None,
        accelerate: str | Accelerator | None = None,
        n_jobs: int = 1,
        random_state: Any = None,
        progress: bool = False,
        checkpoint: str | Path | None = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.init = init
        self.weights_init = weights_init
        self.means_init = means_init
        self.covariances_init = covariances_init
        self.covariance_floor = covariance_floor
        self.covariance_prior = covariance_prior
        self.weight_prior = weight_prior
        self.accelerate = accelerate
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.progress = progress
        self.checkpoint = checkpoint

    @classmethod
    def from_parameters(
        cls,
        weights: ArrayLike,
        means: ArrayLike,
        covariances: ArrayLike,
        *,
        covariance_type: str = "full",
    ) -> GaussianMixture:
        """Return a mixture with known parameters, ready to predict, score and sample.

        Parameters
        ----------
        weights : array_like of shape (M,)
            Mixing weights, summing to one.
        means : array_like of shape (M, d)
            Means.
        covariances : array_like
            Covariances, in the shape of `covariance_type`.
        covariance_type : {'full', 'tied', 'diag', 'spherical', 'tied_diag', 'tied_spherical'}
            Form of the covariances.

        Returns
        -------
        GaussianMixture
            It counts as fitted, but has no ``result_``.

        Raises
        ------
        ValueError
            If the parameters do not fit together or a covariance is not positive definite.
        """
        theta = _checked_theta(weights, means, covariances, covariance_type)
        mixture = cls(len(theta.weights), covariance_type=covariance_type)
        mixture.theta_ = theta
        mixture.n_features_in_ = theta.components.means.shape[1]
        return mixture

    def fit(self, X: Any, y: object = None, sample_weight: ArrayLike | None = None) -> GaussianMixture:
        """Fit the mixture by EM from each start and keep the best run.

        Ctrl-C ends the fit and keeps the best that was reached, with ``status_`` ``INTERRUPTED``.

        Parameters
        ----------
        X : array_like of shape (n, d), or callable
            Rows of data; a `numpy.memmap` is read chunk by chunk. For rows that are in no array, a function that
            returns an iterator over chunks; for rows on a cluster, a ``dask.array``. See
            :meth:`emlib.models.mixture.Mixture.prepare`.
        y : object
            Ignored; for scikit-learn's conventions.
        sample_weight : array_like of shape (n,), optional
            Weights of the rows; integer weights equal repeated rows. Those of a function's rows come with its chunks.

        Returns
        -------
        GaussianMixture
            Itself.

        Raises
        ------
        ValueError
            If an option or the data are invalid: NaN or inf, too few rows, constant columns, unknown names.
        ImportError
            If worker processes are asked for and joblib is not installed.

        Warns
        -----
        DegenerateFitWarning
            If every run ended degenerate; the parameters are the last valid ones.
        ConvergenceWarning
            If the run that was kept reached `max_iter`.
        """
        del y
        self._check_options()
        family = Gaussian(self.covariance_type, covariance_floor=self.covariance_floor, prior=self.covariance_prior)
        model = Mixture(family, weight_prior=self.weight_prior)
        with showing_rows(self.progress):
            rows = model.prepare(X, sample_weight)
            _check_enough(rows, self.n_components, family)
            if self.n_jobs == 1:
                restarts, interrupted = self._run_all(model, family, rows)
            else:
                with Parallel(model, n_jobs=self.n_jobs) as workers:
                    restarts, interrupted = self._run_all(workers, family, rows)
        best = max(restarts, key=lambda run: (run.status is not Status.DEGENERATE, run.objective))
        self.n_features_in_ = rows.dim
        vars(self).pop("feature_names_in_", None)
        names = feature_names(X)
        if names is not None:
            self.feature_names_in_ = names
        self.restarts_ = tuple(restarts)
        self.result_ = best
        self.theta_ = best.theta
        self.status_ = Status.INTERRUPTED if interrupted else best.status
        self._warn(best)
        return self

    def _check_options(self) -> None:
        for name, least in (("n_components", 1), ("n_init", 1), ("max_iter", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
                raise ValueError(f"{name} must be a whole number, at least {least}, got {value!r}")
        if self.init not in SEEDINGS:
            raise ValueError(f"init must be one of {', '.join(SEEDINGS)}, got {self.init!r}")
        check_n_jobs(self.n_jobs)

    def _run_all(
        self, model: EMModel[GaussianMixtureParameters, Any], family: Gaussian, rows: Rows
    ) -> tuple[list[EMResult[GaussianMixtureParameters]], bool]:
        """Run EM from each start; an interrupt ends the loop and keeps what was reached."""
        accelerator = by_name(self.accelerate) if isinstance(self.accelerate, str) else self.accelerate
        given = (self.weights_init, self.means_init, self.covariances_init)
        n_runs = 1 if all(values is not None for values in given) else self.n_init
        seeds = np.random.default_rng(self.random_state).integers(2**63, size=n_runs)
        runs: list[EMResult[GaussianMixtureParameters]] = []
        for k, seed in enumerate(seeds):
            try:
                start = self._start(family, rows, np.random.default_rng(seed))
                state = self._state(k)
                runs.append(
                    em(
                        model,
                        rows,
                        start,
                        tol=self.tol,
                        max_iter=self.max_iter,
                        accelerate=accelerator,
                        progress=self.progress,
                        checkpoint=state,
                        resume=state if state is not None and state.exists() else None,
                    )
                )
            except KeyboardInterrupt:  # before the first E-step of a run was done
                if not runs:
                    raise
                return runs, True
            if runs[-1].status is Status.INTERRUPTED:
                return runs, True
        return runs, False

    def _state(self, run: int) -> Path | None:
        """Return the file in which a run saves its state."""
        if self.checkpoint is None:
            return None
        folder = Path(self.checkpoint)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"run_{run}.npz"

    def _start(self, family: Gaussian, rows: Rows, rng: np.random.Generator) -> GaussianMixtureParameters:
        """Return the start: what the user gave, the rest from clusters around seeds or the given means."""
        weights, means, covariances = self.weights_init, self.means_init, self.covariances_init
        if weights is None or means is None or covariances is None:
            seeds = None if means is None else _checked_means(means, self.n_components, rows.dim)
            drawn = gaussian_start(rows, self.n_components, family, self.init, rng, seeds)
            weights = drawn.weights if weights is None else weights
            means = drawn.components.means if means is None else means
            covariances = drawn.components.covariances if covariances is None else covariances
        means = _checked_means(means, self.n_components, rows.dim)
        return _checked_theta(weights, means, covariances, self.covariance_type)

    def _warn(self, best: EMResult[Any]) -> None:
        if best.status is Status.DEGENERATE:
            warnings.warn(f"the fit ended degenerate: {best.message}", DegenerateFitWarning, stacklevel=3)
        elif best.status is Status.MAX_ITER and self.tol > 0:
            warnings.warn(
                f"EM {best.message}; the estimated rise still to come is {best.distance:.2g} nats. "
                "Raise max_iter or tol.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def fit_predict(self, X: Any, y: object = None, sample_weight: ArrayLike | None = None) -> IntArray:
        """Fit the mixture and return the most probable component of each row.

        Parameters
        ----------
        X : array_like of shape (n, d)
            Rows of data.
        y : object
            Ignored.
        sample_weight : array_like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        ndarray of int, shape (n,)
            The same as ``fit(X).predict(X)``.
        """
        return self.fit(X, y, sample_weight).predict(X)

    def predict(self, X: Any) -> IntArray:
        """Return the most probable component of each row.

        Parameters
        ----------
        X : array_like of shape (n, d)
            Rows of data.

        Returns
        -------
        ndarray of int, shape (n,)
            Components, counted from 0.
        """
        return self.predict_proba(X).argmax(axis=1)

    def predict_proba(self, X: Any) -> FloatArray:
        """Return the responsibilities: the posterior probability of each component given each row.

        Parameters
        ----------
        X : array_like of shape (n, d)
            Rows of data.

        Returns
        -------
        ndarray of shape (n, M)
            Rows sum to one.
        """
        rows = self._rows(X)
        return self._mixture().responsibilities(self.theta_, rows)

    def score_samples(self, X: Any) -> FloatArray:
        """Return the log density of each row.

        Parameters
        ----------
        X : array_like of shape (n, d)
            Rows of data.

        Returns
        -------
        ndarray of shape (n,)
            In nats.
        """
        rows = self._rows(X)
        return self._mixture().log_density(self.theta_, rows)

    def score(self, X: Any, y: object = None, sample_weight: ArrayLike | None = None) -> float:
        """Return the mean log density of the rows.

        Parameters
        ----------
        X : array_like of shape (n, d)
            Rows of data.
        y : object
            Ignored.
        sample_weight : array_like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        float
            In nats a row.
        """
        del y
        rows = self._rows(X, sample_weight)
        return self._mixture().log_likelihood(self.theta_, rows) / rows.total_weight

    def bic(self, X: Any, sample_weight: ArrayLike | None = None) -> float:
        """Return the Bayesian information criterion, ``p log N - 2 log L``; lower is better.

        Parameters
        ----------
        X : array_like of shape (n, d)
            Rows of data.
        sample_weight : array_like of shape (n,), optional
            Weights of the rows; their sum is the N.

        Returns
        -------
        float
            The criterion (Schwarz 1978); mclust and Fraley and Raftery print its negative.
        """
        rows = self._rows(X, sample_weight)
        log_likelihood = self._mixture().log_likelihood(self.theta_, rows)
        return self.n_parameters * float(np.log(rows.total_weight)) - 2 * log_likelihood

    def aic(self, X: Any, sample_weight: ArrayLike | None = None) -> float:
        """Return the Akaike information criterion, ``2 p - 2 log L``; lower is better.

        Parameters
        ----------
        X : array_like of shape (n, d)
            Rows of data.
        sample_weight : array_like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        float
            The criterion (Akaike 1974).
        """
        log_likelihood = self._mixture().log_likelihood(self.theta_, self._rows(X, sample_weight))
        return 2 * self.n_parameters - 2 * log_likelihood

    def icl(self, X: Any, sample_weight: ArrayLike | None = None) -> float:
        """Return the integrated completed likelihood criterion; lower is better.

        It is BIC for rows that bring their most probable component along: ``p log N - 2 log L_c``, where ``L_c`` is
        the likelihood of the rows and of these components. It adds to BIC ``-2 sum_i log max_m r_im`` for the
        responsibilities ``r``, so that components which overlap cost, and counts clusters where BIC counts Gaussians.

        Parameters
        ----------
        X : array_like of shape (n, d)
            Rows of data.
        sample_weight : array_like of shape (n,), optional
            Weights of the rows; their sum is the N.

        Returns
        -------
        float
            The criterion (Biernacki, Celeux and Govaert 2000, IEEE Trans. Pattern Anal. Mach. Intell. 22, 719-725);
            mclust prints its negative.
        """
        rows = self._rows(X, sample_weight)
        completed = self._mixture().log_joint(self.theta_, rows).max(axis=1)
        total = float(completed.sum() if rows.weights is None else rows.weights @ completed)
        return self.n_parameters * float(np.log(rows.total_weight)) - 2 * total

    def sample(self, n_samples: int = 1, rng: Any = None) -> tuple[FloatArray, IntArray]:
        """Draw rows from the fitted mixture, in random order.

        Parameters
        ----------
        n_samples : int
            Number of rows.
        rng : Generator, int or None
            Source of randomness; pass one Generator to several calls for different draws.

        Returns
        -------
        X : ndarray of shape (n_samples, d)
            The rows.
        y : ndarray of int, shape (n_samples,)
            The component of each row.
        """
        self._check_fitted()
        return self._mixture().sample(self.theta_, n_samples, np.random.default_rng(rng))

    @property
    def n_parameters(self) -> int:
        """Number of free parameters p of the fitted mixture."""
        self._check_fitted()
        return self._mixture().pack(self.theta_).size

    @property
    def weights_(self) -> FloatArray:
        """Mixing weights, shape (M,)."""
        return self._fitted_theta().weights

    @property
    def means_(self) -> FloatArray:
        """Means, shape (M, d)."""
        return self._fitted_theta().components.means

    @property
    def covariances_(self) -> FloatArray:
        """Covariances: (M, d, d), (d, d), (M, d), (M,), (d,) or () by type."""
        return self._fitted_theta().components.covariances

    @property
    def log_likelihood_(self) -> float:
        """Log-likelihood of the fitted parameters on the training data, in nats."""
        return self._fitted_result().log_likelihood

    @property
    def n_iter_(self) -> int:
        """Iterations of the run that was kept."""
        return self._fitted_result().n_iter

    @property
    def converged_(self) -> bool:
        """Whether the fit ended with status ``CONVERGED``."""
        self._fitted_result()
        return self.status_ is Status.CONVERGED

    def _check_fitted(self) -> None:
        if "theta_" not in vars(self):
            raise not_fitted(f"this {type(self).__name__} is not fitted yet: call fit first")

    def _fitted_theta(self) -> GaussianMixtureParameters:
        self._check_fitted()
        return self.theta_

    def _fitted_result(self) -> EMResult[GaussianMixtureParameters]:
        self._check_fitted()
        if "result_" not in vars(self):
            raise not_fitted(f"this {type(self).__name__} was made from parameters: no fit, no result")
        return self.result_

    def _rows(self, X: Any, sample_weight: ArrayLike | None = None) -> Rows:
        """Check new data against the fit."""
        self._check_fitted()
        rows = self._mixture().prepare(X, sample_weight)
        check_features(self, X, rows.dim)
        return rows

    def _mixture(self) -> Mixture[GaussianParameters, Any]:
        """Return the fitted mixture as a model; floor and prior do not matter after the fit."""
        return Mixture(Gaussian(self._fitted_theta().components.covariance_type))


def _checked_means(means: ArrayLike, n_components: int, dim: int) -> FloatArray:
    array = np.asarray(means, dtype=np.float64)
    if array.shape != (n_components, dim):
        raise ValueError(f"means_init must have shape ({n_components}, {dim}), got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError("means_init contains NaN or inf")
    return array


def _checked_theta(
    weights: ArrayLike, means: ArrayLike, covariances: ArrayLike, covariance_type: str
) -> GaussianMixtureParameters:
    """Return the parameters as one value; raise if they do not fit together or are singular."""
    components = GaussianParameters(np.asarray(means), np.asarray(covariances), covariance_type)
    theta = MixtureParameters(np.asarray(weights), components)
    if len(theta.weights) != len(components.means):
        raise ValueError(f"there are {len(theta.weights)} weights for {len(components.means)} means")
    _ = components.factor
    return theta


def _check_enough(rows: Rows, n_components: int, family: Gaussian) -> None:
    """Raise if there are too few rows, or columns without variance that nothing bounds from below."""
    n = rows.n
    counted = "" if isinstance(rows, Stream) or rows.weights is None else " of positive weight"
    if n < n_components:
        raise ValueError(f"the data have n_samples = {n} rows{counted}, fewer than n_components = {n_components}")
    if family.covariance_floor is not None or family.prior is not None:
        return
    if n < 2:
        raise ValueError(f"the data have n_samples = {n} row{counted}; a covariance needs at least 2")
    low, high = extremes(rows)
    constant = low == high
    averaged = family.covariance_type.endswith("spherical")
    if constant.all() if averaged else constant.any():
        listed = ", ".join(str(column) for column in np.flatnonzero(constant))
        raise ValueError(
            f"the data are constant in column {listed}: their variance is zero and the likelihood has no maximum. "
            "Remove the column, or use covariance_floor or a covariance_prior"
        )
