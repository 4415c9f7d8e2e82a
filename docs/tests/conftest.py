"""The built book, and a browser to read it in. `make test-book` builds it first; these tests only look."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from visits import BOOK, Reader


def pytest_configure() -> None:
    """Stop where there is nothing to look at, or nothing to look with."""
    if not (BOOK / "index.html").exists():
        pytest.exit(f"there is no book in {BOOK}: run `make book` first, or `make test-book`, which does both", 4)
    if chromium() is None:
        pytest.exit("no Chromium found: install it (on Debian `apt install chromium`), or name it in CHROMIUM", 4)


def chromium() -> str | None:
    """Return the path of the browser."""
    names = [os.environ["CHROMIUM"]] if "CHROMIUM" in os.environ else ["chromium", "chromium-browser", "google-chrome"]
    return next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def reader(browser: Browser) -> Reader:
    return Reader(browser)


@pytest.fixture
def book() -> Path:
    return BOOK
