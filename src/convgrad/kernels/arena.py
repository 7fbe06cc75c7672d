"""Workspace memory: kept and reused, because fresh pages cost more than the arithmetic."""

from __future__ import annotations

from bisect import bisect_left
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from convgrad.kernels.address import address
from convgrad.kernels.locks import ForkLock

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

ALIGN = 64


class Block:
    """Memory that a call borrows.

    Attributes:
        size: bytes that may be used.
        begin: the address of the first one, at the beginning of a cache line.
    """

    def __init__(self, memory: NDArray[np.uint8]) -> None:
        at = address(memory)
        self.memory = memory
        self.begin = at + -at % ALIGN
        self.size = memory.nbytes - ALIGN


class Arena:
    """Blocks that calls borrow; as many are kept as the bound allows."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.idle = 0
        self._lock = ForkLock()
        self._sizes: list[int] = []  # of the free blocks, ascending
        self._free: list[Block] = []

    def take(self, size: int) -> Block:
        """The smallest free block of at least so many bytes, or a new one.

        Raises:
            MemoryError: with the size, where there is no memory.
        """
        with self._lock.held:
            place = bisect_left(self._sizes, size)
            if place < len(self._sizes):
                self.idle -= self._sizes.pop(place)
                return self._free.pop(place)
        try:
            # zeros: a lane that is computed in vain takes long over a denormal number
            return Block(np.zeros(size + ALIGN, np.uint8))
        except (MemoryError, ValueError) as error:
            raise MemoryError(f"no memory for a workspace of {size:,} bytes") from error

    def give(self, block: Block) -> None:
        """Return a block: kept, unless more than the bound would lie idle; small ones go first."""
        with self._lock.held:
            place = bisect_left(self._sizes, block.size)
            self._sizes.insert(place, block.size)
            self._free.insert(place, block)
            self.idle += block.size
            self._shrink()

    def restrict(self, bound: int) -> None:
        """Keep no more than so many bytes from now on."""
        with self._lock.held:
            self.bound = bound
            self._shrink()

    def _shrink(self) -> None:
        while self.idle > self.bound:
            self.idle -= self._sizes.pop(0)
            self._free.pop(0)

    @contextmanager
    def borrow(self, size: int) -> Generator[int]:
        """The address of so many bytes, aligned to a cache line."""
        block = self.take(size)
        try:
            yield block.begin
        finally:
            self.give(block)


WORKSPACE = Arena(bound=256 << 20)
