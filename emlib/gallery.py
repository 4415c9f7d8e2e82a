"""``python -m emlib figures``: check the figures of the repository, or redraw them for a paper."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from emlib import figures
from emlib.provenance import sources
from emlib.redraw import FORMATS, Layout, inches, redraw

__all__ = ["main", "record_sources"]


def main(arguments: list[str]) -> int:
    """Run ``python -m emlib figures``.

    Parameters
    ----------
    arguments : list of str
        What stands after ``figures`` on the command line.

    Returns
    -------
    int
        0 when every figure is as the manifest says, or was redrawn and can be read; 1 otherwise.

    Raises
    ------
    SystemExit
        With status 2 when the arguments make no sense.
    """
    parser = _parser()
    parsed = parser.parse_args(arguments)
    if parsed.out is None:
        if parsed.width is not None or parsed.font_size is not None or parsed.format is not None:
            parser.error("--width, --font-size and --format redraw figures: say where to with --out DIR")
        if len(parsed.name) > 1:
            parser.error("without --out the files of one folder are checked: name at most one")
        return _check(Path(parsed.name[0]) if parsed.name else figures.default_folder())
    layout = Layout(parsed.width, parsed.font_size or figures.FONT_SIZE, parsed.format or "pdf")
    try:
        written = redraw(parsed.name, layout, parsed.out, folder=figures.default_folder(), progress=_progress)
    except ValueError as error:
        print(f"problem: {error}")
        return 1
    for figure in written:
        print(f"drawn: {parsed.out / figure.path.stem}.{{{layout.extension},tex,typ,md}}")
    faulty = [figure for figure in written if figure.faults]
    for figure in faulty:
        more = f" and {len(figure.faults) - 1} more" if len(figure.faults) > 1 else ""
        print(
            f"problem: {figure.path.stem}: {figure.width:.3g} inches are too narrow for letters of "
            f"{layout.font_size:g} pt: {figure.faults[0]}{more}; "
            f"{figure.natural:.2g} pt keeps the notebook's proportions"
        )
    return 1 if faulty else 0


def record_sources(folder: Path) -> None:
    """Write into a manifest which notebook and cell save each figure, and with which seeds.

    Parameters
    ----------
    folder : pathlib.Path
        A folder of figures, with the notebooks in ``../notebooks``; without such a folder nothing is done.
    """
    notebooks = folder.parent / "notebooks"
    if not notebooks.is_dir():
        return
    manifest = figures.read_manifest(folder)
    origins = sources(notebooks)
    completed = {name: entry | {"source": origins[name]} for name, entry in manifest.items() if name in origins}
    if manifest | completed != manifest:
        figures.write_manifest(folder, manifest | completed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emlib figures",
        description="Check the files in figures/ against their manifest; with --out, redraw figures for a paper.",
        epilog="Example: python -m emlib figures --width 3.3in --font-size 8 --out paper faithful_path",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, width=80),
    )
    parser.add_argument("name", nargs="*", help="with --out: figures to redraw, default all; else: a folder to check")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to write the redrawn figures and their snippets")
    parser.add_argument("--width", type=_length, help="width of the figures, as 3.3in, 8.4cm, 84mm or 240pt")
    parser.add_argument("--font-size", type=_points, metavar="PT", help="size of the letters in points, default 9")
    parser.add_argument("--format", choices=FORMATS, help="default pdf, with its fonts embedded")
    return parser


def _length(text: str) -> float:
    try:
        return inches(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _points(text: str) -> float:
    try:
        size = float(text)
    except ValueError:
        size = 0.0
    if not 1 <= size <= 100:
        raise argparse.ArgumentTypeError(f"a font size is a number of points between 1 and 100, got {text!r}")
    return size


def _progress(notebooks: list[str]) -> Iterable[str]:
    from tqdm import tqdm

    return tqdm(notebooks, desc="redrawing", unit="notebook", leave=False)


def _check(folder: Path) -> int:
    """Print each figure with its caption and state; return the exit status."""
    try:
        if (folder / figures.MANIFEST).is_file():
            record_sources(folder)
        problems = figures.check(folder)
    except ValueError as error:
        print(f"problem: {error}")
        return 1
    manifest = figures.read_manifest(folder)
    wrong = {problem.name for problem in problems}
    for name in sorted(set(manifest) - wrong):
        print(f"ok: {name}: {manifest[name]['caption']}")
    for problem in problems:
        print(f"problem: {problem.name}: {problem.text}")
    print(f"figures in the manifest: {len(manifest)}, problems: {len(problems)}")
    return 1 if problems else 0
