"""The table of published numbers, as `published.toml` lists them."""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, dataclass, fields
from functools import cache
from importlib import resources
from typing import Any

FILE = "published.toml"

STATUSES = ("printed", "printed in part", "recalled", "recomputed")


@dataclass(frozen=True)
class Entry:
    """One published result.

    Attributes
    ----------
    id : str
        Name of the entry, such as ``"linkage.mle"``.
    source : str
        Where the numbers come from.
    status : str
        How surely they are the source's: one of ``STATUSES``, which `published.toml` explains.
    data : str
        Name of the data set, or ``"inline"``.
    quantity : str
        What the numbers are, in order.
    published : tuple of float
        The numbers as they are printed.
    tolerance : float
        Largest absolute difference that counts as reproduced.
    note : str
        What a reader who compares must know; may be empty.
    """

    id: str
    source: str
    status: str
    data: str
    quantity: str
    published: tuple[float, ...]
    tolerance: float
    note: str = ""


KEYS = frozenset(field.name for field in fields(Entry))
REQUIRED = frozenset(field.name for field in fields(Entry) if field.default is MISSING)


@cache
def entries() -> tuple[Entry, ...]:
    """Return all published results, in the order of the table.

    Returns
    -------
    tuple of Entry
        All entries, validated.

    Raises
    ------
    ValueError
        If the file of the package is not a valid table.
    """
    return parse(resources.files(__package__).joinpath(FILE).read_text(encoding="utf-8"))


def parse(text: str) -> tuple[Entry, ...]:
    """Return the entries of a table given as TOML.

    Parameters
    ----------
    text : str
        A TOML document with an array of tables named ``entry``.

    Returns
    -------
    tuple of Entry
        The entries, in the order of the text.

    Raises
    ------
    ValueError
        If an entry lacks a key or has an unknown one, its status is unknown, its tolerance negative, it lists no
        numbers, or an id stands twice.
    """
    table = tuple(_entry(one) for one in tomllib.loads(text)["entry"])
    ids = [entry.id for entry in table]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise ValueError(f"{FILE}: id {', '.join(twice)} stands more than once")
    return table


def _entry(raw: dict[str, Any]) -> Entry:
    where = f"{FILE}, entry {raw.get('id', 'without id')}"
    unknown, missing = sorted(set(raw) - KEYS), sorted(REQUIRED - set(raw))
    if unknown or missing:
        raise ValueError(f"{where}: unknown keys {unknown}, missing keys {missing}")
    if raw["status"] not in STATUSES:
        raise ValueError(f"{where}: status must be one of {', '.join(STATUSES)}, got {raw['status']!r}")
    if not raw["published"] or not raw["tolerance"] >= 0:
        raise ValueError(f"{where}: needs at least one number and a tolerance from 0, got {raw['tolerance']}")
    return Entry(**{**raw, "published": tuple(float(value) for value in raw["published"])})
