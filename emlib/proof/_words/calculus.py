"""Derivatives of sums of words: reverse mode for scalars, forward mode for matrices."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from emlib.proof._words import algebra as words
from emlib.proof._words import products, traces
from emlib.proof._words.letters import ONE, Atom, Letter, Poly, Word


class Unsupported(TypeError):
    """The derivative has no rule here; a zero is never returned in its place."""


def atoms_of(value: sp.Expr) -> list[Atom]:
    """Return the traces, determinants and totals of a scalar, in a fixed order."""
    return sorted(value.atoms(Atom), key=lambda atom: str(atom.name))


# Reverse mode ------------------------------------------------------------------------------------


def gradient(value: sp.Expr, name: str, rows: sp.Expr, cols: sp.Expr) -> Poly:
    """Return the matrix of partials of a scalar by the entries of a symbol, all entries taken as free.

    Parameters
    ----------
    value : sympy.Expr
        A scalar in `Atom` symbols.
    name : str
        The matrix symbol.
    rows, cols : sympy.Expr
        Its shape.
    """
    total = Poly.zero(rows, cols)
    for atom in atoms_of(value):
        inner = _Tape(name, rows, cols)
        inner.atom(atom)
        if inner.total.terms:
            total = total + inner.total.scale(value.diff(atom))
    return total


class _Tape:
    """Pushes adjoints down to one symbol and adds up what arrives."""

    def __init__(self, name: str, rows: sp.Expr, cols: sp.Expr) -> None:
        self.name, self.rows, self.cols = name, rows, cols
        self.total = Poly.zero(rows, cols)

    def atom(self, atom: Atom) -> None:
        if atom.invariant == "trace":
            self._trace(atom.parts[0])
        elif atom.invariant == "det":
            (poly,) = atom.parts  # Jacobi: the adjoint of P in det(P) is det(P) inv(P)'
            if _mentions(poly, self.name):
                self.poly(poly, words.transpose(words.inverse(poly)).scale(atom))
        else:
            for place, word in enumerate(atom.parts):
                others = atom.parts[:place] + atom.parts[place + 1 :]
                self.word(word, products.hadamard(*map(Poly.of, others)))

    def _trace(self, word: Word) -> None:
        for place, letter in enumerate(word.letters):
            if _letter_mentions(letter, self.name):
                around = word.letters[place + 1 :] + word.letters[:place]
                rest = words.product(around, letter.cols, letter.rows)
                self.letter(letter, words.transpose(rest))

    def poly(self, poly: Poly, adjoint: Poly) -> None:
        for word, value in poly.terms.items():
            self.word(word, adjoint.scale(value))
            if value.atoms(Atom):
                weight = traces.trace(words.times(words.transpose(adjoint), Poly.of(word)))
                self.total = self.total + gradient(value, self.name, self.rows, self.cols).scale(weight)

    def word(self, word: Word, adjoint: Poly) -> None:
        for place, letter in enumerate(word.letters):
            if _letter_mentions(letter, self.name):
                before = words.product(word.letters[:place], word.rows, letter.rows)
                after = words.product(word.letters[place + 1 :], letter.cols, word.cols)
                self.letter(letter, words.times(words.transpose(before), adjoint, words.transpose(after)))

    def letter(self, letter: Letter, adjoint: Poly) -> None:
        if letter.kind in ("symbol", "inverse") and (letter.inverted or letter.kind == "inverse"):
            flipped = words.transpose_letter(letter)
            adjoint = words.times(flipped, adjoint, flipped).scale(sp.Integer(-1))
        if letter.transposed:
            adjoint = words.transpose(adjoint)
        PUSH[letter.kind](self, letter, adjoint)

    def _symbol(self, letter: Letter, adjoint: Poly) -> None:
        if letter.name == self.name:
            self.total = self.total + adjoint

    def _inverse(self, letter: Letter, adjoint: Poly) -> None:
        self.poly(letter.parts[0], adjoint)

    def _hadamard(self, letter: Letter, adjoint: Poly) -> None:
        for place, word in enumerate(letter.parts):
            others = [Poly.of(part) for part in letter.parts[:place] + letter.parts[place + 1 :]]
            self.word(word, products.hadamard(adjoint, *others))

    def _diagonal(self, letter: Letter, adjoint: Poly) -> None:
        self.word(letter.parts[0], products.diagonal_part(adjoint))

    def _spread(self, letter: Letter, adjoint: Poly) -> None:
        self.word(letter.parts[0], products.diagonal_vector(adjoint))

    def _vec(self, letter: Letter, adjoint: Poly) -> None:
        (inside,) = letter.parts
        for word, value in adjoint.terms.items():
            kinds = [other.kind for other in word.letters]
            if kinds != ["vec"] or (word.letters[0].parts[0].rows, word.letters[0].parts[0].cols) != (
                inside.rows,
                inside.cols,
            ):
                raise Unsupported(f"no rule for the derivative of {letter} where it is paired with {word}")
            self.word(inside, Poly.of(word.letters[0].parts[0], value))

    def _kron(self, letter: Letter, adjoint: Poly) -> None:
        left, right = letter.parts
        for word, value in adjoint.terms.items():
            u, v = _kron_factors(word, letter)
            by_left = traces.trace(words.times(words.transpose(v), Poly.of(right)))
            by_right = traces.trace(words.times(words.transpose(u), Poly.of(left)))
            self.word(left, u.scale(value * by_left))
            self.word(right, v.scale(value * by_right))


def _kron_factors(word: Word, letter: Letter) -> tuple[Poly, Poly]:
    """Read the adjoint of a Kronecker product as one Kronecker product with factors of the same shapes."""
    left, right = letter.parts
    if not word.letters and left.rows == left.cols:
        return Poly.identity(left.rows), Poly.identity(right.rows)
    if [other.kind for other in word.letters] == ["kron"]:
        u, v = word.letters[0].parts
        if (u.rows, u.cols) == (left.rows, left.cols) and (v.rows, v.cols) == (right.rows, right.cols):
            return Poly.of(u), Poly.of(v)
    raise Unsupported(f"no rule for the derivative of {letter} where it is paired with {word}")


PUSH: dict[str, Callable[[_Tape, Letter, Poly], None]] = {
    "symbol": _Tape._symbol,
    "inverse": _Tape._inverse,
    "hadamard": _Tape._hadamard,
    "diagonal": _Tape._diagonal,
    "spread": _Tape._spread,
    "vec": _Tape._vec,
    "kron": _Tape._kron,
    "ones": lambda _tape, _letter, _adjoint: None,
}


def _letter_mentions(letter: Letter, name: str) -> bool:
    if letter.kind == "symbol":
        return letter.name == name
    return any(_mentions(part, name) for part in letter.parts)


def _mentions(thing: Poly | Word, name: str) -> bool:
    if isinstance(thing, Word):
        return any(_letter_mentions(letter, name) for letter in thing.letters)
    return any(_mentions(word, name) or scalar_mentions(value, name) for word, value in thing.terms.items())


def scalar_mentions(value: sp.Expr, name: str) -> bool:
    """Whether a scalar depends on a matrix or scalar symbol."""
    inside = any(_mentions(part, name) for atom in value.atoms(Atom) for part in atom.parts)
    return inside or any(str(free) == name for free in value.free_symbols if not isinstance(free, Atom))


def poly_mentions(poly: Poly, name: str) -> bool:
    """Whether a poly depends on a matrix or scalar symbol."""
    return _mentions(poly, name)


# Forward mode ------------------------------------------------------------------------------------


class Direction:
    """A symbol and the direction in which it moves; scalars move by `rate`.

    Parameters
    ----------
    name : str
        The symbol.
    step : Poly
        The direction, of the shape of the symbol; 1 x 1 for a scalar symbol.
    """

    def __init__(self, name: str, step: Poly) -> None:
        self.name, self.step = name, step

    def scalar(self, value: sp.Expr) -> sp.Expr:
        """Return the differential of a scalar."""
        total = sp.Integer(0)
        for atom in atoms_of(value):
            total += value.diff(atom) * self._atom(atom)
        for free in sorted(value.free_symbols - value.atoms(Atom), key=str):
            if str(free) == self.name:
                total += value.diff(free) * words.as_scalar(self.step)
        return total

    def _atom(self, atom: Atom) -> sp.Expr:
        if not any(_mentions(part, self.name) for part in atom.parts):
            return sp.Integer(0)
        if atom.invariant == "trace":
            return traces.trace(self.word(atom.parts[0]))
        if atom.invariant == "det":
            (poly,) = atom.parts
            return atom * traces.trace(words.times(words.inverse(poly), self.poly(poly)))
        total = sp.Integer(0)
        for place, word in enumerate(atom.parts):
            others = [Poly.of(part) for part in atom.parts[:place] + atom.parts[place + 1 :]]
            total += products.total(self.word(word), *others)
        return total

    def poly(self, poly: Poly) -> Poly:
        """Return the differential of a matrix."""
        total = Poly.zero(poly.rows, poly.cols)
        for word, value in poly.terms.items():
            total = total + self.word(word).scale(value) + Poly.of(word, self.scalar(value))
        return total

    def word(self, word: Word) -> Poly:
        """Return the differential of a product, by the product rule."""
        total = Poly.zero(word.rows, word.cols)
        for place, letter in enumerate(word.letters):
            if _letter_mentions(letter, self.name):
                before = words.product(word.letters[:place], word.rows, letter.rows)
                after = words.product(word.letters[place + 1 :], letter.cols, word.cols)
                total = total + words.times(before, self._letter(letter), after)
        return total

    def _letter(self, letter: Letter) -> Poly:
        if letter.kind in ("symbol", "inverse"):
            inside = self.step if letter.kind == "symbol" else self.poly(letter.parts[0])
            inside = words.transpose(inside) if letter.transposed else inside
            if letter.kind == "symbol" and not letter.inverted:
                return inside
            single = Poly.letter(letter)
            return words.times(single, inside, single).scale(sp.Integer(-1))
        changed = self._inside(letter)
        return words.transpose(changed) if letter.transposed else changed

    def _inside(self, letter: Letter) -> Poly:
        parts = [Poly.of(word) for word in letter.parts]
        moved = [self.poly(part) for part in parts]
        if letter.kind == "diagonal":
            return products.diagonal_part(moved[0])
        if letter.kind == "spread":
            return products.spread(moved[0])
        if letter.kind == "vec":
            return products.vec(moved[0])
        make: Callable[..., Poly] = products.kron if letter.kind == "kron" else products.hadamard
        first, *rest = [make(*parts[:i], moved[i], *parts[i + 1 :]) for i in range(len(parts))]
        return sum(rest, first)


def jacobian(column: Poly, name: str, size: sp.Expr) -> Poly:
    """Return M with d(column) = M d(name), for a column that is a function of another column."""
    step = words.symbol(f"d{name}", size, ONE)
    moved = Direction(name, step).poly(column)
    (marker,) = next(iter(step.terms)).letters
    total = Poly.zero(column.rows, size)
    for word, value in moved.terms.items():
        slope = gradient(value, marker.name, size, ONE)
        if slope.terms:
            total = total + words.times(Poly.of(word), words.transpose(slope))
        else:
            total = total + _strip(word, marker).scale(value)
    return total


def _strip(word: Word, marker: Letter) -> Poly:
    """Return M with M marker = word, for a word that is linear in the marker."""
    *first, last = word.letters
    before = words.product(tuple(first), word.rows, last.rows)
    if last == marker:
        return before
    if last.kind == "hadamard":
        others = [Poly.of(part) for part in last.parts if part.letters != (marker,)]
        if len(others) == len(last.parts) - 1:
            return words.times(before, products.spread(products.hadamard(*others)))
    for place, letter in enumerate(word.letters):
        if letter.kind == "spread" and letter.parts[0].letters == (marker,):
            before = words.product(word.letters[:place], word.rows, letter.rows)
            after = words.product(word.letters[place + 1 :], letter.cols, ONE)
            return words.times(before, products.spread(after))
    raise Unsupported(f"no rule to read the second derivative off {word}")


# The structure of the argument -------------------------------------------------------------------


def partials_by_free_entries(everything: Poly, structure: str) -> Poly:
    """Turn the all-entries gradient G into the matrix of partials by the free entries.

    For a symmetric argument that is G + G' - diag(G), for a diagonal one diag(G).
    """
    if structure == "symmetric":
        return everything + words.transpose(everything) - products.diagonal_part(everything)
    return products.diagonal_part(everything) if structure == "diagonal" else everything


def steepest_ascent(everything: Poly, structure: str) -> Poly:
    """Project the all-entries gradient G on the structure: (G + G')/2 for symmetric, diag(G) for diagonal."""
    if structure == "symmetric":
        return (everything + words.transpose(everything)).scale(sp.Rational(1, 2))
    return products.diagonal_part(everything) if structure == "diagonal" else everything
