"""Every notebook keeps every rule, and every rule can fail."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests import notebook_rules as rules
from tests.notebook_rules import KERNELSPEC, RULES, Notebook, Rule, links, saved_figures

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXPECTED_NOTEBOOKS = 29  # raise it with every notebook that lands

# Notebooks that may turn a comparison off, each with the reason, and how many there may be.
MARKERS_ALLOWED: dict[str, str] = {}
MARKERS_BUDGET = 0


def read(path: Path) -> Notebook:
    return dict(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_keeps_the_rule(path: Path, rule: Rule) -> None:
    if rule is rules.has_no_marker and path.stem in MARKERS_ALLOWED:
        assert MARKERS_ALLOWED[path.stem].strip(), "an exception needs its reason"
        return
    assert rule(read(path)) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_lead_somewhere(path: Path) -> None:
    assert [target for target in links(read(path)) if not (path.parent / target).exists()] == []


def test_no_notebook_is_lost() -> None:
    assert len(NOTEBOOKS) >= EXPECTED_NOTEBOOKS


def test_exceptions_stay_within_the_budget() -> None:
    assert len(MARKERS_ALLOWED) <= MARKERS_BUDGET


def test_every_figure_is_saved_by_one_notebook_and_every_saved_figure_is_there() -> None:
    saved = Counter(name for path in NOTEBOOKS for name in saved_figures(read(path)))
    manifest = json.loads((ROOT / "figures" / "manifest.json").read_text(encoding="utf-8"))
    assert sorted(saved.elements()) == sorted(manifest)


def markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": f"m{len(source)}", "metadata": {}, "source": [source]}


def code(count: int | None, source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": count,
        "id": f"c{count}",
        "metadata": {},
        "outputs": list(outputs),
        "source": [source],
    }


def stream(name: str, text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": [text]}


GOOD: Notebook = {
    "cells": [
        markdown("# A title"),
        code(1, "print(7 / 2)", stream("stdout", "3.5, km/h, 1/2/3, </td></tr>, $a/b$\n")),
        code(
            2,
            'figures.save(fig, "line", data={"y": y}, caption="A line.", alt="It rises.")',
            {"output_type": "display_data", "metadata": {}, "data": {"image/png": "AAAA", "text/plain": ["<Figure>"]}},
        ),
    ],
    "metadata": {"kernelspec": KERNELSPEC},
    "nbformat": 4,
    "nbformat_minor": 5,
}
PRINTING, DRAWING = 1, 2


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_good_notebook_passes(rule: Rule) -> None:
    assert rule(deepcopy(GOOD)) == []


def test_the_letters_of_a_picture_are_not_read_as_an_address() -> None:
    notebook = deepcopy(GOOD)
    picture = {"data": {"text/html": ['<img src="data:image/png;base64,ab0x7f3a5c0d2e10">']}}
    notebook["cells"][PRINTING]["outputs"] = [{"output_type": "display_data", "metadata": {}, **picture}]
    assert rules.prints_nothing_of_the_machine(notebook) == []


def source(cell: int, text: str) -> Callable[[Notebook], None]:
    return lambda notebook: notebook["cells"][cell].update(source=[text])


def output(stored: dict[str, Any]) -> Callable[[Notebook], None]:
    return lambda notebook: notebook["cells"][PRINTING].update(outputs=[stored])


def field(cell: int, **values: Any) -> Callable[[Notebook], None]:
    return lambda notebook: notebook["cells"][cell].update(values)


def append(cell: dict[str, Any]) -> Callable[[Notebook], None]:
    return lambda notebook: notebook["cells"].append(cell)


def metadata(**values: Any) -> Callable[[Notebook], None]:
    return lambda notebook: notebook["metadata"].update(values)


ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}
HTML = {"output_type": "display_data", "metadata": {}, "data": {"text/html": ["<b>'/srv/me/data.csv'</b>"]}}

BROKEN: list[tuple[Rule, Callable[[Notebook], Any]]] = [
    (rules.starts_with_a_title, source(0, "No title")),
    (rules.starts_with_a_title, lambda notebook: notebook["cells"].pop(0)),
    (rules.is_executed_in_order, field(PRINTING, execution_count=None, outputs=[])),
    (rules.is_executed_in_order, field(PRINTING, execution_count=3)),
    (rules.is_executed_in_order, lambda notebook: notebook["cells"].reverse()),
    (rules.is_executed_in_order, lambda notebook: notebook.update(cells=[markdown("# A title")])),
    (rules.has_no_empty_cell, append(code(3, " \n"))),
    (rules.has_no_empty_cell, append(markdown(""))),
    (rules.stores_no_error, output(stream("stderr", "a warning"))),
    (rules.stores_no_error, output(ERROR)),
    (rules.merges_its_streams, field(PRINTING, outputs=[stream("stdout", "3."), stream("stdout", "5")])),
    (rules.has_no_marker, source(PRINTING, "# NBVAL_SKIP\nprint(1)")),
    (rules.has_no_marker, source(PRINTING, "print(1)  # NBVAL_IGNORE_OUTPUT")),
    (rules.has_no_marker, field(PRINTING, metadata={"tags": ["nbval-ignore-output"]})),
    (rules.has_no_marker, field(PRINTING, metadata={"tags": ["raises-exception"]})),
    (rules.has_plain_metadata, metadata(kernelspec={**KERNELSPEC, "name": "my-venv"})),
    (rules.has_plain_metadata, metadata(language_info={"name": "python", "version": "3.13.0"})),
    (rules.has_plain_metadata, field(PRINTING, metadata={"execution": {"iopub.execute_input": "2026-01-01T00:00:00"}})),
    (rules.is_plain_python, source(PRINTING, "print(1);")),
    (rules.is_plain_python, source(PRINTING, "%timeit f()")),
    (rules.is_plain_python, source(PRINTING, "sp.init_printing()")),
    (rules.prints_nothing_of_the_machine, output(stream("stdout", "<object at 0x7f3a5c0d2e10>"))),
    (rules.prints_nothing_of_the_machine, output(stream("stdout", "read /srv/me/data.csv"))),
    (rules.prints_nothing_of_the_machine, output(stream("stdout", "C:\\Users\\me"))),
    (rules.prints_nothing_of_the_machine, output(HTML)),
    (rules.saves_each_picture, source(DRAWING, "plt.plot(y)")),
    (rules.is_valid, lambda notebook: notebook.update(nbformat_minor=4)),
    (rules.is_valid, lambda notebook: notebook["cells"][0].pop("id")),
    (rules.is_valid, field(DRAWING, id="c1")),
    (rules.is_valid, field(PRINTING, outputs=[{"output_type": "unknown"}])),
]


@pytest.mark.parametrize(("rule", "spoil"), BROKEN)
def test_a_broken_notebook_is_reported(rule: Rule, spoil: Callable[[Notebook], Any]) -> None:
    notebook = deepcopy(GOOD)
    spoil(notebook)
    assert rule(notebook) != []


def test_every_rule_has_been_seen_to_fail() -> None:
    assert {rule for rule, _ in BROKEN} == set(RULES)


def test_the_names_of_saved_figures_are_read_from_the_source() -> None:
    assert saved_figures(GOOD) == ["line"]
    notebook = deepcopy(GOOD)
    source(DRAWING, "figures.save(fig, name, data=data, caption=caption, alt=alt)")(notebook)
    with pytest.raises(ValueError, match="written out"):
        saved_figures(notebook)


def test_links_are_read_from_prose_and_from_outputs() -> None:
    shown = {"output_type": "display_data", "metadata": {}, "data": {"text/markdown": ["| [b](02_b.ipynb) |"]}}
    prose = markdown("[a](01_a.ipynb#Heading), [elsewhere](https://example.org) and $f[x](y z)$")
    assert links({"cells": [prose, code(1, "b", shown, stream("stdout", "[c](d)"))]}) == ["01_a.ipynb", "02_b.ipynb"]
