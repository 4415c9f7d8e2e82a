"""verify(): what holds, what is refuted, what is not decided, and that the four layers check each other."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from emlib.proof import LayersDisagree, Verification, verify
from emlib.proof._layers import exact, explicit, numeric, symbolic
from emlib.proof._layers.jets import Oracle
from emlib.proof._layers.verdict import Status, Undefined
from emlib.proof._shapes import read
from emlib.proof.language import FormulaError

GOOD = "grad(log(det(A)), A) == 2*inv(A) - diag(inv(A))"
BAD = "grad(log(det(A)), A) == 2*inv(A)"


def statuses(verification: Verification) -> str:
    return " ".join(layer.status.value for layer in verification.layers)


@pytest.mark.parametrize(
    ("formula", "options", "expected"),
    [
        (GOOD, {"symmetric": ("A",)}, "proved proved holds holds"),
        ("grad(log(det(S)), S) == 2*inv(S) - diag(inv(S))", {"spd": ("S",)}, "proved proved holds holds"),
        ("ascent(log(det(A)), A) == inv(A)", {"symmetric": ("A",)}, "proved proved holds holds"),
        ("grad(log(det(A)), A) == inv(A)'", {}, "proved proved holds holds"),
        ("grad(det(D), D) == det(D)*inv(D)", {"diagonal": ("D",)}, "proved proved holds holds"),
        ("ascent(tr(A*D), D) == diag(A)", {"diagonal": ("D",)}, "proved proved holds holds"),
        ("grad(x'*diag(v)*x, v) == hadamard(x, x)", {}, "proved proved holds holds"),
        ("diag(ones) == I", {}, "proved proved holds holds"),
        ("ones'*hadamard(A, B)*ones == tr(A'*B)", {}, "proved proved holds holds"),
        ("ones'*ones == n", {}, "proved proved holds holds"),
        (
            "hess(exp(-x'*A*x/2), x) == exp(-x'*A*x/2)*(A*x*x'*A - A)",
            {"symmetric": ("A",)},
            "proved proved holds holds",
        ),
        ("hess(log(t), t) == -1/t^2", {"scalars": ("t",)}, "proved proved holds holds"),
        ("ascent(t^2, t) == 2*t", {"scalars": ("t",)}, "proved proved holds holds"),
        ("grad(norm2(x), x) == x/norm2(x)", {}, "proved proved holds holds"),
        ("d(tr(A*A), A) == 2*tr(A*dA)", {"symmetric": ("A",)}, "proved proved holds holds"),
        ("d(A*x, x, y) == A*y", {}, "proved proved holds holds"),
        ("inv(2*t) == 1/(2*t)", {"scalars": ("t",)}, "proved proved holds holds"),
        ("diag(t)*det(t) == t^2", {"scalars": ("t",)}, "proved proved holds holds"),
        ("log(det(A*B)) == log(det(A)) + log(det(B))", {}, "proved proved not decided holds"),
        ("exp(t)*exp(s) == exp(t + s)", {"scalars": ("t", "s")}, "proved not decided not decided holds"),
        ("tr(A)^2 == det(A) + tr(A*A) + det(A)", {"shapes": {"A": (2, 2)}}, "not decided proved holds holds"),
    ],
)
def test_what_holds(formula: str, options: dict[str, Any], expected: str) -> None:
    verification = verify(formula, **options)
    assert statuses(verification) == expected
    assert verification.holds is True
    assert verification.verdict.startswith("holds")


@pytest.mark.parametrize(
    ("formula", "options", "expected"),
    [
        (BAD, {"symmetric": ("A",)}, "not decided refuted refuted refuted"),
        ("grad(log(det(A)), A) == inv(A)", {}, "not decided refuted refuted refuted"),
        ("grad(log(det(S)), S) == inv(S)", {"spd": ("S",)}, "not decided refuted refuted refuted"),
        ("tr(I) == 20", {}, "not decided refuted holds refuted"),
        ("t^2 == t", {"scalars": ("t",)}, "not decided refuted refuted refuted"),
        ("log(t) == t", {"scalars": ("t",)}, "not decided refuted not decided refuted"),
        ("norm2(x + y) == norm2(x) + norm2(y)", {}, "not decided refuted not decided refuted"),
        ("tr(A)*I == A", {}, "not decided refuted refuted refuted"),
    ],
)
def test_what_is_refuted(formula: str, options: dict[str, Any], expected: str) -> None:
    verification = verify(formula, **options)
    assert statuses(verification) == expected
    assert verification.holds is False
    refuting = [layer for layer in verification.layers if layer.status is Status.REFUTED]
    assert all("left" in layer.witness and "right" in layer.witness for layer in refuting)
    assert verification.verdict.startswith("refuted: ")


def test_what_is_not_decided() -> None:
    verification = verify("exp(log(t)) == t", scalars=("t",))
    assert verification.layers[0].status is Status.PROVED
    open_question = verify("log(1 + exp(t)) == log(exp(t)) + log(1 + exp(-t))", scalars=("t",))
    assert open_question.holds in (True, None)


@pytest.mark.parametrize(
    ("formula", "shapes"),
    [
        ("inv(A - A)*B == B", {}),
        ("inv(a*a')*a*a' == I", {}),
        ("inv(X*Y)*X*Y == I", {"X": (3, 2), "Y": (2, 3)}),
        ("log(det(X*Y)) == log(det(Y'*X'))", {"X": (3, 2), "Y": (2, 3)}),
        ("grad(log(det(x*x')), x) == x", {}),
    ],
)
def test_sides_without_a_value_are_not_decided(formula: str, shapes: dict[str, Any]) -> None:
    verification = verify(formula, shapes=shapes)
    assert verification.holds is None
    assert verification.verdict == "not decided: no point was found at which both sides have a value"
    assert all(layer.why for layer in verification.layers)
    assert all(layer.undefined for layer in verification.layers[1:])


def test_determinants_that_are_always_zero() -> None:
    wide = {"X": (3, 2), "Y": (2, 3)}
    assert statuses(verify("det(X*Y) == 0", shapes=wide)) == "not decided proved holds holds"
    assert statuses(verify("det(a*a') == 0")) == "not decided proved holds holds"
    assert statuses(verify("grad(det(X*Y), X) == 0*X", shapes=wide)) == "not decided proved holds not decided"
    assert statuses(verify("det(a*a') == 1")) == "not decided refuted refuted refuted"
    odd = verify("inv(A - A')*(A - A') == I")  # a skew matrix of odd size is singular
    assert odd.holds is True
    assert odd.layers[1].scope == "n = 2, 4"
    assert "n = 3: not defined" in odd.layers[1].why
    small = {"A": (2, 2), "B": (2, 2), "a": (2, 1), "b": (2, 1)}
    slope = "grad(grad(det(a*b' + s*A + t*B), s), t)"
    expected = "tr(A)*tr(B) - tr(A*B)"
    assert statuses(verify(f"{slope} == {expected}", shapes=small, scalars=("s", "t"))).startswith(
        "not decided proved holds"
    )


def test_a_witness_can_be_checked_by_hand() -> None:
    explicit_n = verify("grad(x'*A*x, x) == 2*A*x").layers[1]
    assert explicit_n.witness == "entry (0, 0): left 3, right 6 at A = [[1, 1], [-2, 0]], x = [[2], [1]]"
    # (A + A')x = [[2, -1], [-1, 0]] [2, 1] has first entry 3; 2 A x has first entry 2 (2 + 1) = 6.


def test_no_layer_contradicts_a_proof_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(symbolic.RULES, "transpose", lambda node: symbolic._read(node.args[0]))
    with pytest.raises(LayersDisagree, match="contradicts itself"):
        verify("A' == A")


@pytest.mark.parametrize("layer", [explicit, exact, numeric])
def test_each_layer_alone_sees_a_false_identity(layer: Any) -> None:
    assert layer.judge(read(GOOD, symmetric=("A",))).status in (Status.PROVED, Status.HOLDS)
    assert layer.judge(read(BAD, symmetric=("A",))).status is Status.REFUTED


def test_conditions_conventions_and_remarks() -> None:
    verification = verify("grad(tr(inv(A)*B), A)/tr(B) == 0*A", symmetric=("A",))
    assert verification.conditions == ("tr(B) != 0", "det(A) != 0")
    assert "2 G - diag(G)" in verification.conventions[0]
    assert "ascent(f, A)" in verification.conventions[0]
    assert "det(A) > 0" in verify(GOOD, symmetric=("A",)).conditions
    assert verify("grad(log(det(S)), S) == ascent(log(det(S)), S)", spd=("S",)).conditions == ()
    zero = verify("grad(tr(B), A) == 0")
    assert zero.holds is True
    assert zero.remarks == ("tr(B) does not contain A, so grad(tr(B), A) is 0",)
    assert "diagonal matrix of partials" in verify("grad(tr(D), D) == I", diagonal=("D",)).conventions[0]
    assert verify("t^-1*inv(t) == 1/t^2", scalars=("t",)).conditions == ("t != 0", "t^2 != 0")
    assert verify("grad(det(A), A)*A' == det(A)*I").conditions == ("det(A) != 0",)
    assert "norm2(x) != 0" in verify("grad(norm2(x)^2, x) == 2*x").conditions


def test_the_scope_is_what_was_shown() -> None:
    rectangular = verify("grad(log(det(X'*X)), X) == 2*X*inv(X'*X)", shapes={"X": ("n", "m")})
    assert rectangular.layers[0].scope == "every n, m"
    assert rectangular.layers[1].scope == "n = 2, m = 1; n = 3, m = 2; n = 4, m = 3"
    assert rectangular.layers[2].scope.startswith("n = 20, m = 19")
    wide = verify("inv(X*X')*X*X' == I", shapes={"X": ("n", "m")})
    assert wide.layers[2].scope.startswith("n = 20, m = 21")
    low_rank = verify("det(X*X') == 0", shapes={"X": ("n", "m")})
    assert low_rank.holds is False  # true for m < n only
    assert low_rank.layers[1].scope == "n = 2, m = 3"
    both = verify("tr(X*X') == tr(X'*X)", shapes={"X": ("n", "m")})
    assert both.layers[2].scope.startswith("n = 20, m = 19 and n = 20, m = 21;")
    nested = verify("grad(tr(grad(tr(X*A*X), X)'*B), X) == A'*B' + B'*A'")
    assert nested.layers[2].scope.startswith("n = 8;")
    assert nested.layers[3].scope.startswith("n = 4;")
    two = verify("tr(A)^2 == 2*det(A) + tr(A*A)", shapes={"A": (2, 2)})
    assert two.verdict == "holds for the declared sizes"


def test_text_html_and_dict() -> None:
    verification = verify("inv(A + B) == inv(A) + inv(B)")
    text = str(verification)
    assert text.splitlines()[:2] == ["inv(A + B) == inv(A) + inv(B)", f"verdict: {verification.verdict}"]
    assert repr(verification) == text
    page = verify("grad(x'*A*x, x) == A*x + A'*x")._repr_html_()
    assert "<table>" in page
    assert "x&#x27;*A*x" in page
    plain = verification.to_dict()
    assert plain["holds"] is False
    assert [layer["status"] for layer in plain["layers"]] == ["not decided", "refuted", "refuted", "refuted"]


def test_the_seed_changes_the_points_and_not_the_verdict() -> None:
    first, second = (verify("A*B == B*A", seed=seed) for seed in (0, 1))
    assert first.layers[2].witness != second.layers[2].witness
    assert first.holds is second.holds is False
    assert str(verify("A*B == B*A", seed=1)) == str(second)


def test_out_of_time_is_not_decided() -> None:
    verification = verify("A*B*C == A*(B*C)", seconds=0.0)
    assert verification.holds is None
    assert "time limit" in verification.layers[0].why


@pytest.mark.parametrize(
    "formula",
    [
        "((A+B)*(A-B))^12 == A",
        "(tr(A)+tr(B)+tr(C)+t+s)^12*(tr(A*B)+t*s+2)^12 == 1",
        "det(kron(kron(A, B), kron(A, B))) == 1",
        "det(A)^(n*n*n*n*n*n) == 2",
    ],
)
def test_a_huge_formula_ends(formula: str) -> None:
    begin = time.monotonic()
    verification = verify(formula, scalars=("t", "s"), seconds=2)
    assert verification.holds is not True
    assert time.monotonic() - begin < 60  # a hang would be caught, a slow machine is not


# Random identities -------------------------------------------------------------------------------

TRUE_RULES = [
    "({P}*{Q})' == {Q}'*{P}'",
    "tr({P}*{Q}) == tr({Q}*{P})",
    "{P}*({Q} + {R}) == {P}*{Q} + {P}*{R}",
    "tr({P}') == tr({P})",
    "inv({P}*{Q}) == inv({Q})*inv({P})",
    "det({P}*{Q}) == det({Q})*det({P})",
    "inv({P}') == inv({P})'",
    "hadamard({P}, {Q})' == hadamard({Q}', {P}')",
    "diag({P} + {Q}) == diag({P}) + diag({Q}')",
    "kron({P}, {Q})*kron({Q}, {R}) == kron({P}*{Q}, {Q}*{R})",
    "kron({P}, {Q})*vec({R}) == vec({Q}*{R}*{P}')",
    "tr({P}'*{Q}) == vec({P})'*vec({Q})",
    "inv(I + {P}*{Q})*{P} == {P}*inv(I + {Q}*{P})",
    "d({P}*{Q}, A) == d({P}, A)*{Q} + {P}*d({Q}, A)",
    "d(inv({P}), A) == -inv({P})*d({P}, A)*inv({P})",
    "d(tr({P}*{Q}), A) == tr(grad(tr({P}*{Q}), A)'*dA)",
    "d(log(det({P})), A) == tr(inv({P})*d({P}, A))",
    "grad(x'*({P})*x, x) == ({P} + {P}')*x",
    "hess(x'*({P})*x, x) == {P} + {P}'",
    "grad(tr({P}), A) == grad(tr({P}'), A)",
]
MUTATIONS = [
    ("== ", "== 2*"),
    ("== ", "== -"),
    (" + ", " - "),
    ("*", "*B*"),
    ("'", ""),
    ("{Q}", "({Q} + B)"),
]


def random_matrix(rng: random.Random, depth: int) -> str:
    if depth == 0:
        return rng.choice(["A", "B", "C", "S", "A'", "B'"])
    left, right = random_matrix(rng, depth - 1), random_matrix(rng, rng.randint(0, depth - 1))
    shapes = ["({0}*{1})", "({0} + {1})", "({0} - 2*{1})", "hadamard({0}, {1})", "({0}*{1}')", "diag({0})"]
    return rng.choice(shapes).format(left, right)


def random_pair(rng: random.Random) -> tuple[str, str]:
    """Return a true identity and a mutated one."""
    rule = rng.choice(TRUE_RULES)
    parts = {name: random_matrix(rng, rng.randint(0, 1)) for name in "PQR"}
    side, other = rule.split(" == ")
    old, new = rng.choice([pair for pair in MUTATIONS if pair[0] in f"== {other}"])
    mutated = f"{side} {f'== {other}'.replace(old, new, 1)}"
    formulas = rule.format(**parts), mutated.format(**parts)
    try:
        read(formulas[1])
    except FormulaError:  # the mutation made a scalar a matrix
        return random_pair(rng)
    return formulas


def test_random_true_identities_hold_and_their_mutants_are_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explicit, "MAIN_SIZES", (2,))
    monkeypatch.setattr(exact, "MAIN_SIZES", (6, 5, 3, 2))  # enough to tell them apart, in a third of the time
    rng = random.Random(11)
    proved = refuted = true_mutants = 0
    for _ in range(300):
        good, bad = (read(formula, symmetric=("S",)) for formula in random_pair(rng))
        layers = symbolic.judge(good), exact.judge(good)
        assert layers[1].status is not Status.REFUTED, good.text
        proved += layers[0].status is Status.PROVED
        layers = symbolic.judge(bad), exact.judge(bad)
        refuted += layers[1].status is Status.REFUTED
        assert not (layers[0].status is Status.PROVED and layers[1].status is Status.REFUTED), bad.text
        if layers[1].status is Status.HOLDS:  # a mutant may be true, such as S for S'
            assert explicit.judge(bad).status is Status.PROVED
            true_mutants += 1
    assert proved >= 290
    assert refuted + true_mutants >= 295  # the others have no value: a singular matrix
    assert refuted >= 240


def test_every_node_has_a_source_that_reads_back() -> None:
    rng = random.Random(5)
    for _ in range(200):
        text, _ = random_pair(rng)
        identity = read(text, symmetric=("S",))
        again = read(f"{identity.left.source} == {identity.right.source}", symmetric=("S",))
        assert (again.left.source, again.right.source) == (identity.left.source, identity.right.source)
        there, here = (exact.Machine(one, {"n": 3}, "0", Oracle(0)) for one in (again, identity))
        try:
            assert (there.value(again.left) == here.value(identity.left)).all()
        except Undefined:
            continue


def test_cancelled_terms_refute_nothing_in_floating_point() -> None:
    for formula in ("A*B*inv(B) - A == 0", "tr(A*(B*C) - (A*B)*C) == 0", "grad(tr(A*(B*C) - (A*B)*C), A) == 0"):
        assert verify(formula).holds is True
    false = verify("grad(log(det(S)), S) == inv(S)", spd=("S",)).layers[3]
    assert false.status is Status.REFUTED  # det(S) is large, and no excuse
    close = numeric.judge(read("A*1.00001 == A"))
    assert close.status is Status.REFUTED
    assert numeric.judge(read("A*1.00000001 == A")).status is Status.UNDECIDED
