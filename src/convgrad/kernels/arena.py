"""Workspace memory: kept and reused, because fresh pages cost more than the arithmetic."""

from __future__ import annotations

from bisect import insort
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from convgrad.kernels.locks import ForkLock

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

ALIGN = 64


def _size(block: NDArray[np.uint8]) -> int:
    return block.nbytes


class Arena:
    """Blocks that calls borrow; as many are kept as the bound allows."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.idle = 0
        self._lock = ForkLock()
        self._free: list[NDArray[np.uint8]] = []

    def take(self, size: int) -> NDArray[np.uint8]:
        """A block of at least so many bytes, and room to align its beginning."""
        with self._lock.held:
            for place, block in enumerate(self._free):
                if block.nbytes >= size + ALIGN:
                    self.idle -= block.nbytes
                    return self._free.pop(place)
        return np.empty(size + ALIGN, np.uint8)

    def give(self, block: NDArray[np.uint8]) -> None:
        """Return a block: kept, unless more than the bound would lie idle; small ones go first."""
        with self._lock.held:
            insort(self._free, block, key=_size)
            self.idle += block.nbytes
            while self.idle > self.bound:
                self.idle -= self._free.pop(0).nbytes

    def clear(self) -> None:
        """Give all idle memory back to the system."""
        with self._lock.held:
            self._free.clear()
            self.idle = 0

    @contextmanager
    def borrow(self, size: int) -> Generator[int]:
        """The address of so many bytes, aligned to a cache line."""
        block = self.take(size)
        try:
            address = block.ctypes.data
            yield address + -address % ALIGN
        finally:
            self.give(block)


WORKSPACE = Arena(bound=256 << 20)
