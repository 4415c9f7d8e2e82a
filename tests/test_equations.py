"""Displayed equations are numbered in their order, links follow them, and what cannot be numbered is refused."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from docs.equations import carried, number_all, numbered

ROOT = Path(__file__).parents[1]

NEW = "Before\n\n$$ x = y $$\n\nand $a$ and\n\n$$ y\n+ z $$\n"
DONE = (
    'Before\n\n<a id="eq-3-4"></a>\n\n$$ x = y \\tag{3.4} $$\n\nand $a$ and\n\n'
    '<a id="eq-3-5"></a>\n\n$$ y\n+ z \\tag{3.5} $$\n'
)


def test_new_equations_get_an_anchor_and_a_number() -> None:
    assert numbered(NEW, 3, 4) == (DONE, {"new 3-4": "3-4", "new 3-5": "3-5"})


def test_numbering_again_changes_nothing_and_moving_up_renumbers() -> None:
    assert numbered(DONE, 3, 4) == (DONE, {"3-4": "3-4", "3-5": "3-5"})
    text, moved = numbered(DONE, 3, 1)
    assert moved == {"3-4": "3-1", "3-5": "3-2"}
    assert text == DONE.replace("3-4", "3-1").replace("3.4", "3.1").replace("3-5", "3-2").replace("3.5", "3.2")


def test_a_tag_of_another_form_is_replaced() -> None:
    text, moved = numbered("$$ x \\tag{1} $$", 20, 7)
    assert text == '<a id="eq-20-7"></a>\n\n$$ x \\tag{20.7} $$'
    assert moved == {"new 20-7": "20-7"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("- item\n\n  $$ x $$\n", '- item\n\n  <a id="eq-1-1"></a>\n\n  $$ x \\tag{1.1} $$\n'),
        ("- $$ x $$\n", '- <a id="eq-1-1"></a>\n\n  $$ x \\tag{1.1} $$\n'),
        ("12. $$ x $$\n", '12. <a id="eq-1-1"></a>\n\n    $$ x \\tag{1.1} $$\n'),
        ("> $$ x\n> y $$\n", '> <a id="eq-1-1"></a>\n>\n> $$ x\n> y \\tag{1.1} $$\n'),
    ],
)
def test_equations_in_lists_and_quotations_stay_there(source: str, expected: str) -> None:
    assert numbered(source, 1, 1)[0] == expected
    assert numbered(expected, 1, 1) == (expected, {"1-1": "1-1"})


@pytest.mark.parametrize("code", ["`$$ x $$`", "```\n$$ x $$\n```", "~~~tex\n$$ x $$\n~~~", "``a ` $$ x $$``"])
def test_code_is_left_alone(code: str) -> None:
    assert numbered(code, 1, 1) == (code, {})


@pytest.mark.parametrize("source", ["so that $$ x $$ holds", "$$ x", "$$ x $$\n\n$$ y\n"])
def test_what_is_no_displayed_equation_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="must begin its line and be closed"):
        numbered(source, 1, 1)


def test_links_follow_their_equations_within_a_notebook_and_across() -> None:
    moved = {"03_a.ipynb": {"3-1": "3-2"}, "04_b.ipynb": {"4-9": "4-7"}}
    text = "by [(3.1)](#eq-3-1) and [(4.9)](04_b.ipynb#eq-4-9), not [a word](04_b.ipynb)"
    assert carried(text, "03_a.ipynb", moved) == (
        "by [(3.2)](#eq-3-2) and [(4.7)](04_b.ipynb#eq-4-7), not [a word](04_b.ipynb)"
    )


@pytest.mark.parametrize("link", ["[(3.8)](#eq-3-8)", "[(4.1)](04_b.ipynb#eq-4-1)", "[(5.1)](05_none.ipynb#eq-5-1)"])
def test_a_dangling_link_is_refused(link: str) -> None:
    with pytest.raises(ValueError, match=r"03_a\.ipynb links to an equation that is not there"):
        carried(link, "03_a.ipynb", {"03_a.ipynb": {"3-1": "3-1"}, "04_b.ipynb": {}})


def write(folder: Path, name: str, *cells: str) -> Path:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text) for text in cells])
    nbformat.write(notebook, folder / name)
    return folder / name


def sources(text: str) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(text)["cells"]]


def test_all_notebooks_are_numbered_through_their_cells(tmp_path: Path) -> None:
    old = '<a id="eq-2-1"></a>\n\n$$ y \\tag{2.1} $$'
    one = write(tmp_path, "01_a.ipynb", "see [(2.1)](02_b.ipynb#eq-2-1)", "$$ p $$", "$$ q $$")
    two = write(tmp_path, "02_b.ipynb", "$$ new $$", old)
    texts = number_all(tmp_path)
    assert sources(texts[one])[0] == "see [(2.2)](02_b.ipynb#eq-2-2)"
    assert "\\tag{1.2}" in sources(texts[one])[2]
    assert ["\\tag{2.1}" in sources(texts[two])[0], "\\tag{2.2}" in sources(texts[two])[1]] == [True, True]


def test_a_notebook_with_a_stray_equation_is_named(tmp_path: Path) -> None:
    write(tmp_path, "01_a.ipynb", "so $$ x $$")
    with pytest.raises(ValueError, match=r"01_a\.ipynb: an equation must begin its line"):
        number_all(tmp_path)


def unnumbered(folder: Path) -> list[str]:
    """Return the notebooks that ``python docs/equations.py`` would change."""
    return [path.name for path, text in number_all(folder).items() if sources(text) != sources(path.read_text("utf-8"))]


def test_an_unnumbered_equation_would_be_noticed(tmp_path: Path) -> None:
    write(tmp_path, "03_a.ipynb", numbered(NEW, 3, 1)[0])
    write(tmp_path, "04_b.ipynb", NEW)
    assert unnumbered(tmp_path) == ["04_b.ipynb"]


def test_the_equations_of_every_notebook_are_numbered_in_order() -> None:
    assert unnumbered(ROOT / "notebooks") == [], "run `python docs/equations.py`"
