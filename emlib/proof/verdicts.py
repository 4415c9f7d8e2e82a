"""Verdicts on claims: `prove_equal` and `refute` for symbols, `exact_check` and `agree` for numbers.

A verdict is a `Certificate` that says how far the claim was shown, or an error that carries the evidence:
`Refuted` a witness, `NotProved` what is left of the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement
from sympy.tensor.array.expressions.array_expressions import ZeroArray

from emlib.proof._limits import OutOfBudget, work_limit
from emlib.proof.certificates import (
    Certificate,
    NotProved,
    NotRefuted,
    Refuted,
    Scope,
    Strength,
    Vacuous,
    VerdictError,
    Witness,
    shorten,
)
from emlib.proof.conditions import Conditions
from emlib.proof.evaluate import Unreadable
from emlib.proof.exact import exact_check
from emlib.proof.numeric import agree
from emlib.proof.rational import rational_form, split_logs
from emlib.proof.sums import SumError, SumsTo, normal_form, ranges_of_entries, sizes_of
from emlib.proof.witness import find_witness

__all__ = [
    "Certificate",
    "NotProved",
    "NotRefuted",
    "Refuted",
    "Scope",
    "Strength",
    "SumError",
    "SumsTo",
    "Vacuous",
    "VerdictError",
    "Witness",
    "agree",
    "exact_check",
    "prove_equal",
    "prove_for_sizes",
    "refute",
]

LARGEST_WORK = 3_000_000  # products of terms; some ten seconds
UNEVALUATED = (sp.Derivative, sp.Integral, sp.Limit, sp.Subs)  # ArrayDerivative is a Derivative


@dataclass(frozen=True)
class _Claim:
    """Two sides of one shape, and what is assumed about them."""

    lhs: Any
    rhs: Any
    statement: str
    symmetric: tuple[Any, ...]
    normalised: tuple[SumsTo, ...]
    ranges: Mapping[sp.Symbol, tuple[Any, Any]]

    def witness(self) -> Witness | None:
        """Return a point where the sides differ; None too if a side holds something that cannot be evaluated."""
        try:
            return find_witness(
                self.lhs, self.rhs, symmetric=self.symmetric, normalised=self.normalised, ranges=self.ranges
            )
        except Unreadable:
            return None


def prove_equal(
    lhs: Any,
    rhs: Any,
    *,
    statement: str = "",
    given: Mapping[Any, Any] | None = None,
    symmetric: Iterable[Any] = (),
    normalised: Iterable[SumsTo] = (),
    ranges: Mapping[sp.Symbol, tuple[Any, Any]] | None = None,
    names: Mapping[str, sp.Expr] | None = None,
    conditions: Iterable[str] = (),
    rests_on: Iterable[str] = (),
    allow_zero: str = "",
) -> Certificate:
    """Prove that two expressions are equal for every value of what is in them.

    Sums, traces and matrices of symbolic size are compared by the normal form of finite sums (every n);
    explicit expressions and matrices as rational functions, where log is split over products.

    Parameters
    ----------
    lhs, rhs : sympy.Expr or matrix, explicit or symbolic
        The two sides: two scalars, or two matrices of the same shape.
    statement : str, optional
        The claim in words; the two sides are printed if it is left out.
    given : mapping, optional
        Equations ``{symbol: expression}`` to substitute in both sides first; they become conditions.
    symmetric : iterable of sympy.MatrixSymbol or IndexedBase
        Families with ``a[i, j] = a[j, i]``.
    normalised : iterable of SumsTo
        Declared normalisations, such as sum_l p[i, l] = 1.
    ranges : mapping of symbol to (low, high), optional
        Ranges of free indices; an index in the entry of a matrix needs none.
    names : mapping of str to sympy.Expr, optional
        Names for long denominators in the side conditions: ``{"det(A)": D}``.
    conditions, rests_on : iterable of str
        Further side conditions, and facts taken on trust, to be kept in the certificate.
    allow_zero : str, optional
        Why both sides are zero, if they are. Without a reason 0 = 0 is refused: SymPy's matrix
        derivative is silently 0 on many expressions.

    Returns
    -------
    Certificate
        How it was shown, and how far.

    Raises
    ------
    Refuted
        A small integer point at which the sides differ was found.
    NotProved
        Neither a proof nor a witness was found.
    Vacuous
        Both sides are zero, or a derivative or an integral was left unevaluated.
    SumError
        A sum whose range depends on another index.
    ValueError
        The two sides have different shapes.
    TypeError
        A side is not an exact symbolic expression.

    Examples
    --------
    >>> n = sp.Symbol("n", integer=True, positive=True)
    >>> i, j, k = sp.symbols("i j k", integer=True)
    >>> A, x = sp.MatrixSymbol("A", n, n), sp.MatrixSymbol("x", n, 1)
    >>> form = sp.Sum(A[i, j] * x[i, 0] * x[j, 0], (i, 0, n - 1), (j, 0, n - 1))
    >>> print(prove_equal(form.diff(x[k, 0]), ((A + A.T) * x)[k, 0], statement="Lemma 5.2"))
    proved for every n >= 1: Lemma 5.2
      method: normal form of finite sums
      if: 0 <= k <= n - 1
    """
    lhs, rhs = _side(lhs), _side(rhs)
    _refuse_different_shapes(lhs, rhs)
    statement = statement or _statement(lhs, rhs)
    _refuse_unevaluated(lhs, rhs, statement)
    _refuse_zero(lhs, rhs, statement, allow_zero)
    given = {sp.sympify(key): sp.sympify(value) for key, value in (given or {}).items()}
    lhs, rhs = _substitute(given, lhs, rhs)
    claim = _Claim(lhs, rhs, statement, tuple(symmetric), tuple(normalised), dict(ranges or {}))
    assumed = [f"{key} = {shorten(str(value), 80)}" for key, value in given.items()]
    assumed += [str(rule) for rule in claim.normalised] + [f"{family} is symmetric" for family in claim.symmetric]
    try:
        needed = Conditions(names)
        with work_limit(LARGEST_WORK):
            scope, method = _prove(claim, needed)
    except ZeroDivisionError as error:
        raise ValueError(f"{statement}: {error}") from error
    except OutOfBudget as error:
        _give_up(claim, claim.lhs - claim.rhs, f"the expressions are too large to be multiplied out: {error}")
    notes = tuple(dict.fromkeys([*assumed, *needed.lines(), *conditions]))
    reason = (f"both sides are zero: {allow_zero}",) if allow_zero else ()
    return Certificate(statement, method, scope, notes, (*rests_on, *reason))


def refute(lhs: Any, rhs: Any, **assumptions: Any) -> Witness:
    """Return a small integer point at which the two sides differ.

    Parameters
    ----------
    lhs, rhs : sympy.Expr or matrix
        The two sides of a false claim.
    **assumptions
        `statement`, `given`, `symmetric`, `normalised`, `ranges` as in `prove_equal`.

    Returns
    -------
    Witness
        The point and both values.

    Raises
    ------
    NotRefuted
        No witness was found; the claim may well be true.

    Examples
    --------
    >>> A = sp.MatrixSymbol("A", 2, 2)
    >>> print(refute(sp.Trace(A * A), sp.Trace(A) ** 2))
    left 56, right 64 at A = [[4, 3], [4, 4]]
    """
    try:
        certificate = prove_equal(lhs, rhs, **assumptions)
    except Refuted as verdict:
        return verdict.witness
    except Vacuous:
        raise
    except NotProved as verdict:
        raise NotRefuted(f"no witness against {verdict.statement}, and no proof of it either") from verdict
    raise NotRefuted(f"the claim to be refuted is true\n{certificate}")


def prove_for_sizes(
    claim: Callable[[int], Certificate | Iterable[Certificate]],
    sizes: Iterable[int],
    *,
    name: str = "n",
    **changes: Any,
) -> Certificate:
    """Prove a claim size by size and return one certificate for the sizes that were run.

    Parameters
    ----------
    claim : callable
        ``claim(size)`` proves it at that size: it returns the certificate, or several of them.
    sizes : iterable of int
        The sizes.
    name : str
        What the size is called.
    **changes
        Fields of the certificate to set, such as `statement` or `rests_on`.

    Returns
    -------
    Certificate
        With scope ``n = 2..5``.

    Raises
    ------
    VerdictError
        The first size at which the claim fails.
    TypeError
        `claim` returned something that is not a proof.
    ValueError
        No size is given.

    Examples
    --------
    >>> def frobenius(size):
    ...     a = sp.Matrix(size, size, sp.symbols(f"a:{size * size}"))
    ...     return prove_equal((a.T * a).trace(), sum(entry**2 for entry in a), statement="tr A'A = sum of squares")
    >>> print(prove_for_sizes(frobenius, range(2, 6)))
    proved for n = 2..5: tr A'A = sum of squares
      method: both sides evaluate to the same expression
    """
    found: list[Certificate] = []
    run = list(sizes)
    for size in run:
        result = claim(size)
        proofs = [result] if isinstance(result, Certificate) else list(result)
        if not proofs or not all(isinstance(proof, Certificate) and proof.is_proof for proof in proofs):
            raise TypeError(f"the claim at {name} = {size} returned {proofs!r}; it must return proofs")
        found += proofs
    if not found:
        raise ValueError("no size to prove the claim at; give at least one")
    summary = replace(
        found[0],
        scope=Scope.sizes(name, run),
        method="; ".join(dict.fromkeys(proof.method for proof in found)),
        conditions=tuple(dict.fromkeys(note for proof in found for note in proof.conditions)),
        rests_on=tuple(dict.fromkeys(fact for proof in found for fact in proof.rests_on)),
    )
    return replace(summary, **changes)


def _substitute(given: Mapping[Any, Any], lhs: Any, rhs: Any) -> tuple[Any, Any]:
    for key in given:
        if not lhs.has(key) and not rhs.has(key):
            raise ValueError(f"the given equation for {key} names something that stands in neither side")
    return lhs.xreplace(dict(given)), rhs.xreplace(dict(given))


# --- what is refused ----------------------------------------------------------------------------


def _side(value: Any) -> Any:
    """Read one side: exact and symbolic, never a string or a float."""
    if isinstance(value, str | bytes | bool):
        raise TypeError(f"a side of a claim must be a SymPy expression or an exact number, not {value!r}")
    try:
        side = sp.sympify(value, strict=True)
    except sp.SympifyError as error:
        raise TypeError(f"a side of a claim must be a SymPy expression, not a {type(value).__name__}") from error
    if isinstance(side, ZeroArray) and len(side.shape) == 2:
        return sp.ZeroMatrix(*side.shape)
    if not isinstance(side, sp.Expr | sp.MatrixBase):
        raise TypeError(f"a side of a claim must be a scalar or a matrix, not a {type(side).__name__}")
    if side.has(sp.Float):
        raise TypeError("a side of the claim holds floating-point numbers; compare numbers with agree()")
    if side.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise ValueError(
            f"a side of the claim is not finite: {shorten(str(side))}; look for 1/0 or log(0), as from the "
            "determinant of a matrix that is always singular"
        )
    return side


def _shape(side: Any) -> tuple[Any, ...] | None:
    return tuple(side.shape) if isinstance(side, sp.MatrixBase | sp.MatrixExpr) else None


def _refuse_different_shapes(lhs: Any, rhs: Any) -> None:
    left, right = _shape(lhs), _shape(rhs)
    if left != right:
        described = ["a scalar" if shape is None else f"a {shape[0]} x {shape[1]} matrix" for shape in (left, right)]
        hint = "; take the entry [0, 0] of a 1 x 1 matrix" if None in (left, right) else ""
        raise ValueError(f"the left side is {described[0]}, the right side {described[1]}{hint}")


def _statement(lhs: Any, rhs: Any) -> str:
    return shorten(f"{shorten(str(lhs), 96)} = {shorten(str(rhs), 96)}")


def _refuse_unevaluated(lhs: Any, rhs: Any, statement: str) -> None:
    for side in (lhs, rhs):
        left_over = sorted({type(part).__name__ for kind in UNEVALUATED for part in side.atoms(kind)})
        if left_over:
            why = f"a side holds an unevaluated {left_over[0]}; evaluate it first (gradient, matrix_derivative, doit)"
            raise Vacuous("", statement, why)


def _is_zero(side: Any) -> bool:
    if isinstance(side, sp.ZeroMatrix):
        return True
    if isinstance(side, sp.MatrixBase):
        return all(entry == 0 for entry in side)
    return bool(side == 0)


def _refuse_zero(lhs: Any, rhs: Any, statement: str, allow_zero: str) -> None:
    zeros = _is_zero(lhs) and _is_zero(rhs)
    if zeros and not allow_zero:
        why = (
            "both sides are literally zero, as when a derivative has vanished; if that is meant, say why in allow_zero"
        )
        raise Vacuous("0 = 0", statement, why)
    if allow_zero and not zeros:
        raise ValueError(f"allow_zero is given ({allow_zero}), but the sides are not both zero")


# --- how it is proved ---------------------------------------------------------------------------


def _prove(claim: _Claim, conditions: Conditions) -> tuple[Scope, str]:
    scope = Scope.every(*{str(symbol) for side in (claim.lhs, claim.rhs) for symbol in sizes_of(side)})
    methods: set[str] = set()
    for left, right, ranges in _entries(claim):
        for side in (left, right):
            conditions.add_denominators(side)
        difference = split_logs(left, conditions) - split_logs(right, conditions)
        if _needs_sums(difference, claim):
            methods.add("normal form of finite sums")
            _add_ranges(difference, claim, conditions)
            difference = normal_form(difference, ranges=ranges, symmetric=claim.symmetric, normalised=claim.normalised)
        form = rational_form(difference, conditions)
        if not form.is_zero:
            _give_up(claim, form.numerator, "the two normal forms differ")
    if claim.lhs == claim.rhs:
        return scope, "both sides evaluate to the same expression"
    return scope, "; ".join(sorted(methods)) or "identity of rational functions"


def _entries(claim: _Claim) -> Iterator[tuple[sp.Expr, sp.Expr, Mapping[Any, tuple[Any, Any]]]]:
    """Yield the scalar claims, entry by entry; a matrix of symbolic shape gives one, with symbolic row and column."""
    lhs, rhs = claim.lhs, claim.rhs
    if _shape(lhs) is None:
        yield lhs, rhs, claim.ranges
    elif isinstance(lhs, sp.MatrixBase) or isinstance(rhs, sp.MatrixBase):
        yield from ((left, right, claim.ranges) for left, right in zip(_explicit(lhs), _explicit(rhs), strict=True))
    else:
        row, column = sp.Dummy("row", integer=True), sp.Dummy("column", integer=True)
        place = {row: (sp.Integer(0), lhs.rows - 1), column: (sp.Integer(0), lhs.cols - 1)}
        yield lhs[row, column], rhs[row, column], {**claim.ranges, **place}


def _explicit(side: Any) -> sp.ImmutableMatrix:
    return side if isinstance(side, sp.MatrixBase) else side.as_explicit()


def _needs_sums(expr: sp.Expr, claim: _Claim) -> bool:
    if expr.has(sp.Sum, sp.Trace, sp.KroneckerDelta):
        return True
    entries = expr.atoms(MatrixElement, sp.Indexed)
    compound = any(
        isinstance(entry, MatrixElement) and not isinstance(entry.args[0], sp.MatrixSymbol) for entry in entries
    )
    return compound or bool(entries and claim.symmetric)


def _add_ranges(expr: sp.Expr, claim: _Claim, conditions: Conditions) -> None:
    """State the ranges of the free indices as conditions."""
    for index, (low, high) in {**ranges_of_entries(expr), **claim.ranges}.items():
        if index in expr.free_symbols and not index.is_Dummy:
            conditions.add(f"{low} <= {index} <= {high}")


def _give_up(claim: _Claim, rest: Any, why: str) -> NoReturn:
    witness = claim.witness()
    if witness is not None:
        raise Refuted(witness, claim.statement)
    raise NotProved(shorten(str(rest)), claim.statement, f"{why}, but no small integer point tells the sides apart")
