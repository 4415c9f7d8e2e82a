"""What the docstring of a public function or class must say, beyond being there."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import pkgutil
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from numpydoc.docscrape import FunctionDoc, NumpyDocString
from numpydoc.validate import validate

# What numpydoc's own validation must not report: no docstring; parameters undocumented, unknown, out of order, without
# type or description; no Returns or Yields section, or a Returns section that says nothing.
CODES = {"GL08", "SS01", "PR01", "PR02", "PR03", "PR04", "PR07", "RT01", "RT03", "YD01"}
ARRAY = re.compile(r"\b(Float|Int|Bool)Array\b|\bNDArray\b|\bndarray\b")
SHAPE = re.compile(r"shape|\(n,|\(M,|\(d,")


def public_names(module: ModuleType) -> list[str]:
    """Return the dotted names of the functions and classes a module defines for others, and of their public members."""
    names = []
    for name in _offered(module):
        thing = getattr(module, name)
        if not (inspect.isclass(thing) or inspect.isfunction(thing)) or thing.__module__ != module.__name__:
            continue
        names.append(f"{module.__name__}.{name}")
        members = () if inspect.isfunction(thing) or _is_interface(thing) else vars(thing).items()
        names += [f"{module.__name__}.{name}.{member}" for member, value in members if _is_public(member, value)]
    return names


def _offered(module: ModuleType) -> list[str]:
    """Return the names a module offers; a module of a package with ``__all__`` offers what the package passes on."""
    package = sys.modules[module.__name__.rpartition(".")[0] or module.__name__]
    own = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
    if package is module or package.__name__ == "emlib" or not hasattr(package, "__all__"):
        return list(own)
    return [name for name in own if vars(package).get(name) is vars(module)[name]]


def _is_public(name: str, value: Any) -> bool:
    kinds = (property, classmethod, staticmethod)
    return not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, kinds))


def _is_interface(thing: Any) -> bool:
    """Tell whether this is a protocol or an abstract method: what implements it says the rest."""
    return bool(getattr(thing, "_is_protocol", False) or getattr(thing, "__isabstractmethod__", False))


def problems(name: str) -> list[str]:
    """Return what the docstring of a dotted name lacks."""
    thing = pkgutil.resolve_name(name)
    if not inspect.getdoc(thing):
        return ["has no docstring"]
    if _is_interface(thing):
        return []
    if inspect.isclass(thing):
        return _class_problems(thing)
    found = [text for code, text in validate(name)["errors"] if code in CODES]
    if isinstance(thing, property):
        return found + _missing_raises([thing.fget], NumpyDocString(inspect.getdoc(thing)))
    doc = FunctionDoc(thing)
    return found + _missing_raises([thing], doc) + _missing_shapes(thing, doc)


def _class_problems(cls: type) -> list[str]:
    """Hold the fields of a dataclass and the parameters of a constructor against Parameters and Attributes."""
    doc = NumpyDocString(inspect.getdoc(cls) or "")
    documented = {item.name.strip("*"): item for item in _split(doc["Attributes"] + doc["Parameters"])}
    if dataclasses.is_dataclass(cls):
        expected = {field.name: str(field.type) for field in dataclasses.fields(cls)}
    elif "__init__" in vars(cls):
        expected = _parameters(vars(cls)["__init__"])
    else:
        expected = {}
    missing = [f"{field} is not documented" for field in expected if field not in documented]
    shapeless = [
        f"{field} is an array and states no shape"
        for field, annotation in expected.items()
        if field in documented and ARRAY.search(annotation) and not SHAPE.search(_text(documented[field]))
    ]
    constructors = [vars(cls)[method] for method in ("__init__", "__post_init__") if _written(cls, method)]
    return missing + shapeless + _missing_raises(constructors, doc)


def _written(cls: type, method: str) -> bool:
    """Tell whether a class has this method in its own source (a dataclass writes an ``__init__`` of its own)."""
    return method in vars(cls) and not (method == "__init__" and dataclasses.is_dataclass(cls))


def _parameters(function: Callable[..., Any]) -> dict[str, str]:
    parameters = list(inspect.signature(function).parameters.values())
    return {p.name: str(p.annotation) for p in parameters if p.name not in ("self", "cls")}


def _split(items: list[Any]) -> Iterator[Any]:
    """Yield one item for each of ``a, b : type``."""
    for item in items:
        yield from (item._replace(name=name) for name in item.name.split(", "))


def _text(item: Any) -> str:
    return f"{item.type} {' '.join(item.desc)}"


def _missing_shapes(function: Callable[..., Any], doc: NumpyDocString) -> list[str]:
    parameters = {item.name.strip("*"): item for item in _split(doc["Parameters"])}
    found = [
        f"parameter {name} is an array and states no shape"
        for name, annotation in _parameters(function).items()
        if name in parameters and ARRAY.search(annotation) and not SHAPE.search(_text(parameters[name]))
    ]
    gives = str(inspect.signature(function).return_annotation)
    if ARRAY.search(gives) and not any(SHAPE.search(_text(item)) for item in doc["Returns"] + doc["Yields"]):
        found.append("returns an array and states no shape")
    return found


def _missing_raises(functions: list[Any], doc: NumpyDocString) -> list[str]:
    """Compare the exceptions that the source raises by name with those of the Raises section."""
    documented = {name.strip() for item in doc["Raises"] for name in (item.type or item.name).split(",")}
    raised = {name for function in functions for name in _raised(function)}
    return [f"raises {name} and does not say so" for name in sorted(raised - documented)]


def _raised(function: Any) -> Iterator[str]:
    """Yield names of exceptions in the raise statements of a function, those in functions inside it left out."""
    [definition] = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function)))).body
    pending: list[ast.AST] = list(ast.iter_child_nodes(definition))
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = ast.unparse(raised).rsplit(".", 1)[-1]
            if name[0].isupper():  # a class; a variable holds what was raised elsewhere
                yield name
        pending.extend(ast.iter_child_nodes(node))
