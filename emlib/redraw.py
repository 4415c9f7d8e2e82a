"""Redraw figures for a paper: at its column's width and font size, with the words to paste beside them.

A figure is drawn by running the code cells of its notebook up to the one that saves it, in this process. So what is
redrawn is what the notebook shows, asserts included; only the size differs.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Iterable
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from emlib import figures
from emlib.narrow import faults, in_rows, make_room
from emlib.provenance import code_cells, sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure
    from matplotlib.text import Text

__all__ = ["FORMATS", "Layout", "Redrawn", "inches", "redraw", "snippets"]

TICKS: tuple[Literal["major"], Literal["minor"]] = ("major", "minor")
FORMATS = ("pdf", "svg", "png")
UNITS = {"in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4, "pt": 1 / 72.27}
LARGE = 1.2  # letters grown this much against the width need another arrangement
LENGTH = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(in|cm|mm|pt)")


def inches(length: str) -> float:
    """Return a length in inches.

    Parameters
    ----------
    length : str
        A number and a unit: ``3.3in``, ``8.4cm``, ``84mm`` or ``240pt``, where a point is TeX's, 1/72.27 inch.

    Returns
    -------
    float
        The length in inches.

    Raises
    ------
    ValueError
        If it is not of that form or not above zero.
    """
    match = LENGTH.fullmatch(length.strip())
    if match is None or float(match[1]) == 0:
        raise ValueError(f"a length is a number above zero and a unit, as 3.3in, 8.4cm, 84mm or 240pt, got {length!r}")
    return float(match[1]) * UNITS[match[2]]


@dataclass(frozen=True)
class Layout:
    """What a redrawn figure should look like.

    Attributes
    ----------
    width : float or None
        In inches; the height follows, and more than in proportion where letters need the room. None keeps the size
        of the notebook.
    font_size : float
        In points, of what the notebooks draw in nine points; smaller and larger letters keep their proportion to it.
    extension : str
        ``pdf``, ``svg`` or ``png``.
    """

    width: float | None = None
    font_size: float = figures.FONT_SIZE
    extension: str = "pdf"

    def apply(self, fig: Figure) -> bool:
        """Give a figure its size and letters, and another arrangement where they need it.

        Parameters
        ----------
        fig : matplotlib.figure.Figure
            Changed in place.

        Returns
        -------
        bool
            Whether panels that stood side by side now stand below each other.
        """
        width, height = fig.get_size_inches()
        scale = 1.0 if self.width is None else self.width / width
        letters = self.font_size / figures.FONT_SIZE
        fig.set_size_inches(width * scale, height * scale)
        if letters != 1:
            _scale_letters(fig, letters)
        return letters / scale > LARGE and make_room(fig, letters / scale)


class Redrawn(NamedTuple):
    """A figure as redrawn.

    Attributes
    ----------
    path : pathlib.Path
        The picture.
    faults : list of str
        What cannot be read, cut off or overlapping, as :func:`emlib.narrow.faults` says it.
    width : float
        In inches.
    natural : float
        The font size, in points, at which the figure looks as in its notebook.
    """

    path: Path
    faults: list[str]
    width: float
    natural: float


def redraw(
    names: Iterable[str],
    layout: Layout,
    out: Path,
    *,
    folder: Path,
    progress: Callable[[list[str]], Iterable[str]] = lambda notebooks: notebooks,
) -> list[Redrawn]:
    """Draw figures anew and write them with their snippets.

    Parameters
    ----------
    names : iterable of str
        Names of figures; none stands for all.
    layout : Layout
        Their size and format.
    out : pathlib.Path
        Where to write; not the folder of the figures themselves.
    folder : pathlib.Path
        The figures of the repository, with the notebooks in ``../notebooks``.
    progress : callable
        Wraps the list of notebooks to run, for a progress bar.

    Returns
    -------
    list of Redrawn
        What was written, in the order of the names.

    Raises
    ------
    ValueError
        If there are no figures, a name is not in the manifest, no notebook saves it, a notebook fails, or `out` is the
        folder of the figures.
    """
    if out.resolve() == folder.resolve():
        raise ValueError(f"{out} holds the figures of the repository; name another folder")
    manifest = figures.read_manifest(folder)
    if not manifest:
        raise ValueError(f"there are no figures in {folder}; run this in the folder where emlib was cloned")
    origins = sources(folder.parent / "notebooks")
    wanted = sorted(set(names)) or sorted(manifest)
    if unknown := [name for name in wanted if name not in manifest or name not in origins]:
        raise ValueError(f"no figure {unknown[0]!r}; there are: {', '.join(sorted(set(manifest) & set(origins)))}")
    out = out.resolve()  # notebooks run in their own folder
    out.mkdir(parents=True, exist_ok=True)

    done: dict[str, Redrawn] = {}

    def receive(fig: Figure, name: str) -> None:
        if name not in wanted:
            return
        before = float(fig.get_size_inches()[0])
        stacked = layout.apply(fig)
        width = float(fig.get_size_inches()[0])
        picture = f"{name}.{layout.extension}"
        # All formats, as in figures.save: each drawing settles the layout a little further.
        (out / picture).write_bytes(figures.pictures(fig)[layout.extension])
        entry = manifest[name]
        words = {key: in_rows(entry[key]) if stacked else entry[key] for key in ("caption", "alt")}
        for suffix, text in snippets(picture, words, width).items():
            (out / f"{name}.{suffix}").write_text(text, encoding="utf-8")
        done[name] = Redrawn(out / picture, faults(fig), width, figures.FONT_SIZE * width / before)

    last: dict[str, int] = {}
    for name in wanted:
        origin = origins[name]
        last[origin["notebook"]] = max(last.get(origin["notebook"], 0), origin["cell"])
    with figures.diverted(receive):
        for notebook in progress(sorted(last)):
            _run(folder.parent / "notebooks" / f"{notebook}.ipynb", last[notebook])
    return [done[name] for name in wanted]


def snippets(picture: str, entry: dict[str, Any], width: float) -> dict[str, str]:
    """Return what to paste into a paper, by the suffix of the language.

    Parameters
    ----------
    picture : str
        Name of the file.
    entry : dict
        Entry of the manifest, with ``caption`` and ``alt``.
    width : float
        In inches.

    Returns
    -------
    dict of str to str
        ``tex`` for LaTeX (the alternative text needs a LaTeX of 2021 or later), ``typ`` for Typst and ``md`` for
        Markdown as pandoc reads it; each with caption, label and alternative text.
    """
    label = f"fig:{picture.partition('.')[0]}"
    caption, alt = entry["caption"], entry["alt"]
    size = f"{width:.6g}in"
    quoted_caption, quoted_alt = (json.dumps(text, ensure_ascii=False) for text in (caption, alt))
    markdown_alt = alt.replace("\\", "\\\\").replace('"', '\\"')
    return {
        "tex": (
            "\\begin{figure}\n  \\centering\n"
            f"  \\includegraphics[width={size}, alt={{{_latex(alt)}}}]{{{picture}}}\n"
            f"  \\caption{{{_latex(caption)}}}\n  \\label{{{label}}}\n\\end{{figure}}\n"
        ),
        "typ": (
            f'#figure(\n  image("{picture}", width: {size}, alt: {quoted_alt}),\n'
            f"  caption: {quoted_caption},\n) <{label}>\n"
        ),
        "md": f'![{_markdown(caption)}]({picture}){{#{label} width={size} alt="{markdown_alt}"}}\n',
    }


LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
LATEX |= {character: f"\\{character}" for character in "&%$#_{}"}


def _latex(text: str) -> str:
    """Return words with what LaTeX would take for a command escaped."""
    return "".join(LATEX.get(character, character) for character in text)


def _markdown(text: str) -> str:
    """Return words with what Markdown would take for markup escaped."""
    return re.sub(r"([\\`*_{}\[\]<>#$^~@|])", r"\\\1", text)


def _scale_letters(fig: Figure, ratio: float) -> None:
    """Scale all letters of a figure; those of ticks are made when drawn, so their axes must know."""
    from matplotlib.axes import Axes
    from matplotlib.axis import Tick
    from matplotlib.text import Text

    axes = [found for found in fig.findobj(Axes) if isinstance(found, Axes)]
    pairs = [(axis, which) for each in axes for axis in (each.xaxis, each.yaxis) for which in TICKS]
    sizes = [[_points(label) for label in axis.get_ticklabels(which=which)] for axis, which in pairs]
    ticks = {text for tick in fig.findobj(Tick) for text in tick.findobj(Text)}
    for text in fig.findobj(Text):
        if isinstance(text, Text) and text not in ticks:
            text.set_fontsize(_points(text) * ratio)
    for (axis, which), labels in zip(pairs, sizes, strict=True):
        if labels:
            axis.set_tick_params(which=which, labelsize=labels[0] * ratio)


def _points(text: Text) -> float:
    return float(text.get_fontsize())


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Work in a folder, as the kernel of a notebook does."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _run(notebook: Path, last: int) -> None:
    """Run the code cells of a notebook up to one, without a display and without what they print."""
    import matplotlib
    from matplotlib import pyplot as plt

    matplotlib.use("agg")
    names: dict[str, Any] = {"__name__": "__main__", "display": lambda *_: None}
    with _inside(notebook.parent), redirect_stdout(io.StringIO()), matplotlib.rc_context():
        for count, source in code_cells(notebook):
            if count > last:
                break
            try:
                exec(compile(source, f"{notebook.name}, cell {count}", "exec"), names)
            except Exception as error:
                raise ValueError(
                    f"{notebook.name}, cell {count}: {type(error).__name__}: {error}; "
                    f"`make notebooks NB={notebook.stem}` shows where"
                ) from error
            plt.close("all")
