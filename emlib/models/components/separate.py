"""Families made of one user-written component at a time, with a log density and a weighted fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

if TYPE_CHECKING:
    from emlib._types import FloatArray, IntArray
    from emlib.models.components.family import Family, WeightedFit

OneParams = TypeVar("OneParams")


@dataclass(frozen=True, eq=False)
class KeptRows:
    """The rows themselves with their responsibilities: adding two of them keeps both.

    Attributes
    ----------
    parts : tuple of (ndarray of shape (n, d), ndarray of shape (n, M))
        Chunks of rows and their responsibilities.
    """

    parts: tuple[tuple[FloatArray, FloatArray], ...] = field(repr=False)

    def __add__(self, other: KeptRows) -> KeptRows:
        return KeptRows(self.parts + other.parts)


class Separate(Generic[OneParams]):
    """Adapter from a :class:`~emlib.models.components.family.WeightedFit` to a family of M components.

    Its parameters are a tuple with one entry a component. All rows are kept in memory until the M-step.

    Parameters
    ----------
    component : WeightedFit
        Has ``log_prob(theta, x) -> (n,)`` and ``fit(x, weights) -> theta``; for sampling and packing also
        ``sample(theta, n, rng)``, ``pack(theta)`` and ``unpack(vector, like)``.
    """

    def __init__(self, component: WeightedFit[OneParams]) -> None:
        self.component = component

    def check(self, x: FloatArray) -> None:
        """Pass the rows to the component's own check, if it has one.

        Parameters
        ----------
        x : ndarray of shape (n, d)
            Rows of data.
        """
        check = getattr(self.component, "check", None)
        if check is not None:
            check(x)

    def log_prob(self, theta: tuple[OneParams, ...], x: FloatArray) -> FloatArray:
        """Return the log densities of all components.

        Parameters
        ----------
        theta : tuple
            Parameters of each component.
        x : ndarray of shape (n, d)
            Rows of data.

        Returns
        -------
        ndarray of shape (n, M)
            Log densities in nats.

        Raises
        ------
        ValueError
            If the component's ``log_prob`` does not return one number a row.
        """
        columns = [np.asarray(self.component.log_prob(one, x), dtype=np.float64) for one in theta]
        for column in columns:
            if column.shape != (len(x),):
                name = type(self.component).__name__
                raise ValueError(f"{name}.log_prob must return shape ({len(x)},) for {len(x)} rows, got {column.shape}")
        return np.array(columns).T

    def statistics(self, theta: tuple[OneParams, ...] | None, x: FloatArray, responsibilities: FloatArray) -> KeptRows:
        """Keep the rows and their responsibilities.

        Parameters
        ----------
        theta : tuple or None
            Not used.
        x : ndarray of shape (n, d)
            Rows of data.
        responsibilities : ndarray of shape (n, M)
            Responsibilities times weights.

        Returns
        -------
        KeptRows
            They add up by keeping both.
        """
        del theta
        return KeptRows(((x, responsibilities),))

    def from_statistics(self, stats: KeptRows) -> tuple[OneParams, ...]:
        """Fit each component to all rows with its responsibilities as weights.

        Parameters
        ----------
        stats : KeptRows
            All rows.

        Returns
        -------
        tuple
            Parameters of each component.
        """
        x = np.concatenate([part for part, _ in stats.parts])
        weights = np.concatenate([part for _, part in stats.parts])
        return tuple(self.component.fit(x, weights[:, m]) for m in range(weights.shape[1]))

    def sample(self, theta: tuple[OneParams, ...], labels: IntArray, rng: np.random.Generator) -> FloatArray:
        """Draw one row from the component of each label.

        Parameters
        ----------
        theta : tuple
            Parameters of each component.
        labels : ndarray of shape (n,)
            Components, counted from 0.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray of shape (n, d)
            The rows.
        """
        component: Any = self.component
        draws = [np.atleast_2d(component.sample(one, len(labels), rng)) for one in theta]
        return np.array(draws)[labels, np.arange(len(labels))]

    def pack(self, theta: tuple[OneParams, ...]) -> FloatArray:
        """Return the packed parameters of the components, one after the other.

        Parameters
        ----------
        theta : tuple
            Parameters of each component.

        Returns
        -------
        ndarray of shape (p,)
            Unconstrained coordinates.
        """
        component: Any = self.component
        return np.concatenate([np.atleast_1d(component.pack(one)) for one in theta])

    def unpack(self, vector: FloatArray, like: tuple[OneParams, ...]) -> tuple[OneParams, ...]:
        """Return the parameters of a vector made by :meth:`pack`.

        Parameters
        ----------
        vector : ndarray of shape (p,)
            The coordinates.
        like : tuple
            Parameters of the same shapes.

        Returns
        -------
        tuple
            Parameters of each component.
        """
        component: Any = self.component
        pieces = np.split(vector, len(like))
        return tuple(component.unpack(piece, one) for piece, one in zip(pieces, like, strict=True))


def as_family(component: Any) -> Family[Any, Any]:
    """Return a family, wrapping one that only has ``log_prob`` and ``fit``.

    Parameters
    ----------
    component : Family or WeightedFit
        What the user wrote.

    Returns
    -------
    Family
        The family itself, or an adapter.

    Raises
    ------
    TypeError
        If it is neither.
    """
    has = [name for name in ("log_prob", "statistics", "from_statistics", "fit") if hasattr(component, name)]
    if {"log_prob", "statistics", "from_statistics"} <= set(has):
        family: Family[Any, Any] = component
        return family
    if {"log_prob", "fit"} <= set(has):
        return Separate(component)
    raise TypeError(
        f"{type(component).__name__} is no component family: it needs log_prob and either "
        f"statistics with from_statistics, or fit; it has {', '.join(has) or 'none of them'}"
    )
