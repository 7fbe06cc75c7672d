"""Workspace memory: kept and reused, because fresh pages cost more than the arithmetic."""

from __future__ import annotations

from bisect import bisect_left, insort
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
        self._lock = ForkLock()
        # An interrupt can fall between any two steps: one list that each step leaves whole, and a
        # count that may be too large after one, but never too small.
        self._free: list[tuple[int, int, Block]] = []  # size, a tie-break, and the block
        self._most = 0

    @property
    def idle(self) -> int:
        """Bytes that lie here."""
        return sum(size for size, _, _ in self._free)

    def take(self, size: int) -> Block:
        """The smallest free block of at least so many bytes, or a new one.

        Raises:
            MemoryError: with the size, where there is no memory.
        """
        with self._lock.held:
            place = bisect_left(self._free, (size,))
            if place < len(self._free):
                found, _, block = self._free.pop(place)
                self._most -= found
                return block
        try:
            # zeros: a lane that is computed in vain takes long over a denormal number
            return Block(np.zeros(size + ALIGN, np.uint8))
        except (MemoryError, ValueError) as error:
            raise MemoryError(f"no memory for a workspace of {size:,} bytes") from error

    def give(self, block: Block) -> None:
        """Return a block: kept, unless more than the bound would lie idle; small ones go first."""
        with self._lock.held:
            self._most += block.size
            insort(self._free, (block.size, id(block), block))
            if self._most > self.bound:
                self._shrink()

    def restrict(self, bound: int) -> None:
        """Keep no more than so many bytes from now on."""
        with self._lock.held:
            self.bound = bound
            self._shrink()

    def _shrink(self) -> None:
        while self.idle > self.bound:
            self._free.pop(0)
        self._most = self.idle

    @contextmanager
    def borrow(self, size: int) -> Generator[int]:
        """The address of so many bytes, aligned to a cache line."""
        block = self.take(size)
        try:
            yield block.begin
        finally:
            self.give(block)


WORKSPACE = Arena(bound=256 << 20)
