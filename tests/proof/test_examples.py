"""The examples in the docstrings of emlib.proof run and print what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

import emlib.proof

MODULES = [path.stem for path in Path(emlib.proof.__file__).parent.glob("*.py") if path.stem != "__init__"]


@pytest.mark.parametrize("name", sorted(MODULES))
def test_docstring_examples(name):
    result = doctest.testmod(importlib.import_module(f"emlib.proof.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
