"""What nbval does not do by itself: compare pictures, byte for byte, and run a notebook's cells in one process."""

from __future__ import annotations

import pytest
from nbval.plugin import IPyNbFile

PICTURES = ("image/png", "image/jpeg")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add an option for matplotlibs other than the locked one, which may draw other pixels."""
    parser.addoption("--no-compare-images", action="store_true", help="do not compare the pictures in notebooks")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take pictures off the list of what nbval passes over, and keep the cells of a notebook together."""
    for item in items:
        notebook = item.parent
        if isinstance(notebook, IPyNbFile):
            item.add_marker(pytest.mark.xdist_group(notebook.path.name))
            if not config.getoption("--no-compare-images"):
                notebook.skip_compare = tuple(key for key in notebook.skip_compare if key not in PICTURES)
