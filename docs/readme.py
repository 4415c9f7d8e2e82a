"""Fill the numbers of README.md in: between each pair of markers stands what a run says, never what somebody typed.

``python docs/readme.py`` from the top of the repository rewrites the text between ``<!-- begin NAME -->`` and
``<!-- end NAME -->``; ``--check`` changes nothing and fails if there was something to change. Claims come from the
stored outputs of the notebooks, published numbers are computed afresh, times come from the files in
benchmarks/results/. A line whose source is not there is left out.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from emlib.ledger import read  # noqa: E402 - found through the line above
from emlib.published import entries, reproduce  # noqa: E402 - likewise
from emlib.published.table import STATUSES  # noqa: E402 - likewise

BENCHMARKS = ROOT / "benchmarks" / "results"
GALLERY = {  # name of a figure: the notebook that draws it
    "two_symmetric_derivatives": "15_verify_your_own_identity",
    "acceleration_distance": "22_acceleration",
    "murray_paths": "26_missing_data_compared",
    "earthquakes_decoded": "27_earthquakes",
}


def totals() -> str:
    """Return what was shown, reproduced and measured, a line each."""
    lines = [claims(), published(), *speed(BENCHMARKS / "gaussian_mixtures.json")]
    return "\n".join([*lines, *acceleration(BENCHMARKS / "acceleration.json")])


def claims() -> str:
    """Return the line on the ledger."""
    report = read(ROOT / "notebooks")
    count = report.totals()
    line = (
        f"* **{count['discharged']} of the note's {count['rows']} claims are shown**, each beside a wrong twin that the"
        f" same check refutes: {count['proved']} by proof, {count['proved for every size']} of these for every size of"
        f" the data and the model, {count['discharged'] - count['proved']} in numbers or by example."
        f" {count['false as printed']} are [false as printed](notebooks/14_errata.ipynb)."
    )
    if "rows beyond the note" in count:
        line += f" Beyond the note, {count['discharged beyond the note']} of {count['rows beyond the note']} are shown."
    return line


def published() -> str:
    """Return the line on published numbers, each computed now."""
    table = entries()
    hit = [one for one in table if np.abs(reproduce(one) - one.published).max() <= one.tolerance]
    numbers = sum(len(one.published) for one in hit)
    status = Counter(one.status for one in table)
    sure = ", ".join(f"{status[name]} {name}" for name in STATUSES)
    return (
        f"* **{len(hit)} of {len(table)} published results are reproduced** ({numbers} numbers, each within the"
        " tolerance set for it), [with their sources and how surely we know them]"
        f"(notebooks/18_published_numbers.ipynb): {sure}."
    )


def speed(path: Path) -> list[str]:
    """Return the line on EM iterations beside scikit-learn's, if they were timed."""
    if not path.exists():
        return []
    measured: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    ratios = [shape["ratio"] for shape in measured["shapes"]]
    kernels = sorted({kernel for shape in measured["shapes"] for kernel in shape["kernels"]})
    return [
        f"* **An EM iteration is {geometric_mean(ratios):.1f} times as fast as scikit-learn's**"
        f" (geometric mean of {len(ratios)} shapes of data, from {min(ratios):.1f} to {max(ratios):.1f}; full"
        f" covariances, one thread, CPU time, OpenBLAS kernel {' and '.join(kernels)}; {measured['versions']};"
        " [benchmarks/gaussian_mixtures.py](benchmarks/gaussian_mixtures.py))."
    ]


def acceleration(path: Path) -> list[str]:
    """Return the line on accelerated EM, if it was measured."""
    if not path.exists():
        return []
    problems = list(json.loads(path.read_text(encoding="utf-8"))["problems"].values())
    mine = [problem["quasi-newton"] for problem in problems]
    runs = sum(len(problem["runs"]["quasi-newton"]) for problem in problems)
    fewer, faster = (median(one[key] for one in mine if one[key]) for key in ("fewer_e_steps", "faster"))
    failed, better, worse = (sum(one[key] for one in mine) for key in ("failed", "better", "worse"))
    return [
        f"* **Quasi-Newton EM needs {fewer:.0f} times fewer passes over the data than EM** and {faster:.1f} times"
        f" less CPU time (medians of {len(mine)} slow problems; of {runs} runs {failed} did not converge,"
        f" {better} ended in a better maximum than EM's, {worse} in a worse one;"
        " [benchmarks/acceleration.py](benchmarks/acceleration.py))."
    ]


def gallery() -> str:
    """Return a few figures with their captions, each linked to the notebook that draws it."""
    manifest = json.loads((ROOT / "figures" / "manifest.json").read_text(encoding="utf-8"))
    return "\n\n".join(
        f'[<img src="figures/{name}.png" width="420" alt="{manifest[name]["alt"]}">](notebooks/{notebook}.ipynb)\n\n'
        f"*{manifest[name]['caption']}*"
        for name, notebook in GALLERY.items()
    )


SECTIONS: dict[str, Callable[[], str]] = {"totals": totals, "gallery": gallery}


def filled(text: str, sections: dict[str, Callable[[], str]]) -> str:
    """Return a text with each section between its markers replaced.

    Parameters
    ----------
    text : str
        The README.
    sections : dict of str to callable
        What to put between the markers of each name.

    Returns
    -------
    str
        The README as it should be.

    Raises
    ------
    ValueError
        If a pair of markers is missing or stands twice.
    """
    for name, make in sections.items():
        pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", flags=re.DOTALL)
        if len(pattern.findall(text)) != 1:
            raise ValueError(f"README.md: '<!-- begin {name} -->' ... '<!-- end {name} -->' must stand there once")
        content = make()
        text = pattern.sub(lambda match, content=content: f"{match[1]}{content}\n{match[2]}", text)
    return text


def main(arguments: list[str]) -> int:
    """Rewrite or check the README; return 1 if a check finds it out of date."""
    parser = argparse.ArgumentParser(description="Fill in the numbers of README.md.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if something would change")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    options = parser.parse_args(arguments)
    old = options.readme.read_text(encoding="utf-8")
    new = filled(old, SECTIONS)
    if new == old:
        return 0
    if options.check:
        print("README.md is out of date: run `python docs/readme.py`")
        return 1
    options.readme.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
