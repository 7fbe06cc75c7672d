"""Memory of large results, used again when the array that it was lent to is gone.

A result of more than 32 MB, or several together, comes from the system in fresh pages every time
and goes back to it: writing 100 MB then takes three times as long.
"""

from __future__ import annotations

import weakref
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from convgrad.kernels.locks import ForkLock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Memory = NDArray[np.uint8]

LEAST = 1 << 20
"""Bytes from which memory is kept; smaller pieces the allocator itself keeps."""

ALIGN = 64


class _Lent:
    """What an array's memory belongs to: when the array and its views are gone, so is this."""

    def __init__(self, memory: Memory, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
        at = memory.ctypes.data
        self.__array_interface__ = {
            "version": 3,
            "shape": tuple(shape),
            "typestr": dtype.str,
            "data": (at + -at % ALIGN, False),
        }


class _Loan(weakref.ref[_Lent]):
    """Memory that is lent, kept alive until its array has ended."""

    memory: Memory


class Shelf:
    """Memory for results, as much as the bound allows, lent and idle together.

    An array may end at any moment, even while another one is being made here, and an interrupt
    that falls into a finaliser is lost. So an end only appends to a list, which is one step of
    the interpreter's own, and the list is looked through when the next array is made.
    """

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self._lock = ForkLock()
        self._idle: list[Memory] = []
        self._loans: dict[int, _Loan] = {}
        self._ended: list[_Loan] = []

    @property
    def idle(self) -> int:
        """Bytes that lie here and belong to no array."""
        with self._lock.held:
            self._collect()
            return sum(memory.size for memory in self._idle)

    def maker(self, shape: Sequence[int], dtype: np.dtype[Any]) -> Callable[[], NDArray[Any]]:
        """What makes new arrays of a shape and type."""
        small = prod(shape) * dtype.itemsize < LEAST
        return partial(np.empty if small else self.array, shape, dtype)

    def array(self, shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
        """A new array, its entries not set."""
        size = prod(shape) * dtype.itemsize
        if size < LEAST:
            return np.empty(shape, dtype)
        room = _room(size)
        with self._lock.held:
            self._collect()
            memory = self._take(room)
            if memory is None:
                return np.empty(shape, dtype)
            lent = _Lent(memory, shape, dtype)
            loan = _Loan(lent, self._ended.append)
            loan.memory = memory
            self._loans[id(loan)] = loan
        return np.asarray(lent)

    def _collect(self) -> None:
        """Take back what is lent to arrays that have ended."""
        while self._ended:
            loan = self._ended.pop()
            if self._loans.pop(id(loan), None) is not None:
                self._idle.append(loan.memory)

    def _take(self, room: int) -> Memory | None:
        """Memory of this size, idle or new; None where the bound leaves no room for it."""
        for place, memory in enumerate(self._idle):
            if memory.size == room:
                return self._idle.pop(place)
        lent = sum(loan.memory.size for loan in self._loans.values())
        if lent + room > self.bound:
            return None
        self._shrink(self.bound - lent - room)
        return np.empty(room, np.uint8)

    def restrict(self, bound: int) -> None:
        """Keep no more than so many bytes from now on."""
        with self._lock.held:
            self.bound = bound
            self._collect()
            self._shrink(bound)

    def _shrink(self, most: int) -> None:
        """Give idle memory back to the system, the longest idle first, until so much is left."""
        while sum(memory.size for memory in self._idle) > most:
            self._idle.pop(0)


def _room(size: int) -> int:
    """Bytes to take for so many: one of four sizes between two powers of two.

    So results of nearly one size share memory. What is not written to takes no memory.
    """
    step = max(1 << ((size + ALIGN).bit_length() - 3), ALIGN)
    return -(-(size + ALIGN) // step) * step


RESULTS = Shelf(bound=256 << 20)
