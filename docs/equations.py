r"""Number the displayed equations of the notebooks: ``(12.3)`` is the third one of notebook 12.

A number is plain TeX, ``\tag{12.3}``, behind an anchor in plain HTML, so that it shows and can be linked to in JupyterLab, on
GitHub, in the book and in the report alike. Write a new equation as ``$$ ... $$`` and run ``python docs/equations.py``: it
numbers all of them in their order and carries links such as ``[(12.3)](12_gaussian_covariances.ipynb#eq-12-3)`` along.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"

EQUATION = re.compile(
    r'(?:<a id="eq-(?P<anchor>[\w-]+)"></a>\s*)?\$\$(?P<body>.+?)\s*(?:\\tag\{(?P<tag>[^}]*)\}\s*)?\$\$', re.DOTALL
)
LINK = re.compile(r"\[\(\d+\.\d+\)\]\((?P<file>[\w.]*)#eq-(?P<anchor>[\w-]+)\)")


def numbered(text: str, chapter: int, first: int) -> tuple[str, dict[str, str]]:
    """Number the equations of one cell.

    Parameters
    ----------
    text : str
        Markdown.
    chapter : int
        Number of the notebook.
    first : int
        Number of the cell's first equation.

    Returns
    -------
    text : str
        The same with an anchor and a tag at each equation.
    moved : dict of str to str
        From the old anchor of each equation, or a name of its own, to the new one.
    """
    moved: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        position = first + len(moved)
        anchor = f"{chapter}-{position}"
        moved[match["anchor"] or f"new {anchor}"] = anchor
        return f'<a id="eq-{anchor}"></a>\n\n$${match["body"].rstrip()} \\tag{{{chapter}.{position}}} $$'

    return EQUATION.sub(number, text), moved


def carried(text: str, own: str, moved: dict[str, dict[str, str]]) -> str:
    """Return a cell with its links to equations pointing at their new numbers.

    Parameters
    ----------
    text : str
        Markdown.
    own : str
        File name of the notebook, for links that name none.
    moved : dict of str to dict of str to str
        For each file, from old anchors to new ones.

    Returns
    -------
    str
        The text.

    Raises
    ------
    ValueError
        If a link points at an equation that is not there.
    """

    def carry(match: re.Match[str]) -> str:
        anchors = moved.get(match["file"] or own, {})
        if match["anchor"] not in anchors:
            raise ValueError(f"{own} links to an equation that is not there: {match[0]}")
        anchor = anchors[match["anchor"]]
        return f"[({anchor.replace('-', '.')})]({match['file']}#eq-{anchor})"

    return LINK.sub(carry, text)


def number_all(folder: Path) -> dict[Path, str]:
    """Return the text of each notebook of a folder with all equations numbered.

    Parameters
    ----------
    folder : pathlib.Path
        Notebooks whose names begin with two digits.

    Returns
    -------
    dict of pathlib.Path to str
        What each file should hold.
    """
    notebooks = {path: nbformat.read(path, as_version=4) for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))}
    moved: dict[str, dict[str, str]] = {}
    for path, notebook in notebooks.items():
        anchors = moved[path.name] = {}
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source, found = numbered(cell.source, int(path.name[:2]), len(anchors) + 1)
                anchors.update(found)
    for path, notebook in notebooks.items():
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = carried(cell.source, path.name, moved)
    return {path: nbformat.writes(notebook) + "\n" for path, notebook in notebooks.items()}


def main() -> None:
    """Number the equations of all notebooks."""
    parser = argparse.ArgumentParser(description="Number the displayed equations of the notebooks.")
    parser.parse_args()
    for path, text in number_all(NOTEBOOKS).items():
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"numbered {path.name}")


if __name__ == "__main__":
    main()
