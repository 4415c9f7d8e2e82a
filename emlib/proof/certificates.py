"""What a verdict is: a certificate and its scope, or an error that carries the evidence."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

LONGEST_STATEMENT = 200


class Strength(Enum):
    """How much a certificate shows; the value is the verb of its text."""

    PROOF = "proved for"
    EXACT_POINT = "holds exactly at"
    FLOATS = "agrees at"


@dataclass(frozen=True)
class Scope:
    """For which values a claim was shown.

    Use the constructors; the text is what the certificate prints.

    Attributes
    ----------
    strength : Strength
        Whether a proof, an exact point or floating-point agreement.
    text : str
        The values, in words.

    Examples
    --------
    >>> print(Scope.every("n"))
    every n >= 1
    >>> print(Scope.sizes("n", [2, 3, 4, 5]))
    n = 2..5
    >>> print(Scope.points(1, size=20))
    one exact random point of size 20
    """

    strength: Strength
    text: str

    @classmethod
    def every(cls, *names: str) -> Scope:
        """Return the scope of every value of the symbols.

        Parameters
        ----------
        *names : str
            The symbolic sizes, positive integers.

        Returns
        -------
        Scope
            A proof.
        """
        if not names:
            return cls(Strength.PROOF, "every value of the symbols")
        return cls(Strength.PROOF, "every " + ", ".join(f"{name} >= 1" for name in sorted(names)))

    @classmethod
    def sizes(cls, name: str, values: Iterable[int]) -> Scope:
        """Return the scope of every value of the entries, at the listed sizes only.

        Parameters
        ----------
        name : str
            What the size is called.
        values : iterable of int
            The sizes.

        Returns
        -------
        Scope
            A proof.

        Raises
        ------
        ValueError
            No size is given.
        """
        listed = sorted(set(values))
        if not listed:
            raise ValueError("Scope.sizes needs at least one size")
        run = listed == list(range(listed[0], listed[-1] + 1)) and len(listed) > 1
        text = f"{listed[0]}..{listed[-1]}" if run else ", ".join(map(str, listed))
        return cls(Strength.PROOF, f"{name} = {text}")

    @classmethod
    def points(cls, count: int, size: int | None = None) -> Scope:
        """Return the scope of exact arithmetic at random points.

        Parameters
        ----------
        count : int
            How many points.
        size : int, optional
            Size of the matrices.

        Returns
        -------
        Scope
            No proof: points.
        """
        return cls(Strength.EXACT_POINT, _points(count, "exact random", size))

    @classmethod
    def floats(cls, count: int = 1, size: int | None = None) -> Scope:
        """Return the scope of floating-point arithmetic at points.

        Parameters
        ----------
        count : int
            How many points.
        size : int, optional
            Size of the matrices.

        Returns
        -------
        Scope
            No proof: points.
        """
        return cls(Strength.FLOATS, _points(count, "floating-point", size))

    def __str__(self) -> str:
        return self.text


def _points(count: int, kind: str, size: int | None) -> str:
    if count < 1:
        raise ValueError(f"a scope of {count} points shows nothing; give at least one")
    counted = f"one {kind} point" if count == 1 else f"{count} {kind} points"
    return counted if size is None else f"{counted} of size {size}"


@dataclass(frozen=True)
class Certificate:
    """A claim that was shown, and exactly how far.

    Parameters
    ----------
    statement : str
        The claim in words or symbols.
    method : str
        How it was shown.
    scope : Scope
        For which values: a proof for every value, an exact point, or floating-point agreement.
    conditions : tuple of str
        Side conditions under which both sides mean something, such as ``det(A) != 0``.
    rests_on : tuple of str
        Facts taken on trust, such as the Laplace expansion.
    error_bound : Fraction, optional
        For a check at random points: the largest probability that a false claim passes.

    Examples
    --------
    >>> print(Certificate("(a + b)**2 = a**2 + 2*a*b + b**2", "expansion", Scope.every()))
    proved for every value of the symbols: (a + b)**2 = a**2 + 2*a*b + b**2
      method: expansion
    """

    statement: str
    method: str
    scope: Scope
    conditions: tuple[str, ...] = ()
    rests_on: tuple[str, ...] = ()
    error_bound: Fraction | None = None

    @property
    def is_proof(self) -> bool:
        """Whether every value in the scope is covered, not only sampled points."""
        return self.scope.strength is Strength.PROOF

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("method", self.method)]
        if self.conditions:
            rows.append(("if", "; ".join(self.conditions)))
        if self.rests_on:
            rows.append(("rests on", "; ".join(self.rests_on)))
        if self.error_bound is not None:
            rows.append(("a false claim passes with probability at most", f"{float(self.error_bound):.1e}"))
        return rows

    def __str__(self) -> str:
        head = f"{self.scope.strength.value} {self.scope}: {self.statement}"
        return "\n".join([head, *(f"  {name}: {text}" for name, text in self._rows())])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        escape = html.escape
        rows = "".join(
            f'<br><span style="opacity:.75">{escape(name)}: {escape(text)}</span>' for name, text in self._rows()
        )
        verb = f"<b>{self.scope.strength.value} {escape(str(self.scope))}</b>"
        return f"<div>{verb}: <code>{escape(self.statement)}</code>{rows}</div>"


@dataclass(frozen=True)
class Witness:
    """A point at which two sides differ.

    Parameters
    ----------
    point : tuple of (str, str)
        Name and value of everything the two sides depend on.
    left, right : str
        The two values there.
    where : str
        Which entry, if the two sides are matrices.
    """

    point: tuple[tuple[str, str], ...]
    left: str
    right: str
    where: str = ""

    def __str__(self) -> str:
        at = ", ".join(f"{name} = {value}" for name, value in self.point)
        entry = f"{self.where} " if self.where else ""
        place = f" at {at}" if at else ""
        return f"{entry}left {self.left}, right {self.right}{place}"


class VerdictError(AssertionError):
    """A claim that did not get its certificate."""


class Refuted(VerdictError):
    """The claim is false.

    Attributes
    ----------
    witness : Witness
        A point where the two sides differ.
    statement : str
        The claim.
    """

    def __init__(self, witness: Witness, statement: str = "") -> None:
        super().__init__(witness, statement)
        self.witness = witness
        self.statement = statement

    def __str__(self) -> str:
        claim = f": {self.statement}" if self.statement else ""
        return f"refuted{claim}\n  {self.witness}"


class NotProved(VerdictError):
    """The method could not decide the claim.

    Attributes
    ----------
    rest : str
        What is left of the difference.
    statement : str
        The claim.
    why : str
        The reason.
    """

    def __init__(self, rest: str, statement: str = "", why: str = "") -> None:
        super().__init__(rest, statement, why)
        self.rest = rest
        self.statement = statement
        self.why = why

    def __str__(self) -> str:
        claim = f": {self.statement}" if self.statement else ""
        lines = [f"not proved{claim}"]
        if self.why:
            lines.append(f"  why: {self.why}")
        if self.rest:
            lines.append(f"  left over: {self.rest}")
        return "\n".join(lines)


class Vacuous(NotProved):
    """The claim says nothing: 0 = 0, or an unevaluated derivative against itself."""


class NotRefuted(VerdictError):
    """`refute` found no witness: the claim may be true."""


def shorten(text: str, limit: int = LONGEST_STATEMENT) -> str:
    """One line of at most `limit` characters, without SymPy's numbered dummies (they vary from run to run)."""
    seen: dict[str, str] = {}
    text = re.sub(r"_Dummy_\d+", lambda m: seen.setdefault(m.group(), f"_{len(seen) + 1}"), text)
    text = " ".join(text.split())
    return text if len(text) <= limit else f"{text[: limit - 4]} ..."
