"""Published results on rows with missing entries: Murray's pairs, and an example of a textbook."""

from __future__ import annotations

import numpy as np

from emlib.datasets import load_johnson_wichern, load_murray
from emlib.em import em
from emlib.models.components.gaussian_values import GaussianParameters
from emlib.models.missing import MissingGaussian
from emlib.models.mixture import MixtureParameters


def murray() -> list[float]:
    """Start on either side of zero correlation, and on it; the mean is known to be 0."""
    model = MissingGaussian(fixed_mean=[0, 0])
    covariances = []
    for covariance in (0.12, -0.12, 0.0):
        components = GaussianParameters(np.zeros((1, 2)), np.array([[[1.2, covariance], [covariance, 1.2]]]))
        result = em(model, load_murray().data, MixtureParameters(np.ones(1), components), tol=0, max_iter=300)
        covariances.append(result.theta.components.covariances[0])
    plus, minus, saddle = covariances
    sizes = [abs(one[0, 1]) / one[0, 0] for one in (plus, minus)]
    variances = [value for one in (plus, minus) for value in np.diag(one)]
    return [_common(sizes), _common(variances), _common([*np.diag(saddle)])]


def _common(values: list[float]) -> float:
    """Return what the values have in common: their mean; raise if they differ."""
    if np.ptp(values) > 1e-6:
        raise ArithmeticError(f"these should be equal: {values}")
    return float(np.mean(values))


def johnson_wichern() -> list[float]:
    """Do one step from the moments of the rows filled with the means of their columns."""
    x = load_johnson_wichern().data
    filled = np.where(np.isnan(x), np.nanmean(x, axis=0), x)
    moments = GaussianParameters(filled.mean(axis=0)[None], np.cov(filled.T, bias=True)[None])
    theta, model = MixtureParameters(np.ones(1), moments), MissingGaussian()
    completed = model.impute(theta, x)
    new = model.m_step(model.e_step(theta, x)[0]).components
    return [completed[0, 0], completed[3, 0], completed[3, 1], *new.means[0], *new.covariances[0][np.triu_indices(3)]]
