"""Other packages' EM for Gaussian mixtures: full covariances, float64, a fixed number of iterations from a given start.

Each function takes rows and a start and returns a function that runs so many iterations and returns the means.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

Runner = Callable[[int], np.ndarray]


def emlib(x: np.ndarray, start: Any) -> Runner:
    """Return emlib's."""
    from emlib import Gaussian, Mixture, em

    return lambda k: em(Mixture(Gaussian("full")), x, start, tol=0, max_iter=k).theta.components.means


def sklearn(x: np.ndarray, start: Any) -> Runner:
    """Return scikit-learn's."""
    from sklearn.mixture import GaussianMixture

    options = {
        "weights_init": start.weights,
        "means_init": start.components.means,
        "precisions_init": np.linalg.inv(start.components.covariances),
    }
    return lambda k: GaussianMixture(len(start.weights), tol=0, reg_covar=0, max_iter=k, **options).fit(x).means_


def pomegranate(x: np.ndarray, start: Any) -> Runner:
    """Return pomegranate's, on torch."""
    import torch
    from pomegranate.distributions import Normal
    from pomegranate.gmm import GeneralMixtureModel

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    rows = torch.tensor(x)

    def run(k: int) -> np.ndarray:
        pairs = zip(start.components.means, start.components.covariances, strict=True)
        parts = [Normal(torch.tensor(mean), torch.tensor(covariance)) for mean, covariance in pairs]
        model = GeneralMixtureModel(parts, priors=torch.tensor(start.weights), max_iter=k, tol=-math.inf)
        model.fit(rows)
        return np.array([part.means.numpy() for part in model.distributions])

    return run


def mlpack(x: np.ndarray, start: Any) -> Runner:
    """Return mlpack's, which starts from one round of its own k-means: its means differ, its time does not."""
    from mlpack import gmm_train

    options = {"kmeans_max_iterations": 1, "seed": 1, "tolerance": -1.0}

    def run(k: int) -> np.ndarray:
        model = gmm_train(gaussians=len(start.weights), input_=x, max_iterations=k, **options)["output_model"]
        return np.array([one["mean"].ravel() for one in model.get_cpp_params()["GMM"]["dists"]])

    return run


def opencv(x: np.ndarray, start: Any) -> Runner:
    """Return OpenCV's, which takes only the means of a start from Python: its means differ, its time does not."""
    import cv2

    if not hasattr(cv2, "ml"):
        raise ImportError("OpenCV 5 has no ml module")
    cv2.setNumThreads(1)

    def run(k: int) -> np.ndarray:
        model = cv2.ml.EM_create()
        model.setClustersNumber(len(start.weights))
        model.setCovarianceMatrixType(cv2.ml.EM_COV_MAT_GENERIC)
        model.setTermCriteria((cv2.TERM_CRITERIA_MAX_ITER, k, 0.0))
        model.trainE(x, start.components.means)
        return np.asarray(model.getMeans())

    return run


def jax(x: np.ndarray, start: Any) -> Runner:
    """Return the textbook step compiled by JAX, which has no mixtures of its own."""
    import jax as library
    import jax.numpy as jnp
    from jax.scipy.linalg import solve_triangular
    from jax.scipy.special import logsumexp

    library.config.update("jax_enable_x64", True)
    rows = jnp.asarray(x)
    n = len(x)

    def joint(weight: Any, mean: Any, covariance: Any) -> Any:
        root = jnp.linalg.cholesky(covariance)
        whitened = solve_triangular(root, (rows - mean).T, lower=True)
        return jnp.log(weight) - jnp.log(jnp.diagonal(root)).sum() - (whitened**2).sum(axis=0) / 2

    def covariance_of(r: Any, mean: Any) -> Any:
        return (r * (rows - mean).T) @ (rows - mean) / r.sum()

    @library.jit
    def step(theta: Any) -> Any:
        log_joint = library.vmap(joint)(*theta)
        r = jnp.exp(log_joint - logsumexp(log_joint, axis=0))
        means = (r @ rows) / r.sum(axis=1)[:, None]
        return r.sum(axis=1) / n, means, library.vmap(covariance_of)(r, means)

    first = (jnp.asarray(start.weights), jnp.asarray(start.components.means), jnp.asarray(start.components.covariances))

    def run(k: int) -> np.ndarray:
        theta = first
        for _ in range(k):
            theta = step(theta)
        return np.asarray(theta[1])

    return run


PACKAGES: dict[str, tuple[str, str, Callable[[np.ndarray, Any], Runner]]] = {  # name: module, distribution, runner
    "emlib": ("emlib", "emlib", emlib),
    "scikit-learn": ("sklearn", "scikit-learn", sklearn),
    "pomegranate": ("pomegranate", "pomegranate", pomegranate),
    "mlpack": ("mlpack", "mlpack", mlpack),
    "OpenCV": ("cv2", "opencv-python-headless", opencv),
    "JAX": ("jax", "jax", jax),
}
OTHER_START = ("mlpack", "OpenCV")


def installed() -> list[str]:
    """Return which packages are there, emlib first."""
    return [name for name, (module, _, _) in PACKAGES.items() if find_spec(module) is not None]


def runners(x: np.ndarray, start: Any, names: list[str]) -> tuple[dict[str, Runner], dict[str, str]]:
    """Return what runs each package, and the error of each that is installed but cannot be imported."""
    found, broken = {}, {}
    for name in names:
        try:
            found[name] = PACKAGES[name][2](x, start)
        except ImportError as error:
            broken[name] = str(error)
    return found, broken
