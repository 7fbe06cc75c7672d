"""Whole: images with few rows; code for one size of image, a tile as wide as its lines.

    for each image and group (a task takes several), panel of rows
      for each block of lines
        for each channel
          for each line of the image, tap along it
            load; for each line, phase and tap that meet here: tile += factor * vectors
        write the block's lines

Which lines exist, which lanes are inside and which terms are absent is known beforehand (`sized`):
an image of 7 x 7 is 57 multiply-adds of vectors, and finding its lines at run time would take as
long again. Output is written line after line, which memory is fastest at.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from convgrad.kernels.emit import INTEGER, Code, Module, Number, Pointer, Value, Variable
from convgrad.kernels.factor import emit_task
from convgrad.kernels.phased import (
    Cell,
    Phases,
    meetings,
    phases_of,
    registers,
    sums_of,
    taps_of,
    weave,
)
from convgrad.kernels.plan import JointAlgorithm, Kernel, Loop, Plan, Step, blocks
from convgrad.kernels.record import OUTPUT, WINDOW, Fields, Record
from convgrad.kernels.share import SHARE_FIELDS, cut_shares, emit_share
from convgrad.kernels.sized import (
    UNROLLED,
    Block,
    blocks_of,
    lines_of,
    live_lanes,
    load,
    pick,
    shared,
    unrolled,
)
from convgrad.kernels.tile import Tile

if TYPE_CHECKING:
    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.target import Target

WHOLE = Fields(SHARE_FIELDS)

AHEAD = 2048
"""Bytes ahead of what is written that lines of the cache are asked for.

A line that is written has to be read first. Measured: a fifth of the time for outputs of 38 MB,
some hundredths where they stay in a cache.
"""


def emit_images(module: Module, number: Number, tile: Tile) -> Code:
    """images(factor, bias, window, to, ...): all images and groups of a task."""
    code = module.function(
        "images",
        (number.name, "factor"),
        (number.name, "bias"),
        (number.name, "window"),
        (number.name, "zeros"),
        (number.name, "to"),
        (INTEGER, "images"),
        (INTEGER, "groups"),
        (INTEGER, "panels"),
        (INTEGER, "channels"),
        (INTEGER, "rows"),
        (INTEGER, "window_image"),
        (INTEGER, "window_group"),
        (INTEGER, "window_channel"),
        (INTEGER, "out_image"),
        (INTEGER, "out_group"),
        (INTEGER, "out_row"),
    )
    depth = code.integer("channels") * (taps_of(tile) * tile.rows)
    # Images outside, groups inside: the planes of an image are neighbours in memory.
    with (
        code.loop(0, code.integer("images")) as image,
        code.loop(0, code.integer("groups")) as group,
        code.loop(0, code.integer("panels")) as panel,
    ):
        nth = group * code.integer("panels") + panel
        factor, bias = (
            code.pointer("factor").at(nth * depth),
            code.pointer("bias").at(nth * tile.rows),
        )
        window = code.pointer("window").at(
            image * code.integer("window_image") + group * code.integer("window_group")
        )
        row = panel * tile.rows
        to = code.pointer("to").at(
            image * code.integer("out_image")
            + group * code.integer("out_group")
            + row * code.integer("out_row")
        )
        left = code.integer("rows") - row
        for block in blocks_of(tile):
            if block.repeats == 1:
                _emit_block(code, tile, block, (factor, bias, window), (to, left))
                continue
            with code.loop(0, block.repeats * tile.lines, tile.lines) as line:
                below = to.at(line * (len(tile.phases[0]) * tile.sizes[1][1]))
                _emit_block(code, tile, block, (factor, bias, window), (below, left), line)
    return code


def _emit_block(
    code: Code,
    tile: Tile,
    block: Block,
    sources: tuple[Pointer, Pointer, Pointer],
    target: tuple[Pointer, Value],
    moved: Value | int = 0,
) -> None:
    """Some lines of every phase, so many lines further down: summed up and written."""
    factor, bias, window = sources
    lanes, kind = tile.lanes, tile.element.vector(tile.lanes)
    sums = {
        (r, n, h, w, v): code.variable(kind, code.splat(bias.load(r), lanes))
        for r in range(tile.rows)
        for n in range(len(block.lines))
        for h in range(len(tile.phases[0]))
        for w in range(len(tile.phases[1]))
        for v in range(tile.vectors)
    }
    with code.loop(0, code.integer("channels")) as channel:
        plane = window.at(channel * code.integer("window_channel"))
        packed = factor.at(channel * (taps_of(tile) * tile.rows))
        down = {
            (tap, r): code.splat(packed.load(tap * tile.rows + r), lanes)
            for tap in range(taps_of(tile))
            for r in range(tile.rows)
        }
        met = meetings(tile, len(block.lines))
        lines = lines_of(code, tile, block, (plane, code.pointer("zeros")), moved)
        width = lanes * tile.steps[1]
        # Taps that read the same vectors one after the other, all lines for each: so few factors
        # are in registers at a time.
        for base, offsets in shared(tile).items():
            for read, line in lines.items():
                for v in range(tile.vectors):
                    loaded = load(tile, line, base + v * width, width)
                    for offset in offsets:
                        if loaded is None or offset not in met[read]:
                            continue
                        value = pick(code, tile, loaded, offset - base, live_lanes(tile, v))
                        for use in met[read][offset]:
                            for r in range(tile.rows):
                                total = sums[r, use.line, use.down, use.along, v]
                                total.set(code.fma(down[use.tap, r], value, total.get()))
    _emit_write(code, tile, block.lines, sums, target)


def _emit_write(
    code: Code, tile: Tile, block: range, sums: dict[Cell, Variable], target: tuple[Pointer, Value]
) -> None:
    to, rows = target
    lanes, (height, width) = tile.lanes, tile.sizes[1]
    tall, wide = map(len, tile.phases)
    size = tile.element.bytes
    if height * width * size > AHEAD:
        first, last = block.start * tall * width, block.stop * tall * width
        for at in range(first, last, 64 // size):
            to.prefetch(at + AHEAD // size, near=True, write=True)
    for r in range(tile.rows):
        with code.when(rows > r):
            for n, line in enumerate(block):
                for h in range(tall):
                    if line * tall + h >= height:
                        continue
                    place = to.at(code.integer("out_row") * r + (line * tall + h) * width)
                    for v in range(tile.vectors):
                        phases = [sums[r, n, h, w, v].get() for w in range(wide)]
                        for part, value in enumerate(weave(code, phases, lanes)):
                            at = (v * wide + part) * lanes
                            inside = [at + j < width for j in range(lanes)]
                            if any(inside):
                                place.store_chosen(value, inside, at)


def whole_text(tile: Tile) -> str:
    """The nest of this file's title."""
    module, number = Module(), tile.element
    images_of = emit_images(module, number, tile)
    code = emit_task(module, "whole", number)
    record = Record(WHOLE, code.pointer("record"))
    share = emit_share(code, record, tile, WHOLE)
    arguments = code.pointer("arguments")
    code.run(
        images_of,
        share.factors,
        share.biases,
        share.operand(record, arguments, WINDOW, number.name, "window"),
        share.zeros,
        share.operand(record, arguments, OUTPUT, number.name, "out"),
        share.images,
        share.groups,
        record["row_panels"],
        record["channels"],
        record["rows"],
        record["window_image"],
        record["window_group"],
        record["window_channel"],
        record["out_image"],
        record["out_group"],
        record["out_row"],
    )
    return str(module)


def whole_tiles(sums: tuple[Contraction, ...], number: str, target: Target) -> tuple[Tile, ...]:
    """Tiles of few rows and some whole lines of an image, where these fit the registers."""
    phases = phases_of(sums)
    if phases is None or phases.first.rows[0].extent > 16 or phases.window_steps[1] > 2:
        return ()
    rows = phases.first.rows[0].extent
    whole = target.lanes(Tile(number, 1, 1, 1).element.bits)
    lines, line = phases.positions
    reads = tuple(
        tuple(tuple(read + low for read in taps) for taps in axis)
        for axis, low in zip(phases.reads, phases.lowest, strict=True)
    )
    image = phases.first.window.shape[3:]
    tiles: list[Tile] = []
    for lanes in (whole, whole // 2):
        vectors = -(-line // lanes)
        for count in [n for n in (1, 2, 3, 4) if rows % n == 0]:
            every = [
                Tile(
                    number, lanes, count, vectors, height,
                    steps=phases.window_steps, phases=(reads[0], reads[1]),
                    sizes=((image[0], image[1]), phases.sizes),
                )
                for height in range(1, min(lines, target.registers) + 1)
            ]  # fmt: skip
            fitting = [
                tile for tile in every if registers(tile, shared(tile).values()) <= target.registers
            ]
            # A few lines are as fast as many, and sooner compiled; an image is best at once.
            heights = {blocks(lines, most) for most in (lines, 4, 3, 2, 1)}
            heights |= {most for most in range(4, 8) if lines % most == 0}
            tiles += [
                tile
                for tile in fitting
                if lanes > 1 and tile.lines in heights and unrolled(tile) <= UNROLLED
            ]
    return tuple(tiles)


def whole_plan(sums: tuple[Contraction, ...], tile: Tile, target: Target) -> Plan | None:
    """Lanes along the last axis, all phases of an image together."""
    phases = phases_of(sums)
    if phases is None:
        return None
    images, groups, channels = phases.first.window.shape[:3]
    rows = phases.first.rows[0].extent
    cycles = _cycles(tile, target, phases, channels) * -(-rows // tile.rows) * images * groups
    shares = cut_shares(phases, tile, cycles)
    return Plan(
        sum=sums[0],
        others=sums[1:],
        kernel=Kernel("whole", tile),
        loops=(
            *shares.loops,
            Loop("row", rows, tile.rows),
            Loop("line", phases.positions[0], tile.lines, str(tile)),
            Loop("channel", channels),
            Loop("tap", taps_of(tile), taps_of(tile)),
        ),
        steps=(Step("whole", shares.tasks),),
        fields=WHOLE,
        record=shares.values,
        shared=0,
        scratch=shares.scratch * tile.element.bytes,
        cycles=shares.cycles,
    )


def _cycles(tile: Tile, target: Target, phases: Phases, channels: int) -> float:
    """Predicted cycles of one core for an image and a panel of rows: fitted to measurements."""
    wide = tile.lanes * tile.element.bytes == target.vector_bytes
    adds, loads, factors, cuts = 0.0, 0.0, 0.0, 0.0
    for block in blocks_of(tile):
        met = meetings(tile, len(block.lines))
        adds += block.repeats * len(block.lines) * tile.rows * tile.vectors * taps_of(tile)
        loads += block.repeats * tile.vectors * sum(len(here) for here in met.values())
        factors += block.repeats * tile.rows * taps_of(tile)
        cuts += block.repeats
    # A vector of a cache line's length lies across two of them; every second number takes two
    # vectors and a shuffle.
    loads *= (1.6 if wide else 1.0) * (1.0 if tile.steps[1] == 1 else 3.0)
    outputs = phases.positions[0] * tile.rows * tile.vectors * prod(map(len, tile.phases))
    outputs *= 1.5 if wide else 1.0
    # A multiply-add takes four cycles, and few sums have to wait for it.
    adds *= max(0.55, 4.0 / sums_of(tile))
    # Lines of a large plane lie in a page each.
    height, width = tile.sizes[0]
    far = 25.0 if channels > 1 and height * width * tile.element.bytes > target.l1 else 2.7
    each = adds + 0.8 * (loads + factors) + far * cuts
    return channels * each + 1.6 * outputs + 15.0


WHOLE_ALGORITHM = JointAlgorithm(
    name="whole",
    summary="few rows: code for the size of the image, all phases of a gradient in one tile",
    functions=("whole",),
    text=whole_text,
    tiles=whole_tiles,
    plan=whole_plan,
)
