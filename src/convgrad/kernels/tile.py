"""Tiles of accumulators, and which of them fit the registers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from convgrad.kernels.emit import NUMBERS, Number, is_loaded

if TYPE_CHECKING:
    from convgrad.kernels.target import Target

Run: TypeAlias = tuple[tuple[int, int], ...]
"""Per tap of a run, the positions that have it: first and last + 1, or (0, 0)."""


@dataclass(frozen=True)
class Tile:
    """A tile of accumulators: rows x vectors, all in registers.

    Attributes:
        number: "float32" or "float64".
        lanes: numbers in a vector.
        rows: rows of the tile.
        vectors: vectors in a row of the tile.
        lines: neighbouring lines of positions that a tile spans.
        reads: where the taps of the last two axes read, from the lowest on. Code that shares
            loads between lines must know which taps of which lines coincide.
        steps: positions from one output to the next on these axes.
        run: taps along a line that are added one after the other, and how far apart these lie in
            the window and in the factor.
        stretches: per kind of run and per tap of it, the positions of the tile, first and last + 1,
            that have it. Code that leaves absent terms out must know.
        alone: whether a channel has one term, or none: then nothing runs through its terms.
        turned: whether a tile's rows are made neighbours in memory first.
        phases: of the last two axes, per phase of the output's positions, where the taps read;
            for tiles that compute all phases of a strided gradient.
        sizes: of the image and of the output, where code is written for one size of image.
    """

    number: str
    lanes: int
    rows: int
    vectors: int
    lines: int = 1
    reads: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    steps: tuple[int, int] = (1, 1)
    run: tuple[int, int, int] = (1, 0, 0)
    stretches: tuple[Run, ...] = ()
    alone: bool = False
    turned: bool = False
    phases: tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]] = ((), ())
    sizes: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))

    def __str__(self) -> str:
        lines = f"{self.lines} lines x " if self.reads[0] or self.phases[0] else ""
        return f"{self.rows} rows x {lines}{self.vectors} vectors of {self.lanes} {self.number}"

    @property
    def width(self) -> int:
        """Lanes of the tile."""
        return self.lanes * self.vectors

    @property
    def loads(self) -> int:
        """Loads that are instructions of their own, for one term."""
        size = self.lanes * self.element.bytes
        down = [is_loaded(size, self.vectors, nth) for nth in range(self.rows)]
        return self.vectors + self.lines * sum(down)

    @property
    def element(self) -> Number:
        """The element type."""
        return NUMBERS[self.number]


def widest(rows: int, number: str, target: Target, limit: int) -> Tile:
    """The widest tile of so many rows: accumulators, a row of operands and one broadcast."""
    lanes = target.lanes(NUMBERS[number].bits)
    vectors = (target.registers - 1) // (rows + 1)
    return Tile(number, lanes, rows, max(1, min(vectors, limit)))
