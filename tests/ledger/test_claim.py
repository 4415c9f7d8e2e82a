"""`claim` closes only over enough evidence, refuses what is false, and lets no twin pass for the claim."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp

from emlib.ledger import Claim, Undischarged, claim, discharged, twin_in_place_of
from emlib.ledger.claim import _Record
from emlib.proof import NotRefuted, Refuted, Vacuous, VerdictError

a, b = sp.symbols("a b")
RIGHT, WRONG = a**2 + 2 * a * b + b**2, a**2 + b**2
SQUARE = (a + b) ** 2

LEMMA, PROSE, FALSE = "5.2", "3.mix.normalised", "5.5.final"


def prove(c: Claim) -> None:
    c.proves(SQUARE, RIGHT)


def agree(c: Claim) -> None:
    c.agrees([1.0, 2.0], [1.0, 2.0 + 1e-12], rtol=1e-10)


def refute(c: Claim) -> None:
    c.refutes(SQUARE, WRONG)


def discharge(identifier: str, *pieces: Callable[[Claim], object]) -> Claim:
    with claim(identifier) as c:
        for piece in pieces:
            piece(c)
    return c


def test_a_lemma_takes_a_proof_numbers_and_a_twin() -> None:
    c = discharge(LEMMA, prove, agree, refute)
    assert [evidence.kind for evidence in c.evidence] == ["proof", "numbers", "twin"]
    assert c.missing() == frozenset()


@pytest.mark.parametrize(
    ("pieces", "lacking"),
    [
        ((agree, refute), "proof"),
        ((prove, refute), "numbers"),
        ((prove, agree), "twin"),
        ((), "numbers, proof, twin"),
    ],
)
def test_a_lemma_with_less_stays_open(pieces: tuple[Any, ...], lacking: str) -> None:
    with pytest.raises(Undischarged, match=f"claim {LEMMA} lacks {lacking}$"):
        discharge(LEMMA, *pieces)


def test_prose_takes_an_example_and_a_twin() -> None:
    def example(c: Claim) -> None:
        c.tells(lambda weights: sum(weights) == 1, [0.5, 0.5], [0.5, 0.25], "the weights sum to one")

    c = discharge(PROSE, example)
    assert [evidence.kind for evidence in c.evidence] == ["illustration", "twin"]


@pytest.mark.parametrize(("right", "wrong", "error"), [([1], [2, 3], VerdictError), ([1, 0], [0.5, 0.5], NotRefuted)])
def test_an_example_that_fails_or_a_twin_that_passes_is_an_error(right: Any, wrong: Any, error: type) -> None:
    with pytest.raises(error), claim(PROSE) as c:
        c.tells(lambda weights: sum(weights) == 1 and len(weights) == 2, right, wrong, "two weights that sum to one")


def test_a_false_row_needs_its_counterexample() -> None:
    def printed(c: Claim) -> None:
        c.counterexample(SQUARE, WRONG)

    with pytest.raises(Undischarged, match="lacks counterexample"):
        discharge(FALSE, prove, agree, refute)
    assert "counterexample" in {evidence.kind for evidence in discharge(FALSE, prove, agree, printed).evidence}


def test_what_is_false_gets_no_certificate() -> None:
    with pytest.raises(Refuted), claim(LEMMA) as c:
        c.proves(SQUARE, WRONG)
    with pytest.raises(Refuted), claim(LEMMA) as c:
        c.agrees([1.0], [1.1], rtol=1e-3)


def test_a_twin_that_is_true_is_an_error() -> None:
    with pytest.raises(NotRefuted), claim(LEMMA) as c:
        c.refutes(SQUARE, RIGHT)
    with pytest.raises(NotRefuted, match="agrees with the claim's numbers"), claim(LEMMA) as c:
        c.refutes(np.ones(3), np.ones(3) + 1e-9)
    with pytest.raises(Vacuous), claim(LEMMA) as c:
        c.refutes(np.zeros(3), np.zeros(3))


def test_a_numeric_twin_leaves_the_entry_that_differs() -> None:
    c = discharge(LEMMA, prove, agree, lambda c: c.refutes(np.array([1.0, 2.0]), np.array([1.0, 2.5])))
    assert c.evidence[-1].text == "entry (1) left 2, right 2.5"


@pytest.mark.parametrize(
    "twin",
    [
        refute,
        lambda c: c.refutes(np.array([1.0]), np.array([2.0])),
        lambda c: c.counterexample(SQUARE, WRONG),
        lambda c: c.tells(lambda x: x > 0, 1, -1, "the sign"),
    ],
)
def test_the_twin_in_place_of_the_claim_raises(twin: Callable[[Claim], object]) -> None:
    with twin_in_place_of(LEMMA), pytest.raises(VerdictError):
        discharge(LEMMA, prove, agree, twin)
    with twin_in_place_of("5.1"):
        discharge(LEMMA, prove, agree, twin)  # another row's twins stay where they are
    discharge(LEMMA, prove, agree, twin)


def test_only_certificates_are_accepted() -> None:
    with pytest.raises(TypeError, match="accepts takes a Certificate, not True"), claim(LEMMA) as c:
        c.accepts(True)  # type: ignore[arg-type]  # what a careless cell would pass


def test_unknown_claims_are_named() -> None:
    with pytest.raises(KeyError, match=r"the ledger has no claim '9\.9'"), claim("9.9"):
        pass


def test_the_record_is_one_line_and_the_evidence() -> None:
    record = _Record(discharge(LEMMA, prove, agree, refute)).bundle()
    assert record["text/plain"] == (
        "5.2 (lemma): proved for every value of the symbols; agrees at one floating-point point; wrong twin refuted"
    )
    data = record["application/vnd.emlib.claim+json"]
    assert data["id"] == LEMMA
    assert [piece["kind"] for piece in data["evidence"]] == ["proof", "numbers", "twin"]


def test_the_table_of_a_session_lists_what_was_discharged() -> None:
    discharge(LEMMA, prove, agree, refute)
    text = discharged().data
    assert f"| {LEMMA} |" in text
    assert "agrees at one floating-point point |" in text
