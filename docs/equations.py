r"""Number the displayed equations of the notebooks: ``(12.3)`` is the third one of notebook 12.

A number is plain TeX, ``\tag{12.3}``, behind an anchor in plain HTML, so that it shows and can be linked to in
JupyterLab, on GitHub, in the book and in the report alike. Write a new equation as ``$$ ... $$`` on lines of its own
and run ``python docs/equations.py``: it numbers all of them in their order and carries links such as
``[(12.3)](12_gaussian_covariances.ipynb#eq-12-3)`` along. A tag of another form, as ``\tag{1}``, is replaced.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"

# What may stand before an equation on its line: an indent, the mark of a list or a quotation.
MARGIN = r"(?P<margin>^[ \t]*(?:(?:>|[-*+]|\d+\.)[ \t]+)*)"
CODE = re.compile(
    r"^[ \t>]*(?P<fence>`{3,}|~{3,})[^\n]*\n.*?^[ \t>]*(?P=fence)|(?P<tick>`+).+?(?P=tick)", re.DOTALL | re.M
)
EQUATION = re.compile(
    MARGIN + r'(?:<a id="eq-(?P<anchor>[\w-]+)"></a>[\s>]*)?'
    r"\$\$(?P<body>.+?)\s*(?:\\tag\{(?P<tag>[^}]*)\}\s*)?\$\$",
    re.DOTALL | re.MULTILINE,
)
LINK = re.compile(r"\[\(\d+\.\d+\)\]\((?P<file>[\w.]*)#eq-(?P<anchor>[\w-]+)\)")


def numbered(text: str, chapter: int, first: int) -> tuple[str, dict[str, str]]:
    """Return a cell with its equations numbered.

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
        The same with an anchor and a tag at each equation; code is left as it is.
    moved : dict of str to str
        From the old anchor of each equation, or a name of its own, to the new one.

    Raises
    ------
    ValueError
        If an equation does not begin its line, or is not closed.
    """
    moved: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        anchor = f"{chapter}-{first + len(moved)}"
        moved[match["anchor"] or f"new {anchor}"] = anchor
        margin = match["margin"]
        below = re.sub(r"[^\s>]", " ", margin)  # further lines of a list are indented, those of a quotation marked
        tag = anchor.replace("-", ".")
        return (
            f'{margin}<a id="eq-{anchor}"></a>\n{below.rstrip()}\n{below}$${match["body"].rstrip()} \\tag{{{tag}}} $$'
        )

    hidden, codes = _without_code(text)
    if strays := re.search(r"^.*\$\$.*$", EQUATION.sub("", hidden), re.MULTILINE):
        raise ValueError(f"an equation must begin its line and be closed by $$: {strays[0].strip()[:80]!r}")
    return _with_code(EQUATION.sub(number, hidden), codes), moved


def _without_code(text: str) -> tuple[str, list[str]]:
    """Return Markdown with each piece of code replaced by a mark, and the pieces."""
    codes: list[str] = []

    def hide(match: re.Match[str]) -> str:
        codes.append(match[0])
        return f"\0{len(codes) - 1}\0"

    return CODE.sub(hide, text), codes


def _with_code(text: str, codes: list[str]) -> str:
    return re.sub("\0(\\d+)\0", lambda match: codes[int(match[1])], text)


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

    Raises
    ------
    ValueError
        If an equation or a link to one is not well formed; the notebook is named.
    """
    notebooks = {path: nbformat.read(path, as_version=4) for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))}
    moved: dict[str, dict[str, str]] = {}
    for path, notebook in notebooks.items():
        anchors = moved[path.name] = {}
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                try:
                    cell.source, found = numbered(cell.source, int(path.name[:2]), len(anchors) + 1)
                except ValueError as error:
                    raise ValueError(f"{path.name}: {error}") from error
                anchors.update(found)
    for path, notebook in notebooks.items():
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = carried(cell.source, path.name, moved)
    return {path: nbformat.writes(notebook) + "\n" for path, notebook in notebooks.items()}


def main() -> None:
    """Write numbers into all notebooks."""
    parser = argparse.ArgumentParser(description="Number the displayed equations of the notebooks.")
    parser.parse_args()
    for path, text in number_all(NOTEBOOKS).items():
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"numbered {path.name}")


if __name__ == "__main__":
    main()
