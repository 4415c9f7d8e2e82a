import pickle
from fractions import Fraction

import pytest

from emlib.proof import Certificate, NotProved, Refuted, Scope, Strength, Vacuous, VerdictError, Witness
from emlib.proof.certificates import shorten


def test_a_certificate_says_all_it_knows():
    certificate = Certificate(
        "det(AB) = det(A) det(B)",
        "exact integer arithmetic, seed 0",
        Scope.points(2, size=20),
        ("det(A) != 0", "n > 1"),
        ("Laplace expansion",),
        Fraction(40, 2**61) ** 2,
    )
    assert str(certificate).splitlines() == [
        "holds exactly at 2 exact random points of size 20: det(AB) = det(A) det(B)",
        "  method: exact integer arithmetic, seed 0",
        "  if: det(A) != 0; n > 1",
        "  rests on: Laplace expansion",
        "  a false claim passes with probability at most: 3.0e-34",
    ]
    assert repr(certificate) == str(certificate)
    assert not certificate.is_proof


def test_the_html_of_a_certificate_is_escaped():
    html = Certificate("a < b & c", "m", Scope.every("n"), ("x > 0",))._repr_html_()
    assert "a &lt; b &amp; c" in html
    assert "x &gt; 0" in html
    assert "every n &gt;= 1" in html


@pytest.mark.parametrize(
    ("scope", "text", "strength"),
    [
        (Scope.every(), "every value of the symbols", Strength.PROOF),
        (Scope.every("n", "d"), "every d >= 1, n >= 1", Strength.PROOF),
        (Scope.sizes("n", (2, 3, 4)), "n = 2..4", Strength.PROOF),
        (Scope.sizes("n", (5, 2)), "n = 2, 5", Strength.PROOF),
        (Scope.sizes("n", (3,)), "n = 3", Strength.PROOF),
        (Scope.points(1), "one exact random point", Strength.EXACT_POINT),
        (Scope.floats(4, 50), "4 floating-point points of size 50", Strength.FLOATS),
    ],
)
def test_scopes(scope, text, strength):
    assert str(scope) == text
    assert scope.strength is strength


def test_an_empty_scope_is_refused():
    with pytest.raises(ValueError, match="at least one size"):
        Scope.sizes("n", ())
    with pytest.raises(ValueError, match="0 points shows nothing"):
        Scope.points(0)


def test_errors_survive_pickling_with_their_evidence():
    witness = Witness((("n", "2"), ("A", "[[1, 2], [3, 4]]")), "5", "7", "entry (0, 1)")
    for error in (Refuted(witness, "a = b"), NotProved("x - y", "a = b", "undecided"), Vacuous("0 = 0")):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert isinstance(again, VerdictError)
    assert pickle.loads(pickle.dumps(Refuted(witness))).witness == witness


def test_the_text_of_the_errors():
    witness = Witness((("n", "2"),), "5", "7", "entry (0, 1)")
    assert str(Refuted(witness, "a = b")) == "refuted: a = b\n  entry (0, 1) left 5, right 7 at n = 2"
    assert str(Witness((), "1", "2")) == "left 1, right 2"
    assert str(NotProved("x - y", "a = b", "undecided")) == "not proved: a = b\n  why: undecided\n  left over: x - y"
    assert str(NotProved("x - y")) == "not proved\n  left over: x - y"


def test_shortening_keeps_one_line_and_drops_the_numbers_of_dummies():
    assert shorten("_Dummy_57 + _Dummy_8*_Dummy_57") == "_1 + _2*_1"
    assert shorten("a\n  b") == "a b"
    assert len(shorten("x" * 500)) == 200
    assert shorten("x" * 500).endswith(" ...")
