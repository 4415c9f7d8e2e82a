"""Turn the HTML tables of stored outputs into tables of Typst, and mark their columns of words for the book."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

__all__ = ["marked", "table"]

NUMBER = re.compile(r"(< ?)?[-+−]?[\d.,]*\d\.?(e[-+]?\d+)?( ?%)?|nan|inf|-inf")
ROW = re.compile(r"<tr.*?</tr>", re.DOTALL)
CELL = re.compile(r"(?P<tag><t[dh])(?P<rest>[^>]*>(?P<words>[^<]*))")
SENTENCE = 30  # letters of a cell that wants a column of some width


@dataclass
class Cell:
    """One cell of a table: its words, and how many columns and rows it spans."""

    colspan: int = 1
    rowspan: int = 1
    text: str = ""


@dataclass
class Reader(HTMLParser):
    """Collects the rows of a table; what pandas writes needs no more."""

    head: list[list[Cell]] = field(default_factory=list)
    body: list[list[Cell]] = field(default_factory=list)
    current: Cell | None = None

    def __post_init__(self) -> None:
        """Set the parser up."""
        super().__init__()
        self.rows = self.body

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a part of the table, a row or a cell."""
        if tag in ("thead", "tbody"):
            self.rows = self.head if tag == "thead" else self.body
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            spans = {name: int(value) for name, value in attrs if name in ("colspan", "rowspan") and value}
            self.current = Cell(**spans)
            self.rows[-1].append(self.current)

    def handle_endtag(self, tag: str) -> None:
        """Close a cell."""
        if tag in ("td", "th"):
            self.current = None

    def handle_data(self, data: str) -> None:
        """Take the words of a cell."""
        if self.current is not None:
            self.current.text += data


def table(html: str) -> str:
    """Return an HTML table as a call of the template's ``frame``.

    Parameters
    ----------
    html : str
        A table as pandas shows it.

    Returns
    -------
    str
        Typst.

    Raises
    ------
    ValueError
        If there is no row with cells in it.
    """
    reader = Reader()
    reader.feed(html)
    rows = reader.head + reader.body
    width = max((sum(cell.colspan for cell in row) for row in rows), default=0)
    if width == 0:
        raise ValueError(f"no table in {html[:60]!r}")
    head = [typeset(cell) for row in reader.head for cell in row]
    body = [typeset(cell) for row in reader.body for cell in row]
    return f"#frame(({listed(alignments(reader.body, width))}), ({listed(head)}), ({listed(body)}))"


def marked(html: str) -> str:
    """Return an HTML table with the class ``words`` at each cell of a column of words, and ``sentence`` if it has many.

    Parameters
    ----------
    html : str
        A table as pandas shows it.

    Returns
    -------
    str
        The same table.
    """
    reader = Reader()
    reader.feed(html)
    sides = alignments(reader.body, max(map(len, reader.head + reader.body), default=0))

    def mark(row: re.Match[str]) -> str:
        places = iter(sides[-len(CELL.findall(row[0])) :])
        return CELL.sub(lambda cell: cell["tag"] + kind(next(places), cell["words"]) + cell["rest"], row[0])

    return ROW.sub(mark, html)


def kind(side: str, words: str) -> str:
    """Return the class of a cell as an attribute; a number has none."""
    if side == "right":
        return ""
    return ' class="words sentence"' if len(words) > SENTENCE else ' class="words"'


def alignments(body: list[list[Cell]], width: int) -> list[str]:
    """Return how each column is aligned: to the right where most cells are numbers, as beside a few ``< tol/50``.

    Columns are counted from the right, because a cell that spans rows is missing at the left of the rows below it.
    """
    columns = [[row[-place].text.strip() for row in body if len(row) >= place] for place in range(width, 0, -1)]
    return ["right" if mostly_numbers([text for text in column if text]) else "left" for column in columns]


def mostly_numbers(texts: list[str]) -> bool:
    """Return whether more than half of some texts are numbers."""
    return 2 * sum(NUMBER.fullmatch(text) is not None for text in texts) > len(texts)


def typeset(cell: Cell) -> str:
    """Return one cell as Typst; its words are a string, so nothing in them is markup."""
    text = json.dumps(" ".join(cell.text.split()), ensure_ascii=False)
    if cell.colspan == cell.rowspan == 1:
        return text
    return f"table.cell(colspan: {cell.colspan}, rowspan: {cell.rowspan}, {text})"


def listed(values: list[str]) -> str:
    """Return the inside of an array of Typst, where a comma also follows a single value."""
    return "".join(f"{value}, " for value in values)
