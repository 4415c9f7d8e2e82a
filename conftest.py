"""What nbval does not do by itself: compare pictures and the files of figures, byte for byte, as every other output."""

from __future__ import annotations

import os

import pytest
from nbval.plugin import IPyNbFile

PICTURES = ("image/png", "image/jpeg")
INSIDE_HTML = r"data:image/png;base64,[A-Za-z0-9+/=]+"  # the frames of emlib.stepper


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add an option for matplotlibs other than the locked one, which may draw other pixels."""
    parser.addoption("--no-compare-images", action="store_true", help="do not compare the pictures in notebooks")


def pytest_configure(config: pytest.Config) -> None:
    """Have the kernels hold each figure against figures/manifest.json instead of writing it."""
    if config.getoption("nbval", default=False) and not config.getoption("--no-compare-images"):
        os.environ["EMLIB_FIGURES"] = "check"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take pictures off the list of what nbval passes over, or put those inside HTML on it."""
    for notebook in {item.parent for item in items if isinstance(item.parent, IPyNbFile)}:
        if config.getoption("--no-compare-images"):
            notebook.sanitize_patterns[INSIDE_HTML] = "a picture"
        else:
            notebook.skip_compare = tuple(key for key in notebook.skip_compare if key not in PICTURES)
