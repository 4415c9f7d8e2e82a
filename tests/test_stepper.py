"""The stepper: the same HTML for the same figures, all of it in the page, and every frame with its words."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from emlib import figures
from emlib.stepper import Stepper

LABELS = ["iteration 0", 'iteration 1: "<up>" & on']
ALTS = ["A dot at the left.", "A dot at the 'right' > 0."]


class Page(HTMLParser):
    """What a browser would find: the tags with their attributes, and the text under the frames."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.inside: list[str] = []
        self.captions: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag != "img":
            self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.inside and self.inside[-1] == "figcaption":
            self.captions.append(data)


def frames() -> list[Figure]:
    figures.style()
    drawn = []
    for k in range(2):
        figure = Figure(figsize=(2, 1))
        figure.subplots().plot([k], [0], "o")
        drawn.append(figure)
    return drawn


def stepper(**changes: Any) -> Stepper:
    given = {"frames": frames(), "labels": LABELS, "alts": ALTS, "title": "A run of <two>", **changes}
    return Stepper(given["frames"], given["labels"], given["alts"], title=given["title"])


def test_without_a_script_the_page_holds_every_frame_with_its_label_and_text() -> None:
    page = Page(stepper()._repr_html_())
    assert page.inside == []
    assert page.captions == LABELS
    assert [attributes["alt"] for tag, attributes in page.tags if tag == "img"] == ALTS
    root = dict(page.tags)["div"]
    assert root["class"] == "em-stepper"
    assert root["aria-label"] == "A run of <two>"
    assert not any("hidden" in attributes for _, attributes in page.tags)


def test_the_pictures_are_those_of_the_figures_up_to_the_palette() -> None:
    figure = frames()[1]
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=90)
    html = stepper()._repr_html_()
    second = base64.b64decode(re.findall(r"base64,([^\"]+)", html)[1])
    stored = matplotlib.image.imread(io.BytesIO(second))[..., :3]
    whole = matplotlib.image.imread(io.BytesIO(drawn.getvalue()))[..., :3]
    assert stored.shape == whole.shape
    assert np.abs(stored - whole).max() < 0.1
    assert len(second) < len(drawn.getvalue())


def test_the_same_figures_give_the_same_page_and_others_another() -> None:
    assert stepper()._repr_html_() == stepper()._repr_html_()
    assert stepper(frames=frames()[::-1])._repr_html_() != stepper()._repr_html_()


def test_nothing_is_asked_of_the_network_and_no_id_can_clash() -> None:
    html = stepper()._repr_html_()
    page = Page(html)
    assert [a["src"][:22] for _, a in page.tags if "src" in a] == ["data:image/png;base64,"] * 2
    assert not any({"id", "href"} & set(attributes) for _, attributes in page.tags)
    assert "//" not in re.sub(r"base64,[^\"]+", "", html)


def test_in_plain_text_it_says_what_it_would_show() -> None:
    assert repr(stepper(labels=["first", "last"], title="A run")) == (
        "Stepper of 2 frames, A run: from 'first' to 'last'"
    )


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"labels": ["one"]}, ValueError, "2 frames, 1 labels, 2 alts"),
        ({"frames": [], "labels": [], "alts": []}, ValueError, "at least two frames, got 0"),
        ({"alts": ["a dot", " "]}, ValueError, "alts: entry 1 is empty"),
        ({"title": ""}, ValueError, "title: entry 0 is empty"),
        ({"frames": ["a.png", "b.png"]}, TypeError, "frame 0 must be a matplotlib figure, got str"),
    ],
)
def test_what_cannot_be_shown_is_refused(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        stepper(**changes)
