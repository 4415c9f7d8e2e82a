"""The list of claims: complete, well formed, and refused when it is not."""

from __future__ import annotations

import pkgutil
import re
from importlib import resources
from itertools import pairwise
from pathlib import Path

import pytest

from emlib.ledger.rows import FILE, KINDS, VERDICTS, Row, load, needs, parse, texts

TEXT = resources.files("emlib.ledger").joinpath(FILE).read_text(encoding="utf-8")
ROWS = load()
NOTE = [row for row in ROWS if not row.beyond]
IDS = {row.id for row in ROWS}

# How many relation signs each line of the note has.
SIGNS = {
    13: 1, 16: 1, 18: 1, 21: 1, 34: 1, 37: 2, 43: 2, 47: 1, 55: 1, 65: 1, 71: 1, 75: 1,
    86: 1, 88: 2, 92: 3, 96: 2, 99: 1, 104: 1, 108: 2, 112: 1, 117: 1, 118: 2, 119: 1, 120: 1, 121: 1, 122: 1, 123: 1,
    130: 1, 131: 1, 132: 1, 135: 1, 138: 1, 139: 1, 143: 1, 145: 1, 150: 1, 151: 1, 152: 1, 153: 1, 154: 1, 155: 1,
    160: 1, 168: 1, 177: 1, 184: 1, 185: 1, 190: 2, 192: 1, 194: 1, 198: 6, 202: 1, 206: 2, 208: 1, 214: 1, 215: 1,
    218: 3, 221: 1, 222: 1, 223: 2, 229: 1, 230: 1, 231: 1,
    237: 1, 242: 1, 243: 1, 244: 1, 245: 1, 248: 1, 252: 2, 256: 3, 261: 2, 262: 1, 263: 1, 266: 1, 270: 1, 272: 2,
    281: 1, 283: 2, 287: 2, 291: 4, 295: 3, 299: 1, 303: 4, 309: 2, 313: 1, 317: 1, 319: 2, 323: 2, 324: 1,
}  # fmt: skip
SECTIONS = sorted({str(row.section).replace(" ", "-") for row in ROWS})
MENTIONED = rf"\b(?:{'|'.join(SECTIONS)})\.[a-z][a-z0-9.]*[a-z0-9]"
LEMMAS = ["5.1", "5.2", "5.3", "5.4", "5.5", "5.6", "5.7", "5.8"]


def words(row: Row) -> dict[str, str]:
    """Return what a row says to a reader, by key."""
    keys = ("statement", "twin", "printed", "correction", "conditions")
    return {key: value for key in keys if (value := getattr(row, key))}


def typesetting_problems(text: str) -> list[str]:
    """Return why a text would not come out right in a cell of a Markdown table."""
    problems = [f"a {mark!r}" for mark in "|\n\t`" if mark in text]
    prose, formulas = text.split("$")[::2], text.split("$")[1::2]
    if len(prose) == len(formulas):
        problems.append("an odd number of dollar signs")
    problems += [f"a formula outside dollar signs: {part}" for part in prose if re.search(r"[\\_^{}]", part)]
    for formula in formulas:
        bare = re.sub(r"\\[{}]", "", formula)
        if not formula.strip() or bare.count("{") != bare.count("}"):
            problems.append(f"unbalanced or empty: {formula}")
        if formula.count(r"\bigl") != formula.count(r"\bigr") or formula.count(r"\Bigl") != formula.count(r"\Bigr"):
            problems.append(f"a large bracket without its partner: {formula}")
        problems += [
            f"{mark!r}, to be written as a command: {formula}" for mark in ("<", ">", r"\\", "&") if mark in formula
        ]
    return problems


def n_words(text: str) -> int:
    return len(re.sub(r"\$[^$]*\$", "formula", text).split())


def broken(row_id: str, old: str, new: str) -> str:
    """Return the ledger with one thing changed in one row."""
    start = TEXT.index(f'[[claim]]\nid = "{row_id}"\n')
    end = TEXT.find("[[claim]]", start + 1)
    block = TEXT[start:end]
    assert block.count(old) == 1, f"{row_id} should hold {old!r} once"
    return TEXT[:start] + block.replace(old, new) + TEXT[end:]


def test_there_are_181_rows_in_five_sections() -> None:
    assert len(NOTE) == 181
    assert ROWS[:181] == tuple(NOTE)
    assert len(IDS) == len(ROWS)
    sections = [int(row.section) for row in NOTE]
    assert sections == sorted(sections)
    assert set(sections) == {1, 2, 3, 4, 5}
    assert [row.id for row in NOTE if row.kind == "lemma"] == LEMMAS
    assert {row.kind for row in NOTE} == set(KINDS)
    assert {row.verdict for row in NOTE} == set(VERDICTS)


def test_every_relation_sign_of_the_note_is_on_exactly_one_row() -> None:
    expected = [f"L{line}.{number}" for line, count in SIGNS.items() for number in range(1, count + 1)]
    assert len(expected) == 125
    assert not [row.id for row in ROWS if row.beyond and row.relations]
    assert sorted(sign for row in ROWS for sign in row.relations) == sorted(expected)


def test_rows_stand_in_the_order_of_the_note() -> None:
    places = [tuple(map(int, sign[1:].split("."))) for row in ROWS for sign in row.relations]
    assert places == sorted(places)


def test_dependencies_are_rows_and_no_row_rests_on_itself() -> None:
    rests_on = {row.id: set(row.depends) for row in ROWS}
    assert set().union(*rests_on.values()) <= IDS
    settled: set[str] = set()
    while ready := {name for name, below in rests_on.items() if below <= settled} - settled:
        settled |= ready
    assert settled == IDS
    assert not [row.id for row in ROWS if len(set(row.depends)) != len(row.depends)]


def test_no_proof_step_is_left_out_of_the_lemma_it_belongs_to() -> None:
    depends = {row.id: row.depends for row in ROWS}

    def below(name: str) -> set[str]:
        return {name}.union(*(below(other) for other in depends[name]))

    steps = {row.id for row in NOTE if row.kind == "proof-step"}
    assert steps <= set().union(*(below(lemma) for lemma in LEMMAS))
    for lemma in LEMMAS:
        assert {step for step in steps if step.startswith(f"{lemma}.")} <= below(lemma)


@pytest.mark.parametrize("name", sorted({name for row in ROWS for name in row.uses}))
def test_what_a_row_uses_is_there(name: str) -> None:
    assert name.startswith("emlib.")
    assert callable(pkgutil.resolve_name(name))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_texts_of_a_row(row: Row) -> None:
    for key, text in words(row).items():
        assert typesetting_problems(text) == [], key
        assert n_words(text) <= 40, key
        mentioned = re.findall(MENTIONED, re.sub(r"\$[^$]*\$", "", text))
        assert set(mentioned) <= IDS, key
    assert row.statement != row.twin
    assert row.id not in row.depends


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("$p(x|y)$", "a '|'"),
        ("$p$ and $q", "odd number of dollar signs"),
        (r"\alpha is positive", "outside dollar signs"),
        ("x_i is positive", "outside dollar signs"),
        (r"$\frac{1}{2$", "unbalanced"),
        ("$$ is empty", "unbalanced or empty"),
        (r"$\bigl(x)$", "without its partner"),
        ("$a<b$", "'<'"),
        (r"$a\\b$", "to be written as a command"),
    ],
)
def test_typesetting_problems_are_noticed(text: str, problem: str) -> None:
    assert any(problem in found for found in typesetting_problems(text))


@pytest.mark.parametrize(
    ("kind", "verdict", "expected"),
    [
        ("step", "holds", {"proof", "numbers", "twin"}),
        ("claim", "holds-under-conditions", {"proof", "numbers", "twin"}),
        ("lemma", "misprint", {"proof", "numbers", "twin"}),
        ("proof-step", "false-as-stated", {"proof", "numbers", "twin", "counterexample"}),
        ("definition", "holds", {"illustration", "twin"}),
        ("prose", "misprint", {"illustration", "twin"}),
        ("prose", "false-as-stated", {"illustration", "twin", "counterexample", "proof"}),
    ],
)
def test_what_a_row_needs(kind: str, verdict: str, expected: set[str]) -> None:
    row = Row("1.x", 1, kind, "statement", verdict, "twin", (), (), ())
    assert needs(row) == expected


@pytest.mark.parametrize(
    ("row_id", "old", "new", "message"),
    [
        ("5.2", 'kind = "lemma"', 'kind = "theorem"', r"claim 5\.2: unknown kind 'theorem'"),
        ("5.2", 'verdict = "holds"', 'verdict = "true"', r"claim 5\.2: unknown verdict 'true'"),
        ("5.2", "uses =", "used =", r"claim 5\.2: unknown key used; the keys are conditions, correction"),
        ("5.2", "uses = []\n", "", r"claim 5\.2: lacks uses"),
        ("5.2", 'id = "5.2"\n', "", r"claim number \d+: lacks id"),
        ("5.2", 'id = "5.2"', 'id = "5.1"', r"id 5\.1 stands more than once"),
        ("5.2", '"L248.1"', '"L237.1"', r"relation sign L237\.1 stands more than once"),
        ("5.2", "section = 5", "section = 4", r"claim 5\.2: the id must begin with its section, '4\.'"),
        ("5.2", "section = 5", "section = 6", r"section must be an integer from 1 to 5, got 6"),
        ("5.2", "section = 5", 'section = "5"', r"section must be an integer from 1 to 5, got '5'"),
        ("5.2", "section = 5", "section = true", r"section must be an integer from 1 to 5, got True"),
        (
            "5.2",
            'depends = ["5.2.done"]',
            'depends = "5.2.done"',
            r"depends must be a list of strings, got '5\.2\.done'",
        ),
        ("5.2", 'depends = ["5.2.done"]', "depends = [5.2]", r"depends must be a list of strings, got \[5\.2\]"),
        ("5.2", 'depends = ["5.2.done"]', 'depends = ["5.2.gone"]', r"claim 5\.2: depends on 5\.2\.gone, which the"),
        ("5.2", "twin = 'It is", "twin = ' '  # 'It is", r"claim 5\.2: twin must be a string that is not empty"),
        ("5.2", 'verdict = "holds"', 'verdict = "misprint"', r"misprint must say correction and printed"),
        ("5.2", 'verdict = "holds"', 'verdict = "false-as-stated"', r"false-as-stated must say correction and printed"),
        ("5.2", 'verdict = "holds"', 'verdict = "holds-under-conditions"', r"under-conditions must say conditions"),
        ("5.4.laplace", 'verdict = "misprint"', 'verdict = "holds"', r"holds has no place for correction and printed"),
        ("5.4.laplace", "correction = ", "# ", r"claim 5\.4\.laplace: a row that is misprint must say correction"),
        ("5.8", "conditions = ", "# ", r"claim 5\.8: a row that is holds-under-conditions must say conditions"),
    ],
)
def test_a_broken_ledger_is_refused(row_id: str, old: str, new: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse({FILE: broken(row_id, old, new)})


def test_a_circle_is_named_as_a_path() -> None:
    text = broken("5.8.rows", "depends = []", 'depends = ["5.8.entries"]')
    with pytest.raises(ValueError, match=r"in a circle, each on the next: (5\.8\.\w+) -> 5\.8\.\w+ -> \1$"):
        parse({FILE: text})


def test_the_path_of_a_circle_follows_the_dependencies() -> None:
    # Three rows, so that the two directions differ: rows rests on off, off on entries, entries on rows.
    text = broken("5.8.rows", "depends = []", 'depends = ["5.8.off"]')
    with pytest.raises(ValueError, match="circle") as caught:
        parse({FILE: text})
    path = str(caught.value).rsplit(": ", 1)[1].split(" -> ")
    depends = {row.id: row.depends for row in ROWS} | {"5.8.rows": ("5.8.off",)}
    assert len(path) == 4
    assert all(below in depends[above] for above, below in pairwise(path))


def test_a_file_without_claims_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must hold \[\[claim\]\] tables and nothing else, got row"):
        parse({FILE: '[[row]]\nid = "5.2"\n'})


def test_no_toml_is_refused() -> None:
    with pytest.raises(ValueError, match=r"claims\.toml is not TOML: Expected"):
        parse({FILE: "[[claim"})


BEYOND_FILE = "claims_missing_data.toml"
BEYOND = """
[[claim]]
id = "missing-data.pattern"
section = "missing data"
kind = "step"
statement = 'The rows are grouped by the entries that are missing.'
verdict = "holds"
twin = 'The rows are grouped by the number of missing entries.'
depends = ["2.complete.def"]
uses = []
relations = []

[[claim]]
id = "missing-data.e-step"
section = "missing data"
kind = "lemma"
statement = 'The expected second moments carry a correction.'
verdict = "holds"
twin = 'They do not.'
depends = ["missing-data.pattern"]
uses = []
relations = []
"""


def test_a_derivation_beyond_the_note_has_a_file_of_its_own(tmp_path: Path) -> None:
    for name, text in {FILE: TEXT, BEYOND_FILE: BEYOND, "notes.toml": "", "claims_draft.txt": ""}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    rows = parse(texts(tmp_path))
    assert rows[:-2] == tuple(NOTE)
    assert [row.id for row in rows if row.beyond] == ["missing-data.pattern", "missing-data.e-step"]
    assert needs(rows[-1]) == {"proof", "numbers", "twin"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'section = "missing data"',
            "section = 4",
            r"claims_missing_data\.toml, claim missing-data\.pattern: section must",
        ),
        (
            'section = "missing data"',
            'section = "hmm"',
            "section must be 'missing data', as the file is called, got 'hmm'",
        ),
        (
            'id = "missing-data.pattern"',
            'id = "pattern"',
            "claim pattern: the id must begin with its section, 'missing-data.'",
        ),
        (
            'id = "missing-data.e-step"',
            'id = "missing-data.pattern"',
            r"id missing-data\.pattern stands more than once",
        ),
        (
            '["2.complete.def"]',
            '["2.gone"]',
            r"claim missing-data\.pattern: depends on 2\.gone, which the ledger lacks",
        ),
        ('["2.complete.def"]', '["missing-data.e-step"]', "run in a circle"),
        ("relations = []", 'relations = ["L92.3"]', r"relation sign L92\.3 stands more than once"),
        ('kind = "lemma"', 'kind = "theorem"', "unknown kind 'theorem'"),
        ("[[claim]]", "[[row]]", r"claims_missing_data\.toml must hold \[\[claim\]\] tables"),
    ],
)
def test_a_file_beyond_the_note_keeps_the_same_rules(old: str, new: str, message: str) -> None:
    assert old in BEYOND
    with pytest.raises(ValueError, match=message):
        parse(
            {FILE: TEXT, BEYOND_FILE: BEYOND.replace(old, new, 1) if old != "[[claim]]" else BEYOND.replace(old, new)}
        )
