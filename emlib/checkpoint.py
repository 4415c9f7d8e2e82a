"""The state of a run in a file, from which it goes on to the same bits.

The file is NumPy's ``.npz``: arrays, and a header of JSON. Reading it runs no code (no pickle): classes come from the
start that the user passes, never from the file. It is written beside its place and renamed, so that whatever moment a
process dies at, the file is whole: of this iteration or of the one before.

Saved are the parameters, the trace and what an accelerator remembers; the statistics are not, since one E-step brings
them back. That E-step must also give the saved log-likelihood, bit for bit: other data do not.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import types
import zipfile
from collections import deque
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from emlib._types import FloatArray

FORMAT = "emlib checkpoint 1"


@dataclass(frozen=True, eq=False)
class Saved:
    """What :func:`read` found: the state after an iteration.

    Attributes
    ----------
    theta : object
        The parameters.
    log_likelihood : float
        Their log-likelihood, in nats.
    trace : ndarray of shape (number + 1,)
        The objective after each iteration.
    e_steps, m_steps : int
        Evaluations so far.
    path : dict or None
        What the accelerator remembers, as :func:`restore` takes it.
    arrays : list
        Arrays of any shapes, to which `path` refers.
    """

    theta: Any
    log_likelihood: float
    trace: FloatArray
    e_steps: int
    m_steps: int
    path: dict[str, Any] | None
    arrays: list[NDArray[Any]]


def write(
    path: str | os.PathLike[str],
    identity: dict[str, Any],
    *,
    theta: Any,
    log_likelihood: float,
    trace: list[float],
    e_steps: int,
    m_steps: int,
    accelerator: Any = None,
) -> None:
    """Save the state of a run; the file is replaced as a whole.

    Parameters
    ----------
    path : str or path
        Where to.
    identity : dict
        Of the run, from :func:`identity_of`.
    theta : object
        The parameters: arrays, numbers, strings, tuples, lists and dataclasses of them.
    log_likelihood : float
        Their log-likelihood, in nats.
    trace : list of float
        The objective after each iteration.
    e_steps, m_steps : int
        Evaluations so far.
    accelerator : Path, optional
        The path of an accelerator, which names in ``remembers`` the attributes to save.

    Raises
    ------
    TypeError
        If parameters or accelerator hold something that cannot be saved.
    """
    arrays: list[NDArray[Any]] = [np.array(trace)]
    header = {
        "format": FORMAT,
        "identity": identity,
        "theta": _encode(theta, arrays),
        "log_likelihood": float(log_likelihood).hex(),
        "e_steps": e_steps,
        "m_steps": m_steps,
        "path": None if accelerator is None else _encode_path(accelerator, arrays),
    }
    buffer = io.BytesIO()
    named: dict[str, Any] = {f"a{k}": array for k, array in enumerate(arrays)}
    np.savez(buffer, header=np.array(json.dumps(header)), **named)
    partial = Path(f"{path}.partial")
    with partial.open("wb") as file:
        file.write(buffer.getvalue())
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read(path: str | os.PathLike[str], identity: dict[str, Any], like: Any) -> Saved:
    """Read the state of a run.

    Parameters
    ----------
    path : str or path
        Where from.
    identity : dict
        Of the run that is to go on.
    like : object
        The start of that run: the parameters get its classes and must have its shapes.

    Returns
    -------
    Saved
        The state.

    Raises
    ------
    FileNotFoundError
        If there is no file.
    ValueError
        If it is no checkpoint, or one of another model, start or accelerator.
    """
    try:
        with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            arrays = [file[f"a{k}"] for k in range(len(file.files) - 1)]
        if header["format"] != FORMAT:
            raise ValueError(f"its format is {header['format']!r}")
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no checkpoint {path} to resume from: start without resume") from None
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no checkpoint that this version of emlib wrote: {error}") from error
    for part, found in header["identity"].items():
        if identity.get(part) != found:
            raise ValueError(
                f"{path} was saved by a run with another {part}: {_difference(found, identity.get(part))}. "
                f"Resume with the {part} that the run began with"
            )
    return Saved(
        theta=_decode(header["theta"], like, arrays),
        log_likelihood=float.fromhex(header["log_likelihood"]),
        trace=arrays[0],
        e_steps=header["e_steps"],
        m_steps=header["m_steps"],
        path=header["path"],
        arrays=arrays,
    )


def restore(accelerator: Any, saved: Saved) -> None:
    """Give a fresh path of an accelerator the memory of the saved one.

    Parameters
    ----------
    accelerator : Path
        The path, begun at the saved parameters.
    saved : Saved
        From :func:`read`.
    """
    for name, code in (saved.path or {}).items():
        setattr(accelerator, name, _decode(code, getattr(accelerator, name), saved.arrays))


def identity_of(model: Any, start: Any, accelerator: Any = None) -> dict[str, Any]:
    """Return what tells one run from another, but for the data.

    Parameters
    ----------
    model : EMModel
        The model.
    start : object
        The parameters that the run began with.
    accelerator : Accelerator, optional
        The accelerator.

    Returns
    -------
    dict
        The description of each.
    """
    return {"model": describe(model), "start": describe(start), "accelerator": describe(accelerator)}


def describe(value: Any) -> Any:
    """Return what an object is made of as JSON values, the same in every process.

    Parameters
    ----------
    value : object
        A model, an accelerator or parameters.

    Returns
    -------
    object
        Names of classes with their public attributes; of an array a hash; of a function its name. Attributes that a
        class lists in ``no_identity`` do not enter.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        content = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]
        return f"{array.dtype} array of shape {array.shape}, sha256 {content}"
    if isinstance(value, (list, tuple)):
        return [describe(item) for item in value]
    if isinstance(value, (types.FunctionType, types.MethodType, types.BuiltinFunctionType, type)):
        return f"{value.__module__}.{value.__qualname__}"
    found = {"class": f"{type(value).__module__}.{type(value).__qualname__}"}
    names = _parts(value) if is_dataclass(value) else sorted(getattr(value, "__dict__", {}))
    left_out = getattr(type(value), "no_identity", ())
    for name in names:
        computed = isinstance(getattr(type(value), name, None), cached_property)
        if not (name.startswith("_") or name in left_out or computed):
            found[name] = describe(getattr(value, name))
    return found


def _parts(value: Any) -> list[str]:
    """Return the fields of a dataclass, and what else its class lists in ``remembers``."""
    return [field.name for field in fields(value)] + list(getattr(type(value), "remembers", ()))


def _difference(saved: Any, now: Any, where: str = "") -> str:
    """Return the first difference of two descriptions in words."""
    if isinstance(saved, dict) and isinstance(now, dict) and saved.keys() == now.keys():
        name = next(name for name in saved if saved[name] != now[name])
        return _difference(saved[name], now[name], f"{where}.{name}" if where else name)
    return f"{where + ' was ' if where else 'it was '}{saved}, now it is {now}"


def _encode(value: Any, arrays: list[NDArray[Any]]) -> Any:
    """Return a value as JSON that refers to ``arrays``, which grow."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float) and not isinstance(value, np.generic):
        return {"float": value.hex()}
    if isinstance(value, (np.ndarray, np.generic)) and np.asarray(value).dtype.kind in "biuf":
        arrays.append(np.asarray(value))
        return {"array": len(arrays) - 1}
    if isinstance(value, (tuple, list, deque)):
        return {"items": [_encode(item, arrays) for item in value]}
    if is_dataclass(value):
        return {"fields": {name: _encode(getattr(value, name), arrays) for name in _parts(value)}}
    raise TypeError(
        f"a {type(value).__qualname__} cannot be saved in a checkpoint: parameters may hold arrays of numbers, "
        "numbers, strings, tuples, lists, and dataclasses of them"
    )


def _decode(code: Any, like: Any, arrays: list[NDArray[Any]]) -> Any:
    """Return the value of a code; its classes are those of ``like``."""
    if not isinstance(code, dict):
        return code
    if "float" in code:
        return float.fromhex(code["float"])
    if "array" in code:
        array = arrays[code["array"]]
        array.flags.writeable = isinstance(like, np.ndarray) and like.flags.writeable
        return array
    if "items" in code:
        likes = like if isinstance(like, (tuple, list)) else [None] * len(code["items"])
        items = [_decode(item, one, arrays) for item, one in zip(code["items"], likes, strict=True)]
        if isinstance(like, deque):
            return deque(items, maxlen=like.maxlen)
        return items if isinstance(like, list) else tuple(items)
    content = {name: _decode(item, getattr(like, name), arrays) for name, item in code["fields"].items()}
    if not is_dataclass(like):
        vars(like).update(content)
        return like
    value = object.__new__(type(like))
    for name, item in content.items():
        object.__setattr__(value, name, item)
    return value


def _encode_path(path: Any, arrays: list[NDArray[Any]]) -> dict[str, Any]:
    """Return what a path remembers; a part of it with ``remembers`` of its own is saved by its attributes."""
    names = getattr(path, "remembers", None)
    if names is None:
        raise TypeError(
            f"a run of {type(path).__qualname__} cannot be saved in a checkpoint: it does not list in `remembers` the "
            "attributes to save"
        )
    found = {}
    for name in names:
        value = getattr(path, name)
        nested = hasattr(type(value), "remembers")
        found[name] = {"fields": _encode_path(value, arrays)} if nested else _encode(value, arrays)
    return found
