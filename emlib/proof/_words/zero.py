"""Deciding whether a scalar or a sum of words is zero."""

from __future__ import annotations

from math import comb, prod

import sympy as sp

from emlib.proof._limits import OutOfBudget
from emlib.proof._words import algebra as words
from emlib.proof._words.letters import Letter, Poly

MOST_CLEARED = 4
LARGEST_SCALAR = 20_000


def scalar_vanishes(value: sp.Expr) -> bool:
    """Whether a scalar is 0 as a rational function of its atoms, roots, logarithms and exponentials.

    Logarithms of products are split, which supposes positive factors.
    """
    if value == 0:
        return True
    if _size_when_expanded(value) > LARGEST_SCALAR:
        raise OutOfBudget(f"a scalar has more than {LARGEST_SCALAR} terms when it is multiplied out")
    tidy = value.replace(sp.log, _split_log)
    numerator = sp.expand(sp.numer(sp.together(sp.expand(tidy))))
    return bool(numerator == 0) or bool(sp.expand(sp.powsimp(numerator)) == 0)


def _size_when_expanded(value: sp.Expr) -> int:
    """Bound the number of terms after multiplying out; a denominator counts like a factor."""
    if not value.args:
        return 1
    sizes = [_size_when_expanded(arg) for arg in value.args]
    if value.is_Add:
        return sum(sizes)
    if value.is_Pow and value.exp.is_Integer:
        power = min(abs(int(value.exp)), LARGEST_SCALAR)
        return comb(sizes[0] + power - 1, power) if sizes[0] > 1 else 1
    return prod(sizes)


def _split_log(argument: sp.Expr) -> sp.Expr:
    return sp.expand_log(sp.log(sp.factor(argument)), force=True)


def leftover(poly: Poly) -> Poly:
    """Return the poly without the words whose coefficient vanishes."""
    kept = {word: value for word, value in poly.terms.items() if not scalar_vanishes(value)}
    return Poly(kept, poly.rows, poly.cols)


def vanishes(poly: Poly) -> bool:
    """Whether a poly is the zero matrix; inverses of sums are cleared by multiplying with the sum."""
    return any(not rest.terms for rest in _cleared(leftover(poly)))


def _cleared(poly: Poly) -> list[Poly]:
    """Return what the poly becomes when up to `MOST_CLEARED` inverses at its ends are multiplied away."""
    seen = {poly.key: poly}
    frontier = [poly]
    for _ in range(MOST_CLEARED):
        following = []
        for current in frontier:
            for candidate in _multiplied(current):
                if not candidate.terms:
                    return [candidate]
                if candidate.key not in seen:
                    seen[candidate.key] = candidate
                    following.append(candidate)
        frontier = following
    return list(seen.values())


def _multiplied(poly: Poly) -> list[Poly]:
    left = {word.letters[0] for word in poly.terms if word.letters and _is_sum(word.letters[0])}
    right = {word.letters[-1] for word in poly.terms if word.letters and _is_sum(word.letters[-1])}
    results = [words.times(letter.parts[0], poly) for letter in sorted(left, key=_by_key)]
    results += [words.times(poly, letter.parts[0]) for letter in sorted(right, key=_by_key)]
    return [leftover(result) for result in results]


def _is_sum(letter: Letter) -> bool:
    return letter.kind == "inverse"


def _by_key(letter: Letter) -> str:
    return letter.key
