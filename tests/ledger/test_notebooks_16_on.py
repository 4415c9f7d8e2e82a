"""Notebooks from 16 on: their wrong twins are refused as claims, and slips of the pen are noticed."""

from __future__ import annotations

import pytest

from tests.ledger.cells import NOTEBOOKS, run, sources, with_claims
from tests.ledger.slips import SLIPS


@pytest.mark.no_cover  # tracing would double the time; the tests of emlib cover it by themselves
@pytest.mark.usefixtures("aside")
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", with_claims(16, 99))
def test_twins_and_slips_are_noticed(name: str) -> None:
    findings = run(sources(NOTEBOOKS / f"{name}.ipynb"), SLIPS.get(name, []))
    assert findings.judged == set(findings.opened)
    assert findings.twins_that_pass == []
    assert findings.slips_that_pass == []
