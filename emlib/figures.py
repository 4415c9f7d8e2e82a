"""Figures for reports: reproducible files, the numbers behind them, and a manifest with captions.

A saved figure is five things: ``NAME.pdf``, ``NAME.svg`` and ``NAME.png``, the same bytes wherever the same
matplotlib draws the same numbers; ``NAME.json``, the numbers; and an entry in ``manifest.json`` with the caption,
the text for readers who cannot see the picture, the size, and the hash of each file. Matplotlib is imported when
first used.

With ``EMLIB_FIGURES=check`` in the environment nothing is written: :func:`save` draws as ever and raises if one byte
differs from what the manifest holds. The tests run the notebooks so.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from emlib._types import FloatArray

__all__ = ["Problem", "blend", "check", "diverted", "ellipse", "rounded", "save", "style"]

MANIFEST = "manifest.json"
NAME = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*")
MODE = "EMLIB_FIGURES"  # environment variable: unset or empty to write, "check" to compare
FONT_SIZE = 9.0  # points
SIGNIFICANT_DIGITS = 6  # the last bits of a float64 depend on the processor; six digits do not

# What a writer would stamp on a file: the time, the versions of programs.
UNSTAMPED: dict[str, dict[str, None]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}

# Okabe and Ito's palette, told apart by colour-blind readers; yellow is left out, too pale for a line on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def style() -> None:
    """Set matplotlib's parameters to the style of the house; call it once, before drawing.

    Starts from matplotlib's own defaults, so that a matplotlibrc of the machine plays no part. A figure is as wide as
    the text of an A4 report (6.3 inches) unless its ``figsize`` says otherwise.
    """
    import matplotlib
    from cycler import cycler

    matplotlib.rcdefaults()
    matplotlib.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=COLOURS),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "figure.constrained_layout.use": True,
            "figure.dpi": 100,
            "figure.figsize": (6.3, 3.9),
            "font.family": "DejaVu Sans",  # comes with matplotlib, as does its mathematics
            "font.size": FONT_SIZE,
            "image.cmap": "cividis",
            "legend.edgecolor": "none",
            "lines.linewidth": 1.5,
            "mathtext.fontset": "dejavusans",
            "pdf.fonttype": 42,  # TrueType: text in the PDF stays text, and journals accept it
            "savefig.dpi": 200,
            "svg.hashsalt": "emlib",
        }
    )


def blend(first: str, second: str) -> LinearSegmentedColormap:
    """Return a colour map that runs from one colour to another.

    Parameters
    ----------
    first, second : str
        Colours as matplotlib names them, the colours ``C0``, ``C1``, ... of the cycle included.

    Returns
    -------
    matplotlib.colors.LinearSegmentedColormap
        Maps 0 to the first and 1 to the second colour.
    """
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    return LinearSegmentedColormap.from_list(f"{first}-{second}", [to_rgb(first), to_rgb(second)])


def rounded(**arrays: ArrayLike) -> dict[str, NDArray[Any]]:
    """Return arrays rounded to six significant digits: draw these and save these.

    The last bits of a result depend on the processor and its libraries, and a vector file shows them. A figure that is
    drawn from rounded numbers comes out the same everywhere, and its stored data are exactly what it shows.

    Parameters
    ----------
    **arrays : array_like
        Numbers of any shape, by name.

    Returns
    -------
    dict of str to ndarray
        The arrays in their shapes, for the ``data`` of :func:`save`.
    """
    return {name: np.array(_rounded(np.asarray(array))) for name, array in arrays.items()}


def ellipse(mean: ArrayLike, covariance: ArrayLike, probability: float = 0.95) -> FloatArray:
    """Return the outline of the ellipse that holds a given share of a Gaussian in the plane.

    Parameters
    ----------
    mean : array_like of shape (2,)
        Centre.
    covariance : array_like of shape (2, 2)
        Positive definite.
    probability : float
        The share inside, between 0 and 1.

    Returns
    -------
    ndarray of shape (2, 181)
        Coordinates of a closed line, rounded to six significant digits, ready for ``ax.plot(*ellipse(...))``.

    Raises
    ------
    ValueError
        If the probability is not between 0 and 1 or the shapes are not those of the plane.
    """
    center, matrix = np.asarray(mean, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    if not 0 < probability < 1:
        raise ValueError(f"probability must be between 0 and 1, got {probability}")
    if center.shape != (2,) or matrix.shape != (2, 2):
        raise ValueError(f"mean and covariance must have shapes (2,) and (2, 2), got {center.shape} and {matrix.shape}")
    angle = np.linspace(0, 2 * np.pi, 181)
    radius = np.sqrt(-2 * np.log1p(-probability))  # the squared distance is exponential with mean 2 in the plane
    circle = radius * np.array([np.cos(angle), np.sin(angle)])
    return np.array(_rounded(center[:, None] + np.linalg.cholesky(matrix) @ circle))


def save(
    fig: Figure,
    name: str,
    *,
    data: Mapping[str, ArrayLike],
    caption: str,
    alt: str,
    folder: str | Path | None = None,
) -> None:
    """Write a figure as PDF, SVG and PNG, the numbers behind it as JSON, and its entry in the manifest.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        The figure, drawn after a call of :func:`style`.
    name : str
        Name of the files: lower-case letters and digits, words joined by ``_`` or ``-``.
    data : mapping of str to array_like
        The numbers behind the figure, each array of any shape; written with six significant digits.
    caption : str
        What stands under the figure in a report.
    alt : str
        What the picture shows, for a reader who cannot see it.
    folder : str or pathlib.Path, optional
        Where to write. By default the ``figures`` folder of the repository around the working directory (the nearest
        parent that holds both pyproject.toml and figures/), else ``figures`` in the working directory.

    Raises
    ------
    TypeError
        If `fig` is no matplotlib figure, or `data` no mapping.
    ValueError
        If the name is not of the form above, the caption or the text is empty, there is no data, an array is empty or
        holds what is not a finite real number, or the manifest in the folder cannot be read; and, when the environment
        says ``EMLIB_FIGURES=check``, if the figure is not the one of the manifest.
    """
    from matplotlib.figure import Figure

    if not isinstance(fig, Figure):
        raise TypeError(
            f"fig must be a matplotlib figure, got {type(fig).__name__} (an Axes has its figure as ax.figure)"
        )
    if not NAME.fullmatch(name) or f"{name}.json" == MANIFEST:
        raise ValueError(
            f"name must be lower-case letters and digits in words joined by _ or -, and not 'manifest', got {name!r}"
        )
    for field, text in (("caption", caption), ("alt", alt)):
        if not text.strip():
            raise ValueError(f"figure {name!r}: {field} is empty; say in words what the figure shows")
    numbers = _numbers(name, data)
    if _receiver is not None:
        _receiver(fig, name)
        return
    files = {"json": numbers, **pictures(fig)}
    hashes = {extension: _sha256(content) for extension, content in files.items()}
    entry = {
        "alt": alt.strip(),
        "caption": caption.strip(),
        "data_sha256": hashes.pop("json"),
        "files": hashes,
        "size_inches": [round(float(side), 4) for side in fig.get_size_inches()],
    }

    folder = default_folder() if folder is None else Path(folder)
    mode = os.environ.get(MODE, "")
    if mode not in ("", "check"):
        raise ValueError(f"the environment variable {MODE} must be empty or 'check', got {mode!r}")
    manifest = read_manifest(folder)
    stored = manifest.get(name, {})
    if mode == "check":
        _compare(name, entry, stored)
        return
    folder.mkdir(parents=True, exist_ok=True)
    for extension, content in files.items():
        (folder / f"{name}.{extension}").write_bytes(content)
    # Where the figure comes from is not known here; `python -m emlib figures` writes it.
    manifest[name] = entry | {key: stored[key] for key in ("source",) if key in stored}
    write_manifest(folder, manifest)


@contextmanager
def diverted(receiver: Callable[[Figure, str], None]) -> Iterator[None]:
    """Hand the figures that :func:`save` is given to a function; nothing is written.

    Parameters
    ----------
    receiver : callable
        Called with the figure and its name.

    Yields
    ------
    None
        For the time of the ``with`` block.
    """
    global _receiver
    before, _receiver = _receiver, receiver
    try:
        yield
    finally:
        _receiver = before


_receiver: Callable[[Figure, str], None] | None = None


class Problem(NamedTuple):
    """One thing wrong in a folder of figures.

    Attributes
    ----------
    name : str
        Name of the figure, or of a file that belongs to none.
    text : str
        What is wrong and what to do.
    """

    name: str
    text: str


def check(folder: str | Path) -> list[Problem]:
    """Hold the files of a folder against its manifest.

    Parameters
    ----------
    folder : str or pathlib.Path
        A folder that :func:`save` wrote to.

    Returns
    -------
    list of Problem
        In the order of the names; empty when every file is there, has the hash of its entry, and belongs to a figure.

    Raises
    ------
    ValueError
        If there is no manifest in the folder, or it cannot be read.
    """
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        raise ValueError(f"there is no {MANIFEST} in {folder}; `make notebooks` draws the figures and writes it")
    manifest = read_manifest(folder)
    known = {MANIFEST} | {f"{name}.{extension}" for name in manifest for extension in ("json", *UNSTAMPED)}
    problems = [problem for name, entry in manifest.items() for problem in _check_figure(folder, name, entry)]
    strays = sorted(path.name for path in folder.iterdir() if path.name not in known)
    problems += [Problem(stray, "belongs to no figure of the manifest; remove it") for stray in strays]
    return sorted(problems)


def _numbers(name: str, data: Mapping[str, ArrayLike]) -> bytes:
    """Return the data as JSON, one line an array, refusing what is no finite real number."""
    if not isinstance(data, Mapping):
        raise TypeError(f"figure {name!r}: data must map names to arrays, got {type(data).__name__}")
    if not data:
        raise ValueError(f"figure {name!r}: data is empty; give the numbers behind the figure")
    lines = []
    for key in sorted(data):
        array = np.asarray(data[key])
        if array.size == 0 or array.dtype.kind not in "biuf":
            raise ValueError(
                f"figure {name!r}: data[{key!r}] must be real numbers, at least one, "
                f"got shape {array.shape} of {array.dtype}"
            )
        if not np.isfinite(array).all():
            first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise ValueError(f"figure {name!r}: data[{key!r}] is not finite at {first}: {array[first]}")
        lines.append(f"{json.dumps(key)}: {json.dumps(_rounded(array))}")
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _rounded(array: np.ndarray[Any, Any]) -> Any:
    """Return nested lists of the numbers to six significant digits; integers stay whole."""
    if array.dtype.kind != "f":
        return array.tolist()
    # Adding 0.0 turns -0.0 into 0.0.
    rounded = [float(f"{value:.{SIGNIFICANT_DIGITS - 1}e}") + 0.0 for value in array.ravel()]
    return np.array(rounded).reshape(array.shape).tolist()


def _compare(name: str, drawn: dict[str, Any], stored: dict[str, Any]) -> None:
    """Raise if a figure was drawn otherwise than the manifest says."""
    if not stored:
        raise ValueError(f"figure {name!r} is not in {MANIFEST}; `make notebooks` writes it")
    different = [key for key in drawn if key != "files" and drawn[key] != stored.get(key)]
    kept = stored.get("files", {})
    different += [extension for extension, sha256 in drawn["files"].items() if sha256 != kept.get(extension)]
    if different:
        raise ValueError(
            f"figure {name!r} was drawn otherwise than {MANIFEST} says: {', '.join(different)} differ; "
            "after `make notebooks`, look at what changed in figures/"
        )


def pictures(fig: Figure) -> dict[str, bytes]:
    """Return a figure in each format, without a stamp of time or program.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        The figure.

    Returns
    -------
    dict of str to bytes
        The contents of the files by extension; fonts are in the PDF as TrueType.
    """
    import matplotlib

    contents = {}
    with matplotlib.rc_context():
        style()
        for extension, metadata in UNSTAMPED.items():
            buffer = io.BytesIO()
            fig.savefig(buffer, format=extension, metadata=metadata)
            contents[extension] = buffer.getvalue()
    return contents


def default_folder() -> Path:
    """Return the figures folder of the repository around the working directory, else one inside it.

    Returns
    -------
    pathlib.Path
        The folder, which need not exist.
    """
    here = Path.cwd()
    for parent in (here, *here.parents):
        if (parent / "pyproject.toml").is_file() and (parent / "figures").is_dir():
            return parent / "figures"
    return here / "figures"


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder.

    Parameters
    ----------
    folder : pathlib.Path
        A folder of figures.

    Returns
    -------
    dict
        From names to entries; empty if there is no manifest.

    Raises
    ------
    ValueError
        If it cannot be read.
    """
    path = folder / MANIFEST
    if not path.exists():
        return {}
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}); remove it and run `make notebooks`") from error
    if not isinstance(manifest, dict) or not all(isinstance(entry, dict) for entry in manifest.values()):
        raise ValueError(f"{path} must map each figure's name to its entry; remove it and run `make notebooks`")
    return manifest


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest of a folder, in the order of the names.

    Parameters
    ----------
    folder : pathlib.Path
        A folder of figures.
    manifest : dict
        From names to entries.
    """
    text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def _check_figure(folder: Path, name: str, entry: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with one figure."""
    problems = [
        Problem(name, f"the manifest has no {field}; run `make notebooks`")
        for field in ("caption", "alt", "size_inches")
        if not entry.get(field)
    ]
    hashes = {"json": entry.get("data_sha256")}
    hashes |= {extension: entry.get("files", {}).get(extension) for extension in UNSTAMPED}
    for extension, expected in hashes.items():
        path = folder / f"{name}.{extension}"
        if not path.is_file():
            problems.append(Problem(name, f"{path.name} is missing; run `make notebooks`"))
        elif _sha256(path.read_bytes()) != expected:
            problems.append(Problem(name, f"{path.name} is not the file of the manifest; run `make notebooks`"))
    return problems


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
