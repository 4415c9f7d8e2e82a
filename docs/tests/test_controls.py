"""What a reader can do with the book: search, sort and filter the ledger, copy code, turn it dark, step through EM."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect
from visits import BOOK, DESKTOP, PAGES, open_page

# Among the notebooks: the page of the stepper's own source shows the words of its class too.
NOTEBOOKS = [name for name in PAGES if name.startswith("notebooks/")]
STEPPERS = [name for name in NOTEBOOKS if 'class="em-stepper"' in (BOOK / name).read_text(encoding="utf-8")]


@pytest.fixture
def page(browser: Browser) -> Page:
    page = browser.new_page(viewport=DESKTOP)
    yield page
    page.close()


def column(page: Page, number: int) -> list[str]:
    """Return the texts of a column of the rows of the ledger that are shown."""
    return page.locator(f"#ledger tbody tr:not([hidden]) > :nth-child({number})").all_inner_texts()


def test_search_finds_lagrange(page: Page) -> None:
    open_page(page, "index.html")
    page.locator(".sidebar-search").fill("Lagrange")
    page.keyboard.press("Enter")
    results = page.locator("ul.search li a")
    expect(results.filter(has_text="The mixing weights")).to_have_count(1, timeout=20_000)
    results.filter(has_text="The mixing weights").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("mixing weights")


def test_search_finds_nothing_where_there_is_nothing(page: Page) -> None:
    open_page(page, "search.html?q=xylophone")
    expect(page.locator("#search-results")).to_contain_text("did not match any documents", timeout=20_000)
    expect(page.locator("ul.search li")).to_have_count(0)


def test_the_ledger_filters(page: Page) -> None:
    open_page(page, "ledger.html")
    total = len(column(page, 1))
    page.get_by_label("Verdict").select_option("misprint")
    verdicts = column(page, 4)
    assert set(verdicts) == {"misprint"}
    assert page.get_by_label("Shown").inner_text() == f"{len(verdicts)} of {total}"
    page.get_by_label("Verdict").select_option("all")
    page.get_by_label("Section").select_option("5")
    assert set(column(page, 2)) == {"5"}
    page.get_by_label("Section").select_option("all")
    page.locator(".ledger-controls input").fill("iid sample")
    assert column(page, 1)[0] == "1.data.iid"
    assert 0 < len(column(page, 1)) < total
    page.locator(".ledger-controls input").fill("xylophone")
    assert column(page, 1) == []


def test_the_ledger_sorts(page: Page) -> None:
    open_page(page, "ledger.html")
    page.get_by_role("button", name="verdict on the print").click()
    verdicts = column(page, 4)
    assert verdicts == sorted(verdicts)
    assert len(set(verdicts)) > 1
    page.get_by_role("button", name="verdict on the print").press("Enter")
    assert column(page, 4) == sorted(verdicts, reverse=True)
    assert page.locator("#ledger th[aria-sort]").get_attribute("aria-sort") == "descending"


def test_each_claim_leads_to_its_cell_and_to_the_code(page: Page) -> None:
    open_page(page, "ledger.html")
    rows = page.locator("#ledger tbody tr")
    used = rows.filter(has=page.locator('a[href^="_modules/"]'))
    assert rows.filter(has=page.locator('a[href*="#cell-"]')).count() == rows.count()
    assert used.count() > 20


def test_code_has_a_button_that_copies_it(page: Page) -> None:
    open_page(page, "notebooks/01_em_on_old_faithful.html")
    cells = page.locator("div.cell_input").count()
    assert page.locator("div.cell_input button.copybtn").count() == cells > 0
    page.evaluate("window.copied = []; document.addEventListener('copy', () => copied.push(getSelection().toString()))")
    page.locator("div.cell_input button.copybtn").first.click()
    expect(page.locator("button.copybtn.success")).to_have_count(1)


def test_one_page_leads_to_the_next_and_back(page: Page) -> None:
    open_page(page, "notebooks/01_em_on_old_faithful.html")
    page.locator("a.next-page").click()
    assert page.url.endswith("notebooks/02_maximum_likelihood.html")
    page.locator("a.prev-page").click()
    assert page.url.endswith("notebooks/01_em_on_old_faithful.html")


def test_the_book_turns_dark(page: Page) -> None:
    open_page(page, "index.html")
    background = "getComputedStyle(document.body).backgroundColor"
    seen = {page.evaluate(background)}
    for _ in range(3):
        page.locator("button.theme-toggle:visible").first.click()
        seen.add(page.evaluate(background))
    assert len(seen) == 2


@pytest.mark.parametrize("name", STEPPERS)
def test_the_stepper_moves_by_key_and_plays(name: str, page: Page) -> None:
    open_page(page, name)
    stepper = page.locator(".em-stepper").first
    place = stepper.locator("output")
    shown = stepper.locator("figure:visible img")
    expect(shown).to_have_count(1)
    words, picture = place.inner_text(), shown.get_attribute("src")
    stepper.locator("input[type=range]").press("ArrowRight")
    assert place.inner_text() != words
    assert shown.get_attribute("src") != picture
    words = place.inner_text()
    stepper.get_by_role("button", name="Play").click()
    expect(place).not_to_have_text(words)


@pytest.mark.parametrize("name", STEPPERS)
def test_without_javascript_the_stepper_is_a_strip_of_frames(name: str, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{BOOK.as_uri()}/{name}")
    stepper = page.locator(".em-stepper").first
    assert stepper.locator("figure:visible").count() == stepper.locator("figure").count() > 1
    assert stepper.locator("input, button").count() == 0
    context.close()
