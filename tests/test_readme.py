"""The numbers, pictures and links of the README are those of the repository, and its blocks run word for word."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from emlib.datasets import load_faithful

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIRST_SCREEN = 24  # lines


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture(scope="module")
def readme() -> ModuleType:
    """Return docs/readme.py, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("readme", ROOT / "docs" / "readme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder that looks like a repository that `make` has set up, whatever Python runs the tests."""
    for name in ("emlib", "notebooks"):
        (tmp_path / name).symlink_to(ROOT / name)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    return tmp_path


# --- what the script fills in ----------------------------------------------------------------------------------


def test_the_numbers_are_those_of_the_runs(readme: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert readme.main(["--check"]) == 0, capsys.readouterr().out


def test_another_number_is_noticed_and_put_right(readme: ModuleType, tmp_path: Path) -> None:
    copy = tmp_path / "README.md"
    copy.write_text(re.sub(r"\d+ of \d+ published", "99 of 99 published", README))
    assert copy.read_text() != README
    assert readme.main(["--check", "--readme", str(copy)]) == 1
    assert readme.main(["--readme", str(copy)]) == 0
    assert copy.read_text() == README


def test_a_missing_marker_is_an_error(readme: ModuleType) -> None:
    with pytest.raises(ValueError, match="begin totals"):
        readme.filled("no markers", {"totals": lambda: ""})


def test_a_line_whose_source_is_not_there_is_left_out(readme: ModuleType, tmp_path: Path) -> None:
    assert readme.speed(tmp_path / "none.json") == readme.acceleration(tmp_path / "none.json") == []


def test_the_speed_is_the_geometric_mean_and_names_the_kernel(readme: ModuleType, tmp_path: Path) -> None:
    shapes = [{"ratio": ratio, "kernels": ["Haswell"]} for ratio in (1.0, 4.0)]
    (tmp_path / "times.json").write_text(json.dumps({"versions": "numpy 2", "shapes": shapes}))
    [line] = readme.speed(tmp_path / "times.json")
    assert "2.0 times as fast" in line
    assert "from 1.0 to 4.0" in line
    assert "kernel Haswell; numpy 2" in line


def test_the_acceleration_is_a_median_that_leaves_out_what_has_none(readme: ModuleType, tmp_path: Path) -> None:
    def problem(ratio: float | None, failed: int) -> dict[str, Any]:
        counts = {"fewer_e_steps": ratio, "faster": ratio, "failed": failed, "better": 0, "worse": 0}
        return {"quasi-newton": counts, "runs": {"quasi-newton": [{}, {}]}}

    problems = {str(k): problem(*one) for k, one in enumerate([(2.0, 0), (8.0, 1), (3.0, 0), (None, 2)])}
    (tmp_path / "times.json").write_text(json.dumps({"problems": problems}))
    [line] = readme.acceleration(tmp_path / "times.json")
    assert "needs 3 times fewer" in line
    assert "of 8 runs 3 did not converge" in line


# --- the blocks ------------------------------------------------------------------------------------------------


def test_the_first_screen_says_what_this_is_and_shows_commands_totals_and_a_picture() -> None:
    first = README.splitlines()[:FIRST_SCREEN]
    for start in ("make  ", "make test", "* **181 of", "* **29 of", "<img "):
        assert any(line.startswith(start) for line in first), start


def test_the_path_to_an_identity_runs_word_for_word(checkout: Path) -> None:
    [block] = [block for block in blocks("sh") if "emlib verify" in block]
    run = subprocess.run(["sh", "-e", "-c", block], cwd=checkout, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "verdict: holds for every n" in run.stdout.splitlines()[1]
    assert "claims of the note" in run.stdout


def test_the_path_to_a_fit_runs_word_for_word_on_a_file(checkout: Path) -> None:
    faithful = load_faithful()
    table = pd.DataFrame(faithful.data, columns=faithful.feature_names).assign(note="a column of words")
    table.loc[len(table)] = [np.nan, 70.0, "a gap"]
    table.to_csv(checkout / "mine.csv", index=False)
    [block] = blocks("python")
    python = [".venv/bin/python", "-W", "error", "-c", block]
    run = subprocess.run(python, cwd=checkout, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("CONVERGED - converged after")
    [bic] = re.findall(r"^BIC ([\d.]+)$", run.stdout, flags=re.MULTILINE)
    assert float(bic) == pytest.approx(2322.192, abs=1e-3)  # mclust's
    weights = re.findall(r"^weights\[\d\] +([\d.]+) +([\d.]+) +[\d.]+ to [\d.]+$", run.stdout, flags=re.MULTILINE)
    assert sorted(float(weight) for weight, _ in weights) == pytest.approx([0.355873, 0.644127], abs=1e-5)
    assert all(0.025 < float(error) < 0.035 for _, error in weights)  # notebook 21 has 0.0291 three ways
    groups = re.findall(r"^\d+ +(\d+)$", run.stdout, flags=re.MULTILINE)
    assert sum(map(int, groups)) == len(faithful.data)


def test_every_command_of_make_exists() -> None:
    targets = re.findall(r"^\.PHONY: (\w+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    named = re.findall(r"(?:`|^)make ([a-z]+)", README, flags=re.MULTILINE)
    assert {"test", "lab", "help"} <= set(named) <= set(targets)


# --- pictures and links ----------------------------------------------------------------------------------------


def test_each_picture_carries_its_caption_and_alternative_text() -> None:
    manifest = json.loads((ROOT / "figures" / "manifest.json").read_text(encoding="utf-8"))
    pictures = re.findall(r'<img src="figures/(\w+)\.png" width="\d+" alt="(.*?)">', README)
    assert len(pictures) == README.count("<img")
    for name, alt in pictures:
        assert alt == manifest[name]["alt"]
        assert f"*{manifest[name]['caption']}*" in README


def test_each_figure_of_the_gallery_is_drawn_by_the_notebook_it_links_to(readme: ModuleType) -> None:
    for figure, notebook in readme.GALLERY.items():
        assert f'\\"{figure}\\"' in (ROOT / "notebooks" / f"{notebook}.ipynb").read_text(encoding="utf-8")


@pytest.mark.parametrize("target", sorted({t for t in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in t}))
def test_links_lead_somewhere(target: str) -> None:
    assert (ROOT / target).exists()
