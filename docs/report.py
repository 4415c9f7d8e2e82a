"""Set the executed notebooks as one PDF: pandoc turns their Markdown into Typst, Typst sets the pages.

Run it as ``python docs/report.py FILE.pdf`` from the top of the repository; ``make report`` does. The same notebooks
give the same bytes: no date is stamped and only the fonts inside Typst are used.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import shutil
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pypandoc
import typst

import emlib
from docs.tables import table
from emlib.ledger import read
from emlib.ledger.report import Report

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
FIGURES = ROOT / "figures"
REFERENCES = Path(__file__).with_name("references.bib")
TEMPLATE = Path(__file__).with_name("report.typ")

# Jupyter's Markdown, with raw pieces of Typst and names for headings.
# With many "columns" pandoc leaves the widths of tables to Typst.
MARKDOWN = "commonmark_x-smart"
OPTIONS = ("--wrap=none", "--columns=10000", "--fail-if-warnings")

DISPLAYED = re.compile(r"(?m)^(?P<margin>[ \t>]*)\$\$(?P<body>.+?)\$\$", re.DOTALL)
TAG = re.compile(r"\\tag\{([^}]*)\}")
ANCHOR = re.compile(r'(?m)^[ \t>]*<a id="[^"]*"></a>[ \t>]*\n')
SHOWN = re.compile(r"(?m)^(?P<lead>(?:.+\n)+)\n!\[(?P<alt>[^\]]*)\]\(\.\./figures/(?P<name>[\w-]+)\.png\)$")
LINK = re.compile(r"\]\((?:(?P<number>\d\d)_\w+\.ipynb)?(?P<anchor>#[\w.-]+)?\)")
SAVED = re.compile(r"""figures\.save\(\s*\w+,\s*["']([\w-]+)["']""")

# What pandoc writes and Typst calls otherwise, or spaces otherwise than TeX.
MATH = re.compile(r"\$[^$\n]+\$")
CIRCLED = re.compile(r"\b(times|plus|minus|dot)\.circle\b")
OPERATOR = re.compile(r'(?<!upright\()"(\w+)"')  # \operatorname, which pandoc makes a word, with a space after it
BARS = re.compile(r"\\\| ([^$|()\n]+?) \\\|")  # |x|, whose bars Typst would space like those of a condition
NORMS = re.compile(r"parallel ((?:(?!parallel)[^\\])+) parallel")  # and \|x\|
SCALED = re.compile(r"#scale\(x: (\d)(\d)(0%), y: \1\2\3\)\[(\\?.|[\w.]+)\]")  # \big and its kin
SPACES = {"#h(0em)": "#h(0.2778em)", "#h(-1em)": "#h(-0.1667em)"}  # \; and \!

# A paragraph before a displayed formula, which are not to be parted by the end of a page.
LEAD = re.compile(r"(?m)^((?:\w|\\|\$(?! )|#strong|#emph|#link).*)\n\n(?=\$ |#metadata\(none\) <eq-)")
WHOLE = 16  # lines of code that a page does not part

# Columns of tables with long sentences, by their number and the first heading; Typst would make all alike.
COLUMNS = re.compile(r"columns: (\d)(?=,\n *align: .*\n *table\.header\(\[(\w+)\])")
WIDTHS = {
    ("3", "claim"): "(auto, 1.3fr, 1fr)",
    ("4", "notebook"): "(auto, 1.5fr, auto, 1fr)",
    ("5", "claim"): "(auto, 1fr, auto, 18%, auto)",
}


def raw(text: str, margin: str = "") -> str:
    """Return a block that reaches Typst as it is, within the list or quotation of the margin."""
    lines = ["", "```{=typst}", *text.split("\n"), "```", ""]
    return "\n".join(margin + line for line in lines).replace("\n" + margin + "\n", "\n" + margin.rstrip() + "\n")


BREAK = raw("#chapter-break()")


def equations(text: str) -> str:
    """Hand the numbers of equations to Typst; pandoc would drop a ``tag``."""

    def displayed(match: re.Match[str]) -> str:
        margin = match["margin"]
        # A line that begins with + or - would begin a list.
        body = " ".join(line.removeprefix(margin).strip() for line in match["body"].splitlines())
        tag = TAG.search(body)
        formula = f"{margin}$${TAG.sub('', body)}$$"
        if tag is None:
            return formula
        anchor = f"eq-{tag[1].replace('.', '-')}"
        return (
            raw(f'#metadata(none) <{anchor}>\n#numbered("{tag[1]}")[', margin)
            + "\n"
            + formula
            + "\n"
            + raw("]", margin)
        )

    return DISPLAYED.sub(displayed, ANCHOR.sub("", text))


def links(text: str) -> str:
    """Point links between notebooks at chapters, equations and cells here, and those to pictures at the copies."""

    def inside(match: re.Match[str]) -> str:
        number, anchor = match["number"], match["anchor"]
        if anchor:
            return f"]({anchor.replace('#cell-', f'#cell-{number}-')})"
        return f"](#chapter-{number})" if number else match[0]

    return LINK.sub(inside, text).replace("](../figures/", "](figures/")


def pictures(text: str) -> str:
    """Show the vector files of the pictures in prose, each with its text and the paragraph that announces it."""

    def plate(match: re.Match[str]) -> str:
        alt = json.dumps(match["alt"], ensure_ascii=False)
        return raw("#together[") + match["lead"] + raw(f'#plate("{match["name"]}.svg", {alt})\n]')

    return SHOWN.sub(plate, text)


def prose(text: str, chapter: str) -> str:
    """Return the Markdown of a cell for the report; the first heading names the chapter."""
    text = links(pictures(equations(text)))
    return re.sub(r"\A# (.+)$", rf"# {int(chapter)} \1 {{#chapter-{chapter}}}", text, count=1, flags=re.MULTILINE)


def fenced(text: str, language: str = "") -> str:
    """Return a block of code, fenced by more backticks than it holds."""
    fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
    return f"\n\n{fence}{language}\n{text.rstrip()}\n{fence}\n\n"


def joined(text: str | list[str]) -> str:
    """Return a field of a notebook as one string."""
    return text if isinstance(text, str) else "".join(text)


def output(cell: dict[str, Any], stored: dict[str, Any], figures: dict[str, Any]) -> str:
    """Return one stored output of a code cell."""
    if stored["output_type"] == "stream":
        return fenced(joined(stored["text"]), "out")
    data = stored["data"]
    if "image/png" in data:
        return picture(joined(cell["source"]), figures)
    if "<table" in joined(data.get("text/html", "")):
        return raw(table(joined(data["text/html"])))
    if "text/markdown" in data:
        return "\n\n" + links(equations(joined(data["text/markdown"]))) + "\n\n"
    if "text/latex" in data:
        formula = joined(data["text/latex"]).strip().strip("$").removeprefix("\\displaystyle")
        return f"\n\n$${formula.strip()}$$\n\n"
    return fenced(joined(data["text/plain"]), "out")


def picture(source: str, figures: dict[str, Any]) -> str:
    """Return the figure that a cell saves, as the vector file with its caption."""
    name = SAVED.search(source)
    if name is None:
        raise ValueError(f"a picture without figures.save: {source[:60]!r}")
    entry = figures[name[1]]
    caption, alt = (json.dumps(entry[field], ensure_ascii=False) for field in ("caption", "alt"))
    return raw(f'#picture("{name[1]}.svg", {caption}, {alt}) <figure-{name[1]}>')


def is_plumbing(source: str) -> bool:
    """Tell whether code does nothing but import, set the style of figures and name constants."""
    return all(
        isinstance(node, ast.Import | ast.ImportFrom)
        or ast.unparse(node) == "figures.style()"
        or (isinstance(node, ast.Assign) and not any(isinstance(part, ast.Call) for part in ast.walk(node)))
        for node in ast.parse(source).body
    )


def parts(source: str) -> list[tuple[bool, str]]:
    """Cut code where a page may end, and tell which parts stand apart from the one above.

    It is cut at the blank lines between statements, and between two statements where a part would grow too long.
    """
    body = ast.parse(source).body
    lengths = {node.lineno: (node.end_lineno or node.lineno) - node.lineno + 1 for node in body}
    inside = {line for first, length in lengths.items() for line in range(first + 1, first + length)}
    pieces: list[tuple[bool, list[str]]] = []
    apart = True
    for number, line in enumerate(source.splitlines(), start=1):
        if number not in inside and not line.strip():
            apart = True
            continue
        if number not in inside and (apart or len(pieces[-1][1]) + lengths.get(number, 1) > WHOLE):
            pieces.append((apart, []))
            apart = False
        pieces[-1][1].append(line)
    return [(apart, "\n".join(lines)) for apart, lines in pieces]


def code(source: str, chapter: str, count: int, *, shows: bool = False) -> str:
    """Return a code cell with its number, to which the ledger links; if it shows something, its end stays with that."""
    pieces = parts(source)
    blocks = []
    for place, (apart, piece) in enumerate(pieces):
        first, last = place == 0, place == len(pieces) - 1
        whole = piece.count("\n") < WHOLE
        traits = {
            "small": is_plumbing(source) or (not whole and is_plumbing(piece)),
            "first": first,
            "last": last,
            "apart": apart,
            "whole": whole,
            "sticky": whole and (shows if last else first and piece.count("\n") < 3),
        }
        given = "".join(f", {name}: true" for name, holds in traits.items() if holds)
        label = f" <cell-{chapter}-{count}>" if first else ""
        blocks.append(raw(f"#code-part({count}{given})[") + fenced(piece, "python") + raw(f"]{label}"))
    return "".join(blocks)


def outputs(cell: dict[str, Any], figures: dict[str, Any]) -> list[str]:
    """Return what a code cell shows; each piece stays on the page of the next, unless that is a tall picture."""
    shown = [output(cell, stored, figures) for stored in cell["outputs"]]
    kept = [one if is_picture(following) else with_next(one) for one, following in pairwise(shown)]
    return kept + shown[-1:]


def is_picture(piece: str) -> bool:
    """Tell whether an output is a picture."""
    return "#picture(" in piece


def with_next(piece: str) -> str:
    """Return a piece that no end of a page parts from the next."""
    return raw("#with-next[") + piece + raw("]")


def chapter(path: Path, figures: dict[str, Any]) -> str:
    """Return one notebook as Markdown."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    pieces = [BREAK]
    for cell in cells:
        text = joined(cell["source"])
        if cell["cell_type"] == "markdown":
            pieces.append(prose(text, path.stem[:2]))
            continue
        shown = outputs(cell, figures)
        shows = bool(shown) and not is_picture(shown[0])
        pieces += [code(text, path.stem[:2], cell["execution_count"], shows=shows), *shown]
    *before, closing = pieces
    if cells[-2].get("outputs"):
        before[-1] = with_next(before[-1])  # so that a page does not hold the last line alone
    return "\n\n".join([*before, raw("#together[") + closing + raw("]")])


def appendix(report: Report) -> str:
    """Return the ledger as a table."""
    totals = ", ".join(f"{count} {name}" for name, count in report.totals().items())
    lines = [
        BREAK,
        "# The ledger {#chapter-ledger}",
        "",
        f"Every claim, its verdict on the print, how far it was shown and where: {totals}.",
        raw("#show table: set text(size: 7pt)"),
        "| claim | statement | print | shown for | chapter, cell |",
        "|---|---|---|---|---|",
    ]
    for row in report.rows:
        place = report.places.get(row.id)
        where = f"[{place.notebook[:2]}, {place.cell}](#cell-{place.notebook[:2]}-{place.cell})" if place else ""
        scope = re.sub(" (>?=) ", "\u00a0\\1\u00a0", place.scope()) if place else "not shown"  # not parted by a line
        lines.append(f"| {row.id} | {row.statement} | {row.verdict} | {scope} | {where} |")
    return "\n".join(lines)


def bibliography() -> str:
    """Return the chapter of references, which Typst sets from the BibTeX file."""
    heading = "#chapter-break()\n= Bibliography <chapter-bibliography>"
    return raw(f'{heading}\n#bibliography("references.bib", full: true, title: none, style: "apa")')


def markdown(report: Report) -> str:
    """Return the whole report as Markdown."""
    figures = json.loads((FIGURES / "manifest.json").read_text(encoding="utf-8"))
    chapters = [chapter(path, figures) for path in sorted(NOTEBOOKS.glob("*.ipynb"))]
    return "\n\n".join([*chapters, appendix(report), bibliography()])


def abstract(report: Report) -> str:
    """Return what stands on the first page."""
    totals = report.totals()
    return (
        "Each chapter is a notebook that was run from top to bottom: its prose, its code in full, and what the code "
        "printed. The small number beside a block of code is that of the cell. The ledger at the end lists "
        f"{totals['rows']} claims of the note, with the cell that shows each; {totals['discharged']} are shown, "
        f"{totals['proved']} of them by proof."
    )


def formula(match: re.Match[str]) -> str:
    """Return a formula as TeX would have set it."""
    text = OPERATOR.sub(r'op("\1")', CIRCLED.sub(r"\1.o", match[0]))
    text = NORMS.sub(r"norm(\1)", BARS.sub(r"lr(| \1 |)", text))
    for written, meant in SPACES.items():
        text = text.replace(written, meant)
    return text


def typeset(body: str, report: Report) -> str:
    """Return the source for Typst: the template, and the body as pandoc wrote it."""
    template = TEMPLATE.read_text(encoding="utf-8")
    head = template.replace("VERSION", emlib.__version__).replace("ABSTRACT", abstract(report))
    body = SCALED.sub(r"#math.lr(size: \1.\2em, $\4$)", MATH.sub(formula, body))
    body = LEAD.sub(r"#with-next[\1]\n\n", body)
    body = body.replace("align(center)[#table(", "align(left)[#table(")
    body = COLUMNS.sub(lambda match: f"columns: {WIDTHS.get((match[1], match[2]), match[1])}", body)
    return head + body


def source(folder: Path) -> Path:
    """Put all that Typst needs into a folder and return the file to set."""
    report = read(NOTEBOOKS)
    body = pypandoc.convert_text(markdown(report), "typst", format=MARKDOWN, extra_args=OPTIONS)
    shutil.copytree(FIGURES, folder / "figures")
    # Typst prints the title of the book twice for an incollection.
    references = REFERENCES.read_text(encoding="utf-8").replace("@incollection{", "@inbook{")
    (folder / REFERENCES.name).write_text(references, encoding="utf-8")
    file = folder / "report.typ"
    file.write_text(typeset(body, report), encoding="utf-8")
    return file


def write(target: Path) -> None:
    """Set the report."""
    with tempfile.TemporaryDirectory() as folder:
        target.parent.mkdir(parents=True, exist_ok=True)
        typst.compile(source(Path(folder)), output=target, root=folder, ignore_system_fonts=True)


def main() -> None:
    """Set the report."""
    parser = argparse.ArgumentParser(description="Set the executed notebooks as one PDF.")
    parser.add_argument("file", type=Path)
    write(parser.parse_args().file)


if __name__ == "__main__":
    main()
