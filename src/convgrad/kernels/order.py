"""Orders: which position of a piece each lane computes, and how lanes fall into panels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from convgrad.kernels.window import outer_sum

if TYPE_CHECKING:
    from convgrad.kernels.tile import Tile
    from convgrad.kernels.window import Stage, Table


@dataclass(frozen=True)
class Order:
    """The lanes of a piece in an order, cut into panels.

    Attributes:
        positions: per lane, which position of the piece it is.
        places: per lane, where it lies in the stage.
        starts: the first lane of each panel, and the number of lanes.
        choices: different sets of taps, each ascending.
        panels: per panel, which of them it needs.
        cost: multiply-adds of vectors for a row and a channel, with what narrow panels lose.
    """

    positions: Table
    places: Table
    starts: Table
    choices: tuple[Table, ...]
    panels: Table
    cost: float

    @property
    def taps(self) -> Table:
        """Per panel, how many taps it needs."""
        return np.array([choice.size for choice in self.choices], np.int64)[self.panels]

    def lists(self, channels: int) -> tuple[Table, Table, Table]:
        """The choices as one list for a block of channels.

        Returns: per panel where its list begins, and per entry its channel and its tap.
        """
        begin = np.cumsum([0, *(choice.size * channels for choice in self.choices)])
        channel = [np.repeat(np.arange(channels), choice.size) for choice in self.choices]
        tap = [np.tile(choice, channels) for choice in self.choices]
        return begin[self.panels], np.concatenate(channel), np.concatenate(tap)


def places_of(stage: Stage) -> Table:
    """Where each position of a full piece lies in the stage."""
    return outer_sum(stage.lines, np.arange(stage.positions[-1], dtype=np.int64))


def as_they_come(stage: Stage, tile: Tile) -> Order:
    """Lanes run through all positions without regard to lines: whole panels, all taps."""
    places, taps = places_of(stage), stage.taps.size
    starts = np.append(np.arange(0, places.size, tile.width, dtype=np.int64), places.size)
    return Order(
        np.arange(places.size, dtype=np.int64),
        places,
        starts,
        (np.arange(taps),),
        np.zeros(starts.size - 1, np.int64),
        float(-(-places.size // tile.lanes) * taps),
    )


def is_held(offsets: Table, tile: Tile, l1: int) -> bool:
    """Whether what a panel reads in place stays in the first-level cache, set by set.

    A cache of 64 sets holds a line at its address modulo 4096, in so many ways.
    """
    size, sets, line = tile.element.bytes, 64, 64
    reads = np.add.outer(offsets * size, np.arange(0, tile.width * size + line, line))
    # np.unique would load NumPy's masked arrays, which takes longer than all of this.
    lines = np.array(list(set((reads // line).ravel().tolist())), np.int64)
    return int(np.bincount(lines % sets).max(initial=0)) <= l1 // (sets * line) * 3 // 4
