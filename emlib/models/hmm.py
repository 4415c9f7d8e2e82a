"""Hidden Markov models with emissions of any family: Baum-Welch, filtering, smoothing, Viterbi."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from emlib.errors import DegenerateComponent
from emlib.models import lockstep, recursions
from emlib.models.components.separate import as_family
from emlib.models.components.values import frozen
from emlib.models.sequences import Sequences, as_sequences
from emlib.priors import Dirichlet

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from emlib._types import FloatArray, IntArray
    from emlib.models.components.family import Family, WeightedFit

Params = TypeVar("Params")
Sums = TypeVar("Sums")

EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class HiddenMarkovParameters(Generic[Params]):
    """Probabilities of a chain of K states, and the parameters of what each state emits.

    Attributes
    ----------
    initial : ndarray of shape (K,)
        Probabilities of the first state of a sequence: not negative, sum to one.
    transitions : ndarray of shape (K, K)
        Probabilities of the next state (column) given a state (row): not negative, each row sums to one.
    emissions : Params
        Parameters of the family, all K states together.

    Raises
    ------
    ValueError
        If the probabilities are no distributions, or their shapes do not fit.
    """

    initial: FloatArray
    transitions: FloatArray
    emissions: Params

    def __post_init__(self) -> None:
        initial, transitions = frozen(self.initial), frozen(self.transitions)
        if initial.ndim != 1 or initial.size == 0:
            raise ValueError(f"initial must have shape (n_states,), got {initial.shape}")
        if transitions.shape != (len(initial), len(initial)):
            raise ValueError(
                f"transitions must have shape {(len(initial), len(initial))} for {len(initial)} initial probabilities, "
                f"got {transitions.shape}"
            )
        _check_distribution("initial", initial)
        for state, row in enumerate(transitions):
            _check_distribution(f"row {state} of transitions", row)
        object.__setattr__(self, "initial", initial)
        object.__setattr__(self, "transitions", transitions)


def _check_distribution(name: str, p: FloatArray) -> None:
    if not (np.isfinite(p).all() and (p >= 0).all()):
        raise ValueError(f"{name} must be finite and not negative, got {p.tolist()}")
    if abs(p.sum() - 1) > 1e-8:
        raise ValueError(f"{name} must sum to 1, got a sum of {p.sum()!r}")


@dataclass(frozen=True, eq=False)
class HiddenMarkovStatistics(Generic[Sums]):
    """Expected sufficient statistics of a hidden Markov model; they add up over sequences.

    Attributes
    ----------
    initial : ndarray of shape (K,)
        Expected number of sequences that begin in each state.
    transitions : ndarray of shape (K, K)
        Expected number of steps from one state (row) to another (column).
    emissions : Sums
        Statistics of the family.
    """

    initial: FloatArray
    transitions: FloatArray
    emissions: Sums

    def __add__(self, other: HiddenMarkovStatistics[Sums]) -> HiddenMarkovStatistics[Sums]:
        emissions: Any = self.emissions
        return HiddenMarkovStatistics(
            self.initial + other.initial, self.transitions + other.transitions, emissions + other.emissions
        )


@dataclass(frozen=True, eq=False)
class _Posterior:
    """What is known of the states: per row, and the expected number of steps between them."""

    log_increments: FloatArray
    filtered: FloatArray
    smoothed: FloatArray
    transitions: FloatArray


class HiddenMarkov(Generic[Params, Sums]):
    """A hidden Markov model for :func:`emlib.em.em`, which then is the algorithm of Baum and Welch.

    The states form a Markov chain; each row is drawn from the component of its state. The data are one sequence, an
    array of shape (n, d); several, a list of such arrays; or :class:`~emlib.models.sequences.Sequences`. Weights are
    those of whole sequences. What is returned for rows keeps the rows of all sequences one after the other.

    Parameters
    ----------
    emission : Family or WeightedFit
        The family of the emissions, for example ``Poisson()``; all that a :class:`~emlib.models.mixture.Mixture` takes.
    initial_prior, transition_prior : Dirichlet or None
        Priors on the initial probabilities and on each row of transitions; their log densities are part of the
        objective (MAP-EM).

    Raises
    ------
    TypeError
        If the emission or a prior is something else.

    Notes
    -----
    The E-step is exact and costs O(n K^2), or O(n K^3) where the chain has a long memory, without a Python step per row
    (:mod:`emlib.models.lockstep`). Sequences in which that would underflow, such as with transition probabilities of
    zero and densities hundreds of nats apart, are done by :mod:`emlib.models.recursions`, more slowly.

    A probability of zero stays zero in every M-step without prior: so a start with zeros fixes the form of a chain.

    References
    ----------
    Baum, Petrie, Soules and Weiss (1970), Ann. Math. Statist. 41, 164-171; Bilmes (1998), section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from emlib import HiddenMarkov, HiddenMarkovParameters, Poisson, PoissonParameters, em
    >>> x = np.array([[0.], [1.], [0.], [0.], [7.], [9.], [8.], [7.]])
    >>> start = HiddenMarkovParameters([0.5, 0.5], [[0.8, 0.2], [0.2, 0.8]], PoissonParameters([[1.], [5.]]))
    >>> result = em(HiddenMarkov(Poisson()), x, start)
    >>> result.theta.emissions.rates.round(2).ravel().tolist()
    [0.25, 7.75]
    """

    def __init__(
        self,
        emission: Family[Params, Sums] | WeightedFit[Any],
        *,
        initial_prior: Dirichlet | None = None,
        transition_prior: Dirichlet | None = None,
    ) -> None:
        for name, prior in (("initial_prior", initial_prior), ("transition_prior", transition_prior)):
            if not (prior is None or isinstance(prior, Dirichlet)):
                raise TypeError(f"{name} must be a Dirichlet or None, got {prior!r}")
        self.family: Family[Params, Sums] = as_family(emission)
        self.initial_prior = initial_prior
        self.transition_prior = transition_prior

    def prepare(self, data: Any, sample_weight: ArrayLike | None = None) -> Sequences:
        """Check data and weights.

        Parameters
        ----------
        data : array_like of shape (n, d), list of ndarray of shape (n_s, d), or Sequences
            One sequence or several.
        sample_weight : array_like of shape (S,), optional
            Weights of the sequences.

        Returns
        -------
        Sequences
            What :meth:`e_step` reads.

        Raises
        ------
        ValueError
            If the data or weights are invalid, or outside the support of the family.
        """
        sequences = as_sequences(data, sample_weight)
        check = getattr(self.family, "check", None)
        if check is not None and sequences is not data:
            check(sequences.x)
        return sequences

    def e_step(self, theta: HiddenMarkovParameters[Params], data: Any) -> tuple[HiddenMarkovStatistics[Sums], float]:
        """Return the expected sufficient statistics and the log-likelihood at `theta`.

        Parameters
        ----------
        theta : HiddenMarkovParameters
            The current guess.
        data : Sequences or array_like of shape (n, d) or list of them
            One sequence or several.

        Returns
        -------
        statistics : HiddenMarkovStatistics
            They add up over sequences.
        log_likelihood : float
            Weighted sum over the sequences, in nats.

        Raises
        ------
        ValueError
            If a row has density zero after those before it.
        """
        sequences = self.prepare(data)
        found = self._posterior(theta, sequences)
        weights = sequences.row_weights
        smoothed = found.smoothed if weights is None else found.smoothed * weights[:, None]
        value = found.log_increments.sum() if weights is None else weights @ found.log_increments
        emissions: Any = None
        n_read = 0
        for x, _ in sequences.rows.chunks():
            part: Any = self.family.statistics(theta.emissions, x, smoothed[n_read : n_read + len(x)])
            emissions = part if emissions is None else emissions + part
            n_read += len(x)
        initial = smoothed[sequences.starts].sum(axis=0)
        return HiddenMarkovStatistics(initial, found.transitions, emissions), float(value)

    def m_step(self, stats: HiddenMarkovStatistics[Sums]) -> HiddenMarkovParameters[Params]:
        """Return the parameters that maximise Q (plus the log prior): expected counts, divided by their sums.

        Parameters
        ----------
        stats : HiddenMarkovStatistics
            Statistics of all sequences.

        Returns
        -------
        HiddenMarkovParameters
            The maximum.

        Raises
        ------
        DegenerateComponent
            If a state has no valid parameters, or is never left.
        """
        if self.transition_prior is None or self.transition_prior.concentration == 1:
            _refuse_undetermined(stats)
        emissions = self.family.from_statistics(stats.emissions)
        rows = [_mode(self.transition_prior, counts) for counts in stats.transitions]
        return HiddenMarkovParameters(_mode(self.initial_prior, stats.initial), np.array(rows), emissions)

    def check_start(self, theta: HiddenMarkovParameters[Params]) -> None:
        """Refuse a start outside the parameter space, where the family has one to check.

        Parameters
        ----------
        theta : HiddenMarkovParameters
            Where EM is to start.

        Raises
        ------
        ValueError
            If the family refuses it.
        """
        check = getattr(self.family, "check_start", None)
        if check is not None:
            check(theta.emissions)

    def log_prior(self, theta: HiddenMarkovParameters[Params]) -> float:
        """Return the log prior density of the parameters, in nats; 0 without priors.

        Parameters
        ----------
        theta : HiddenMarkovParameters
            The parameters.

        Returns
        -------
        float
            The log density.
        """
        of_family = getattr(self.family, "log_prior", None)
        value = 0.0 if of_family is None else float(of_family(theta.emissions))
        if self.initial_prior is not None:
            value += self.initial_prior.log_density(theta.initial)
        if self.transition_prior is not None:
            value += sum(self.transition_prior.log_density(row) for row in theta.transitions)
        return value

    def log_likelihood(
        self, theta: HiddenMarkovParameters[Params], data: Any, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the log-likelihood, bit for bit as :meth:`e_step` does.

        Parameters
        ----------
        theta : HiddenMarkovParameters
            The parameters.
        data : array_like of shape (n, d), list of them, or Sequences
            One sequence or several.
        sample_weight : array_like of shape (S,), optional
            Weights of the sequences.

        Returns
        -------
        float
            In nats.
        """
        return self.e_step(theta, self.prepare(data, sample_weight))[1]

    def filtered(self, theta: HiddenMarkovParameters[Params], data: Any) -> FloatArray:
        """Return the probabilities of the states of each row, given the rows up to it.

        Parameters
        ----------
        theta : HiddenMarkovParameters
            The parameters.
        data : array_like of shape (n, d), list of them, or Sequences
            One sequence or several.

        Returns
        -------
        ndarray of shape (n, K)
            ``p(y_t = k | x_1..t)``; each row sums to one.

        Raises
        ------
        ValueError
            If a row has density zero after those before it.
        """
        return self._posterior(theta, self.prepare(data)).filtered

    def smoothed(self, theta: HiddenMarkovParameters[Params], data: Any) -> FloatArray:
        """Return the probabilities of the states of each row, given all rows of its sequence: the responsibilities.

        Parameters
        ----------
        theta : HiddenMarkovParameters
            The parameters.
        data : array_like of shape (n, d), list of them, or Sequences
            One sequence or several.

        Returns
        -------
        ndarray of shape (n, K)
            ``p(y_t = k | x_1..T)``; each row sums to one.

        Raises
        ------
        ValueError
            If a row has density zero after those before it.
        """
        return self._posterior(theta, self.prepare(data)).smoothed

    def pair_marginals(self, theta: HiddenMarkovParameters[Params], data: Any) -> FloatArray:
        """Return the probabilities of neighbouring states, given all rows of their sequence.

        Parameters
        ----------
        theta : HiddenMarkovParameters
            The parameters.
        data : array_like of shape (n, d), list of them, or Sequences
            One sequence or several.

        Returns
        -------
        ndarray of shape (n - S, K, K)
            ``p(y_t = i, y_t+1 = j | x_1..T)`` for the n_s - 1 pairs of each sequence.

        Raises
        ------
        ValueError
            If a row has density zero after those before it.
        """
        sequences = self.prepare(data)
        pieces = enumerate(sequences.split(self._log_emissions(theta, sequences)))
        return np.concatenate([_in_logs(theta, piece, sequences, number)[3] for number, piece in pieces])

    def viterbi(self, theta: HiddenMarkovParameters[Params], data: Any) -> tuple[IntArray, FloatArray]:
        """Return the most probable path of states of each sequence.

        Of several equally probable paths, the one with the lowest last state, then the lowest state before it, ...

        Parameters
        ----------
        theta : HiddenMarkovParameters
            The parameters.
        data : array_like of shape (n, d), list of them, or Sequences
            One sequence or several.

        Returns
        -------
        states : ndarray of int, shape (n,)
            Counted from 0.
        log_probabilities : ndarray of shape (S,)
            ``log p(x, states)`` of each sequence, in nats.

        Raises
        ------
        ValueError
            If no path is possible.
        """
        sequences = self.prepare(data)
        log_emissions = self._log_emissions(theta, sequences)
        with np.errstate(divide="ignore"):
            chain = np.log(theta.initial), np.log(theta.transitions)
        found = [recursions.viterbi(*chain, piece) for piece in sequences.split(log_emissions)]
        log_probabilities = np.array([value for _, value in found])
        impossible = log_probabilities == -np.inf
        if impossible.any():
            self._posterior(theta, sequences)  # raises, and names the row
        return np.concatenate([states for states, _ in found]), log_probabilities

    def sample(
        self, theta: HiddenMarkovParameters[Params], lengths: ArrayLike, rng: np.random.Generator
    ) -> tuple[Sequences, IntArray]:
        """Draw sequences.

        Parameters
        ----------
        theta : HiddenMarkovParameters
            The parameters.
        lengths : int or array_like of int, shape (S,)
            The length of each sequence, at least 1.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        sequences : Sequences
            The rows.
        states : ndarray of int, shape (n,)
            The state of each row.

        Raises
        ------
        ValueError
            If a length is below 1.
        TypeError
            If the family cannot be sampled from.
        """
        draw = getattr(self.family, "sample", None)
        if draw is None:
            raise TypeError(f"{type(self.family).__name__} has no sample(theta, labels, rng)")
        each = np.atleast_1d(np.asarray(lengths))
        if each.dtype.kind not in "iu" or each.size == 0 or (each < 1).any():
            raise ValueError(f"lengths must be whole numbers, at least 1, got {lengths!r}")
        states = np.concatenate([_walk(theta, int(length), rng) for length in each])
        return Sequences(draw(theta.emissions, states, rng), each), states

    def pack(self, theta: HiddenMarkovParameters[Params]) -> FloatArray:
        """Return log ratios of the initial probabilities and of each row of transitions, then the family's coordinates.

        Parameters
        ----------
        theta : HiddenMarkovParameters
            The parameters.

        Returns
        -------
        ndarray of shape (p,)
            Unconstrained; as many numbers as there are free parameters. A probability of zero is not free: no M-step
            changes it.
        """
        family: Any = self.family
        ratios = [_log_ratios(p) for p in (theta.initial, *theta.transitions)]
        return np.concatenate([*ratios, family.pack(theta.emissions)])

    def unpack(self, vector: FloatArray, like: HiddenMarkovParameters[Params]) -> HiddenMarkovParameters[Params]:
        """Return the parameters of a vector made by :meth:`pack`.

        Parameters
        ----------
        vector : ndarray of shape (p,)
            The coordinates.
        like : HiddenMarkovParameters
            Parameters of the same shapes, with zeros in the same places.

        Returns
        -------
        HiddenMarkovParameters
            The parameters.
        """
        family: Any = self.family
        found, position = [], 0
        for p in (like.initial, *like.transitions):
            n_ratios = int((p > 0).sum()) - 1
            found.append(_from_log_ratios(vector[position : position + n_ratios], p))
            position += n_ratios
        return HiddenMarkovParameters(found[0], np.array(found[1:]), family.unpack(vector[position:], like.emissions))

    def rounding(self, theta: HiddenMarkovParameters[Params], data: Sequences) -> float:
        """Return a bound on the rounding error of the log-likelihood at `theta`.

        Parameters
        ----------
        theta : HiddenMarkovParameters
            The parameters.
        data : Sequences
            One sequence or several.

        Returns
        -------
        float
            In nats: the rounding unit times the sum of the magnitudes that enter, as the family gives them.
        """
        size = np.abs(self._posterior(theta, data).log_increments) + len(theta.initial)
        magnitude = getattr(self.family, "magnitude", None)
        entering = np.full(len(size), data.x.shape[1]) if magnitude is None else magnitude(theta.emissions, data.x)
        weights = np.ones(len(size)) if data.weights is None else data.row_weights
        return 8 * EPS * (float(weights @ (size + entering)) + abs(self.log_prior(theta)) * float(entering.max()))

    def locate(self, theta: HiddenMarkovParameters[Params], data: Any, component: int) -> int | None:
        """Return the row in which a state has its highest density, weighted by its smoothed probability.

        Parameters
        ----------
        theta : HiddenMarkovParameters
            The parameters.
        data : Sequences or array_like of shape (n, d) or list of them
            One sequence or several.
        component : int
            Index of the state.

        Returns
        -------
        int or None
            The row, counted from 0 over all sequences; None if the state has no row.
        """
        sequences = self.prepare(data)
        smoothed = self._posterior(theta, sequences).smoothed[:, component]
        with np.errstate(divide="ignore"):
            score = np.log(smoothed) + self._log_emissions(theta, sequences)[:, component]
        return int(np.argmax(score)) if np.isfinite(score).any() else None

    def _log_emissions(self, theta: HiddenMarkovParameters[Params], sequences: Sequences) -> FloatArray:
        """Return the log density of each row under each state, (n, K)."""
        parts = [self.family.log_prob(theta.emissions, x) for x, _ in sequences.rows.chunks()]
        log_emissions = np.concatenate(parts)
        expected = (len(sequences.x), len(theta.initial))
        if log_emissions.shape != expected:
            raise ValueError(
                f"there are {expected[1]} states and emissions of {log_emissions.shape[1]}: "
                f"log_prob must have shape {expected}, got {log_emissions.shape}"
            )
        wrong = ~(log_emissions < np.inf)
        if wrong.any():
            row, state = (int(k) for k in np.argwhere(wrong)[0])
            raise ValueError(f"{sequences.place(row)} has log density {log_emissions[row, state]} in state {state}")
        return log_emissions

    def _posterior(self, theta: HiddenMarkovParameters[Params], sequences: Sequences) -> _Posterior:
        """Run the fast recursions; where they are not to be trusted, the plain ones."""
        log_emissions = self._log_emissions(theta, sequences)
        first, weights = sequences.first, sequences.row_weights
        found = lockstep.smooth(theta.initial, theta.transitions, log_emissions, first)
        ratios = found.ratios
        ratios[first] = 0.0  # no step leads to the first row of a sequence
        transitions = np.zeros_like(theta.transitions)
        trusted = np.logical_and.reduceat(found.trusted, sequences.starts)
        for number in np.flatnonzero(~trusted).tolist():
            rows = slice(sequences.starts[number], sequences.starts[number] + sequences.lengths[number])
            exact = _in_logs(theta, log_emissions[rows], sequences, number)
            found.log_increments[rows], found.filtered[rows], found.smoothed[rows], pairs = exact
            ratios[rows] = 0.0
            transitions += pairs.sum(axis=0) * (1.0 if sequences.weights is None else sequences.weights[number])
        weighted = ratios if weights is None else ratios * weights[:, None]
        transitions += theta.transitions * (found.filtered[:-1].T @ weighted[1:])
        return _Posterior(found.log_increments, found.filtered, found.smoothed, transitions)


def _in_logs(
    theta: HiddenMarkovParameters[Any], log_emissions: FloatArray, sequences: Sequences, number: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return log increments, filtered, smoothed and pairs of one sequence by the plain recursions."""
    with np.errstate(divide="ignore"):
        log_initial, log_transitions = np.log(theta.initial), np.log(theta.transitions)
    log_filtered, log_increments = recursions.forward(log_initial, log_transitions, log_emissions)
    impossible = log_increments == -np.inf
    if impossible.any():
        row = int(sequences.starts[number]) + int(np.argmax(impossible))
        raise ValueError(
            f"{sequences.place(row)} has density zero after those before it: no state that can be reached allows it. "
            "Start from parameters that make every row possible, or remove the row."
        )
    log_beta = recursions.backward(log_transitions, log_emissions, log_increments)
    pairs = recursions.pairs(log_transitions, log_emissions, log_filtered, log_beta, log_increments)
    return log_increments, np.exp(log_filtered), np.exp(log_filtered + log_beta), pairs


def _refuse_undetermined(stats: HiddenMarkovStatistics[Any]) -> None:
    """Raise if a state is never left: nothing then determines its transitions."""
    never_left = ~(stats.transitions.sum(axis=1) > 0)
    if not never_left.any():
        return
    state = int(np.argmax(never_left))
    if stats.initial[state] + stats.transitions[:, state].sum() > 0:
        reason = "is never left: it is expected in last rows of sequences only, which say nothing of its transitions"
    else:
        reason = "lost its data: the sum of its responsibilities is zero"
    raise DegenerateComponent(state, reason, "Use fewer states, longer sequences or a transition_prior.")


def _mode(prior: Dirichlet | None, counts: FloatArray) -> FloatArray:
    """Return the distribution that maximises ``counts @ log p``, plus the log prior if there is one."""
    return counts / counts.sum() if prior is None else prior.mode(counts)


def _walk(theta: HiddenMarkovParameters[Any], length: int, rng: np.random.Generator) -> IntArray:
    """Draw the states of one sequence."""
    states = np.empty(length, dtype=np.int64)
    cumulated = np.vstack([theta.initial, theta.transitions]).cumsum(axis=1)
    cumulated /= cumulated[:, -1:]
    row = cumulated[0]
    for t, u in enumerate(rng.random(length)):
        states[t] = np.searchsorted(row, u, side="right")
        row = cumulated[states[t] + 1]
    return states


def _log_ratios(p: FloatArray) -> FloatArray:
    """Return the logs of the positive probabilities relative to the last of them, which is left out."""
    logs = np.log(p[p > 0])
    return logs[:-1] - logs[-1]


def _from_log_ratios(ratios: FloatArray, like: FloatArray) -> FloatArray:
    """Return a distribution with zeros where `like` has them."""
    logs = np.append(ratios, 0.0)
    p = np.exp(logs - logs.max())
    found = np.zeros_like(like)
    found[like > 0] = p / p.sum()
    return found
