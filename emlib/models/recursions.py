"""The recursions of a hidden Markov chain, for one sequence, in logarithms: slow, plain, and always right.

They are the reference of :mod:`emlib.models.lockstep`, and what is used where that one would underflow.
Every step is normalised, so that the logarithms stay small and precise however long the sequence is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from emlib._types import FloatArray, IntArray


def forward(
    log_initial: FloatArray, log_transitions: FloatArray, log_emissions: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Filter: what is known of each state from the rows up to it.

    ``p(y_t = j | x_1..t) = p_t(x_t | j) sum_i p(y_t-1 = i | x_1..t-1) A_ij / p(x_t | x_1..t-1)``.

    Parameters
    ----------
    log_initial : ndarray of shape (K,)
        Log probabilities of the first state.
    log_transitions : ndarray of shape (K, K)
        Log probabilities of the next state (column) given a state (row).
    log_emissions : ndarray of shape (T, K)
        Log density of each row under each state.

    Returns
    -------
    log_filtered : ndarray of shape (T, K)
        ``log p(y_t = k | x_1..t)``.
    log_increments : ndarray of shape (T,)
        ``log p(x_t | x_1..t-1)``: their sum is the log-likelihood. From the first row that is impossible after
        those before it, -inf.
    """
    log_filtered = np.full(log_emissions.shape, -np.inf)
    log_increments = np.full(len(log_emissions), -np.inf)
    predicted = log_initial
    for t, emission in enumerate(log_emissions):
        joint = predicted + emission
        log_increments[t] = np.logaddexp.reduce(joint)
        if log_increments[t] == -np.inf:
            break
        log_filtered[t] = joint - log_increments[t]
        predicted = np.logaddexp.reduce(log_filtered[t][:, None] + log_transitions, axis=0)
    return log_filtered, log_increments


def backward(log_transitions: FloatArray, log_emissions: FloatArray, log_increments: FloatArray) -> FloatArray:
    """Look ahead: how much more the rows to come expect a state than the filter does.

    ``beta_t(i) = sum_j A_ij p_t+1(x_t+1 | j) beta_t+1(j) / p(x_t+1 | x_1..t)``, and ``beta_T = 1``.

    Parameters
    ----------
    log_transitions : ndarray of shape (K, K)
        Log probabilities of the next state given a state.
    log_emissions : ndarray of shape (T, K)
        Log density of each row under each state.
    log_increments : ndarray of shape (T,)
        From :func:`forward`, finite.

    Returns
    -------
    ndarray of shape (T, K)
        ``log beta_t(k)``, so that ``log p(y_t = k | x_1..T)`` is ``log_filtered + log_beta``.
    """
    log_beta = np.zeros(log_emissions.shape)
    for t in range(len(log_emissions) - 1, 0, -1):
        ahead = log_emissions[t] + log_beta[t] - log_increments[t]
        log_beta[t - 1] = np.logaddexp.reduce(log_transitions + ahead, axis=1)
    return log_beta


def pairs(
    log_transitions: FloatArray,
    log_emissions: FloatArray,
    log_filtered: FloatArray,
    log_beta: FloatArray,
    log_increments: FloatArray,
) -> FloatArray:
    """Return the posterior of each pair of neighbouring states.

    Parameters
    ----------
    log_transitions : ndarray of shape (K, K)
        Log probabilities of the next state given a state.
    log_emissions : ndarray of shape (T, K)
        Log density of each row under each state.
    log_filtered, log_beta : ndarray of shape (T, K)
        From :func:`forward` and :func:`backward`.
    log_increments : ndarray of shape (T,)
        From :func:`forward`, finite.

    Returns
    -------
    ndarray of shape (T - 1, K, K)
        ``p(y_t = i, y_t+1 = j | x_1..T)``.
    """
    ahead = (log_emissions + log_beta - log_increments[:, None])[1:]
    return np.exp(log_filtered[:-1, :, None] + log_transitions + ahead[:, None, :])


def viterbi(log_initial: FloatArray, log_transitions: FloatArray, log_emissions: FloatArray) -> tuple[IntArray, float]:
    """Return the most probable sequence of states.

    Of several that are equally probable, the one with the lowest last state, then the lowest state before it, ...

    Parameters
    ----------
    log_initial : ndarray of shape (K,)
        Log probabilities of the first state.
    log_transitions : ndarray of shape (K, K)
        Log probabilities of the next state given a state.
    log_emissions : ndarray of shape (T, K)
        Log density of each row under each state.

    Returns
    -------
    states : ndarray of int, shape (T,)
        The path.
    log_probability : float
        ``log p(x_1..T, y_1..T)``, in nats; -inf where no path is possible.
    """
    n, n_states = log_emissions.shape
    came_from = np.zeros((n, n_states), dtype=np.int64)
    best = log_initial + log_emissions[0]
    for t in range(1, n):
        candidates = best[:, None] + log_transitions
        came_from[t] = candidates.argmax(axis=0)
        best = candidates.max(axis=0) + log_emissions[t]
    states = np.empty(n, dtype=np.int64)
    states[-1] = best.argmax()
    for t in range(n - 1, 0, -1):
        states[t - 1] = came_from[t, states[t]]
    return states, float(best.max())
