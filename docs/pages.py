"""Write the sources of the book: the notebooks, and the pages made from the ledger, the figures and the package.

Run it as ``python docs/pages.py FOLDER`` from the top of the repository; ``make book`` does.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any

import emlib
from emlib.ledger import read
from emlib.ledger.report import Report

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
FIGURES = ROOT / "figures"

# The parts of the book: a heading, and the first and last number of its notebooks.
PARTS = (
    ("Start", 0, 1),
    ("The derivation, step by step", 2, 15),
    ("Beyond the note: missing data, hidden Markov models", 16, 17),
    ("Published numbers, and models of your own", 18, 19),
    ("Experiments", 20, 99),
)
MODULES = (
    "emlib.em",
    "emlib.models.mixture",
    "emlib.models.decomposition",
    "emlib.estimators",
    "emlib.priors",
    "emlib.proof",
    "emlib.ledger",
    "emlib.figures",
    "emlib.datasets",
    "emlib.errors",
)


def index() -> str:
    """Return the front page: the README's own text, then the contents."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    readme = readme.replace("](notebooks/", "](notebooks/").replace('src="figures/', 'src="_static/figures/')
    lines = [readme.rstrip(), ""]
    for title, first, last in PARTS:
        names = [path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb")) if first <= int(path.stem[:2]) <= last]
        if names:
            lines += toctree(title, [f"notebooks/{name}" for name in names])
    pages = ["ledger", "gallery", "api/index", "bibliography", "cite", "contributing"]
    return "\n".join([*lines, *toctree("Reference", pages)])


def toctree(caption: str, pages: list[str]) -> list[str]:
    """Return the lines of a hidden table of contents."""
    return ["```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""]


def ledger(report: Report) -> str:
    """Return the page of all claims: a table that the page's script sorts and filters."""
    totals = ", ".join(f"{count} {name}" for name, count in report.totals().items())
    head = ("claim", "statement", "verdict on the print", "shown for", "where", "in emlib")
    cells = "".join(f'<th scope="col">{name}</th>' for name in head)
    rows = "\n".join(ledger_row(report, row) for row in report.rows)
    return f"""# The ledger

Every claim, the verdict on its printed form, how far it was shown, the cell that shows it and the code that uses it: {totals}. The table is made from the
stored outputs of the notebooks.

<div class="ledger-controls" hidden></div>

<table class="ledger docutils" id="ledger">
<thead><tr>{cells}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
"""


def ledger_row(report: Report, row: Any) -> str:
    """Return one row of the ledger as HTML; its mathematics is left to MathJax."""
    place = report.places.get(row.id)
    where = "not shown"
    scope = "not shown"
    if place is not None:
        where = f'<a href="notebooks/{place.notebook}.html#cell-{place.cell}">{place.notebook}, cell {place.cell}</a>'
        scope = escape(place.scope())
    uses = "<br>".join(code_link(name) for name in row.uses)
    values = (
        f'<td id="claim-{row.id}"><code>{row.id}</code></td>',
        f'<td class="statement tex2jax_process">{mathematics(row.statement)}</td>',
        f"<td>{row.verdict}</td>",
        f"<td>{scope}</td>",
        f"<td>{where}</td>",
        f"<td>{uses}</td>",
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
    return f'<a href="_modules/{module}.html#{thing.__qualname__}"><code>{name.removeprefix("emlib.")}</code></a>'


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


def gallery() -> str:
    """Return the page of all figures, each with its caption and the files to take away."""
    manifest = json.loads((FIGURES / "manifest.json").read_text(encoding="utf-8"))
    figures = "\n".join(gallery_figure(name, entry) for name, entry in manifest.items())
    return f"""# Figures

Each figure comes as PDF, SVG and PNG, with the numbers behind it as JSON.
`python -m emlib figures --help` says how to draw them at the width of your page.

<div class="gallery">
{figures}
</div>
"""


def gallery_figure(name: str, entry: dict[str, Any]) -> str:
    """Return one figure as HTML."""
    files = " ".join(
        f'<a href="_static/figures/{name}.{suffix}" download>{suffix.upper()}</a>' for suffix in ("pdf", "svg", "png", "json")
    )
    return (
        f'<figure id="{name}"><a href="_static/figures/{name}.png"><img src="_static/figures/{name}.png" loading="lazy" '
        f'alt="{escape(entry["alt"], quote=True)}"></a><figcaption>{escape(entry["caption"])}<br>{files}</figcaption></figure>'
    )


def api() -> dict[str, str]:
    """Return the pages of the reference: an index, and one page a module."""
    pages = {"index": "# Reference\n\n" + "\n".join(["```{toctree}", "", *MODULES, "```", ""])}
    for name in MODULES:
        pages[name] = f"# {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n   :member-order: bysource\n```\n"
    return pages


def copied(name: str) -> str:
    """Return a text of the repository, with its links to notebooks as they are in the book."""
    return (ROOT / name).read_text(encoding="utf-8")


def citation() -> str:
    """Return the page that says how to cite."""
    return f"# How to cite\n\nemlib {emlib.__version__}; the same in `CITATION.cff` at the top of the repository:\n\n```yaml\n{copied('CITATION.cff')}```\n"


def bibliography() -> str:
    """Return the page of references."""
    return "# Bibliography\n\n```{bibliography}\n:all:\n```\n"


def write(folder: Path) -> None:
    """Write all sources of the book into a folder."""
    if folder.exists():
        shutil.rmtree(folder)
    (folder / "api").mkdir(parents=True)
    shutil.copytree(NOTEBOOKS, folder / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    shutil.copytree(ROOT / "docs" / "_static", folder / "_static")
    shutil.copytree(FIGURES, folder / "_static" / "figures")
    shutil.copy(ROOT / "docs" / "references.bib", folder)
    pages: dict[str, Callable[[], str]] = {
        "index": index,
        "ledger": lambda: ledger(read(NOTEBOOKS)),
        "gallery": gallery,
        "bibliography": bibliography,
        "cite": citation,
        "contributing": lambda: copied("CONTRIBUTING.md"),
    }
    for name, make in pages.items():
        (folder / f"{name}.md").write_text(make(), encoding="utf-8")
    for name, text in api().items():
        (folder / "api" / f"{name}.md").write_text(text, encoding="utf-8")


def main() -> None:
    """Write the sources of the book."""
    parser = argparse.ArgumentParser(description="Write the sources of the book.")
    parser.add_argument("folder", type=Path)
    write(parser.parse_args().folder)


if __name__ == "__main__":
    main()
