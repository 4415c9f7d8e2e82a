"""Each claim is opened once; and the run of notebooks in this process notices what it should."""

from __future__ import annotations

import pytest

from emlib.ledger import load, read
from tests.ledger.cells import NOTEBOOKS, OPENED, Slip, nothing_catches, run, sources, with_claims
from tests.ledger.slips import SLIPS

CELLS = [source for name in with_claims(0, 99) for source in sources(NOTEBOOKS / f"{name}.ipynb")]

SOUND = (
    "from emlib.ledger import claim\nimport sympy as sp\na, b = sp.symbols('a b')\n"
    "with claim('5.2') as c:\n"
    "    c.proves((a + b)**2, a**2 + 2*a*b + b**2)\n"
    "    c.agrees(1.0, 1.0, rtol=1e-9)\n"
    "    c.refutes((a + b)**2, a**2 + b**2)\n"
)


def test_every_row_is_opened_once() -> None:
    opened = [identifier for source in CELLS for identifier in OPENED.findall(source)]
    assert sorted(opened) == sorted(row.id for row in load())


def test_what_the_notebooks_hold_is_what_the_sources_open() -> None:
    assert read(NOTEBOOKS).missing() == []


def test_a_claim_that_fails_ends_its_cell() -> None:
    assert [source for source in CELLS if not nothing_catches(source)] == []


@pytest.mark.parametrize(
    "caught",
    [
        "try:\n    with claim('5.2') as c:\n        pass\nfinally:\n    pass\n",
        "with suppress(Exception):\n    with claim('5.1') as c:\n        pass\n",
        "with suppress(Exception), claim('5.2') as c:\n    pass\n",
        "with claim('5.2') as c:\n    try:\n        c.refutes(1, 2)\n    except Exception:\n        pass\n",
        "with claim('5.2') as c:\n    with suppress(Exception):\n        c.refutes(1, 2)\n",
        "for _ in range(2):\n    with claim('5.2') as c:\n        pass\n",
    ],
)
def test_a_claim_that_may_fail_unseen_is_reported(caught: str) -> None:
    assert not nothing_catches(caught)


@pytest.mark.usefixtures("aside")
def test_a_sound_cell_has_no_findings() -> None:
    findings = run([SOUND], [Slip("2*a*b", "a*b")])
    assert findings.opened == ["5.2"]
    assert findings.judged == {"5.2"}
    assert findings.twins_that_pass == findings.slips_that_pass == []


@pytest.mark.usefixtures("aside")
def test_a_twin_that_is_never_judged_or_passes_is_noticed() -> None:
    deaf = SOUND.replace("    c.refutes", "    c._keep('twin', '', '')  # ")
    assert run([deaf]).judged == set()
    passes = SOUND.replace("    c.refutes", "    c._refute(lambda: None, str)  # ")
    assert run([passes]).twins_that_pass == ["5.2"]


@pytest.mark.usefixtures("aside")
@pytest.mark.parametrize(
    ("slip", "passes"),
    [
        (Slip("1.0, rtol=1e-9", "1.0, rtol=1e-8"), True),  # nothing looks at it
        (Slip("print(2)", "print(3)"), False),  # seen in what is printed
        (Slip("'x'", "'y'"), False),  # seen in the last value
        (Slip("assert n == 1", "assert n == 2"), False),
    ],
)
def test_a_slip_passes_if_nothing_changes(slip: Slip, passes: bool) -> None:
    cell = SOUND + "n = 1\nassert n == 1\nprint(2)\n'x'\n"
    assert run([cell], [slip]).slips_that_pass == ([slip] if passes else [])


@pytest.mark.usefixtures("aside")
def test_a_slip_that_is_no_statement_is_an_error() -> None:
    with pytest.raises(NameError):
        run(["n = 1\n"], [Slip("n = 1", "n = one")])
    with pytest.raises(AssertionError, match="should stand once: n = 2"):
        run(["n = 1\n"], [Slip("n = 2", "n = 3")])


def test_slips_are_many_and_in_every_derivation_of_the_note() -> None:
    assert sum(map(len, SLIPS.values())) >= 24
    assert set(with_claims(2, 12)) <= set(SLIPS)
    assert set(SLIPS) <= set(with_claims(0, 99))
    assert all(slip.right != slip.wrong for slips in SLIPS.values() for slip in slips)


def test_lemmas_and_update_rules_are_proved_for_every_size() -> None:
    report = read(NOTEBOOKS)
    lemmas = [row.id for row in load() if row.kind == "lemma" and not row.beyond]
    rules = ["3.alpha.update", "4.mu.update", "4.sigma.update", "4.update.alpha", "4.update.mu", "4.update.sigma"]
    assert [name for name in (*lemmas, *rules) if not report.places[name].for_every_size()] == []
