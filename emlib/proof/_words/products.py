"""Entrywise and Kronecker products, vec, diagonal parts: each multilinear, each with its own rules."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import sympy as sp

from emlib.proof._words import algebra as words
from emlib.proof._words import traces
from emlib.proof._words.letters import ONE, Letter, Poly, Word


def _multilinear(make: Callable[..., Poly], factors: tuple[Poly, ...], rows: sp.Expr, cols: sp.Expr) -> Poly:
    total = Poly.zero(rows, cols)
    for choice in itertools.product(*(factor.terms.items() for factor in factors)):
        values = sp.Mul(*(value for _, value in choice))
        total = total + make(*(word for word, _ in choice)).scale(values)
    return total


def hadamard(*factors: Poly) -> Poly:
    """Return the entrywise product."""
    first = factors[0]
    if any((factor.rows, factor.cols) != (first.rows, first.cols) for factor in factors):
        raise ValueError("hadamard takes matrices of one shape")
    return _multilinear(_hadamard_words, factors, first.rows, first.cols)


def _hadamard_words(*given: Word) -> Poly:
    rows, cols = given[0].rows, given[0].cols
    factors = [word for word in flatten(given) if not _is_all_ones(word)]
    if not factors:
        return words.times(words.ones(rows), words.transpose(words.ones(cols)))
    diagonal = [word for word in factors if word.is_diagonal]
    if diagonal and rows == cols:
        return _hadamard_with_diagonal(factors, diagonal)
    if len(factors) == 1:
        return Poly.of(factors[0])
    if rows == 1 or cols == 1:
        return _hadamard_of_vectors(factors, rows, cols)
    ordered = tuple(sorted(factors, key=lambda word: word.order))
    mirrored = [words.transpose_word(word) for word in ordered]
    symmetric = rows == cols and sorted(poly.key for poly in mirrored) == sorted(word.key for word in ordered)
    structure = "symmetric" if symmetric else "general"
    return Poly.letter(Letter("hadamard", rows, cols, ordered, structure=structure))


def _hadamard_of_vectors(factors: list[Word], rows: sp.Expr, cols: sp.Expr) -> Poly:
    """Entrywise products of vectors are one letter, read as a column."""
    if rows == 1:
        columns = [words.transpose_word(word) for word in factors]
        return words.transpose(hadamard(*columns))
    ordered = tuple(sorted(factors, key=lambda word: word.order))
    return Poly.letter(Letter("hadamard", rows, cols, ordered))


def _hadamard_with_diagonal(factors: list[Word], diagonal: list[Word]) -> Poly:
    """Keep the diagonal of the other factors only: D o M = D diag(M)."""
    others = [Poly.of(word) for word in factors if not word.is_diagonal]
    product = words.times(*(Poly.of(word) for word in diagonal))
    return words.times(product, diagonal_part(hadamard(*others))) if others else product


def flatten(given: tuple[Word, ...]) -> list[Word]:
    """Replace a word that is one entrywise product by its factors."""
    found: list[Word] = []
    for word in given:
        nested = len(word.letters) == 1 and word.letters[0].kind == "hadamard"
        found.extend(word.letters[0].parts if nested else (word,))
    return found


def _is_all_ones(word: Word) -> bool:
    kinds = [letter.kind for letter in word.letters]
    return bool(kinds) and all(kind == "ones" for kind in kinds)


def diagonal_part(poly: Poly) -> Poly:
    """Return the diagonal matrix with the diagonal of a square poly."""
    return _multilinear(_diagonal_part_of_word, (poly,), poly.rows, poly.cols)


def _diagonal_part_of_word(word: Word) -> Poly:
    letters = list(word.letters)
    before: list[Letter] = []
    after: list[Letter] = []
    while letters and letters[0].is_diagonal:
        before.append(letters.pop(0))
    while letters and letters[-1].is_diagonal:
        after.insert(0, letters.pop())
    if not letters:
        return Poly.of(word)
    rank_one = _outer_product(Word(tuple(letters), word.rows, word.cols))
    if rank_one is not None:
        around = [Poly.letter(letter) for letter in (*before, *after)]
        return words.times(spread(hadamard(*rank_one)), *around)
    core = canonical_up_to_transpose(Word(tuple(letters), word.rows, word.cols))
    nested = flatten((core,))
    if len(nested) > 1:
        mirrored = sorted((canonical_up_to_transpose(part) for part in nested), key=lambda part: part.order)
        core = _one_word(Poly.letter(Letter("hadamard", word.rows, word.cols, tuple(mirrored))))
    middle = Poly.letter(Letter("diagonal", word.rows, word.cols, (core,), structure="diagonal"))
    around = [Poly.letter(letter) for letter in (*before, *after)]
    return words.times(middle, *around)


def _outer_product(word: Word) -> tuple[Poly, Poly] | None:
    """Return columns u and v if the word is u v'."""
    for place, letter in enumerate(word.letters[:-1], 1):
        if letter.cols == 1:
            u = Poly.of(Word(word.letters[:place], word.rows, ONE))
            return u, words.transpose_word(Word(word.letters[place:], ONE, word.cols))
    return None


def canonical_up_to_transpose(word: Word) -> Word:
    """Return the smaller of a word and its transpose, where that is one word."""
    mirrored = _mirror_form(word) if word.rows == word.cols == 1 else words.transpose_word(word)
    if mirrored is None or len(mirrored.terms) != 1 or set(mirrored.terms.values()) != {ONE}:
        return word
    other = Word(_one_word(mirrored).letters, word.cols, word.rows)
    return min(word, other, key=lambda candidate: candidate.order)


def _mirror_form(word: Word) -> Poly | None:
    """Return the transposed letters of a 1 x 1 product, all but the last multiplied out, then the last."""
    first, *rest = word.letters
    if not rest:
        return None
    front = words.transpose_word(Word(tuple(rest), first.cols, ONE))
    last = words.transpose_letter(first)
    if len(front.terms) != 1 or set(front.terms.values()) != {ONE}:
        return None
    return Poly.of(Word(_one_word(front).letters + _one_word(last).letters, ONE, ONE))


def _one_word(poly: Poly) -> Word:
    (word,) = poly.terms
    return word


def spread(vector: Poly) -> Poly:
    """Return the diagonal matrix whose diagonal is a column vector."""
    return _multilinear(_spread_word, (vector,), vector.rows, vector.rows)


def _spread_word(word: Word) -> Poly:
    if [letter.kind for letter in word.letters] == ["ones"]:
        return Poly.identity(word.rows)
    *first, last = word.letters
    if last.kind == "ones" and all(letter.is_diagonal for letter in first):
        return words.product(tuple(first), word.rows, word.rows)
    return Poly.letter(Letter("spread", word.rows, word.rows, (word,), structure="diagonal"))


def diagonal_vector(poly: Poly) -> Poly:
    """Return the diagonal of a square poly as a column."""
    return words.times(diagonal_part(poly), words.ones(poly.rows))


def kron(left: Poly, right: Poly) -> Poly:
    """Return the Kronecker product."""
    return _multilinear(_kron_words, (left, right), left.rows * right.rows, left.cols * right.cols)


def _kron_words(left: Word, right: Word) -> Poly:
    rows, cols = left.rows * right.rows, left.cols * right.cols
    if not left.letters and not right.letters:
        return Poly.identity(rows)
    for word, other in ((left, right), (right, left)):
        if not word.letters and word.rows == 1:
            return Poly.of(other)
    diagonal = left.is_diagonal and right.is_diagonal
    symmetric = all(words.transpose_word(word) == Poly.of(word) for word in (left, right))
    structure = "diagonal" if diagonal else "symmetric" if symmetric else "general"
    return Poly.letter(Letter("kron", rows, cols, (left, right), structure=structure))


def vec(poly: Poly) -> Poly:
    """Return the columns of a matrix, one below the other."""
    return _multilinear(_vec_word, (poly,), poly.rows * poly.cols, ONE)


def _vec_word(word: Word) -> Poly:
    if word.cols == 1:
        return Poly.of(word)
    if word.rows == 1:
        return words.transpose_word(word)
    rank_one = _outer_product(word)
    if rank_one is not None:  # vec(u v') = kron(v, u)
        return kron(rank_one[1], rank_one[0])
    return Poly.letter(Letter("vec", word.rows * word.cols, ONE, (word,)))


def merge(left: Letter, right: Letter) -> Poly | None:
    """Return the product of two neighbouring letters where a rule applies to them."""
    if left.is_diagonal and right.is_diagonal:
        return _merge_diagonal(left, right)
    if left.kind == "spread" and right.kind == "ones":
        return Poly.of(left.parts[0])
    if left.kind == "ones" and right.kind == "spread":
        return words.transpose_word(right.parts[0])
    if left.kind == "kron" and right.kind == "kron":
        return _merge_kron(left, right)
    if left.kind == "kron" and right.kind == "vec" and not right.transposed:
        return _kron_times_vec(left, right)
    if left.kind == "vec" and left.transposed and right.kind == "kron":
        mirrored = words.times(words.transpose_letter(right), words.transpose_letter(left))
        return None if len(mirrored.terms) != 1 or _is_pair(mirrored) else words.transpose(mirrored)
    return None


def _is_pair(poly: Poly) -> bool:
    """Whether no rule applied: the word is still a Kronecker product times a vec."""
    (word,) = poly.terms
    return [letter.kind for letter in word.letters] == ["kron", "vec"]


def _merge_diagonal(left: Letter, right: Letter) -> Poly | None:
    """Diagonal matrices commute; two diagonal parts merge into one."""
    if left.kind == right.kind == "diagonal":
        return diagonal_part(hadamard(Poly.of(left.parts[0]), Poly.of(right.parts[0])))
    if left.kind == right.kind == "spread":
        return spread(hadamard(Poly.of(left.parts[0]), Poly.of(right.parts[0])))
    if (left.name, left.key) > (right.name, right.key):
        return words.product((right, left), left.rows, left.rows)
    return None


def _merge_kron(left: Letter, right: Letter) -> Poly | None:
    (a, b), (c, d) = left.parts, right.parts
    if a.cols != c.rows or b.cols != d.rows:
        return None
    return kron(words.times(Poly.of(a), Poly.of(c)), words.times(Poly.of(b), Poly.of(d)))


def _kron_times_vec(left: Letter, right: Letter) -> Poly | None:
    (a, b), (w,) = left.parts, right.parts
    if b.cols != w.rows or a.cols != w.cols:
        return None
    return vec(words.times(Poly.of(b), Poly.of(w), words.transpose_word(a)))


def total(*factors: Poly) -> sp.Expr:
    """Return the sum of all entries of an entrywise product."""
    result = sp.Integer(0)
    for choice in itertools.product(*(factor.terms.items() for factor in factors)):
        values = sp.Mul(*(value for _, value in choice))
        result += values * traces.total_of_words([word for word, _ in choice])
    return result
