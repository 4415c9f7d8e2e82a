"""`verify`: one identity, four independent layers of evidence, and a verdict that claims no more than they showed."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emlib.proof._layers import exact, explicit, numeric, symbolic
from emlib.proof._layers.verdict import DECLARED, Layer, Status
from emlib.proof._limits import time_limit
from emlib.proof._shapes import Identity, read
from emlib.proof._side_conditions import conditions, conventions, remarks

VERDICTS = {True: "holds", False: "refuted", None: "not decided"}


class LayersDisagree(RuntimeError):
    """A proof for every size and a refutation of the same identity: one layer of emlib is wrong. Please report it."""


@dataclass(frozen=True)
class Verification:
    """What is known about an identity.

    Parameters
    ----------
    formula : str
        The identity as given.
    layers : tuple of Layer
        The verdicts for symbolic n, explicit n, exact n and numeric n, in this order.
    conditions : tuple of str
        Side conditions under which both sides mean something.
    conventions : tuple of str
        How derivatives by structured matrices are to be read.
    remarks : tuple of str
        Derivatives that are 0 because the variable does not occur.
    """

    formula: str
    layers: tuple[Layer, Layer, Layer, Layer]
    conditions: tuple[str, ...] = ()
    conventions: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def holds(self) -> bool | None:
        """True, False or None (not decided).

        False as soon as one layer refutes. True if none refutes and either the symbolic layer proves it
        for every size, or the explicit layer proves some sizes and the exact layer holds at a larger one.
        A proof about sides that have no value at any point, such as the inverse of ``a*a'``, decides nothing.
        """
        symbolic_n, explicit_n, exact_n, _ = (layer.status for layer in self.layers)
        if any(layer.status is Status.REFUTED for layer in self.layers):
            return False
        if self._is_empty:
            return None
        if symbolic_n is Status.PROVED:
            return True
        return True if explicit_n is Status.PROVED and exact_n is Status.HOLDS else None

    @property
    def _is_empty(self) -> bool:
        """Whether no layer that tries points found one at which both sides have a value."""
        return all(layer.undefined for layer in self.layers[1:])

    @property
    def verdict(self) -> str:
        """The verdict in words, with its scope."""
        if self.holds is False:
            first = next(layer for layer in self.layers if layer.status is Status.REFUTED)
            return f"refuted: {first.witness}"
        if self._is_empty:
            return "not decided: no point was found at which both sides have a value"
        if self.holds is None:
            return "not decided"
        if self.layers[0].status is Status.PROVED:
            return f"holds for {self.layers[0].scope}"
        if self.layers[1].scope == DECLARED:
            return f"holds for {DECLARED}"
        return f"holds: proved for {self.layers[1].scope}, checked exactly for {self.layers[2].scope}, not for every n"

    def notes(self) -> list[tuple[str, str]]:
        """Return the lines below the table: conditions, conventions, remarks.

        Returns
        -------
        list of (str, str)
            Kind and text of each line.
        """
        lines = [("if", "; ".join(self.conditions))] if self.conditions else []
        lines += [("convention", line) for line in self.conventions]
        return lines + [("note", line) for line in self.remarks]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON.

        Returns
        -------
        dict
            Of strings, lists, booleans and None.
        """
        return {
            "formula": self.formula,
            "holds": self.holds,
            "verdict": self.verdict,
            "layers": [
                {
                    "name": layer.name,
                    "status": layer.status.value,
                    "scope": layer.scope,
                    "why": layer.why,
                    "witness": layer.witness,
                }
                for layer in self.layers
            ],
            "conditions": list(self.conditions),
            "conventions": list(self.conventions),
            "remarks": list(self.remarks),
        }

    def __str__(self) -> str:
        rows = [("layer", "verdict", "for"), *((a.name, a.status.value, _extent(a)) for a in self.layers)]
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        lines = [self.formula, f"verdict: {self.verdict}", ""]
        for place, row in enumerate(rows):
            lines.append(f"  {row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}")
            if place:
                lines.append(f"  {'':{widths[0]}}  {'':{widths[1]}}    {_because(self.layers[place - 1])}")
        notes = [f"{name}: {line}" for name, line in self.notes()]
        return "\n".join([*lines, *([""] if notes else []), *notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        escape = html.escape
        head = "".join(f"<th style='text-align:left'>{name}</th>" for name in ("layer", "verdict", "for", "how"))
        body = "".join(
            "<tr>"
            + "".join(
                f"<td style='text-align:left'>{escape(cell)}</td>"
                for cell in (layer.name, layer.status.value, _extent(layer), _because(layer))
            )
            + "</tr>"
            for layer in self.layers
        )
        notes = "".join(f"<div><b>{name}:</b> {escape(line)}</div>" for name, line in self.notes())
        return (
            f"<div><code>{escape(self.formula)}</code></div><div><b>{escape(self.verdict)}</b></div>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"
        )


def _extent(layer: Layer) -> str:
    return "-" if layer.status is Status.UNDECIDED else layer.scope


def _because(layer: Layer) -> str:
    return f"{layer.witness} ({layer.why})" if layer.witness else layer.why


def verify(
    formula: str,
    symmetric: Sequence[str] = (),
    *,
    shapes: Mapping[str, Sequence[str | int]] | None = None,
    scalars: Sequence[str] = (),
    diagonal: Sequence[str] = (),
    spd: Sequence[str] = (),
    seed: int = 0,
    seconds: float = 60.0,
) -> Verification:
    """Say how far an identity of matrices is true.

    Parameters
    ----------
    formula : str
        ``LEFT == RIGHT`` in the language of `emlib.proof.language`: a capital letter is an n x n matrix, a
        lower-case one a column of length n; ``A'`` transposes, ``I`` is the identity, ``ones`` a column of
        ones; functions are inv, det, tr, log, exp, diag, vec, kron, hadamard, norm2 (Euclidean or Frobenius
        norm), grad(f, X), ascent(f, X), hess(f, x), d(F, X) and d(F, X, direction).
    symmetric : sequence of str
        Names of symmetric matrices.
    shapes : mapping of str to (rows, cols), optional
        Shapes that differ from the convention.
    scalars, diagonal, spd : sequence of str
        Names of scalars, of diagonal and of symmetric positive definite matrices.
    seed : int
        Seed of the random points.
    seconds : float
        Time after which the layers that have not finished are not decided.

    Returns
    -------
    Verification
        ``.holds`` is True, False or None; ``.layers`` are the four verdicts.

    Raises
    ------
    FormulaError
        The formula or a declaration cannot be read; the message points at the character.
    LayersDisagree
        One layer proves for every size what another refutes: a defect of emlib.

    Examples
    --------
    >>> verify("grad(log(det(A)), A) == 2*inv(A) - diag(inv(A))", symmetric=("A",)).holds
    True
    >>> verify("grad(log(det(A)), A) == 2*inv(A)", symmetric=("A",)).holds
    False
    """
    identity = read(formula, symmetric=symmetric, shapes=shapes, scalars=scalars, diagonal=diagonal, spd=spd)
    with time_limit(seconds):
        layers = (
            _guarded(symbolic.NAME, lambda: symbolic.judge(identity)),
            _guarded(explicit.NAME, lambda: explicit.judge(identity)),
            _guarded(exact.NAME, lambda: exact.judge(identity, seed)),
            _guarded(numeric.NAME, lambda: numeric.judge(identity, seed)),
        )
    return judged(identity, layers)


def _guarded(name: str, judge: Callable[[], Layer]) -> Layer:
    """Let a layer that runs out of stack be not decided."""
    try:
        return judge()
    except RecursionError:
        return Layer(name, Status.UNDECIDED, "-", "the formula is nested too deeply for this layer")


def judged(identity: Identity, layers: tuple[Layer, Layer, Layer, Layer]) -> Verification:
    """Put the verdicts together; refuse a contradiction.

    Parameters
    ----------
    identity : Identity
        The formula that was read.
    layers : tuple of Layer
        The four verdicts.

    Returns
    -------
    Verification
        The verdicts with conditions, conventions and remarks.

    Raises
    ------
    LayersDisagree
        The symbolic layer proves for every size what another layer refutes.
    """
    against = [layer for layer in layers if layer.status is Status.REFUTED]
    if layers[0].status is Status.PROVED and against:
        raise LayersDisagree(
            f"emlib contradicts itself on {identity.text}: {layers[0].name} says {layers[0].status.value}, "
            f"{against[0].name} says refuted: {against[0].witness}. This is a defect of emlib; please report it."
        )
    return Verification(identity.text, layers, conditions(identity), conventions(identity), remarks(identity))
