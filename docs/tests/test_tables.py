"""Tables of pandas in the book: words to the left, numbers to the right, sentences with room."""

from __future__ import annotations

import sys

from visits import BOOK, ROOT

sys.path.insert(0, str(ROOT / "docs"))
from tables import marked

ROW = "<tr><th>{}</th><td>{}</td><td>{}</td></tr>"


def test_columns_of_words_are_marked_and_those_of_numbers_are_not() -> None:
    rows = [ROW.format("a", "1.5", "short"), ROW.format("b", "< tol/50", "x" * 31), ROW.format("c", "-2e-06", "")]
    html = marked(f"<table><thead>{ROW.format('', 'n', 'w')}</thead><tbody>{''.join(rows)}</tbody></table>")
    words = '<td class="words">'
    head, *body = html.split("</tr>")[:4]
    assert head.endswith(f'<th class="words"></th><td>n</td>{words}w</td>')
    assert body[0].endswith(f'<th class="words">a</th><td>1.5</td>{words}short</td>')
    assert body[1].endswith(f'<td>< tol/50</td><td class="words sentence">{"x" * 31}</td>')
    assert body[2].endswith(f"<td>-2e-06</td>{words}</td>")


def test_the_tables_of_the_book_are_marked() -> None:
    page = (BOOK / "notebooks" / "18_published_numbers.html").read_text(encoding="utf-8")
    assert '<td class="words">printed</td>' in page
    assert '<td class="words sentence">Dempster' in page
