"""The book's page of all claims: a table that `_static/ledger.js` filters and sorts."""

from __future__ import annotations

from html import escape
from importlib import import_module
from typing import Any

from emlib.ledger.report import Report

HEAD = ("claim", "section", "statement", "verdict on the print", "shown for", "notebook and cell", "in emlib")


def ledger(report: Report) -> str:
    """Return the page as Markdown with the table as HTML; without JavaScript the table is whole."""
    totals = ", ".join(f"{count} {name}" for name, count in report.totals().items())
    cells = "".join(f'<th scope="col">{name}</th>' for name in HEAD)
    rows = "\n".join(ledger_row(report, row) for row in report.rows)
    return f"""# The ledger

Every claim, the verdict on its printed form, how far it was shown, the cell that shows it and the code that uses it:
{totals}. The table is made from the stored outputs of the notebooks.

<div class="ledger-controls" hidden></div>
<div class="ledger-box" role="region" aria-label="All claims" tabindex="0">
<table class="ledger docutils" id="ledger">
<thead><tr>{cells}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
"""


def ledger_row(report: Report, row: Any) -> str:
    """Return one row of the table; its mathematics is left to MathJax."""
    place = report.places.get(row.id)
    where = scope = "not shown"
    if place is not None:
        words = f"notebook {place.notebook[:2]}, cell {place.cell}"
        where = f'<a href="notebooks/{place.notebook}.html#cell-{place.cell}">{words}</a>'
        scope = escape(place.scope())
    values = (
        f'<th scope="row" id="claim-{row.id}"><code>{breakable(row.id)}</code></th>',
        f"<td>{row.section}</td>",
        f'<td class="statement tex2jax_process">{mathematics(row.statement)}</td>',
        f"<td>{row.verdict}</td>",
        f"<td>{scope}</td>",
        f"<td>{where}</td>",
        f"<td>{'<br>'.join(map(code_link, row.uses))}</td>",
    )
    return f"<tr>{''.join(values)}</tr>"


def mathematics(text: str) -> str:
    r"""Return a statement as HTML, with ``$...$`` as ``\(...\)``, which MathJax reads inside raw HTML."""
    pieces = text.split("$")
    return "".join(
        f'<span class="math notranslate nohighlight">\\({escape(piece)}\\)</span>' if number % 2 else escape(piece)
        for number, piece in enumerate(pieces)
    )


def code_link(name: str) -> str:
    """Return a link from a dotted name to its source in the book."""
    thing = resolve(name)
    module = thing.__module__.replace(".", "/")
    words = breakable(name.removeprefix("emlib."))
    return f'<a href="_modules/{module}.html#{thing.__qualname__}"><code>{words}</code></a>'


def breakable(name: str) -> str:
    """Return a dotted name that a line may break behind its dots."""
    return name.replace(".", ".<wbr>")


def resolve(name: str) -> Any:
    """Return the function, class or method that a dotted name stands for."""
    parts = name.split(".")
    for split in range(len(parts) - 1, 0, -1):
        try:
            thing: Any = import_module(".".join(parts[:split]))
        except ModuleNotFoundError:
            continue
        for part in parts[split:]:
            thing = getattr(thing, part)
        return thing
    raise ValueError(f"the ledger names {name!r}, which does not exist")
