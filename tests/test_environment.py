"""environment.yml, pyproject.toml and requirements.lock state the same dependencies."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
EXTRAS_FOR_CONDA = ("notebooks", "test")
CONDA_TO_PYPI = {"matplotlib-base": "matplotlib"}

Ranges = dict[str, SpecifierSet]


def pyproject_ranges(pyproject: dict[str, Any], extras: tuple[str, ...]) -> Ranges:
    project = pyproject["project"]
    lines = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    ranges = {requirement.name: requirement.specifier for requirement in map(Requirement, lines)}
    return {"python": SpecifierSet(project["requires-python"]), **ranges}


def conda_ranges(environment: dict[str, Any]) -> Ranges:
    ranges = {}
    for line in environment["dependencies"]:
        if not isinstance(line, str):
            raise ValueError(f"environment.yml: a nested list of pip packages: {line}")
        if re.search(r"(?<![=<>!~])=(?!=)", line):
            raise ValueError(f"environment.yml: conda's single '=' is a pin that pip reads otherwise: {line}")
        requirement = Requirement(line)
        ranges[CONDA_TO_PYPI.get(requirement.name, requirement.name)] = requirement.specifier
    return ranges


def differences(left: Ranges, right: Ranges) -> list[str]:
    return [
        f"{name}: {left.get(name, 'missing')} against {right.get(name, 'missing')}"
        for name in sorted(left.keys() | right.keys())
        if left.get(name) != right.get(name)
    ]


def pins(lock: str) -> list[tuple[str, str]]:
    return re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", lock, flags=re.MULTILINE)


def unsatisfied(ranges: Ranges, lock: str) -> list[str]:
    """Packages without a pin in the lock, and pins outside their range."""
    found = pins(lock)
    missing = [f"{name}: not in the lock" for name in ranges if name not in {pin for pin, _ in found}]
    return missing + [
        f"{name}=={version}" for name, version in found if version not in ranges.get(name, SpecifierSet())
    ]


@pytest.fixture
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture
def environment() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "environment.yml").read_text()))


@pytest.fixture
def lock() -> str:
    return (ROOT / "requirements.lock").read_text()


def locked_ranges(pyproject: dict[str, Any]) -> Ranges:
    ranges = pyproject_ranges(pyproject, tuple(pyproject["project"]["optional-dependencies"]))
    del ranges["python"]
    return ranges


def test_conda_and_pyproject_agree(environment: dict[str, Any], pyproject: dict[str, Any]) -> None:
    assert differences(conda_ranges(environment), pyproject_ranges(pyproject, EXTRAS_FOR_CONDA)) == []


def widened(dependencies: list[Any]) -> None:
    dependencies[dependencies.index("numpy>=2.2,<3")] = "numpy>=2.1,<3"


def removed(dependencies: list[Any]) -> None:
    dependencies.remove("numpy>=2.2,<3")


def added(dependencies: list[Any]) -> None:
    dependencies.append("seaborn>=0.13")


@pytest.mark.parametrize("change", [widened, removed, added])
def test_a_changed_environment_is_noticed(
    change: Callable[[list[Any]], None], environment: dict[str, Any], pyproject: dict[str, Any]
) -> None:
    changed = deepcopy(environment)
    change(changed["dependencies"])
    assert len(differences(conda_ranges(changed), pyproject_ranges(pyproject, EXTRAS_FOR_CONDA))) == 1


@pytest.mark.parametrize(
    ("line", "message"), [("numpy=2.2", "single '='"), ({"pip": ["seaborn"]}, "nested list of pip packages")]
)
def test_conda_forms_that_cannot_be_compared_are_refused(line: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        conda_ranges({"dependencies": ["python>=3.11", line]})


def test_the_lock_satisfies_every_range(pyproject: dict[str, Any], lock: str) -> None:
    assert unsatisfied(locked_ranges(pyproject), lock) == []


def test_a_lock_outside_a_range_is_noticed(pyproject: dict[str, Any], lock: str) -> None:
    ranges = locked_ranges(pyproject)
    assert unsatisfied({**ranges, "numpy": SpecifierSet("<2")}, lock)[0].startswith("numpy==")
    assert unsatisfied({**ranges, "seaborn": SpecifierSet()}, lock) == ["seaborn: not in the lock"]


def test_every_pin_of_the_lock_has_a_hash_and_no_host_is_named(lock: str) -> None:
    requirements = [line for line in lock.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(requirements) == len(pins(lock)) > 50
    assert all(line.endswith("\\") for line in requirements)
    assert lock.count("--hash=sha256:") >= len(requirements)
    assert "://" not in lock


def test_ci_runs_every_supported_python(pyproject: dict[str, Any]) -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    supported = re.findall(r"Python :: (3\.\d+)", "\n".join(pyproject["project"]["classifiers"]))
    assert workflow["jobs"]["locked"]["strategy"]["matrix"]["python"] == supported
    assert SpecifierSet(pyproject["project"]["requires-python"]) == SpecifierSet(f">={supported[0]}")
