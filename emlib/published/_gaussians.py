"""Published results on Gaussian mixtures: Old Faithful, iris, and EM as a step along the gradient."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.datasets import load_faithful, load_iris
from emlib.em import em
from emlib.estimators import GaussianMixture
from emlib.models.components.gaussian import Gaussian
from emlib.models.components.gaussian_values import GaussianParameters
from emlib.models.mixture import Mixture, MixtureParameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from emlib._types import FloatArray

    Coordinates = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def _with_bic(fit: GaussianMixture, x: FloatArray) -> list[float]:
    """Return the log-likelihood and BIC with mclust's sign."""
    return [fit.score(x) * len(x), -fit.bic(x)]


# --- Old Faithful ---------------------------------------------------------------------------------------------


@cache
def _faithful(covariance_type: str, n_components: int, n_init: int = 1) -> GaussianMixture:
    options: dict[str, Any] = {"covariance_type": covariance_type, "n_init": n_init, "random_state": 0}
    return GaussianMixture(n_components, tol=1e-12, max_iter=5000, **options).fit(load_faithful().data)


def _waiting(covariance_type: str, covariances: Any) -> GaussianMixture:
    """Fit the waiting times from mixtools' start: equal weights, means 55 and 80, deviations 5."""
    return GaussianMixture(
        2,
        covariance_type=covariance_type,
        weights_init=[0.5, 0.5],
        means_init=[[55.0], [80.0]],
        covariances_init=covariances,
        tol=1e-12,
    ).fit(load_faithful().data[:, 1:])


def waiting_equal() -> list[float]:
    fit = _waiting("tied", [[25.0]])
    return [fit.weights_[0], *fit.means_[:, 0], *np.sqrt(fit.covariances_[:, 0]), fit.log_likelihood_]


def waiting_unequal() -> list[float]:
    fit = _waiting("full", [[[25.0]], [[25.0]]])
    return [fit.weights_[0], *fit.means_[:, 0], *np.sqrt(fit.covariances_[:, 0, 0]), fit.log_likelihood_]


def faithful_tied_three() -> list[float]:
    return _with_bic(_faithful("tied", 3, n_init=10), load_faithful().data)


def faithful_full_two() -> list[float]:
    return _with_bic(_faithful("full", 2), load_faithful().data)


def faithful_full_two_parameters() -> list[float]:
    fit = _faithful("full", 2)
    order = np.argsort(fit.means_[:, 0])
    upper = np.triu_indices(2)
    covariances = [value for m in order for value in fit.covariances_[m][upper]]
    return [fit.weights_[order[0]], *fit.means_[order].ravel(), *covariances]


def faithful_one() -> list[float]:
    return _with_bic(_faithful("full", 1), load_faithful().data)


# --- iris -----------------------------------------------------------------------------------------------------


@cache
def _iris_from_species(covariance_type: str) -> GaussianMixture:
    """Run EM from the M-step that takes the three species as the components."""
    iris = load_iris()
    model = Mixture(Gaussian(covariance_type))
    theta = em(model, iris.data, model.from_responsibilities(iris.data, np.eye(3)[iris.target])).theta
    parts = theta.components
    return GaussianMixture.from_parameters(
        theta.weights, parts.means, parts.covariances, covariance_type=covariance_type
    )


def iris_full_three() -> list[float]:
    return _with_bic(_iris_from_species("full"), load_iris().data)


def iris_tied_three() -> list[float]:
    return _with_bic(_iris_from_species("tied"), load_iris().data)[:1]


def iris_tied_diag_three() -> list[float]:
    return _with_bic(_iris_from_species("tied_diag"), load_iris().data)[:1]


def iris_diag_three() -> list[float]:
    return _with_bic(_iris_from_species("diag"), load_iris().data)[:1]


def iris_full_two() -> list[float]:
    iris = load_iris().data
    return _with_bic(GaussianMixture(2, n_init=3, random_state=0).fit(iris), iris)


# --- EM as gradient ascent ------------------------------------------------------------------------------------


def gradient_identity() -> list[float]:
    """Compare a step of EM with P times the gradient, which is taken from the log-likelihood alone by complex steps."""
    x = load_faithful().data
    weights, means, covariances = np.array([0.4, 0.6]), np.array([[2.5, 60.0], [4.0, 75.0]]), np.diag([0.5, 80.0])
    theta = MixtureParameters(weights, GaussianParameters(means, np.array([covariances] * 2)))
    model = Mixture(Gaussian())
    masses = model.responsibilities(theta, x).sum(axis=0)
    new = model.m_step(model.e_step(theta, x)[0])
    by_weight, by_mean, by_covariance = _gradient(x, (weights, means, theta.components.covariances))
    gaps = [new.weights - weights - (np.diag(weights) - np.outer(weights, weights)) @ by_weight / len(x)]
    for m, sigma in enumerate(theta.components.covariances):
        step = new.components.means[m] - means[m]
        gaps.append(step - sigma @ by_mean[m] / masses[m])
        about_old_mean = new.components.covariances[m] + np.outer(step, step)
        gaps.append(about_old_mean - sigma - 2 / masses[m] * sigma @ by_covariance[m] @ sigma)
    return [max(float(np.abs(gap).max()) for gap in gaps)]


def _gradient(x: FloatArray, at: Coordinates) -> Sequence[FloatArray]:
    """Return the derivatives of the log-likelihood by each weight, mean and covariance entry.

    Im f(z + ih) / h is the derivative up to h^2, and nothing cancels in it: h can be 1e-30.
    """
    slopes = [np.zeros_like(block, dtype=np.float64) for block in at]
    for which, block in enumerate(at):
        for index in np.ndindex(block.shape):
            shifted = [one.astype(np.complex128) for one in at]
            shifted[which][index] += 1e-30j
            slopes[which][index] = _log_likelihood(x, *shifted).imag / 1e-30
    return slopes


def _log_likelihood(x: FloatArray, weights: Any, means: Any, covariances: Any) -> Any:
    """Return the log-likelihood as the formula stands, for real or complex parameters."""
    density = 0
    for weight, mean, sigma in zip(weights, means, covariances, strict=True):
        deviation = x - mean
        distance = (deviation @ np.linalg.inv(sigma) * deviation).sum(axis=1)
        density = density + weight * np.exp(-distance / 2) / np.sqrt(np.linalg.det(2 * np.pi * sigma))
    return np.log(density).sum()
