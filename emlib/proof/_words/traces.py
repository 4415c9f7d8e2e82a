"""Traces, quadratic forms, determinants and entrywise sums, each as one canonical symbol."""

from __future__ import annotations

from itertools import pairwise

import sympy as sp

from emlib.proof._words import algebra as words
from emlib.proof._words import products
from emlib.proof._words.letters import ONE, Atom, Letter, Poly, Word


def trace(poly: Poly) -> sp.Expr:
    """Return the trace as a scalar in `Atom` symbols."""
    return sp.Add(*(value * trace_of_word(word) for word, value in poly))


def trace_of_word(word: Word) -> sp.Expr:
    """Return the trace of one word; cyclic shifts and the transpose give the same symbol."""
    letters = word.letters
    if not letters:
        return word.rows
    for place, letter in enumerate(letters, 1):
        if letter.cols == 1:
            return words.as_scalar(words.product(letters[place:] + letters[:place], ONE, ONE))
    rotations = [_rotate(word, place) for place in range(len(letters))]
    for rotated in rotations[1:]:
        shorter = words.product(rotated.letters, rotated.rows, rotated.cols)
        if shorter not in (Poly.of(rotated), Poly.of(word)):  # diagonal letters only change places
            return trace(shorter)
    special = [rotated for rotated in rotations if rotated.letters[0].kind in ("hadamard", "diagonal", "kron")]
    if special:
        found = [_trace_of_special(rotated) for rotated in special]
        known = [value for value in found if value is not None]
        if known:
            return min(known, key=str)
    mirrored = [products.canonical_up_to_transpose(rotated) for rotated in rotations]
    return Atom("trace", (min(mirrored, key=lambda candidate: candidate.order),))


def _rotate(word: Word, place: int) -> Word:
    letters = word.letters[place:] + word.letters[:place]
    return Word(letters, letters[0].rows, letters[0].rows)


def _trace_of_special(word: Word) -> sp.Expr | None:
    """Return the trace of a word that begins with an entrywise product, a diagonal part or a Kronecker product."""
    first, *rest = word.letters
    if first.kind == "kron":
        square = all(part.rows == part.cols for part in first.parts)
        return sp.Mul(*(trace_of_word(part) for part in first.parts)) if square and not rest else None
    if first.kind == "diagonal" and not rest:
        return trace_of_word(first.parts[0])
    remaining = words.transpose_word(Word(tuple(rest), first.cols, first.rows))
    if first.kind == "diagonal":
        return products.total(Poly.identity(first.rows), Poly.of(first.parts[0]), remaining)
    return products.total(*map(Poly.of, first.parts), remaining)


def total_of_words(given: list[Word]) -> sp.Expr:
    """Return the sum over all entries of an entrywise product of words."""
    factors = products.flatten(tuple(given))
    if any(factor.is_diagonal for factor in factors):
        return _total_on_diagonal(factors)
    if len(factors) == 2:
        left, right = factors
        return trace(words.times(words.transpose_word(left), Poly.of(right)))
    if len(factors) == 1:
        (word,) = factors
        row, column = words.transpose(words.ones(word.rows)), words.ones(word.cols)
        return words.as_scalar(words.times(row, Poly.of(word), column))
    straight = tuple(sorted(factors, key=lambda word: word.order))
    flipped = [words.transpose_word(word) for word in factors]
    if all(len(poly.terms) == 1 and set(poly.terms.values()) == {ONE} for poly in flipped):
        mirrored = tuple(sorted((word for poly in flipped for word in poly.terms), key=lambda word: word.order))
        straight = min(straight, mirrored, key=lambda parts: [part.order for part in parts])
    return Atom("total", straight)


def _total_on_diagonal(factors: list[Word]) -> sp.Expr:
    """One diagonal factor leaves the diagonal entries only, where every factor may be transposed."""
    size = factors[0].rows
    known = [Poly.of(word) for word in factors if word.is_diagonal]
    others = [products.canonical_up_to_transpose(word) for word in factors if not word.is_diagonal]
    if not others:
        return trace(words.times(*known))
    diagonal = words.times(Poly.identity(size), *known)
    if len(others) == 1:
        return trace(words.times(diagonal, Poly.of(others[0])))
    total = sp.Integer(0)
    for word, value in diagonal.terms.items():
        parts = tuple(sorted(others, key=lambda part: part.order))
        total += value * Atom("total", (word, *parts))
    return total


def pull_out_scalars(word: Word) -> Poly:
    """Split a word where the inner dimension is 1; what is 1 x 1 in between is a scalar and moves to the front."""
    bonds = [place for place, letter in enumerate(word.letters[:-1], 1) if letter.cols == 1]
    starts = ([0] if word.rows == 1 else []) + bonds + ([len(word.letters)] if word.cols == 1 else [])
    if len(starts) < 2 or not word.letters:
        return Poly.of(word)
    value = ONE
    for start, end in pairwise(starts):
        value *= _form(word.letters[start:end])
    kept = word.letters[: starts[0]] + word.letters[starts[-1] :]
    return Poly.of(Word(kept, word.rows, word.cols), value)


def _form(letters: tuple[Letter, ...]) -> sp.Expr:
    """Return a 1 x 1 product of letters as a scalar."""
    kinds = [letter.kind for letter in letters]
    if kinds == ["ones", "ones"]:
        return letters[1].rows
    if kinds == ["vec", "vec"]:
        (left,), (right,) = letters[0].parts, letters[1].parts
        if (left.rows, left.cols) == (right.rows, right.cols):
            return trace(words.times(words.transpose_word(left), Poly.of(right)))
    if kinds == ["ones", "hadamard", "ones"]:
        return products.total(*map(Poly.of, letters[1].parts))
    vectors = [letter for letter in letters if letter.kind == "hadamard" and 1 in (letter.rows, letter.cols)]
    if len(letters) > 1 and vectors:
        return _form_with_entrywise_vector(letters, vectors[0])
    word = Word(letters, ONE, ONE)
    return Atom("trace", (products.canonical_up_to_transpose(word),))


def _form_with_entrywise_vector(letters: tuple[Letter, ...], vector: Letter) -> sp.Expr:
    """Return (u o v)' M w as the sum of the entries of u o v o (M w)."""
    place = letters.index(vector)
    rest = letters[:place] + letters[place + 1 :]
    if place not in (0, len(letters) - 1):
        raise AssertionError("a vector stands inside a 1 x 1 product")
    if place == 0:
        other = words.product(rest, rest[0].rows, ONE)
    else:
        other = words.transpose(words.product(rest, ONE, vector.rows))
    return products.total(*map(Poly.of, vector.parts), other)


def determinant(poly: Poly) -> sp.Expr:
    """Return the determinant: multiplicative on square factors, and det(M + u v') = det(M) (1 + v' inv(M) u)."""
    if poly.rows != poly.cols:
        raise ValueError(f"the determinant of a {poly.rows} x {poly.cols} matrix: it is not square")
    if not poly.terms:
        return sp.Integer(0)
    lead, value = poly.lead
    if len(poly.terms) == 1 and all(letter.rows == letter.cols for letter in lead.letters):
        factors = [_determinant_of_letter(letter) for letter in lead.letters]
        return value**poly.rows * sp.Mul(*factors)
    update = _rank_one_update(poly)
    if update is not None:
        return update
    monic = poly.scale(1 / value)
    other = words.transpose(monic)
    canonical = min(monic, other, key=lambda candidate: candidate.key)
    return value**poly.rows * Atom("det", (_sylvester(canonical),))


def _determinant_of_letter(letter: Letter) -> sp.Expr:
    if letter.kind == "symbol":
        structure = letter.structure
        base = words.symbol(letter.name, letter.rows, letter.cols, structure)
        return Atom("det", (base,)) ** (-1 if letter.inverted else 1)
    if letter.kind == "inverse":
        return 1 / determinant(letter.parts[0])
    if letter.kind == "kron" and all(part.rows == part.cols for part in letter.parts):
        a, b = letter.parts
        return determinant(Poly.of(a)) ** b.rows * determinant(Poly.of(b)) ** a.rows
    return Atom("det", (Poly.letter(letter),))


def _rank_one_update(poly: Poly) -> sp.Expr | None:
    if len(poly.terms) != 2:
        return None
    for (main, a), (update, b) in (list(poly), list(poly)[::-1]):
        place = next((i for i, letter in enumerate(update.letters[:-1], 1) if letter.cols == 1), None)
        if place is None or any(letter.rows != letter.cols for letter in main.letters):
            continue
        u = Poly.of(Word(update.letters[:place], poly.rows, ONE))
        v = Poly.of(Word(update.letters[place:], ONE, poly.rows))
        base = Poly.of(main, a)
        form = words.as_scalar(words.times(v, words.inverse(base), u))
        return determinant(base) * (1 + b * form)
    return None


def _sylvester(poly: Poly) -> Poly:
    """For I + c A B choose the smallest of the cyclic shifts, which share their determinant."""
    values = {word: value for word, value in poly.terms.items() if word.letters}
    if len(poly.terms) != 2 or len(values) != 1:
        return poly
    ((word, value),) = values.items()
    constant = next(number for other, number in poly.terms.items() if not other.letters)
    shifts = [_rotate(word, place) for place in range(len(word.letters))]
    candidates = shifts + [products.canonical_up_to_transpose(shift) for shift in shifts]
    best = min(candidates, key=lambda shift: (str(shift.rows), shift.order))
    if best.rows != poly.rows and constant != 1:
        return poly
    return Poly.identity(best.rows).scale(constant) + Poly.of(best, value)
