"""The report: nothing sticks out of a page, and building it again gives the same bytes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import typst
from PIL import Image
from visits import ROOT

from docs import report

# The margins of an A4 page in points, as left, top, right, bottom. Numbers of cells stand in the left one, marks of
# punctuation hang into the right one, and the head and the number of the page lie between the others.
MARGINS = {
    "left": (0, 0, 40, 842),
    "right": (543, 0, 595, 842),
    "above the head": (0, 0, 595, 38),
    "below the head": (0, 53, 595, 63),
    "below the text": (0, 783, 595, 789),
    "beside the page number": (0, 783, 270, 842),
    "beyond the page number": (325, 783, 595, 842),
}


def inked(page: bytes) -> list[str]:
    """Return the margins of a page, drawn with a pixel a point, that are not blank."""
    picture = Image.open(io.BytesIO(page)).convert("L")
    return [name for name, box in MARGINS.items() if picture.crop(box).getextrema()[0] < 200]


def test_nothing_sticks_out_of_a_page(tmp_path: Path) -> None:
    pages = typst.compile(report.source(tmp_path), root=tmp_path, format="png", ppi=72, ignore_system_fonts=True)
    found = {number: margins for number, page in enumerate(pages, start=1) if (margins := inked(page))}
    assert len(pages) > 100
    assert found == {}


def test_a_second_build_has_the_same_bytes(tmp_path: Path) -> None:
    files = [tmp_path / f"{seed}.pdf" for seed in ("1", "1977")]
    for file in files:
        environment = os.environ | {"PYTHONHASHSEED": file.stem}
        subprocess.run([sys.executable, "docs/report.py", str(file)], cwd=ROOT, env=environment, check=True)
    first, second = (file.read_bytes() for file in files)
    assert first == second
