"""Every public name of emlib says what it takes, gives and raises, and the shapes of its arrays."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

import emlib
from tests import docstring_rules


def modules() -> Iterator[str]:
    yield "emlib"
    yield "emlib.__main__"
    for module in pkgutil.walk_packages(emlib.__path__, "emlib."):
        if not any(part.startswith("_") for part in module.name.split(".")):
            yield module.name


NAMES = [name for module in modules() for name in docstring_rules.public_names(importlib.import_module(module))]


@pytest.mark.parametrize("name", NAMES)
def test_public_name_is_documented(name: str) -> None:
    assert docstring_rules.problems(name) == []


def test_the_walk_reaches_functions_classes_and_methods() -> None:
    assert {"emlib.em.em", "emlib.em.EMResult", "emlib.estimators.GaussianMixture.fit", "emlib.figures.save"} <= {
        *NAMES
    }


def undocumented(x: int) -> int:
    return x


def documented(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return twice the numbers.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Numbers.

    Returns
    -------
    ndarray of shape (n,)
        Twice the numbers.

    Raises
    ------
    ValueError
        If there are none.
    """
    if x.size == 0:
        raise ValueError("no numbers")
    return 2 * x


def silent_on_parameters_and_returns(x: int) -> int:
    """Return twice a number."""
    return 2 * x


def silent_on_shapes_and_errors(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return twice the numbers.

    Parameters
    ----------
    x : ndarray
        Numbers.

    Returns
    -------
    ndarray
        Twice the numbers.
    """
    if x.size == 0:
        raise ValueError("no numbers")
    return 2 * x


@dataclass
class SilentOnFields:
    """A pair.

    Attributes
    ----------
    first : ndarray
        One.
    """

    first: NDArray[np.float64]
    second: int

    def __post_init__(self) -> None:
        if self.second < 0:
            raise ValueError("negative")


@pytest.mark.parametrize(
    ("thing", "expected"),
    [
        (documented, []),
        (undocumented, ["has no docstring"]),
        (silent_on_parameters_and_returns, ["Parameters {'x'} not documented", "No Returns section found"]),
        (
            silent_on_shapes_and_errors,
            [
                "raises ValueError and does not say so",
                "parameter x is an array and states no shape",
                "returns an array and states no shape",
            ],
        ),
        (
            SilentOnFields,
            [
                "second is not documented",
                "first is an array and states no shape",
                "raises ValueError and does not say so",
            ],
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_left_out_is_reported(thing: type, expected: list[str]) -> None:
    assert docstring_rules.problems(f"{__name__}.{thing.__name__}") == expected
