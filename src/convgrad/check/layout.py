"""Layouts: in which order the axes of an array lie in someone's code.

A layout is a text of letters: N sample, C channel, K filter, D depth, H height, W width, and 1 for
an axis of length one. Letters in brackets lie flattened on one axis; a letter that is absent has
length one and no axis.

>>> import numpy as np
>>> arrange(np.zeros((2, 3, 5, 6)), "NCHW", "NHWC").shape
(2, 5, 6, 3)
>>> arrange(np.zeros((4, 3, 2, 2)), "KCHW", "K(CHW)").shape
(4, 12)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

_PART = re.compile(r"\(([A-Z]+)\)|([A-Z1])")


def parts_of(layout: str) -> list[str]:
    """The axes of a layout, each with the letters that lie on it.

    >>> parts_of("K(CHW)")
    ['K', 'CHW']
    """
    return [m.group(1) or m.group(2) for m in _PART.finditer(layout)]


def arrange(array: Array, axes: str, layout: str) -> Array:
    """The array, whose axes are `axes`, in the order of a layout."""
    parts = parts_of(layout)
    order = [axes.index(letter) for part in parts for letter in part if letter != "1"]
    dropped = [i for i in range(len(axes)) if i not in order]
    if any(array.shape[i] != 1 for i in dropped):
        raise ValueError(f"{array.shape} has more than one entry on an axis that {layout} lacks")
    sizes = dict(zip(axes, array.shape, strict=True)) | {"1": 1}
    shape = [int(np.prod([sizes[letter] for letter in part])) for part in parts]
    return np.ascontiguousarray(array.transpose(order + dropped).reshape(shape))


def restore(array: Array, axes: str, layout: str, sizes: tuple[int, ...]) -> Array | None:
    """The array of someone's code with the axes in our order, or None where it cannot be.

    An array of the right rank whose lengths are wrong keeps its lengths.
    """
    length = dict(zip(axes, sizes, strict=True)) | {"1": 1}
    parts = parts_of(layout)
    letters = [letter for part in parts for letter in part]
    expected = tuple(int(np.prod([length[c] for c in part])) for part in parts)
    present = [c for c in letters if c != "1"]
    if array.shape == expected:
        array = array.reshape([length[c] for c in present])
    elif array.ndim == len(parts) and all(len(p) == 1 for p in parts):
        ones = tuple(i for i, p in enumerate(parts) if p == "1")
        if any(array.shape[i] != 1 for i in ones):
            return None
        array = array.reshape([n for i, n in enumerate(array.shape) if i not in ones])
    else:
        return None
    missing = [c for c in axes if c not in present]
    array = array.reshape(array.shape + (1,) * len(missing))
    order = present + missing
    return array.transpose([order.index(c) for c in axes])


def fits(shape: tuple[int, ...], axes: str, layout: str, sizes: tuple[int, ...]) -> bool:
    """Whether an array of this shape has exactly the lengths that the layout asks for."""
    length = dict(zip(axes, sizes, strict=True)) | {"1": 1}
    parts = parts_of(layout)
    letters = {c for part in parts for c in part}
    if any(n != 1 for c, n in length.items() if c not in letters):
        return False
    return shape == tuple(int(np.prod([length[c] for c in part])) for part in parts)
