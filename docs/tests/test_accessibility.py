"""axe-core finds no serious fault on any kind of page, light or dark, contrast included."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser
from visits import DESKTOP, PHONE, open_page

KINDS = (
    "index.html",
    "notebooks/00_reading_guide.html",
    "notebooks/01_em_on_old_faithful.html",
    "notebooks/12_gaussian_covariances.html",
    "notebooks/14_errata.html",
    "notation.html",
    "ledger.html",
    "gallery.html",
    "api/emlib.html",
    "api/emlib.em.html",
    "_modules/emlib/em.html",
    "bibliography.html",
    "cite.html",
    "contributing.html",
    "genindex.html",
    "search.html",
)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", KINDS)
def test_axe_finds_no_serious_fault(name: str, theme: str, browser: Browser) -> None:
    page = browser.new_page(viewport=DESKTOP if theme == "light" else PHONE, color_scheme=theme)
    open_page(page, name)
    violations = Axe().run(page).response["violations"]
    page.close()
    serious = {
        f"{violation['id']}: {node['html'][:160]} ({node['failureSummary'][:200]})"
        for violation in violations
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    }
    assert serious == set()
