"""The rules of matrix algebra on sums of words: products, transposes, inverses and their cancellations.

Every function returns its result in normal form, so two expressions that these rules can identify
become the same `Poly`. Structured products (entrywise, Kronecker, diagonal parts) are in
`emlib.proof._words.products`, traces and determinants in `emlib.proof._words.traces`; the three call each other.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import sympy as sp

from emlib.proof._words import products, traces
from emlib.proof._words.letters import ONE, Dim, Letter, Poly, Word

LONGEST_WORD = 200


def symbol(name: str, rows: Dim, cols: Dim, structure: str = "general") -> Poly:
    """Return a matrix symbol; `structure` is ``general``, ``symmetric`` or ``diagonal``."""
    return Poly.letter(Letter("symbol", rows, cols, name=name, structure=structure))


def ones(size: Dim) -> Poly:
    """Return the column vector of ones."""
    if size == 1:
        return Poly.identity(ONE)
    return Poly.letter(Letter("ones", size, ONE))


def scalar(value: sp.Expr) -> Poly:
    """Return a scalar as a 1 x 1 matrix."""
    return Poly.identity(ONE).scale(value)


def as_scalar(poly: Poly) -> sp.Expr:
    """Return the scalar that a 1 x 1 poly stands for."""
    return sp.Add(*poly.terms.values())


def times(*factors: Poly) -> Poly:
    """Return the matrix product, expanded."""
    return reduce(_times, factors)


def _times(left: Poly, right: Poly) -> Poly:
    if left.cols != right.rows:
        raise ValueError(f"cannot multiply a {left.rows} x {left.cols} by a {right.rows} x {right.cols} matrix")
    terms: dict[Word, sp.Expr] = {}
    for u, a in left.terms.items():
        for v, b in right.terms.items():
            for word, value in product((*u.letters, *v.letters), u.rows, v.cols).terms.items():
                terms[word] = terms.get(word, sp.Integer(0)) + value * a * b
    return Poly(terms, left.rows, right.cols)


def product(letters: tuple[Letter, ...], rows: Dim, cols: Dim) -> Poly:
    """Return the normal form of a product of letters.

    Parameters
    ----------
    letters : tuple of Letter
        The factors; their shapes have to fit.
    rows, cols : sympy.Expr
        The shape of the product.
    """
    if len(letters) > LONGEST_WORD:
        raise ValueError(f"a product of more than {LONGEST_WORD} matrices")
    for place in range(len(letters)):
        found = _rewrite(letters, place)
        if found is not None:
            length, middle = found
            before = Word(letters[:place], rows, middle.rows)
            after = Word(letters[place + length :], middle.cols, cols)
            return _join(before, middle, after)
    return traces.pull_out_scalars(Word(letters, rows, cols))


def _join(before: Word, middle: Poly, after: Word) -> Poly:
    total = Poly.zero(before.rows, after.cols)
    for word, value in middle.terms.items():
        letters = (*before.letters, *word.letters, *after.letters)
        total = total + product(letters, before.rows, after.cols).scale(value)
    return total


def _rewrite(letters: tuple[Letter, ...], place: int) -> tuple[int, Poly] | None:
    """Return how many letters from `place` on can be replaced, and by what."""
    if place + 1 < len(letters):
        pair = _pair(letters[place], letters[place + 1])
        if pair is not None:
            return 2, pair
    if any(letter.kind == "inverse" for letter in letters[place:]):
        return _cancel_inverse(letters, place)
    return None


def _pair(left: Letter, right: Letter) -> Poly | None:
    if left.kind == "symbol" and replace(left, inverted=not left.inverted) == right:
        return Poly.identity(left.rows)
    return products.merge(left, right)


def _cancel_inverse(letters: tuple[Letter, ...], place: int) -> tuple[int, Poly] | None:
    """Use inv(P) P = P inv(P) = I to replace inv(P) next to the highest word of P."""
    for end in range(place + 2, len(letters) + 1):
        window = letters[place:end]
        if _inverts(window[0], window[1:]):
            return len(window), _identity_minus_rest(window[0], inverse_first=True)
        if _inverts(window[-1], window[:-1]):
            return len(window), _identity_minus_rest(window[-1], inverse_first=False)
    return None


def _inverts(letter: Letter, others: tuple[Letter, ...]) -> bool:
    return letter.kind == "inverse" and letter.parts[0].lead[0].letters == others


def _identity_minus_rest(letter: Letter, *, inverse_first: bool) -> Poly:
    """Return inv(P) times the highest word of P, which has coefficient 1, as I - inv(P) (P without it)."""
    poly, single = letter.parts[0], Poly.letter(letter)
    rest = _without_lead(poly)
    return Poly.identity(poly.rows) - (times(single, rest) if inverse_first else times(rest, single))


def _without_lead(poly: Poly) -> Poly:
    lead, _ = poly.lead
    return Poly({word: value for word, value in poly.terms.items() if word != lead}, poly.rows, poly.cols)


def transpose(poly: Poly) -> Poly:
    """Return the transpose."""
    total = Poly.zero(poly.cols, poly.rows)
    for word, value in poly.terms.items():
        total = total + transpose_word(word).scale(value)
    return total


def transpose_word(word: Word) -> Poly:
    """Return the transpose of one word."""
    factors = [transpose_letter(letter) for letter in reversed(word.letters)]
    return times(Poly.identity(word.cols), *factors)


def transpose_letter(letter: Letter) -> Poly:
    """Return the transpose of one letter."""
    if letter.is_diagonal or letter.structure == "symmetric":
        return Poly.letter(letter)
    if letter.kind == "inverse":
        return inverse(transpose(letter.parts[0]))
    if letter.kind == "hadamard" and 1 not in (letter.rows, letter.cols):
        return products.hadamard(*(transpose_word(word) for word in letter.parts))
    if letter.kind == "kron":
        return products.kron(*(transpose_word(word) for word in letter.parts))
    return Poly.letter(replace(letter, rows=letter.cols, cols=letter.rows, transposed=not letter.transposed))


def inverse(poly: Poly) -> Poly:
    """Return the inverse of a square poly; the inverse of a product is the product of inverses.

    Raises
    ------
    ZeroDivisionError
        The poly is zero.
    """
    if poly.rows != poly.cols:
        raise ValueError(f"cannot invert a {poly.rows} x {poly.cols} matrix: it is not square")
    if not poly.terms:
        raise ZeroDivisionError("the inverse of a zero matrix")
    lead, value = poly.lead
    if len(poly.terms) == 1 and all(letter.rows == letter.cols for letter in lead.letters):
        factors = [_inverse_letter(letter) for letter in reversed(lead.letters)]
        return times(Poly.identity(poly.rows), *factors).scale(1 / value)
    monic = poly.scale(1 / value)
    return _opaque_inverse(monic).scale(1 / value)


def _opaque_inverse(poly: Poly) -> Poly:
    flipped = transpose(poly)
    structure = "diagonal" if poly.is_diagonal else "symmetric" if flipped == poly else "general"
    return Poly.letter(Letter("inverse", poly.rows, poly.rows, (poly,), structure=structure))


def _inverse_letter(letter: Letter) -> Poly:
    if letter.kind == "symbol":
        return Poly.letter(replace(letter, inverted=not letter.inverted))
    if letter.kind == "inverse":
        poly: Poly = letter.parts[0]
        return poly
    if letter.kind == "kron" and all(word.rows == word.cols for word in letter.parts):
        return products.kron(*(inverse(Poly.of(word)) for word in letter.parts))
    return _opaque_inverse(Poly.letter(letter))


def power(poly: Poly, exponent: int) -> Poly:
    """Return an integer power; a negative one inverts first."""
    base = inverse(poly) if exponent < 0 else poly
    return times(Poly.identity(poly.rows), *([base] * abs(exponent)))
