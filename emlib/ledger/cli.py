"""``python -m emlib ledger``: the table of claims, their evidence and their places."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from emlib.ledger.report import LedgerError, Report, read


def main(arguments: list[str]) -> int:
    """Run ``python -m emlib ledger``.

    Parameters
    ----------
    arguments : list of str
        What stands after ``ledger`` on the command line.

    Returns
    -------
    int
        0; 1 when ``--missing`` finds something, or the notebooks contradict the ledger.
    """
    parser = argparse.ArgumentParser(
        prog="python -m emlib ledger",
        description="List the claims of the note and beyond it with the evidence that the executed notebooks hold.",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, width=80),
    )
    parser.add_argument("--missing", action="store_true", help="only what is not discharged, or rests on such a row")
    parser.add_argument("--json", action="store_true", help="everything, for machines")
    parser.add_argument("--notebooks", type=Path, default=Path("notebooks"), help="folder (default: notebooks)")
    options = parser.parse_args(arguments)
    try:
        report = read(options.notebooks)
    except LedgerError as error:
        print(f"problem: {error}")
        return 1
    if options.missing:
        return _print_missing(report)
    if options.json:
        print(json.dumps(_records(report), indent=1, ensure_ascii=False))
        return 0
    _print_table(report)
    return 0


def _print_missing(report: Report) -> int:
    lines = [f"{identifier}: not discharged" for identifier in report.missing()]
    lines += [f"{identifier}: rests on {', '.join(below)}" for identifier, below in report.unsupported().items()]
    for line in lines:
        print(line)
    return 1 if lines else 0


def _records(report: Report) -> list[dict[str, Any]]:
    """Return one dictionary a row: the row, its place and its evidence."""
    records = []
    for row in report.rows:
        place = report.places.get(row.id)
        records.append(
            {
                **vars(row),
                "scope": place.scope() if place else None,
                "notebook": place.notebook if place else None,
                "cell": place.cell if place else None,
                "evidence": list(place.evidence) if place else [],
            }
        )
    return records


def _print_table(report: Report) -> None:
    unsupported = report.unsupported()
    lines = [
        (
            record["id"],
            record["kind"],
            record["verdict"],
            _standing(record, unsupported),
            ", ".join(dict.fromkeys(piece["kind"] for piece in record["evidence"])),
            f"{record['notebook']}:{record['cell']}" if record["notebook"] else "",
            ", ".join(name.removeprefix("emlib.") for name in record["uses"]),
            record["statement"],
        )
        for record in _records(report)
    ]
    lines.insert(0, ("claim", "kind", "note", "shown for", "evidence", "notebook:cell", "emlib function", "statement"))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    widths[-1] = 0  # nothing stands behind it
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)))
    print()
    totals = report.totals()
    print(report.summary())
    print(", ".join(f"{totals[name]} {name}" for name in ("proved", "proved for every size", "false as printed")))


def _standing(record: dict[str, Any], unsupported: dict[str, list[str]]) -> str:
    if record["scope"] is None:
        return "NOT DISCHARGED"
    if record["id"] in unsupported:
        return f"rests on {', '.join(unsupported[record['id']])}"
    return str(record["scope"])
