"""Which terms exist: positions sorted so that neighbouring lanes lack the same taps.

A tap that reads the padding has no term. Along an axis, positions fall into stretches that have
the same taps; a class of positions is a stretch on every axis. Where lanes are sorted by class, a
panel of lanes needs the taps of its own classes only: 18 % less of a 3 x 3 layer on 7 x 7, 60 %
less at dilation 18 on 33 x 33.
"""

from __future__ import annotations

from itertools import accumulate, chain, combinations
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from convgrad.kernels.order import Order, places_of
from convgrad.kernels.window import outer_sum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from convgrad.kernels.piece import Pieces
    from convgrad.kernels.tile import Tile
    from convgrad.kernels.window import Stage, Table, WindowAxis

LARGEST = 1 << 22
"""Pairs of a position and a tap beyond which planning would take too long."""


def share(axes: tuple[WindowAxis, ...], pieces: Pieces) -> float:
    """How much of all terms a good order would leave, about."""
    left = 1.0
    for number in _sortable(axes, pieces):
        left *= axes[number].share
    return 0.25 + 0.75 * left


def _sortable(axes: tuple[WindowAxis, ...], pieces: Pieces) -> list[int]:
    """The axes that lack terms, and of which every piece holds every position.

    All pieces have to be equal, so that one order serves them all.
    """
    if not pieces.equal or prod(pieces.counts) * prod(axis.taps for axis in axes) > LARGEST:
        return []
    return [
        number
        for number, axis in enumerate(axes)
        if not axis.is_inside
        and (number != pieces.split or pieces.piece_length == pieces.counts[number])
    ]


def sorted_orders(stage: Stage, pieces: Pieces, tile: Tile) -> Iterator[Order]:
    """The orders worth considering: sorted by class along some of the axes."""
    sortable = _sortable(stage.axes, pieces)
    subsets = (combinations(sortable, count + 1) for count in range(len(sortable)))
    for subset in chain.from_iterable(subsets):
        yield _sorted(stage, subset, tile)


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
    return Order(lanes, places_of(stage)[lanes], np.array(starts, np.int64), choices, panels, cost)


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
    taps that any of its lanes needs. Inside a large class full panels are cheapest: most of them
    are left out of the search, and put back where it cut.
    """
    width = tile.width
    spare = [max(size // width - 3, 0) for size in sizes.tolist()]
    left = [size - many * width for size, many in zip(sizes.tolist(), spare, strict=True)]
    starts, needed, cost = _shortest_cut(left, sets, tile)
    moved, moved_needed = [0], list[int]()
    ends, shift, one = list(accumulate(left)), 0, 0
    for number, needs in enumerate(needed):
        first, last = starts[number], starts[number + 1]
        while ends[one] <= first:
            one += 1
        # the first panel that begins in a class follows those that were left out
        many, spare[one] = spare[one], 0
        for _ in range(many):
            moved.append(moved[-1] + width)
            moved_needed.append(sets[one])
        shift += many * width
        moved.append(last + shift)
        moved_needed.append(needs)
        cost += many * _weight(tile, tile.vectors) * (sets[one].bit_count() + 0.2)
    return moved, moved_needed, cost


def _shortest_cut(
    sizes: list[int], sets: list[int], tile: Tile
) -> tuple[list[int], list[int], float]:
    atom = max(tile.lanes // 2, 1)
    ends, needs = [0], list[int]()
    for size, one in zip(sizes, sets, strict=True):
        first = ends[-1]
        ends += [min(first + end, first + size) for end in range(atom, size + atom, atom)]
        needs += [one] * (len(ends) - 1 - len(needs))
    lanes, widest = tile.lanes, tile.width
    weight = [_weight(tile, vectors) for vectors in range(tile.vectors + 1)]
    best = [0.0] + [float("inf")] * len(needs)
    previous = [(0, 0)] * (len(needs) + 1)
    for start in range(len(needs)):
        needed, begin, before = 0, ends[start], best[start]
        for end in range(start + 1, len(needs) + 1):
            width = ends[end] - begin
            if width > widest:
                break
            needed |= needs[end - 1]
            cost = before + weight[-(-width // lanes)] * (needed.bit_count() + 0.2)
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
