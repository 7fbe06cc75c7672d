"""Packed: the window's elements for a panel of lanes are gathered once and used by all rows.

    for each piece of positions, block of rows (a task)
      for each block of channels: stage the window
        for each block of the reduction, and of the panels of rows
          for each panel of lanes: gather it (present terms x lanes, in the first-level cache)
            for each panel of rows: tile += factor panel * gathered panel
      copy the tiles out

Lanes run through all positions without regard to lines, so that a 7 x 7 image wastes none. Worth
it where many rows use what was gathered; see `sliding` for few.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from convgrad.kernels.cuts import cheapest_cut, cheapest_order, least_cost
from convgrad.kernels.emit import INTEGER, Code, Module, Value
from convgrad.kernels.factor import FACTOR_FIELDS, emit_factor, emit_task, factor_values
from convgrad.kernels.order import is_held
from convgrad.kernels.output import OUTPUT_FIELDS, emit_output, output_places, output_values
from convgrad.kernels.panel import emit_copy_out, emit_gather, emit_tile
from convgrad.kernels.piece import (
    PIECE_FIELDS,
    emit_piece,
    emit_window,
)
from convgrad.kernels.plan import Algorithm, Kernel, Loop, Plan, Step, blocks
from convgrad.kernels.record import SHARED, Fields, Record, argument
from convgrad.kernels.stage import STAGE_FIELDS, emit_stage, stage_values
from convgrad.kernels.tile import Tile, widest
from convgrad.kernels.window import outer_sum, runs, window_axes

if TYPE_CHECKING:
    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.target import Target
    from convgrad.kernels.window import Table

PACKED = Fields(
    (
        *STAGE_FIELDS,
        *PIECE_FIELDS,
        *FACTOR_FIELDS,
        *OUTPUT_FIELDS,
        "row_blocks",
        "row_panels",  # per block
        "row_chunk",  # panels of rows that share a walk over the positions
        "channels",
        "channel_block",
        "taps",
        "reduction_block",
        "panels",  # of lanes
        "panel_start",  # the first lane of each, and the end of the last
        "panel_list",  # where its list of terms begins
        "panel_taps",  # and how many taps of a channel it has
        "offsets",  # per term of a list, channel by channel: where it lies in the stage
        "factors",  # and in a panel of the factor
        "asks",  # per row panel and term: what to ask for of the next panel
        "in_first",  # runs of the gathered panels
        "in_lane",
        "in_place",
        "in_length",
        "direct",  # per panel, whether it is read where it lies
        "gathered",  # per term, where it lies in a gathered panel
        "out_first",  # runs of the output
        "out_lane",
        "out_place",
        "out_length",
        "scratch_stage",
        "scratch_panel",
        "scratch_tiles",
    )
)


def packed_text(tile: Tile) -> str:  # noqa: PLR0915  reads as the nest that it emits
    """The nest of this file's title."""
    module, number = Module(), tile.element
    fields = PACKED
    stage = emit_stage(module, number, tile.lanes, fields)
    gather = emit_gather(module, number, tile)
    multiply = [emit_tile(module, number, tile, used + 1) for used in range(tile.vectors)]
    copy_out = emit_copy_out(module, number, tile)
    emit_factor(module, number, tile.rows, fields)
    code = emit_task(module, "packed", number)
    record = Record(fields, code.pointer("record"))
    arguments, scratch = code.pointer("arguments"), code.pointer("scratch")
    task = code.integer("task")

    rest, at = task // record["pieces"], task % record["pieces"]
    row_block, group = rest % record["row_blocks"], rest // record["row_blocks"]
    piece = emit_piece(record, at)
    panels, starts = record["panels"], record.table("panel_start")

    row_panels = record["row_panels"]
    first_row = row_block * row_panels * tile.rows
    rows = (record["rows"] - first_row).minimum(row_panels * tile.rows)
    row_panels = (rows + (tile.rows - 1)) // tile.rows
    shared = argument(code, arguments, SHARED, number.name)
    padded = group * record["padded_rows"] + first_row
    factor = shared.at(record["packed_factor"] + padded * record["reduction"])
    bias = shared.at(record["packed_bias"] + padded)
    window = emit_window(code, record, arguments, number.name, (piece.image, group))
    staged = scratch.at(record["scratch_stage"])
    panel_at = scratch.at(record["scratch_panel"])
    tiles = scratch.at(record["scratch_tiles"])
    in_place = record["stage_in_place"] > 0
    output = emit_output(code, record, arguments, number.name, (piece, group)).at(
        first_row * record["out_row"]
    )

    taps = record["taps"]
    with code.loop(0, record["channels"], record["channel_block"]) as channel:
        channels = (record["channels"] - channel).minimum(record["channel_block"])
        here = window.at(channel * record["window_channel"])
        with code.unless(in_place):
            code.run(stage, staged, here, record.base, piece.images, channels, piece.begin)
        source = code.choose(in_place, here.at(piece.begin * record["window_piece"]), staged)
        ahead = code.select(
            in_place, record["channel_block"] * record["window_channel"], code.lift(0)
        )
        with code.loop(0, channels * taps, record["reduction_block"]) as part:
            final = (channel + channels).equals(record["channels"]) & (
                part + record["reduction_block"] >= channels * taps
            )
            with (
                code.loop(0, row_panels, record["row_chunk"]) as chunk,
                code.loop(0, panels) as panel,
            ):
                present = channels * record.table("panel_taps").load(panel)
                depth = (present - part).minimum(record["reduction_block"])
                terms = record.table("panel_list").load(panel) + part
                offsets, factors = (record.table(name).at(terms) for name in ("offsets", "factors"))
                left = piece.valid.minimum(starts.load(panel + 1)) - starts.load(panel)
                runs = record.table("in_first").at(panel)
                # Finished tiles that lie in the output as they are go there at once.
                place = record.table("out_first").at(panel)
                run = place.load()
                whole = record.table("out_length").load(run).equals(tile.width)
                straight = whole & final & left.equals(tile.width) & record["out_step"].equals(1)
                used = (left + (tile.lanes - 1)) // tile.lanes
                # The next panel, or the first of the next channels: asked for meanwhile.
                end = (chunk + record["row_chunk"]).minimum(row_panels)
                more = panel + 1 < panels
                beyond = code.select(more | (end < row_panels), code.lift(0), ahead)
                following = source.at(
                    beyond
                    + record.table("in_place").load(code.select(more, runs.load(1), code.lift(0)))
                )
                # Behind a stage there is a vector's width to spare, behind an array there is not.
                spare = (left % tile.lanes).equals(0) | in_place.equals(0)
                direct = (record.table("direct").load(panel) > 0) & spare
                with code.unless(direct):
                    code.run(
                        gather,
                        panel_at,
                        source,
                        offsets,
                        depth,
                        record.table("in_lane"),
                        record.table("in_place"),
                        record.table("in_length"),
                        runs.load(),
                        runs.load(1),
                        left,
                    )
                there = source.at(record.table("in_place").load(runs.load()))
                panel_there = code.choose(direct, there, panel_at)
                places = code.choose(direct, offsets, record.table("gathered"))
                for vectors, function in enumerate(multiply, 1):
                    with code.when(used.equals(vectors)), code.loop(chunk, end) as at:
                        row = at * tile.rows
                        scrap = tiles.at((panel * row_panels + at) * (tile.rows * tile.width))
                        there = output.at(
                            row * record["out_row"] + record.table("out_place").load(run)
                        )
                        here = straight & (row + tile.rows <= rows)
                        code.run(
                            function,
                            depth,
                            factor.at((at * record["reduction"] + channel * taps) * tile.rows),
                            factors,
                            panel_there,
                            places,
                            scrap,
                            code.choose(here, there, scrap),
                            code.select(here, record["out_row"], code.lift(tile.width)),
                            bias.at(row),
                            _flag(code, (channel + part).equals(0)),
                            following,
                            record.table("asks").at((at - chunk) * record["reduction_block"]),
                        )
    with code.loop(0, panels) as panel:
        runs = record.table("out_first").at(panel)
        left = piece.valid.minimum(starts.load(panel + 1)) - starts.load(panel)
        whole = record.table("out_length").load(runs.load()).equals(tile.width)
        straight = whole & left.equals(tile.width) & record["out_step"].equals(1)
        # Whole panels of rows are there already; a last panel with too few rows is not.
        skipped = code.select(straight, rows // tile.rows * tile.rows, code.lift(0))
        code.run(
            copy_out,
            output.at(skipped * record["out_row"]),
            tiles.at(panel * row_panels * (tile.rows * tile.width) + skipped * tile.width),
            rows - skipped,
            record["out_row"],
            record["out_step"],
            record.table("out_lane"),
            record.table("out_place"),
            record.table("out_length"),
            runs.load(),
            runs.load(1),
            left,
        )
    return str(module)


def _flag(code: Code, condition: Value) -> Value:
    return code.define(INTEGER, f"zext i1 {condition.text} to i64")


def packed_tiles(contraction: Contraction, number: str, target: Target) -> tuple[Tile, ...]:
    """Tiles of 4 to 14 rows that waste few of the sum's rows."""
    rows = prod(index.extent for index in contraction.rows)
    choice = (8, 6, 14, 12, 10, 5, 4) if target.registers >= 32 else (6, 4, 5)
    fitting = [count for count in choice if count <= max(rows, min(choice))]
    return tuple(widest(count, number, target, 6) for count in fitting)


def packed_cycles(contraction: Contraction, tile: Tile, target: Target) -> float:
    """What no plan with this tile takes less of."""
    del target
    if not _is_packed(contraction):
        return 0.0
    free = frozenset(index.name for index in contraction.free)
    return least_cost(contraction, tile, window_axes(contraction, free))


def _is_packed(c: Contraction) -> bool:
    """Whether the sum has one index of rows, and images and positions outside."""
    return len(c.rows) == 1 and bool(c.free) and c.output.subscripts[0].terms == (("n", 1),)


def packed_cost(contraction: Contraction, tile: Tile, target: Target) -> float:
    """The cycles of the plan."""
    if not _is_packed(contraction):
        return 0.0
    free = frozenset(index.name for index in contraction.free)
    return cheapest_cut(contraction, tile, target, window_axes(contraction, free)).cost


def packed_plan(contraction: Contraction, tile: Tile, target: Target) -> Plan | None:
    """Lanes along the positions of the output; None where positions are summed over."""
    c, size = contraction, tile.element.bytes
    if not _is_packed(c):
        return None
    axes = window_axes(c, frozenset(index.name for index in c.free))
    groups, channels = c.window.shape[1:3]
    rows, taps = c.rows[0].extent, prod(axis.taps for axis in axes)
    panels = -(-rows // tile.rows)
    best = cheapest_cut(c, tile, target, axes)
    stage, pieces, depth = best.stage, best.pieces, best.depth
    row_panels, row_blocks, channel_block = best.row_panels, best.row_blocks, stage.channels
    out_at, out_step = output_places(c, stage)
    order = cheapest_order(best, tile, out_at, out_step, rows)
    in_runs = runs(order.places, order.starts)
    out_runs = runs(out_at[order.positions], order.starts, out_step)
    panel_list, channel, tap = order.lists(channel_block)
    offsets = channel * stage.strides[1] + stage.taps[tap]
    held = is_held(offsets[: order.taps.max(initial=0) * channel_block], tile, target.l1)
    direct = (np.diff(in_runs[0]) == 1) & held  # in one run
    padded = panels * tile.rows
    reduction = channels * taps
    row_chunk = _row_chunk(row_panels, reduction, tile) if direct.all() else row_panels
    piece_panels = order.panels.size
    scratch_panel = -(-stage.elements // 16) * 16
    scratch_tiles = scratch_panel + depth * tile.width + 2 * tile.lanes
    scratch = scratch_tiles + piece_panels * row_panels * tile.rows * tile.width
    record: dict[str, int | np.ndarray] = {
        **stage_values(stage),
        **pieces.values(),
        **factor_values(c, reduction, padded, checked=not all(axis.is_inside for axis in axes)),
        **output_values(c, pieces.split),
        "row_blocks": row_blocks,
        "row_panels": row_panels,
        "row_chunk": row_chunk,
        "channels": channels,
        "channel_block": channel_block,
        "taps": taps,
        "reduction_block": depth,
        "panels": piece_panels,
        "panel_start": order.starts,
        "panel_list": panel_list,
        "panel_taps": order.taps,
        "offsets": offsets,
        "factors": (channel * taps + tap) * tile.rows,
        "direct": direct.astype(np.int64),
        "gathered": np.arange(depth) * tile.width,
        "asks": _asks(offsets[:depth], row_chunk * depth, tile, in_place=stage.in_place),
        "in_first": in_runs[0],
        "in_lane": in_runs[1],
        "in_place": np.append(in_runs[2], 0),
        "in_length": in_runs[3],
        "out_first": out_runs[0],
        "out_lane": out_runs[1],
        "out_place": out_runs[2],
        "out_length": out_runs[3],
        "scratch_stage": 0,
        "scratch_panel": scratch_panel,
        "scratch_tiles": scratch_tiles,
    }
    return Plan(
        sum=c,
        kernel=Kernel("packed", tile),
        loops=(
            Loop("group", groups, how="parallel"),
            Loop("row block", row_blocks, how="parallel"),
            Loop("piece", pieces.number, how=f"parallel; {pieces.positions} positions"),
            Loop("channel", channels, channel_block, "in place" if stage.in_place else "stage"),
            Loop("reduction", channel_block * taps, depth),
            Loop("panel", piece_panels, how=f"gather {depth} x {tile.width}"),
            Loop("row panel", row_panels, row_chunk, how=str(tile)),
        ),
        steps=(
            Step("factor", groups * panels),
            Step("packed", groups * row_blocks * pieces.number),
        ),
        fields=PACKED,
        record=record,
        shared=groups * padded * (reduction + 1) * size,
        scratch=scratch * size,
        cycles=best.cost,
    )


def _row_chunk(row_panels: int, reduction: int, tile: Tile) -> int:
    """How many panels of rows share a walk over positions that are read where they lie.

    A short sum writes about as much as it reads. The fewer rows at once, the longer the stretch
    of each that a core writes and its caches foresee: 16 -> 96 channels at 112 x 112, memory
    bound, took half the time with one panel of rows at a time. A long sum reads a panel often.
    """
    return blocks(row_panels, max(round(reduction * 4 / 7 / tile.rows), 1))


def _asks(offsets: Table, slots: int, tile: Tile, *, in_place: bool) -> Table:
    """The lines of a panel, spread evenly over the multiply-adds that the panel before it takes.

    A stage is in the second-level cache already.
    """
    if not in_place or not offsets.size:
        return np.zeros(slots, np.int64)
    ends = np.append(np.arange(0, tile.width, 64 // tile.element.bytes), tile.width - 1)
    lines = outer_sum(offsets, ends)
    return lines[np.arange(slots) * lines.size // slots]


PACKED_ALGORITHM = Algorithm(
    name="packed",
    summary="gather panels of positions, used by many rows",
    functions=("factor", "packed"),
    text=packed_text,
    tiles=packed_tiles,
    plan=packed_plan,
    least=packed_cycles,
    cost=packed_cost,
)
