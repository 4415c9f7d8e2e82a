"""Where notebooks run in the process of the tests."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pytest

from emlib import figures


@pytest.fixture
def aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work where files may be written, and draw no figures to files: that is the business of other tests."""
    mpl.use("agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(figures, "save", lambda *_, **__: None)
