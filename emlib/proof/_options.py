"""The options that declare symbols, shared by the command line and by files of identities."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn


class OptionError(ValueError):
    """An option that cannot be read."""


class _Parser(argparse.ArgumentParser):
    """Raises instead of leaving the program, so that a line of a file can be named."""

    def error(self, message: str) -> NoReturn:
        raise OptionError(message)


def add_declarations(parser: argparse.ArgumentParser) -> None:
    """Add the options that declare symbols.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Takes ``--symmetric``, ``--diagonal``, ``--spd``, ``--scalar`` and ``--shape``.
    """
    for name, text in (
        ("symmetric", "a symmetric matrix"),
        ("diagonal", "a diagonal matrix"),
        ("spd", "a symmetric positive definite matrix"),
        ("scalar", "a scalar"),
    ):
        parser.add_argument(
            f"--{name}", action="append", default=[], metavar="NAME[,NAME...]", help=f"the name of {text}"
        )
    parser.add_argument(
        "--shape", action="append", default=[], metavar="NAME:ROWS,COLS", help='such as "X:n,m"; repeatable'
    )


def declarations(parsed: argparse.Namespace) -> dict[str, Any]:
    """Return the keyword arguments of `verify` for parsed options.

    Parameters
    ----------
    parsed : argparse.Namespace
        With the attributes that `add_declarations` makes.

    Raises
    ------
    OptionError
        A shape is not ``NAME:ROWS,COLS``.
    """
    return {
        "symmetric": _names(parsed.symmetric),
        "diagonal": _names(parsed.diagonal),
        "spd": _names(parsed.spd),
        "scalars": _names(parsed.scalar),
        "shapes": dict(_shape(text) for text in parsed.shape),
    }


def _names(values: list[str]) -> tuple[str, ...]:
    return tuple(name.strip() for value in values for name in value.split(",") if name.strip())


def _shape(text: str) -> tuple[str, tuple[str, str]]:
    name, colon, sizes = text.partition(":")
    parts = [part.strip() for part in sizes.split(",")]
    if not colon or len(parts) != 2 or not all(parts):
        raise OptionError(f'--shape takes NAME:ROWS,COLS such as "X:n,m", not {text!r}')
    return name.strip(), (parts[0], parts[1])


def line_parser() -> argparse.ArgumentParser:
    """Return the parser of the options behind an identity in a file."""
    parser = _Parser(add_help=False, allow_abbrev=False, exit_on_error=False)
    add_declarations(parser)
    parser.add_argument("--expect", choices=("holds", "refuted", "undecided"), default="holds")
    return parser
