"""Proofs and exact checks of identities; SymPy is imported here and nowhere else in emlib."""

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
from emlib.proof.exact import exact_check
from emlib.proof.numeric import agree, numeric_gradient
from emlib.proof.sums import SumError, SumsTo, normal_form
from emlib.proof.verdicts import prove_equal, prove_for_sizes, refute

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
    "normal_form",
    "numeric_gradient",
    "prove_equal",
    "prove_for_sizes",
    "refute",
]
