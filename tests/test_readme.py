"""The numbers, pictures and links of the README are those of the repository."""

import json
import re
from pathlib import Path

import pytest

from emlib import GaussianMixture
from emlib.datasets import load_faithful
from emlib.ledger import read

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIT = re.compile(r"^\| (\w+) \| (\d+) \| (-[\d.]+) \| ([\d.]+) \|$", re.MULTILINE)


def test_the_table_of_fits_is_what_the_code_gives() -> None:
    x = load_faithful().data
    rows = FIT.findall(README)
    assert [name for name, *_ in rows] == ["full", "tied", "diag", "spherical"]
    for name, n_parameters, log_likelihood, bic in rows:
        mixture = GaussianMixture(2, covariance_type=name, random_state=0).fit(x)
        assert mixture.n_parameters == int(n_parameters)
        assert f"{mixture.log_likelihood_:.3f}" == log_likelihood
        assert f"{mixture.bic(x):.3f}" == bic


def test_each_picture_carries_its_caption_and_alternative_text() -> None:
    manifest = json.loads((ROOT / "figures" / "manifest.json").read_text(encoding="utf-8"))
    pictures = re.findall(r'<img src="figures/(\w+)\.png" width="\d+" alt="(.*?)">', README)
    assert pictures
    for name, alt in pictures:
        assert alt == manifest[name]["alt"]
        assert f"*{manifest[name]['caption']}*" in README


@pytest.mark.parametrize("target", sorted({t for t in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in t}))
def test_links_lead_somewhere(target: str) -> None:
    assert (ROOT / target).exists()


def test_the_two_commands_a_table_and_a_picture_are_in_the_first_screen() -> None:
    first_screen = README.splitlines()[:26]
    assert any(line.startswith("make  ") for line in first_screen)
    assert any(line.startswith("make test") for line in first_screen)
    assert any(line.startswith("| full |") for line in first_screen)
    assert any(line.startswith("<img ") for line in first_screen)


def test_the_count_of_claims_is_the_ledger_s() -> None:
    totals = read(ROOT / "notebooks").totals()
    assert f"discharge {totals['discharged']} of its {totals['rows']} claims" in " ".join(README.split())
