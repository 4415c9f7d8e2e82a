"""Every link and anchor of the book resolves, every picture has a text, and downloads are the repository's files."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from visits import BOOK, PAGES, ROOT


@dataclass
class Parsed(HTMLParser):
    """The anchors, links, loaded files and pictures of a page."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    downloads: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    pictures: list[dict[str, str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.anchors |= {values[key] for key in ("id", "name") if values.get(key)}
        if tag == "img":
            self.pictures.append(values)
        if values.get("href") is not None:
            (self.downloads if "download" in values else self.links).append(values["href"])
        if tag == "link" and values.get("rel") == "stylesheet":
            self.loads.append(values["href"])
        if values.get("src"):
            self.loads.append(values["src"])


@cache
def parsed(path: Path) -> Parsed:
    page = Parsed()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def fault(page: Path, link: str) -> str | None:
    """Return what is wrong with a link, or None."""
    parts = urlsplit(link)
    if parts.scheme in {"http", "https", "mailto", "data"}:
        return None
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.is_relative_to(BOOK) or not target.is_file():
        return f"{link}: no such file"
    if target.suffix == ".ipynb" and link not in parsed(page).downloads:
        return f"{link}: leads to a file, not to its page"
    fragment = unquote(parts.fragment)
    if fragment and target.suffix == ".html" and fragment not in parsed(target).anchors:
        return f"{link}: no such anchor"
    return None


@pytest.mark.parametrize("name", PAGES)
def test_links_resolve(name: str) -> None:
    page = BOOK / name
    faults = {fault(page, link) for link in parsed(page).links + parsed(page).downloads + parsed(page).loads} - {None}
    assert faults == set()


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_loaded_from_elsewhere(name: str) -> None:
    assert [link for link in parsed(BOOK / name).loads if urlsplit(link).scheme not in {"", "data"}] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_picture_says_what_it_shows(name: str) -> None:
    for picture in parsed(BOOK / name).pictures:
        text = picture.get("alt") or ""
        assert len(text) > 20, picture
        assert ".png" not in text


def test_all_notebooks_and_figures_can_be_taken_away_unchanged() -> None:
    for folder, suffixes in {"notebooks": (".ipynb",), "figures": (".pdf", ".svg", ".png", ".json")}.items():
        files = [path for path in sorted((ROOT / folder).iterdir()) if path.suffix in suffixes]
        assert files
        for path in files:
            assert (BOOK / folder / path.name).read_bytes() == path.read_bytes()


def test_each_notebook_page_offers_its_notebook() -> None:
    for name in PAGES:
        if name.startswith("notebooks/"):
            assert f"{Path(name).stem}.ipynb" in parsed(BOOK / name).downloads


def test_each_figure_offers_four_files() -> None:
    links = parsed(BOOK / "gallery.html").downloads
    for path in sorted((ROOT / "figures").glob("*.svg")):
        assert {f"figures/{path.stem}.{suffix}" for suffix in ("pdf", "svg", "png", "json")} <= set(links)


def test_figures_and_errata_lead_to_their_cells() -> None:
    figures = len(list((ROOT / "figures").glob("*.svg")))
    for name, count in {"gallery.html": figures, "notebooks/14_errata.html": 50}.items():
        assert sum("#cell-" in link for link in parsed(BOOK / name).links) >= count


def test_all_modules_of_emlib_are_in_the_reference() -> None:
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "emlib").rglob("*.py")}
    public = {name.removesuffix(".__init__") for name in modules if "._" not in name.replace(".__init__", "")}
    assert {f"api/{name}.html" for name in public if "__main__" not in name} <= set(PAGES)
