"""Q, H and KL where responsibilities are zero; elsewhere tests/models/test_mixture.py holds them to log L."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from emlib import Bernoulli, BernoulliParameters, Mixture, MixtureParameters, decompose

X = np.array([[0.0], [1.0], [1.0]])
GUESS = MixtureParameters([0.5, 0.5], BernoulliParameters([[0.0], [0.5]]))
THETA = MixtureParameters([0.25, 0.75], BernoulliParameters([[0.0], [0.8]]))
MODEL = Mixture(Bernoulli())


def test_zero_responsibilities_contribute_nothing() -> None:
    """Row 0: posteriors 2/3, 1/3; rows 1 and 2 are impossible under component 0. Summed by hand."""
    parts = decompose(MODEL, THETA, GUESS, X)
    q = 2 / 3 * np.log(0.25) + 1 / 3 * np.log(0.75 * 0.2) + 2 * np.log(0.75 * 0.8)
    assert_allclose(parts.q, q, rtol=1e-14)
    assert_allclose(parts.q + parts.h, MODEL.log_likelihood(THETA, X), rtol=1e-14)
    new = np.array([0.25, 0.15]) / 0.4
    assert_allclose(parts.kl, 2 / 3 * np.log(2 / 3 / new[0]) + 1 / 3 * np.log(1 / 3 / new[1]), rtol=1e-13)


def test_divergence_is_infinite_where_theta_excludes_what_the_guess_allows() -> None:
    certain = MixtureParameters([0.5, 0.5], BernoulliParameters([[1.0], [0.5]]))
    parts = decompose(MODEL, certain, GUESS, X)
    assert parts.kl == np.inf
    assert parts.q == -np.inf


def test_weights_of_rows() -> None:
    weighted = decompose(MODEL, THETA, GUESS, X, [1, 2, 3])
    repeated = decompose(MODEL, THETA, GUESS, np.repeat(X, [1, 2, 3], axis=0))
    assert_allclose([weighted.q, weighted.h, weighted.kl], [repeated.q, repeated.h, repeated.kl], rtol=1e-14)
