"""The example of CONTRIBUTING runs and converges, and the files and targets it names exist."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emlib import Status

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_example_of_a_component_family_runs() -> None:
    [example] = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(textwrap.dedent("  " + example.lstrip()), names)
    result = names["result"]
    assert result.status is Status.CONVERGED
    assert np.all(np.diff(result.trace) > -1e-9)
    # For the maximum-likelihood p of a component, the mean of the mixture is the mean of the data.
    mean = sum(w * (1 - p) / p for w, p in zip(result.theta.weights, result.theta.components, strict=True))
    np.testing.assert_allclose(mean, names["x"].mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:emlib|tests)/[\w/]+(?:\.py|/))`", TEXT))))
def test_files_it_names_exist(path: str) -> None:
    assert (ROOT / path).exists()


def test_targets_it_names_exist() -> None:
    targets = set(re.findall(r"^\.PHONY: (\w+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", TEXT, flags=re.MULTILINE))
    assert {"setup", "lint", "test"} <= named <= targets
