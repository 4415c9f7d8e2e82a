"""Published results on hidden Markov models: earthquakes a year, and hidden weather."""

from __future__ import annotations

from functools import cache

import numpy as np

from emlib.datasets import load_earthquakes
from emlib.em import EMResult, em
from emlib.models.components.categorical import Categorical, CategoricalParameters
from emlib.models.components.poisson import Poisson, PoissonParameters
from emlib.models.hmm import HiddenMarkov, HiddenMarkovParameters

UMBRELLA = np.array([[0.0], [0.0], [1.0], [0.0], [0.0]])
"""Five days: 0 where an umbrella was seen, 1 where none was."""


@cache
def _earthquakes(n_iter: int) -> EMResult[HiddenMarkovParameters[PoissonParameters]]:
    """Run Baum-Welch on the yearly counts from the start of the table."""
    start = HiddenMarkovParameters(
        np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.1, 0.9]]), PoissonParameters(np.array([[10.0], [30.0]]))
    )
    return em(HiddenMarkov(Poisson()), load_earthquakes().data[:, 1:], start, tol=0, max_iter=n_iter)


def earthquake_log_likelihoods() -> list[float]:
    return [-float(_earthquakes(50).trace[k]) for k in (0, 1, 2, 30, 50)]


def earthquake_parameters() -> list[float]:
    values: list[float] = []
    for n_iter in (1, 30):
        theta = _earthquakes(n_iter).theta
        values += [theta.transitions[0, 1], theta.transitions[1, 0], *theta.emissions.rates[:, 0], theta.initial[0]]
    return values


def earthquake_moments() -> list[float]:
    counts = load_earthquakes().data[:, 1]
    return [counts.mean(), counts.var(ddof=1)]


def umbrella() -> list[float]:
    seen = CategoricalParameters(np.array([[[0.9, 0.1]], [[0.2, 0.8]]]))
    theta = HiddenMarkovParameters(np.array([0.5, 0.5]), np.array([[0.7, 0.3], [0.3, 0.7]]), seen)
    model = HiddenMarkov(Categorical(2))
    return [model.log_likelihood(theta, UMBRELLA), *model.smoothed(theta, UMBRELLA)[:, 0]]
