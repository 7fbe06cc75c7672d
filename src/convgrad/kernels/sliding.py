"""Sliding: few rows, so the window is staged and then read in place, tap by tap.

    for each group, piece of positions (a task)
      stage the window, all channels
      for each tile of positions (vectors that each lie within a line)
        for each panel of rows
          for each channel and tap: tile += factor * staged vectors at the tap's offset
          write the tile out

Nothing is gathered: a tap is a constant offset. The ends of lines are masked when written.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from convgrad.kernels.emit import INTEGER, Code, Module, Number, Pointer, Value
from convgrad.kernels.factor import (
    FACTOR_FIELDS,
    TABLE,
    emit_factor,
    emit_task,
    factor_values,
)
from convgrad.kernels.output import (
    OUTPUT_FIELDS,
    emit_output,
    far_write,
    output_places,
    output_values,
    position_names,
)
from convgrad.kernels.piece import (
    PIECE_FIELDS,
    WORKERS,
    cut,
    emit_piece,
    emit_window,
    imbalance,
)
from convgrad.kernels.plan import Algorithm, Kernel, Loop, Plan, Step
from convgrad.kernels.record import SHARED, Fields, Record, argument
from convgrad.kernels.stage import STAGE_FIELDS, emit_stage, stage_values
from convgrad.kernels.tile import Tile, widest
from convgrad.kernels.window import Stage, outer_sum, window_axes

if TYPE_CHECKING:
    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.piece import Pieces
    from convgrad.kernels.target import Target
    from convgrad.kernels.window import Table

COPY = 10.0
"""Cycles for a vector that is staged from memory that no cache holds: measured for 1x1 layers."""
SLIDING = Fields(
    (
        *STAGE_FIELDS,
        *PIECE_FIELDS,
        *FACTOR_FIELDS,
        *OUTPUT_FIELDS,
        "row_panels",
        "channels",
        "offsets",  # per reduction index: where it lies in the stage
        "line",  # positions of a line, and vectors
        "line_slots",
        "slot_first",  # per vector: its first position, and where that lies
        "slot_places",
        "slot_outputs",
        "slot_counts",
    )
)


def emit_slide(module: Module, number: Number, tile: Tile) -> Code:
    """slide(depth, factor, bias, staged, offsets, places, outs, counts, firsts, to, row, ...).

    For each of the first `live` slots: to[r*row + outs[slot] + step*j] = bias[r]
    + sum over k < depth of factor[k][r] * staged[offsets[k] + places[slot] + j].
    """
    code = module.function(
        "slide",
        (INTEGER, "depth"),
        (number.name, "factor"),
        (number.name, "bias"),
        (number.name, "staged"),
        (TABLE, "offsets"),
        (TABLE, "places"),
        (TABLE, "outs"),
        (TABLE, "counts"),
        (TABLE, "firsts"),
        (number.name, "to"),
        (INTEGER, "row"),
        (INTEGER, "rows"),
        (INTEGER, "step"),
        (INTEGER, "live"),
        (INTEGER, "valid"),
    )
    lanes, kind = tile.lanes, number.vector(tile.lanes)
    rows, slots, live = range(tile.rows), range(tile.vectors), code.integer("live")
    sums = {
        (row, slot): code.variable(kind, code.splat(code.pointer("bias").load(row), lanes))
        for row in rows
        for slot in slots
    }
    # Slots beyond the last read where the last one does, and are not written.
    at = [
        code.pointer("staged").at(code.pointer("places").load((live - 1).minimum(slot)))
        for slot in slots
    ]
    # The lines that are written to: asked for, so that nothing waits for them.
    for slot in slots:
        place = code.pointer("to").at(code.pointer("outs").load((live - 1).minimum(slot)))
        with code.loop(0, code.integer("rows").minimum(tile.rows)) as row:
            place.prefetch(row * code.integer("row"), near=True, write=True)
    with code.loop(0, code.integer("depth")) as k:
        offset = code.pointer("offsets").load(k)
        across = [at[slot].vector(lanes, offset) for slot in slots]
        factor = code.pointer("factor").at(k * tile.rows).settled()
        for row in rows:
            totals = [sums[row, slot] for slot in slots]
            code.add_products(factor.at(row), across, totals, nth=row)
    spill = code.array(number.name, lanes)
    for slot in slots:
        with code.when(live > slot):
            left = code.integer("valid") - code.pointer("firsts").load(slot)
            count = code.pointer("counts").load(slot).minimum(left)
            place = code.pointer("to").at(code.pointer("outs").load(slot))
            dense = code.integer("step").equals(1)
            mask = code.lanes_between(0, count, lanes)
            for row in rows:
                with code.when(code.integer("rows") > row):
                    target = place.at(code.integer("row") * row)
                    value = sums[row, slot].get()
                    with code.when(dense & count.equals(lanes)):
                        target.store(value)
                    with code.when(dense & (count < lanes)):
                        target.store_masked(value, lanes, mask)
                    with code.unless(dense):
                        _emit_spread(code, tile, (value, target, spill), count)
    return code


def _emit_spread(
    code: Code, tile: Tile, places: tuple[Value, Pointer, Pointer], count: Value
) -> None:
    """Write a vector to every second or every further element."""
    value, target, spill = places
    lanes, step = tile.lanes, code.integer("step")
    with code.when(step.equals(2)):
        for half in (0, lanes):
            spread = code.shuffle(value, value, [(j + half) // 2 for j in range(lanes)])
            mask = code.lanes_between(0, count * 2 - half, lanes) & code.alternate(lanes)
            target.store_masked(spread, lanes, mask, half)
    with code.unless(step.equals(2)):
        spill.store(value)
        with code.loop(0, count) as j:
            target.store(spill.load(j), j * step)


def sliding_text(tile: Tile) -> str:
    """The nest of this file's title."""
    module, number = Module(), tile.element
    stage = emit_stage(module, number, tile.lanes, SLIDING)
    slide = emit_slide(module, number, tile)
    emit_factor(module, number, tile.rows, SLIDING)
    code = emit_task(module, "sliding", number)
    record = Record(SLIDING, code.pointer("record"))
    arguments, scratch = code.pointer("arguments"), code.pointer("scratch")
    task = code.integer("task")
    group, piece = task // record["pieces"], emit_piece(record, task % record["pieces"])
    shared = argument(code, arguments, SHARED, number.name)
    padded = group * record["padded_rows"]
    factor = shared.at(record["packed_factor"] + padded * record["reduction"])
    bias = shared.at(record["packed_bias"] + padded)
    window = emit_window(code, record, arguments, number.name, (piece.image, group))
    output = emit_output(code, record, arguments, number.name, (piece, group))
    code.run(stage, scratch, window, record.base, piece.images, record["channels"], piece.begin)
    line = record["line"]
    live = (
        piece.valid // line * record["line_slots"]
        + (piece.valid % line + (tile.lanes - 1)) // tile.lanes
    )
    with (
        code.loop(0, live, tile.vectors) as slot,
        code.loop(0, record["row_panels"]) as panel,
    ):
        row = panel * tile.rows
        code.run(
            slide,
            record["reduction"],
            factor.at(row * record["reduction"]),
            bias.at(row),
            scratch,
            record.table("offsets"),
            record.table("slot_places").at(slot),
            record.table("slot_outputs").at(slot),
            record.table("slot_counts").at(slot),
            record.table("slot_first").at(slot),
            output.at(row * record["out_row"]),
            record["out_row"],
            record["rows"] - row,
            record["out_step"],
            (live - slot).minimum(tile.vectors),
            piece.valid,
        )
    return str(module)


def sliding_tiles(contraction: Contraction, number: str, target: Target) -> tuple[Tile, ...]:
    """Tiles of few rows, with whole and with half vectors for short lines."""
    rows = prod(index.extent for index in contraction.rows)
    choice = [count for count in (1, 2, 3, 4, 6, 8) if count <= max(rows, 1)]
    exact = [count for count in choice if rows % count == 0]
    tiles = [widest(count, number, target, 8) for count in {max(exact), max(choice)}]
    halves = [
        Tile(number, tile.lanes // 2, tile.rows, tile.vectors) for tile in tiles if tile.lanes > 4
    ]
    return (*tiles, *halves)


def slots_of(line: int, lines: int, lanes: int) -> tuple[Table, Table]:
    """Lines of positions cut into vectors: the first position of each, and how many count."""
    starts = np.arange(0, line, lanes, dtype=np.int64)
    counts = np.minimum(lanes, line - starts)
    first = outer_sum(np.arange(lines, dtype=np.int64) * line, starts)
    return first, np.tile(counts, lines)


def _is_sliding(c: Contraction) -> bool:
    """Whether the sum has one index of rows, and images outside."""
    return len(c.rows) == 1 and c.output.subscripts[0].terms == (("n", 1),)


def _cut(c: Contraction, tile: Tile, target: Target) -> tuple[Pieces, Stage]:
    """Pieces for the second-level cache, and how one is staged."""
    size, axes = tile.element.bytes, window_axes(c, frozenset(index.name for index in c.free))
    images, groups, channels = c.window.shape[:3]
    total = images * prod(axis.positions for axis in axes)
    overhead = prod(len(axis.phases) for axis in axes)
    room = max(target.l2 // 2 // (size * channels * overhead), tile.width)
    room = min(room, max(-(-total * groups // 16), 8 * tile.width))
    pieces = cut(images, axes, room)
    stage = Stage(
        axes,
        pieces.piece_images,
        channels,
        pieces.split,
        pieces.piece_length,
        tile.lanes,
        c.window,
        in_place=False,
    )
    return pieces, stage


def sliding_cost(contraction: Contraction, tile: Tile, target: Target) -> float:
    """The cycles of the plan."""
    c, size = contraction, tile.element.bytes
    if not _is_sliding(c):
        return 0.0
    pieces, stage = _cut(c, tile, target)
    groups, channels = c.window.shape[1:3]
    rows, panels = c.rows[0].extent, -(-c.rows[0].extent // tile.rows)
    padded, reduction = panels * tile.rows, channels * prod(axis.taps for axis in stage.axes)
    *lines, last = stage.images, *stage.positions
    slots = prod(lines) * -(-last // tile.lanes) * pieces.number * groups
    loads = (tile.rows + 1.3 * tile.vectors) / (tile.rows * tile.vectors)
    write = 16.0 if c.output.step(position_names(c)[-1]) > 1 else 8.0
    each = (
        padded * reduction * max(1.0, loads)
        + 3.0 * panels
        + (write + far_write(c, size, target)) * rows
    )
    staged = stage.cycles + COPY * stage.elements / tile.lanes
    cycles = slots * each + staged * pieces.number * groups
    # Every tile streams the whole factor: from beyond the second cache where it is large.
    if padded * reduction * size > target.l2 // 2:
        cycles += 0.05 * padded * reduction * size * slots / tile.vectors
    return float(cycles * imbalance(groups * pieces.number, WORKERS))


def sliding_plan(contraction: Contraction, tile: Tile, target: Target) -> Plan | None:
    """Lanes along the last axis of the output's positions."""
    c, size = contraction, tile.element.bytes
    if not _is_sliding(c):
        return None
    pieces, stage = _cut(c, tile, target)
    axes, (groups, channels) = stage.axes, c.window.shape[1:3]
    rows, taps = c.rows[0].extent, prod(axis.taps for axis in axes)
    places = outer_sum(stage.lines, np.arange(stage.positions[-1], dtype=np.int64))
    outputs, _ = output_places(c, stage)
    last = stage.positions[-1]
    slot_first, slot_counts = slots_of(last, places.size // last, tile.lanes)
    panels = -(-rows // tile.rows)
    offsets = outer_sum(np.arange(channels, dtype=np.int64) * stage.strides[1], stage.taps)
    reduction = channels * taps
    padded = panels * tile.rows
    record: dict[str, int | np.ndarray] = {
        **stage_values(stage),
        **pieces.values(),
        **factor_values(c, reduction, padded, checked=not all(a.is_inside for a in axes)),
        **output_values(c, pieces.split),
        "row_panels": panels,
        "channels": channels,
        "offsets": offsets,
        "line": last,
        "line_slots": -(-last // tile.lanes),
        "slot_first": slot_first,
        "slot_places": places[slot_first],
        "slot_outputs": outputs[slot_first],
        "slot_counts": slot_counts,
    }
    return Plan(
        sum=c,
        kernel=Kernel("sliding", tile),
        loops=(
            Loop("group", groups, how="parallel"),
            Loop("piece", pieces.number, how=f"parallel; stage {channels} channels"),
            Loop("vector", slot_first.size, tile.vectors),
            Loop("row", rows, tile.rows, str(tile)),
            Loop("channel, tap", reduction),
        ),
        steps=(Step("factor", groups * panels), Step("sliding", groups * pieces.number)),
        fields=SLIDING,
        record=record,
        shared=groups * padded * (reduction + 1) * size,
        scratch=(stage.elements + 2 * tile.lanes) * size,
        cycles=sliding_cost(c, tile, target),
    )


SLIDING_ALGORITHM = Algorithm(
    name="sliding",
    summary="few rows: stage the window, then read it in place at every tap's offset",
    functions=("factor", "sliding"),
    text=sliding_text,
    tiles=sliding_tiles,
    plan=sliding_plan,
    cost=sliding_cost,
)
