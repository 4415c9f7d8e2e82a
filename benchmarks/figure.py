"""Draw benchmarks/results/speed.png and .svg from the numbers beside them, with a caption in speed.md.

Run it from the repository: ``.venv/bin/python -m benchmarks.figure``
"""

from __future__ import annotations

import json
from typing import Any

from benchmarks.machine import RESULTS

MARKERS = {"scikit-learn": "o", "pomegranate": "v", "mlpack": "s", "OpenCV": "^", "JAX": "D"}


def read(name: str) -> dict[str, Any]:
    """Return the results of one benchmark."""
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def parity(axes: Any) -> None:
    """Make the axis of ratios logarithmic and mark where both are as fast."""
    axes.set_xscale("log")
    axes.axvline(1, color="0.4", linewidth=0.8)
    axes.set_xlabel("their time / emlib's (left of the line emlib is slower)")


def iterations(axes: Any) -> None:
    """Draw the ratios of one EM iteration by shape and package."""
    shapes = read("gaussian_mixtures")["shapes"]
    for place, (name, marker) in enumerate(MARKERS.items()):
        points = [
            (peer["ratio"], row)
            for row, shape in enumerate(shapes)
            for peer in [shape if name == "scikit-learn" else shape["peers"].get(name)]
            if peer is not None
        ]
        if points:
            axes.plot(*zip(*points, strict=True), marker, color=f"C{place}", markersize=5, label=name)
    labels = ["{:,}, {}, {}".format(*shape["shape"]) for shape in shapes]
    axes.set_yticks(range(len(shapes)), labels)
    axes.invert_yaxis()
    axes.set_ylabel("rows, columns, components")
    axes.set_title("One EM iteration, one thread")
    parity(axes)
    axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))


def whole_ways(axes: Any) -> None:
    """Draw the ratios of whole fits, of the way to the maximum, and of Baum-Welch."""
    alike = [one for one in read("whole_fits")["fits"] if one["end"] == "same"]
    fits = {key: [one[key] for one in alike] for key in ("ratio", "ratio_k_means")}
    ways = [one["ratio"] for one in read("time_to_optimum")["runs"] if one["end"] == "same"]
    packages = [shape["packages"] for shape in read("hmm_iteration")["shapes"]]
    rows = {
        "whole fit /\nscikit-learn": fits["ratio"],
        "whole fit from k-means /\nscikit-learn": fits["ratio_k_means"],
        "to the maximum,\nquasi-Newton /\nscikit-learn": ways,
        "Baum-Welch iteration /\nhmmlearn": [one["hmmlearn"]["ratio"] for one in packages],
        "Baum-Welch iteration /\nhmmlearn, scaling": [one["hmmlearn scaling"]["ratio"] for one in packages],
    }
    for row, ratios in enumerate(rows.values()):
        axes.plot(ratios, [row] * len(ratios), "o", color=f"C{row}", markersize=5, alpha=0.7)
    axes.set_yticks(range(len(rows)), rows, fontsize="small")
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_title("Whole fits, the way to the maximum, Baum-Welch")
    parity(axes)


def growth(axes: Any) -> None:
    """Draw the time per row against the number of rows."""
    for place, (name, points) in enumerate(read("growth")["packages"].items()):
        rows, times = ([one[key] for one in points] for key in ("rows", "ns_per_row"))
        axes.loglog(rows, times, "o-", color=f"C{1 - place}", markersize=5, label=name)
    axes.set_ylim(bottom=1)
    axes.set_xlabel("rows (4 columns, 8 components)")
    axes.set_ylabel("ns a row and iteration")
    axes.set_title("Growth")
    axes.legend(fontsize="small")


DRAWN = ("gaussian_mixtures", "whole_fits", "time_to_optimum", "hmm_iteration", "growth")
"""The results that the figure shows, from top to bottom."""


def caption() -> str:
    """Return what the figure shows and under which conditions."""
    measured = read("gaussian_mixtures")
    loads = [read(name)["load"] for name in DRAWN]
    kernels = sorted({kernel for shape in measured["shapes"] for kernel in shape["kernels"]})
    return (
        "CPU time of emlib beside other packages, one thread, float64, full covariances. Top: one EM iteration of a"
        " Gaussian mixture from the same start; each point is the median of interleaved rounds. Middle: whole fits with"
        " their starts to the same log-likelihood, the time to within 1e-9 of the maximum on slow overlapping mixtures,"
        " and one Baum-Welch iteration; each point is one data set, runs that end in different maxima left out. Bottom:"
        f" time per row as the data grow. {measured['processor']}; OpenBLAS kernels {' and '.join(kernels)};"
        f" {measured['versions']}. The load of the machine was {loads[0]:.0f} for the top and up to {max(loads):.0f}"
        " for the rest, which CPU time feels little, but does feel."
    )


def main() -> None:
    """Draw, and write the pictures and the caption."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    from emlib import figures

    figures.style()
    fig, axes = pyplot.subplots(3, 1, figsize=(6.3, 8.6), height_ratios=[4, 3, 2.5])
    for draw, one in zip((iterations, whole_ways, growth), axes, strict=True):
        draw(one)
    content = figures.pictures(fig)
    for extension in ("svg", "png"):
        (RESULTS / f"speed.{extension}").write_bytes(content[extension])
    (RESULTS / "speed.md").write_text(f"![Ratios of CPU time](speed.png)\n\n{caption()}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
