"""Which terms exist: positions sorted so that neighbouring lanes lack the same taps.

A tap that reads the padding has no term. Along an axis, positions fall into stretches that have
the same taps; a class of positions is a stretch on every axis. Where lanes are sorted by class, a
panel of lanes needs the taps of its own classes only: 18 % less of a 3 x 3 layer on 7 x 7, 60 %
less at dilation 18 on 33 x 33.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, combinations
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from convgrad.kernels.window import outer_sum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from convgrad.kernels.piece import Pieces
    from convgrad.kernels.tile import Tile
    from convgrad.kernels.window import Stage, Table, WindowAxis

LARGEST = 1 << 22
"""Pairs of a position and a tap beyond which planning would take too long."""


@dataclass(frozen=True)
class Order:
    """The lanes of a piece in an order, cut into panels.

    Attributes:
        lanes: per lane, which position of the piece it is.
        starts: the first lane of each panel, and the number of lanes.
        choices: different sets of taps, each ascending.
        panels: per panel, which of them it needs.
        cost: multiply-adds of vectors for a row and a channel, with what narrow panels lose.
    """

    lanes: Table
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


def share(axes: tuple[WindowAxis, ...], pieces: Pieces) -> float:
    """How much of all terms a good order would leave, about."""
    left = 1.0
    for number in _sortable(axes, pieces):
        left *= float(axes[number].present.mean())
    return 0.25 + 0.75 * left


def _sortable(axes: tuple[WindowAxis, ...], pieces: Pieces) -> list[int]:
    """The axes that lack terms, and of which every piece holds every position.

    All pieces have to be equal, so that one order serves them all.
    """
    equal = (
        pieces.images % pieces.piece_images == 0
        and pieces.counts[pieces.split] % pieces.piece_length == 0
    )
    if not equal or prod(pieces.counts) * prod(axis.taps for axis in axes) > LARGEST:
        return []
    return [
        number
        for number, axis in enumerate(axes)
        if not axis.is_inside
        and (number != pieces.split or pieces.piece_length == pieces.counts[number])
    ]


def orders(stage: Stage, pieces: Pieces, tile: Tile) -> Iterator[Order]:
    """The orders worth considering: as they come, and sorted by class along some of the axes."""
    sortable = _sortable(stage.axes, pieces)
    subsets = (combinations(sortable, count + 1) for count in range(len(sortable)))
    yield _unsorted(stage, tile)
    for subset in chain.from_iterable(subsets):
        yield _sorted(stage, subset, tile)


def _unsorted(stage: Stage, tile: Tile) -> Order:
    """Lanes as they come, in whole panels with all taps."""
    lanes = np.arange(stage.images * prod(stage.positions), dtype=np.int64)
    panels, taps = -(-lanes.size // tile.width), stage.taps.size
    return Order(
        lanes,
        np.append(np.arange(panels, dtype=np.int64) * tile.width, lanes.size),
        (np.arange(taps),),
        np.zeros(panels, np.int64),
        float(-(-lanes.size // tile.lanes) * taps),
    )


def _sorted(stage: Stage, axes: tuple[int, ...], tile: Tile) -> Order:
    """Lanes sorted by their class along some axes, and cut where that costs least."""
    stretches = [_stretches(axis) for axis in stage.axes]
    number: Table = np.zeros(stage.images, np.int64)
    masks = np.ones((1, 1), bool)
    for axis, (geometry, count) in enumerate(zip(stage.axes, stage.positions, strict=True)):
        if axis in axes:
            which, distinct = stretches[axis]
        else:
            which, distinct = np.zeros(count, np.int64), np.ones((1, geometry.taps), bool)
        number = outer_sum(number * len(distinct), which)
        masks = np.einsum("ct,du->cdtu", masks, distinct)
        masks = masks.reshape(masks.shape[0] * masks.shape[1], -1)
    path = _path(tuple(len(stretches[axis][1]) for axis in axes))
    rank = np.empty(len(path), np.int64)
    rank[path] = np.arange(len(path))
    lanes = np.argsort(rank[number], kind="stable")
    sizes = np.bincount(rank[number], minlength=len(path))
    sets = [
        int.from_bytes(np.packbits(row, bitorder="little").tobytes(), "little")
        for row in masks[path]
    ]
    starts, needed, cost = _cut(sizes, sets, tile)
    distinct_sets = sorted(set(needed))
    taps = masks.shape[1]
    choices = tuple(
        np.array([t for t in range(taps) if one >> t & 1], np.int64) for one in distinct_sets
    )
    panels = np.array([distinct_sets.index(one) for one in needed], np.int64)
    return Order(lanes, np.array(starts, np.int64), choices, panels, cost)


def _stretches(axis: WindowAxis) -> tuple[Table, NDArray[np.bool_]]:
    """Per position the number of its stretch, and per stretch which taps exist."""
    present = axis.present
    begins = np.append(True, (present[1:] != present[:-1]).any(axis=1))
    return np.cumsum(begins) - 1, present[begins]


def _path(counts: tuple[int, ...]) -> list[int]:
    """The classes in an order in which neighbours share most taps: around the edge, then inward."""
    if len(counts) == 1:
        return list(range(counts[0]))
    rows, columns = counts[-2:]
    grid = np.arange(rows * columns).reshape(rows, columns)
    ring: list[int] = []
    while grid.size:
        ring += grid[0].tolist()
        grid = grid[1:].T[::-1]
    planes = prod(counts[:-2])
    return [plane * rows * columns + one for plane in range(planes) for one in ring]


def _cut(sizes: Table, sets: list[int], tile: Tile) -> tuple[list[int], list[int], float]:
    """The cheapest cut of sorted lanes into panels.

    Shortest path over the ends of atoms of half a vector: a panel costs its vectors times the
    taps that any of its lanes needs.
    """
    atom = max(tile.lanes // 2, 1)
    ends, needs = [0], list[int]()
    for size, one in zip(sizes.tolist(), sets, strict=True):
        first = ends[-1]
        ends += [min(first + end, first + size) for end in range(atom, size + atom, atom)]
        needs += [one] * (len(ends) - 1 - len(needs))
    weight = [_weight(tile, vectors) for vectors in range(tile.vectors + 1)]
    best = [0.0] + [float("inf")] * len(needs)
    previous = [(0, 0)] * (len(needs) + 1)
    for start in range(len(needs)):
        needed = 0
        for end in range(start + 1, len(needs) + 1):
            width = ends[end] - ends[start]
            if width > tile.width:
                break
            needed |= needs[end - 1]
            cost = best[start] + weight[-(-width // tile.lanes)] * (needed.bit_count() + 0.2)
            if cost < best[end]:
                best[end], previous[end] = cost, (start, needed)
    cuts: list[tuple[int, int]] = []
    end = len(needs)
    while end:
        cuts.append(previous[end])
        end = previous[end][0]
    cuts.reverse()
    starts = [ends[start] for start, _ in cuts] + [ends[-1]]
    return starts, [needed for _, needed in cuts], best[-1]


def _weight(tile: Tile, vectors: int) -> float:
    """Cycles of a multiply-add of so many vectors for one row: where loads outnumber them, more."""
    if not vectors:
        return 0.0
    loads = 0.4 * (tile.rows + vectors) / (tile.rows * vectors)
    return vectors * max(1.0, loads + 0.85)
