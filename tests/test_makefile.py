"""`make` runs what changed and nothing else, and says what to do when it cannot run.

The Makefile is copied beside a small tree whose `python` only writes down what it is asked to do.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BOOK = ["docs/pages.py .make/book-source", "-m sphinx .make/book.partial"]
CHECKS = ["-m emlib figures", "-m emlib ledger --missing", *BOOK]
RECORDER = """#!/bin/sh
echo "$*" >> calls.txt
case "$*" in *sphinx*) for folder; do :; done; mkdir -p "$folder"; touch "$folder/index.html" ;; esac
"""


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a repository of two notebooks, set up by a python that records its calls."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in (
        ".jupyter/nbconvert.json",
        "requirements.lock",
        "emlib/em.py",
        "notebooks/00_a.ipynb",
        "notebooks/01_b.ipynb",
        "docs/pages.py",
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "CITATION.cff",
        "pyproject.toml",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "figures").mkdir()
    script(tmp_path / ".venv/bin/python", RECORDER)
    (tmp_path / ".venv/ready").touch()
    return tmp_path


def make(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *arguments], cwd=tree, env=environment, capture_output=True, text=True, check=False)


def calls(tree: Path) -> list[str]:
    """Return what python was asked since the last look: notebooks by name, the book by its folder, the rest whole."""
    log = tree / "calls.txt"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    lines = [re.sub(r"^-m nbconvert .*/(\w+)\.ipynb$", r"\1", line) for line in lines]
    return [re.sub(r"^-m sphinx .* (\S+)$", r"-m sphinx \1", line) for line in lines]


def age(tree: Path) -> None:
    """Make all files an hour older, so that what is touched next is newer whatever the clock's resolution."""
    for path in (tree, *tree.rglob("*")):
        status = path.stat()
        os.utime(path, (status.st_atime - 3600, status.st_mtime - 3600))


def test_make_runs_the_notebooks_once_and_a_second_make_does_nothing(tree: Path) -> None:
    assert make(tree).returncode == 0
    assert calls(tree) == ["00_a", "01_b", *CHECKS]
    again = make(tree)
    assert again.returncode == 0
    assert calls(tree) == []
    assert again.stdout.count("\n") == 1
    assert "up to date" in again.stdout


def test_a_deleted_book_is_built_again(tree: Path) -> None:
    assert make(tree, "book").returncode == 0
    calls(tree)
    shutil.rmtree(tree / ".make/book")
    assert make(tree, "book").returncode == 0
    assert calls(tree) == BOOK


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("notebooks/01_b.ipynb", ["01_b", *CHECKS]),
        ("emlib/em.py", ["00_a", "01_b", *CHECKS]),
        (".jupyter/nbconvert.json", ["00_a", "01_b", *CHECKS]),
        (".venv/ready", ["00_a", "01_b", *CHECKS]),
        ("figures/a.png", ["-m emlib figures", *BOOK]),
        ("docs/pages.py", BOOK),
        ("README.md", BOOK),
    ],
)
def test_make_runs_again_what_depends_on_a_change(changed: str, expected: list[str], tree: Path) -> None:
    make(tree)
    calls(tree)
    age(tree)
    (tree / changed).touch()
    assert make(tree).returncode == 0
    assert calls(tree) == expected


def test_a_notebook_that_fails_stops_make_and_is_run_again(tree: Path) -> None:
    script(tree / ".venv/bin/python", "#!/bin/sh\nexit 1\n")
    assert make(tree).returncode != 0
    script(tree / ".venv/bin/python", RECORDER)
    assert make(tree).returncode == 0
    assert calls(tree) == ["00_a", "01_b", *CHECKS]


@pytest.mark.parametrize("name", ["01_b", "01_b.ipynb", "notebooks/01_b.ipynb"])
def test_make_notebooks_runs_the_one_named_even_when_up_to_date(name: str, tree: Path) -> None:
    make(tree)
    calls(tree)
    assert make(tree, "notebooks", f"NB={name}").returncode == 0
    assert calls(tree) == ["01_b", "-m emlib figures"]
    assert make(tree, "notebooks").returncode == 0
    assert calls(tree) == ["00_a", "01_b", "-m emlib figures"]


def test_make_notebooks_refuses_a_name_that_is_not_there(tree: Path) -> None:
    run = make(tree, "notebooks", "NB=no_such_notebook")
    assert run.returncode != 0
    assert "there is no notebooks/no_such_notebook.ipynb" in run.stderr


@pytest.mark.parametrize(
    ("python", "hint"),
    [("#!/bin/sh\nexit 1\n", "needs Python 3.11 or newer"), ('#!/bin/sh\n[ "$1" = -c ]\n', "apt install python3-venv")],
)
def test_set_up_says_what_is_missing(python: str, hint: str, tree: Path) -> None:
    shutil.rmtree(tree / ".venv")
    run = make(tree, f"PYTHON={script(tree / 'old-python', python)}")
    assert run.returncode != 0
    assert hint in run.stdout
    assert not (tree / ".venv").exists()


def test_test_runs_the_gate_and_then_nbval_on_all_notebooks(tree: Path) -> None:
    assert make(tree, "test").returncode == 0
    tests, notebooks = calls(tree)
    assert "--cov=emlib --cov-fail-under=95" in tests
    assert "-n logical --dist loadfile --nbval --nbval-current-env" in notebooks
    assert notebooks.endswith(" notebooks")


def test_report_says_where_it_is_and_is_set_again_when_a_figure_changes(tree: Path) -> None:
    assert f"{tree}/.make/report.pdf" in make(tree, "report").stdout
    checks = [call for call in CHECKS if call not in BOOK]
    assert calls(tree) == ["00_a", "01_b", *checks, "docs/report.py .make/report.pdf"]
    (tree / ".make/report.pdf").touch()
    age(tree)
    assert make(tree, "report").returncode == 0
    assert calls(tree) == []
    (tree / "figures/a.png").touch()
    assert make(tree, "report").returncode == 0
    assert calls(tree) == ["-m emlib figures", "docs/report.py .make/report.pdf"]


def test_book_says_where_it_is_and_test_book_builds_it_first(tree: Path) -> None:
    assert f"{tree}/.make/book/index.html" in make(tree, "book").stdout
    assert calls(tree) == ["00_a", "01_b", *CHECKS]
    age(tree)
    (tree / "docs/pages.py").touch()
    assert make(tree, "test-book").returncode == 0
    assert calls(tree) == [*BOOK, "-m pytest docs/tests"]


def test_lab_opens_the_reading_guide_with_the_figures_in_reach(tree: Path) -> None:
    assert make(tree, "lab").returncode == 0
    [call] = calls(tree)
    options = dict(
        re.findall(r"--([\w.]+)=(\S+)", call)
    )  # no folder is named: the root is the repository, with figures/
    assert options.keys() == {"LabApp.default_url"}
    assert (ROOT / options["LabApp.default_url"].removeprefix("/lab/tree/")).exists()


def test_bench_runs_all_benchmarks_and_quick_says_so(tree: Path) -> None:
    assert make(tree, "bench").returncode == 0
    assert calls(tree) == ["-m benchmarks"]
    assert make(tree, "bench", "QUICK=1").returncode == 0
    assert calls(tree) == ["-m benchmarks --quick"]
    other = script(tree / "other-python", RECORDER)
    assert f"{other} -m benchmarks --quick" in make(tree, "-n", "bench", "QUICK=1", f"BENCH_PYTHON={other}").stdout
    assert calls(tree) == []


def test_a_quick_bench_runs_small_problems_and_stores_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import benchmarks.__main__ as bench

    commands: list[list[str]] = []

    def record(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command[2:])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(bench.subprocess, "run", record)
    monkeypatch.setattr("sys.argv", ["benchmarks", "--quick"])
    assert bench.main() == 0
    assert len(commands) > 1
    assert not [command for command in commands if any(word.startswith("--json") for word in command)]
    quick = [name for name, *_ in commands]
    commands.clear()
    monkeypatch.setattr("sys.argv", ["benchmarks"])
    assert bench.main() == 0
    names = [name for name, *_ in commands]
    assert list(dict.fromkeys(names)) == [*quick, "benchmarks.figure"]
    assert all(any(word.startswith("--json=") for word in options) for _, *options in commands[:-1])


def test_help_lists_every_target(tree: Path) -> None:
    targets = re.findall(r"^\.PHONY: ([\w-]+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    listed = [line.split()[1] for line in make(tree, "help").stdout.splitlines()]
    assert listed == targets
