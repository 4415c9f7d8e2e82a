"""Sums of words: how the symbolic layer stores a matrix expression.

A word is a product of letters (``A``, ``inv(A)'``, ``hadamard(A, B)``); a `Poly` is a sum of words with
scalar coefficients. Scalars are SymPy expressions in which traces and determinants are symbols, `Atom`.
Every object has a `key`, a string that two objects share exactly if they are equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, TypeAlias

import sympy as sp

from emlib.proof._limits import spend

Dim: TypeAlias = sp.Expr  # a positive integer, a symbol, or a product of them
ONE = sp.Integer(1)


@cache
def text_of(size: Dim) -> str:
    """Return a size as text; printing one takes SymPy longer than all else that a key needs."""
    return str(size)


@dataclass(frozen=True, eq=False)
class Letter:
    """One factor of a word.

    Parameters
    ----------
    kind : str
        ``symbol``, ``ones``, ``inverse``, ``hadamard``, ``diagonal`` (the diagonal part of a matrix),
        ``spread`` (the diagonal matrix of a vector), ``kron`` or ``vec``.
    rows, cols : sympy.Expr
        Its shape.
    parts : tuple
        Words or polys inside it; empty for a symbol.
    name : str
        The name of a symbol.
    transposed, inverted : bool
        For a symbol (and, transposed only, for ``ones`` and ``vec``).
    structure : str
        ``general``, ``symmetric`` or ``diagonal``.
    """

    kind: str
    rows: Dim
    cols: Dim
    parts: tuple[Any, ...] = ()
    name: str = ""
    transposed: bool = False
    inverted: bool = False
    structure: str = "general"

    @cached_property
    def key(self) -> str:
        """The text of the letter with structure and sizes.

        SymPy's caches may hand back any equal object of an earlier computation, so letters that differ in
        anything have to differ in their keys.
        """
        inside = ", ".join(part.key for part in self.parts)
        if self.kind == "symbol":
            rows, cols = (self.cols, self.rows) if self.transposed else (self.rows, self.cols)
            shape = f"{text_of(rows)},{text_of(cols)}"
            named = f"{self.name}[{self.structure},{shape}]"
            text = f"inv({named})" if self.inverted else named
        elif self.kind == "ones":
            text = f"ones[{text_of(self.cols if self.transposed else self.rows)}]"
        else:
            text = f"{SPELLING[self.kind]}({inside})"
        return text + "'" * self.transposed

    @property
    def is_diagonal(self) -> bool:
        """Whether it is known to be a diagonal matrix."""
        return self.structure == "diagonal"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Letter) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        inside = ", ".join(str(part) for part in self.parts)
        if self.kind == "symbol":
            text = f"inv({self.name})" if self.inverted else self.name
            return text + "'" * self.transposed
        text = "ones" if self.kind == "ones" else f"{SPELLING[self.kind]}({inside})"
        return text + "'" * self.transposed


SPELLING = {
    "inverse": "inv",
    "hadamard": "hadamard",
    "diagonal": "diag",
    "spread": "diag",
    "kron": "kron",
    "vec": "vec",
}


@dataclass(frozen=True, eq=False)
class Word:
    """A product of letters; the empty product is an identity, so the shape is kept beside it."""

    letters: tuple[Letter, ...]
    rows: Dim
    cols: Dim

    @cached_property
    def key(self) -> str:
        """The letters in order; an identity carries its size."""
        if not self.letters:
            return f"I[{text_of(self.rows)}]"
        return "*".join(letter.key for letter in self.letters)

    @property
    def order(self) -> tuple[int, str]:
        """Longer words stand higher, then the alphabet decides."""
        return len(self.letters), self.key

    @property
    def is_diagonal(self) -> bool:
        """Whether every letter is a diagonal matrix."""
        return all(letter.is_diagonal for letter in self.letters)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Word) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        return "*".join(map(str, self.letters)) or "I"


class Poly:
    """A sum of words of one shape, with scalar coefficients.

    Parameters
    ----------
    terms : mapping of Word to sympy.Expr
        The coefficients; those that are literally 0 are dropped.
    rows, cols : sympy.Expr
        The common shape.
    """

    def __init__(self, terms: Mapping[Word, sp.Expr], rows: Dim, cols: Dim) -> None:
        self.terms = {word: value for word, value in terms.items() if value != 0}
        self.rows, self.cols = rows, cols
        spend(len(self.terms) + 1)

    @classmethod
    def of(cls, word: Word, value: sp.Expr = ONE) -> Poly:
        """Return one word with its coefficient."""
        return cls({word: value}, word.rows, word.cols)

    @classmethod
    def letter(cls, letter: Letter) -> Poly:
        """Return one letter."""
        return cls.of(Word((letter,), letter.rows, letter.cols))

    @classmethod
    def identity(cls, size: Dim) -> Poly:
        """Return the identity matrix."""
        return cls.of(Word((), size, size))

    @classmethod
    def zero(cls, rows: Dim, cols: Dim) -> Poly:
        """Return the zero matrix."""
        return cls({}, rows, cols)

    def __add__(self, other: Poly) -> Poly:
        if (self.rows, self.cols) != (other.rows, other.cols):
            raise ValueError(f"cannot add a {self.rows} x {self.cols} matrix and a {other.rows} x {other.cols} matrix")
        terms = dict(self.terms)
        for word, value in other.terms.items():
            terms[word] = terms.get(word, sp.Integer(0)) + value
        return Poly(terms, self.rows, self.cols)

    def __sub__(self, other: Poly) -> Poly:
        return self + other.scale(sp.Integer(-1))

    def scale(self, factor: sp.Expr) -> Poly:
        """Return the poly times a scalar."""
        return Poly({word: value * factor for word, value in self.terms.items()}, self.rows, self.cols)

    def __iter__(self) -> Iterator[tuple[Word, sp.Expr]]:
        return iter(sorted(self.terms.items(), key=lambda term: term[0].order))

    @property
    def lead(self) -> tuple[Word, sp.Expr]:
        """The highest word and its coefficient."""
        return max(self.terms.items(), key=lambda term: term[0].order)

    @cached_property
    def key(self) -> str:
        """The terms from the highest word down."""
        return spell(((value, word.key) for word, value in reversed(list(self))), "0")

    @property
    def is_diagonal(self) -> bool:
        """Whether every word is a diagonal matrix."""
        return all(word.is_diagonal for word in self.terms)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Poly) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        return spell(((value, str(word)) for word, value in reversed(list(self))), "0")


def spell(terms: Iterable[tuple[sp.Expr, str]], empty: str) -> str:
    """Return ``2*A*B - C`` for coefficients and words."""
    text = ""
    for value, word in terms:
        coefficient = value if value.is_Number else sp.cancel(value)
        sign, rest = ("-", -coefficient) if coefficient.could_extract_minus_sign() else ("+", coefficient)
        factor = "" if rest == 1 else f"({rest})*" if rest.is_Add else f"{rest}*"
        spelled = factor + word
        text += (f" {sign} " if text else sign.strip("+")) + spelled
    return text or empty


class Atom(sp.Symbol):  # type: ignore[misc]  # SymPy has no type information
    """A trace, a determinant or an entrywise sum, as a symbol whose name is its canonical text.

    Attributes
    ----------
    invariant : str
        ``trace`` of a word, ``det`` of a poly, or ``total``: the sum of all entries of an entrywise product.
    parts : tuple
        The word, the poly, or the factors of the product.
    """

    invariant: str
    parts: tuple[Any, ...]

    def __new__(cls, invariant: str, parts: tuple[Any, ...]) -> Atom:
        """Make the symbol; equal parts give equal symbols."""
        name = f"{invariant}({', '.join(part.key for part in parts)})"
        atom: Atom = sp.Symbol.__xnew__(cls, name, commutative=True)
        atom.invariant, atom.parts = invariant, parts
        return atom

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (self.invariant, self.parts), {}

    def _sympystr(self, _printer: Any) -> str:
        inside = ", ".join(str(part) for part in self.parts)
        if self.invariant == "trace":
            word = self.parts[0]
            return f"({inside})" if word.rows == 1 else f"tr({inside})"
        return f"{'det' if self.invariant == 'det' else 'total'}({inside})"
