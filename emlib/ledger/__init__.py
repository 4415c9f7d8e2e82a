"""The ledger: every claim of the note, tied to the evidence that the notebooks give for it."""

from emlib.ledger.claim import Claim, Evidence, Undischarged, claim, discharged, twin_in_place_of
from emlib.ledger.report import LedgerError, Report, read
from emlib.ledger.rows import Row, load, needs

__all__ = [
    "Claim",
    "Evidence",
    "LedgerError",
    "Report",
    "Row",
    "Undischarged",
    "claim",
    "discharged",
    "load",
    "needs",
    "read",
    "twin_in_place_of",
]
