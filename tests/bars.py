"""Progress bars of tests: they show every count at once, and are kept to be looked at."""

from __future__ import annotations

from typing import Any

import pytest
import tqdm


class Bar(tqdm.tqdm):
    """A bar that shows every count, as it would be if each took long; it keeps them."""

    opened: list[Bar]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "delay": 0, "mininterval": 0, "miniters": 1})
        self.counts: list[int] = []
        if options.get("unit") == " rows":
            Bar.opened.append(self)

    def update(self, n: float | None = 1) -> bool | None:
        self.counts.append(int(n or 0))
        return super().update(n)


def bars_of_rows(monkeypatch: pytest.MonkeyPatch) -> list[Bar]:
    """Return the bars of rows that are opened from now on."""
    monkeypatch.setattr(tqdm, "tqdm", Bar)
    monkeypatch.setattr(Bar, "opened", [], raising=False)
    return Bar.opened
