"""The reference speaks of calls and meanings, not of how Python makes classes."""

from __future__ import annotations

import re
from html import unescape

import pytest
from visits import BOOK

TAG = re.compile(r"<[^>]+>")
PAGES = {path.name: unescape(TAG.sub("", path.read_text(encoding="utf-8"))) for path in (BOOK / "api").glob("*.html")}


@pytest.mark.parametrize(
    "words", ["Alias for field number", "(*args, **kwargs)", "<function", "<factory>", "Status(value)"]
)
def test_nothing_of_the_machinery_is_shown(words: str) -> None:
    assert [name for name, text in PAGES.items() if words in text] == []


def test_an_enumeration_lists_its_members() -> None:
    assert "One of CONVERGED, MAX_ITER, DEGENERATE, INTERRUPTED." in PAGES["emlib.em.html"]
