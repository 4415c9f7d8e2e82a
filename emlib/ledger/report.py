"""What the executed notebooks show: the evidence of each row, what is missing, and what rests on what."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emlib.ledger.rows import Row, load

MIME = "application/vnd.emlib.claim+json"  # of the record that a discharged claim leaves in its notebook
NO_SIZE = "every value of the symbols"
OPEN_SIZES = re.compile(r"every \w+ >= 1(, \w+ >= 1)*")


@dataclass(frozen=True)
class Place:
    """Where a row was discharged, and with what.

    Attributes
    ----------
    notebook : str
        Name of the notebook, without its suffix.
    cell : int
        Execution count of the cell.
    evidence : tuple of dict
        ``kind``, ``scope`` and ``text`` of each piece.
    """

    notebook: str
    cell: int
    evidence: tuple[dict[str, str], ...]

    def scope(self) -> str:
        """Return how far the row was proved, or that it was shown on an example.

        Returns
        -------
        str
            The scopes of its proofs, joined.
        """
        proofs = [piece["scope"] for piece in self.evidence if piece["kind"] == "proof"]
        return join_scopes(proofs) if proofs else "example"

    def for_every_size(self) -> bool:
        """Return whether a proof of the row leaves all its sizes open, or none of its proofs has a size.

        Returns
        -------
        bool
            False for a row that was proved at explicit sizes only, such as ``every M and N = 1..4``.
        """
        scopes = {piece["scope"] for piece in self.evidence if piece["kind"] == "proof"}
        return any(map(OPEN_SIZES.fullmatch, scopes)) or scopes == {NO_SIZE}


def join_scopes(scopes: Iterable[str]) -> str:
    """Return several scopes as one text, in which each size that is left open stands once.

    Parameters
    ----------
    scopes : iterable of str
        Such as ``every M >= 1``, ``every M >= 1, N >= 1`` and ``N = 1..5``. A proof that does not name a size holds
        for all of them.

    Returns
    -------
    str
        Such as ``every M >= 1, N >= 1; N = 1..5``.
    """
    sizes: dict[str, None] = {}
    others: dict[str, None] = {}
    for scope in scopes:
        if OPEN_SIZES.fullmatch(scope):
            sizes.update(dict.fromkeys(scope.removeprefix("every ").split(", ")))
        else:
            others[scope] = None
    return "; ".join([f"every {', '.join(sizes)}"] * bool(sizes) + list(others))


class LedgerError(ValueError):
    """The notebooks and the ledger contradict each other."""


@dataclass(frozen=True)
class Report:
    """The ledger beside what the notebooks show.

    Attributes
    ----------
    rows : tuple of Row
        The ledger.
    places : dict of str to Place
        Where each discharged row stands.
    """

    rows: tuple[Row, ...]
    places: dict[str, Place]

    def missing(self) -> list[str]:
        """Return the ids of the rows that no notebook discharges.

        Returns
        -------
        list of str
            In the order of the ledger.
        """
        return [row.id for row in self.rows if row.id not in self.places]

    def unsupported(self) -> dict[str, list[str]]:
        """Return discharged rows that rest, directly or not, on rows that are not.

        Returns
        -------
        dict of str to list of str
            Id to the undischarged ids below it.
        """
        known = {row.id: row for row in self.rows}
        below: dict[str, list[str]] = {}

        def search(identifier: str) -> list[str]:
            if identifier not in below:
                below[identifier] = []  # the ledger has no cycles
                found = [] if identifier in self.places else [identifier]
                for dependency in known[identifier].depends:
                    found += search(dependency)
                below[identifier] = list(dict.fromkeys(found))
            return below[identifier]

        return {row.id: search(row.id) for row in self.rows if row.id in self.places and search(row.id)}

    def totals(self) -> dict[str, int]:
        """Return how many rows there are of each standing; rows beyond the note are counted apart.

        Returns
        -------
        dict of str to int
            Of the note ``rows``, ``discharged``, ``proved``, ``proved for every size``, ``false as printed``; if the
            ledger has others, ``rows beyond the note`` and ``discharged beyond the note``.
        """
        note = [row for row in self.rows if not row.beyond]
        places = [self.places[row.id] for row in note if row.id in self.places]
        totals = {
            "rows": len(note),
            "discharged": len(places),
            "proved": sum(place.scope() != "example" for place in places),
            "proved for every size": sum(place.for_every_size() for place in places),
            "false as printed": sum(row.verdict == "false-as-stated" for row in note if row.id in self.places),
        }
        if len(note) < len(self.rows):
            totals["rows beyond the note"] = len(self.rows) - len(note)
            totals["discharged beyond the note"] = len(self.places) - len(places)
        return totals

    def summary(self) -> str:
        """Return how many claims are discharged, in one line.

        Returns
        -------
        str
            Such as ``181 of 181 claims of the note; 12 of 12 beyond it``.
        """
        totals = self.totals()
        text = f"{totals['discharged']} of {totals['rows']} claims of the note"
        if "rows beyond the note" in totals:
            text += f"; {totals['discharged beyond the note']} of {totals['rows beyond the note']} beyond it"
        return text


def read(folder: str | Path) -> Report:
    """Read the stored outputs of the notebooks in a folder.

    Parameters
    ----------
    folder : str or pathlib.Path
        Folder of executed notebooks.

    Returns
    -------
    Report
        The ledger beside the evidence.

    Raises
    ------
    LedgerError
        If there is no such folder, a row is discharged twice, or a notebook names a row that the ledger lacks.
    """
    if not Path(folder).is_dir():
        raise LedgerError(f"there is no folder {str(folder)!r}: run this where emlib was cloned, or name the folder")
    rows = load()
    known = {row.id for row in rows}
    places: dict[str, Place] = {}
    for path in sorted(Path(folder).glob("*.ipynb")):
        for cell, record in _records(json.loads(path.read_text(encoding="utf-8"))):
            identifier = record["id"]
            place = Place(path.stem, cell, tuple(record["evidence"]))
            if identifier not in known:
                raise LedgerError(f"{path.name}, cell {cell}: the ledger has no claim {identifier!r}")
            if identifier in places:
                first = places[identifier]
                raise LedgerError(
                    f"claim {identifier} is discharged twice: in {first.notebook}, cell {first.cell}, and in "
                    f"{place.notebook}, cell {cell}"
                )
            places[identifier] = place
    return Report(rows, places)


def _records(notebook: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """Return the execution count and the record of each claim in a notebook."""
    return [
        (cell["execution_count"], output["data"][MIME])
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
        for output in cell["outputs"]
        if MIME in output.get("data", {})
    ]
