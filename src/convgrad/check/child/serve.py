"""The child's loop: read a program, run its steps on the code under test, answer with raw values.

A program is a list of steps, each a dictionary with the key "do":

    load      the source; afterwards its names can be called
    let       keep a value under a name
    call      a function, a class or a method; the result is kept under "save"
    get       a value inside a kept one, by a path of attributes and items
    set       write a value there; "inplace" copies into the array that is there
    describe  every array inside a kept value, with its path
    forget    drop all kept values

It stops at the first step that fails and answers with the results so far and the failure.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import socket
import sys
import traceback
import warnings
from typing import Any

import numpy as np

from . import load, standins, wire

_ASARRAY, _NDARRAY, _FULL, _COPY = np.asarray, np.ndarray, np.full, np.ndarray.copy
DEEPEST, MOST = 4, 256


class Recorder:
    """An optimiser that keeps every array it is shown, and steps by plain gradient descent."""

    def __init__(self, rate: float) -> None:
        self.learning_rate = self.lr = self.alpha = self.eta = rate
        self.seen: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._record

    def __copy__(self) -> Recorder:
        return self

    def __deepcopy__(self, memo: object) -> Recorder:
        return self

    def __call__(self, *values: Any, **options: Any) -> Any:
        """Keep the arrays, step by gradient descent."""
        return self._record(*values, **options)

    def _record(self, *values: Any, **options: Any) -> Any:
        arrays = [a for a in (*values, *options.values()) if wire.is_array(a)]
        self.seen += [a.copy() for a in arrays]
        if len(arrays) == 2 and arrays[0].shape == arrays[1].shape:
            return arrays[0] - self.learning_rate * arrays[1]
        return self.learning_rate * arrays[0] if len(arrays) == 1 else None


_CONTEXT = re.compile(r"\w*(ctx|context)", re.IGNORECASE)


class Context:
    """What a forward pass keeps for the backward pass, in the style of autograd functions."""

    saved_tensors: tuple[Any, ...] = ()

    def save_for_backward(self, *values: Any) -> None:
        """Keep values."""
        self.saved_tensors = values

    def __getattr__(self, name: str) -> Any:
        """Other names of the same: `save(...)` and `saved`, `saved_variables`."""
        if name.startswith("saved"):
            return self.saved_tensors
        if name.startswith("save"):
            return self.save_for_backward
        raise AttributeError(f"a context has no {name!r}")


class Settings(dict[str, Any]):
    """A dictionary of options whose entries are attributes too."""

    def __getattr__(self, name: str) -> Any:
        """An entry."""
        if name in self:
            return self[name]
        raise AttributeError(f"no setting {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        """Write an entry."""
        self[name] = value


class Server:
    """The names of the code under test and the values kept between the steps."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = {}
        self._kept: dict[str, Any] = {}

    def run(self, program: list[dict[str, Any]]) -> dict[str, Any]:
        """The results of the steps, and the failure that ended them."""
        results: list[Any] = []
        for step in program:
            try:
                with warnings.catch_warnings(), np.errstate(all="ignore"):
                    warnings.simplefilter("ignore")
                    results.append(_snapshot(getattr(self, f"do_{step['do']}")(step)))
            except BaseException as error:  # noqa: BLE001  (SystemExit is a verdict too)
                return {"results": results, "failure": _failure(error)}
        return {"results": results, "failure": None}

    def do_load(self, step: dict[str, Any]) -> None:
        """Load the source."""
        options = {"run": step["run"], "python2": step["python2"]}
        self._names = load.load(step["source"], step["path"], step["folder"], **options)

    def do_let(self, step: dict[str, Any]) -> None:
        """Keep a value."""
        self._kept[step["save"]] = self._open(step["value"])

    def do_call(self, step: dict[str, Any]) -> Any:
        """Call a function, a class or a method."""
        _poison(step.get("fill", 0.0))
        base, *path = step["function"]
        # what was kept has names of ours, such as "forward", which the file may use as well
        owner = self._kept[base] if base == "object" and path else self._names[base]
        function = _follow(owner, path)
        values = [self._open(v) for v in step["values"]]
        options = {k: self._open(v) for k, v in step["options"].items()}
        self._tell_contexts(step["options"], options)
        result = function(*values, **options)
        if hasattr(result, "__next__"):
            result = list(result)
        if result is None and step.get("left"):
            result = _arrays_of(self._kept["object"])
        if "save" in step:
            self._kept[step["save"]] = result
        return None if step.get("quiet") else result

    def do_get(self, step: dict[str, Any]) -> Any:
        """Read a value inside a kept one."""
        return _follow(self._kept[step["of"]], step["path"])

    def do_set(self, step: dict[str, Any]) -> None:
        """Write a value inside a kept one."""
        *path, last = step["path"]
        owner = _follow(self._kept[step["of"]], path)
        value = self._open(step["value"])
        if step.get("inplace"):
            there = _follow(owner, [last])
            both = wire.is_array(there) and wire.is_array(value)
            same = both and there.shape == value.shape
            if same and there.flags.writeable and there.dtype.kind == "f":
                there[...] = value
                return
        if last[0] == "attribute":
            setattr(owner, last[1], value)
        else:
            owner[last[1]] = value

    def do_describe(self, step: dict[str, Any]) -> list[Any]:
        """Every array inside a kept value."""
        found: list[Any] = []
        _walk(self._kept[step["of"]], (), found, set())
        return found

    def do_forget(self, step: dict[str, Any]) -> None:
        """Drop all kept values."""
        del step
        self._kept.clear()

    def _tell_contexts(self, written: dict[str, Any], options: dict[str, Any]) -> None:
        """What is given beside a context is an attribute of it as well: `ctx.stride`."""
        for name, value in written.items():
            if not (isinstance(value, wire.Reference) and value.name == "context:"):
                continue
            for other, given in options.items():
                known = getattr(options[name], "__dict__", {})
                if other != name and other not in known and not wire.is_array(given):
                    with contextlib.suppress(AttributeError):
                        setattr(options[name], other, given)

    def _context(self) -> Any:
        """What the file has for a context, or ours."""
        for name, value in self._names.items():
            if isinstance(value, type) and _CONTEXT.fullmatch(name):
                with contextlib.suppress(Exception):
                    return value()
        return Context()

    def _open(self, value: Any) -> Any:
        if isinstance(value, wire.Reference):
            if value.name.startswith("recorder:"):
                return self._kept.setdefault(value.name, Recorder(float(value.name[9:])))
            if value.name.startswith("stand-in:"):
                return standins.STAND_INS[value.name.removeprefix("stand-in:")]()
            if value.name == "context:":
                return self._kept.setdefault(value.name, self._context())
            name, *path = value.name.split("/")
            return _follow(self._kept[name], [("item", int(p)) for p in path])
        if wire.is_list(value):
            return [self._open(v) for v in value]
        if wire.is_tuple(value):
            return tuple(self._open(v) for v in value)
        if wire.is_dict(value):
            return Settings({k: self._open(v) for k, v in value.items()})
        return value


_RESULT = re.compile(r"_?(\w*out(put)?s?\w*|result\w*|z|y|a|act\w*)", re.IGNORECASE)


def _arrays_of(value: Any) -> dict[str, Any]:
    """The arrays that an object has as attributes, first those whose names say a result."""
    own: dict[str, Any] = getattr(value, "__dict__", {})
    names = sorted(own, key=lambda name: _RESULT.fullmatch(name) is None)
    return {name: own[name] for name in names if wire.is_array(own[name])}


def _follow(value: Any, path: Any) -> Any:
    for kind, name in path:
        value = getattr(value, name) if kind == "attribute" else value[name]
    return value


def _walk(value: Any, path: tuple[Any, ...], found: list[Any], seen: set[int]) -> None:
    if len(found) >= MOST or len(path) > DEEPEST or id(value) in seen:
        return
    if value is None or isinstance(value, str):
        return
    if wire.is_array(value) or wire.is_scalar(value) or isinstance(value, (float, int)):
        if path:
            found.append((path, value))
        return
    if path and (wire.is_list(value) or wire.is_tuple(value)) and value and _is_numbers(value):
        found.append((path, value))
        return
    seen.add(id(value))
    for kind, name, child in _children(value, path):
        _walk(child, (*path, (kind, name)), found, seen)


def _children(value: Any, path: tuple[Any, ...]) -> list[tuple[str, Any, Any]]:
    if wire.is_dict(value):
        items = list(value.items())[:64]
        return [("item", k, v) for k, v in items if isinstance(k, (str, int))]
    if wire.is_list(value) or wire.is_tuple(value):
        return [("item", i, v) for i, v in enumerate(value[:64])]
    is_object = not isinstance(value, type) and (not path or not callable(value))
    if not is_object:
        return []
    own: dict[str, Any] = dict(getattr(value, "__dict__", {}))
    own |= {name: getattr(value, name) for name in _slots(value) if hasattr(value, name)}
    return [("attribute", k, v) for k, v in own.items()]


def _slots(value: Any) -> list[str]:
    """Attributes of a class with __slots__, which have no dictionary."""
    kinds: tuple[type, ...] = value.__class__.__mro__
    found: list[str] = []
    for kind in kinds:
        slots: Any = kind.__dict__.get("__slots__", ())
        found += [slots] if isinstance(slots, str) else [n for n in slots if isinstance(n, str)]
    return [name for name in found if not name.startswith("__")]


def _snapshot(value: Any, depth: int = 0) -> Any:
    """A copy of the arrays, which a later step may write into."""
    if wire.is_array(value):
        return _COPY(value)
    if depth < DEEPEST:
        if wire.is_list(value):
            return [_snapshot(v, depth + 1) for v in value]
        if wire.is_tuple(value):
            return tuple(_snapshot(v, depth + 1) for v in value)
        if wire.is_dict(value):
            return {k: _snapshot(v, depth + 1) for k, v in value.items()}
    return value


def _is_numbers(value: Any) -> bool:
    while (wire.is_list(value) or wire.is_tuple(value)) and value:
        value = value[0]
    return isinstance(value, (int, float))


def _failure(error: BaseException) -> dict[str, Any]:
    every = traceback.extract_tb(error.__traceback__)
    frames = [f for f in every if "/check/child/" not in f.filename]
    lines = [[f.filename, f.lineno or 0, f.name] for f in frames]
    return {
        "kind": type(error).__name__,
        "text": str(error)[:500],
        "lines": lines,
    }


def _poison(fill: float) -> None:
    """np.empty gives memory that holds `fill`, so that nothing depends on what lay there before."""

    def value_for(kind: np.dtype[Any]) -> Any:
        return fill if kind.kind in "fc" else int(fill) % 128 if kind.kind in "iu" else False

    def empty(shape: Any, dtype: Any = float, *_: Any, **__: Any) -> Any:
        kind = np.dtype(dtype)
        if kind.kind not in "fciub":
            return _EMPTY(shape, kind)
        return _FULL(shape, value_for(kind), kind)

    def empty_like(prototype: Any, dtype: Any = None, *_: Any, shape: Any = None, **__: Any) -> Any:
        like = _ASARRAY(prototype)
        return empty(like.shape if shape is None else shape, like.dtype if dtype is None else dtype)

    np.empty, np.empty_like = empty, empty_like


_EMPTY = np.empty


def main() -> None:
    """Serve programs until the parent closes the channel."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    server = Server()
    setup = _receive(channel)
    from .limits import isolate

    # Imported before the limits, because scipy maps many libraries.
    put, number = isolate(setup["scratch"], setup["memory"], setup["seconds"])
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    sys.stdin = io.StringIO()
    _send(channel, {"token": setup["token"], "put": put, "process": number})
    while (request := _receive(channel)) is not None:
        answer = server.run(request["program"])
        answer["token"] = request["token"]
        _send(channel, answer)


def _receive(channel: socket.socket) -> Any:
    prefix = _exactly(channel, 20)
    if not prefix:
        return None
    header, body = wire.read_sizes(prefix)
    return wire.decode(_exactly(channel, header), _exactly(channel, body))


def _exactly(channel: socket.socket, count: int) -> bytes:
    parts: list[bytes] = []
    while count:
        part = channel.recv(min(count, 2**20))
        if not part:
            return b""
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _send(channel: socket.socket, value: Any) -> None:
    channel.sendall(wire.encode(value))
