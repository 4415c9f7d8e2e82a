"""Fisher information of complete data: a matrix in blocks, applied and solved without being formed.

It is the metric in which an EM step is a step along the gradient (Jamshidian and Jennrich 1997, J. R. Statist. Soc. B
59, 569-587). Complete data separate the components, so the blocks are small or have a closed inverse.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from emlib._types import FloatArray


class Metric(Protocol):
    """A symmetric positive definite matrix B in the coordinates of ``pack``."""

    @property
    def size(self) -> int:
        """Number p of coordinates."""
        ...

    def times(self, step: FloatArray, /) -> FloatArray:
        """Return B step, shape (p,)."""
        ...

    def solve(self, gradient: FloatArray, /) -> FloatArray:
        """Return the solution of B step = gradient, shape (p,)."""
        ...


@dataclass(frozen=True, eq=False)
class Diagonal:
    """Information of parameters that the complete data tell apart.

    Parameters
    ----------
    values : ndarray of shape (p,)
        The diagonal, positive.
    """

    values: FloatArray = field(repr=False)

    @property
    def size(self) -> int:
        """Number p of coordinates."""
        return self.values.size

    def times(self, step: FloatArray) -> FloatArray:
        """Return the product with a step.

        Parameters
        ----------
        step : ndarray of shape (p,)
            Change of the coordinates.

        Returns
        -------
        ndarray of shape (p,)
            The product.
        """
        return self.values * step

    def solve(self, gradient: FloatArray) -> FloatArray:
        """Return the step whose product is the gradient.

        Parameters
        ----------
        gradient : ndarray of shape (p,)
            In inverse units of the coordinates.

        Returns
        -------
        ndarray of shape (p,)
            The step.
        """
        return gradient / self.values


@dataclass(frozen=True, eq=False)
class LogRatios:
    """Information of multinomial counts on the log ratios of the probabilities to the last one.

    For each of k multinomials it is ``total * (diag(p) - p p^T)`` without the last row and column, whose inverse is
    ``(diag(1/p) + 1 1^T / p_last) / total`` (Sherman and Morrison).

    Parameters
    ----------
    totals : ndarray of shape (k,)
        Number of draws of each multinomial.
    probabilities : ndarray of shape (k, K)
        Positive, rows sum to one.
    """

    totals: FloatArray
    probabilities: FloatArray = field(repr=False)

    @property
    def size(self) -> int:
        """Number p = k (K - 1) of coordinates."""
        return len(self.totals) * (self.probabilities.shape[1] - 1)

    def times(self, step: FloatArray) -> FloatArray:
        """Return the product with a step.

        Parameters
        ----------
        step : ndarray of shape (p,)
            Change of the log ratios.

        Returns
        -------
        ndarray of shape (p,)
            The product.
        """
        p = self.probabilities[:, :-1]
        rows = step.reshape(p.shape)
        mean = (p * rows).sum(axis=1, keepdims=True)
        return (self.totals[:, None] * p * (rows - mean)).ravel()

    def solve(self, gradient: FloatArray) -> FloatArray:
        """Return the step whose product is the gradient.

        Parameters
        ----------
        gradient : ndarray of shape (p,)
            By the log ratios.

        Returns
        -------
        ndarray of shape (p,)
            The step.
        """
        p, last = self.probabilities[:, :-1], self.probabilities[:, -1:]
        rows = gradient.reshape(p.shape)
        return ((rows / p + rows.sum(axis=1, keepdims=True) / last) / self.totals[:, None]).ravel()


@dataclass(frozen=True, eq=False)
class Stacked:
    """Independent blocks, one after the other.

    Parameters
    ----------
    parts : tuple of Metric
        The blocks.
    """

    parts: tuple[Metric, ...]

    @property
    def size(self) -> int:
        """Number p of coordinates of all blocks."""
        return sum(part.size for part in self.parts)

    def times(self, step: FloatArray) -> FloatArray:
        """Return the product with a step.

        Parameters
        ----------
        step : ndarray of shape (p,)
            Change of the coordinates.

        Returns
        -------
        ndarray of shape (p,)
            The product.
        """
        pieces = zip(self.parts, self._split(step), strict=True)
        return np.concatenate([part.times(piece) for part, piece in pieces])

    def solve(self, gradient: FloatArray) -> FloatArray:
        """Return the step whose product is the gradient.

        Parameters
        ----------
        gradient : ndarray of shape (p,)
            In inverse units of the coordinates.

        Returns
        -------
        ndarray of shape (p,)
            The step.
        """
        pieces = zip(self.parts, self._split(gradient), strict=True)
        return np.concatenate([part.solve(piece) for part, piece in pieces])

    def _split(self, vector: FloatArray) -> list[FloatArray]:
        ends = list(accumulate((part.size for part in self.parts), initial=0))
        return [vector[start:end] for start, end in pairwise(ends)]
