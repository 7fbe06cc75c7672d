"""Python values and arrays as bytes, without pickle: nothing that is read can run code.

A message is a line of JSON that describes the value, then the raw bytes of its arrays.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

MAGIC = b"cgrd"
LARGEST_MESSAGE = 64 * 2**20
LARGEST_HEADER = 16 * 2**20  # each of its bytes may cost ten as a value
DEEPEST = 10
LONGEST = 4096  # entries of a list or a dictionary
LONGEST_TEXT = 2**22  # a source travels whole


class WireError(Exception):
    """Bytes that are not a message."""


@dataclass(frozen=True)
class Reference:
    """A value that stays in the child, by its name there."""

    name: str


@dataclass(frozen=True)
class Opaque:
    """A value that is not sent, by the name of its class."""

    kind: str


# The originals: the code under test may replace the names in numpy.
_NDARRAY, _GENERIC, _ASARRAY, _TOBYTES = np.ndarray, np.generic, np.asarray, np.ndarray.tobytes


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a value is a list, of whatever."""
    return isinstance(value, list)


def is_tuple(value: object) -> TypeGuard[tuple[Any, ...]]:
    """Whether a value is a tuple, of whatever."""
    return isinstance(value, tuple)


def is_dict(value: object) -> TypeGuard[dict[Any, Any]]:
    """Whether a value is a dictionary, of whatever."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[np.ndarray[Any, np.dtype[Any]]]:
    """Whether a value is an array, whatever the code under test has done to numpy's names."""
    return isinstance(value, _NDARRAY)


def is_scalar(value: object) -> TypeGuard[Any]:
    """Whether a value is one of numpy's numbers."""
    return isinstance(value, _GENERIC)


def encode(value: object) -> bytes:
    """A value of None, numbers, texts, lists, tuples, dictionaries and arrays as a message."""
    buffers: list[bytes] = []
    header = json.dumps(_pack(value, buffers, 0), allow_nan=True).encode()
    body = b"".join(buffers)
    return MAGIC + struct.pack("<QQ", len(header), len(body)) + header + body


def _pack(value: Any, buffers: list[bytes], depth: int) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"s": str(value)[:LONGEST_TEXT]}
    if isinstance(value, int) and not isinstance(value, _GENERIC):
        return {"n": int(value)} if abs(int(value)) < 2**63 else {"o": "int"}
    if isinstance(value, float) and not isinstance(value, _GENERIC):
        return {"n": float(value)}
    if isinstance(value, Reference):
        return {"r": value.name}
    if isinstance(value, Opaque):
        return {"o": value.kind}
    if is_scalar(value) and value.dtype.kind in "fiub":
        return {"n": float(value)}
    if is_array(value) or is_scalar(value):
        return _pack_array(value, buffers)
    if depth < DEEPEST:
        if is_dict(value):
            items = list(value.items())[:LONGEST]
            return {
                "d": [
                    [_pack(k, buffers, depth + 1), _pack(v, buffers, depth + 1)] for k, v in items
                ]
            }
        if is_list(value):
            return {"l": [_pack(v, buffers, depth + 1) for v in value[:LONGEST]]}
        if is_tuple(value):
            return {"t": [_pack(v, buffers, depth + 1) for v in value[:LONGEST]]}
    return {"o": type(value).__name__[:LONGEST]}


def _pack_array(value: Any, buffers: list[bytes]) -> object:
    array = _ASARRAY(value)
    if array.dtype.kind not in "fiubc" or array.nbytes > LARGEST_MESSAGE // 4:
        return {"o": f"array of {array.dtype} {array.shape}"}
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("="))
    buffers.append(_TOBYTES(array))
    return {"a": len(buffers[-1]), "k": array.dtype.str, "z": list(array.shape)}


def read_sizes(prefix: bytes) -> tuple[int, int]:
    """Sizes of the header and the body that follow the first 20 bytes of a message."""
    if len(prefix) != 20 or prefix[:4] != MAGIC:
        raise WireError("not a message")
    header, body = struct.unpack("<QQ", prefix[4:])
    if header > LARGEST_HEADER or header + body > LARGEST_MESSAGE:
        raise WireError(f"a message of {header + body} bytes")
    return header, body


def decode(header: bytes, body: bytes) -> Any:
    """The value of a message."""
    try:
        value, used = _unpack(json.loads(header), body, 0)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise WireError(str(error)) from None
    if used != len(body):
        raise WireError("left-over bytes")
    return value


def _unpack(item: Any, body: bytes, at: int) -> tuple[Any, int]:
    if item is None or isinstance(item, bool):
        return item, at
    if "a" in item:
        shape = tuple(int(n) for n in item["z"])
        kind = np.dtype(item["k"])
        length = int(item["a"])
        if kind.kind not in "fiubc" or length != kind.itemsize * int(np.prod(shape, dtype=object)):
            raise WireError("an array whose bytes do not fit its shape")
        return np.frombuffer(body[at : at + length], kind).reshape(shape).copy(), at + length
    for tag, make in (("n", _same), ("s", str), ("r", Reference), ("o", Opaque)):
        if tag in item:
            return make(item[tag]), at
    if "d" in item:
        mapping: dict[Any, Any] = {}
        for packed_key, packed in item["d"]:
            key, at = _unpack(packed_key, body, at)
            entry, at = _unpack(packed, body, at)
            mapping[key] = entry
        return mapping, at
    tag = "l" if "l" in item else "t"
    entries: list[Any] = []
    for packed in item[tag]:
        entry, at = _unpack(packed, body, at)
        entries.append(entry)
    return (entries if tag == "l" else tuple(entries)), at


def _same(value: Any) -> Any:
    if not isinstance(value, (int, float)):
        raise WireError("not a number")
    return value
