"""A figure is its pictures, its numbers and its words, byte for byte; anything less is refused or reported."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.stats import chi2

from emlib import figures
from emlib.__main__ import main

ROOT = Path(__file__).parents[1]
WORDS: dict[str, Any] = {"caption": "A line.", "alt": "A straight line that rises."}
EXTENSIONS = ("json", "pdf", "png", "svg")

DRAW = """
import sys
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
from emlib import figures
figures.style()
fig, ax = plt.subplots()
ax.plot([0, 1, 2], [1.0, 4.0, 9.0], "o-", label=r"$\\alpha_k = \\frac{1}{N}\\sum_i p_{ik}$")
ax.fill_between([0, 1, 2], [1.0, 4.0, 9.0], alpha=0.2)
ax.legend()
figures.save(fig, "line", data={"y": [1.0, 4.0, 9.0]}, caption="A line.", alt="It rises.", folder=sys.argv[1])
"""


def line() -> Figure:
    figure = Figure()
    figure.subplots().plot([0, 1], [0, 1])
    return figure


@pytest.fixture
def fig() -> Figure:
    return line()


@pytest.fixture
def saved(fig: Figure, tmp_path: Path) -> Path:
    """Return a folder with the figures ``first`` and ``second``."""
    for name in ("second", "first"):
        figures.save(fig, name, data={"y": [0.0, 1.0]}, folder=tmp_path, **WORDS)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_bytes_in_every_process_whatever_the_machine_prefers(tmp_path: Path) -> None:
    results = []
    for seed, preference in (("1", ""), ("2", "font.size: 20\nsvg.fonttype: none\nsavefig.dpi: 30\n")):
        home = tmp_path / seed
        home.mkdir()
        (home / "matplotlibrc").write_text(preference)
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "MPLCONFIGDIR": str(home), "PATH": ""}
        subprocess.run([sys.executable, "-c", DRAW, "out"], cwd=home, env=environment, check=True)
        results.append(contents(home / "out"))
    assert set(results[0]) == {"manifest.json", *(f"line.{extension}" for extension in EXTENSIONS)}
    assert results[0] == results[1]


def test_pictures_carry_no_time_and_no_program(saved: Path) -> None:
    for extension in ("pdf", "png", "svg"):
        content = (saved / f"first.{extension}").read_bytes()
        assert not [word for word in (b"Date", b"Creator", b"Producer", b"Software") if word + b"(" in content]
        assert b"matplotlib.org" not in content


def test_the_manifest_holds_words_and_hashes_in_the_order_of_names(saved: Path) -> None:
    manifest = json.loads((saved / "manifest.json").read_text())
    assert list(manifest) == ["first", "second"]
    entry = manifest["first"]
    assert entry["caption"] == WORDS["caption"]
    assert entry["alt"] == WORDS["alt"]
    assert entry["data_sha256"] == hashlib.sha256((saved / "first.json").read_bytes()).hexdigest()
    for extension in ("pdf", "png", "svg"):
        assert entry["files"][extension] == hashlib.sha256((saved / f"first.{extension}").read_bytes()).hexdigest()


def test_numbers_are_kept_to_six_digits_and_integers_whole(fig: Figure, tmp_path: Path) -> None:
    data = {"x": np.array([[1 / 3, -0.0], [1e-9 / 7, 123456789.0]]), "n": [123456789, 2], "on": True, "one": 2.5}
    figures.save(fig, "numbers", data=data, folder=tmp_path, **WORDS)
    stored = json.loads((tmp_path / "numbers.json").read_text())
    assert stored == {"x": [[0.333333, 0.0], [1.42857e-10, 123457000.0]], "n": [123456789, 2], "on": True, "one": 2.5}
    assert "-0.0" not in (tmp_path / "numbers.json").read_text()


def test_the_last_bits_of_numbers_change_nothing_and_the_sixth_digit_does(tmp_path: Path) -> None:
    third = 1 / 3
    files = []
    for value in (third, np.nextafter(third, 1), third + 1e-6):
        figures.save(line(), "third", data={"x": [value]}, folder=tmp_path, **WORDS)
        files.append(contents(tmp_path))
    assert files[0] == files[1]
    assert files[0]["third.json"] != files[2]["third.json"]
    assert files[0]["manifest.json"] != files[2]["manifest.json"]


def test_style_starts_from_the_defaults_and_needs_no_font_of_the_machine() -> None:
    with mpl.rc_context({"lines.linestyle": ":", "font.family": "serif"}):
        figures.style()
        assert mpl.rcParams["lines.linestyle"] == "-"
        assert mpl.rcParams["font.family"] == ["DejaVu Sans"]
        assert [entry["color"] for entry in mpl.rcParams["axes.prop_cycle"]] == list(figures.COLOURS)


def test_save_leaves_the_parameters_as_they_were(fig: Figure, tmp_path: Path) -> None:
    with mpl.rc_context({"font.size": 31.0}):
        figures.save(fig, "line", data={"y": [1]}, folder=tmp_path, **WORDS)
        assert mpl.rcParams["font.size"] == 31.0


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"name": "With Space"}, ValueError, "lower-case letters and digits"),
        ({"name": "../up"}, ValueError, "lower-case letters and digits"),
        ({"name": ""}, ValueError, "lower-case letters and digits"),
        ({"name": "manifest"}, ValueError, "not 'manifest'"),
        ({"caption": "  "}, ValueError, "'line': caption is empty"),
        ({"alt": ""}, ValueError, "'line': alt is empty"),
        ({"data": {}}, ValueError, "'line': data is empty"),
        ({"data": [1.0]}, TypeError, "'line': data must map names to arrays, got list"),
        ({"data": {"y": []}}, ValueError, r"data\['y'\] must be real numbers, at least one"),
        ({"data": {"y": ["a"]}}, ValueError, r"data\['y'\] must be real numbers"),
        ({"data": {"y": [1j]}}, ValueError, r"data\['y'\] must be real numbers"),
        ({"data": {"y": [[0.0, 1.0], [2.0, np.nan]]}}, ValueError, r"data\['y'\] is not finite at \(1, 1\): nan"),
        ({"data": {"y": [np.inf]}}, ValueError, r"not finite at \(0,\): inf"),
        ({"fig": "a picture"}, TypeError, "fig must be a matplotlib figure, got str"),
    ],
)
def test_what_would_make_a_poor_figure_is_refused_and_nothing_written(
    change: dict[str, Any], error: type[Exception], message: str, fig: Figure, tmp_path: Path
) -> None:
    arguments: dict[str, Any] = {"fig": fig, "name": "line", "data": {"y": [0.0]}, **WORDS, **change}
    with pytest.raises(error, match=message):
        figures.save(arguments.pop("fig"), arguments.pop("name"), folder=tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "message"), [("{", "not valid JSON"), ("[]", "must map"), ('{"a": 1}', "must map")]
)
def test_a_broken_manifest_is_named(content: str, message: str, fig: Figure, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        figures.save(fig, "line", data={"y": [0.0]}, folder=tmp_path, **WORDS)
    assert main(["figures", str(tmp_path)]) == 1


def test_the_default_folder_is_that_of_the_repository(
    fig: Figure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(notebooks)
    figures.save(fig, "line", data={"y": [0.0]}, **WORDS)
    assert (notebooks / "figures" / "line.png").is_file()
    (tmp_path / "figures").mkdir()
    figures.save(fig, "line", data={"y": [0.0]}, **WORDS)
    assert (tmp_path / "figures" / "line.png").is_file()


def test_check_finds_nothing_wrong_in_what_was_saved(saved: Path) -> None:
    assert figures.check(saved) == []


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_check_reports_a_changed_or_missing_file(extension: str, saved: Path) -> None:
    path = saved / f"second.{extension}"
    path.write_bytes(path.read_bytes() + b" ")
    [problem] = figures.check(saved)
    assert problem.name == "second"
    assert f"second.{extension} is not the file of the manifest" in problem.text
    path.unlink()
    [problem] = figures.check(saved)
    assert f"second.{extension} is missing" in problem.text


def test_check_reports_strays_and_missing_words(saved: Path) -> None:
    (saved / "third.png").touch()
    manifest = json.loads((saved / "manifest.json").read_text())
    manifest["first"]["alt"] = ""
    (saved / "manifest.json").write_text(json.dumps(manifest))
    no_alt, stray = figures.check(saved)
    assert (no_alt.name, stray.name) == ("first", "third.png")
    assert "has no alt" in no_alt.text
    assert "belongs to no figure" in stray.text


def test_check_without_a_manifest_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no manifest\.json"):
        figures.check(tmp_path)


def test_the_command_prints_each_figure_and_fails_on_a_problem(
    saved: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["figures", str(saved)]) == 0
    assert (
        capsys.readouterr().out == "ok: first: A line.\nok: second: A line.\nfigures in the manifest: 2, problems: 0\n"
    )
    (saved / "first.pdf").unlink()
    assert main(["figures", str(saved)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:1] == ["ok: second: A line."]
    assert lines[1].startswith("problem: first: first.pdf is missing")

    monkeypatch.chdir(saved.parent)
    assert main(["figures"]) == 1
    assert "there is no manifest.json" in capsys.readouterr().out


def test_the_figures_of_this_repository_are_those_of_their_manifest() -> None:
    assert figures.check(ROOT / "figures") == []


def test_an_ellipse_holds_its_share_of_a_gaussian() -> None:
    mean, covariance = np.array([1.0, -2.0]), np.array([[2.0, 0.8], [0.8, 0.5]])
    outline = figures.ellipse(mean, covariance, 0.9)
    deviation = outline - mean[:, None]
    distances = np.einsum("in,ij,jn->n", deviation, np.linalg.inv(covariance), deviation)
    np.testing.assert_allclose(distances, chi2(2).ppf(0.9), rtol=1e-4)
    np.testing.assert_array_equal(outline[:, 0], outline[:, -1])


@pytest.mark.parametrize("probability", [0, 1, -0.1, float("nan")])
def test_an_ellipse_refuses_what_is_no_probability(probability: float) -> None:
    with pytest.raises(ValueError, match="probability must be between 0 and 1"):
        figures.ellipse([0, 0], np.eye(2), probability)


def test_an_ellipse_refuses_more_than_the_plane() -> None:
    with pytest.raises(ValueError, match=r"must have shapes \(2,\) and \(2, 2\), got \(3,\)"):
        figures.ellipse([0, 0, 0], np.eye(3))


def test_a_blend_runs_from_the_first_colour_to_the_second() -> None:
    colours = figures.blend("#ff0000", "#0000ff")
    assert colours(0.0) == (1.0, 0.0, 0.0, 1.0)
    assert colours(1.0) == (0.0, 0.0, 1.0, 1.0)


def test_rounded_numbers_forget_the_last_bits_and_keep_shapes() -> None:
    exact = np.array([[1 / 3, 2e-9 / 7], [1234567.89, -0.0]])
    rounded = figures.rounded(a=exact, counts=[1, 2])
    again = figures.rounded(a=exact * (1 + 1e-13))
    np.testing.assert_array_equal(rounded["a"], again["a"])
    np.testing.assert_array_equal(rounded["a"], [[0.333333, 2.85714e-10], [1234570.0, 0.0]])
    np.testing.assert_array_equal(rounded["counts"], [1, 2])


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Return a folder with the figure ``first``, drawn once."""
    figures.save(line(), "first", data={"y": [0.0, 1.0]}, folder=tmp_path, **WORDS)
    return tmp_path


def test_when_checking_the_same_figure_passes_and_nothing_is_written(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(figures.MODE, "check")
    for path in kept.glob("*.p*"):
        path.unlink()
    before = contents(kept)
    figures.save(line(), "first", data={"y": [0.0, 1.0]}, folder=kept, **WORDS)
    assert contents(kept) == before


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"data_sha256": "0"}, "data_sha256 differ"),
        ({"caption": "Another line."}, "caption differ"),
        ({"alt": "Another line."}, "alt differ"),
        ({"size_inches": [1.0, 1.0]}, "size_inches differ"),
        ({"files": {}}, "pdf, svg, png differ"),
    ],
)
def test_when_checking_a_tampered_manifest_is_noticed(
    entry: dict[str, Any], message: str, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = figures.read_manifest(kept)
    manifest["first"] |= entry
    figures.write_manifest(kept, manifest)
    before = contents(kept)
    monkeypatch.setenv(figures.MODE, "check")
    with pytest.raises(ValueError, match=f"'first' was drawn otherwise than manifest.json says: {message}"):
        figures.save(line(), "first", data={"y": [0.0, 1.0]}, folder=kept, **WORDS)
    assert contents(kept) == before


@pytest.mark.parametrize("extension", ["pdf", "png", "svg"])
def test_when_checking_one_changed_file_is_named(extension: str, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = figures.read_manifest(kept)
    manifest["first"]["files"][extension] = "0" * 64
    figures.write_manifest(kept, manifest)
    monkeypatch.setenv(figures.MODE, "check")
    with pytest.raises(ValueError, match=f"says: {extension} differ"):
        figures.save(line(), "first", data={"y": [0.0, 1.0]}, folder=kept, **WORDS)


def test_when_checking_a_new_figure_and_an_unknown_mode_are_refused(
    fig: Figure, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(figures.MODE, "check")
    with pytest.raises(ValueError, match=r"'third' is not in manifest\.json"):
        figures.save(fig, "third", data={"y": [0.0]}, folder=kept, **WORDS)
    monkeypatch.setenv(figures.MODE, "chekc")
    with pytest.raises(ValueError, match="must be empty or 'check', got 'chekc'"):
        figures.save(fig, "third", data={"y": [0.0]}, folder=kept, **WORDS)


def test_a_diverted_figure_is_handed_over_and_not_written(fig: Figure, tmp_path: Path) -> None:
    seen = []
    with figures.diverted(lambda figure, name: seen.append((figure, name))):
        figures.save(fig, "line", data={"y": [0.0]}, folder=tmp_path / "out", **WORDS)
    assert seen == [(fig, "line")]
    assert not (tmp_path / "out").exists()
    figures.save(fig, "line", data={"y": [0.0]}, folder=tmp_path / "out", **WORDS)
    assert (tmp_path / "out" / "line.pdf").exists()
