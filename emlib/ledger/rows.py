"""The rows of the ledger: every claim of the note, as `claims.toml` lists them, and rows beyond it.

A derivation that the note only names has a file of its own beside it: `claims_missing_data.toml` holds the rows of the
section "missing data". They keep the same rules and are counted apart.
"""

from __future__ import annotations

import graphlib
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

FILE = "claims.toml"  # the note
PREFIX, SUFFIX = "claims_", ".toml"  # of the files beyond it

KINDS = ("definition", "claim", "step", "lemma", "proof-step", "prose")
VERDICTS = ("holds", "holds-under-conditions", "misprint", "false-as-stated")

# What a verdict obliges the row to say beyond its statement; no other row may say it.
EXTRA = {
    "holds": frozenset[str](),
    "holds-under-conditions": frozenset({"conditions"}),
    "misprint": frozenset({"printed", "correction"}),
    "false-as-stated": frozenset({"printed", "correction"}),
}


@dataclass(frozen=True)
class Row:
    """One claim of the note, or of a derivation beyond it.

    Attributes
    ----------
    id : str
        Name of the row, such as ``"5.2"`` or ``"missing-data.pattern"``; it begins with its section, hyphenated.
    section : int or str
        Section of the note, 1 to 5; beyond the note the name of the derivation, such as ``"missing data"``.
    kind : str
        One of ``KINDS``.
    statement : str
        What is claimed, in words and LaTeX; the right form where the note is wrong.
    verdict : str
        One of ``VERDICTS``, on the claim as the note prints it; beyond the note, as it is commonly printed.
    twin : str
        The wrong statement beside it that a check must refute.
    depends : tuple of str
        Ids of the rows that it rests on.
    uses : tuple of str
        Dotted names of what in emlib runs this formula.
    relations : tuple of str
        The relation signs of the note that it covers: ``"L92.3"`` is the third on line 92. None beyond the note.
    printed : str
        What the note prints, where that is a misprint or false.
    correction : str
        What is right there, and why.
    conditions : str
        What the note leaves out, where the claim holds under conditions.
    """

    id: str
    section: int | str
    kind: str
    statement: str
    verdict: str
    twin: str
    depends: tuple[str, ...]
    uses: tuple[str, ...]
    relations: tuple[str, ...]
    printed: str = ""
    correction: str = ""
    conditions: str = ""

    @property
    def beyond(self) -> bool:
        """Whether the row belongs to a derivation that the note only names."""
        return isinstance(self.section, str)


KEYS = frozenset(field.name for field in fields(Row))
REQUIRED = frozenset(field.name for field in fields(Row) if field.default is MISSING)
LISTS = frozenset({"depends", "uses", "relations"})


@cache
def load() -> tuple[Row, ...]:
    """Return the rows of the ledger: those of the note in its order, then those beyond it by file.

    Returns
    -------
    tuple of Row
        All rows, validated.

    Raises
    ------
    ValueError
        If the files of the package are not a valid ledger.
    """
    return parse(texts(resources.files(__package__)))


def texts(folder: Traversable) -> dict[str, str]:
    """Return the texts of the files of a ledger by name, the note's first.

    Parameters
    ----------
    folder : importlib.resources.abc.Traversable or pathlib.Path
        Holds ``claims.toml`` and any number of ``claims_NAME.toml``.

    Returns
    -------
    dict of str to str
        What :func:`parse` takes.
    """
    names = [file.name for file in folder.iterdir() if file.name.startswith(PREFIX) and file.name.endswith(SUFFIX)]
    return {name: folder.joinpath(name).read_text(encoding="utf-8") for name in (FILE, *sorted(names))}


def parse(files: Mapping[str, str]) -> tuple[Row, ...]:
    """Return the rows of a ledger given as TOML.

    Parameters
    ----------
    files : mapping of str to str
        From the name of a file, ``claims.toml`` or ``claims_NAME.toml``, to its text: a TOML document that holds an
        array of tables named ``claim`` and nothing else.

    Returns
    -------
    tuple of Row
        The rows, in the order of the files and of their texts.

    Raises
    ------
    ValueError
        If a text is not TOML, a row is not as :class:`Row` says or not of its file's section, an id stands twice, or
        the dependencies name an unknown row or run in a circle.
    """
    rows = tuple(row for file, text in files.items() for row in _rows(file, text))
    _check_unique(rows)
    _check_dependencies(rows)
    return rows


def needs(row: Row) -> frozenset[str]:
    """Return the kinds of evidence without which a row is not discharged.

    Parameters
    ----------
    row : Row
        The row.

    Returns
    -------
    frozenset of str
        Out of ``proof``, ``numbers``, ``illustration``, ``twin`` and ``counterexample``.
    """
    needed = {"illustration", "twin"} if row.kind in ("definition", "prose") else {"proof", "numbers", "twin"}
    return frozenset(needed | {"counterexample", "proof"} if row.verdict == "false-as-stated" else needed)


def _rows(file: str, text: str) -> list[Row]:
    """Return the checked rows of one file."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{file} is not TOML: {error}") from error
    if set(document) != {"claim"} or not isinstance(document["claim"], list):
        raise ValueError(f"{file} must hold [[claim]] tables and nothing else, got {', '.join(sorted(document))}")
    return [_row(table, number, file) for number, table in enumerate(document["claim"], start=1)]


def _row(table: dict[str, Any], number: int, file: str) -> Row:
    """Return one checked row; errors name it by its id, or by its place if it has none."""
    where = f"{file}, claim {table.get('id', f'number {number}')}"
    unknown, missing = sorted(set(table) - KEYS), sorted(REQUIRED - set(table))
    if unknown:
        raise ValueError(f"{where}: unknown key {', '.join(unknown)}; the keys are {', '.join(sorted(KEYS))}")
    if missing:
        raise ValueError(f"{where}: lacks {', '.join(missing)}")
    for key, value in table.items():
        _check_value(key, value, where)
    _check_section(table, file, where)
    if table["kind"] not in KINDS:
        raise ValueError(f"{where}: unknown kind {table['kind']!r}; it must be one of {', '.join(KINDS)}")
    if table["verdict"] not in VERDICTS:
        raise ValueError(f"{where}: unknown verdict {table['verdict']!r}; it must be one of {', '.join(VERDICTS)}")
    _check_extra(table, where)
    values: dict[str, Any] = {key: tuple(value) if key in LISTS else value for key, value in table.items()}
    return Row(**values)


def _check_value(key: str, value: object, where: str) -> None:
    if key == "section":
        return  # the file says what it must be
    if key in LISTS:
        right, wanted = isinstance(value, list) and all(isinstance(one, str) for one in value), "a list of strings"
    else:
        right, wanted = isinstance(value, str) and bool(value.strip()), "a string that is not empty"
    if not right:
        raise ValueError(f"{where}: {key} must be {wanted}, got {value!r}")


def _check_section(table: dict[str, Any], file: str, where: str) -> None:
    """Refuse a section that is not the file's, and an id that does not begin with it."""
    section = table["section"]
    if file == FILE:
        right, wanted = type(section) is int and section in range(1, 6), "an integer from 1 to 5"
    else:
        name = file.removeprefix(PREFIX).removesuffix(SUFFIX).replace("_", " ")
        right, wanted = section == name, f"{name!r}, as the file is called"
    if not right:
        raise ValueError(f"{where}: section must be {wanted}, got {section!r}")
    start = f"{section}.".replace(" ", "-")
    if not table["id"].startswith(start):
        raise ValueError(f"{where}: the id must begin with its section, {start!r}")


def _check_extra(table: dict[str, Any], where: str) -> None:
    """Refuse a row that says less about its verdict than it must, or about another verdict."""
    verdict = table["verdict"]
    given = {"printed", "correction", "conditions"} & set(table)
    lacking, stray = sorted(EXTRA[verdict] - given), sorted(given - EXTRA[verdict])
    if lacking:
        raise ValueError(f"{where}: a row that is {verdict} must say {' and '.join(lacking)}")
    if stray:
        raise ValueError(f"{where}: a row that is {verdict} has no place for {' and '.join(stray)}")


def _check_unique(rows: tuple[Row, ...]) -> None:
    for what, counts in (
        ("id", Counter(row.id for row in rows)),
        ("relation sign", Counter(sign for row in rows for sign in row.relations)),
    ):
        twice = sorted(name for name, count in counts.items() if count > 1)
        if twice:
            raise ValueError(f"{what} {', '.join(twice)} stands more than once in the ledger")


def _check_dependencies(rows: tuple[Row, ...]) -> None:
    graph = {row.id: row.depends for row in rows}
    for row in rows:
        unknown = [name for name in row.depends if name not in graph]
        if unknown:
            raise ValueError(f"claim {row.id}: depends on {', '.join(unknown)}, which the ledger lacks")
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        # graphlib lists each row before the one that rests on it.
        path = " -> ".join(reversed(error.args[1]))
        raise ValueError(f"the dependencies of the ledger run in a circle, each on the next: {path}") from None
