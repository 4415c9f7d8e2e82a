"""Mixtures of any family of densities (note, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from emlib.cluster import ClusterRows, is_collection
from emlib.metric import LogRatios, Stacked
from emlib.models.components.separate import as_family
from emlib.models.components.values import frozen, trusted
from emlib.priors import Dirichlet
from emlib.rows import Rows, as_rows, refuse_outside
from emlib.sources import source_of
from emlib.stream import Stream

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from emlib._types import FloatArray, IntArray
    from emlib.metric import Metric
    from emlib.models.components.family import Family, WeightedFit

Params = TypeVar("Params")
Sums = TypeVar("Sums")

EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class MixtureParameters(Generic[Params]):
    """Mixing weights and the parameters of the components.

    Attributes
    ----------
    weights : ndarray of shape (M,)
        The alpha of the note: not negative, sum to one.
    components : Params
        Parameters of the family, all M components together.

    Raises
    ------
    ValueError
        If the weights are not a point of the simplex.
    """

    weights: FloatArray
    components: Params

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", _checked_weights(self.weights))


@dataclass(frozen=True, eq=False)
class MixtureStatistics(Generic[Sums]):
    """Expected sufficient statistics of a mixture; they add up over rows.

    Attributes
    ----------
    masses : ndarray of shape (M,)
        Sum over rows of the responsibilities.
    components : Sums
        Statistics of the family.
    """

    masses: FloatArray
    components: Sums

    def __add__(self, other: MixtureStatistics[Sums]) -> MixtureStatistics[Sums]:
        components: Any = self.components
        return MixtureStatistics(self.masses + other.masses, components + other.components)


class Mixture(Generic[Params, Sums]):
    """A finite mixture as a model for :func:`emlib.em.em`.

    Parameters
    ----------
    component : Family or WeightedFit
        The family of the components, for example ``Gaussian("full")``; or any object with
        ``log_prob(theta, x)`` and a weighted ``fit(x, weights)`` for one component.
    weight_prior : Dirichlet or None
        Prior on the mixing weights; its log density is part of the objective (MAP-EM).
    fixed_weights : array_like of shape (M,) or None
        Mixing weights that are known: every M-step keeps them, and they are not among the free parameters
        that :meth:`pack` returns.

    Raises
    ------
    TypeError
        If the component or the prior is something else.
    ValueError
        If the fixed weights are no point of the simplex, or come with a prior on the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from emlib import Mixture, Poisson, em
    >>> x = np.array([[0.], [1.], [0.], [7.], [9.], [8.]])
    >>> model = Mixture(Poisson())
    >>> start = model.from_responsibilities(x, np.repeat(np.eye(2), 3, axis=0))
    >>> result = em(model, x, start)
    >>> result.theta.weights.round(3).tolist()
    [0.5, 0.5]
    """

    def __init__(
        self,
        component: Family[Params, Sums] | WeightedFit[Any],
        *,
        weight_prior: Dirichlet | None = None,
        fixed_weights: ArrayLike | None = None,
    ) -> None:
        if not (weight_prior is None or isinstance(weight_prior, Dirichlet)):
            raise TypeError(f"weight_prior must be a Dirichlet or None, got {weight_prior!r}")
        if weight_prior is not None and fixed_weights is not None:
            raise ValueError("fixed_weights are known and take no weight_prior: give one of the two")
        self.family: Family[Params, Sums] = as_family(component)
        self.weight_prior = weight_prior
        self.fixed_weights = None if fixed_weights is None else _checked_weights(fixed_weights)
        self._expectation: Any = getattr(self.family, "expectation", None)

    def prepare(self, data: Any, sample_weight: ArrayLike | None = None) -> Rows:
        """Check data and weights.

        Parameters
        ----------
        data : array_like of shape (n, d), or callable
            Rows of data; a `numpy.memmap` is read chunk by chunk. For rows that are in no array, a function without
            arguments that returns an iterator over chunks: arrays of rows, or pairs of rows and their weights.
            It is called for every pass over the data and must give the same rows each time. A dataset of h5py, an
            array of zarr, a ParquetFile or dataset of pyarrow, and whatever else has a shape and is sliced by rows are
            read like that too (:mod:`emlib.sources`). The rows of a ``dask.array``, or of a list of ``dask.delayed``
            chunks, stay with its workers (:mod:`emlib.cluster`).
        sample_weight : array_like of shape (n,), optional
            Weights of the rows; those of a function's rows come with its chunks.

        Returns
        -------
        Rows
            What :meth:`e_step` reads.

        Raises
        ------
        ValueError
            If the data or weights are invalid, or outside the support of the family.
        """
        check = getattr(self.family, "check", None)
        single = self._expectation is not None
        if is_collection(data):
            return ClusterRows(data, sample_weight, check=check, keep_single=single)
        if callable(data) and not hasattr(data, "__array__"):
            if sample_weight is not None:
                raise ValueError("a function gives the weights itself: let its chunks be pairs (rows, weights)")
            return Stream(data, check)
        source = source_of(data, sample_weight)
        if source is not None:
            return Stream(source, check)
        rows = as_rows(data, sample_weight, keep_single=single)
        if not isinstance(data, Rows):
            refuse_outside(rows, check)
        return rows

    def e_step(self, theta: MixtureParameters[Params], data: Any) -> tuple[MixtureStatistics[Sums], float]:
        """Return the expected sufficient statistics and the log-likelihood at `theta`.

        Parameters
        ----------
        theta : MixtureParameters
            The current guess.
        data : Rows or array_like of shape (n, d)
            Rows of data.

        Returns
        -------
        statistics : MixtureStatistics
            They add up over rows.
        log_likelihood : float
            Weighted sum of the log densities, in nats.

        Raises
        ------
        ValueError
            If a row has density zero under every component.
        """
        rows = data if isinstance(data, Rows) else self.prepare(data)
        if isinstance(rows, ClusterRows):
            return rows.e_step(self, theta)
        if self._expectation is not None:
            found = self._expectation(theta.components, theta.weights, rows)
            if found is not None:
                sums, log_likelihood = found
                return MixtureStatistics(sums.masses, sums), log_likelihood
        stats: Any = None
        log_likelihood = 0.0
        n_read = 0
        for x, weights in rows.chunks():
            part, value = self._chunk(theta, x, weights, rows, n_read)
            stats = part if stats is None else stats + part
            log_likelihood += value
            n_read += len(x)
        return stats, log_likelihood

    def _chunk(
        self, theta: MixtureParameters[Params], x: FloatArray, weights: FloatArray | None, rows: Rows, first_row: int
    ) -> tuple[MixtureStatistics[Sums], float]:
        """Return the statistics and the log-likelihood of the chunk of ``rows`` that begins at ``first_row``."""
        log_joint = self._log_joint(theta, x)
        log_density = log_sum_exp(log_joint)
        _refuse_impossible(log_density, rows, first_row)
        log_joint -= log_density[:, None]
        responsibilities = np.exp(log_joint, out=log_joint)
        if weights is not None:
            responsibilities *= weights[:, None]
        value = log_density.sum() if weights is None else weights @ log_density
        stats = self.family.statistics(theta.components, x, responsibilities)
        return MixtureStatistics(responsibilities.sum(axis=0), stats), float(value)

    def m_step(self, stats: MixtureStatistics[Sums]) -> MixtureParameters[Params]:
        """Return the parameters that maximise Q (plus the log prior).

        The weights are the means of the responsibilities (note, section 3: lambda = -N), unless they are fixed.

        Parameters
        ----------
        stats : MixtureStatistics
            Statistics of all rows.

        Returns
        -------
        MixtureParameters
            The maximum.

        Raises
        ------
        DegenerateComponent
            If a component has no valid parameters.
        """
        components = self.family.from_statistics(stats.components)
        return trusted(MixtureParameters, weights=self._weights(stats.masses), components=components)

    def _weights(self, masses: FloatArray) -> FloatArray:
        """Return the mixing weights that maximise Q plus their log prior, or the fixed ones."""
        if self.fixed_weights is not None:
            return self.fixed_weights
        return masses / sum(masses.tolist()) if self.weight_prior is None else self.weight_prior.mode(masses)

    def from_responsibilities(
        self, data: Any, responsibilities: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> MixtureParameters[Params]:
        """Return the M-step from given responsibilities, for example from known classes.

        Parameters
        ----------
        data : array_like of shape (n, d)
            Rows of data.
        responsibilities : array_like of shape (n, M)
            Not negative, each row sums to one.
        sample_weight : array_like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        MixtureParameters
            The parameters.

        Raises
        ------
        ValueError
            If the responsibilities do not fit the data.
        DegenerateComponent
            If a component has no valid parameters.
        """
        rows = self.prepare(data, sample_weight)
        weighted = np.array(responsibilities, dtype=np.float64)
        left_out = rows.numbers is not None and not isinstance(data, Rows)
        n = len(data) if left_out else len(rows.x)
        if weighted.ndim != 2 or len(weighted) != n:
            raise ValueError(f"responsibilities must have shape ({n}, n_components), got {weighted.shape}")
        wrong = ~((weighted >= 0).all(axis=1) & (np.abs(weighted.sum(axis=1) - 1) < 1e-8))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(f"each row of responsibilities must be >= 0 and sum to 1; row {row} is {weighted[row]}")
        if left_out:
            weighted = weighted[rows.numbers]
        if rows.weights is not None:
            weighted *= rows.weights[:, None]
        stats = self.family.statistics(None, np.asarray(rows.x, dtype=np.float64), weighted)
        return self.m_step(MixtureStatistics(weighted.sum(axis=0), stats))

    def check_start(self, theta: MixtureParameters[Params]) -> None:
        """Refuse a start outside the parameter space: weights other than the fixed ones, or what the family refuses.

        Parameters
        ----------
        theta : MixtureParameters
            Where EM is to start.

        Raises
        ------
        ValueError
            If its weights are not the fixed ones, or the family refuses it.
        """
        if self.fixed_weights is not None and not np.array_equal(theta.weights, self.fixed_weights):
            raise ValueError(
                f"the start has weights {theta.weights.tolist()}, but this mixture fixes them at "
                f"{self.fixed_weights.tolist()}"
            )
        check = getattr(self.family, "check_start", None)
        if check is not None:
            check(theta.components)

    def log_prior(self, theta: MixtureParameters[Params]) -> float:
        """Return the log prior density of the parameters, in nats; 0 without priors.

        Parameters
        ----------
        theta : MixtureParameters
            The parameters.

        Returns
        -------
        float
            The log density.
        """
        prior = getattr(self.family, "log_prior", None)
        value = 0.0 if prior is None else float(prior(theta.components))
        return value if self.weight_prior is None else value + self.weight_prior.log_density(theta.weights)

    def log_likelihood(
        self, theta: MixtureParameters[Params], data: Any, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the log-likelihood, bit for bit as :meth:`e_step` does.

        Parameters
        ----------
        theta : MixtureParameters
            The parameters.
        data : array_like of shape (n, d)
            Rows of data.
        sample_weight : array_like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        float
            In nats.
        """
        return self.e_step(theta, self.prepare(data, sample_weight))[1]

    def log_joint(self, theta: MixtureParameters[Params], data: Any) -> FloatArray:
        """Return log alpha_m + log p_m(x_i) for every row and component.

        Parameters
        ----------
        theta : MixtureParameters
            The parameters.
        data : array_like of shape (n, d)
            Rows of data.

        Returns
        -------
        ndarray of shape (n, M)
            In nats; -inf where a component excludes a row.
        """
        return np.concatenate([self._log_joint(theta, x) for x, _ in self.prepare(data).chunks()])

    def _log_joint(self, theta: MixtureParameters[Params], x: FloatArray) -> FloatArray:
        """Return log alpha_m + log p_m(x_i) for checked rows."""
        log_prob = self.family.log_prob(theta.components, x)
        if log_prob.shape != (len(x), len(theta.weights)):
            raise ValueError(
                f"there are {len(theta.weights)} weights for {log_prob.shape[1]} components: "
                f"log_prob must have shape ({len(x)}, {len(theta.weights)}), got {log_prob.shape}"
            )
        with np.errstate(divide="ignore"):
            return log_prob + np.log(theta.weights)

    def log_density(self, theta: MixtureParameters[Params], data: Any) -> FloatArray:
        """Return the log density of each row.

        Parameters
        ----------
        theta : MixtureParameters
            The parameters.
        data : array_like of shape (n, d)
            Rows of data.

        Returns
        -------
        ndarray of shape (n,)
            In nats.
        """
        parts = [log_sum_exp(self._log_joint(theta, x)) for x, _ in self.prepare(data).chunks()]
        return np.concatenate(parts)

    def responsibilities(self, theta: MixtureParameters[Params], data: Any) -> FloatArray:
        """Return the posterior probability of each component given each row (note, section 3).

        Parameters
        ----------
        theta : MixtureParameters
            The parameters.
        data : array_like of shape (n, d)
            Rows of data.

        Returns
        -------
        ndarray of shape (n, M)
            Rows sum to one.

        Raises
        ------
        ValueError
            If a row has density zero under every component.
        """
        rows = self.prepare(data)
        log_joint = self.log_joint(theta, rows)
        log_density = log_sum_exp(log_joint)
        _refuse_impossible(log_density, rows, 0)
        log_joint -= log_density[:, None]
        return np.exp(log_joint, out=log_joint)

    def sample(self, theta: MixtureParameters[Params], n: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
        """Draw rows from the mixture, in random order.

        Parameters
        ----------
        theta : MixtureParameters
            The parameters.
        n : int
            Number of rows.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        x : ndarray of shape (n, d)
            The rows.
        labels : ndarray of shape (n,)
            The component of each row.

        Raises
        ------
        ValueError
            If `n` is below 1.
        TypeError
            If the family cannot be sampled from.
        """
        if n < 1:
            raise ValueError(f"the number of rows to draw must be at least 1, got {n}")
        labels = rng.choice(len(theta.weights), size=n, p=theta.weights)
        draw = getattr(self.family, "sample", None)
        if draw is None:
            raise TypeError(f"{type(self.family).__name__} has no sample(theta, labels, rng)")
        return draw(theta.components, labels, rng), labels

    def pack(self, theta: MixtureParameters[Params]) -> FloatArray:
        """Return log ratios of the weights to the last one (none if they are fixed), then the family's coordinates.

        Parameters
        ----------
        theta : MixtureParameters
            The parameters, weights positive.

        Returns
        -------
        ndarray of shape (p,)
            Unconstrained; as many numbers as there are free parameters.
        """
        family: Any = self.family
        if self.fixed_weights is not None:
            packed: FloatArray = family.pack(theta.components)
            return packed
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.log(theta.weights[:-1]) - np.log(theta.weights[-1])
        return np.concatenate([ratios, family.pack(theta.components)])

    def unpack(self, vector: FloatArray, like: MixtureParameters[Params]) -> MixtureParameters[Params]:
        """Return the parameters of a vector made by :meth:`pack`.

        Parameters
        ----------
        vector : ndarray of shape (p,)
            The coordinates.
        like : MixtureParameters
            Parameters of the same shapes.

        Returns
        -------
        MixtureParameters
            The parameters.

        Raises
        ------
        ValueError
            If a log ratio of weights is not finite: a weight of zero has none.
        """
        family: Any = self.family
        if self.fixed_weights is not None:
            return MixtureParameters(self.fixed_weights, family.unpack(vector, like.components))
        n_ratios = len(like.weights) - 1
        if not np.isfinite(vector[:n_ratios]).all():
            raise ValueError("a log ratio of weights is not finite: a mixture with a weight of 0 cannot be unpacked")
        ratios = np.append(vector[:n_ratios], 0.0)
        weights = np.exp(ratios - ratios.max())
        return MixtureParameters(weights / weights.sum(), family.unpack(vector[n_ratios:], like.components))

    def score(self, theta: MixtureParameters[Params], stats: MixtureStatistics[Sums]) -> FloatArray | None:
        """Return the gradient of the objective in the coordinates of :meth:`pack`.

        By Fisher's identity it is the gradient of Q(. | theta) at theta, so the statistics of an E-step suffice.

        Parameters
        ----------
        theta : MixtureParameters
            The parameters of the E-step.
        stats : MixtureStatistics
            Its statistics.

        Returns
        -------
        ndarray of shape (p,) or None
            In nats; None where the family offers no gradient.
        """
        of_family = getattr(self.family, "score", None)
        by_components = None if of_family is None else of_family(theta.components, stats.components)
        if by_components is None:
            return None
        if self.fixed_weights is not None:
            return np.asarray(by_components)
        counts = self._counts(stats)
        by_ratios = counts - counts.sum() * theta.weights
        return np.concatenate([by_ratios[:-1], by_components])

    def complete_information(self, theta: MixtureParameters[Params], stats: MixtureStatistics[Sums]) -> Metric:
        """Return the Fisher information of complete data, in the coordinates of :meth:`pack`.

        Parameters
        ----------
        theta : MixtureParameters
            The parameters of the E-step.
        stats : MixtureStatistics
            Its statistics, of which the masses are read: the expected rows of each component.

        Returns
        -------
        Metric
            Weights unless they are fixed, then components; only for families with ``complete_information``.
        """
        family: Any = self.family
        about_components: Metric = family.complete_information(theta.components, stats.components)
        if self.fixed_weights is not None:
            return about_components
        about_weights = LogRatios(self._counts(stats).sum(keepdims=True), theta.weights[None, :])
        return Stacked((about_weights, about_components))

    def _counts(self, stats: MixtureStatistics[Sums]) -> FloatArray:
        """Return the rows of each component, pseudo-rows of the prior on the weights included."""
        return stats.masses if self.weight_prior is None else stats.masses + (self.weight_prior.concentration - 1)

    def rounding(self, theta: MixtureParameters[Params], data: Rows) -> float:
        """Return a bound on the rounding error of the log-likelihood at `theta`.

        Parameters
        ----------
        theta : MixtureParameters
            The parameters.
        data : Rows
            Rows of data.

        Returns
        -------
        float
            In nats: the rounding unit times the sum of the magnitudes that enter, as the family gives them.
        """
        magnitude = getattr(self.family, "magnitude", None)
        amplification = getattr(self.family, "amplification", None)
        amplified = 0.0 if amplification is None else data.dim * amplification(theta.components, data)
        total, largest = 0.0, 0.0
        for x, weights in data.chunks():
            size = np.abs(log_sum_exp(self._log_joint(theta, x))) + len(theta.weights)
            entering = np.full(len(x), data.dim) if magnitude is None else magnitude(theta.components, x)
            entering = entering + amplified
            total += float((size + entering).sum() if weights is None else weights @ (size + entering))
            largest = max(largest, float(entering.max()))
        return 8 * EPS * (total + abs(self.log_prior(theta)) * largest)

    def locate(self, theta: MixtureParameters[Params], data: Any, component: int) -> int | None:
        """Return the row in which a component has its highest density, weighted by its responsibility.

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
            The row of the user's data, counted from 0; None if the component has a weight of zero.
        """
        rows = self.prepare(data)
        best, where, first = -np.inf, None, 0
        for x, _ in rows.chunks():
            log_joint = self._log_joint(theta, x)
            score = 2 * log_joint[:, component] - log_sum_exp(log_joint)
            row = int(np.argmax(score))
            if score[row] > best:
                best, where = score[row], first + row
            first += len(x)
        return None if where is None else rows.number(where)


def log_sum_exp(log_joint: FloatArray) -> FloatArray:
    """Return the log of the sum over components of exp, without overflow.

    Parameters
    ----------
    log_joint : ndarray of shape (n, M)
        Logs of the terms; -inf for a term that is zero.

    Returns
    -------
    ndarray of shape (n,)
        -inf where every term is zero.
    """
    peak = log_joint.max(axis=1)
    peak = np.where(np.isfinite(peak), peak, 0.0)
    with np.errstate(divide="ignore"):
        return peak + np.log(np.exp(log_joint - peak[:, None]).sum(axis=1))


def _checked_weights(values: ArrayLike) -> FloatArray:
    """Return mixing weights as a read-only array; raise if they are no point of the simplex."""
    weights = frozen(values)
    if weights.ndim != 1 or weights.size == 0:
        raise ValueError(f"weights must have shape (n_components,), got {weights.shape}")
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError(f"weights must be finite and not negative, got {weights.tolist()}")
    if abs(weights.sum() - 1) > 1e-8:
        raise ValueError(f"weights must sum to 1, got a sum of {weights.sum()!r}")
    return weights


def _refuse_impossible(log_density: FloatArray, rows: Rows, first_row: int) -> None:
    """Raise if a row has density zero under every component; the densities begin at ``first_row``."""
    impossible = ~np.isfinite(log_density)
    if not impossible.any():
        return
    row = int(np.argmax(impossible))
    raise ValueError(
        f"row {rows.number(first_row + row)} has log density {log_density[row]} under the mixture: no component "
        "allows it. Start from parameters that give every row a positive density, or remove the row."
    )
