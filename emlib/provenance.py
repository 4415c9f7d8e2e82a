"""Where each figure comes from: the notebook and cell that save it, and the seeds set until then.

All of it is read from the source of the stored notebooks, by name: ``figures.save(fig, "name", ...)``,
``default_rng(7)``, ``random_state=7``, ``seed=7``. A seed that is computed is not seen.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["code_cells", "sources"]

SEED_KEYWORDS = ("random_state", "seed", "rng")


def sources(notebooks: Path) -> dict[str, dict[str, Any]]:
    """Return where the figures of a folder of notebooks come from.

    Parameters
    ----------
    notebooks : pathlib.Path
        A folder of executed notebooks.

    Returns
    -------
    dict of str to dict
        For each figure its ``notebook``, the execution count of the ``cell`` that saves it, and the ``seeds`` written
        in that cell and those before it, each once, in their order.

    Raises
    ------
    ValueError
        If two cells save a figure of the same name.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(notebooks.glob("*.ipynb")):
        seeds: list[int] = []
        for count, source in code_cells(path):
            tree = ast.parse(source)
            seeds = list(dict.fromkeys(seeds + _seeds(tree)))
            for name in _saved(tree):
                if name in found:
                    raise ValueError(f"figure {name!r} is saved twice: in {found[name]['notebook']} and in {path.stem}")
                found[name] = {"notebook": path.stem, "cell": count, "seeds": seeds}
    return found


def code_cells(notebook: Path) -> list[tuple[int, str]]:
    """Return the execution count and the source of each code cell.

    Parameters
    ----------
    notebook : pathlib.Path
        A notebook file.

    Returns
    -------
    list of tuple of int and str
        In their order.
    """
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [(cell["execution_count"], "".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Return the calls in the order of the source."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    yield from sorted(calls, key=lambda call: (call.lineno, call.col_offset))


def _saved(tree: ast.AST) -> list[str]:
    """Return the names of the figures that a cell saves."""
    return [
        call.args[1].value
        for call in _calls(tree)
        if ast.unparse(call.func) == "figures.save"
        and len(call.args) > 1
        and isinstance(call.args[1], ast.Constant)
        and isinstance(call.args[1].value, str)
    ]


def _seeds(tree: ast.AST) -> list[int]:
    """Return the seeds that a cell writes out."""
    values = []
    for call in _calls(tree):
        if ast.unparse(call.func).endswith("default_rng"):
            values += call.args[:1]
        values += [keyword.value for keyword in call.keywords if keyword.arg in SEED_KEYWORDS]
    return [value.value for value in values if isinstance(value, ast.Constant) and type(value.value) is int]
