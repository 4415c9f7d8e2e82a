"""Files of identities: one a line, with an optional label, options and the verdict that is expected.

::

    # a comment
    grad(tr(A*X), X) == A'
    (57) | grad(log(det(X)), X) == inv(X)'
    (138) wrong | grad(tr(A*X), X) == A' | --symmetric X --expect refuted
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emlib.proof._options import OptionError, declarations, line_parser
from emlib.proof.language import FormulaError
from emlib.proof.verification import Verification, verify

LONGEST_FILE = 1_000_000
EXPECTED = {"holds": True, "refuted": False, "undecided": None}


class IdentityFileError(ValueError):
    """A line of a file that cannot be read; the message gives the file and the line."""


@dataclass(frozen=True)
class Entry:
    """One identity of a file.

    Parameters
    ----------
    line : int
        Its line, from 1.
    label : str
        What stands before the first bar, such as an equation number.
    formula : str
        The identity.
    options : dict
        Keyword arguments of `verify`.
    expected : bool or None
        What `Verification.holds` should be.
    """

    line: int
    label: str
    formula: str
    options: dict[str, Any]
    expected: bool | None


@dataclass(frozen=True)
class Checked:
    """An entry and its verification.

    Parameters
    ----------
    entry : Entry
        The line of the file.
    verification : Verification
        What was found.
    """

    entry: Entry
    verification: Verification

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is the expected one."""
        return self.verification.holds is self.entry.expected

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON.

        Returns
        -------
        dict
            That of the verification, with label, line and expectation.
        """
        return {
            "label": self.entry.label,
            "line": self.entry.line,
            "expected": self.entry.expected,
            "as_expected": self.as_expected,
            **self.verification.to_dict(),
        }


def read_identities(path: Path) -> list[Entry]:
    """Read a file of identities.

    Parameters
    ----------
    path : Path
        A text file in UTF-8.

    Returns
    -------
    list of Entry
        In the order of the file.

    Raises
    ------
    IdentityFileError
        The file cannot be read, is empty, or a line is not ``[LABEL |] LEFT == RIGHT [| OPTIONS]``.

    Examples
    --------
    >>> from pathlib import Path
    >>> import emlib.proof
    >>> cookbook = Path(emlib.proof.__file__).parent / "identities" / "matrix_cookbook.txt"
    >>> read_identities(cookbook)[0].formula
    'inv(A*B) == inv(B)*inv(A)'
    """
    try:
        if path.stat().st_size > LONGEST_FILE:
            raise IdentityFileError(f"{path}: more than {LONGEST_FILE} bytes")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise IdentityFileError(f"{path}: cannot be read as a text file ({error.__class__.__name__})") from None
    lines = enumerate(text.splitlines(), 1)
    entries = [_entry(path, number, line) for number, line in lines if line.split("#")[0].strip()]
    if not entries:
        raise IdentityFileError(f"{path}: holds no identity")
    return entries


def _entry(path: Path, number: int, line: str) -> Entry:
    fields = [part.strip() for part in line.split("#")[0].split("|")]
    where = f"{path}, line {number}"
    holding = [place for place, part in enumerate(fields) if "==" in part]
    if len(holding) != 1 or holding[0] > 1 or len(fields) - holding[0] > 2:
        raise IdentityFileError(f"{where}: expected [LABEL |] LEFT == RIGHT [| OPTIONS]")
    place = holding[0]
    try:
        parsed = line_parser().parse_args(shlex.split(" ".join(fields[place + 1 :])))
        options = declarations(parsed)
    except (OptionError, argparse.ArgumentError, ValueError) as error:
        raise IdentityFileError(f"{where}: {error}") from None
    return Entry(number, fields[0] if place else "", fields[place], options, EXPECTED[parsed.expect])


def check_identities(path: Path, entries: list[Entry], seed: int = 0) -> Iterator[Checked]:
    """Verify the identities of a file, one after the other.

    Parameters
    ----------
    path : Path
        The file, for messages.
    entries : list of Entry
        What `read_identities` returned.
    seed : int
        Seed of the random points.

    Yields
    ------
    Checked
        One for each entry.

    Raises
    ------
    IdentityFileError
        A formula is wrong.
    """
    for entry in entries:
        try:
            yield Checked(entry, verify(entry.formula, seed=seed, **entry.options))
        except FormulaError as error:
            raise IdentityFileError(f"{path}, line {entry.line}: {error}") from None
