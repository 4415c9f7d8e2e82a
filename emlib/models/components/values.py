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
