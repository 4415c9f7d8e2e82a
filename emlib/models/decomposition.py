"""The two parts of a mixture's log-likelihood: what an M-step climbs, and what it gains for free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from emlib.models.mixture import log_sum_exp

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from emlib._types import FloatArray
    from emlib.models.mixture import Mixture, MixtureParameters

Params = TypeVar("Params")


@dataclass(frozen=True)
class Decomposition:
    """The parts of a log-likelihood seen from a guess g: log L(theta) = q + h, and kl >= 0.

    Attributes
    ----------
    q : float
        Q(theta, g): expected complete-data log-likelihood, in nats (note, equation 1).
    h : float
        Minus the expected log posterior of the labels at theta, under the posterior at g.
    kl : float
        Divergence of the posterior at theta from the posterior at g: h minus its value at theta = g.
    """

    q: float
    h: float
    kl: float


def decompose(
    model: Mixture[Params, Any],
    theta: MixtureParameters[Params],
    guess: MixtureParameters[Params],
    data: Any,
    sample_weight: ArrayLike | None = None,
) -> Decomposition:
    """Split the log-likelihood of `theta` into Q and H, seen from `guess`.

    ``log L(theta) = q + h``; and for two parameters, the gain in log-likelihood is the gain in q plus ``kl``
    (Dempster, Laird and Rubin 1977, lemma 1).

    Parameters
    ----------
    model : Mixture
        The model.
    theta : MixtureParameters
        Where the log-likelihood is taken.
    guess : MixtureParameters
        Where the responsibilities are taken: the Theta^g of the note.
    data : array_like of shape (n, d)
        Rows of data.
    sample_weight : array_like of shape (n,), optional
        Weights of the rows.

    Returns
    -------
    Decomposition
        q, h and kl, in nats.
    """
    rows = model.prepare(data, sample_weight)
    log_joint = model.log_joint(theta, rows)
    log_posterior = log_joint - log_sum_exp(log_joint)[:, None]
    posterior = model.responsibilities(guess, rows)
    weights = np.ones(len(rows.x)) if rows.weights is None else rows.weights
    with np.errstate(divide="ignore", invalid="ignore"):  # a component of weight zero: 0 log 0 counts nothing
        log_ratio = np.log(posterior) - log_posterior
    return Decomposition(
        q=_expectation(weights, posterior, log_joint),
        h=-_expectation(weights, posterior, log_posterior),
        kl=_expectation(weights, posterior, log_ratio),
    )


def _expectation(weights: FloatArray, posterior: FloatArray, values: FloatArray) -> float:
    """Return sum_i w_i sum_m r_im v_im, where a responsibility of zero contributes nothing."""
    return float(weights @ np.where(posterior > 0, posterior * np.where(posterior > 0, values, 0.0), 0.0).sum(axis=1))
