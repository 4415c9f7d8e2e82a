"""The pieces of the PDF report: what a notebook holds reaches Typst, and what would be lost is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pypandoc
import pytest
import typst

from docs import report
from docs.tables import table

FIGURE = {"line": {"caption": 'A "line".', "alt": "It rises."}}


def converted(markdown: str) -> str:
    return str(pypandoc.convert_text(markdown, "typst", format=report.MARKDOWN, extra_args=report.OPTIONS))


def test_a_numbered_equation_keeps_its_number_and_can_be_linked_to() -> None:
    source = '<a id="eq-3-1"></a>\n\n$$ a\n+ b \\tag{3.1} $$\n\nby [(3.1)](03_a.ipynb#eq-3-1) and [there](04_b.ipynb)'
    body = converted(report.prose(source, "03"))
    assert '#numbered("3.1")[' in body
    assert "<eq-3-1>" in body
    assert "$ a + b $" in body  # a line that begins with + is no list
    assert r"#link(<eq-3-1>)[\(3.1)]" in body
    assert "#link(<chapter-04>)[there]" in body
    assert "tag" not in body


@pytest.mark.parametrize("margin", ["  ", "> "])
def test_an_equation_in_a_list_or_quotation_stays_in_it(margin: str) -> None:
    opening = "- item\n\n" if margin == "  " else ""
    source = f'{opening}{margin}<a id="eq-3-1"></a>\n{margin.rstrip()}\n{margin}$$ a \\tag{{3.1}} $$\n'
    body = converted(report.prose(source, "03"))
    number, formula = body.index('#numbered("3.1")['), body.index("$ a $")
    assert number < formula < body.index("]", formula)
    if margin == "> ":
        assert body.startswith("#quote")
    else:
        assert re.search(r"^  .*\$ a \$", body, re.MULTILINE)  # still indented under its item


def test_the_first_heading_is_the_chapter() -> None:
    body = converted(report.prose("# A title\n\n## Part", "07"))
    assert "= 7\u2003A title\n<chapter-07>" in body
    assert "== Part" in body


@pytest.mark.parametrize("text", ["plain", "a ``` fence", "```` four"])
def test_code_is_fenced_by_more_than_it_holds(text: str) -> None:
    first, *middle, last = report.fenced(text, "out").strip().splitlines()
    assert middle == [text]
    assert first == last + "out"
    assert last not in text


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import numpy as np\nfrom emlib import em\n\nfigures.style()\nSHORT, LONG = 'C1', 'C0'", True),
        ("import numpy as np\nassert True", False),
        ("x = load()", False),
        ("def f():\n    return 1", False),
    ],
)
def test_plumbing_is_told_from_work(source: str, expected: bool) -> None:
    assert report.is_plumbing(source) is expected
    assert ("small: true" in report.code(source, "01", 3)) is expected


def test_code_is_cut_between_statements_only() -> None:
    run = [f"x = {number}" for number in range(report.WHOLE + 3)]
    source = "\n".join(["def f():", "    a = 1", "", "    return a", "", "", 't = """', "", '"""', "# why", *run])
    pieces = report.parts(source)
    assert pieces[0] == (True, "def f():\n    a = 1\n\n    return a")
    assert pieces[1][1].startswith('t = """\n\n"""\n# why\nx = 0')
    assert [apart for apart, _ in pieces] == [True, True, False]
    assert all(piece.count("\n") < report.WHOLE for _, piece in pieces)
    assert "\n".join(piece for _, piece in pieces) == source.replace("\n\n\n", "\n")
    function = "def g():\n" + "\n".join(f"    {line}" for line in run)
    assert report.parts(function) == [(True, function)]
    assert "whole: true" not in report.code(function, "01", 3)


def test_the_end_of_a_cell_stays_with_what_it_shows() -> None:
    source = "x = 1\ny = 2\nz = 3\nw = 4\n\nx"
    silent, shown = report.code(source, "01", 3), report.code(source, "01", 3, shows=True)
    assert "sticky" not in silent
    assert shown.count("sticky: true") == 1
    assert shown.index("w = 4") < shown.index("sticky: true")
    assert shown.count("<cell-01-3>") == 1


def cell(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "execution_count": 5, "source": [source], "outputs": list(outputs)}


def shown(**data: str) -> dict[str, Any]:
    return {"output_type": "display_data", "data": {key.replace("_", "/"): value for key, value in data.items()}}


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ({"output_type": "stream", "name": "stdout", "text": ["a\n", "b\n"]}, "```out\na\nb\n```"),
        (shown(text_plain="Verdict", text_html="<div>no</div>"), "```out\nVerdict\n```"),
        (shown(text_plain="x", text_latex="$\\displaystyle \\frac{1}{2}$"), "$$\\frac{1}{2}$$"),
        (shown(text_plain="x", text_markdown="see [b](02_b.ipynb)"), "see [b](#chapter-02)"),
        (shown(text_plain="x", text_html="<table><tr><td>7</td></tr></table>"), '#frame((right, ), (), ("7", ))'),
    ],
)
def test_every_kind_of_output_is_shown(stored: dict[str, Any], expected: str) -> None:
    assert expected in report.output(cell("x"), stored, {})


def test_a_picture_comes_with_its_caption_text_and_label() -> None:
    stored = shown(image_png="AAAA", text_plain="<Figure>")
    text = report.output(cell('figures.save(fig, "line", data=d)'), stored, FIGURE)
    assert '#picture("line.svg", "A \\"line\\".", "It rises.") <figure-line>' in text
    with pytest.raises(ValueError, match=r"a picture without figures\.save"):
        report.output(cell("plt.plot(y)"), stored, FIGURE)
    with pytest.raises(KeyError, match="other"):
        report.output(cell('figures.save(fig, "other", data=d)'), stored, FIGURE)


def test_pieces_of_an_output_stay_together_except_before_a_picture() -> None:
    stream = {"output_type": "stream", "name": "stdout", "text": ["a\n"]}
    drawn = shown(image_png="AAAA", text_plain="<Figure>")
    source = 'figures.save(fig, "line", data=d)'
    assert "#with-next[" in report.outputs(cell(source, stream, stream), FIGURE)[0]
    assert not any("#with-next[" in piece for piece in report.outputs(cell(source, stream, drawn), FIGURE))


def test_a_picture_in_prose_stands_below_its_paragraph() -> None:
    body = converted(report.prose("First.\n\nIt rises:\n\n![A line.](../figures/line.png)\n\nThen", "00"))
    assert re.search(r'First\.\s+#together\[\s+It rises:\s+#plate\("line\.svg", "A line\."\)\s+\]\s+Then', body)


def test_a_chapter_holds_its_cells_in_order(tmp_path: Path) -> None:
    path = tmp_path / "03_a.ipynb"
    prose = {"cell_type": "markdown", "source": ["# Title"]}
    path.write_text(json.dumps({"cells": [prose, cell("x = f(1)"), {**prose, "source": ["then"]}]}))
    text = report.chapter(path, {})
    assert text.index("#chapter-break()") < text.index("Title") < text.index("x = f(1)") < text.index("then")
    assert text.index("#code-part(5") < text.index("x = f(1)") < text.index("<cell-03-5>")


def test_no_line_of_code_is_lost() -> None:
    def code(cells: list[dict[str, Any]]) -> list[str]:
        text = "\n".join(report.joined(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        return [line for line in text.splitlines() if line.strip()]

    paths = sorted(report.NOTEBOOKS.glob("*.ipynb"))
    ledger = report.read(report.NOTEBOOKS)
    body = report.typeset(converted(report.markdown(ledger)), ledger)
    blocks = re.findall(r"^(`{3,})python\n(.*?)\n\1$", body, re.DOTALL | re.MULTILINE)
    set_lines = [line for _, block in blocks for line in block.splitlines() if line.strip()]
    assert set_lines == [line for path in paths for line in code(json.loads(path.read_text("utf-8"))["cells"])]


@pytest.mark.parametrize(
    ("tex", "expected"),
    [
        (r"a \otimes b \odot c", "a times.o b dot.o c"),
        (r"a \! b \; c", "a #h(-0.1667em) b #h(0.2778em) c"),
        (r"\bigl[ x \,\big|\, y \bigr]", r"#math.lr(size: 1.2em, $\[$)"),
        (r"\Big\| z", "#math.lr(size: 1.8em, $parallel$)"),
        (r"\operatorname{tr}(A) = \underbrace{\operatorname{Var}[x]}_v", r'op("tr") \( A \) = underbrace(op("Var") \['),
        (r"\text{new} + |\det A|", 'upright("new") + lr(| det A |)'),
        (r"|r| / |v|", r"lr(| r |) \/ lr(| v |)"),
        (r"p(x \vert y) p(y \vert z)", r"p \( x \| y \) p \( y \| z \)"),
        (r"\|e_{k+1}\|^2 \le \|s\|_I", "norm(e_(k + 1))^2 lt.eq norm(s)_I"),
        (r"\mathrm{KL}(q \,\|\, h) + \mathrm{KL}(h \,\|\, q)", r"q thin parallel thin h \) + upright(K L)"),
    ],
)
def test_a_formula_is_set_as_tex_would(tex: str, expected: str) -> None:
    body = report.typeset(converted(f"${tex}$"), report.read(report.NOTEBOOKS))
    assert expected in body
    assert "#scale(" not in body


def test_a_paragraph_stays_with_the_formula_below_it() -> None:
    ledger = report.read(report.NOTEBOOKS)
    source = 'So\n\n<a id="eq-1-1"></a>\n\n$$ a \\tag{1.1} $$\n\nand $b$\n\n$$ c $$\n\nThen\n\nEnd'
    body = report.typeset(converted(report.prose(source, "01")), ledger)
    assert body.count("#with-next[") == 2
    assert "#with-next[So]\n\n#metadata(none) <eq-1-1>" in body
    assert "#with-next[and $b$]" in body


def test_the_template_is_filled_in() -> None:
    text = report.typeset("", report.read(report.NOTEBOOKS))
    assert "VERSION" not in text
    assert "ABSTRACT" not in text


def test_tables_of_claims_get_columns_that_fit() -> None:
    ledger = report.read(report.NOTEBOOKS)
    claims, other = "| claim | statement | shown |\n|---|---|---|\n| a | b | c |", "| a | b |\n|---|---|\n| 1 | 2 |"
    assert "columns: (auto, 1.3fr, 1fr)," in report.typeset(converted(claims), ledger)
    assert "columns: 2," in report.typeset(converted(other), ledger)


def test_the_template_sets_the_same_bytes_twice(tmp_path: Path) -> None:
    pieces = [
        report.prose('# One\n\n<a id="eq-1-1"></a>\n\n$$ \\big(x\\big) \\tag{1.1} $$\n\n[(1.1)](#eq-1-1)', "01"),
        report.code("import numpy as np", "01", 1),
        report.code("x = 1  # " + "long " * 40, "01", 2),
        report.raw(table("<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>1.5</td></tr></tbody></table>")),
    ]
    source = tmp_path / "report.typ"
    source.write_text(report.typeset(converted("\n\n".join(pieces)), report.read(report.NOTEBOOKS)), encoding="utf-8")
    first, second = (typst.compile(source, ignore_system_fonts=True) for _ in range(2))
    assert first == second
    assert first.startswith(b"%PDF")
    source.write_text(source.read_text("utf-8").replace("#link(<eq-1-1>)", "#link(<eq-9-9>)"), encoding="utf-8")
    with pytest.raises(typst.TypstError, match="eq-9-9"):
        typst.compile(source, ignore_system_fonts=True)


PANDAS = """<style>td {}</style><table><thead>
<tr><th></th><th colspan="2" halign="left">pair</th></tr>
<tr><th>name</th><th>value</th><th>note</th></tr>
</thead><tbody>
<tr><th rowspan="2" valign="top">a&amp;b</th><td>-1.5e-03</td><td># not [markup]</td></tr>
<tr><td>&lt; 1e-9</td><td>"two"  words</td></tr>
</tbody></table>"""


def test_a_table_keeps_spans_words_and_the_side_of_its_numbers() -> None:
    text = table(PANDAS)
    assert text.startswith("#frame((left, right, left, ), ")
    assert 'table.cell(colspan: 2, rowspan: 1, "pair")' in text
    assert 'table.cell(colspan: 1, rowspan: 2, "a&b")' in text
    assert '"# not [markup]"' in text
    assert r'"\"two\" words"' in text
    assert "td {}" not in text


@pytest.mark.parametrize("html", ["<div>none</div>", "<table></table>", "<table><tr></tr></table>"])
def test_a_table_without_cells_is_refused(html: str) -> None:
    with pytest.raises(ValueError, match="no table in"):
        table(html)
