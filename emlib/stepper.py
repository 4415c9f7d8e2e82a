"""A run of EM to step through: pictures of its iterates with a slider, in JupyterLab and in a static page.

The HTML holds every picture with its text. Where no script runs (GitHub, a notebook that is not trusted) they stand
side by side as a strip; the script shows one at a time and adds a slider and a play button. It asks nothing of the
network, has no ids, so that any number of steppers share a page, and is the same text for the same pictures.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Stepper"]

DOTS_PER_INCH = 90  # small files: a stepper holds a picture for each frame
COLOURS = 64  # of the palette of a frame

STYLE = """
.em-stepper { display: flex; flex-wrap: wrap; gap: 0.5em 1em; margin: 0.5em 0; }
.em-stepper figure { margin: 0; max-width: 100%; }
.em-stepper img { max-width: 100%; height: auto; background: #fff; }
.em-stepper figcaption { font-size: 0.9em; }
.em-stepper.em-ready { display: block; max-width: 45em; }
.em-stepper.em-ready figcaption, .em-stepper [hidden] { display: none; }
.em-controls { display: flex; align-items: center; gap: 0.75em; }
.em-controls button { min-width: 5em; padding: 0.3em 0.6em; font: inherit; }
.em-controls input { flex: 1; min-width: 8em; }
.em-stepper output { display: block; margin: 0.25em 0; font-variant-numeric: tabular-nums; }
"""

# While it plays, a screen reader is not told each frame: it would never come to the end of one. The keys are handled
# here because JupyterLab cancels what an arrow key does to a slider.
SCRIPT = """
for (const root of document.querySelectorAll(".em-stepper:not(.em-ready)")) {
  const frames = [...root.querySelectorAll("figure")];
  const make = (name, properties) => Object.assign(document.createElement(name), properties);
  const button = make("button", {type: "button", textContent: "Play"});
  const slider = make("input", {type: "range", min: 0, max: frames.length - 1, step: 1, value: 0});
  slider.setAttribute("aria-label", root.getAttribute("aria-label"));
  const text = document.createElement("output");
  const controls = make("div", {className: "em-controls"});
  let timer = null;
  const show = (k) => {
    frames.forEach((frame, j) => { frame.hidden = j !== k; });
    slider.value = k;
    slider.setAttribute("aria-valuetext", `${k + 1} of ${frames.length}`);
    text.textContent = frames[k].querySelector("figcaption").textContent;
  };
  const stop = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
    text.setAttribute("aria-live", "polite");
  };
  const advance = () => {
    const k = Number(slider.value) + 1;
    if (k === frames.length - 1) stop();
    show(k);
  };
  const toggle = () => {
    if (timer !== null) { stop(); return; }
    text.setAttribute("aria-live", "off");
    button.textContent = "Pause";
    if (Number(slider.value) === frames.length - 1) show(0);
    timer = setInterval(advance, 700);
  };
  button.addEventListener("click", toggle);
  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  slider.addEventListener("keydown", (event) => {
    const k = Number(slider.value), last = frames.length - 1;
    const back = Math.max(k - 1, 0), on = Math.min(k + 1, last);
    const to = {ArrowLeft: back, ArrowDown: back, ArrowRight: on, ArrowUp: on, Home: 0, End: last}[event.key];
    if (event.key === " ") toggle();
    else if (to !== undefined) { stop(); show(to); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  frames.forEach((frame) => { frame.querySelector("img").removeAttribute("width"); });
  controls.append(button, slider);
  root.prepend(controls, text);
  root.classList.add("em-ready");
  stop();
  show(0);
}
"""


class Stepper:
    """Pictures of a run, one after the other, with a slider; a strip of all where no script runs.

    Arrow keys, Home and End move the slider, the space bar starts and stops. A screen reader hears the label of each
    frame, and its text in place of the picture.

    Parameters
    ----------
    frames : sequence of matplotlib.figure.Figure
        One figure a frame, drawn after a call of :func:`emlib.figures.style`. Made by ``Figure()``, not by pyplot,
        which would show each of them besides.
    labels : sequence of str
        What stands under each frame, with its numbers: ``"iteration 3: log-likelihood -1287.4 nats"``.
    alts : sequence of str
        What each frame shows, for a reader who cannot see it.
    title : str
        What is stepped through; the name of the slider.

    Raises
    ------
    TypeError
        If a frame is no matplotlib figure.
    ValueError
        If there are fewer than two frames, the three sequences differ in length, or a text is empty.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from emlib import figures
    >>> figures.style()
    >>> frames = [Figure(figsize=(2, 1)) for _ in range(2)]
    >>> Stepper(frames, ["step 0", "step 1"], ["Nothing.", "Nothing yet."], title="An empty run")
    Stepper of 2 frames, An empty run: from 'step 0' to 'step 1'
    """

    def __init__(self, frames: Sequence[Figure], labels: Sequence[str], alts: Sequence[str], *, title: str) -> None:
        if not len(frames) == len(labels) == len(alts):
            raise ValueError(
                f"each frame has a label and a text: got {len(frames)} frames, {len(labels)} labels, {len(alts)} alts"
            )
        if len(frames) < 2:
            raise ValueError(f"a stepper needs at least two frames, got {len(frames)}; show a single figure as it is")
        for name, texts in (("title", [title]), ("labels", labels), ("alts", alts)):
            for k, text in enumerate(texts):
                if not text.strip():
                    raise ValueError(f"{name}: entry {k} is empty; say in words what the frame shows")
        self.pictures = [_png(frame, k) for k, frame in enumerate(frames)]
        self.labels, self.alts, self.title = list(labels), list(alts), title

    def __repr__(self) -> str:
        """Return one line of plain text."""
        return f"Stepper of {len(self.labels)} frames, {self.title}: from {self.labels[0]!r} to {self.labels[-1]!r}"

    def _repr_html_(self) -> str:
        frames = "\n".join(map(_figure, self.pictures, self.labels, self.alts))
        # The attribute keeps JupyterLab's own shortcuts away from the keys.
        name = f'role="group" aria-label="{escape(self.title)}"'
        return (
            f'<div class="em-stepper" {name} data-lm-suppress-shortcuts="true">\n'
            f"{frames}\n</div>\n<style>{STYLE}</style>\n<script>{SCRIPT}</script>"
        )


def _figure(picture: bytes, label: str, alt: str) -> str:
    """Return one frame as HTML; its width is that of the strip."""
    data = base64.b64encode(picture).decode("ascii")
    return (
        f'<figure><img width="260" alt="{escape(alt)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(label)}</figcaption></figure>"
    )


def _png(figure: Figure, number: int) -> bytes:
    """Return a figure as a PNG file with a palette, a third of the size of one with all colours."""
    from matplotlib.figure import Figure
    from PIL import Image  # matplotlib writes its own PNG files with it

    if not isinstance(figure, Figure):
        raise TypeError(f"frame {number} must be a matplotlib figure, got {type(figure).__name__}")
    drawn, packed = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DOTS_PER_INCH)
    with Image.open(drawn) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(packed, format="png", optimize=True)
    return packed.getvalue()
