"""Proofs and exact checks of identities; SymPy is imported here and nowhere else in emlib.

prove_equal, prove_for_sizes, refute
    Verdicts on symbolic claims: a `Certificate`, or an error with the evidence.
exact_check, agree, numeric_gradient
    Exact arithmetic at random points, and floating point.
normal_form, SumsTo
    Finite sums with symbolic ranges.
Structured, matrix_derivative, chain_rule, projection
    Structured matrices; the matrix of partials is not the direction of steepest ascent.
determinant, cofactor, cofactor_matrix, leibniz, vec, vech, duplication, elimination, commutation
    Explicit matrices, in milliseconds.
"""

import importlib.util

if importlib.util.find_spec("sympy") is None:
    raise ImportError("emlib.proof needs SymPy, which the numeric half does not: pip install 'emlib[notebooks]'")

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
)
from emlib.proof.determinants import cofactor, cofactor_matrix, determinant, leibniz
from emlib.proof.exact import exact_check
from emlib.proof.labels import expectation_over_labels, sum_over_labels
from emlib.proof.matrices import PATTERNS, Structured, chain_rule, diag_part, matrix_derivative, projection
from emlib.proof.numeric import agree, numeric_gradient
from emlib.proof.sums import SumError, SumsTo, normal_form
from emlib.proof.vectorised import commutation, duplication, elimination, vec, vech
from emlib.proof.verdicts import prove_equal, prove_for_sizes, refute

__all__ = [
    "PATTERNS",
    "Certificate",
    "NotProved",
    "NotRefuted",
    "Refuted",
    "Scope",
    "Strength",
    "Structured",
    "SumError",
    "SumsTo",
    "Vacuous",
    "VerdictError",
    "Witness",
    "agree",
    "chain_rule",
    "cofactor",
    "cofactor_matrix",
    "commutation",
    "determinant",
    "diag_part",
    "duplication",
    "elimination",
    "exact_check",
    "expectation_over_labels",
    "leibniz",
    "matrix_derivative",
    "normal_form",
    "numeric_gradient",
    "projection",
    "prove_equal",
    "prove_for_sizes",
    "refute",
    "sum_over_labels",
    "vec",
    "vech",
]
