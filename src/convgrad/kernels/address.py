"""Where an array's elements lie, and that they lie in C order."""

from __future__ import annotations

import sys
from ctypes import c_void_p
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

HEAD = object.__basicsize__
"""Bytes of an object in front of what its type adds."""

_word = c_void_p.from_address


def _listed(array: NDArray[Any]) -> int:
    """As NumPy lists it, among much else that takes longer than a small pass."""
    return array.__array_interface__["data"][0]


def _first_word(array: NDArray[Any]) -> int:
    """The first word behind the object's head.

    NumPy's binary interface has the address there: the macro PyArray_DATA reads it in every
    extension that was ever compiled, so its place cannot change.
    """
    return _word(id(array) + HEAD).value or 0


def _quickest() -> Callable[[NDArray[Any]], int]:
    """Reading the word, where an object's identity is its address and the word is the right one."""
    if sys.implementation.name != "cpython":
        return _listed
    trials = (np.zeros(3), np.zeros((2, 5))[:, 1:], np.zeros(0))
    return _first_word if all(_first_word(a) == _listed(a) for a in trials) else _listed


address = _quickest()
"""The address of an array's first element."""


def plain(array: NDArray[Any]) -> NDArray[Any]:
    """The array in C order, copied only where it is not."""
    flags = array.flags
    if flags.c_contiguous and flags.aligned:
        return array
    return np.array(array, order="C")
