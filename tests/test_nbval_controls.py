"""nbval, as `make test` runs it, fails on an altered number, formula or picture, and passes on what was executed."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest
from nbformat import v4

from tests import notebook_rules
from tests.notebook_rules import KERNELSPEC, Notebook

ROOT = Path(__file__).parents[1]
NUMBER, FORMULA, PICTURE, FRAME = 1, 2, 3, 4  # the sample's code cells; cell 0 is the title
SOURCES = (
    "print(f'{2 / 3:.4f}', flush=True)  # sent by itself, as after a pause\nprint('the end')",
    "import sympy as sp\n\nsp.sqrt(sp.Symbol('alpha'))",
    "from matplotlib import pyplot as plt\n\nfrom emlib import figures\n\nfigures.style()\nfig, ax = plt.subplots()\n"
    "ax.plot([0, 1])\nfigures.save(fig, 'sample', data={'y': [0, 1]}, caption='A line.', alt='It rises.')",
    "from IPython.display import HTML\n\nHTML('<img src=\"data:image/png;base64,QUJD\"> one')",
)


def python_m(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def execute(path: Path) -> None:
    """Run a notebook in place, as the Makefile does."""
    config = str(ROOT / ".jupyter" / "nbconvert.json")
    run = python_m(
        "nbconvert", "--to", "notebook", "--execute", "--inplace", "--config", config, path.name, cwd=path.parent
    )
    assert run.returncode == 0, run.stderr


def nbval(folder: Path, notebooks: dict[str, Notebook], *options: str) -> subprocess.CompletedProcess[str]:
    """Compare notebooks with their stored outputs, as the Makefile does."""
    for name, notebook in notebooks.items():
        (folder / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    shutil.copy(ROOT / "conftest.py", folder)
    return python_m("pytest", "--verbose", "--nbval", "--nbval-current-env", *options, cwd=folder)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a small notebook, executed by the installed versions."""
    path = tmp_path_factory.mktemp("executed") / "sample.ipynb"
    cells = [v4.new_markdown_cell("# A sample"), *map(v4.new_code_cell, SOURCES)]
    path.write_text(json.dumps(v4.new_notebook(cells=cells, metadata={"kernelspec": KERNELSPEC})), encoding="utf-8")
    execute(path)
    return path


@pytest.fixture
def notebook(executed: Path, tmp_path: Path) -> Notebook:
    """Return the executed notebook; its figures lie in the folder of the test."""
    shutil.copytree(executed.parent / "figures", tmp_path / "figures")
    return dict(json.loads(executed.read_text(encoding="utf-8")))


def test_an_executed_notebook_keeps_every_rule(notebook: Notebook) -> None:
    assert {rule.__name__: rule(notebook) for rule in notebook_rules.RULES if rule(notebook)} == {}


def test_a_second_execution_gives_the_same_bytes(executed: Path, tmp_path: Path) -> None:
    again = tmp_path / "sample.ipynb"
    shutil.copy(executed, again)
    execute(again)
    assert again.read_bytes() == executed.read_bytes()


def alter_number(notebook: Notebook) -> None:
    [output] = notebook["cells"][NUMBER]["outputs"]
    assert output["text"] == ["0.6667\n", "the end\n"]
    output["text"] = ["0.6668\n", "the end\n"]


def alter_formula(notebook: Notebook) -> None:
    [output] = notebook["cells"][FORMULA]["outputs"]
    assert output["data"]["text/latex"] == ["$\\displaystyle \\sqrt{\\alpha}$"]
    output["data"]["text/latex"] = ["$\\displaystyle \\sqrt{\\beta}$"]


def picture_data(notebook: Notebook) -> dict[str, Any]:
    [output] = notebook["cells"][PICTURE]["outputs"]
    return dict(output)["data"]


def alter_one_pixel(notebook: Notebook) -> None:
    data = picture_data(notebook)
    pixels = matplotlib.image.imread(io.BytesIO(base64.b64decode(data["image/png"])), format="png")
    pixels[10, 10, 0] = 0.5
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, pixels, format="png")
    data["image/png"] = base64.b64encode(buffer.getvalue()).decode()


def alter_frame(notebook: Notebook) -> None:
    [output] = notebook["cells"][FRAME]["outputs"]
    [html] = output["data"]["text/html"]
    assert "QUJD" in html
    output["data"]["text/html"] = [html.replace("QUJD", "QUJE")]


def test_an_altered_number_formula_and_picture_each_fail(notebook: Notebook, tmp_path: Path) -> None:
    altered = deepcopy(notebook)
    for alter in (alter_number, alter_formula, alter_one_pixel, alter_frame):
        alter(altered)
    run = nbval(tmp_path, {"altered": altered, "intact": notebook})
    assert run.returncode == 1, run.stdout + run.stderr
    results = re.findall(r"^(\w+)::ipynb::Cell \d (PASSED|FAILED)", run.stdout, flags=re.MULTILINE)
    assert results == [("altered", "FAILED")] * 4 + [("intact", "PASSED")] * 4


def test_a_figure_that_is_not_the_one_of_the_manifest_fails(notebook: Notebook, tmp_path: Path) -> None:
    manifest = tmp_path / "figures" / "manifest.json"
    entries = json.loads(manifest.read_text(encoding="utf-8"))
    entries["sample"]["files"]["pdf"] = "0" * 64
    manifest.write_text(json.dumps(entries), encoding="utf-8")
    run = nbval(tmp_path, {"intact": notebook})
    assert re.findall(r"::ipynb::Cell (\d) FAILED", run.stdout, flags=re.MULTILINE) == ["2"]
    assert "pdf" in run.stdout


def test_pictures_can_be_left_out_for_another_matplotlib(notebook: Notebook, tmp_path: Path) -> None:
    alter_one_pixel(notebook)
    alter_frame(notebook)
    run = nbval(tmp_path, {"altered": notebook}, "--no-compare-images")
    assert run.returncode == 0, run.stdout
    assert "4 passed" in run.stdout
