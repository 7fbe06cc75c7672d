"""How a packed sum is cut into tasks, pieces and blocks, and what each cut costs.

The unit of every cost is the multiply-add of a vector in a wide tile.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING

from convgrad.kernels.order import Order, as_they_come
from convgrad.kernels.output import position_names
from convgrad.kernels.piece import WORKERS, Pieces, cut, imbalance
from convgrad.kernels.plan import blocks
from convgrad.kernels.present import share, sorted_orders
from convgrad.kernels.window import Stage, runs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.target import Target
    from convgrad.kernels.tile import Tile
    from convgrad.kernels.window import Table, WindowAxis

GATHER = 2.5
"""A vector gathered, for each term and block of rows; short lines cost it again."""
COPY = 4.0
"""A vector copied out."""
PACK = 1.3
"""A number of the factor packed."""
TILE = 3.0
"""A vector of a tile kept between two blocks of the reduction."""


@dataclass(frozen=True)
class Cut:
    """One way to cut a sum.

    Attributes:
        stage: the layout of a staged piece, and how many channels are staged at once.
        pieces: the cut of the positions.
        row_panels: panels of rows in a task.
        row_blocks: tasks that share a piece.
        depth: terms of a panel.
        cost: predicted.
    """

    stage: Stage
    pieces: Pieces
    row_panels: int
    row_blocks: int
    depth: int
    cost: float


@lru_cache(maxsize=64)
def cheapest_cut(c: Contraction, tile: Tile, target: Target, axes: tuple[WindowAxis, ...]) -> Cut:
    """The cut with the least predicted cost."""
    return min(_cuts(c, tile, target, axes), key=lambda one: one.cost)


def least_cost(c: Contraction, tile: Tile, axes: tuple[WindowAxis, ...]) -> float:
    """What every cut costs: all positions in whole vectors, every row, nothing read twice."""
    groups, channels = c.window.shape[1:3]
    rows, positions = c.rows[0].extent, c.window.shape[0] * prod(a.positions for a in axes)
    padded, vectors = -(-rows // tile.rows) * tile.rows, -(-positions // tile.lanes)
    reduction = channels * prod(axis.taps for axis in axes)
    left = 0.25 + 0.75 * prod(axis.share for axis in axes)
    cost = reduction * vectors * left * (padded * _each(tile) + GATHER)
    return groups * (cost + COPY * rows * vectors + PACK * padded * reduction)


def _cuts(
    c: Contraction, tile: Tile, target: Target, axes: tuple[WindowAxis, ...]
) -> Iterator[Cut]:
    """The cuts worth considering: few or many rows to a task, large or small pieces."""
    size = tile.element.bytes
    images = c.window.shape[0]
    in_place = all(axis.step == 1 and axis.is_inside for axis in axes)
    panels = -(-c.rows[0].extent // tile.rows)
    channels, depth = _depth(c, tile, target, axes)
    every = _pieces(images, axes)
    smallest = min(pieces.positions for pieces in every)
    stages = {
        pieces: Stage(
            axes,
            pieces.piece_images,
            channels,
            pieces.split,
            pieces.piece_length,
            tile.lanes,
            c.window,
            in_place,
        )
        for pieces in every
    }
    for row_panels in {blocks(panels, max(n // tile.rows, 1)) for n in (512, 256, 128, 64)}:
        # The tiles of a task live in the second-level cache.
        most = target.l2 * 5 // 8 // (row_panels * tile.rows * size)
        for pieces, stage in stages.items():
            if pieces.positions > max(most, tile.width, smallest):
                continue
            cost = _cost(c, tile, (stage, pieces, row_panels, depth), panels)
            cost *= max(pieces.positions / max(most, tile.width), 1.0)
            yield Cut(stage, pieces, row_panels, -(-panels // row_panels), depth, cost)


@lru_cache(maxsize=32)
def _pieces(images: int, axes: tuple[WindowAxis, ...]) -> frozenset[Pieces]:
    """The cuts of the positions worth considering, the same for all tiles."""
    total = images * prod(axis.positions for axis in axes)
    shares = (1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 256)
    return frozenset(cut(images, axes, max(total // share, 1)) for share in shares)


def _depth(
    c: Contraction, tile: Tile, target: Target, axes: tuple[WindowAxis, ...]
) -> tuple[int, int]:
    """Channels staged at once, and terms of a panel, which lives in the first-level cache."""
    size, channels, taps = tile.element.bytes, c.window.shape[2], prod(axis.taps for axis in axes)
    depth = max(target.l1 * 3 // 4 // (tile.width * size), 16)
    channel_block = blocks(channels, max(depth // taps, 1))
    return channel_block, channel_block * taps if taps <= depth else blocks(taps, depth)


def _cost(c: Contraction, tile: Tile, shape: tuple[Stage, Pieces, int, int], panels: int) -> float:
    """Predicted cost of one core.

    A byte of the factor streams in at 0.03 for each piece.
    """
    stage, pieces, row_panels, depth = shape
    groups, channels = c.window.shape[1:3]
    row_blocks = -(-panels // row_panels)
    reduction = channels * prod(axis.taps for axis in stage.axes)
    padded, vectors = panels * tile.rows, pieces.vectors(tile.lanes)
    line = stage.positions[-1]
    gather = GATHER if stage.in_place else GATHER * (1.0 + tile.lanes / line)
    # Images of one position lie in no run at all.
    single = tile.lanes if prod(stage.positions) == 1 else 1.0
    gather *= single
    each = padded * _each(tile) + gather * row_blocks
    cost = groups * reduction * vectors * share(stage.axes, pieces) * each
    scattered = 4.0 if c.output.step(position_names(c)[-1]) > 1 else 1.0
    cost += COPY * scattered * single * groups * c.rows[0].extent * vectors
    cost += 0.03 * groups * padded * reduction * pieces.number * tile.element.bytes
    cost += PACK * groups * padded * reduction
    cost += TILE * groups * padded * vectors * -(-reduction // depth)
    stages = -(-channels // stage.channels) * groups * row_blocks * pieces.number
    tasks = groups * row_blocks * pieces.number
    return (cost + stage.cycles * stages) * imbalance(tasks, WORKERS)


def _each(tile: Tile) -> float:
    """A multiply-add of a vector: more where loads, tables and counters are many beside them."""
    beside = (0.4 * tile.loads + 2.0) / (tile.rows * tile.vectors)
    return max(1.0, beside + 0.8)


def cheapest_order(best: Cut, tile: Tile, out: Table, step: int, rows: int) -> Order:
    """The order of lanes that costs least: absent terms against shorter runs.

    Args:
        best: the cut.
        tile: the tile.
        out: where each position lies in the output.
        step: between neighbours there.
        rows: of the sum.
    """
    stage, depth = best.stage, best.depth
    if stage.taps.size * stage.channels > depth:
        # A channel's taps come in several blocks: their lists are not cut.
        return as_they_come(stage, tile)

    def cost(order: Order) -> float:
        mean = float(order.taps.mean())
        runs_in = runs(order.places, order.starts)[1].size
        runs_out = runs(out[order.positions], order.starts, step)[1].size
        gather = GATHER * best.row_blocks * runs_in * mean
        return stage.window.shape[2] * (rows * order.cost + gather) + COPY * rows * runs_out

    return min((as_they_come(stage, tile), *sorted_orders(stage, best.pieces, tile)), key=cost)
