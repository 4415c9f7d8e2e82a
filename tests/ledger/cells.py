"""Run the cells of a notebook in this process: with its wrong twins in place of its claims, and with slips of the pen.

A notebook is run once, cell by cell. Along the way each twin is judged as if it were the claim, at its place in the
cell; and before a cell runs as it stands, it runs with each slip that somebody made in it.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import pyplot as plt

from emlib.errors import LikelihoodDecreased
from emlib.proof import VerdictError

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
OPENED = re.compile(r"""\bclaim\(\s*["']([^"']+)["']\s*\)""")

# What a cell says when it does not hold. Any other error is a slip that is none, such as a name misspelt.
REFUSALS = (VerdictError, AssertionError, LikelihoodDecreased)

CLAIM = importlib.import_module("emlib.ledger.claim")  # the function of the same name hides the module


class Slip(NamedTuple):
    """A statement of a notebook altered by hand: `right`, which stands in one cell once, becomes `wrong`."""

    right: str
    wrong: str


@dataclass
class Findings:
    """What a run showed: claims opened, those whose twins were judged, and what should have been noticed."""

    opened: list[str] = field(default_factory=list)
    judged: set[str] = field(default_factory=set)
    twins_that_pass: list[str] = field(default_factory=list)
    slips_that_pass: list[Slip] = field(default_factory=list)


def sources(path: Path) -> list[str]:
    """Return the code of the cells of a notebook."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def with_claims(first: int, last: int) -> list[str]:
    """Return the names of the notebooks that discharge claims and are numbered from `first` to `last`."""
    paths = [path for path in sorted(NOTEBOOKS.glob("*.ipynb")) if first <= int(path.stem[:2]) <= last]
    return [path.stem for path in paths if any(map(OPENED.search, sources(path)))]


def run(cells: Sequence[str], slips: Sequence[Slip] = ()) -> Findings:
    """Run cells in their order, with the twins in them judged as claims and the slips tried."""
    for slip in slips:
        assert sum(source.count(slip.right) for source in cells) == 1, f"should stand once: {slip.right}"
    findings = Findings()
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for source in cells:
        findings.opened += OPENED.findall(source)
        tried = [(slip, _try(source.replace(*slip), namespace)) for slip in slips if slip.right in source]
        with _twins_as_claims(findings):
            output = _execute(source, namespace)
        findings.slips_that_pass += [slip for slip, result in tried if result == output]
        plt.close("all")
    return findings


def _try(altered: str, namespace: dict[str, Any]) -> str | None:
    """Return the output of an altered cell, None if it is refused; leave random generators as they were."""
    generators = [value for value in namespace.values() if isinstance(value, np.random.Generator)]
    states = [generator.bit_generator.state for generator in generators]
    try:
        return _execute(altered, dict(namespace))
    except REFUSALS:
        return None
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.bit_generator.state = state
        plt.close("all")


def _execute(source: str, namespace: dict[str, Any]) -> str:
    """Run a cell; return what it prints and the value it ends with, as a notebook would show them."""
    *statements, last = ast.parse(source).body
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        if isinstance(last, ast.Expr):
            exec(compile(ast.Module(statements, []), "cell", "exec"), namespace)
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), namespace)
        else:
            exec(compile(source, "cell", "exec"), namespace)
    return f"{printed.getvalue()}{value!r}"


@contextlib.contextmanager
def _twins_as_claims(findings: Findings) -> Iterator[None]:
    """Judge each twin as `twin_in_place_of` would, and go on; `nothing_catches` says why the cell would have ended."""
    original = CLAIM.Claim._refute

    def refute(self: Any, as_claim: Callable[[], object], witness: Callable[[], str]) -> None:
        findings.judged.add(self.row.id)
        try:
            as_claim()
        except VerdictError:
            pass
        else:
            findings.twins_that_pass.append(self.row.id)
        original(self, as_claim, witness)

    CLAIM.Claim._refute = refute
    try:
        yield
    finally:
        CLAIM.Claim._refute = original


def nothing_catches(source: str) -> bool:
    """Whether an error in a claim of a cell ends the cell: claims stand at its top level, with no `try` within."""
    blocks = [node for node in ast.parse(source).body if isinstance(node, ast.With) and _opens_claims(node)]
    catching = [node for block in blocks for node in ast.walk(block) if isinstance(node, ast.Try | ast.With)]
    return len(blocks) == len(OPENED.findall(source)) and catching == blocks


def _opens_claims(block: ast.With) -> bool:
    """Whether a `with` opens claims and nothing else."""
    return all(OPENED.match(ast.unparse(item.context_expr)) for item in block.items)
