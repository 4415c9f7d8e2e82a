"""Where a figure comes from is read from the source of the notebooks."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from emlib.provenance import code_cells, sources


def write(folder: Path, name: str, *cells: str) -> Path:
    folder.mkdir(exist_ok=True)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Title")])
    notebook.cells += [nbformat.v4.new_code_cell(text, execution_count=n) for n, text in enumerate(cells, 1)]
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


SAVE = 'figures.save(fig, "{}", data=d, caption="c", alt="a")'


def test_notebook_cell_and_the_seeds_until_then(tmp_path: Path) -> None:
    write(
        tmp_path,
        "01_a",
        "import numpy as np",
        "rng = np.random.default_rng(3); fit(random_state=0); default_rng(seed); f(seed=3)",
        SAVE.format("one"),
        "default_rng(8)\n" + SAVE.format("two"),
        "default_rng(9)",
    )
    write(tmp_path, "02_b", SAVE.format("three"))
    assert sources(tmp_path) == {
        "one": {"notebook": "01_a", "cell": 3, "seeds": [3, 0]},
        "two": {"notebook": "01_a", "cell": 4, "seeds": [3, 0, 8]},
        "three": {"notebook": "02_b", "cell": 1, "seeds": []},
    }


def test_a_name_that_two_cells_save_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "01_a", SAVE.format("one"))
    write(tmp_path, "02_b", SAVE.format("one"))
    with pytest.raises(ValueError, match="'one' is saved twice: in 01_a and in 02_b"):
        sources(tmp_path)


def test_words_about_a_figure_or_a_seed_are_no_call(tmp_path: Path) -> None:
    write(tmp_path, "01_a", f"# {SAVE.format('one')}\ntext = 'default_rng(3)'", "f(random_state=True, rng=None)")
    assert sources(tmp_path) == {}


def test_code_cells_are_counted_as_they_were_run(tmp_path: Path) -> None:
    assert code_cells(write(tmp_path, "01_a", "x = 1", "y = 2")) == [(1, "x = 1"), (2, "y = 2")]
