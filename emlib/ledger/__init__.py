"""The ledger: one row for each claim of the note, and what discharges it."""
