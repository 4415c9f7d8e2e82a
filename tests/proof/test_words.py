"""The algebra of words against numbers: every operation is done twice, on sums of words and on arrays."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp

from emlib.proof._words import algebra, calculus, products, traces
from emlib.proof._words.letters import Atom, Letter, Poly, Word
from emlib.proof._words.zero import vanishes

N, M = sp.symbols("n m", integer=True, positive=True)
t = sp.Symbol("t", real=True)
SIZES = {N: 2, M: 3, sp.Integer(1): 1}
Array = np.ndarray[Any, Any]
Point = dict[str, Array]

SYMBOLS = {
    "A": algebra.symbol("A", N, N),
    "B": algebra.symbol("B", N, N),
    "S": algebra.symbol("S", N, N, "symmetric"),
    "D": algebra.symbol("D", N, N, "diagonal"),
    "X": algebra.symbol("X", N, M),
    "a": algebra.symbol("a", N, sp.Integer(1)),
    "b": algebra.symbol("b", N, sp.Integer(1)),
}
A, B, S, D, X, a, b = SYMBOLS.values()


def draw(seed: int) -> Point:
    rng = np.random.default_rng(seed)
    point = {name: rng.normal(size=(SIZES[poly.rows], SIZES[poly.cols])) for name, poly in SYMBOLS.items()}
    point["S"] = point["S"] + point["S"].T
    point["D"] = np.diag(np.diag(point["D"]))
    return {**point, "t": np.array([[0.7]])}


# What words mean ---------------------------------------------------------------------------------


def value(poly: Poly, point: Point) -> Array:
    total: Array = np.zeros((extent(poly.rows), extent(poly.cols)))
    for word, coefficient in poly.terms.items():
        total = total + scalar(coefficient, point) * value_of_word(word, point)
    return total


def extent(size: sp.Expr) -> int:
    return int(size.xreplace(SIZES))


def value_of_word(word: Word, point: Point) -> Array:
    result: Array = np.eye(extent(word.rows))
    for letter in word.letters:
        result = result @ value_of_letter(letter, point)
    return result


def value_of_letter(letter: Letter, point: Point) -> Array:
    rows = extent(letter.cols if letter.transposed else letter.rows)
    inside = [value(part, point) if isinstance(part, Poly) else value_of_word(part, point) for part in letter.parts]
    if letter.kind == "symbol":
        found = np.linalg.inv(point[letter.name]) if letter.inverted else point[letter.name]
    else:
        meanings: dict[str, Callable[[], Array]] = {
            "ones": lambda: np.ones((rows, 1)),
            "inverse": lambda: np.linalg.inv(inside[0]),
            "hadamard": lambda: np.prod(inside, axis=0),
            "diagonal": lambda: np.diag(np.diag(inside[0])),
            "spread": lambda: np.diag(inside[0].ravel()),
            "kron": lambda: np.kron(*inside),
            "vec": lambda: inside[0].reshape((-1, 1), order="F"),
        }
        found = meanings[letter.kind]()
    return found.T if letter.transposed else found


def scalar(expr: sp.Expr, point: Point) -> Any:
    symbols = sorted(expr.free_symbols, key=str)
    known = [value_of_atom(s, point) if isinstance(s, Atom) else SIZES.get(s, point["t"][0, 0]) for s in symbols]
    names = [sp.Dummy() for _ in symbols]
    return sp.lambdify(names, expr.xreplace(dict(zip(symbols, names, strict=True))), "numpy")(*known)


def value_of_atom(atom: Atom, point: Point) -> Any:
    inside = [value(part, point) if isinstance(part, Poly) else value_of_word(part, point) for part in atom.parts]
    if atom.invariant == "trace":
        return np.trace(inside[0])
    return np.linalg.det(inside[0]) if atom.invariant == "det" else np.prod(inside, axis=0).sum()


def assert_same(poly: Poly, array: Array, point: Point) -> None:
    assert (extent(poly.rows), extent(poly.cols)) == array.shape
    np.testing.assert_allclose(value(poly, point), array, rtol=1e-8, atol=1e-8 * max(1, abs(array).max()))


# Random compositions -----------------------------------------------------------------------------

Pair = tuple[Poly, Array]


def grow(rng: random.Random, point: Point, depth: int) -> Pair:
    """Return a random n x n expression as a sum of words and as an array."""
    if depth == 0:
        name = rng.choice("ABSD")
        return SYMBOLS[name], point[name]
    (p, u), (q, v) = grow(rng, point, depth - 1), grow(rng, point, rng.randrange(depth))
    x, y = point["a"], point["b"]
    rules: list[Callable[[], Pair]] = [
        lambda: (p + q, u + v),
        lambda: (p - q.scale(t), u - 0.7 * v),
        lambda: (algebra.times(p, q), u @ v),
        lambda: (algebra.transpose(p), u.T),
        lambda: (algebra.inverse(Poly.identity(N).scale(sp.Integer(9)) + p), np.linalg.inv(9 * np.eye(2) + u)),
        lambda: (algebra.power(p, 3), u @ u @ u),
        lambda: (products.hadamard(p, q), u * v),
        lambda: (products.diagonal_part(p), np.diag(np.diag(u))),
        lambda: (products.spread(algebra.times(p, a)), np.diag((u @ x).ravel())),
        lambda: (algebra.times(p, a, algebra.transpose(b), q), u @ x @ y.T @ v),
        lambda: (algebra.times(p, X, algebra.transpose(X)), u @ point["X"] @ point["X"].T),
        lambda: (p.scale(traces.trace(q)), u * np.trace(v)),
        lambda: (p.scale(traces.determinant(q)), u * np.linalg.det(v)),
        lambda: (p.scale(products.total(p, q)), u * (u * v).sum()),
        lambda: (q.scale(traces.trace(products.kron(p, B))), v * np.trace(u) * np.trace(point["B"])),
        lambda: (
            q.scale(algebra.as_scalar(algebra.times(algebra.transpose(products.vec(p)), products.vec(q)))),
            v * (u * v).sum(),
        ),
    ]
    return rng.choice(rules)()


@pytest.mark.parametrize("seed", range(5))
def test_operations_on_words_are_operations_on_matrices(seed: int) -> None:
    rng, point = random.Random(seed), draw(seed)
    for _ in range(40):
        try:
            poly, array = grow(rng, point, 2)
        except ZeroDivisionError:  # the inverse of a zero matrix
            continue
        assert_same(poly, array, point)


@pytest.mark.parametrize("seed", range(4))
def test_gradients_and_directions_are_slopes(seed: int) -> None:
    rng, point = random.Random(100 + seed), draw(seed)
    step = np.random.default_rng(seed).normal(size=(2, 2))
    direction = algebra.symbol("V", N, N)
    moved = {**point, "A": point["A"] + 1e-30j * step, "V": step}
    for _ in range(8):
        poly, _ = grow(rng, point, 2)
        by_step = calculus.Direction("A", direction).poly(poly)
        slope = value(poly, moved).imag / 1e-30
        assert_same(by_step, slope, {**point, "V": step})
        everything = value(calculus.gradient(traces.trace(poly), "A", N, N), point)
        assert np.vdot(everything, step) == pytest.approx(np.trace(slope), rel=1e-8, abs=1e-8)


def test_a_wrong_rule_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(algebra, "transpose_letter", Poly.letter)
    with pytest.raises((AssertionError, ValueError)):
        test_operations_on_words_are_operations_on_matrices(0)


# Normal forms ------------------------------------------------------------------------------------


def times(*factors: Poly) -> Poly:
    return algebra.times(*factors)


def inv(poly: Poly) -> Poly:
    return algebra.inverse(poly)


def flip(poly: Poly) -> Poly:
    return algebra.transpose(poly)


ONE = Poly.identity(N)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (times(times(A, B), S), times(A, times(B, S))),
        (times(A + B, S), times(A, S) + times(B, S)),
        (flip(times(A, S, B)), times(flip(B), S, flip(A))),
        (flip(inv(A)), inv(flip(A))),
        (inv(times(A, B)), times(inv(B), inv(A))),
        (inv(inv(A + B)), A + B),
        (inv((A + B).scale(sp.Integer(2))), inv(A + B).scale(sp.Rational(1, 2))),
        (times(A, inv(A), B), B),
        (times(A + B, inv(A + B)), ONE),
        (times(inv(A + B), A), ONE - times(inv(A + B), B)),
        (algebra.power(A, -2), times(inv(A), inv(A))),
        (times(D, products.diagonal_part(A)), times(products.diagonal_part(flip(A)), D)),
        (products.hadamard(A, B), products.hadamard(B, A)),
        (flip(products.hadamard(A, B)), products.hadamard(flip(A), flip(B))),
        (products.hadamard(A, D), times(D, products.diagonal_part(A))),
        (products.diagonal_part(times(a, flip(b))), products.spread(products.hadamard(a, b))),
        (times(products.spread(a), algebra.ones(N)), a),
        (products.spread(algebra.ones(N)), ONE),
        (products.kron(A, B) - products.kron(A, S), products.kron(A, B - S)),
        (times(products.kron(A, B), products.kron(S, D)), products.kron(times(A, S), times(B, D))),
        (times(products.kron(A, B), products.vec(S)), products.vec(times(B, S, flip(A)))),
        (products.vec(times(a, flip(b))), products.kron(b, a)),
        (times(a, flip(b), a), a.scale(algebra.as_scalar(times(flip(a), b)))),
    ],
)
def test_equal_matrices_have_one_normal_form(left: Poly, right: Poly) -> None:
    assert left == right
    assert left.key == right.key


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (traces.trace(times(A, B)), traces.trace(times(B, A))),
        (traces.trace(times(A, B, S)), traces.trace(times(flip(B), flip(A), S))),
        (traces.trace(ONE), N),
        (traces.trace(times(products.diagonal_part(A), D)), traces.trace(times(D, A))),
        (traces.trace(times(D, products.spread(a), D)), traces.trace(times(products.spread(a), D, D))),
        (traces.trace(products.hadamard(A, B)), traces.trace(times(products.diagonal_part(A), B))),
        (traces.trace(times(A, a, flip(b))), algebra.as_scalar(times(flip(b), A, a))),
        (algebra.as_scalar(times(flip(a), A, b)), algebra.as_scalar(times(flip(b), flip(A), a))),
        (products.total(A, B), traces.trace(times(flip(A), B))),
        (traces.determinant(times(A, B)), traces.determinant(B) * traces.determinant(A)),
        (traces.determinant(flip(A)), traces.determinant(A)),
        (traces.determinant(inv(A)), 1 / traces.determinant(A)),
        (traces.determinant(A.scale(t)), t**N * traces.determinant(A)),
        (traces.determinant(ONE + times(A, B)), traces.determinant(ONE + times(B, A))),
        (traces.determinant(products.kron(A, B)), (traces.determinant(A) * traces.determinant(B)) ** N),
    ],
)
def test_equal_scalars_are_one_expression(left: sp.Expr, right: sp.Expr) -> None:
    assert sp.expand(left - right) == 0


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (times(A, B), times(B, A)),
        (A, flip(A)),
        (products.kron(A, B), products.kron(B, A)),
        (inv(A + B), inv(A) + inv(B)),
        (A, algebra.symbol("A", N, N, "symmetric")),
        (A, algebra.symbol("A", M, M)),
        (products.vec(A), products.vec(flip(A))),
    ],
)
def test_different_matrices_have_different_keys(left: Poly, right: Poly) -> None:
    assert left.key != right.key
    assert len({left, right}) == 2


def test_inverses_of_sums_are_cleared() -> None:
    woodbury = inv(A + times(X, flip(X))) - (
        inv(A) - times(inv(A), X, inv(Poly.identity(M) + times(flip(X), inv(A), X)), flip(X), inv(A))
    )
    assert vanishes(woodbury)
    assert not vanishes(woodbury + inv(A))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot multiply a n x m by a n x n"):
        times(X, A)
    with pytest.raises(ValueError, match="cannot add"):
        X + A
    with pytest.raises(ValueError, match="not square"):
        inv(X)
    with pytest.raises(ValueError, match="not square"):
        traces.determinant(X)
    with pytest.raises(ValueError, match="one shape"):
        products.hadamard(X, A)
    with pytest.raises(ZeroDivisionError):
        inv(A - A)
    with pytest.raises(ValueError, match="more than 200"):
        algebra.power(A, 201)
