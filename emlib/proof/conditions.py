"""The side conditions under which two sides mean something: denominators, determinants, arguments of log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from emlib.proof.certificates import shorten

LONGEST_CONDITION = 80
MOST_TERMS = 500  # SymPy takes seconds to print a longer sum, or to look for its sign


class Conditions:
    """A growing set of conditions.

    Parameters
    ----------
    names : mapping of str to sympy.Expr, optional
        Names to print for long expressions: ``{"det(A)": D}``.

    Examples
    --------
    >>> a, b = sp.symbols("a b")
    >>> found = Conditions()
    >>> found.add_denominators(1 / (a - b) + 1 / (b - a))
    >>> found.lines()
    ('a - b != 0',)
    """

    def __init__(self, names: Mapping[str, sp.Expr] | None = None) -> None:
        self._names = [(_monic(sp.sympify(value)), name) for name, value in (names or {}).items()]
        self._lines: dict[str, None] = {}
        self._seen: set[sp.Expr] = set()

    def add(self, line: str) -> None:
        """Add a condition in words."""
        self._lines[line] = None

    def add_positive(self, value: sp.Expr) -> None:
        """Ask for value > 0, unless its symbols are declared so that it is."""
        if _is_long(value) or not value.is_positive:
            self.add(f"{self._text(value, value)} > 0")

    def add_denominators(self, side: Any) -> None:
        """Ask for every denominator and every inverted determinant of an expression not to be 0."""
        for power in side.atoms(sp.Pow):
            base, exponent = power.args
            if exponent.is_negative and base not in self._seen and not base.is_nonzero:
                self._seen.add(base)
                self.add(f"{self._text(_monic(base), base)} != 0")
        for power in side.atoms(sp.MatPow):
            if power.args[1].is_negative is not False:
                self.add(f"det({power.args[0]}) != 0")

    def lines(self) -> tuple[str, ...]:
        """Return the conditions, sorted."""
        return tuple(sorted(self._lines))

    def _text(self, shown: sp.Expr, value: sp.Expr) -> str:
        if _is_long(value):
            return f"(a sum of {len(value.args)} terms)"
        if self._names:
            monic = _monic(value)
            for named, name in self._names:
                if named == monic:
                    return name
        return shorten(str(shown), LONGEST_CONDITION).replace("Determinant(", "det(")


def _is_long(value: sp.Expr) -> bool:
    return bool(value.is_Add) and len(value.args) > MOST_TERMS


def _monic(value: sp.Expr) -> sp.Expr:
    """Expand and divide by the leading coefficient, so that a - b and b - a are one condition."""
    expanded = sp.expand(value)
    generators = sorted(expanded.free_symbols, key=sp.default_sort_key)
    if not expanded.is_Add or not expanded.is_polynomial(*generators) or not generators:
        return expanded
    return sp.Poly(expanded, *generators).monic().as_expr()
