"""Correlated: sums over positions with few rows (a weight gradient of few channels per group).

    for each group, part of the pieces (a task)
      for each piece of positions
        stage the window
        for each panel of rows, panel of channels and taps
          for each run of positions: tile += factor vectors * window vectors at the taps' offsets
      add up the lanes
    add up the parts

Lanes run along the sum itself; what they hold is added up once, in one fixed order.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from convgrad.kernels.emit import INTEGER, Code, Module, Number
from convgrad.kernels.factor import TABLE, emit_task
from convgrad.kernels.parts import PART_FIELDS, cut_parts, emit_add, emit_part
from convgrad.kernels.piece import (
    PIECE_FIELDS,
    WORKERS,
    Pieces,
    cut,
    emit_piece,
    emit_window,
    imbalance,
)
from convgrad.kernels.plan import Algorithm, Kernel, Loop, Plan
from convgrad.kernels.record import FACTOR, FLAG, Fields, Record, argument
from convgrad.kernels.stage import STAGE_FIELDS, emit_stage, stage_values
from convgrad.kernels.tile import Tile
from convgrad.kernels.weighted import axis_name, out_offsets
from convgrad.kernels.window import Stage, outer_sum, window_axes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.target import Target

CORRELATED = Fields(
    (
        *STAGE_FIELDS,
        *PIECE_FIELDS,
        *PART_FIELDS,
        "rows",
        "row_panels",
        "channels",
        "cells",
        "cell_panels",
        "offsets",  # per channel and tap: where it lies in the stage
        "runs",  # of positions that are neighbours in the stage and in the factor
        "run_first",
        "run_place",
        "run_factor",
        "run_length",
        "factor_image",
        "factor_group",
        "factor_row",
        "factor_piece",
        "out_group",
        "out_row",
        "out_offsets",
        "scratch_tiles",
        "checked",
    )
)


def emit_correlate(module: Module, number: Number, tile: Tile) -> Code:
    """correlate(window, factor, row, rows, offsets, runs..., valid, to, flag).

    to[r][t] (a vector each) += factor[r] * window[offsets[t]] over the positions of the runs.
    """
    code = module.function(
        "correlate",
        (number.name, "window"),
        (number.name, "factor"),
        (INTEGER, "row"),
        (INTEGER, "rows"),
        (TABLE, "offsets"),
        (TABLE, "first"),
        (TABLE, "place"),
        (TABLE, "at"),
        (TABLE, "length"),
        (INTEGER, "runs"),
        (INTEGER, "valid"),
        (number.name, "to"),
        (TABLE, "flag"),
    )
    lanes, kind, to = tile.lanes, number.vector(tile.lanes), code.pointer("to")
    rows, cells = range(tile.rows), range(tile.vectors)
    sums = {
        (row, cell): code.variable(kind, to.vector(lanes, (row * tile.vectors + cell) * lanes))
        for row in rows
        for cell in cells
    }
    zero = code.zero(kind)
    check = code.variable(kind, zero)
    window = [code.pointer("window").at(code.pointer("offsets").load(cell)) for cell in cells]
    # Rows beyond the last read the first one, and are not written out.
    factor = [
        code.pointer("factor").at(
            code.select(code.integer("rows") > row, code.integer("row") * row, code.lift(0))
        )
        for row in rows
    ]
    with code.loop(0, code.integer("runs")) as run:
        first = code.pointer("first").load(run)
        length = code.pointer("length").load(run).minimum(code.integer("valid") - first)
        place, at = code.pointer("place").load(run), code.pointer("at").load(run)
        whole = length - length % lanes
        with code.loop(0, whole, lanes) as j:
            down = [factor[row].vector(lanes, at + j) for row in rows]
            for cell in cells:
                across = window[cell].vector(lanes, place + j)
                for row in rows:
                    total = sums[row, cell]
                    total.set(code.fma(down[row], across, total.get()))
            for value in down:
                check.set(code.fma(value, zero, check.get()))
        with code.when(whole < length):
            mask = code.lanes_between(0, length - whole, lanes)
            down = [factor[row].masked(lanes, mask, at + whole) for row in rows]
            for cell in cells:
                across = window[cell].masked(lanes, mask, place + whole)
                for row in rows:
                    total = sums[row, cell]
                    total.set(code.fma(down[row], across, total.get()))
            for value in down:
                check.set(code.fma(value, zero, check.get()))
    for (row, cell), total in sums.items():
        to.store(total.get(), (row * tile.vectors + cell) * lanes)
    spoiled = code.define("i1", f"fcmp uno {number.name} {code.total(check.get()).text}, 0.0")
    with code.when(spoiled):
        code.pointer("flag").store(code.lift(1))
    return code


def correlated_text(tile: Tile) -> str:
    """The nest of this file's title."""
    module, number = Module(), tile.element
    stage = emit_stage(module, number, tile.lanes, CORRELATED)
    correlate = emit_correlate(module, number, tile)
    code = emit_task(module, "correlated", number)
    record = Record(CORRELATED, code.pointer("record"))
    arguments, scratch = code.pointer("arguments"), code.pointer("scratch")
    task = code.integer("task")
    group, (first, last), result = emit_part(code, record, arguments, number, task)
    tiles = scratch.at(record["scratch_tiles"])
    in_place = record["stage_in_place"] > 0
    kind, size = number.vector(tile.lanes), tile.rows * tile.vectors * tile.lanes
    flag = code.choose(
        record["checked"] > 0, argument(code, arguments, FLAG, INTEGER), code.array(INTEGER, 1)
    )
    row_panels, cell_panels = record["row_panels"], record["cell_panels"]
    with code.loop(0, row_panels * cell_panels * size, tile.lanes) as j:
        tiles.store(code.zero(kind), j)
    with code.loop(first, last) as at:
        piece = emit_piece(record, at)
        window = emit_window(code, record, arguments, number.name, (piece.image, group))
        with code.unless(in_place):
            code.run(
                stage, scratch, window, record.base, piece.images, record["channels"], piece.begin
            )
        source = code.choose(in_place, window.at(piece.begin * record["window_piece"]), scratch)
        factor = argument(code, arguments, FACTOR, number.name).at(
            piece.image * record["factor_image"]
            + group * record["factor_group"]
            + piece.begin * record["factor_piece"]
        )
        with code.loop(0, row_panels) as panel, code.loop(0, cell_panels) as cell:
            row = panel * tile.rows
            code.run(
                correlate,
                source,
                factor.at(row * record["factor_row"]),
                record["factor_row"],
                record["rows"] - row,
                record.table("offsets").at(cell * tile.vectors),
                record.table("run_first"),
                record.table("run_place"),
                record.table("run_factor"),
                record.table("run_length"),
                record["runs"],
                piece.valid,
                tiles.at((panel * cell_panels + cell) * size),
                flag,
            )
    output = result.at(group * record["out_group"])
    with code.loop(0, record["rows"]) as row, code.loop(0, record["cells"]) as cell:
        panel = row // tile.rows * cell_panels + cell // tile.vectors
        within = row % tile.rows * tile.vectors + cell % tile.vectors
        vector = tiles.vector(tile.lanes, panel * size + within * tile.lanes)
        output.store(
            code.total(vector),
            row * record["out_row"] + record.table("out_offsets").load(cell),
        )
    emit_add(module, tile, CORRELATED)
    return str(module)


def correlated_tiles(contraction: Contraction, number: str, target: Target) -> tuple[Tile, ...]:
    """Tiles of few rows, with whole and half vectors for short lines."""
    rows = prod(index.extent for index in contraction.rows)
    cells = prod(index.extent for index in contraction.free)
    lanes = target.lanes(Tile(number, 1, 1, 1).element.bits)
    wide = target.registers >= 32
    shapes = (
        ((1, 9), (1, 12), (1, 7), (2, 9), (3, 8), (4, 6), (4, 5), (5, 5))
        if wide
        else ((1, 9), (1, 6), (2, 4), (3, 3))
    )
    return tuple(
        Tile(number, width, count, vectors)
        for count, vectors in shapes
        if count <= rows and (vectors <= cells or vectors == shapes[0][1])
        for width in (lanes, lanes // 2)
        if width >= 2
    )


def _is_correlated(c: Contraction) -> bool:
    """Whether positions are summed over, for one index of rows."""
    return len(c.rows) == 1 and any(index.name == "n" for index in c.reduction)


def correlated_cycles(contraction: Contraction, tile: Tile, target: Target) -> float:
    """What no plan with this tile takes less of: whole vectors, one run, nothing staged."""
    c = contraction
    if not _is_correlated(c):
        return 0.0
    axes = window_axes(c, frozenset(index.name for index in c.reduction))
    images, groups, channels = c.window.shape[:3]
    rows, cells = c.rows[0].extent, channels * prod(axis.taps for axis in axes)
    vectors = images * prod(axis.positions for axis in axes) / tile.lanes
    panels = -(-cells // tile.vectors) * -(-rows // tile.rows)
    return groups * (panels * vectors * _each(tile, target, 0) + 12.0 * rows * cells)


def correlated_plan(contraction: Contraction, tile: Tile, target: Target) -> Plan | None:
    """Positions are summed over, lanes along them."""
    c, size = contraction, tile.element.bytes
    if not _is_correlated(c):
        return None
    reduced = frozenset(index.name for index in c.reduction)
    axes = window_axes(c, reduced)
    images, groups, channels = c.window.shape[:3]
    rows, taps = c.rows[0].extent, prod(axis.taps for axis in axes)
    overhead = prod(len(axis.phases) for axis in axes)
    total = images * prod(axis.positions for axis in axes)
    room = min(
        target.l2 // 3 // (size * (channels * overhead + rows)),
        -(-total * groups // WORKERS),  # a piece at least for every processor
    )
    pieces = cut(images, axes, max(room, 64))
    in_place = all(axis.step == 1 and axis.is_inside for axis in axes)
    stage = Stage(
        axes,
        pieces.piece_images,
        channels,
        pieces.split,
        pieces.piece_length,
        tile.lanes,
        c.window,
        in_place,
    )
    names = [axis_name(c, a, reduced) for a in range(len(axes))]
    places = outer_sum(stage.lines, np.arange(stage.positions[-1], dtype=np.int64))
    at = outer_sum(
        np.arange(stage.images, dtype=np.int64) * c.factor.step("n"),
        *(
            np.arange(count, dtype=np.int64) * c.factor.step(name)
            for count, name in zip(stage.positions, names, strict=True)
        ),
    )
    begins = np.ones(places.size, bool)
    begins[1:] = (np.diff(places) != 1) | (np.diff(at) != 1)
    run_first = np.flatnonzero(begins)
    run_length = np.diff(np.append(run_first, places.size))
    cells = channels * taps
    cell_panels, row_panels = -(-cells // tile.vectors), -(-rows // tile.rows)
    offsets = np.zeros(cell_panels * tile.vectors, np.int64)
    offsets[:cells] = outer_sum(np.arange(channels, dtype=np.int64) * stage.strides[1], stage.taps)
    scratch_tiles = -(-stage.elements // 16) * 16
    cycles = _cycles(tile, target, (stage, pieces), (rows, run_length)) * groups
    parts = cut_parts(c, pieces.number, lambda n: imbalance(groups * n, WORKERS), cycles)
    record: dict[str, int | NDArray[np.int64]] = {
        **stage_values(stage),
        **pieces.values(),
        **parts.values(),
        "rows": rows,
        "row_panels": row_panels,
        "channels": channels,
        "cells": cells,
        "cell_panels": cell_panels,
        "offsets": offsets,
        "runs": run_first.size,
        "run_first": run_first,
        "run_place": places[run_first],
        "run_factor": at[run_first],
        "run_length": run_length,
        "factor_image": c.factor.step("n"),
        "factor_group": c.factor.step("g"),
        "factor_row": c.factor.step(c.rows[0].name),
        "factor_piece": c.factor.step(names[pieces.split]),
        "out_group": c.output.step("g"),
        "out_row": c.output.step(c.rows[0].name),
        "out_offsets": out_offsets(c, channels),
        "scratch_tiles": scratch_tiles,
        "checked": int(not all(axis.is_inside for axis in axes)),
    }
    return Plan(
        sum=c,
        kernel=Kernel("correlated", tile),
        loops=(
            Loop("group", groups, how="parallel"),
            Loop("part", parts.number, how="parallel, added up at the end"),
            Loop("piece", parts.pieces, how=f"{pieces.positions} positions"),
            Loop("row", rows, tile.rows),
            Loop("channel, tap", cells, tile.vectors, str(tile)),
            Loop("position", pieces.positions, tile.lanes),
        ),
        steps=parts.steps("correlated", groups),
        fields=CORRELATED,
        record=record,
        shared=parts.shared * size,
        scratch=(scratch_tiles + row_panels * cell_panels * tile.rows * tile.width + 2 * tile.lanes)
        * size,
        cycles=cycles * imbalance(groups * parts.number, WORKERS) + parts.cycles,
    )


def _cycles(
    tile: Tile,
    target: Target,
    where: tuple[Stage, Pieces],
    what: tuple[int, NDArray[np.int64]],
) -> float:
    """Predicted cycles of one core for a group."""
    (stage, pieces), (rows, runs) = where, what
    cells = stage.channels * stage.taps.size
    panels = -(-cells // tile.vectors) * -(-rows // tile.rows)
    # Four cycles where a channel is not in the first-level cache any more.
    held = stage.channels * pieces.positions * tile.element.bytes
    far = -(-tile.vectors // stage.taps.size) if held > target.l1 else 0
    vectors = int((-(-runs // tile.lanes)).sum())
    piece = panels * (vectors * _each(tile, target, far) + 8.0 * runs.size) + stage.cycles
    return pieces.number * piece + 12.0 * rows * cells


def _each(tile: Tile, target: Target, far: int) -> float:
    """Cycles of a vector of positions for a tile, so many of whose loads come from afar.

    Measured: two multiply-adds a cycle, an unaligned load one cycle; the lesser of the two hides
    but in part.
    """
    wide = 1.0 if tile.lanes * tile.element.bytes == target.vector_bytes else 0.55
    loads = 0.5 * tile.rows + tile.vectors + 4.0 * far
    adds = 0.55 * tile.rows * tile.vectors + tile.rows
    return (max(adds, loads) + 0.3 * min(adds, loads)) * wide


CORRELATED_ALGORITHM = Algorithm(
    name="correlated",
    summary="sum over positions, lanes along the positions: few rows, few channels and taps",
    functions=("correlated", "add"),
    text=correlated_text,
    tiles=correlated_tiles,
    plan=correlated_plan,
    least=correlated_cycles,
)
