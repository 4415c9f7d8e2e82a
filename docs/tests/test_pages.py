"""Every page of the book, as a browser shows it from its file: quiet, at home, typeset, and within the screen."""

from __future__ import annotations

import nbformat
import pytest
from visits import PAGES, ROOT, Reader

NOTEBOOKS = [name for name in PAGES if name.startswith("notebooks/")]


def test_every_notebook_has_its_page() -> None:
    stems = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    assert [f"notebooks/{stem}.html" for stem in stems] == NOTEBOOKS


@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_without_complaint_and_asks_for_nothing_outside(name: str, reader: Reader) -> None:
    assert reader.visit(name).complaints == []
    assert reader.visit(name).outside == []


@pytest.mark.parametrize("name", PAGES)
def test_no_tex_is_left_for_the_reader_to_typeset(name: str, reader: Reader) -> None:
    assert reader.visit(name).raw_tex == []
    assert not set(reader.visit(name).title) & set("\\$")


@pytest.mark.parametrize("name", PAGES)
def test_nothing_sticks_out_of_the_page_or_is_cut_off(name: str, reader: Reader) -> None:
    assert reader.visit(name).wide_on_desktop == []
    assert reader.visit(name).wide_on_phone == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_code_is_seen_whole_on_a_desktop(name: str, reader: Reader) -> None:
    assert reader.visit(name).cut_on_desktop == []


@pytest.mark.parametrize("name", PAGES)
def test_a_formula_keeps_the_mark_that_follows_it(name: str, reader: Reader) -> None:
    assert reader.visit(name).astray == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_numbered_equation_shows_its_number(name: str, reader: Reader) -> None:
    notebook = nbformat.read((ROOT / name).with_suffix(".ipynb"), as_version=4)
    tags = sum(cell.source.count(r"\tag{") for cell in notebook.cells if cell.cell_type == "markdown")
    assert reader.visit(name).numbers == tags
