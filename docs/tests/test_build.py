"""The book is a function of its sources: built again elsewhere, under another hash seed, it has the same bytes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from visits import BOOK, ROOT


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_second_build_has_the_same_bytes(tmp_path: Path) -> None:
    source, book = tmp_path / "source", tmp_path / "book"
    environment = os.environ | {"PYTHONHASHSEED": "1977"}
    for command in (
        ["docs/pages.py", source],
        ["-m", "sphinx", "-W", "-q", "-b", "html", "-c", "docs", "-d", tmp_path / "doctrees", source, book],
    ):
        subprocess.run([sys.executable, *map(str, command)], cwd=ROOT, env=environment, check=True)
    assert digests(book) == digests(BOOK)
