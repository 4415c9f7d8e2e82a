"""The report says of each row what the stored notebooks hold, and refuses what contradicts the ledger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from emlib.__main__ import main
from emlib.ledger import LedgerError, Report, Row, load, read
from emlib.ledger.report import MIME, Place, join_scopes

PROOF = {"kind": "proof", "scope": "every n >= 1", "text": "normal form"}
NUMBERS = {"kind": "numbers", "scope": "one floating-point point", "text": "rtol"}


def notebook(folder: Path, name: str, *records: dict[str, Any]) -> None:
    """Write a notebook whose code cells leave the given records, one each."""
    cells: list[dict[str, Any]] = [{"cell_type": "markdown", "source": "# Title"}]
    for count, record in enumerate(records, start=1):
        outputs = [{"data": {"text/plain": "x"}}, {"data": {MIME: record, "text/plain": "y"}}, {"text": "printed"}]
        cells.append({"cell_type": "code", "execution_count": count, "outputs": outputs})
    (folder / f"{name}.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")


def test_rows_are_found_with_their_places(tmp_path: Path) -> None:
    notebook(tmp_path, "02_a", {"id": "5.1", "evidence": [PROOF, NUMBERS]}, {"id": "5.2", "evidence": [NUMBERS]})
    report = read(tmp_path)
    assert (report.places["5.2"].notebook, report.places["5.2"].cell) == ("02_a", 2)
    assert report.places["5.1"].scope() == "every n >= 1"
    assert report.places["5.2"].scope() == "example"
    assert len(report.missing()) == len(load()) - 2
    assert report.totals()["discharged"] == 2
    assert report.totals()["proved for every size"] == 1


def test_a_row_discharged_twice_is_an_error(tmp_path: Path) -> None:
    notebook(tmp_path, "02_a", {"id": "5.1", "evidence": [PROOF]})
    notebook(tmp_path, "03_b", {"id": "5.2", "evidence": [PROOF]}, {"id": "5.1", "evidence": [PROOF]})
    with pytest.raises(LedgerError, match=r"claim 5\.1 is discharged twice: in 02_a, cell 1, and in 03_b, cell 2"):
        read(tmp_path)


def test_an_id_that_the_ledger_lacks_is_an_error(tmp_path: Path) -> None:
    notebook(tmp_path, "02_a", {"id": "9.9", "evidence": [PROOF]})
    with pytest.raises(LedgerError, match=r"02_a\.ipynb, cell 1: the ledger has no claim '9\.9'"):
        read(tmp_path)


def test_a_row_that_rests_on_an_open_one_is_not_shown_as_proved(tmp_path: Path) -> None:
    dependent = next(row for row in load() if row.depends)
    notebook(tmp_path, "02_a", {"id": dependent.id, "evidence": [PROOF]})
    assert set(dependent.depends) <= set(read(tmp_path).unsupported()[dependent.id])


def test_a_complete_ledger_has_nothing_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook(tmp_path, "02_a", *({"id": row.id, "evidence": [PROOF]} for row in load()))
    assert main(["ledger", "--missing", "--notebooks", str(tmp_path)]) == 0
    assert capsys.readouterr().out == ""


def test_the_command_lists_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dependent = next(row for row in load() if row.depends)
    notebook(tmp_path, "02_a", {"id": dependent.id, "evidence": [PROOF]})
    assert main(["ledger", "--missing", "--notebooks", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert f"{dependent.depends[0]}: not discharged" in out
    assert f"{dependent.id}: rests on " in out


def test_the_table_has_a_line_for_each_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook(tmp_path, "02_a", {"id": load()[0].id, "evidence": [PROOF, NUMBERS]})
    assert main(["ledger", "--notebooks", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(load()) + 3
    assert "every n >= 1" in lines[1]
    assert "02_a:1" in lines[1]
    assert "NOT DISCHARGED" in lines[2]
    assert lines[-2].startswith("1 of 181 claims of the note")
    assert lines[-1] == "1 proved, 1 proved for every size, 0 false as printed"


@pytest.mark.parametrize(
    ("scopes", "joined", "every_size"),
    [
        (["every M >= 1", "every M >= 1, N >= 1"], "every M >= 1, N >= 1", True),
        (["N = 1..5", "every N >= 1"], "every N >= 1; N = 1..5", True),
        (["every value of the symbols"], "every value of the symbols", True),
        (["every value of the symbols", "M = 2..5"], "every value of the symbols; M = 2..5", False),
        (["every M and N = 1..4"], "every M and N = 1..4", False),
        (["n = 2..5"], "n = 2..5", False),
        ([], "example", False),
    ],
)
def test_scopes_are_joined_and_only_open_sizes_count_as_every(scopes: list[str], joined: str, every_size: bool) -> None:
    place = Place("02_a", 1, (NUMBERS, *({"kind": "proof", "scope": scope, "text": ""} for scope in scopes)))
    assert place.scope() == joined
    assert place.for_every_size() == every_size
    assert join_scopes(scopes) == (joined if scopes else "")


def test_rows_beyond_the_note_are_counted_apart() -> None:
    note = [Row(f"1.{name}", 1, "step", "s", "false-as-stated", "t", (), (), ()) for name in "ab"]
    beyond = [Row(f"hmm.{name}", "hmm", "step", "s", "false-as-stated", "t", (), (), ()) for name in "abc"]
    places = {row.id: Place("02_a", 1, (PROOF,)) for row in (note[0], *beyond[:2])}
    report = Report((*note, *beyond), places)
    assert report.summary() == "1 of 2 claims of the note; 2 of 3 beyond it"
    assert report.totals() == {
        "rows": 2,
        "discharged": 1,
        "proved": 1,
        "proved for every size": 1,
        "false as printed": 1,
        "rows beyond the note": 3,
        "discharged beyond the note": 2,
    }
    assert report.missing() == ["1.b", "hmm.c"]
    assert Report(tuple(note), {}).summary() == "0 of 2 claims of the note"
    assert "rows beyond the note" not in Report(tuple(note), {}).totals()


def test_the_json_has_every_row_with_its_evidence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook(tmp_path, "02_a", {"id": "5.1", "evidence": [PROOF]})
    assert main(["ledger", "--json", "--notebooks", str(tmp_path)]) == 0
    records = {record["id"]: record for record in json.loads(capsys.readouterr().out)}
    assert records["5.1"]["evidence"] == [PROOF]
    assert records["5.1"]["cell"] == 1
    assert records["5.2"]["notebook"] is None


def test_the_command_says_what_contradicts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook(tmp_path, "02_a", {"id": "9.9", "evidence": []})
    assert main(["ledger", "--notebooks", str(tmp_path)]) == 1
    assert capsys.readouterr().out.startswith("problem: 02_a.ipynb, cell 1")
