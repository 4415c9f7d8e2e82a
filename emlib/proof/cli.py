"""``python -m emlib verify``: the verifier on the command line."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tqdm import tqdm

from emlib.proof._layers.verdict import Status
from emlib.proof._options import OptionError, add_declarations, declarations
from emlib.proof.identity_file import Checked, IdentityFileError, check_identities, read_identities
from emlib.proof.language import FormulaError
from emlib.proof.verification import VERDICTS, LayersDisagree, verify

HOLDS, REFUTED, BAD_INPUT, NOT_DECIDED, DEFECT = 0, 1, 2, 3, 4
STATUS_OF = {True: HOLDS, False: REFUTED, None: NOT_DECIDED}
SHORT = {Status.PROVED: "proved", Status.HOLDS: "holds", Status.REFUTED: "refuted", Status.UNDECIDED: "-"}

DESCRIPTION = """\
Say how far an identity of matrices is true: for every n, for n = 2, 3, 4 with a
symbol for every entry, exactly at n = 20, and in floating point at n = 50.

A capital letter is an n x n matrix, a lower-case one a column of length n.
A' and A.T transpose, * multiplies, / divides by a scalar, ^ takes an integer.
I is the identity, ones a column of ones, n the size. Functions: inv det tr log
exp diag vec kron hadamard norm2 grad(f, X) ascent(f, X) hess(f, x) d(F, X).
diag(M) is the diagonal matrix of the diagonal of M; norm2 is the Euclidean norm
of a vector or the Frobenius norm of a matrix; d(F, X) is the differential in the
direction dX. For a symmetric X, grad is the matrix of partials by the free
entries and ascent the direction of steepest ascent."""

EPILOG = """\
exit status: 0 the identity holds (or all verdicts of a file are as expected),
1 refuted (or not as expected), 2 the input cannot be read, 3 not decided,
4 two layers contradict each other: a defect of emlib.

A file has one identity a line:   [LABEL |] LEFT == RIGHT [| OPTIONS]
with the options above and --expect holds|refuted|undecided; # starts a comment.

example:
  python -m emlib verify "grad(log(det(A)), A) == 2*inv(A) - diag(inv(A))" --symmetric A"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emlib verify",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=80),
        allow_abbrev=False,
    )
    parser.add_argument("formula", metavar="FORMULA|FILE", help='an identity "LEFT == RIGHT", or a file of them')
    add_declarations(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--seed", type=_seed, default=0, help="seed of the random points (default 0)")
    return parser


def main(arguments: list[str]) -> int:
    """Verify one identity or a file of them, and print the table.

    Parameters
    ----------
    arguments : list of str
        What stands after ``verify``.

    Returns
    -------
    int
        0 holds, 1 refuted, 2 bad input, 3 not decided, 4 the layers contradict each other.

    Raises
    ------
    SystemExit
        With status 2 when an option is unknown, 0 after ``--help``.

    Examples
    --------
    >>> main(["tr(A*B) == tr(B*A)", "--json", "--seed", "1"]) == HOLDS  # doctest: +ELLIPSIS
    {
    ...
    }
    True
    """
    parsed = _parser().parse_args(arguments)
    try:
        if "=" not in parsed.formula and Path(parsed.formula).is_file():
            return _file(parsed)
        return _formula(parsed)
    except (FormulaError, OptionError, IdentityFileError) as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except LayersDisagree as error:
        print(f"error: {error}", file=sys.stderr)
        return DEFECT


def _seed(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError("a seed is a number that is not negative")
    return int(text)


def _formula(parsed: argparse.Namespace) -> int:
    if "=" not in parsed.formula:
        raise OptionError(f"{parsed.formula!r} is neither an identity LEFT == RIGHT nor a file")
    verification = verify(parsed.formula, seed=parsed.seed, **declarations(parsed))
    print(json.dumps(verification.to_dict(), indent=2) if parsed.json else verification)
    return STATUS_OF[verification.holds]


def _file(parsed: argparse.Namespace) -> int:
    path = Path(parsed.formula)
    if any(declarations(parsed).values()):
        raise OptionError("with a file, declare symbols on its lines, behind a bar")
    entries = read_identities(path)
    progress = tqdm(check_identities(path, entries, parsed.seed), total=len(entries), unit="identity", leave=False)
    results = list(progress)
    if parsed.json:
        print(json.dumps([result.to_dict() for result in results], indent=2))
    else:
        print("\n".join(table(results)))
    unexpected = [result for result in results if not result.as_expected]
    if not unexpected:
        return HOLDS
    undecided = all(result.verification.holds is None for result in unexpected)
    return NOT_DECIDED if undecided else REFUTED


def table(results: list[Checked]) -> list[str]:
    """Return the lines of the table of a file of identities.

    Parameters
    ----------
    results : list of Checked
        The identities with their verdicts.

    Returns
    -------
    list of str
        One line an identity, a summary, and in full what was not as expected.
    """
    head = ("label", "verdict", *(layer.name for layer in results[0].verification.layers), "identity")
    rows = [head, *(_row(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head) - 1)]
    lines = ["  ".join([*(f"{cell:{w}}" for cell, w in zip(row, widths, strict=False)), row[-1]]) for row in rows]
    unexpected = [result for result in results if not result.as_expected]
    lines += ["", _summary(results)]
    for result in unexpected:
        lines += ["", f"line {result.entry.line}, not as expected:", str(result.verification)]
    return lines


def _row(result: Checked) -> tuple[str, ...]:
    verification = result.verification
    verdict = VERDICTS[verification.holds] + ("" if result.as_expected else " (!)")
    cells = (SHORT[layer.status] for layer in verification.layers)
    return (result.entry.label, verdict, *cells, verification.formula)


def _summary(results: list[Checked]) -> str:
    count = {holds: sum(r.verification.holds is holds for r in results) for holds in VERDICTS}
    wrong = sum(not result.as_expected for result in results)
    every = sum(r.verification.layers[0].status is Status.PROVED for r in results)
    return (
        f"{len(results)} identities: {count[True]} hold ({every} proved for every n), {count[False]} refuted, "
        f"{count[None]} not decided; {wrong} not as expected"
    )
