"""Make room in a figure whose letters are large for its width, and say what in a figure cannot be read.

Seen side by side, panels and their words become too small long before lines do. So where letters grow against the
width, panels are stacked, legends go below their axes, long titles and labels are broken into lines, and the figure
grows in height.
"""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.text import Text
    from matplotlib.transforms import BboxBase

__all__ = ["faults", "in_rows", "make_room"]

STACK = 1.5  # letters grown so much against the width leave no room for panels side by side
WORDS = re.compile(r"(?:\$[^$]*\$|[^\s$])+")  # a formula is one word, whatever its spaces
GAP = 3 / 72  # inches between a legend and what stands above it
SLACK = 0.1 / 25.4  # inches, a tenth of a millimetre
COVERED = 1 / 4  # part of its axes that a legend may cover
SMALLEST = 0.5  # inches, side of axes


def make_room(fig: Figure, growth: float) -> bool:
    """Rearrange a figure for larger letters.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        Changed in place; it has its width and its letters already.
    growth : float
        How much larger the letters have become in proportion to the width, above 1.

    Returns
    -------
    bool
        Whether panels that stood side by side now stand below each other.
    """
    panels = _stack(fig) if growth > STACK else 1
    _heighten(fig, fig.get_size_inches()[1] * (panels * growth**0.5 - 1))
    _shrink_marks(fig, growth**-0.5)
    full = {text: text.get_text() for text, _ in _limits(fig)}
    legends = _take_legends(fig)
    _wrap(fig, full)
    for ax, old in legends:
        _heighten(fig, GAP + _below(fig, ax, old).get_window_extent().height / fig.dpi)
    _wrap(fig, full)
    empty = fig.get_size_inches()[1] - fig.get_tightbbox().height - 2 * GAP
    if empty > 2 * GAP:  # axes of a fixed shape cannot use all the height
        _heighten(fig, -empty)
    _heighten(fig, _lacking(fig))
    return panels > 1


def in_rows(words: str) -> str:
    """Return words on two panels for when the left one stands above the right one.

    Parameters
    ----------
    words : str
        A caption or a text for readers who cannot see the figure.

    Returns
    -------
    str
        The words with "Above" for "Left" and "On the left" at the head of a phrase, and "Below" for the other panel.
    """
    for side, row in (("left", "Above"), ("right", "Below")):
        words = re.sub(rf"\b{side.title()}(?=[:,])|\bOn the {side}\b(?=[:,])", row, words)
        words = re.sub(rf"\bOn the {side}\b", f"{row},", words)
    return words


def faults(fig: Figure) -> list[str]:
    """Say what in a figure as drawn is cut off, overlaps or is squeezed.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        The figure, drawn.

    Returns
    -------
    list of str
        One for each fault: words or legends beyond the edge, words upon words, a legend over more than a quarter of
        its axes, axes with a side below half an inch. Empty when all can be read.
    """
    fig.draw_without_rendering()  # a file of another resolution leaves other positions
    slack = SLACK * fig.dpi
    words = [(text.get_text(), text.get_window_extent()) for text in _drawn(fig)]
    page = fig.bbox.padded(slack)
    found = [f"{word!r} reaches beyond the edge" for word, box in words if not _within(box, page)]
    inner = [(word, box.padded(-slack)) for word, box in words]
    found += [f"{one!r} and {other!r} overlap" for (one, a), (other, b) in combinations(inner, 2) if a.overlaps(b)]
    for ax in fig.axes:
        if ax.get_label() != "<colorbar>" and min(ax.bbox.size) < SMALLEST * fig.dpi:
            found.append(f"axes of {ax.bbox.width / fig.dpi:.2g} by {ax.bbox.height / fig.dpi:.2g} inches")
    for legend, owner in _legends(fig):
        box = legend.get_window_extent()
        if not _within(box, page):
            found.append("a legend reaches beyond the edge")
        for covered in fig.axes if owner is None else [owner]:
            part = covered.bbox.intersection(covered.bbox, box)
            if part is not None and part.width * part.height > COVERED * covered.bbox.width * covered.bbox.height:
                found.append("a legend covers more than a quarter of its axes")
    return found


def _within(box: BboxBase, page: BboxBase) -> bool:
    return bool(box.x0 >= page.x0 and box.y0 >= page.y0 and box.x1 <= page.x1 and box.y1 <= page.y1)


def _legends(fig: Figure) -> list[tuple[Legend, Axes | None]]:
    """Return the legends of the axes and, with None, those of the figure."""
    own = [(legend, ax) for ax in fig.axes if (legend := ax.get_legend()) is not None]
    return [*own, *((legend, None) for legend in fig.legends)]


def _stack(fig: Figure) -> int:
    """Put panels that stand in one row below each other; return how many there are now in a column."""
    specs = [ax.get_subplotspec() for ax in fig.axes]
    grids = {spec.get_gridspec() for spec in specs if spec is not None}
    if None in specs or len(grids) != 1 or grids.pop().get_geometry() != (1, len(specs)):
        return 1
    grid = fig.add_gridspec(len(specs), 1)
    first = fig.axes[0]
    for row, ax in enumerate(fig.axes):
        ax.set_subplotspec(grid[row, 0])
        if ax is not first and first.get_shared_y_axes().joined(first, ax):  # only the first had numbers
            ax.tick_params(axis="y", labelleft=True)
            ax.set_ylabel(first.get_ylabel(), fontsize=first.yaxis.label.get_fontsize())
    return len(specs)


def _heighten(fig: Figure, by: float) -> None:
    width, height = fig.get_size_inches()
    fig.set_size_inches(width, height + by)


def _lacking(fig: Figure) -> float:
    """Return the inches of height without which names of rows, one at each tick, stand upon each other."""
    lacking = 0.0
    drawn = set(_drawn(fig))
    for ax in fig.axes:
        boxes = [label.get_window_extent() for label in ax.get_yticklabels() if label in drawn]
        middles = sorted((box.y0 + box.y1) / 2 for box in boxes)
        pitch = min((above - below for below, above in pairwise(middles)), default=ax.bbox.height)
        tallest = max((box.height for box in boxes), default=0.0)
        lacking += max(0.0, ax.bbox.height * (1.05 * tallest / pitch - 1)) / fig.dpi
    return lacking


def _shrink_marks(fig: Figure, ratio: float) -> None:
    """Make marks and dots smaller, as there is less room between them."""
    from matplotlib.collections import PathCollection

    for ax in fig.axes:
        for line in ax.lines:
            line.set_markersize(line.get_markersize() * ratio)
        for dots in ax.collections:
            if isinstance(dots, PathCollection):
                dots.set_sizes(dots.get_sizes() * ratio**2)


def _limits(fig: Figure) -> Iterator[tuple[Text, float]]:
    """Yield the titles and labels of a figure with the length, in pixels, that each should keep to."""
    for ax in fig.axes:
        yield ax.title, ax.bbox.width
        yield ax.xaxis.label, ax.bbox.width
        yield ax.yaxis.label, ax.bbox.height
    for text in fig.texts:
        yield text, fig.bbox.height if text.get_rotation() == 90 else fig.bbox.width


def _wrap(fig: Figure, full: dict[Text, str]) -> None:
    """Break titles and labels into lines; twice, as lines take room from the axes."""
    for _ in range(2):
        fig.draw_without_rendering()
        for text, limit in list(_limits(fig)):
            _break(text, full[text], limit)
    fig.draw_without_rendering()


def _break(text: Text, words: str, limit: float) -> None:
    """Give a text its words, in few lines no longer than the limit where that can be, and of like lengths."""
    lines = _lines(text, words, limit)
    alike = [_lines(text, words, share * limit) for share in (0.5, 0.6, 0.7, 0.8, 0.9) if len(lines) > 1]
    text.set_text("\n".join(next((shorter for shorter in alike if len(shorter) == len(lines)), lines)))


def _lines(text: Text, words: str, limit: float) -> list[str]:
    """Return words in lines as the text would show them; a word longer than the limit has a line to itself."""
    lines: list[str] = []
    for word in WORDS.findall(words):
        longer = f"{lines[-1]} {word}" if lines else word
        text.set_text(longer)
        if lines and _length(text) <= limit:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _length(text: Text) -> float:
    """Return the length of a text along its lines, in pixels."""
    box = text.get_window_extent()
    return float(box.height if text.get_rotation() == 90 else box.width)


def _take_legends(fig: Figure) -> list[tuple[Axes | None, Legend]]:
    """Remove all legends and return each with its axes, or None for one of the figure."""
    taken = [(ax, legend) for legend, ax in _legends(fig)]
    for _, legend in taken:
        legend.remove()
    return taken


def _below(fig: Figure, ax: Axes | None, old: Legend) -> Legend:
    """Draw a legend anew below its axes, or that of a figure at its top, in as many columns as its width holds."""
    from matplotlib.transforms import ScaledTranslation

    source = fig.axes if ax is None else [ax]
    named = {label: handle for each in source for handle, label in zip(*each.get_legend_handles_labels(), strict=True)}
    labels = [text.get_text() for text in old.get_texts()]
    handles = [named.get(label, key) for label, key in zip(labels, old.legend_handles, strict=True)]
    options: dict[str, Any] = {"handles": handles, "labels": labels}
    options |= {"title": old.get_title().get_text() or None, "fontsize": old.get_texts()[0].get_fontsize()}
    options |= {"title_fontsize": old.get_title().get_fontsize()}
    if ax is None:
        options |= {"loc": "outside upper center"}
    else:
        box = ax.get_tightbbox()
        bottom = (0.0 if box is None else box.y0 - ax.bbox.y0) / fig.dpi - GAP
        place = ax.transAxes + ScaledTranslation(0, bottom, fig.dpi_scale_trans)
        options |= {"loc": "upper center", "bbox_to_anchor": (0.5, 0), "bbox_transform": place, "borderaxespad": 0}
    width = (fig if ax is None else ax).bbox.width
    for rows in range(1, len(labels) + 1):
        new = (fig if ax is None else ax).legend(**options, ncols=-(-len(labels) // rows))
        if new.get_window_extent().width <= width or rows == len(labels):
            break
        new.remove()
    return new


def _drawn(fig: Figure) -> Iterator[Text]:
    """Yield the texts that are drawn; axes keep labels of ticks beyond their limits, which are not."""
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.text import Text

    hidden: set[Any] = set()
    for ax in fig.findobj(Axes):
        if isinstance(ax, Axes) and not ax.axison:
            hidden |= {*ax.xaxis.findobj(Text), *ax.yaxis.findobj(Text)}
    for axis in fig.findobj(Axis):
        if isinstance(axis, Axis):
            low, high = sorted(axis.get_view_interval())
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if not low <= tick.get_loc() <= high:
                    hidden |= {tick.label1, tick.label2}
    for text in fig.findobj(Text):
        if isinstance(text, Text) and text not in hidden and text.get_visible() and text.get_text().strip():
            yield text
