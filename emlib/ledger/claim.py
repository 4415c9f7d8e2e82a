"""`claim`: ties a row of the ledger to its evidence, in the open.

The algebra of a step stands in the cell of a notebook; what is here only judges it and keeps the record.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from IPython.core.getipython import get_ipython
from IPython.display import Markdown

from emlib.ledger.report import MIME, join_scopes
from emlib.ledger.rows import Row, load, needs
from emlib.proof import Certificate, NotRefuted, Refuted, Strength, Vacuous, VerdictError, agree, prove_equal, refute

T = TypeVar("T")


class Undischarged(VerdictError):
    """A claim ended without all the evidence that its row needs."""


@dataclass(frozen=True)
class Evidence:
    """One piece of evidence for a row.

    Attributes
    ----------
    kind : str
        ``proof``, ``numbers``, ``illustration``, ``twin`` or ``counterexample``.
    scope : str
        How far it goes: ``every n >= 1``, ``n = 2..5``, ``one floating-point point`` ...
    text : str
        What was shown and how, in one line.
    """

    kind: str
    scope: str
    text: str


class Claim:
    """A row under judgement: collects evidence and refuses to close without enough of it.

    Parameters
    ----------
    row : Row
        The row of the ledger.
    """

    def __init__(self, row: Row) -> None:
        self.row = row
        self.evidence: list[Evidence] = []

    def proves(self, lhs: Any, rhs: Any, **options: Any) -> Certificate:
        """Prove that two symbolic expressions are equal, and keep the certificate.

        Parameters
        ----------
        lhs, rhs : sympy.Expr or matrix
            The two sides.
        **options
            As in :func:`emlib.proof.prove_equal`.

        Returns
        -------
        Certificate
            What was shown, and how far.

        Raises
        ------
        VerdictError
            If the sides differ, or the proof fails.
        """
        return self.accepts(prove_equal(lhs, rhs, **options))

    def accepts(self, certificate: Certificate) -> Certificate:
        """Keep a certificate made elsewhere in the cell, such as one for several sizes.

        Parameters
        ----------
        certificate : Certificate
            A proof, an exact check or an agreement of numbers.

        Returns
        -------
        Certificate
            The same.

        Raises
        ------
        TypeError
            If it is no certificate.
        """
        if not isinstance(certificate, Certificate):
            raise TypeError(f"accepts takes a Certificate, not {certificate!r}")
        kind = "proof" if certificate.scope.strength is Strength.PROOF else "numbers"
        notes = [certificate.method, *(f"if {note}" for note in certificate.conditions)]
        notes += [f"rests on {fact}" for fact in certificate.rests_on]
        self._keep(kind, str(certificate.scope), "; ".join(notes))
        return certificate

    def agrees(self, value: Any, expected: Any, *, rtol: float, atol: float = 0.0, **options: Any) -> Certificate:
        """Hold numbers against numbers, to a stated tolerance.

        Parameters
        ----------
        value, expected : array_like
            Of one shape, finite, not all zero.
        rtol, atol : float
            ``max |value - expected| <= atol + rtol * max |expected|``.
        **options
            As in :func:`emlib.proof.agree`.

        Returns
        -------
        Certificate
            An agreement of floating-point numbers.

        Raises
        ------
        VerdictError
            If they differ by more.
        """
        return self.accepts(agree(value, expected, rtol=rtol, atol=atol, **options))

    def refutes(self, lhs: Any, wrong: Any, *, rtol: float = 1e-6, **options: Any) -> None:
        """Show that the wrong twin fails where the claim holds.

        Parameters
        ----------
        lhs : sympy.Expr, matrix or array_like
            The side that the claim and its twin share.
        wrong : same as `lhs`
            The twin's other side.
        rtol : float
            For numbers: the twin must differ by more than this tolerance.
        **options
            For expressions, as in :func:`emlib.proof.refute`.

        Raises
        ------
        VerdictError
            If the twin passes.
        """
        if _is_numeric(lhs) and _is_numeric(wrong):
            self._refute(lambda: agree(lhs, wrong, rtol=rtol), lambda: _numeric_witness(lhs, wrong, rtol))
        else:
            self._refute(lambda: prove_equal(lhs, wrong, **options), lambda: str(refute(lhs, wrong, **options)))

    def counterexample(self, lhs: Any, printed: Any, *, rtol: float = 1e-6, **options: Any) -> None:
        """Show that what the note prints is false; it counts as the wrong twin as well.

        Parameters
        ----------
        lhs, printed : sympy.Expr, matrix or array_like
            The two sides as printed.
        rtol : float
            For numbers: they must differ by more than this tolerance.
        **options
            For expressions, as in :func:`emlib.proof.refute`.

        Raises
        ------
        VerdictError
            If the printed form passes.
        """
        self.refutes(lhs, printed, rtol=rtol, **options)
        self._keep("counterexample", "the printed form", self.evidence[-1].text)

    def tells(self, test: Callable[[T], bool], claim: T, twin: T, what: str) -> None:
        """Show a statement that is no equation: a test that the claim passes and its twin fails.

        Parameters
        ----------
        test : callable
            Takes the claim's object or the twin's; true if it is as stated.
        claim, twin : object
            What the claim speaks of, and the same with one thing wrong.
        what : str
            What the test looks at, in words.

        Raises
        ------
        VerdictError
            If the claim fails the test or the twin passes it.
        """
        if not test(claim):
            raise VerdictError(f"claim {self.row.id}: the test fails on the claim itself: {what}")
        self._keep("illustration", "one example", what)

        def twin_passes() -> None:
            if not test(twin):
                raise VerdictError(f"claim {self.row.id}: the twin fails the test: {what}")

        def reason() -> str:
            if test(twin):
                raise NotRefuted(f"claim {self.row.id}: the twin passes the test: {what}")
            return f"the twin fails: {what}"

        self._refute(twin_passes, reason)

    def _refute(self, as_claim: Callable[[], object], witness: Callable[[], str]) -> None:
        """Keep the witness against a twin; where twins stand in for claims, judge the twin as one."""
        if _swapped == self.row.id:
            as_claim()
        self._keep("twin", "one witness", witness())

    def _keep(self, kind: str, scope: str, text: str) -> None:
        self.evidence.append(Evidence(kind, scope, text))

    def missing(self) -> frozenset[str]:
        """Return the kinds of evidence that the row needs and does not have yet.

        Returns
        -------
        frozenset of str
            Empty when the row is discharged.
        """
        have = {evidence.kind for evidence in self.evidence}
        # A proof or numbers illustrate; a counterexample is a twin that somebody printed.
        have |= {"illustration"} if have & {"proof", "numbers"} else set()
        return needs(self.row) - have


@contextlib.contextmanager
def claim(identifier: str) -> Iterator[Claim]:
    """Open a row of the ledger, to be discharged before the block ends.

    Parameters
    ----------
    identifier : str
        Id of the row, such as ``"5.2"``.

    Yields
    ------
    Claim
        Takes the evidence.

    Raises
    ------
    KeyError
        If the ledger has no such row.
    Undischarged
        If the block ends without all the evidence that the row needs.
    """
    rows = {row.id: row for row in load()}
    if identifier not in rows:
        raise KeyError(f"the ledger has no claim {identifier!r}")
    opened = Claim(rows[identifier])
    yield opened
    missing = opened.missing()
    if missing:
        raise Undischarged(f"claim {identifier} lacks {', '.join(sorted(missing))}")
    _session[identifier] = opened
    shell = get_ipython()
    if shell is not None:
        shell.display_pub.publish(_Record(opened).bundle())


_swapped: str | None = None
_session: dict[str, Claim] = {}


def discharged() -> Markdown:
    """Return a table of the claims discharged so far in this session, for the end of a notebook.

    Returns
    -------
    IPython.display.Markdown
        Id, statement and scope of each, in the order of the cells.
    """
    lines = ["| claim | statement | shown |", "|---|---|---|"]
    for opened in _session.values():
        lines.append(f"| {opened.row.id} | {opened.row.statement} | {_Record(opened).standing()} |")
    return Markdown("\n".join(lines))


@contextlib.contextmanager
def twin_in_place_of(identifier: str) -> Iterator[None]:
    """Judge the wrong twins of a row as if they were the claim: the block must then raise.

    Parameters
    ----------
    identifier : str
        Id of the row.

    Yields
    ------
    None
        Nothing; the twins are back in their place when the block ends.
    """
    global _swapped
    before, _swapped = _swapped, identifier
    try:
        yield
    finally:
        _swapped = before


class _Record:
    """What a discharged claim leaves in the notebook: a line to read, and the record for the report."""

    def __init__(self, closed: Claim) -> None:
        self.row, self.evidence = closed.row, closed.evidence

    def _parts(self) -> list[str]:
        parts = []
        for kind, verb in VERBS.items():
            scopes = [evidence.scope for evidence in self.evidence if evidence.kind == kind]
            if scopes:
                parts.append(f"{verb} {join_scopes(scopes).replace('; ', ', ')}" if kind in SCOPED else verb)
        return parts

    def __repr__(self) -> str:
        return f"{self.row.id} ({self.row.kind}): {'; '.join(self._parts())}"

    def standing(self) -> str:
        """Return how far the claim itself was shown, without its twins."""
        return "; ".join(part for part in self._parts() if part != VERBS["twin"])

    def bundle(self) -> dict[str, Any]:
        """Return the record as Jupyter displays it: to read, and for the report."""
        record = {"id": self.row.id, "evidence": [vars(evidence) for evidence in self.evidence]}
        return {
            "text/plain": repr(self),
            "text/markdown": f"✓ **{self.row.id}** ({self.row.kind}): {'; '.join(self._parts())}",
            MIME: record,
        }


VERBS = {
    "proof": "proved for",
    "numbers": "agrees at",
    "illustration": "shown on an example",
    "counterexample": "the printed form has a counterexample",
    "twin": "wrong twin refuted",
}
SCOPED = {"proof", "numbers"}


def _is_numeric(value: Any) -> bool:
    """Whether a side is made of floating-point or machine numbers rather than symbols."""
    return np.asarray(value).dtype.kind in "iufc" if not hasattr(value, "free_symbols") else False


def _numeric_witness(value: Any, wrong: Any, rtol: float) -> str:
    """Return the entry at which numbers differ most; raise if they agree."""
    try:
        agree(value, wrong, rtol=rtol)
    except Vacuous:
        raise
    except Refuted as verdict:
        return str(verdict.witness)
    raise NotRefuted(f"the twin agrees with the claim's numbers to rtol = {rtol:g}")
