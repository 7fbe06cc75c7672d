"""Workspace memory: kept and reused, because fresh pages cost more than the arithmetic."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

ALIGN = 64


class Arena:
    """Blocks that calls borrow; as many are kept as the bound allows."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self._lock = threading.Lock()
        self._free: list[NDArray[np.uint8]] = []

    def take(self, size: int) -> NDArray[np.uint8]:
        """A block of at least so many bytes."""
        with self._lock:
            fitting = [n for n, block in enumerate(self._free) if block.size >= size + ALIGN]
            if fitting:
                return self._free.pop(min(fitting, key=lambda n: self._free[n].size))
        return np.empty(size + ALIGN, np.uint8)

    def give(self, block: NDArray[np.uint8]) -> None:
        """Return a block: kept, unless more than the bound would lie idle; small ones go first."""
        with self._lock:
            self._free.append(block)
            self._free.sort(key=lambda free: free.size)
            while sum(free.size for free in self._free) > self.bound:
                self._free.pop(0)

    def clear(self) -> None:
        """Give all idle memory back to the system."""
        with self._lock:
            self._free.clear()

    @property
    def idle(self) -> int:
        """Bytes kept for later calls."""
        return sum(free.size for free in self._free)

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
