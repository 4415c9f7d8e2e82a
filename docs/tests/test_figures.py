"""Every figure can be read in the column of a journal: nothing cut, overlapping or squeezed at 3.3 inches and 8 pt."""

from __future__ import annotations

from pathlib import Path

from emlib import figures
from emlib.redraw import Layout, redraw

FIGURES = Path(__file__).parents[2] / "figures"


def test_every_figure_can_be_read_in_one_column(tmp_path: Path) -> None:
    drawn = redraw([], Layout(width=3.3, font_size=8), tmp_path, folder=FIGURES)
    assert [figure.path.stem for figure in drawn] == sorted(figures.read_manifest(FIGURES))
    assert {figure.path.stem: figure.faults for figure in drawn if figure.faults} == {}
    for figure in drawn:
        content = figure.path.read_bytes()
        assert b"/FontFile2" in content, f"{figure.path.name} embeds no fonts"
        assert b"/Type3" not in content
