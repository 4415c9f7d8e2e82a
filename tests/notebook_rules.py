"""The rules that a stored notebook keeps: each a small function from the notebook's JSON to what is wrong.

nbval runs the cells and compares outputs; these rules close what it lets through (a cell never run, outputs wiped,
a marker that skips a cell) and what would differ from machine to machine.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import nbformat

Notebook = dict[str, Any]
Cell = dict[str, Any]
Rule = Callable[[Notebook], list[str]]

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
MARKER = re.compile(r"#.*\b(NBVAL_\w+|PYTEST_VALIDATE_IGNORE_OUTPUT)")
MARKER_TAGS = re.compile(r"nbval|raises-exception|skip-execution")
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)")
MEMORY_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")
EMBEDDED = re.compile(r"base64,[A-Za-z0-9+/=]+")  # letters of a picture, which may spell anything
ABSOLUTE_PATH = re.compile(r"""(?:^|[\s'"(=])(/[\w.-]+/[\w.-]+|[A-Z]:\\\w+)""", re.MULTILINE)


def text(cell: Cell) -> str:
    return "".join(cell["source"])


def code_cells(notebook: Notebook) -> list[Cell]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def outputs(notebook: Notebook) -> Iterator[dict[str, Any]]:
    for cell in code_cells(notebook):
        yield from cell["outputs"]


def where(cell: Cell) -> str:
    """Name a cell by its count and first line."""
    return f"[{cell.get('execution_count')}] {text(cell).strip().splitlines()[:1]}"


def printed(output: dict[str, Any]) -> str:
    """Return all that an output says in words: a stream, or its text, LaTeX and HTML."""
    parts = [output.get("text", ""), *(v for k, v in output.get("data", {}).items() if k.startswith("text/"))]
    return EMBEDDED.sub("", "\n".join("".join(part) for part in parts))


def starts_with_a_title(notebook: Notebook) -> list[str]:
    cells = notebook["cells"]
    if cells and cells[0]["cell_type"] == "markdown" and re.match(r"# \S", text(cells[0])):
        return []
    return ["the first cell must be Markdown and start with a title, `# ...`"]


def is_executed_in_order(notebook: Notebook) -> list[str]:
    counts = [cell["execution_count"] for cell in code_cells(notebook)]
    if counts and counts == list(range(1, len(counts) + 1)):
        return []
    return [f"code cells must be there and numbered 1..n in their order, got {counts}; run `make notebooks`"]


def has_no_empty_cell(notebook: Notebook) -> list[str]:
    return [f"cell {number} is empty" for number, cell in enumerate(notebook["cells"], 1) if not text(cell).strip()]


def stores_no_error(notebook: Notebook) -> list[str]:
    bad = [o for o in outputs(notebook) if o["output_type"] == "error" or o.get("name") == "stderr"]
    return [f"stored error or stderr: {(printed(o) or o.get('evalue', ''))[:80]!r}" for o in bad]


def merges_its_streams(notebook: Notebook) -> list[str]:
    """A cell that prints now and then sends as many streams as the clock will have it; `make notebooks` merges them."""
    return [
        f"printed text in several pieces: {where(cell)}; run `make notebooks`"
        for cell in code_cells(notebook)
        if max(Counter(output["name"] for output in cell["outputs"] if "name" in output).values(), default=0) > 1
    ]


def has_no_marker(notebook: Notebook) -> list[str]:
    """Look for what makes nbval pass over a cell, or over its outputs."""
    return [
        f"marker that turns a comparison off: {where(cell)}"
        for cell in code_cells(notebook)
        if MARKER.search(text(cell)) or any(MARKER_TAGS.match(tag) for tag in cell["metadata"].get("tags", []))
    ]


def has_plain_metadata(notebook: Notebook) -> list[str]:
    """Allow the kernel's name and tags; times of execution and versions would change at every run."""
    problems = []
    if notebook["metadata"] != {"kernelspec": KERNELSPEC}:
        problems.append(f"the notebook's metadata must be the kernelspec {KERNELSPEC} alone; run `make notebooks`")
    return problems + [
        f"metadata other than tags, {sorted(cell['metadata'])}: {where(cell)}; run `make notebooks`"
        for cell in code_cells(notebook)
        if not cell["metadata"].keys() <= {"tags"}
    ]


def is_plain_python(notebook: Notebook) -> list[str]:
    """Refuse magics and shell lines, which a reader cannot take along, and `;` at the end, which hides a value."""
    problems = []
    for cell in code_cells(notebook):
        try:
            ast.parse(text(cell))
        except SyntaxError:
            problems.append(f"not plain Python: {where(cell)}")
        if text(cell).rstrip().endswith(";"):
            problems.append(f"ends with ';': {where(cell)}")
        if "init_printing" in text(cell):
            problems.append(f"init_printing makes outputs depend on the terminal: {where(cell)}")
    return problems


def prints_nothing_of_the_machine(notebook: Notebook) -> list[str]:
    problems = []
    for output in outputs(notebook):
        for what, pattern in (("memory address", MEMORY_ADDRESS), ("absolute path", ABSOLUTE_PATH)):
            if found := pattern.search(printed(output)):
                problems.append(f"{what} in an output: {found.group().strip()!r}")
    return problems


def saves_each_picture(notebook: Notebook) -> list[str]:
    """A picture comes with its words and its numbers: the cell that shows it calls ``figures.save``."""
    return [
        f"a picture without figures.save(...): {where(cell)}"
        for cell in code_cells(notebook)
        if any(key.startswith("image/") for output in cell["outputs"] for key in output.get("data", {}))
        and "figures.save(" not in text(cell)
    ]


def is_valid(notebook: Notebook) -> list[str]:
    """Hold the notebook against the format's schema, where each cell has an id, and each id is its own."""
    problems = []
    if (notebook["nbformat"], notebook["nbformat_minor"]) < (4, 5):
        problems.append("nbformat must be 4.5 or later, where cells have ids")
    ids = [cell.get("id") for cell in notebook["cells"]]
    if None in ids or len(set(ids)) < len(ids):
        problems.append("two cells have the same id, or a cell has none")
    if problems:
        return problems  # nbformat would only mend the ids and warn
    try:
        nbformat.validate(nbformat.from_dict(notebook))
    except nbformat.ValidationError as error:
        problems.append(f"not valid: {error.message}")
    return problems


RULES: tuple[Rule, ...] = (
    starts_with_a_title,
    is_executed_in_order,
    has_no_empty_cell,
    stores_no_error,
    merges_its_streams,
    has_no_marker,
    has_plain_metadata,
    is_plain_python,
    prints_nothing_of_the_machine,
    saves_each_picture,
    is_valid,
)


def saved_figures(notebook: Notebook) -> list[str]:
    """Return the names under which a notebook saves figures; a name that is not written out is an error."""
    names = []
    for cell in code_cells(notebook):
        for node in ast.walk(ast.parse(text(cell))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "figures.save":
                name = node.args[1] if len(node.args) > 1 else None
                if not (isinstance(name, ast.Constant) and isinstance(name.value, str)):
                    raise ValueError(f"figures.save takes the name as its second argument, written out: {where(cell)}")
                names.append(name.value)
    return names


def links(notebook: Notebook) -> list[str]:
    """Return where the links of a notebook lead within the repository, those in Markdown outputs too."""
    texts = [text(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    texts += ["".join(output["data"].get("text/markdown", "")) for output in outputs(notebook) if "data" in output]
    return [target for written in texts for target in LINK.findall(written) if "://" not in target]
