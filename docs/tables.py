"""Turn the HTML tables of stored outputs into tables of Typst."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

__all__ = ["table"]

NUMBER = re.compile(r"(< ?)?[-+−]?[\d.,]*(e[-+]?\d+)?( ?%)?|nan|inf|-inf")


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


def alignments(body: list[list[Cell]], width: int) -> list[str]:
    """Return how each column is aligned: numbers to the right.

    Columns are counted from the right, because a cell that spans rows is missing at the left of the rows below it.
    """
    columns = [[row[-place].text for row in body if len(row) >= place] for place in range(width, 0, -1)]
    return [
        "right" if column and all(NUMBER.fullmatch(text.strip()) for text in column) else "left" for column in columns
    ]


def typeset(cell: Cell) -> str:
    """Return one cell as Typst; its words are a string, so nothing in them is markup."""
    text = json.dumps(" ".join(cell.text.split()), ensure_ascii=False)
    if cell.colspan == cell.rowspan == 1:
        return text
    return f"table.cell(colspan: {cell.colspan}, rowspan: {cell.rowspan}, {text})"


def listed(values: list[str]) -> str:
    """Return the inside of an array of Typst, where a comma also follows a single value."""
    return "".join(f"{value}, " for value in values)
