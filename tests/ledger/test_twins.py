"""Each wrong twin of the notebooks, put in place of its claim, makes the cell raise.

The cells are run in this process, in their order. Before a cell runs as it stands, it runs once for each claim in
it with that claim's twins judged as if they were the claim.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt

from emlib.ledger import load, read, twin_in_place_of
from emlib.proof import VerdictError

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
OPEN_ROWS = Path(__file__).with_name("open_rows.txt")  # rows whose notebook is still to come; gone when there are none
OPENED = re.compile(r"""\bclaim\(\s*["']([^"']+)["']\s*\)""")

IMPORTS = "from emlib.ledger import claim\nimport sympy as sp\na, b = sp.symbols('a b')\n"
SOUND = IMPORTS + (
    "with claim('5.2') as c:\n"
    "    c.proves((a + b)**2, a**2 + 2*a*b + b**2)\n"
    "    c.agrees(1.0, 1.0, rtol=1e-9)\n"
    "    c.refutes((a + b)**2, a**2 + b**2)\n"
)


def sources(path: Path) -> list[str]:
    """Return the code of the cells of a notebook."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def raises_with_the_twin_of(identifier: str, source: str, namespace: dict[str, Any]) -> bool:
    """Run a cell in a copy of the namespace with a row's twins as claims; leave random generators as they were."""
    generators = [value for value in namespace.values() if isinstance(value, np.random.Generator)]
    states = [generator.bit_generator.state for generator in generators]
    try:
        with twin_in_place_of(identifier):
            exec(source, dict(namespace))
    except VerdictError:
        return True
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.bit_generator.state = state
        plt.close("all")
    return False


def claims_whose_twins_pass(cells: list[str]) -> tuple[list[str], list[str]]:
    """Run the cells; return the claims in them, and those whose twins do not make their cell raise."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    found, passed = [], []
    for source in cells:
        for identifier in OPENED.findall(source):
            found.append(identifier)
            if not raises_with_the_twin_of(identifier, source, namespace):
                passed.append(identifier)
        exec(source, namespace)
        plt.close("all")
    return found, passed


@pytest.fixture
def aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work where figures may be written."""
    mpl.use("agg")
    monkeypatch.chdir(tmp_path)


WITH_CLAIMS = [path for path in sorted(NOTEBOOKS.glob("*.ipynb")) if any(map(OPENED.search, sources(path)))]


@pytest.mark.usefixtures("aside")
@pytest.mark.parametrize("path", WITH_CLAIMS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("default")
def test_every_twin_of_a_notebook_raises(path: Path) -> None:
    found, passed = claims_whose_twins_pass(sources(path))
    assert found
    assert passed == []


@pytest.mark.usefixtures("aside")
def test_a_twin_that_is_never_judged_is_noticed() -> None:
    assert claims_whose_twins_pass([SOUND]) == (["5.2"], [])
    deaf = SOUND.replace("with claim('5.2') as c:", "with claim('5.2') as c:\n    c._refute = lambda *_: None")
    deaf = deaf.replace("    c.refutes", "    c._keep('twin', '', '')\n    c.refutes")
    assert claims_whose_twins_pass([deaf]) == (["5.2"], ["5.2"])


def test_no_row_is_opened_twice_and_the_open_ones_are_those_listed() -> None:
    opened = [identifier for path in WITH_CLAIMS for source in sources(path) for identifier in OPENED.findall(source)]
    listed = OPEN_ROWS.read_text(encoding="utf-8").split() if OPEN_ROWS.exists() else []
    assert sorted([*opened, *listed]) == sorted(row.id for row in load())


def test_what_the_notebooks_hold_is_what_the_sources_open() -> None:
    report = read(NOTEBOOKS)
    listed = OPEN_ROWS.read_text(encoding="utf-8").split() if OPEN_ROWS.exists() else []
    assert report.missing() == [row.id for row in load() if row.id in listed]
