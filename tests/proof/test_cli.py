"""python -m emlib verify: tables, JSON, exit status, files of identities."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import emlib.proof
from emlib.__main__ import main
from emlib.proof._layers import exact, symbolic
from emlib.proof._layers.verdict import Status
from emlib.proof._shapes import read
from emlib.proof.identity_file import Entry, IdentityFileError, read_identities
from emlib.proof.verification import verify

COOKBOOK = Path(emlib.proof.__file__).parent / "identities" / "matrix_cookbook.txt"
ENTRIES = read_identities(COOKBOOK)
GOOD = "grad(log(det(A)), A) == 2*inv(A) - diag(inv(A))"


@pytest.mark.parametrize(
    ("arguments", "status", "printed"),
    [
        ([GOOD, "--symmetric", "A"], 0, "verdict: holds for every n"),
        ([GOOD], 1, "verdict: refuted: entry"),
        (["inv(A - A) == A"], 3, "verdict: not decided"),
        (["t*X == X*t", "--scalar", "t", "--shape", "X:n,m"], 0, "every n, m"),
        (["tr(D*S) == tr(S*D)", "--diagonal", "D", "--spd", "S", "--seed", "4"], 0, "holds"),
    ],
)
def test_one_identity(arguments: list[str], status: int, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", *arguments]) == status
    assert printed in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tr(A == 1"], "did not expect '=='"),
        (["no_such_file.txt"], "neither an identity"),
        (["A = B"], "one =="),
        (["A == A", "--shape", "A"], "NAME:ROWS,COLS"),
        (["A == A", "--shape", "A:n,"], "NAME:ROWS,COLS"),
        (["A == A", "--scalar", "tr"], "free name"),
        ([str(COOKBOOK), "--symmetric", "A"], "behind a bar"),
    ],
)
def test_bad_input(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err


def test_a_contradiction_is_neither_a_refutation_nor_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(symbolic.RULES, "transpose", lambda node: symbolic._read(node.args[0]))
    assert main(["verify", "A' == A"]) == 4
    assert "emlib contradicts itself" in capsys.readouterr().err


def test_bad_options(capsys: pytest.CaptureFixture[str]) -> None:
    for options in (["--seed", "-1"], ["--unknown"]):
        with pytest.raises(SystemExit) as stop:
            main(["verify", "A == A", *options])
        assert stop.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", GOOD, "--symmetric", "A", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["holds"] is True
    assert [layer["status"] for layer in result["layers"]] == ["proved", "proved", "holds", "holds"]
    assert result["conditions"] == ["det(A) > 0"]


FILE = """\
# comment
tr(A*B) == tr(B*A)          # a comment behind
(1) | A*B == B*A | --expect refuted

(2) | t*A == A*t | --scalar t
inv(A - A) == A | --expect undecided
"""


def test_a_file_as_expected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "identities.txt"
    path.write_text(FILE, encoding="utf-8")
    assert main(["verify", str(path)]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0].split() == [
        "label",
        "verdict",
        "symbolic",
        "n",
        "explicit",
        "n",
        "exact",
        "n",
        "numeric",
        "n",
        "identity",
    ]
    assert lines[2].split()[:2] == ["(1)", "refuted"]
    assert lines[-1] == "4 identities: 2 hold (2 proved for every n), 1 refuted, 1 not decided; 0 not as expected"
    assert "identity" in captured.err  # the progress bar
    assert main(["verify", str(path), "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert [result["label"] for result in results] == ["", "(1)", "(2)", ""]
    assert all(result["as_expected"] for result in results)


@pytest.mark.parametrize(
    ("line", "status"),
    [("A*B == B*A", 1), ("inv(A - A) == A", 3), ("A == A | --expect refuted", 1)],
)
def test_a_file_not_as_expected(line: str, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "identities.txt"
    path.write_text(line, encoding="utf-8")
    assert main(["verify", str(path)]) == status
    printed = capsys.readouterr().out
    assert "(!)" in printed
    assert "line 1, not as expected" in printed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no identity"),
        ("# only a comment", "holds no identity"),
        ("A", "line 1: expected"),
        ("\na | b | A == A", "line 2: expected"),
        ("A == A | B == B", "expected"),
        ("A == A | --nothing", "unrecognized"),
        ("A == A | --expect maybe", "invalid choice"),
        ("A == A | --shape 'A", "No closing quotation"),
        ("A == A | --shape A", "NAME:ROWS,COLS"),
        ("A == A\nA == $", "line 2: this character"),
        ("\xff", "cannot be read"),
        ("#" * 1_000_001, "bytes"),
    ],
)
def test_a_bad_file(text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "identities.txt"
    path.write_text(text, encoding="latin-1")
    assert main(["verify", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_a_directory_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(IdentityFileError, match="cannot be read"):
        read_identities(tmp_path)


def test_the_text_is_the_same_in_every_run() -> None:
    printed = set()
    for hash_seed, columns in (("0", "40"), ("7", "200")):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "COLUMNS": columns}
        command = [sys.executable, "-m", "emlib", "verify", "grad(tr(inv(A + B)*C), A) == inv(A + B)*C"]
        run = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=Path(emlib.__file__).parents[1]
        )
        assert run.returncode == 1
        printed.add(run.stdout)
    assert len(printed) == 1


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"line {entry.line}")
def test_the_matrix_cookbook(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two layers that take milliseconds, the exact one at n = 8; `verify FILE` runs all four, up to n = 50."""
    monkeypatch.setattr(exact, "MAIN_SIZES", (8, 5, 3, 2))
    identity = read(entry.formula, **entry.options)
    symbolic_n, exact_n = symbolic.judge(identity).status, exact.judge(identity).status
    if symbolic_n is Status.PROVED:
        assert entry.expected is True
        assert exact_n is not Status.REFUTED
    elif exact_n is Status.REFUTED:
        assert entry.expected is False
    else:  # declared sizes, or roots, which have no sign in a prime field
        assert verify(entry.formula, **entry.options).holds is entry.expected


def test_the_matrix_cookbook_is_large_enough() -> None:
    numbers = {int(entry.label[1:].split(")")[0]) for entry in ENTRIES if entry.expected}
    assert len([number for number in numbers if 33 <= number <= 144]) >= 60
    assert sum(entry.expected is False for entry in ENTRIES) >= 15
