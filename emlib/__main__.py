"""The command line: ``python -m emlib COMMAND``; each command's module is imported when it is called."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import cast

# Name of the command: its module, which has ``main(arguments: list[str]) -> int``, and one line of help.
COMMANDS = {
    "verify": ("emlib.proof.cli", "check an identity of matrices, or a file of them"),
    "figures": ("emlib.gallery", "check the files in figures/, or redraw figures for a paper"),
    "ledger": ("emlib.ledger.cli", "list the claims of the note with their evidence"),
}


def main(arguments: list[str]) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : list of str
        The command and what stands after it.

    Returns
    -------
    int
        The exit status: 0 when all is well, 1 when the command found something wrong.

    Raises
    ------
    SystemExit
        With status 2 when there is no such command, 0 after ``--help``.
    """
    parser = argparse.ArgumentParser(
        prog="python -m emlib",
        description="\n".join(f"{name:10} {text}" for name, (_, text) in COMMANDS.items()),
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=80),
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="COMMAND --help says what it takes")
    parsed = parser.parse_args(arguments)
    module, _ = COMMANDS[parsed.command]
    try:
        return cast(int, importlib.import_module(module).main(parsed.rest))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "emlib":
            raise
        print(
            f"problem: {parsed.command} needs the package {error.name!r}, which is not installed; "
            "`pip install '.[notebooks]'` where emlib was cloned installs what the commands need"
        )
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
