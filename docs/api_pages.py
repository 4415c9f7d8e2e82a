"""The reference: a page for each public module of emlib, found by walking the package."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from importlib import import_module
from inspect import isclass, isfunction, unwrap
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import emlib

ROLE = re.compile(r":\w+:`~?(?P<name>[\w.]+)`")  # a link in a docstring, such as :func:`~emlib.em.em`


def api() -> dict[str, str]:
    """Return the text of each page by the name of its module.

    What a module defines is documented there, once. The page of a package also lists its modules and, as links, the
    names that it exports.
    """
    return {module.__name__: page(module) for module in public(emlib)}


def public(module: ModuleType) -> Iterator[ModuleType]:
    """Yield a module and all below it, save those whose names begin with an underscore."""
    yield module
    for name in below(module):
        yield from public(import_module(name))


def below(module: ModuleType) -> list[str]:
    """Return the full names of the public modules directly below a package."""
    found = iter_modules(getattr(module, "__path__", []))
    return [f"{module.__name__}.{item.name}" for item in found if not item.name.startswith("_")]


def page(module: ModuleType) -> str:
    """Return the page of one module."""
    name = module.__name__
    lines = [f"# {name}", "", "```{eval-rst}", f".. automodule:: {name}"]
    members = documented(module)
    if members:
        lines += ["   :member-order: bysource", f"   :members: {', '.join(members)}"]
    lines += ["```", ""]
    exports = list(exported(module))
    if exports:
        lines += ["## Exports", "", f"`from {name} import ...` offers:", "", *exports, ""]
    modules = below(module)
    if modules:
        lines += ["## Modules", "", "```{toctree}", ":titlesonly:", "", *modules, "```", ""]
    return "\n".join(lines)


def documented(module: ModuleType) -> list[str]:
    """Return the public functions and classes that a module defines, or that a package takes from a private module."""
    things = {
        name: thing
        for name, thing in vars(module).items()
        if isclass(thing) or isfunction(unwrap(thing) if callable(thing) else thing)  # what `cache` wraps too
    }
    exports = getattr(module, "__all__", ()) if hasattr(module, "__path__") else ()
    return [
        name
        for name, thing in things.items()
        if (thing.__module__ == module.__name__ and not name.startswith("_"))
        or (name in exports and "._" in thing.__module__)
    ]


def exported(module: ModuleType) -> Iterator[str]:
    """Yield a line for each name that a package exports and another public module defines."""
    if not hasattr(module, "__path__"):
        return
    for name in getattr(module, "__all__", ()):
        thing = getattr(module, name)
        home = getattr(thing, "__module__", None)
        if home is None:
            yield f"* `{name}`"
        elif home != module.__name__ and "._" not in home:
            yield f"* {{py:obj}}`{name} <{home}.{thing.__qualname__}>`: {first_line(thing)}"


def first_line(thing: object) -> str:
    """Return the first line of a docstring as Markdown."""
    line = (thing.__doc__ or "").strip().partition("\n")[0].replace("``", "`")
    return ROLE.sub(r"`\g<name>`", line)


def call(_app: Any, _what: str, _name: str, thing: Any, _options: Any, call: str | None, returns: str | None) -> Any:
    """Return how a thing is called, for autodoc: nothing for classes nobody calls, and defaults a reader can read."""
    if isclass(thing) and (issubclass(thing, Enum) or getattr(thing, "_is_protocol", False)):
        return "", None
    return call and re.sub(r"<(function|factory)[^=]*>(?=[,)])", "...", call), returns


def members(_app: Any, _what: str, _name: str, thing: Any, _options: Any, lines: list[str]) -> None:
    """Append the members of an enumeration to its docstring."""
    if isclass(thing) and issubclass(thing, Enum):
        lines += ["", f"One of {', '.join(f'``{member.name}``' for member in thing)}."]


def skipped(_app: Any, _what: str, _name: str, thing: Any, _skip: bool, _options: Any) -> bool | None:
    """Leave out the fields of named tuples, which the docstring of the class lists with their meaning."""
    return True if type(thing).__name__ == "_tuplegetter" else None
