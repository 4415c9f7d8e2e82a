"""Random problems of every component family, with what SciPy and the textbooks say of each family.

Nothing here calls the code under test for a density, a moment or a count of parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import hypothesis.strategies as st
import numpy as np
from hypothesis import settings
from numpy.typing import NDArray
from scipy import special, stats

from emlib import (
    Bernoulli,
    Binomial,
    Categorical,
    EMResult,
    Exponential,
    Gaussian,
    Mixture,
    MixtureParameters,
    Poisson,
    em,
)

Array = NDArray[np.float64]
Theta = MixtureParameters[Any]

N_CATEGORIES = 3
N_TRIALS = 5
GAUSSIAN_TYPES = ("full", "tied", "diag", "spherical", "tied_diag", "tied_spherical")


def thorough(max_examples: int) -> settings:
    """Return hypothesis settings under which every run draws the same examples."""
    return settings(derandomize=True, max_examples=max_examples, deadline=None, database=None)


class Geometric:
    """A user's own component, P(x) = prod_j p_j (1 - p_j)^x_j on x_j = 0, 1, ...; a mixture needs log_prob and fit."""

    def log_prob(self, p: Array, x: Array) -> Array:
        return (np.log(p) + special.xlog1py(x, -p)).sum(axis=1)

    def fit(self, x: Array, weights: Array) -> Array:
        return 1 / (1 + weights @ x / weights.sum())

    def sample(self, p: Array, n: int, rng: np.random.Generator) -> Array:
        return rng.geometric(p, size=(n, len(p))) - 1.0

    def pack(self, p: Array) -> Array:
        return special.logit(p)

    def unpack(self, vector: Array, like: Array) -> Array:
        return special.expit(vector).reshape(like.shape)


@dataclass(frozen=True)
class Kind:
    """What is known of a family without asking emlib.

    Attributes
    ----------
    component : callable
        Makes the family.
    draw : callable
        ``draw(rng, labels, dim)``: rows that differ by label.
    log_prob : callable
        ``log_prob(components, m, x)``: log densities of component m, from scipy.stats.
    moment : callable
        ``moment(components, m, center)``: expectation of ``statistic`` under component m.
    statistic : callable
        ``statistic(x, center)``: what an M-step must match in the mean, one row a row of x.
    n_free : callable
        ``n_free(M, d)``: free parameters of the components.
    """

    component: Callable[[], Any]
    draw: Callable[[np.random.Generator, NDArray[np.int64], int], Array]
    log_prob: Callable[[Any, int, Array], Array]
    moment: Callable[[Any, int, Array], Array]
    statistic: Callable[[Array, Array], Array]
    n_free: Callable[[int, int], int]


def _draw_gaussian(rng: np.random.Generator, labels: NDArray[np.int64], dim: int) -> Array:
    n_labels = labels.max() + 1
    centers = rng.normal(0, 3, (n_labels, dim))
    roots = rng.normal(0, 0.6, (n_labels, dim, dim)) + np.eye(dim)
    return centers[labels] + np.einsum("nij,nj->ni", roots[labels], rng.standard_normal((len(labels), dim)))


def _draw_poisson(rng: np.random.Generator, labels: NDArray[np.int64], dim: int) -> Array:
    return rng.poisson(rng.uniform(0.5, 9, (labels.max() + 1, dim))[labels]).astype(float)


def _draw_bernoulli(rng: np.random.Generator, labels: NDArray[np.int64], dim: int) -> Array:
    return (rng.random((len(labels), dim)) < rng.uniform(0.1, 0.9, (labels.max() + 1, dim))[labels]).astype(float)


def _draw_binomial(rng: np.random.Generator, labels: NDArray[np.int64], dim: int) -> Array:
    return rng.binomial(N_TRIALS, rng.uniform(0.1, 0.9, (labels.max() + 1, dim))[labels]).astype(float)


def _draw_categorical(rng: np.random.Generator, labels: NDArray[np.int64], dim: int) -> Array:
    steps = rng.dirichlet(np.ones(N_CATEGORIES), (labels.max() + 1, dim)).cumsum(axis=-1)[:, :, :-1]
    return (rng.random((len(labels), dim))[:, :, None] > steps[labels]).sum(axis=-1).astype(float)


def _draw_exponential(rng: np.random.Generator, labels: NDArray[np.int64], dim: int) -> Array:
    return rng.exponential(rng.uniform(0.3, 6, (labels.max() + 1, dim))[labels])


def _draw_geometric(rng: np.random.Generator, labels: NDArray[np.int64], dim: int) -> Array:
    return rng.geometric(rng.uniform(0.2, 0.8, (labels.max() + 1, dim))[labels]) - 1.0


def dense_covariance(components: Any, m: int) -> Array:
    """Return the (d, d) covariance of component m, unfolded by hand from the array of its type."""
    kind, covariances, dim = components.covariance_type, components.covariances, components.means.shape[1]
    one = covariances if kind.startswith("tied") else covariances[m]
    return one if kind in ("full", "tied") else one * np.eye(dim)


def _gaussian_log_prob(components: Any, m: int, x: Array) -> Array:
    density = stats.multivariate_normal(components.means[m], dense_covariance(components, m))
    return np.atleast_1d(density.logpdf(x))


def _reduce_second(second: Array, covariance_type: str) -> Array:
    """Keep of (..., d, d) second moments what a covariance type can match: all, the diagonal, or the trace."""
    if covariance_type in ("full", "tied"):
        return second.reshape(*second.shape[:-2], -1)
    diagonal = np.diagonal(second, axis1=-2, axis2=-1)
    return diagonal.sum(axis=-1, keepdims=True) if covariance_type.endswith("spherical") else diagonal


def _gaussian_moment(covariance_type: str, components: Any, m: int, center: Array) -> Array:
    shift = components.means[m] - center
    second = dense_covariance(components, m) + np.outer(shift, shift)
    return np.concatenate([shift, _reduce_second(second, covariance_type)])


def _gaussian_statistic(covariance_type: str, x: Array, center: Array) -> Array:
    shift = x - center
    return np.hstack([shift, _reduce_second(shift[:, :, None] * shift[:, None, :], covariance_type)])


def _gaussian_free(covariance_type: str, n_components: int, dim: int) -> int:
    each = {"full": dim * (dim + 1) // 2, "diag": dim, "spherical": 1}
    if covariance_type.startswith("tied"):
        return n_components * dim + each[covariance_type.removeprefix("tied").removeprefix("_") or "full"]
    return n_components * (dim + each[covariance_type])


def _gaussian(covariance_type: str) -> Kind:
    return Kind(
        component=partial(Gaussian, covariance_type),
        draw=_draw_gaussian,
        log_prob=_gaussian_log_prob,
        moment=partial(_gaussian_moment, covariance_type),
        statistic=partial(_gaussian_statistic, covariance_type),
        n_free=partial(_gaussian_free, covariance_type),
    )


def _raw(x: Array, center: Array) -> Array:
    return x - center


def _indicators(x: Array) -> Array:
    return np.concatenate([(x == k) for k in range(N_CATEGORIES)], axis=1).astype(float)


KINDS: dict[str, Kind] = {
    **{f"gaussian-{name}": _gaussian(name) for name in GAUSSIAN_TYPES},
    "poisson": Kind(
        component=Poisson,
        draw=_draw_poisson,
        log_prob=lambda c, m, x: stats.poisson.logpmf(x, c.rates[m]).sum(axis=1),
        moment=lambda c, m, center: c.rates[m] - center,
        statistic=_raw,
        n_free=lambda n_components, dim: n_components * dim,
    ),
    "bernoulli": Kind(
        component=Bernoulli,
        draw=_draw_bernoulli,
        log_prob=lambda c, m, x: stats.bernoulli.logpmf(x, c.probabilities[m]).sum(axis=1),
        moment=lambda c, m, center: c.probabilities[m] - center,
        statistic=_raw,
        n_free=lambda n_components, dim: n_components * dim,
    ),
    "binomial": Kind(
        component=partial(Binomial, N_TRIALS),
        draw=_draw_binomial,
        log_prob=lambda c, m, x: stats.binom.logpmf(x, N_TRIALS, c.probabilities[m]).sum(axis=1),
        moment=lambda c, m, center: N_TRIALS * c.probabilities[m] - center,
        statistic=_raw,
        n_free=lambda n_components, dim: n_components * dim,
    ),
    "categorical": Kind(
        component=partial(Categorical, N_CATEGORIES),
        draw=_draw_categorical,
        log_prob=lambda c, m, x: np.log(
            np.prod([c.probabilities[m, j, x[:, j].astype(int)] for j in range(x.shape[1])], axis=0)
        ),
        moment=lambda c, m, _center: c.probabilities[m].T.ravel(),
        statistic=lambda x, _center: _indicators(x),
        n_free=lambda n_components, dim: n_components * dim * (N_CATEGORIES - 1),
    ),
    "exponential": Kind(
        component=Exponential,
        draw=_draw_exponential,
        log_prob=lambda c, m, x: stats.expon.logpdf(x, scale=1 / c.rates[m]).sum(axis=1),
        moment=lambda c, m, center: 1 / c.rates[m] - center,
        statistic=_raw,
        n_free=lambda n_components, dim: n_components * dim,
    ),
    "user-geometric": Kind(
        component=Geometric,
        draw=_draw_geometric,
        log_prob=lambda c, m, x: stats.geom.logpmf(x, c[m], loc=-1).sum(axis=1),
        moment=lambda c, m, center: (1 - c[m]) / c[m] - center,
        statistic=_raw,
        n_free=lambda n_components, dim: n_components * dim,
    ),
}
GAUSSIAN_KINDS = tuple(name for name in KINDS if name.startswith("gaussian"))


@dataclass(frozen=True)
class Problem:
    """Data, weights of its rows (or None), and responsibilities that make the start by an M-step."""

    name: str
    x: Array
    weights: Array | None
    responsibilities: Array
    model: Mixture[Any, Any]

    @property
    def kind(self) -> Kind:
        return KINDS[self.name]

    @property
    def row_weights(self) -> Array:
        return np.ones(len(self.x)) if self.weights is None else self.weights

    @property
    def start(self) -> Theta:
        return self.model.from_responsibilities(self.x, self.responsibilities, self.weights)

    def change(self, **fields: Any) -> Problem:
        return replace(self, **fields)

    def run(self, n_iter: int) -> EMResult[Theta]:
        """Run exactly `n_iter` iterations of emlib.em."""
        result = em(self.model, self.x, self.start, sample_weight=self.weights, tol=0, max_iter=n_iter)
        assert result.n_iter == n_iter, result.message
        return result

    def iterates(self, n_iter: int) -> Iterator[Theta]:
        """Yield the start and the results of `n_iter` bare E- and M-steps, without the driver."""
        theta, rows = self.start, self.model.prepare(self.x, self.weights)
        yield theta
        for _ in range(n_iter):
            theta = self.model.m_step(self.model.e_step(theta, rows)[0])
            yield theta

    def scipy_log_joint(self, theta: Theta) -> Array:
        """Return log alpha_m + log p_m(x_i) from scipy.stats, shape (n, M)."""
        columns = [self.kind.log_prob(theta.components, m, self.x) for m in range(len(theta.weights))]
        return np.array(columns).T + np.log(theta.weights)

    def scipy_log_likelihood(self, theta: Theta) -> float:
        return float(self.row_weights @ special.logsumexp(self.scipy_log_joint(theta), axis=1))


def make_problem(
    name: str, seed: int, *, dim: int | None = None, n_components: int | None = None, weighted: bool | None = None
) -> Problem:
    """Return the random problem of a seed; what is not given is drawn too."""
    rng = np.random.default_rng(seed)
    drawn_dim, drawn_components, n = rng.integers(1, 4), rng.integers(1, 4), rng.integers(45, 80)
    dim, n_components = int(dim or drawn_dim), int(n_components or drawn_components)
    kind = KINDS[name]
    x = kind.draw(rng, rng.integers(0, n_components, n), dim)
    weights = rng.uniform(0.2, 3, n)
    responsibilities = rng.dirichlet(np.full(n_components, 0.5), n)
    keep = bool(rng.integers(2)) if weighted is None else weighted
    return Problem(name, x, weights if keep else None, responsibilities, Mixture(kind.component()))


def problems(names: tuple[str, ...] = tuple(KINDS), **fixed: Any) -> st.SearchStrategy[Problem]:
    """Return a hypothesis strategy of problems of the named families."""
    return st.builds(partial(make_problem, **fixed), st.sampled_from(names), st.integers(0, 2**32 - 1))


def seeds() -> st.SearchStrategy[np.random.Generator]:
    return st.integers(0, 2**32 - 1).map(np.random.default_rng)
