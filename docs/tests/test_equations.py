"""Equations are numbered in their order, links follow them, and numbering twice changes nothing."""

from __future__ import annotations

import sys

import pytest
from visits import ROOT

sys.path.insert(0, str(ROOT / "docs"))
from equations import carried, number_all, numbered


def test_equations_get_numbers_and_anchors() -> None:
    text, moved = numbered("One\n\n$$ a = b $$\n\nand $x$ and\n\n$$\nc\n$$\n", chapter=3, first=2)
    first = '<a id="eq-3-2"></a>\n\n$$ a = b \\tag{3.2} $$'
    second = '<a id="eq-3-3"></a>\n\n$$\nc \\tag{3.3} $$'
    assert text == f"One\n\n{first}\n\nand $x$ and\n\n{second}\n"
    assert list(moved.values()) == ["3-2", "3-3"]
    assert numbered(text, chapter=3, first=2)[0] == text


def test_links_follow_an_equation_that_moved() -> None:
    _, moved = numbered('$$ new $$\n\n<a id="eq-3-1"></a>\n\n$$ a \\tag{3.1} $$', chapter=3, first=1)
    anchors = {"03_b.ipynb": moved}
    assert carried("see [(3.1)](03_b.ipynb#eq-3-1)", "04_c.ipynb", anchors) == "see [(3.2)](03_b.ipynb#eq-3-2)"
    assert carried("see [(3.1)](#eq-3-1)", "03_b.ipynb", anchors) == "see [(3.2)](#eq-3-2)"
    with pytest.raises(ValueError, match="not there"):
        carried("see [(3.7)](#eq-3-7)", "03_b.ipynb", anchors)


def test_all_equations_of_the_notebooks_are_numbered() -> None:
    unnumbered = [
        path.name for path, text in number_all(ROOT / "notebooks").items() if path.read_text(encoding="utf-8") != text
    ]
    assert unnumbered == [], "run `python docs/equations.py`"
