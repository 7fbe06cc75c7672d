"""Woven: all phases of a strided gradient in one tile, woven to whole lines when written.

    for each group, image (a task takes several)
      for each column of vectors, panel of rows
        for each block of lines
          for each channel, line of the image that the block reads, offset along it
            load; for each line, phase and tap that meet here: tile += factor * vectors
          for each line of the output: weave the phases' vectors, write

One by one, the phases of a gradient with stride s each read the image, and write every s-th number
of every s-th line. Here a line of the image is loaded once for all of them, and what is written is
whole (`phased`). A phase without taps is zero, and is written too.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from convgrad.kernels.emit import INTEGER, Code, Module, Number, Pointer, Value, Variable
from convgrad.kernels.factor import emit_task
from convgrad.kernels.phased import (
    Cell,
    meetings,
    phases_of,
    registers,
    sums_of,
    taps_of,
    weave,
)
from convgrad.kernels.plan import JointAlgorithm, Kernel, Loop, Plan, Step, blocks
from convgrad.kernels.plane import lines_at
from convgrad.kernels.record import OUTPUT, WINDOW, Fields, Record
from convgrad.kernels.share import SHARE_FIELDS, cut_shares, emit_share
from convgrad.kernels.tile import Tile

if TYPE_CHECKING:
    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.target import Target

WOVEN = Fields(
    (
        *SHARE_FIELDS,
        "height",  # of the image
        "width",
        "top",  # where line 0 and tap 0 read, from the lowest tap on
        "left",
        "out_lines",  # of the output, and numbers of a line
        "out_line",
    )
)

UNROLLED = 800
"""Multiply-adds of a tile's code at most: compiling takes the longer the more there are."""


def emit_weave(module: Module, number: Number, tile: Tile) -> Code:
    """weave(factor, bias, image, zeros, ...): a column of vectors, all lines of an image."""
    code = module.function(
        "weave",
        (number.name, "factor"),
        (number.name, "bias"),
        (number.name, "image"),
        (number.name, "zeros"),
        (INTEGER, "height"),
        (INTEGER, "width"),
        (INTEGER, "channels"),
        (INTEGER, "channel"),
        (INTEGER, "top"),
        (INTEGER, "column"),
        (number.name, "to"),
        (INTEGER, "out_row"),
        (INTEGER, "out_line"),
        (INTEGER, "lines"),
        (INTEGER, "count"),
        (INTEGER, "rows"),
    )
    lanes, kind = tile.lanes, number.vector(tile.lanes)
    tall, wide = map(len, tile.phases)
    width, column = code.integer("width"), code.integer("column")
    offsets = _offsets(tile)
    masks: dict[tuple[int, int], Value] = {}
    for v in range(tile.vectors):
        first = column + v * lanes
        legal = code.bits(code.lift(0) - first, width - first)
        masks.update({(v, offset): code.mask_of(legal, offset, lanes) for offset in offsets})
    written = [
        code.lanes_between(0, code.integer("count") - at * lanes, lanes)
        for at in range(tile.vectors * wide)
    ]
    cells: list[Cell] = [
        (r, n, h, w, v)
        for r in range(tile.rows)
        for n in range(tile.lines)
        for h in range(tall)
        for w in range(wide)
        for v in range(tile.vectors)
    ]
    sums = {cell: code.variable(kind, code.zero(kind)) for cell in cells}
    with code.loop(0, code.integer("lines"), tile.lines * tall) as line:
        for cell, total in sums.items():
            total.set(code.splat(code.pointer("bias").load(cell[0]), lanes))
        position = code.integer("top") + line // tall
        with code.loop(0, code.integer("channels")) as channel:
            plane = (
                code.pointer("image").at(channel * code.integer("channel")),
                code.pointer("zeros"),
                code.integer("height"),
                width,
            )
            factor = code.pointer("factor").at(channel * (taps_of(tile) * tile.rows))
            _emit_channel(code, tile, sums, (plane, factor, position), masks)
        to = code.pointer("to").at(line * code.integer("out_line"))
        _emit_write(code, tile, sums, (to, code.integer("lines") - line), written)
    return code


def _emit_channel(
    code: Code,
    tile: Tile,
    sums: dict[Cell, Variable],
    sources: tuple[tuple[Pointer, Pointer, Value, Value], Pointer, Value],
    masks: dict[tuple[int, int], Value],
) -> None:
    """One channel: each line and offset that is read, once."""
    plane, factor, position = sources
    lanes, met = tile.lanes, meetings(tile, tile.lines)
    down = {
        (tap, r): code.splat(factor.load(tap * tile.rows + r), lanes)
        for tap in range(taps_of(tile))
        for r in range(tile.rows)
    }
    lines = lines_at(code, plane, position, code.integer("column"), met)
    # A column of taps after the other, all lines for each: so few factors are in registers.
    for offset in _offsets(tile):
        for read, here in met.items():
            for v in range(tile.vectors if offset in here else 0):
                across = lines[read].masked(lanes, masks[v, offset], offset + v * lanes)
                for use in here[offset]:
                    for r in range(tile.rows):
                        total = sums[r, use.line, use.down, use.along, v]
                        total.set(code.fma(down[use.tap, r], across, total.get()))


def _offsets(tile: Tile) -> list[int]:
    """Where the taps of all phases read along a line."""
    return sorted({offset for reads in tile.phases[1] for offset in reads})


def _emit_write(
    code: Code,
    tile: Tile,
    sums: dict[Cell, Variable],
    target: tuple[Pointer, Value],
    masks: list[Value],
) -> None:
    """Write the lines and rows that there are, the phases of each line woven."""
    to, live = target
    lanes, (tall, wide) = tile.lanes, map(len, tile.phases)
    for r in range(tile.rows):
        for n in range(tile.lines):
            for h in range(tall):
                line = n * tall + h
                with code.when((live > line) & (code.integer("rows") > r)):
                    place = to.at(code.integer("out_row") * r + code.integer("out_line") * line)
                    for v in range(tile.vectors):
                        phases = [sums[r, n, h, w, v].get() for w in range(wide)]
                        for part, value in enumerate(weave(code, phases, lanes)):
                            at = v * wide + part
                            place.store_masked(value, lanes, masks[at], at * lanes)


def woven_text(tile: Tile) -> str:
    """The nest of this file's title."""
    module, number = Module(), tile.element
    weaving = emit_weave(module, number, tile)
    code = emit_task(module, "woven", number)
    record = Record(WOVEN, code.pointer("record"))
    share = emit_share(code, record, tile, WOVEN)
    arguments = code.pointer("arguments")
    windows = share.operand(record, arguments, WINDOW, number.name, "window")
    outputs = share.operand(record, arguments, OUTPUT, number.name, "out")
    # Images outside, groups inside: the planes of an image are neighbours in memory.
    with code.loop(0, share.images) as image, code.loop(0, share.groups) as nth:
        first_row = nth * record["padded_rows"]
        window = windows.at(image * record["window_image"] + nth * record["window_group"])
        output = outputs.at(image * record["out_image"] + nth * record["out_group"])
        wide = len(tile.phases[1])
        with (
            code.loop(0, record["out_line"], tile.width * wide) as at,
            code.loop(0, record["row_panels"]) as panel,
        ):
            row = panel * tile.rows
            code.run(
                weaving,
                share.factors.at((first_row + row) * record["reduction"]),
                share.biases.at(first_row + row),
                window,
                share.zeros,
                record["height"],
                record["width"],
                record["channels"],
                record["window_channel"],
                record["top"],
                record["left"] + at // wide,
                output.at(row * record["out_row"] + at),
                record["out_row"],
                record["out_line"],
                record["out_lines"],
                record["out_line"] - at,
                record["rows"] - row,
            )
    return str(module)


def woven_tiles(sums: tuple[Contraction, ...], number: str, target: Target) -> tuple[Tile, ...]:
    """Tiles of few rows and some lines, for the line length at hand."""
    phases = phases_of(sums)
    if phases is None or phases.first.rows[0].extent > 16 or phases.window_steps != (1, 1):
        return ()
    if prod(map(len, phases.reads)) == 1:
        return ()  # one phase: nothing to weave
    rows = phases.first.rows[0].extent
    whole = target.lanes(Tile(number, 1, 1, 1).element.bits)
    lines, line = phases.positions
    reach = max((offset for reads in phases.reads[1] for offset in reads), default=0)
    tiles: list[Tile] = []
    for count in [n for n in (1, 2, 3, 4) if rows % n == 0]:
        for lanes in (whole, whole // 2):
            widths = [n for n in (1, 2, 3, 4) if n <= -(-line // lanes)]
            for width in widths if lanes > 1 and lanes + reach < 63 else ():
                every = [
                    Tile(number, lanes, count, width, height, phases=phases.reads)
                    for height in range(1, min(lines, 8) + 1)
                ]
                fitting = [tile for tile in every if _fits(tile, target)]
                if fitting:
                    tiles.append(fitting[blocks(lines, len(fitting)) - 1])
    return tuple(tiles)


def _fits(tile: Tile, target: Target) -> bool:
    columns = ([offset] for offset in _offsets(tile))
    unrolled = tile.rows * tile.lines * tile.vectors * taps_of(tile)
    return registers(tile, columns) <= target.registers and unrolled <= UNROLLED


def woven_plan(sums: tuple[Contraction, ...], tile: Tile, target: Target) -> Plan | None:
    """Lanes along the last axis of the image, all phases of its lines together."""
    phases = phases_of(sums)
    if phases is None:
        return None
    c, size = phases.first, tile.element.bytes
    images, groups, channels, height, width = c.window.shape
    rows = c.rows[0].extent
    (tall, wide), (lines, line) = map(len, tile.phases), phases.sizes
    columns = -(-line // (tile.width * wide)) * -(-rows // tile.rows)
    cycles = _cycles(tile, target, channels, height * width * size)
    cycles = (cycles * -(-lines // (tile.lines * tall)) + 40.0) * columns * images * groups
    shares = cut_shares(phases, tile, cycles)
    return Plan(
        sum=c,
        others=sums[1:],
        kernel=Kernel("woven", tile),
        loops=(
            *shares.loops,
            Loop("vector", -(-line // (wide * tile.lanes)), tile.vectors),
            Loop("row", rows, tile.rows),
            Loop("line", -(-lines // tall), tile.lines, f"{tall} x {wide} phases, {tile}"),
            Loop("channel", channels),
            Loop("tap", taps_of(tile), taps_of(tile)),
        ),
        steps=(Step("woven", shares.tasks),),
        fields=WOVEN,
        record={
            **shares.values,
            "height": height,
            "width": width,
            "top": phases.lowest[0],
            "left": phases.lowest[1],
            "out_lines": lines,
            "out_line": line,
        },
        shared=0,
        scratch=shares.scratch * size,
        cycles=shares.cycles,
    )


def _cycles(tile: Tile, target: Target, channels: int, plane: int) -> float:
    """Predicted cycles of one core for a block of lines; a plane of the image has so many bytes."""
    met = meetings(tile, tile.lines)
    wide = tile.lanes * tile.element.bytes == target.vector_bytes
    adds = tile.rows * tile.lines * tile.vectors * taps_of(tile)
    loads = tile.vectors * sum(len(here) for here in met.values()) * (1.6 if wide else 1.0)
    # Where a channel's lines lie is looked up; those of a large plane lie in a page each.
    far = 25.0 if channels > 1 and plane > target.l1 else 2.7
    each = adds * max(0.55, 4.0 / sums_of(tile)) + 0.8 * loads
    # A block reads the same lines of every channel for the next columns: from how far?
    held = channels * len(met) * (tile.vectors + 1) * tile.lanes * tile.element.bytes
    each += 0.8 * tile.rows * taps_of(tile) + far + (12.0 if held > target.l1 else 1.5) * len(met)
    return channels * each + 1.6 * (1.5 if wide else 1.0) * sums_of(tile) + 20.0


WOVEN_ALGORITHM = JointAlgorithm(
    name="woven",
    summary="few rows: all phases of a strided gradient in one tile, written as whole lines",
    functions=("woven",),
    text=woven_text,
    tiles=woven_tiles,
    plan=woven_plan,
)
