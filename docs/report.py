"""Set the executed notebooks as one PDF: pandoc turns their Markdown into Typst, Typst sets the pages.

Run it as ``python docs/report.py FILE.pdf`` from the top of the repository; ``make report`` does. The same notebooks give
the same bytes: no date is stamped and only the fonts inside Typst are used.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pypandoc
import typst

import emlib
from emlib.ledger import read
from emlib.ledger.report import Report

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
FIGURES = ROOT / "figures"
TEMPLATE = Path(__file__).with_name("report.typ")

# Jupyter's Markdown, with raw pieces of Typst and names for headings.
MARKDOWN = "commonmark_x-smart"
NUMBERED = re.compile(r"\$\$(?P<body>(?:(?!\$\$).)*?)\\tag\{(?P<number>[^}]*)\}\s*\$\$", re.DOTALL)
ANCHOR = re.compile(r'<a id="[^"]*"></a>\s*')
LINK = re.compile(r"\]\((?:(?P<number>\d\d)_\w+\.ipynb)?(?P<anchor>#[\w.-]+)?\)")
SAVED = re.compile(r"""figures\.save\(\s*\w+,\s*["']([\w-]+)["']""")


def raw(text: str) -> str:
    """Return a block that reaches Typst as it is."""
    return f"\n\n```{{=typst}}\n{text}\n```\n\n"


def equations(text: str) -> str:
    """Hand the numbers of equations to Typst; pandoc would drop a ``tag``."""

    def numbered(match: re.Match[str]) -> str:
        number = match["number"]
        return raw(f'#metadata(none) <eq-{number.replace(".", "-")}>\n#numbered("{number}")[') + f"$${match['body']}$$" + raw("]")

    return NUMBERED.sub(numbered, ANCHOR.sub("", text))


def links(text: str) -> str:
    """Point links between notebooks at chapters and equations of the report, and those to pictures at its copies."""

    def inside(match: re.Match[str]) -> str:
        if match["anchor"]:
            return f"]({match['anchor']})"
        return f"](#chapter-{match['number']})" if match["number"] else match[0]

    return LINK.sub(inside, text).replace("](../figures/", "](figures/")


def prose(text: str, chapter: str) -> str:
    """Return the Markdown of a cell for the report; the first heading names the chapter."""
    text = links(equations(text))
    return re.sub(r"\A# (.+)$", rf"# \1 {{#chapter-{chapter}}}", text, count=1, flags=re.MULTILINE)


def fenced(text: str, language: str = "") -> str:
    """Return a block of code, fenced by more backticks than it holds."""
    fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
    return f"\n\n{fence}{language}\n{text.rstrip()}\n{fence}\n\n"


def joined(text: str | list[str]) -> str:
    """Return a field of a notebook as one string."""
    return text if isinstance(text, str) else "".join(text)


def output(cell: dict[str, Any], stored: dict[str, Any], captions: dict[str, str]) -> str:
    """Return one stored output of a code cell."""
    if stored["output_type"] == "stream":
        return fenced(joined(stored["text"]), "out")
    data = stored["data"]
    if "image/png" in data:
        return picture(joined(cell["source"]), captions)
    if "text/markdown" in data:
        return "\n\n" + links(equations(joined(data["text/markdown"]))) + "\n\n"
    if "text/latex" in data:
        formula = joined(data["text/latex"]).strip().strip("$").removeprefix("\\displaystyle")
        return f"\n\n$${formula.strip()}$$\n\n"
    return fenced(joined(data["text/plain"]), "out")


def picture(source: str, captions: dict[str, str]) -> str:
    """Return the figure that a cell saves, as the vector file with its caption."""
    name = SAVED.search(source)
    if name is None:
        raise ValueError(f"a picture without figures.save: {source[:60]!r}")
    return raw(f'#picture("{name[1]}.svg", {json.dumps(captions[name[1]], ensure_ascii=False)})')


def chapter(path: Path, captions: dict[str, str]) -> str:
    """Return one notebook as Markdown."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    pieces = []
    for cell in notebook["cells"]:
        text = joined(cell["source"])
        if cell["cell_type"] == "markdown":
            pieces.append(prose(text, path.stem[:2]))
            continue
        pieces.append(fenced(text, "python"))
        pieces += [output(cell, stored, captions) for stored in cell["outputs"]]
    return "\n\n".join(pieces)


def appendix(report: Report) -> str:
    """Return the ledger as a table."""
    totals = ", ".join(f"{count} {name}" for name, count in report.totals().items())
    lines = [
        "# The ledger {#chapter-ledger}",
        "",
        f"Every claim, its verdict on the print, how far it was shown and where: {totals}.",
        raw("#show table: set text(size: 6.5pt)"),
        "| claim | statement | print | shown for | chapter, cell |",
        f"|{'-' * 30}|{'-' * 70}|{'-' * 20}|{'-' * 24}|{'-' * 14}|",  # the lengths are the widths
    ]
    for row in report.rows:
        place = report.places.get(row.id)
        where = f"[{place.notebook[:2]}, {place.cell}](#chapter-{place.notebook[:2]})" if place else ""
        scope = place.scope() if place else "not shown"
        lines.append(f"| {row.id} | {row.statement} | {row.verdict} | {scope} | {where} |")
    return "\n".join(lines)


def markdown() -> str:
    """Return the whole report as Markdown."""
    manifest = json.loads((FIGURES / "manifest.json").read_text(encoding="utf-8"))
    captions = {name: entry["caption"] for name, entry in manifest.items()}
    chapters = [chapter(path, captions) for path in sorted(NOTEBOOKS.glob("*.ipynb"))]
    return "\n\n".join([*chapters, appendix(read(NOTEBOOKS))])


def write(target: Path) -> None:
    """Set the report."""
    body = pypandoc.convert_text(markdown(), "typst", format=MARKDOWN, extra_args=["--wrap=none", "--fail-if-warnings"])
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(FIGURES, Path(folder) / "figures")
        source = Path(folder) / "report.typ"
        head = TEMPLATE.read_text(encoding="utf-8").replace("VERSION", emlib.__version__)
        source.write_text(head + body, encoding="utf-8")
        target.parent.mkdir(parents=True, exist_ok=True)
        typst.compile(source, output=target, root=folder, ignore_system_fonts=True)


def main() -> None:
    """Set the report."""
    parser = argparse.ArgumentParser(description="Set the executed notebooks as one PDF.")
    parser.add_argument("file", type=Path)
    write(parser.parse_args().file)


if __name__ == "__main__":
    main()
