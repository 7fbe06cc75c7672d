"""Cells: the channels and taps of a weighted sum in panels, and the positions each runs over.

Where the window is staged, with zeros for its padding, all cells run over all positions. Where it
is read in place, a panel has channels of one tap, and runs over the positions that have this tap:
absent terms are left out, 18 of 100 for 3x3 at 7 x 7, and nothing is copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from convgrad.kernels.window import outer_sum, runs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from convgrad.kernels.window import Stage, Table


@dataclass(frozen=True)
class Cells:
    """Panels of cells, and lists of runs of positions.

    Attributes:
        cell: per slot of the panels its cell, channel * taps + tap; those of a block without
            cells repeat one.
        slot: per cell its slot.
        lists: per panel which list of runs it has, in the first strip.
        first: per list its first run, and the number of runs.
        begin: per run its first position.
        place: and where that lies in the window, for a tap that reads at 0.
        length: and how many positions it has.
        step: elements from one position to the next.
    """

    cell: Table
    slot: Table
    lists: Table
    first: Table
    begin: Table
    place: Table
    length: Table
    step: int

    def values(self) -> dict[str, int | NDArray[np.int64]]:
        """The record's part."""
        return {
            "slots": self.slot,
            "panel_list": self.lists,
            "list_first": self.first,
            "run_first": self.begin,
            "run_place": self.place,
            "run_length": self.length,
            "run_step": self.step,
        }


CELL_FIELDS = (
    "slots",
    "panel_list",
    "list_first",
    "run_first",
    "run_place",
    "run_length",
    "run_step",
)


def staged_cells(stage: Stage, rows: int) -> Cells:
    """All cells in one row, cut into panels of so many; one list."""
    places = outer_sum(stage.lines, np.arange(stage.positions[-1], dtype=np.int64))
    _, begin, place, length = runs(places, np.array([0, places.size]))
    cells = stage.channels * stage.taps.size
    panels = -(-cells // rows)
    slots = np.arange(panels * rows, dtype=np.int64)
    return Cells(
        cell=np.where(slots < cells, slots, 0),
        slot=slots[:cells],
        lists=np.zeros(panels, np.int64),
        first=np.array([0, begin.size]),
        begin=begin,
        place=place,
        length=length,
        step=1,
    )


def present_cells(stage: Stage, rows: int, strip: int) -> Cells:
    """For each so many channels a panel for each tap, and a list for each tap and strip.

    Args:
        stage: the window.
        rows: of a tile.
        strip: positions that are summed over before the next panel has its turn.
    """
    taps, panels = stage.taps.size, -(-stage.channels // rows)
    channel, tap, row = np.ogrid[:panels, :taps, :rows]
    channel = channel * rows + row
    cell = np.where(channel < stage.channels, channel, 0) * taps + tap
    channel, tap = np.ogrid[: stage.channels, :taps]
    slot = (channel // rows * taps + tap) * rows + channel % rows
    found = [_runs_of(stage, tap) for tap in np.ndindex(*(axis.taps for axis in stage.axes))]
    begin, place, length = (np.concatenate(parts) for parts in zip(*found, strict=True))
    strips = -(-stage.images * prod(stage.positions) // strip)
    of = np.repeat(np.arange(taps), [begin.size for begin, _, _ in found]) + begin // strip * taps
    order = np.argsort(of, kind="stable")
    return Cells(
        cell=cell.ravel(),
        slot=slot.ravel(),
        lists=np.tile(np.arange(taps), panels),
        first=np.searchsorted(of[order], np.arange(strips * taps + 1)),
        begin=begin[order] % strip,
        place=place[order],
        length=length[order],
        step=stage.axes[-1].step * stage.strides[-1],
    )


def _runs_of(stage: Stage, taps: tuple[int, ...]) -> tuple[Table, Table, Table]:
    """The runs of positions that have a tap of each axis: first position, place and length."""
    length = 1
    begin, place = np.arange(stage.images), np.arange(stage.images) * stage.strides[0]
    for axis, tap, stride in zip(stage.axes, taps, stage.strides[2:], strict=True):
        present = np.flatnonzero(axis.present[:, tap])
        length = present.size
        if axis is stage.axes[-1]:  # a run begins with the first of them
            present = present[:1]
        begin = outer_sum(begin * axis.positions, present)
        place = outer_sum(place, present * (axis.step * stride))
    return begin, place, np.full(begin.size, length if begin.size else 0)


def present_share(stage: Stage) -> float:
    """The share of positions and taps that there are."""
    return prod(axis.share for axis in stage.axes)
