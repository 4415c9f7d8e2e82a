"""Parameters are values: their arrays are copies that nobody can write to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from emlib._types import FloatArray

Value = TypeVar("Value")


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


def trusted(kind: type[Value], **fields: Any) -> Value:
    """Return a value of a dataclass without running its checks, which cost more than a small M-step.

    For results that an M-step has just made and checked. Arrays are not copied; they are made read-only.

    Parameters
    ----------
    kind : type
        The dataclass.
    **fields : object
        All its fields.

    Returns
    -------
    Value
        The value.
    """
    value = object.__new__(kind)
    for content in fields.values():
        if isinstance(content, np.ndarray):
            content.setflags(write=False)
    vars(value).update(fields)
    return value


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
