"""Memory of large results, used again when the array that it was lent to is gone.

A result of more than 32 MB, or several together, comes from the system in fresh pages every time
and goes back to it: writing 100 MB then takes three times as long.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Memory = NDArray[np.uint8]

LEAST = 1 << 20
"""Bytes from which memory is kept; smaller pieces the allocator itself keeps."""

ALIGN = 64


class _Lent:
    """What an array's memory belongs to: when the array and its views are gone, so is this."""

    def __init__(
        self, shelf: Shelf, memory: Memory, shape: Sequence[int], dtype: np.dtype[Any]
    ) -> None:
        at = memory.ctypes.data
        self._shelf, self._memory = shelf, memory
        self.__array_interface__ = {
            "version": 3,
            "shape": tuple(shape),
            "typestr": dtype.str,
            "data": (at + -at % ALIGN, False),
        }

    def __del__(self) -> None:
        self._shelf.give(self._memory)


class Shelf:
    """Memory without an array, by its size.

    An array may end anywhere, even while another one is being made here. So there is no lock:
    every change is one step of a list or a dictionary.
    """

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self._free: dict[int, list[Memory]] = {}

    @property
    def idle(self) -> int:
        """Bytes that lie here."""
        return sum(room * len(memories) for room, memories in list(self._free.items()))

    def array(self, shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
        """A new array, its entries not set."""
        size = prod(shape) * dtype.itemsize
        if size < LEAST:
            return np.empty(shape, dtype)
        room = _room(size)
        try:
            memory = self._free[room].pop()
        except (KeyError, IndexError):
            memory = np.empty(room, np.uint8)
        return np.asarray(_Lent(self, memory, shape, dtype))

    def give(self, memory: Memory) -> None:
        """Keep memory; where more than the bound would lie idle, small pieces go first."""
        if memory.size <= self.bound:
            self._free.setdefault(memory.size, []).append(memory)
            self._shrink()

    def restrict(self, bound: int) -> None:
        """Keep no more than so many bytes from now on."""
        self.bound = bound
        self._shrink()

    def _shrink(self) -> None:
        while self.idle > self.bound:
            for room in sorted(self._free):
                try:
                    self._free[room].pop()
                    break
                except IndexError:
                    continue


def _room(size: int) -> int:
    """Bytes to take for so many: one of four sizes between two powers of two.

    So results of nearly one size share memory. What is not written to takes no memory.
    """
    step = max(1 << ((size + ALIGN).bit_length() - 3), ALIGN)
    return -(-(size + ALIGN) // step) * step


RESULTS = Shelf(bound=256 << 20)
