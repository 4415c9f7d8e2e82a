"""The language of identities: what it reads, how it refuses, and that no text makes it crash, hang or run code."""

from __future__ import annotations

import random
import time

import pytest

from emlib.proof._shapes import read
from emlib.proof.language import FormulaError, parse


def text_of(formula: str, **options: object) -> str:
    identity = read(formula, **options)  # type: ignore[arg-type]
    return f"{identity.left.source} == {identity.right.source}"


@pytest.mark.parametrize(
    ("formula", "spelled"),
    [
        ("A.T == A'", "A' == A'"),
        ("A^T == A'", "A' == A'"),
        ("-A - -B == -(A-B)", "-A - -B == -(A - B)"),
        ("(A+B)*(A-B)/2 == A", "(A + B)*(A - B)/2 == A"),
        ("A^-2 == inv(A)^2", "A^(-2) == inv(A)^2"),
        ("1.5*A == 3/2*A", "3/2*A == 3/2*A"),
        ("det(2*A) == 2^n*det(A)", "det(2*A) == 2^n*det(A)"),
        ("d(X', X) == dX'", "d(X', X, dX) == dX'"),
        ("A*(B*C)' == A*(B*C).T", "A*(B*C)' == A*(B*C)'"),
        ("(A')' == A''", "A'' == A''"),
        ("A - (B + C) == A", "A - (B + C) == A"),
        ("tr(A)*B == B*tr(A)", "tr(A)*B == tr(A)*B"),
        ("x'*x/(y'*y) == 1", "x'*x/(y'*y) == 1"),
    ],
)
def test_reading_and_spelling(formula: str, spelled: str) -> None:
    assert text_of(formula) == spelled
    assert text_of(spelled) == spelled


def test_shapes_are_inferred_and_declared() -> None:
    identity = read("X*inv(X'*X)*X' == I", shapes={"X": ("n", "m")})
    assert (identity.left.rows, identity.left.cols, identity.sizes) == (("n",), ("n",), ("n", "m"))
    product = read("kron(A, x)*y == vec(B)", shapes={"B": ("n", "n")})
    assert product.left.rows == ("n", "n")
    assert read("t*A == A*t", scalars=("t",)).left.op == "scale"
    assert read("hess(t^2, t) == 2", scalars=("t",)).left.is_scalar
    assert read("0 == A - A").left.op == "zero"
    assert read("0 == 0").left.is_scalar
    assert read("x == ones").right.rows == ("n",)


@pytest.mark.parametrize(
    ("formula", "options", "reason", "position"),
    [
        ("A B == C", {}, "write \\* between", 2),
        ("A = B", {}, "one ==", 2),
        ("A == B == C", {}, "one ==", 7),
        ("A", {}, "one ==", None),
        ("A == ", {}, "too early", 5),
        ("A + == B", {}, "did not expect", 4),
        ("A == B)", {}, "did not expect", 6),
        ("A == $", {}, "not part of the language", 5),
        ("A == B.x", {}, "not part of the language", 6),
        ("foo(A) == B", {}, "no function foo", 0),
        ("tr == A", {}, "is a function", 0),
        ("tr(A, B) == 1", {}, "takes 1 argument", 0),
        ("d(A) == 1", {}, "takes 2 or 3", 0),
        ("A + x == A", {}, "terms of a sum are n x n and n x 1", 4),
        ("A + 1 == A", {}, "write c\\*I", 4),
        ("A == x", {}, "two sides", 5),
        ("x*A == A", {}, "do not fit: n x 1 times n x n", 2),
        ("A/B == C", {}, "takes a scalar", 2),
        ("x^2 == x", {}, "square", 0),
        ("A^n == A", {}, "has to be an integer", 2),
        ("A^B == A", {}, "takes an integer", 2),
        ("det(A)^(n/2) == 1", {}, "takes an integer", 8),
        ("det(A)^(1.5*n) == 1", {}, "integers", 8),
        ("A^13 == A", {}, "exponents go", 2),
        ("((A^12)^12)^2 == A", {}, "powers of powers", 8),
        ("det(x) == 1", {}, "det takes a square", 4),
        ("log(A) == 1", {}, "log takes a scalar", 4),
        ("diag(X) == 1", {"shapes": {"X": ("n", "m")}}, "square", 5),
        ("hadamard(A, x) == A", {}, "factors of hadamard", 12),
        ("grad(A, A) == 1", {}, "grad takes a scalar", 5),
        ("grad(tr(A), A*B) == 1", {}, "by a symbol", 12),
        ("grad(tr(A), I) == 1", {}, "by a symbol", 12),
        ("hess(tr(A), A) == 1", {}, "column or a scalar", 12),
        ("d(A, A, x) == A", {}, "direction", 8),
        ("1234567890123 == 1", {}, "12 digits", 0),
        ("(" * 41 + "A" + ")" * 41 + " == A", {}, "40 nested", 40),
        ("A" + "'" * 50 + " == A", {}, "40 levels", None),
        ("+".join(["A"] * 41) + " == A", {}, "40 levels", None),
        ("A == " + "B" * 2000, {}, "2005 characters", None),
        (
            "kron("
            + ", ".join(["A+" * 30 + "A"] * 2)
            + ") == "
            + "hadamard(" * 1
            + ("(" + "A*" * 30 + "A)+") * 6
            + "A, A)",
            {},
            "400 operations",
            None,
        ),
        ("A == A", {"symmetric": "A"}, "list of names", None),
        ("A == A", {"symmetric": ("A",), "spd": ("A",)}, "choose one", None),
        ("x == x", {"symmetric": ("x",), "shapes": {"x": ("n", "m")}}, "not a square", None),
        ("t == t", {"scalars": ("t",), "shapes": {"t": ("n", "m")}}, "choose one", None),
        ("A == A", {"shapes": {"A": ("n",)}}, "two sizes", None),
        ("A == A", {"shapes": {"A": "nm"}}, "two sizes", None),
        ("A == A", {"shapes": {"A": ("N", "n")}}, "lower-case", None),
        ("A == A", {"scalars": ("tr",)}, "free name", None),
        ("A == A", {"scalars": ("2x",)}, "free name", None),
    ],
)
def test_a_bad_formula_is_an_error_that_points(
    formula: str, options: dict[str, object], reason: str, position: int | None
) -> None:
    with pytest.raises(FormulaError, match=reason) as caught:
        read(formula, **options)  # type: ignore[arg-type]
    if position is not None:
        assert caught.value.position == position
        lines = str(caught.value).split("\n")
        assert len(lines) == 3
        assert lines[2].endswith("^")
        assert formula[position : position + 1] == lines[1][len(lines[2]) - 1 : len(lines[2])]


PIECES = [
    *"ABCXxyt+-*/^()',.=0123456789 ",
    "==", " == ", ".T", "inv(", "det(", "tr(", "log(", "exp(", "diag(", "vec(", "kron(", "hadamard(", "norm2(",
    "grad(", "hess(", "d(", "ascent(", ", ", "I", "ones", "n", "dX", "__import__('os')", "os.system", "lambda", "eval(",
    "\\", "\n", "\t", "é", "\0", "[0]", "{}", "@", "#", ";", "**", "1e9", "'''", "if", "x.__class__",
]  # fmt: skip
WELL_FORMED = [
    "grad(log(det(A)), A) == 2*inv(A) - diag(inv(A))",
    "d(inv(X), X) == -inv(X)*dX*inv(X)",
    "kron(A, B)*vec(C) == vec(B*C*A')",
    "hess(x'*A*x, x) == A + A'",
    "det(A^3) == det(A)^3",
    "norm2(x)^2 == x'*x",
]


def random_formula(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return "".join(rng.choice(PIECES) for _ in range(rng.randint(0, 30)))
    text = list(rng.choice(WELL_FORMED))
    for _ in range(rng.randint(0, 3)):
        place = rng.randrange(len(text) + 1)
        text[place : place + rng.randint(0, 2)] = rng.choice(PIECES)
    return "".join(text)


def test_ten_thousand_random_formulas_are_read_or_refused() -> None:
    rng = random.Random(3)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(10_000):
        text = random_formula(rng)
        try:
            read(text)
            outcomes["read"] += 1
        except FormulaError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 500


@pytest.mark.parametrize("text", ["__import__('os').system('true') == 1", "().__class__ == 1", "print == 1(2)"])
def test_python_is_not_run(text: str) -> None:
    with pytest.raises(FormulaError):
        parse(text)


def test_a_deeply_nested_formula_is_refused_at_once() -> None:
    begin = time.process_time()
    for text in ("(" * 100_000, "A == " + "-" * 1990 + "A", "inv(" * 400 + "A" + ")" * 400 + " == A"):
        with pytest.raises(FormulaError):
            read(text)
    assert time.process_time() - begin < 60  # a hang would be caught, a slow machine is not
