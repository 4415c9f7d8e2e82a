"""Write the sources of the book: the notebooks, and the pages made from the ledger, the figures and the package.

Run it as ``python docs/pages.py FOLDER`` from the top of the repository; ``make book`` does.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import nbformat
import yaml
from api_pages import api
from ledger_page import ledger

from emlib.ledger import read

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
# Files of the repository that are pages of the book; links to other files become plain words.
PLACES = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "CITATION.cff": "cite.md",
    "figures/": "gallery.md",
}
LINK = re.compile(r"\[(?P<words>[^\[\]]+)\]\((?P<target>[^()\s]+)\)")


def index() -> str:
    """Return the front page: the README's own text, then the contents."""
    lines = [copied("README.md").rstrip(), ""]
    for title, first, last in PARTS:
        names = [path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb")) if first <= int(path.stem[:2]) <= last]
        if names:
            lines += toctree(title, [f"notebooks/{name}" for name in names])
    pages = ["notation", "ledger", "gallery", "api/emlib", "bibliography", "cite", "contributing", "changelog"]
    return "\n".join([*lines, *toctree("Reference", pages)])


def toctree(caption: str, pages: list[str]) -> list[str]:
    """Return the lines of a hidden table of contents."""
    return ["```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""]


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
        f'<a href="figures/{name}.{suffix}" download>{suffix.upper()}</a>' for suffix in ("pdf", "svg", "png", "json")
    )
    notebook, cell = entry["source"]["notebook"], entry["source"]["cell"]
    origin = f'<a href="notebooks/{notebook}.html#cell-{cell}">notebook {notebook[:2]}, cell {cell}</a>'
    return (
        f'<figure id="{name}"><a href="figures/{name}.png"><img src="figures/{name}.png" loading="lazy" '
        f'alt="{escape(entry["alt"], quote=True)}"></a><figcaption>{escape(entry["caption"])}<br>'
        f'<code>{name}</code>, from {origin}: <span class="together">{files}</span></figcaption></figure>'
    )


def copied(name: str) -> str:
    """Return a text of the repository, with its links as they are in the book."""

    def place(match: re.Match[str]) -> str:
        target = PLACES.get(match["target"], match["target"])
        stays = target in PLACES.values() or target.startswith(("notebooks/", "figures/", "#")) or "://" in target
        return f"[{match['words']}]({target})" if stays else match["words"]

    return LINK.sub(place, (ROOT / name).read_text(encoding="utf-8"))


def notation() -> str:
    """Return the section "Notation" of the reading guide: its words, and the table that its cell made."""
    cells = nbformat.read(NOTEBOOKS / "00_reading_guide.ipynb", as_version=4).cells
    first = next(
        i for i, cell in enumerate(cells) if cell.cell_type == "markdown" and cell.source.startswith("## Notation")
    )
    pieces = [cells[first].source.replace("## Notation", "# Notation", 1)]
    for cell in cells[first + 1 :]:
        if cell.cell_type == "code":
            pieces += [
                output.data["text/markdown"] for output in cell.outputs if "text/markdown" in output.get("data", {})
            ]
        else:
            words, *rest = re.split(r"^## ", cell.source, maxsplit=1, flags=re.MULTILINE)
            pieces.append(words)
            if rest:
                break
    return "\n\n".join(piece.strip() for piece in pieces) + "\n"


def citation() -> str:
    """Return the page that says how to cite, made from CITATION.cff."""
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    return f"""# How to cite

{yaml.safe_load(text)["message"]}

```bibtex
{bibtex(yaml.safe_load(text))}
```

The same for programs that read `CITATION.cff`, with the works that emlib rests on:

```yaml
{text}```
"""


def bibtex(entry: dict[str, Any]) -> str:
    """Return what CITATION.cff says of emlib itself as an entry of BibTeX."""
    people = (
        f"{{{person['name']}}}" if "name" in person else f"{person['family-names']}, {person['given-names']}"
        for person in entry["authors"]
    )
    fields = {
        "author": " and ".join(people),
        "title": f"{{{entry['title']}}}",
        "version": entry["version"],
        "year": str(entry.get("date-released", ""))[:4],
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join(["@software{emlib,", *lines, "}"])


def bibliography() -> str:
    """Return the page of references."""
    return "# Bibliography\n\n```{bibliography}\n:all:\n```\n"


def write(folder: Path) -> None:
    """Write all sources of the book into a folder."""
    if folder.exists():
        shutil.rmtree(folder)
    (folder / "api").mkdir(parents=True)
    shutil.copytree(NOTEBOOKS, folder / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    shutil.copytree(FIGURES, folder / "figures")
    shutil.copy(ROOT / "docs" / "references.bib", folder)
    pages: dict[str, Callable[[], str]] = {
        "index": index,
        "ledger": lambda: ledger(read(NOTEBOOKS)),
        "notation": notation,
        "gallery": gallery,
        "bibliography": bibliography,
        "cite": citation,
        "contributing": lambda: copied("CONTRIBUTING.md"),
        "changelog": lambda: copied("CHANGELOG.md"),
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
