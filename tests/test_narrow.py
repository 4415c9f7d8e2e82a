"""Large letters in a narrow figure: panels stack, legends and words make way, and what cannot be read is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from emlib import figures
from emlib.narrow import faults, in_rows, make_room


@pytest.fixture(autouse=True)
def house_style() -> Iterator[None]:
    with mpl.rc_context():
        mpl.use("agg")
        figures.style()
        yield
        plt.close("all")


def legend_box(fig: Figure, ax: Any) -> Any:
    fig.draw_without_rendering()
    return ax.get_legend().get_window_extent()


def test_panels_in_a_row_are_stacked_with_their_numbers_and_label() -> None:
    fig, (left, right) = plt.subplots(1, 2, figsize=(3, 1.5), sharey=True)
    left.set(ylabel="height", xlim=(0, 1))
    assert make_room(fig, 2.0)
    fig.draw_without_rendering()
    assert right.bbox.y1 < left.bbox.y0
    assert right.bbox.width == pytest.approx(left.bbox.width, rel=0.02)
    assert right.get_ylabel() == "height"
    assert all(label.get_visible() for label in right.get_yticklabels())
    assert faults(fig) == []


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (2, 2)])
def test_other_grids_stay_as_they_are(shape: tuple[int, int]) -> None:
    fig, axes = plt.subplots(*shape, figsize=(4, 3), squeeze=False)
    assert not make_room(fig, 2.0)
    assert [ax.get_subplotspec().get_geometry()[:2] for ax in axes.flat] == [shape] * axes.size
    fig, _ = plt.subplots(1, 2, figsize=(4, 2))
    assert not make_room(fig, 1.3), "a little growth leaves panels side by side"
    fig, ax = plt.subplots(figsize=(3, 3))
    fig.colorbar(ax.imshow([[1, 2]]))
    assert not make_room(fig, 2.0)


def test_a_legend_over_its_axes_goes_below_and_the_axes_keep_their_height() -> None:
    fig, ax = plt.subplots(figsize=(3, 1.8))
    for name in ("a first line", "a second line", "a third line", "a fourth line"):
        ax.plot([0, 1], label=name)
    ax.set_xlabel("place")
    ax.legend(title="lines")
    fig.draw_without_rendering()
    before = ax.bbox.height
    assert "a legend covers more than a quarter of its axes" in faults(fig)
    make_room(fig, 1.4)
    box = legend_box(fig, ax)
    assert box.y1 <= ax.xaxis.label.get_window_extent().y0
    assert ax.bbox.height >= before
    assert [text.get_text() for text in ax.get_legend().get_texts()][3] == "a fourth line"
    assert ax.get_legend().get_title().get_text() == "lines"
    assert faults(fig) == []


def test_a_legend_of_the_figure_takes_fewer_columns() -> None:
    fig, ax = plt.subplots(figsize=(2.5, 2))
    for name in ("a first line", "a second line", "a third line"):
        ax.plot([0, 1], label=name)
    fig.legend(loc="outside upper center", ncols=3)
    assert "a legend reaches beyond the edge" in faults(fig)
    make_room(fig, 1.4)
    assert faults(fig) == []


def test_a_legend_of_its_own_handles_keeps_them() -> None:
    fig, ax = plt.subplots(figsize=(3, 2))
    [line] = ax.plot([0, 1], color="C3")
    ax.legend([line], ["named here"])
    make_room(fig, 1.4)
    legend = ax.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["named here"]
    assert [key.get_color() for key in legend.legend_handles] == ["C3"]


def test_long_words_are_broken_between_words_but_not_in_formulas() -> None:
    fig, ax = plt.subplots(figsize=(2.5, 1.5))
    ax.set_ylabel("how long the next $y = 1$ will be, in minutes")
    assert any("beyond the edge" in fault for fault in faults(fig))
    make_room(fig, 1.4)
    label = ax.get_ylabel()
    assert "$y = 1$" in label
    assert "\n" in label
    assert label.replace("\n", " ") == "how long the next $y = 1$ will be, in minutes"
    assert faults(fig) == []


def test_names_of_rows_get_the_height_they_need() -> None:
    fig, ax = plt.subplots(figsize=(3, 2))
    ax.barh([f"row {k}" for k in range(24)], range(24))
    assert "'row 0' and 'row 1' overlap" in faults(fig)
    make_room(fig, 1.25)
    assert faults(fig) == []


def test_axes_of_a_fixed_shape_leave_no_empty_band() -> None:
    fig, ax = plt.subplots(figsize=(2, 2.5))
    ax.set(aspect="equal", xlim=(0, 1), ylim=(0, 1))
    make_room(fig, 1.8)
    fig.draw_without_rendering()
    assert fig.get_size_inches()[1] - fig.get_tightbbox().height < 0.3


def test_marks_shrink_and_ticks_do_not() -> None:
    fig, ax = plt.subplots()
    [line] = ax.plot([0, 1], "o", markersize=6)
    dots = ax.scatter([0, 1], [0, 1], s=36)
    make_room(fig, 4.0)
    assert line.get_markersize() == pytest.approx(3)
    assert dots.get_sizes() == pytest.approx([9])
    assert ax.xaxis.get_major_ticks()[0].tick1line.get_markersize() == mpl.rcParams["xtick.major.size"]


def test_what_is_not_drawn_is_no_fault() -> None:
    fig, ax = plt.subplots(figsize=(2, 2))
    ax.set_xticks(range(50), ["a long name"] * 50)  # all at one place, and out of view or hidden
    ax.set_xlim(-2, -1)
    assert faults(fig) == []
    ax.set_xlim(0, 50)
    assert faults(fig) != []
    ax.set_axis_off()
    assert faults(fig) == []


def test_squeezed_axes_are_a_fault() -> None:
    fig, _ = plt.subplots(figsize=(0.8, 2))
    assert faults(fig)[0].startswith("axes of 0.")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Left: a. Right, b.", "Above: a. Below, b."),
        ("On the left the rate falls. On the right, it rises.", "Above, the rate falls. Below, it rises."),
        ("The left cloud is at a right angle.", "The left cloud is at a right angle."),
    ],
)
def test_words_for_stacked_panels(words: str, expected: str) -> None:
    assert in_rows(words) == expected
