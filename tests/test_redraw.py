"""A figure is redrawn from its notebook: same bytes at its own size, and at another size with words to paste."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pypandoc
import pytest
import typst
from matplotlib.text import Text

from emlib import figures
from emlib.__main__ import main
from emlib.gallery import record_sources
from emlib.redraw import Layout, inches, redraw, snippets
from tests.test_provenance import write

ROOT = Path(__file__).parents[1]
STYLE = "from matplotlib import pyplot as plt\nfrom emlib import figures\nfigures.style()\nprint('noise')"
DRAW = """fig, ax = plt.subplots(figsize=(6, 4))
ax.plot([1, 2], [1, 2], label="a line")
ax.set(xlabel="a label that needs its room", yscale="log")
ax.legend(fontsize=7)
figures.save(fig, "{0}", data={{"y": [1, 2]}}, caption="{0}: 50 % of A_1 & B", alt="It #rises.")"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository whose notebook saves ``first`` and ``second``, then fails."""
    monkeypatch.delenv(figures.MODE, raising=False)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "figures").mkdir()
    write(tmp_path / "notebooks", "01_a", STYLE, DRAW.format("first"), DRAW.format("second"), "raise RuntimeError")
    write(tmp_path / "notebooks", "02_b", "raise RuntimeError")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    with mpl.rc_context():
        mpl.use("agg")
        for source in (STYLE, DRAW.format("first"), DRAW.format("second")):
            exec(source, names)
            names["plt"].close("all")
    return tmp_path


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("extension", ["pdf", "svg", "png"])
def test_without_another_size_the_bytes_are_those_of_the_figure(extension: str, repository: Path) -> None:
    before = {path.name: path.read_bytes() for path in (repository / "figures").iterdir()}
    done = redraw([], Layout(extension=extension), Path("out"), folder=repository / "figures")
    assert [figure.path.name for figure in done] == [f"first.{extension}", f"second.{extension}"]
    for figure in done:
        assert figure.path.read_bytes() == before[figure.path.name]
        assert (figure.faults, figure.width, figure.natural) == ([], 6.0, 9.0)
    assert before == {path.name: path.read_bytes() for path in (repository / "figures").iterdir()}


@pytest.mark.usefixtures("repository")
def test_width_and_letters_are_those_asked_for_and_only_those_figures(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["figures", "--width", "3.3in", "--font-size", "5", "--format", "svg", "--out", "out", "second"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert printed == "drawn: out/second.{svg,tex,typ,md}\n"  # nothing of what the notebook prints
    assert {path.name for path in Path("out").iterdir()} == {"second.svg", "second.tex", "second.typ", "second.md"}
    picture = Path("out/second.svg").read_text()
    width, height = re.findall(r'<svg [^>]*?width="([\d.]+)pt"|<svg [^>]*?height="([\d.]+)pt"', picture)[0][0], 0
    assert (float(width), height) == (pytest.approx(3.3 * 72), 0)
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', picture)
    assert box is not None
    assert float(box[2]) / float(box[1]) == pytest.approx(4 / 6, rel=1e-5)


def test_the_pdf_embeds_its_fonts_as_truetype(repository: Path) -> None:
    [figure] = redraw(["first"], Layout(2.5, 7), Path("out"), folder=repository / "figures")
    content = figure.path.read_bytes()
    assert b"/FontFile2" in content
    assert b"/Type3" not in content


@pytest.mark.usefixtures("repository")
def test_all_letters_are_scaled_those_of_ticks_too() -> None:
    sizes: dict[float, set[float]] = {}
    for asked in (9.0, 4.5):
        seen: list[Any] = []
        with figures.diverted(lambda *given: seen.append(given[0])), mpl.rc_context():  # noqa: B023
            names: dict[str, Any] = {}
            exec(STYLE + "\n" + DRAW.format("first"), names)
            Layout(font_size=asked).apply(seen[0])
            seen[0].draw_without_rendering()
            sizes[asked] = {float(text.get_fontsize()) for text in seen[0].findobj(Text) if text.get_text()}
            names["plt"].close("all")
    assert sizes[9.0] == {9.0, 7.0}
    assert sizes[4.5] == {4.5, 3.5}


@pytest.mark.usefixtures("repository")
@pytest.mark.filterwarnings("ignore:constrained_layout not applied")
def test_letters_too_large_for_the_width_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["figures", "--width", "1in", "--font-size", "24", "--out", "out", "first"]) == 1
    assert "problem: first: 1 inches are too narrow for letters of 24 pt: " in capsys.readouterr().out
    assert Path("out/first.pdf").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--width", "3.3"], "a number above zero and a unit"),
        (["--width", "0mm"], "a number above zero and a unit"),
        (["--font-size", "0"], "between 1 and 100"),
        (["--font-size", "nan"], "between 1 and 100"),
        (["--format", "gif"], "invalid choice"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["figures", "--out", "out", *arguments])
    assert stop.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("arguments", [["--width", "3in"], ["--font-size", "8"], ["--format", "pdf"], ["a", "b"]])
def test_redrawing_needs_a_folder(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["figures", *arguments])
    assert "--out" in capsys.readouterr().err


def test_an_unknown_name_and_the_folder_of_the_figures_are_refused(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["figures", "--out", "out", "third"]) == 1
    assert "no figure 'third'; there are: first, second" in capsys.readouterr().out
    assert main(["figures", "--out", "figures"]) == 1
    assert "name another folder" in capsys.readouterr().out
    assert not (repository / "out").exists()


def test_a_notebook_that_fails_is_named(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(repository / "notebooks", "01_a", STYLE, "assert 1 == 2", DRAW.format("first"), DRAW.format("second"))
    assert main(["figures", "--out", "out"]) == 1
    assert "problem: 01_a.ipynb, cell 2: AssertionError" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "expected"), [("3.3in", 3.3), ("8.4cm", 8.4 / 2.54), ("84 mm", 84 / 25.4), ("240pt", 240 / 72.27)]
)
def test_lengths(text: str, expected: float) -> None:
    assert inches(text) == pytest.approx(expected, rel=1e-12)


CAPTION = r'A "50 %" of $x_1$ & {b} #1 ~ c^2 \ d * [e] <f> @g'


def plain(text: str, reader: str) -> Any:
    return json.loads(pypandoc.convert_text(text, "json", format=reader))["blocks"]


@pytest.mark.parametrize(("language", "reader"), [("tex", "latex-smart"), ("md", "markdown-smart")])
def test_snippets_give_the_caption_back(language: str, reader: str) -> None:
    snippet = snippets("a_b.pdf", {"caption": CAPTION, "alt": CAPTION}, 3.3)[language]
    html = unescape(pypandoc.convert_text(snippet, "html", format=reader, extra_args=["--wrap=none"]))
    found = re.search(r"<figcaption[^>]*>(?:<p>)?(.*?)(?:</p>)?</figcaption>", html, re.DOTALL)
    assert found is not None
    assert found[1].replace("\xa0", " ") == CAPTION
    [block] = plain(snippet, reader)
    assert "fig:a_b" in json.dumps(block)
    assert "a_b.pdf" in json.dumps(block)
    assert "3.3in" in json.dumps(block)


def test_the_snippet_for_typst_compiles_and_gives_the_words_back(repository: Path) -> None:
    [figure] = redraw(["first"], Layout(3.3, extension="svg"), Path("out"), folder=repository / "figures")
    text = snippets("first.svg", {"caption": CAPTION, "alt": CAPTION}, 3.3)["typ"]
    main_file = figure.path.parent / "main.typ"
    main_file.write_text(text + "\n@fig:first\n", encoding="utf-8")
    assert typst.compile(main_file).startswith(b"%PDF")
    found = json.loads(typst.query(main_file, "figure", field="caption", one=True))
    assert found["body"]["text"] == CAPTION


def test_words_on_panels_follow_them_when_they_are_stacked(repository: Path) -> None:
    draw = (
        "fig, axes = plt.subplots(1, 2, figsize=(6, 3))\n"
        'figures.save(fig, "pair", data={"y": [1]}, caption="Left: a. Right: b.", alt="On the left c.")'
    )
    write(repository / "notebooks", "03_c", STYLE, draw)
    exec(STYLE + "\n" + draw, {})
    for width, caption, alt in ((6, "Left: a. Right: b.", "On the left c."), (3, "Above: a. Below: b.", "Above, c.")):
        redraw(["pair"], Layout(width), Path("out"), folder=repository / "figures")
        written = Path("out/pair.typ").read_text()
        assert f'caption: "{caption}"' in written
        assert f'alt: "{alt}"' in written


def test_the_command_records_where_figures_come_from_and_keeps_it(repository: Path) -> None:
    manifest = repository / "figures" / "manifest.json"
    assert "source" not in read(manifest)["first"]
    assert main(["figures"]) == 0
    written = manifest.read_bytes()
    assert read(manifest)["second"]["source"] == {"notebook": "01_a", "cell": 3, "seeds": []}
    assert main(["figures"]) == 0
    assert manifest.read_bytes() == written
    with mpl.rc_context():  # saving again keeps it
        names: dict[str, Any] = {}
        exec(STYLE + "\n" + DRAW.format("first"), names)
        names["plt"].close("all")
    assert manifest.read_bytes() == written


def test_the_manifest_of_this_repository_says_where_each_figure_comes_from(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    stored = read(ROOT / "figures" / "manifest.json")
    bare = {name: {key: value for key, value in entry.items() if key != "source"} for name, entry in stored.items()}
    figures.write_manifest(tmp_path / "figures", bare)
    record_sources(tmp_path / "figures")
    assert read(tmp_path / "figures" / "manifest.json") == stored, "run `python -m emlib figures`"
    assert all("source" in entry for entry in stored.values())
