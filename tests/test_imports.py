"""`import emlib` brings NumPy and nothing heavier."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("matplotlib", "scipy", "sklearn", "sympy", "tqdm")


def heavy_imports(statement: str) -> list[str]:
    """Return which heavy packages a statement brings into a fresh interpreter."""
    program = f"import sys\n{statement}\nprint(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return run.stdout.split()


@pytest.mark.parametrize("module", ["emlib", "emlib.datasets", "emlib.figures", "emlib.stepper", "emlib.__main__"])
def test_import_is_light(module: str) -> None:
    assert heavy_imports(f"import {module}") == []


@pytest.mark.parametrize("package", HEAVY)
def test_a_heavy_import_would_be_noticed(package: str) -> None:
    assert package in heavy_imports(f"import emlib, {package}")
