"""Parameters are values: their arrays are copies that nobody can write to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from emlib._types import FloatArray


def frozen(values: ArrayLike) -> FloatArray:
    """Return a read-only float64 copy.

    Parameters
    ----------
    values : array_like
        Numbers of any shape.

    Returns
    -------
    ndarray
        The same numbers in the same shape, not writeable.
    """
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array


def check_columns(x: FloatArray, expected: int) -> None:
    """Raise if data and parameters have different numbers of columns.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Rows of data.
    expected : int
        Number of columns of the parameters.

    Raises
    ------
    ValueError
        If d is another number.
    """
    if x.shape[1] != expected:
        raise ValueError(f"the data have {x.shape[1]} columns, the parameters {expected}")
