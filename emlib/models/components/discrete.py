"""What the families without a location share: their statistics, and sums of x log p with 0 log 0 = 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emlib.errors import DegenerateComponent

if TYPE_CHECKING:
    from emlib._types import BoolArray, FloatArray


@dataclass(frozen=True, eq=False)
class Totals:
    """Sums over rows of r and of r x; they add up over chunks.

    Attributes
    ----------
    masses : ndarray of shape (M,)
        Sums of the responsibilities.
    sums : ndarray of shape (M, d)
        Sums of the rows weighted by the responsibilities.
    """

    masses: FloatArray
    sums: FloatArray

    def __add__(self, other: Totals) -> Totals:
        return Totals(self.masses + other.masses, self.sums + other.sums)

    def means(self) -> FloatArray:
        """Return the weighted means, shape (M, d); raise if a component lost its data.

        Returns
        -------
        ndarray of shape (M, d)
            Sums divided by masses.

        Raises
        ------
        DegenerateComponent
            If a component has mass zero.
        """
        lost = ~(self.masses > 0)
        if lost.any():
            raise DegenerateComponent(
                int(np.argmax(lost)),
                "lost its data: the sum of its responsibilities is zero",
                "Use fewer components or another start.",
            )
        return self.sums / self.masses[:, None]


class TotalsFamily:
    """Base of the families whose sufficient statistic is the row itself, or a function of it."""

    def features(self, x: FloatArray) -> FloatArray:
        """Return the sufficient statistic of each row; the row itself unless a family says otherwise.

        Parameters
        ----------
        x : ndarray of shape (n, d)
            Rows of data.

        Returns
        -------
        ndarray of shape (n, p)
            One statistic a row.
        """
        return x

    def statistics(self, theta: object, x: FloatArray, responsibilities: FloatArray) -> Totals:
        """Return masses and weighted sums of the features.

        Parameters
        ----------
        theta : object
            Not used: these sums need no reference point.
        x : ndarray of shape (n, d)
            Rows of data.
        responsibilities : ndarray of shape (n, M)
            Responsibilities times weights.

        Returns
        -------
        Totals
            They add up over chunks.
        """
        del theta
        return Totals(responsibilities.sum(axis=0), responsibilities.T @ self.features(x))


def sum_x_log(x: FloatArray, p: FloatArray) -> FloatArray:
    """Return sum_j x_ij log p_mj, with 0 log 0 = 0 and a positive x times log 0 = -inf.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Not negative.
    p : ndarray of shape (M, d)
        Not negative.

    Returns
    -------
    ndarray of shape (n, M)
        The sums.
    """
    zero = p == 0
    values = x @ np.log(np.where(zero, 1.0, p)).T
    if zero.any():
        values[x @ zero.T.astype(np.float64) > 0] = -np.inf
    return values


def refuse(x: FloatArray, wrong: BoolArray, family: str, wanted: str) -> None:
    """Raise if any entry is outside the support of a family.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Rows of data.
    wrong : ndarray of bool, shape (n, d)
        Where they are outside.
    family, wanted : str
        For the message.

    Raises
    ------
    ValueError
        Naming the first row and column.
    """
    if wrong.any():
        row, column = (int(k) for k in np.argwhere(wrong)[0])
        raise ValueError(f"{family} data must be {wanted}; row {row}, column {column} is {x[row, column]:g}")
