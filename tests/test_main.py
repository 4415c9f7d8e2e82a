"""The command line knows its commands and imports only the one that is called."""

from __future__ import annotations

import importlib
import runpy
import sys
from pathlib import Path

import pytest

from emlib.__main__ import COMMANDS, main


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_does_not_depend_on_the_terminal(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = []
    for columns in ("40", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        assert stop.value.code == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert printed[0].startswith(f"usage: python -m emlib {command}")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_a_function_main_of_its_module(command: str) -> None:
    assert callable(importlib.import_module(COMMANDS[command][0]).main)


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    assert all(text in printed for _, text in COMMANDS.values())


@pytest.mark.parametrize("arguments", [[], ["no-such-command"]])
def test_an_unknown_command_is_an_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def test_a_package_that_is_not_installed_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "command_in_need.py").write_text("import no_such_package.part\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(COMMANDS, "verify", ("command_in_need", ""))
    assert main(["verify", "inv(inv(A)) == A"]) == 1
    printed = capsys.readouterr().out
    assert "verify needs the package 'no_such_package'" in printed
    assert "pip install '.[notebooks]'" in printed


def test_a_module_of_ours_that_is_missing_is_no_advice_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "emlib.gallery", None)
    with pytest.raises(ModuleNotFoundError, match=r"emlib\.gallery"):
        main(["figures"])


@pytest.mark.parametrize("arguments", [["ledger"], ["figures"], ["figures", "--out", "paper"]])
def test_outside_the_repository_the_commands_that_read_it_say_so(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    assert "problem: there " in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_python_dash_m_emlib_exits_with_the_status_of_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(__file__).parents[1]
    monkeypatch.setattr(sys, "argv", ["emlib", "figures", str(root / "figures")])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(root / "emlib" / "__main__.py"), run_name="__main__")
    assert stop.value.code == 0
    assert "problems: 0" in capsys.readouterr().out
