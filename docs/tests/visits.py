"""What a reader meets on a page of the book: one visit a page, which all tests of that page share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request

ROOT = Path(__file__).parents[2]
BOOK = Path(os.environ.get("BOOK", ROOT / ".make" / "book")).resolve()
PAGES = sorted(str(path.relative_to(BOOK)) for path in BOOK.rglob("*.html"))
DESKTOP = {"width": 1300, "height": 900}
PHONE = {"width": 390, "height": 844}

MATH_IS_SET = "() => !window.MathJax || !MathJax.startup || MathJax.startup.promise"

# Text that is shown, outside of code and of what MathJax has set, and looks like TeX.
RAW_TEX = r"""() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (parent.closest("pre, code, script, style, noscript, textarea, mjx-container")) continue;
    if (/\$|\\[a-zA-Z()[\]{]/.test(walker.currentNode.data)) found.push(walker.currentNode.data.trim());
  }
  return found.concat([...document.querySelectorAll("[data-mml-node=merror]")].map(node => node.textContent));
}"""

# What sticks out of the page at the right, unless it lies in a box that scrolls; and what a box cuts off.
OVERFLOW = """() => {
  const width = document.documentElement.clientWidth;
  const words = node => node.textContent.trim().slice(0, 60);
  const name = node => `${node.tagName}.${node.className.baseVal ?? node.className} ${words(node)}`;
  const found = document.documentElement.scrollWidth > width ? [`page: ${document.documentElement.scrollWidth}`] : [];
  const look = node => {
    if (node.closest("mjx-assistive-mml, .visually-hidden")) return;
    const style = getComputedStyle(node);
    if (style.display === "none") return;
    if (node.getBoundingClientRect().right > width + 1) found.push(name(node));
    if (style.overflowX === "auto" || style.overflowX === "scroll") return;
    if (style.overflowX === "hidden" && node.scrollWidth > node.clientWidth + 1) found.push(`cut: ${name(node)}`);
    if (node.tagName !== "svg") [...node.children].forEach(look);
  };
  look(document.querySelector("article"));
  return found;
}"""

# Marks that stand at the beginning of a line while their formula ends the line above.
ASTRAY = r"""() => {
  const found = [];
  for (const formula of document.querySelectorAll("article mjx-container:not([display])")) {
    const next = (formula.closest(".math") ?? formula).nextSibling;
    if (next?.nodeType !== Node.TEXT_NODE || !/^[^\s]/.test(next.data)) continue;
    const range = document.createRange();
    range.setStart(next, 0);
    range.setEnd(next, 1);
    if (range.getBoundingClientRect().left < formula.getBoundingClientRect().left) found.push(next.data.slice(0, 40));
  }
  return found;
}"""

# Listings that are wider than their box.
CUT = """() => [...document.querySelectorAll("article pre")]
  .filter(node => node.scrollWidth > node.clientWidth).map(node => node.textContent.slice(0, 60))"""


@dataclass(frozen=True)
class Visit:
    """What was seen on a page."""

    complaints: list[str]  # errors and warnings of the console
    outside: list[str]  # requests for anything but the book's own files
    title: str
    raw_tex: list[str]
    wide_on_desktop: list[str]
    wide_on_phone: list[str]
    cut_on_desktop: list[str]  # listings that have to be scrolled
    astray: list[str]  # marks torn from their formula, at either width
    numbers: int  # equations with a number


class Reader:
    """Opens the pages of the book, each once."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.visits: dict[str, Visit] = {}

    def visit(self, name: str) -> Visit:
        """Return what was seen on a page."""
        if name not in self.visits:
            page = self.browser.new_page(viewport=DESKTOP)
            self.visits[name] = look(page, name)
            page.close()
        return self.visits[name]


def open_page(page: Page, name: str) -> None:
    """Open a page of the book from its file and wait until its mathematics is set."""
    page.goto(f"{BOOK.as_uri()}/{name}")
    page.evaluate(MATH_IS_SET)


def look(page: Page, name: str) -> Visit:
    """Visit a page at both widths."""
    complaints: list[str] = []
    outside: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    def fail(error: Error) -> None:
        complaints.append(str(error))

    def request(request: Request) -> None:
        if not request.url.startswith((BOOK.as_uri(), "data:", "blob:")):
            outside.append(request.url)

    page.on("console", hear)
    page.on("pageerror", fail)
    page.on("request", request)
    open_page(page, name)
    desktop, cut, astray = page.evaluate(OVERFLOW), page.evaluate(CUT), page.evaluate(ASTRAY)
    page.set_viewport_size(PHONE)
    return Visit(
        complaints,
        outside,
        page.title(),
        page.evaluate(RAW_TEX),
        desktop,
        page.evaluate(OVERFLOW),
        cut,
        astray + page.evaluate(ASTRAY),
        page.locator("[data-mml-node=mlabeledtr]").count(),
    )
