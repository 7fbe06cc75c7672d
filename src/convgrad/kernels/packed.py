"""Packed: the window's elements for a panel of lanes are gathered once and used by all rows.

    for each piece of positions, block of rows (a task)
      for each block of channels: stage the window
        for each block of the reduction
          for each panel of lanes: gather it (present terms x lanes, in the first-level cache)
            for each panel of rows: tile += factor panel * gathered panel
      copy the tiles out

Lanes run through all positions without regard to lines, so that a 7 x 7 image wastes none. Worth
it where many rows use what was gathered; see `sliding` for few.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from convgrad.kernels.emit import INTEGER, Code, Module, Number, Value
from convgrad.kernels.factor import FACTOR_FIELDS, emit_factor, emit_task, factor_values
from convgrad.kernels.output import OUTPUT_FIELDS, emit_output, output_places, output_values
from convgrad.kernels.piece import (
    PIECE_FIELDS,
    WORKERS,
    Pieces,
    cut,
    emit_piece,
    emit_window,
    imbalance,
)
from convgrad.kernels.plan import Algorithm, Kernel, Loop, Plan, Step, blocks
from convgrad.kernels.present import Order, orders, share
from convgrad.kernels.record import SHARED, Fields, Record, argument
from convgrad.kernels.stage import STAGE_FIELDS, emit_stage, stage_values
from convgrad.kernels.tile import Tile, widest
from convgrad.kernels.window import Stage, outer_sum, runs, window_axes

if TYPE_CHECKING:
    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.target import Target
    from convgrad.kernels.window import Table, WindowAxis

TABLE = INTEGER + "*"


PACKED = Fields(
    (
        *STAGE_FIELDS,
        *PIECE_FIELDS,
        *FACTOR_FIELDS,
        *OUTPUT_FIELDS,
        "row_blocks",
        "row_panels",  # per block
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
        "in_first",  # runs of the gathered panels
        "in_lane",
        "in_place",
        "in_length",
        "out_first",  # runs of the output
        "out_lane",
        "out_place",
        "out_length",
        "scratch_stage",
        "scratch_panel",
        "scratch_tiles",
    )
)


def emit_gather(module: Module, number: Number, tile: Tile) -> Code:
    """gather(to, from, offsets, depth, lane, place, length, first, last, valid).

    to[k][lane + j] = from[offsets[k] + place + j] for the runs first..last of a panel; lanes from
    `valid` on are never read.
    """
    code = module.function(
        "gather",
        (number.name, "to"),
        (number.name, "from"),
        (TABLE, "offsets"),
        (INTEGER, "depth"),
        (TABLE, "lane"),
        (TABLE, "place"),
        (TABLE, "length"),
        (INTEGER, "first"),
        (INTEGER, "last"),
        (INTEGER, "valid"),
    )
    lanes, width = tile.lanes, tile.width
    with code.loop(code.integer("first"), code.integer("last")) as run:
        lane = code.pointer("lane").load(run)
        length = code.pointer("length").load(run).minimum(code.integer("valid") - lane)
        source = code.pointer("from").at(code.pointer("place").load(run))
        target = code.pointer("to").at(lane)
        vectors = (length + (lanes - 1)) // lanes
        # Runs of each length in vectors have a loop of their own: nothing is decided per tap.
        for count in range(1, tile.vectors + 1):
            tail = (count - 1) * lanes
            with code.when(vectors.equals(count)):
                mask = code.lanes_between(0, length - tail, lanes)
                with code.loop(0, code.integer("depth")) as k:
                    begin = source.at(code.pointer("offsets").load(k))
                    end = target.at(k * width)
                    for j in range(0, tail, lanes):
                        end.store(begin.vector(lanes, j), j)
                    end.store_masked(begin.masked(lanes, mask, tail), lanes, mask, tail)
    return code


def emit_fetch(module: Module, number: Number, tile: Tile) -> Code:
    """fetch(from, offsets, first, last): ask for a part of the next panel.

    Measured: without it a 1x1 layer waits for memory a quarter of its time. Asked for in one go,
    the requests would block one another, so every tile asks for its share.
    """
    code = module.function(
        "fetch",
        (number.name, "from"),
        (TABLE, "offsets"),
        (INTEGER, "first"),
        (INTEGER, "last"),
    )
    with code.loop(code.integer("first"), code.integer("last")) as k:
        begin = code.pointer("from").at(code.pointer("offsets").load(k))
        for j in range(0, tile.width, max(64 // number.bytes, 1)):
            begin.prefetch(j)
    return code


def emit_tile(module: Module, number: Number, tile: Tile, used: int) -> Code:
    """tile(depth, factor, factors, panel, from, to, stride, bias, fresh): to = from + sum.

    The sum over k is factor[factors[k] + row] * panel[k][lane]; `fresh` starts from the bias
    instead of `from`, which may be `to`.
    The last panel may need fewer vectors than the tile has; only `used` ones are computed.
    """
    code = module.function(
        f"tile{used}",
        (INTEGER, "depth"),
        (number.name, "factor"),
        (TABLE, "factors"),
        (number.name, "panel"),
        (number.name, "from"),
        (number.name, "to"),
        (INTEGER, "stride"),
        (number.name, "bias"),
        (INTEGER, "fresh"),
    )
    lanes, kind = tile.lanes, number.vector(tile.lanes)
    to, stride = code.pointer("to"), code.integer("stride")
    cells = [(row, vector) for row in range(tile.rows) for vector in range(used)]
    sums = {cell: code.variable(kind, code.zero(kind)) for cell in cells}
    fresh = code.integer("fresh") > 0
    with code.when(fresh):
        for row, vector in cells:
            sums[row, vector].set(code.splat(code.pointer("bias").load(row), lanes))
    with code.unless(fresh):
        for row, vector in cells:
            sums[row, vector].set(
                code.pointer("from").vector(lanes, row * tile.width + vector * lanes)
            )
    with code.loop(0, code.integer("depth")) as k:
        panel = code.pointer("panel").at(k * tile.width)
        factor = code.pointer("factor").at(code.pointer("factors").load(k))
        across = [panel.vector(lanes, vector * lanes) for vector in range(used)]
        for row in range(tile.rows):
            down = code.splat(factor.load(row), lanes)
            for vector in range(used):
                total = sums[row, vector]
                total.set(code.fma(down, across[vector], total.get()))
    for row, vector in cells:
        to.store(sums[row, vector].get(), row * stride + vector * lanes)
    return code


def emit_copy_out(module: Module, number: Number, tile: Tile) -> Code:
    """copy_out(to, from, rows, stride, step, lane, place, length, first, last, valid).

    to[row*stride + place + step*j] = from[row][lane + j] for the runs of a panel of tiles.
    """
    code = module.function(
        "copy_out",
        (number.name, "to"),
        (number.name, "from"),
        (INTEGER, "rows"),
        (INTEGER, "stride"),
        (INTEGER, "step"),
        (TABLE, "lane"),
        (TABLE, "place"),
        (TABLE, "length"),
        (INTEGER, "first"),
        (INTEGER, "last"),
        (INTEGER, "valid"),
    )
    lanes, step = tile.lanes, code.integer("step")
    with code.loop(code.integer("first"), code.integer("last")) as run:
        lane = code.pointer("lane").load(run)
        length = code.pointer("length").load(run).minimum(code.integer("valid") - lane)
        place = code.pointer("place").load(run)
        with code.loop(0, code.integer("rows")) as row:
            source = code.pointer("from").at(row * tile.width + lane)
            target = code.pointer("to").at(row * code.integer("stride") + place)
            with code.when(step.equals(1)), code.loop(0, length, lanes) as j:
                whole = j + lanes <= length
                value = source.vector(lanes, j)
                with code.when(whole):
                    target.store(value, j)
                with code.unless(whole):
                    target.store_masked(value, lanes, code.lanes_between(0, length - j, lanes), j)
            # Every second element: spread to two vectors, of which half the lanes are written.
            with code.when(step.equals(2)), code.loop(0, length, lanes) as j:
                value, left = source.vector(lanes, j), (length - j) * 2
                for half in (0, lanes):
                    spread = code.shuffle(value, value, [(n + half) // 2 for n in range(lanes)])
                    mask = code.lanes_between(0, left - half, lanes) & code.alternate(lanes)
                    target.store_masked(spread, lanes, mask, j * 2 + half)
            with code.when(step > 2), code.loop(0, length) as j:
                target.store(source.load(j), j * step)
    return code


def packed_text(tile: Tile) -> str:  # noqa: PLR0915  reads as the nest that it emits
    """The nest of this file's title."""
    module, number = Module(), tile.element
    fields = PACKED
    stage = emit_stage(module, number, tile.lanes, fields)
    gather = emit_gather(module, number, tile)
    fetch = emit_fetch(module, number, tile)
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
        with code.loop(0, channels * taps, record["reduction_block"]) as part:
            final = (channel + channels).equals(record["channels"]) & (
                part + record["reduction_block"] >= channels * taps
            )
            with code.loop(0, panels) as panel:
                present = channels * record.table("panel_taps").load(panel)
                depth = (present - part).minimum(record["reduction_block"])
                terms = record.table("panel_list").load(panel) + part
                offsets, factors = (record.table(name).at(terms) for name in ("offsets", "factors"))
                left = piece.valid.minimum(starts.load(panel + 1)) - starts.load(panel)
                runs = record.table("in_first").at(panel)
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
                # Finished tiles that lie in the output as they are go there at once.
                place = record.table("out_first").at(panel)
                run = place.load()
                whole = record.table("out_length").load(run).equals(tile.width)
                straight = whole & final & left.equals(tile.width) & record["out_step"].equals(1)
                used = (left + (tile.lanes - 1)) // tile.lanes
                following = source.at(record.table("in_place").load(runs.load(1)))
                share = code.select(panel + 1 < panels, depth // row_panels + 1, code.lift(0))
                for vectors, function in enumerate(multiply, 1):
                    with code.when(used.equals(vectors)), code.loop(0, row_panels) as at:
                        row = at * tile.rows
                        code.run(
                            fetch,
                            following,
                            offsets,
                            (at * share).minimum(depth),
                            (at * share + share).minimum(depth),
                        )
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
                            panel_at,
                            scrap,
                            code.choose(here, there, scrap),
                            code.select(here, record["out_row"], code.lift(tile.width)),
                            bias.at(row),
                            _flag(code, (channel + part).equals(0)),
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
    choice = (8, 6, 12, 10, 5, 4) if target.registers >= 32 else (6, 4, 5)
    fitting = [count for count in choice if count <= max(rows, min(choice))]
    return tuple(widest(count, number, target, 6) for count in fitting)


@dataclass(frozen=True)
class Cut:
    """How a packed sum is cut into tasks and blocks, and what that costs."""

    stage: Stage
    pieces: Pieces
    row_panels: int
    row_blocks: int
    depth: int
    cycles: float


def _cuts(c: Contraction, tile: Tile, target: Target, axes: tuple[WindowAxis, ...]) -> list[Cut]:
    """The cuts worth considering: few or many rows to a task, large or small pieces."""
    size = tile.element.bytes
    images, _, channels = c.window.shape[:3]
    taps, total = prod(a.taps for a in axes), images * prod(a.positions for a in axes)
    # The gathered panel lives in the first-level cache, the tiles of a task in the second.
    depth = max(target.l1 * 3 // 4 // (tile.width * size), 16)
    channel_block = blocks(channels, max(depth // taps, 1))
    depth = channel_block * taps if taps <= depth else blocks(taps, depth)
    in_place = all(axis.step == 1 and axis.is_inside for axis in axes)
    panels = -(-c.rows[0].extent // tile.rows)
    found: list[Cut] = []
    for row_panels in {blocks(panels, max(n // tile.rows, 1)) for n in (512, 256, 128, 64)}:
        row_blocks = -(-panels // row_panels)
        most = target.l2 * 5 // 8 // (row_panels * tile.rows * size)
        rooms = {max(total // share, 1) for share in (1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 256)}
        for pieces in {cut(images, axes, room) for room in rooms}:
            if pieces.positions > max(most, tile.width) and found:
                continue
            stage = Stage(
                axes,
                pieces.piece_images,
                channel_block,
                pieces.split,
                pieces.piece_length,
                tile.lanes,
                c.window,
                in_place,
            )
            present = share(axes, pieces) if taps <= depth else 1.0
            cycles = _cycles(c, tile, (stage, pieces, row_blocks, depth), panels, present)
            excess = max(pieces.positions / max(most, tile.width), 1.0)
            found.append(Cut(stage, pieces, row_panels, row_blocks, depth, cycles * excess))
    return found


def _cycles(
    c: Contraction,
    tile: Tile,
    shape: tuple[Stage, Pieces, int, int],
    panels: int,
    present: float,
) -> float:
    """Predicted cycles of one core.

    Measured: 3 cycles to gather a vector for each block of rows, 1 for a multiply-add of a
    wide tile and more where loads outnumber them, 4 to copy a vector out; a byte of the factor
    streams in at 0.03 cycles for each piece; a tile is loaded and stored for each block of the
    reduction, 3 cycles a vector.
    """  # fmt: skip
    stage, pieces, row_blocks, depth = shape
    groups, channels = c.window.shape[1:3]
    reduction = channels * stage.taps.size
    padded, vectors = panels * tile.rows, pieces.vectors(tile.lanes)
    loads = 0.4 * (tile.rows + tile.vectors) / (tile.rows * tile.vectors)
    each = 3.0 * row_blocks + padded * max(1.0, loads + 0.85)
    cycles = groups * reduction * vectors * present * each
    cycles += 4.0 * groups * c.rows[0].extent * vectors
    cycles += 0.03 * groups * padded * reduction * pieces.number * tile.element.bytes
    cycles += 1.3 * groups * padded * reduction
    cycles += 3.0 * groups * padded * vectors * -(-reduction // depth)
    stages = -(-channels // stage.channels) * groups * row_blocks * pieces.number
    tasks = groups * row_blocks * pieces.number
    return (cycles + stage.cycles * stages) * imbalance(tasks, WORKERS)


def _order(best: Cut, tile: Tile, places: tuple[Table, Table, int], rows: int) -> Order:
    """The order of lanes that costs least: absent terms against shorter runs.

    Measured: a run costs 3 cycles for each term gathered, and 4 for each row copied out.
    """
    stage, depth = best.stage, best.depth
    found = orders(stage, best.pieces, tile)
    if stage.taps.size * stage.channels > depth:
        return next(found)  # a channel's taps come in several blocks: lists are not cut

    def cycles(order: Order) -> float:
        mean = float(order.taps.mean())
        runs_in = runs(places[0][order.lanes], order.starts)[1].size
        runs_out = runs(places[1][order.lanes], order.starts, places[2])[1].size
        gather = 3.0 * best.row_blocks * runs_in * mean
        return stage.window.shape[2] * (rows * order.cost + gather) + 4.0 * rows * runs_out

    return min(found, key=cycles)


def packed_plan(contraction: Contraction, tile: Tile, target: Target) -> Plan | None:
    """Lanes along the positions of the output; None where positions are summed over."""
    c, size = contraction, tile.element.bytes
    free = frozenset(index.name for index in c.free)
    if len(c.rows) != 1 or not free or c.output.subscripts[0].terms != (("n", 1),):
        return None
    axes = window_axes(c, free)
    groups, channels = c.window.shape[1:3]
    rows, taps = c.rows[0].extent, prod(axis.taps for axis in axes)
    panels = -(-rows // tile.rows)
    best = min(_cuts(c, tile, target, axes), key=lambda one: one.cycles)
    stage, pieces, depth = best.stage, best.pieces, best.depth
    row_panels, row_blocks, channel_block = best.row_panels, best.row_blocks, stage.channels
    lanes_at = outer_sum(stage.lines, np.arange(stage.positions[-1], dtype=np.int64))
    out_at, out_step = output_places(c, stage)
    order = _order(best, tile, (lanes_at, out_at, out_step), rows)
    in_runs = runs(lanes_at[order.lanes], order.starts)
    out_runs = runs(out_at[order.lanes], order.starts, out_step)
    panel_list, channel, tap = order.lists(channel_block)
    padded = panels * tile.rows
    reduction = channels * taps
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
        "channels": channels,
        "channel_block": channel_block,
        "taps": taps,
        "reduction_block": depth,
        "panels": piece_panels,
        "panel_start": order.starts,
        "panel_list": panel_list,
        "panel_taps": order.taps,
        "offsets": channel * stage.strides[1] + stage.taps[tap],
        "factors": (channel * taps + tap) * tile.rows,
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
            Loop("row panel", row_panels, how=str(tile)),
        ),
        steps=(
            Step("factor", groups * panels),
            Step("packed", groups * row_blocks * pieces.number),
        ),
        fields=PACKED,
        record=record,
        shared=groups * padded * (reduction + 1) * size,
        scratch=scratch * size,
        cycles=best.cycles,
    )


PACKED_ALGORITHM = Algorithm(
    name="packed",
    summary="gather panels of positions, used by many rows",
    functions=("factor", "packed"),
    text=packed_text,
    tiles=packed_tiles,
    plan=packed_plan,
)
