"""Calls seen before: what checking the arrays and describing the layer found out, kept.

Describing a layer takes longer than running a small one. The key of a call is the shapes and types
of its arrays and its options as they are written, for 1, 1.0 and True are equal but not one option:
with their types where all are numbers and words, or else as text, which takes longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable

Made = TypeVar("Made")

LIMIT = 4096
_FLAT = frozenset({int, bool, str})
_seen: dict[Hashable, object] = {}


def key(name: str, options: tuple[object, ...], *arrays: object) -> Hashable:
    """The key of a call; None where an array is a list, or of a kind of its own."""
    kinds = tuple(map(type, options))
    written = (options, kinds) if _FLAT.issuperset(kinds) else repr(options)
    parts: list[Hashable] = [name, written]
    for array in arrays:
        if type(array) is np.ndarray:
            parts.append(array.shape)
            parts.append(array.dtype)
        elif array is None:
            parts.append(None)
        else:
            return None
    return tuple(parts)


def seen(at: Hashable, kind: type[Made]) -> Made | None:
    """What was made of an equal call before; `kind` tells its type."""
    del kind
    return cast("Made | None", _seen.get(at))


def kept(at: Hashable, made: Made) -> Made:
    """Keep what was made of a call, and return it."""
    if at is not None:
        if len(_seen) >= LIMIT:
            _seen.clear()
        _seen[at] = made
    return made


def forget() -> None:
    """Forget every call; the next one of each is checked and planned anew."""
    _seen.clear()
