"""Where EM starts: k-means++ seeds and the parameters made from them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from emlib.errors import DegenerateComponent
from emlib.models.components.covariance import EPS
from emlib.models.components.gaussian import Gaussian
from emlib.models.components.gaussian_values import GaussianParameters
from emlib.models.mixture import MixtureParameters
from emlib.rows import Rows
from emlib.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from emlib._types import FloatArray, IntArray

    Seeding = Callable[[FloatArray, FloatArray, int, np.random.Generator], FloatArray]


SAMPLE = 20_000
"""Rows that a start looks at: with more, the start would take longer than the EM iterations that follow it."""
ROUNDS = 20
"""The most rounds of k-means: the last ones move little, and EM moves on from there."""


def kmeans_plus_plus(x: FloatArray, weights: FloatArray, n_components: int, rng: np.random.Generator) -> FloatArray:
    """Draw seeds far from each other (Arthur and Vassilvitskii 2007, SODA).

    Each seed is drawn with probability proportional to its weight times the squared distance to the nearest
    seed so far. The order of the rows does not matter, and an integer weight acts as repetition.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Rows, in units in which distances are meant.
    weights : ndarray of shape (n,)
        Weights of the rows.
    n_components : int
        Number of seeds M.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (M, d)
        Rows of `x`.

    Raises
    ------
    ValueError
        If there are fewer distinct rows than seeds.
    """
    order = _canonical_order(x, rng)
    x, weights = x[order], weights[order]
    seeds = x[[_draw(weights, rng)]]
    nearest = ((x - seeds[0]) ** 2).sum(axis=1)
    while len(seeds) < n_components:
        if not (weights * nearest).any():
            raise ValueError(f"the data have only {len(seeds)} distinct rows, fewer than n_components={n_components}")
        seeds = np.vstack([seeds, x[_draw(weights * nearest, rng)]])
        nearest = np.minimum(nearest, ((x - seeds[-1]) ** 2).sum(axis=1))
    return seeds


def random_rows(x: FloatArray, weights: FloatArray, n_components: int, rng: np.random.Generator) -> FloatArray:
    """Draw distinct rows, with probability proportional to their weights.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Rows.
    weights : ndarray of shape (n,)
        Weights of the rows.
    n_components : int
        Number of rows to draw M.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (M, d)
        Rows of `x`.

    Raises
    ------
    ValueError
        If there are fewer distinct rows than asked for.
    """
    order = _canonical_order(x, rng)
    x, weights = x[order], weights[order].copy()
    seeds: list[FloatArray] = []
    for _ in range(n_components):
        if not weights.any():
            raise ValueError(f"the data have only {len(seeds)} distinct rows, fewer than n_components={n_components}")
        seeds.append(x[_draw(weights, rng)])
        weights[(x == seeds[-1]).all(axis=1)] = 0
    return np.array(seeds)


def kmeans(x: FloatArray, weights: FloatArray, n_components: int, rng: np.random.Generator) -> FloatArray:
    """Return the centres of k-means clusters: Lloyd's rounds from k-means++ seeds.

    The rounds are those of Lloyd (1982, IEEE Trans. Inf. Theory 28, 129-137). They cost more than seeds alone and save
    EM iterations where clusters are apart.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Rows, in units in which distances are meant.
    weights : ndarray of shape (n,)
        Weights of the rows.
    n_components : int
        Number of clusters M.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (M, d)
        The means of the clusters, after ROUNDS rounds or when no row changed its cluster.

    Raises
    ------
    ValueError
        If there are fewer distinct rows than clusters.
    """
    centers = kmeans_plus_plus(x, weights, n_components, rng)
    before = np.full(len(x), -1)
    for _ in range(ROUNDS):
        # Half the squared distances but for what is the same for all centres: one matrix product.
        nearest = ((centers**2).sum(axis=1)[:, None] / 2 - centers @ x.T).argmin(axis=0)
        masses = np.bincount(nearest, weights, n_components)
        if not masses.all() or np.array_equal(nearest, before):
            break
        sums = [np.bincount(nearest, weights * column, n_components) for column in x.T]
        centers, before = np.stack(sums, axis=1) / masses[:, None], nearest
    return centers


SEEDINGS: dict[str, Seeding] = {"k-means++": kmeans_plus_plus, "k-means": kmeans, "random": random_rows}


def gaussian_start(
    rows: Rows,
    n_components: int,
    family: Gaussian,
    seeding: str,
    rng: np.random.Generator,
    means: FloatArray | None = None,
) -> MixtureParameters[GaussianParameters]:
    """Return parameters to start EM from: clusters around seeds, with one covariance for all.

    Of more than SAMPLE rows that many are taken, evenly along the data and by weight; what follows sees only them.
    The columns are scaled to unit variance, seeds are drawn, each row joins its nearest seed. Weights and means
    are those of the clusters; every component gets the pooled covariance within the clusters, which is safe
    however small a cluster is, or that of all rows where the pooled one is singular.

    Parameters
    ----------
    rows : Rows
        The data, n rows in d columns.
    n_components : int
        Number of components M.
    family : Gaussian
        Gives the form of the covariances, their floor and prior.
    seeding : {'k-means++', 'k-means', 'random'}
        How the seeds are drawn.
    rng : numpy.random.Generator
        Source of randomness.
    means : ndarray of shape (M, d), optional
        Means given by the user: they take the place of the seeds and stay the means of the start.

    Returns
    -------
    MixtureParameters
        The start.

    Raises
    ------
    ValueError
        If the option is unknown, there are too few distinct rows, a given mean is nearest to no row, or a
        column is constant.
    """
    if seeding not in SEEDINGS:
        raise ValueError(f"init must be one of {', '.join(SEEDINGS)}, got {seeding!r}")
    start = partial(_start_from, mass=rows.total_weight, n_components=n_components, family=family, rng=rng)
    if isinstance(rows, Stream) or (means is None and rows.n > SAMPLE):
        try:
            return start(_sample(rows, rng), SEEDINGS[seeding], means)
        except ValueError:
            if isinstance(rows, Stream):
                raise  # the sample has too few distinct rows, or a constant column; all rows may not
    return start(rows, SEEDINGS[seeding], means)


def _start_from(
    rows: Rows,
    draw: Seeding,
    means: FloatArray | None,
    *,
    mass: float,
    n_components: int,
    family: Gaussian,
    rng: np.random.Generator,
) -> MixtureParameters[GaussianParameters]:
    """Return the start around seeds, or given means, in these rows; `mass` is what a prior is set against."""
    weights = np.ones(len(rows.x)) if rows.weights is None else rows.weights
    center = np.average(rows.x, axis=0, weights=weights)
    deviations = rows.x - center
    spread = np.sqrt(np.average(deviations**2, axis=0, weights=weights))
    units = np.where(spread > 0, spread, 1.0)
    scaled = deviations / units
    seeds = draw(scaled, weights, n_components, rng) if means is None else (means - center) / units
    membership = np.eye(len(seeds))[_nearest(scaled, seeds)] * weights[:, None]
    clusters = Gaussian("tied").statistics(None, np.asarray(rows.x, dtype=np.float64), membership)
    if not clusters.masses.all():
        raise ValueError(f"means_init[{int(np.argmin(clusters.masses))}] is nearest to no row of the data")
    within = clusters.second.sum(axis=0) / rows.total_weight
    overall = (deviations * weights[:, None]).T @ deviations / rows.total_weight
    for covariance in (within, overall, np.diag(np.diagonal(overall))):
        components = GaussianParameters(
            clusters.reference if means is None else means,
            family.shared_covariances(covariance, mass, n_components),
            family.covariance_type,
        )
        if _is_regular(components, EPS * spread**2):
            return MixtureParameters(clusters.masses / rows.total_weight, components)
    raise ValueError(f"the data are constant in column {int(np.argmin(spread))}")


def _sample(rows: Rows, rng: np.random.Generator) -> Rows:
    """Return SAMPLE rows at even steps of the cumulative weight: an integer weight acts as repetition here too."""
    steps = (np.arange(SAMPLE, dtype=np.float64) + rng.random()) * (rows.total_weight / SAMPLE)
    return Rows(rows.at(steps))


def _is_regular(components: GaussianParameters, smallest: FloatArray) -> bool:
    """Whether all covariances can be factored and all variances are above ``smallest`` (d,)."""
    try:
        _ = components.factor
    except DegenerateComponent:
        return False
    return bool((np.diagonal(components.dense_covariances, axis1=1, axis2=2) > smallest).all())


def _canonical_order(x: FloatArray, rng: np.random.Generator) -> IntArray:
    """Return an order of the rows that depends on their values only, equal rows side by side."""
    return np.argsort(x @ rng.standard_normal(x.shape[1]), kind="stable")


def _draw(weights: FloatArray, rng: np.random.Generator) -> int:
    """Return an index drawn with probability proportional to its weight."""
    cumulative = np.cumsum(weights)
    return int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))


def _nearest(x: FloatArray, seeds: FloatArray) -> IntArray:
    """Return the index of the seed nearest to each row."""
    distances = np.array([((x - seed) ** 2).sum(axis=1) for seed in seeds])
    return distances.argmin(axis=0)
