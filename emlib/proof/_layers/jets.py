"""Matrices over a prime field with infinitesimals: exact derivatives with no rule of matrix calculus.

A `Jet` is ``sum over S of part[S] * (product of e_l for l in S)`` with ``e_l^2 = 0``, a dual number with one
infinitesimal per nested derivative. Each level l has its own axis in front of the two matrix axes, so that all
directions of a derivative are carried at once. Inverses and determinants come from elimination.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emlib.proof._layers.verdict import Undefined
from emlib.proof._limits import spend

PRIME = 2**31 - 1  # products of two residues fit in 64 bits
Residues = NDArray[np.int64]
Levels = frozenset[int]
BASE: Levels = frozenset()


def matmul(left: Residues, right: Residues) -> Residues:
    """Return the product modulo PRIME.

    Both factors are split at 16 bits. Sums of the products are below 2^53, so floating point holds them exactly.
    """
    spend()
    if left.shape[-1] == 1:
        return left * right % PRIME
    high, low = (left >> 16).astype(float), (left & 0xFFFF).astype(float)
    above, below = (right >> 16).astype(float), (right & 0xFFFF).astype(float)
    top, bottom = (high @ above).astype(np.int64), (low @ below).astype(np.int64)
    middle = (high @ below + low @ above).astype(np.int64)
    return ((((top % PRIME << 16) + middle) % PRIME << 16) + bottom) % PRIME


def invert_number(value: int) -> int:
    """Return the inverse modulo PRIME."""
    if value % PRIME == 0:
        raise Undefined("a division by zero")
    return pow(value, PRIME - 2, PRIME)


def invert_matrix(matrix: Residues) -> Residues:
    """Return the inverse of a square matrix of residues, by elimination."""
    size = len(matrix)
    work = np.concatenate([matrix % PRIME, np.eye(size, dtype=np.int64)], axis=1)
    for column in range(size):
        pivots = np.flatnonzero(work[column:, column])
        if not pivots.size:
            raise Undefined("the inverse of a singular matrix")
        pivot = column + int(pivots[0])
        work[[column, pivot]] = work[[pivot, column]]
        work[column] = work[column] * invert_number(int(work[column, column])) % PRIME
        factors = work[:, column].copy()
        factors[column] = 0
        work = (work - factors[:, None] * work[column]) % PRIME
    return work[:, size:]


def _to_front(part: Residues, row: int, col: int) -> Residues:
    """Swap a row and a column with the first."""
    rows, cols = np.arange(part.shape[-2]), np.arange(part.shape[-1])
    rows[[0, row]], cols[[0, col]] = rows[[row, 0]], cols[[col, 0]]
    return part[..., rows, :][..., cols]


@dataclass(frozen=True)
class Jet:
    """A matrix with infinitesimal parts; arrays have shape (levels..., rows, cols).

    Parameters
    ----------
    parts : dict of frozenset of int to ndarray
        The finite part is at the empty set; a missing part is 0.
    """

    parts: dict[Levels, Residues]

    @property
    def base(self) -> Residues:
        """The finite part, shape (rows, cols)."""
        array = self.parts[BASE]
        return array.reshape(array.shape[-2:])

    def __add__(self, other: Jet) -> Jet:
        parts = dict(self.parts)
        for levels, part in other.parts.items():
            parts[levels] = (parts[levels] + part) % PRIME if levels in parts else part
        return Jet(parts)

    def times(self, other: Jet, multiply: Callable[[Residues, Residues], Residues]) -> Jet:
        """Return a bilinear product; parts that share an infinitesimal vanish."""
        parts: dict[Levels, Residues] = {}
        for left_levels, left in self.parts.items():
            for right_levels, right in other.parts.items():
                if not left_levels & right_levels:
                    levels = left_levels | right_levels
                    product = multiply(left, right)
                    parts[levels] = (parts[levels] + product) % PRIME if levels in parts else product
        return Jet(parts)

    def __matmul__(self, other: Jet) -> Jet:
        return self.times(other, matmul)

    def __mul__(self, other: Jet) -> Jet:
        return self.times(other, lambda left, right: left * right % PRIME)

    def each(self, change: Callable[[Residues], Residues]) -> Jet:
        """Apply a linear map to every part."""
        return Jet({levels: change(part) % PRIME for levels, part in self.parts.items()})

    def scaled(self, number: int) -> Jet:
        """Return the jet times an integer."""
        return self.each(lambda part: part * (number % PRIME))

    @property
    def infinitesimal(self) -> Jet | None:
        """The jet without its finite part; None if that is all it has."""
        parts = {levels: part for levels, part in self.parts.items() if levels}
        return Jet(parts) if parts else None

    def series(self, coefficients: list[int]) -> Jet:
        """Return the sum of c_k h^k for the infinitesimal part h of a 1 x 1 jet; h is nilpotent."""
        base = self.parts[BASE]
        total = Jet({BASE: np.full_like(base, coefficients[0] % PRIME)})
        power: Jet | None = self.infinitesimal
        step = power
        for coefficient in coefficients[1:]:
            if power is None or step is None or not power.parts:
                break
            total = total + power.scaled(coefficient)
            power = power * step
        return total

    def inverse(self) -> Jet:
        """Return the inverse matrix, and check it by multiplying."""
        finite = Jet({BASE: invert_matrix(self.base).reshape(self.parts[BASE].shape)})
        found = finite
        if self.infinitesimal is not None:
            term = finite
            step = (self.infinitesimal @ finite).scaled(-1)
            while True:
                term = term @ step
                if not term.parts:
                    break
                found = found + term
        check = self @ found
        identity = np.eye(len(self.base), dtype=np.int64)
        if (check.base != identity).any() or any(part.any() for levels, part in check.parts.items() if levels):
            raise AssertionError("an inverse over the prime field is wrong")
        return found

    def determinant(self) -> Jet:
        """Return the determinant by elimination on the jet itself, until what is left has no finite part."""
        work, sign = self, 1
        product = Jet({BASE: np.ones_like(self.parts[BASE][..., :1, :1])})
        while work.base.size and work.base.any():
            col, row = map(int, np.argwhere(work.base.T)[0])
            sign = -sign if (row > 0) != (col > 0) else sign
            work = work.each(lambda part, row=row, col=col: _to_front(part, row, col))  # type: ignore[misc]
            head = work.each(lambda part: part[..., :1, :1])
            product = product * head
            below = work.each(lambda part: part[..., 1:, :1])
            across = work.each(lambda part: part[..., :1, 1:])
            update = (below * head.reciprocal()) @ across
            work = work.each(lambda part: part[..., 1:, 1:]) + update.scaled(-1)
        return (product * work._nilpotent_determinant()).scaled(sign)

    def _nilpotent_determinant(self) -> Jet:
        """Return the determinant of a matrix without a finite part: few factors make it 0."""
        size = len(self.base)
        one = Jet({BASE: np.ones((1,) * self.parts[BASE].ndim, dtype=np.int64)})
        if size == 0:
            return one
        total = one.scaled(0)
        if size > len(frozenset().union(*self.parts)):
            return total
        for row in range(size):
            others = [place for place in range(size) if place != row]
            head = self.each(lambda part, row=row: part[..., row : row + 1, :1])  # type: ignore[misc]
            minor = self.each(lambda part, others=others: part[..., others, 1:])  # type: ignore[misc]
            total = total + (head * minor._nilpotent_determinant()).scaled((-1) ** row)
        return total

    def reciprocal(self) -> Jet:
        """Return 1 / u for a 1 x 1 jet u."""
        inverse = invert_number(int(self.base[0, 0]))
        powers = [pow(inverse, k + 1, PRIME) * (-1) ** k for k in range(len(self.parts) + 1)]
        return self.series(powers)


class Oracle:
    """Stands in for log, exp and the sign of a root, which have no value in a prime field.

    The finite part is a pseudo-random residue that depends on the argument alone; the infinitesimal parts
    follow the differential equation exactly. What does not depend on the seed does not depend on the choice.

    Parameters
    ----------
    seed : int
        Selects the residues.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.used = False
        self.signed = False  # whether a root was taken, which has two signs

    def _residue(self, function: str, value: int) -> int:
        self.used = True
        digest = hashlib.sha256(f"{self.seed}/{function}/{value}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % (PRIME - 1) + 1

    def log(self, jet: Jet) -> Jet:
        """Return log(u): log(u0) + h/u0 - (h/u0)^2/2 + ..."""
        value = int(jet.base[0, 0])
        if value == 0:
            raise Undefined("the log of 0")
        inverse = invert_number(value)
        terms = [(-1) ** (k + 1) * pow(inverse, k, PRIME) * invert_number(k) for k in range(1, len(jet.parts) + 1)]
        return jet.series([self._residue("log", value), *terms])

    def exp(self, jet: Jet) -> Jet:
        """Return exp(u): exp(u0) (1 + h + h^2/2 + ...)."""
        value = self._residue("exp", int(jet.base[0, 0]))
        terms, factorial = [value], 1
        for k in range(1, len(jet.parts) + 1):
            factorial = factorial * k % PRIME
            terms.append(value * invert_number(factorial))
        return jet.series(terms)

    def root(self, jet: Jet) -> Jet:
        """Return a square root of u; of the two, the oracle picks one."""
        value = int(jet.base[0, 0])
        root = pow(value, (PRIME + 1) // 4, PRIME)
        if value == 0 or root * root % PRIME != value:
            raise Undefined("a number without a root in the prime field")
        self.signed = True
        root = root if self._residue("root", value) % 2 else -root
        inverse, half = invert_number(value), invert_number(2)
        terms, binomial = [root], 1
        for k in range(1, len(jet.parts) + 1):
            binomial = binomial * (half - k + 1) * invert_number(k) % PRIME
            terms.append(root * binomial * pow(inverse, k, PRIME))
        return jet.series(terms)
