"""Matched: sums over the positions of small images (a depthwise weight gradient), few rows.

    for each group, panel of rows, channel (a task takes several)
      for each block of taps: accumulators, one vector for each row and tap
        for each image, block of lines, vector of positions
          load the factor; for each line of the image, tap along it
            load; for each line and tap that meet here: accumulator += factor vector * vector
        add up the lanes

As `whole` with output and factor exchanged: code for one size of image.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from convgrad.kernels.emit import INTEGER, Code, Module, Number, Pointer, Value, Variable
from convgrad.kernels.factor import emit_task
from convgrad.kernels.phased import meetings, taps_of
from convgrad.kernels.plan import Algorithm, Kernel, Loop, Plan, Step, blocks
from convgrad.kernels.record import FACTOR, FLAG, OUTPUT, WINDOW, Fields, Record, argument
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
from convgrad.kernels.traced import tap_name
from convgrad.kernels.window import window_axes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.target import Target
    from convgrad.kernels.window import WindowAxis

MATCHED = Fields(
    (
        "images",
        "rows",
        "row_panels",
        "channels",
        "jobs",  # groups x row panels x channels, and per task
        "piece",
        "window_image",
        "window_group",
        "window_channel",
        "window_line",
        "factor_image",
        "factor_group",
        "factor_row",
        "out_group",
        "out_row",
        "out_channel",
        "out_tall",
        "out_wide",
        "out_origin",
        "checked",
    )
)


def tap_blocks(tile: Tile) -> Iterator[tuple[tuple[int, int], Tile]]:
    """Per block of taps, the first of them and the tile that sums them up alone."""
    down, along = tile.phases
    for i, tall in enumerate(down):
        for j, wide in enumerate(along):
            first = sum(map(len, down[:i])), sum(map(len, along[:j]))
            yield first, replace(tile, phases=((tall,), (wide,)))


def emit_match(module: Module, number: Number, tile: Tile, name: str) -> Code:
    """match(window, factor, ...): the accumulators of a block of taps over all images."""
    code = module.function(
        name,
        (number.name, "window"),
        (number.name, "zeros"),
        (number.name, "factor"),
        (INTEGER, "images"),
        (INTEGER, "window_image"),
        (INTEGER, "factor_image"),
        (INTEGER, "factor_row"),
        (INTEGER, "rows"),
        (number.name, "to"),
        (INTEGER + "*", "flag"),
    )
    kind = number.vector(tile.lanes)
    zero = code.zero(kind)
    sums = {
        (r, tap): code.variable(kind, zero)
        for r in range(tile.rows)
        for tap in range(taps_of(tile))
    }
    check = code.variable(kind, zero)
    with code.loop(0, code.integer("images")) as image:
        window = code.pointer("window").at(image * code.integer("window_image"))
        factor = code.pointer("factor").at(image * code.integer("factor_image"))
        for block in blocks_of(tile):
            if block.repeats == 1:
                _emit_block(code, tile, block, (window, factor), (sums, check))
                continue
            with code.loop(0, block.repeats * tile.lines, tile.lines) as line:
                _emit_block(code, tile, block, (window, factor), (sums, check), line)
    to = code.pointer("to")
    for at, total in enumerate(sums.values()):
        to.store(code.total(total.get()), at)
    spoiled = code.define("i1", f"fcmp uno {number.name} {code.total(check.get()).text}, 0.0")
    with code.when(spoiled):
        code.pointer("flag").store(code.lift(1))
    return code


def _emit_block(
    code: Code,
    tile: Tile,
    block: Block,
    sources: tuple[Pointer, Pointer],
    targets: tuple[dict[tuple[int, int], Variable], Variable],
    moved: Value | int = 0,
) -> None:
    """Some lines of an image, so many further down: every vector of positions, every tap."""
    (window, factor), (sums, check) = sources, targets
    lanes, zero = tile.lanes, code.zero(tile.element.vector(tile.lanes))
    met = meetings(tile, len(block.lines))
    lines = lines_of(code, tile, block, (window, code.pointer("zeros")), moved)
    begin = (code.lift(moved) + block.lines.start) * tile.sizes[1][1]
    for v in range(tile.vectors):
        live = live_lanes(tile, v)
        inside = [j < live for j in range(lanes)]
        down: dict[tuple[int, int], Value] = {}
        for r in range(tile.rows):
            # Rows beyond the last read the first one, and are not written out.
            row = factor.at(
                code.select(code.integer("rows") > r, code.integer("factor_row") * r, code.lift(0))
                + begin
            )
            for n in range(len(block.lines)):
                value = row.chosen(inside, n * tile.sizes[1][1] + v * lanes)
                check.set(code.fma(value, zero, check.get()))
                down[r, n] = value
        for base, offsets in shared(tile).items():
            # Behind the line there may be numbers that are not finite: not times zero.
            step, start = tile.steps[1], base + v * lanes * tile.steps[1]
            count = max(offsets) - base + step * (live - 1) + 1
            for read, line in lines.items():
                loaded = load(tile, line, start, count)
                for offset in offsets:
                    if loaded is None or offset not in met[read]:
                        continue
                    across = pick(code, tile, loaded, offset - base, live)
                    if step > 1 and live < lanes and count == step * lanes:
                        across = code.blend(code.mask(inside), across, zero)
                    for use in met[read][offset]:
                        for r in range(tile.rows):
                            total = sums[r, use.tap]
                            total.set(code.fma(down[r, use.line], across, total.get()))


def matched_text(tile: Tile) -> str:
    """The nest of this file's title."""
    module, number = Module(), tile.element
    parts = [
        (first, part, emit_match(module, number, part, f"match{nth}"))
        for nth, (first, part) in enumerate(tap_blocks(tile))
    ]
    code = emit_task(module, "matched", number)
    record = Record(MATCHED, code.pointer("record"))
    arguments, zeros = code.pointer("arguments"), code.pointer("scratch")
    with code.loop(0, record["window_line"]) as j:
        zeros.store(code.zero(number.name), j)
    sums = code.array(number.name, tile.rows * max(taps_of(part) for _, part, _ in parts))
    flag = code.choose(
        record["checked"] > 0, argument(code, arguments, FLAG, INTEGER), code.array(INTEGER, 1)
    )
    begin = code.integer("task") * record["piece"]
    with code.loop(begin, (begin + record["piece"]).minimum(record["jobs"])) as job:
        channel, rest = job % record["channels"], job // record["channels"]
        row, group = rest % record["row_panels"] * tile.rows, rest // record["row_panels"]
        rows = record["rows"] - row
        window = argument(code, arguments, WINDOW, number.name).at(
            group * record["window_group"] + channel * record["window_channel"]
        )
        factor = argument(code, arguments, FACTOR, number.name).at(
            group * record["factor_group"] + row * record["factor_row"]
        )
        output = argument(code, arguments, OUTPUT, number.name).at(
            record["out_origin"]
            + group * record["out_group"]
            + row * record["out_row"]
            + channel * record["out_channel"]
        )
        for (tall, wide), part, match in parts:
            code.run(
                match,
                window,
                zeros,
                factor,
                record["images"],
                record["window_image"],
                record["factor_image"],
                record["factor_row"],
                rows,
                sums,
                flag,
            )
            (down,), (along,) = part.phases
            for r in range(tile.rows):
                with code.when(rows > r):
                    for i in range(len(down)):
                        for j in range(len(along)):
                            value = sums.load((r * len(down) + i) * len(along) + j)
                            output.at(
                                record["out_row"] * r
                                + record["out_tall"] * (tall + i)
                                + record["out_wide"] * (wide + j)
                            ).store(value)
    return str(module)


def _axes(contraction: Contraction) -> tuple[WindowAxis, ...]:
    return window_axes(contraction, frozenset(index.name for index in contraction.reduction))


def matched_tiles(contraction: Contraction, number: str, target: Target) -> tuple[Tile, ...]:
    """Tiles of few rows, a block of taps and some lines, where the image is small."""
    reduced = {index.name for index in contraction.reduction}
    rows = prod(index.extent for index in contraction.rows)
    if "n" not in reduced or len(contraction.rows) != 1 or rows > 16:
        return ()
    axes = _axes(contraction)
    if len(axes) != 2 or axes[1].step > 2:
        return ()
    whole = target.lanes(Tile(number, 1, 1, 1).element.bits)
    lines, line = (axis.positions for axis in axes)
    tiles: list[Tile] = []
    for lanes in [lanes for lanes in (whole, whole // 2) if lanes > 1]:
        for count in [n for n in (1, 2) if n <= rows]:
            # Sums, two vectors of the window, a line of the factor at least.
            room = (target.registers - 3 - count) // count
            # Measured: with many lines at once their factors are spilled.
            heights = {blocks(lines, most) for most in (8, 4, 2)}
            for height in heights | {most for most in (4, 5, 6, 7) if lines % most == 0}:
                tile = Tile(
                    number, lanes, count, -(-line // lanes), height,
                    steps=(axes[0].step, axes[1].step),
                    phases=_blocks(axes[0].reads, axes[1].reads, room),
                    sizes=((axes[0].size, axes[1].size), (lines, line)),
                )  # fmt: skip
                if sum(unrolled(part) for _, part in tap_blocks(tile)) <= UNROLLED:
                    tiles.append(tile)
    return tuple(tiles)


def _blocks(
    down: tuple[int, ...], along: tuple[int, ...], room: int
) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
    """Taps cut into blocks that fit: as few as possible, and whole lines of them rather."""
    wide = blocks(len(along), room)
    tall = blocks(len(down), max(room // wide, 1))
    return (
        tuple(down[i : i + tall] for i in range(0, len(down), tall)),
        tuple(along[j : j + wide] for j in range(0, len(along), wide)),
    )


def matched_plan(contraction: Contraction, tile: Tile, target: Target) -> Plan | None:
    """Positions are summed over, lanes along the last axis."""
    c = contraction
    reduced = frozenset(index.name for index in c.reduction)
    axes = _axes(c)
    images, groups, channels = c.window.shape[:3]
    rows, lines = c.rows[0].extent, axes[0].positions
    panels = -(-rows // tile.rows)
    jobs = groups * panels * channels
    cycles = jobs * _cycles(tile, target, images) + _again(c, tile, target, panels)
    piece = blocks(jobs, max(min(jobs // 16, int(2e5 / (cycles / jobs)) + 1), 1))
    strides = c.window.strides
    taps = [tap_name(c, a, reduced) for a in range(2)]
    return Plan(
        sum=c,
        kernel=Kernel("matched", tile),
        loops=(
            Loop("group, row, channel", jobs, piece, "parallel"),
            Loop("tap", taps_of(tile), taps_of(next(tap_blocks(tile))[1]), str(tile)),
            Loop("image", images),
            Loop("line", lines, tile.lines),
            Loop("position", axes[1].positions, tile.lanes),
        ),
        steps=(Step("matched", -(-jobs // piece)),),
        fields=MATCHED,
        record={
            "images": images,
            "rows": rows,
            "row_panels": panels,
            "channels": channels,
            "jobs": jobs,
            "piece": piece,
            "window_image": strides[0],
            "window_group": strides[1],
            "window_channel": strides[2],
            "window_line": axes[1].size,
            "factor_image": c.factor.step("n"),
            "factor_group": c.factor.step("g"),
            "factor_row": c.factor.step(c.rows[0].name),
            "out_group": c.output.step("g"),
            "out_row": c.output.step(c.rows[0].name),
            "out_channel": c.output.step(c.channel),
            "out_tall": c.output.step(taps[0]) if taps[0] else 0,
            "out_wide": c.output.step(taps[1]) if taps[1] else 0,
            "out_origin": c.output.origin,
            "checked": int(not all(axis.is_inside for axis in axes)),
        },
        shared=0,
        scratch=axes[1].size * tile.element.bytes,
        cycles=float(cycles),
    )


def _cycles(tile: Tile, target: Target, images: int) -> float:
    """Predicted cycles of one core for a group, a panel of rows and a channel."""
    wide = tile.lanes * tile.element.bytes == target.vector_bytes
    total = 0.0
    for _, part in tap_blocks(tile):
        adds, loads, factors = 0, 0, 0
        for block in blocks_of(part):
            met = meetings(part, len(block.lines))
            factors += block.repeats * len(block.lines) * tile.rows * tile.vectors
            adds += block.repeats * len(block.lines) * tile.rows * tile.vectors * taps_of(part)
            loads += block.repeats * tile.vectors * sum(len(here) for here in met.values())
        # A multiply-add takes four cycles, and few sums have to wait for it.
        # 0.62, beside the 0.65 of `weighted`, chooses between the two as the times on Zen 4 do.
        each = adds * max(0.62, 4.0 / (tile.rows * taps_of(part))) + 1.3 * factors
        each += 0.8 * loads * (1.6 if wide else 1.0) * (1.0 if tile.steps[1] == 1 else 3.0)
        total += images * (each + 10.0) + 10.0 * tile.rows * taps_of(part) + 40.0
    return total


def _again(c: Contraction, tile: Tile, target: Target, panels: int) -> float:
    """Cycles in which planes are read another time, where a job's do not stay near.

    A channel is read for every panel of rows, and a row for every channel. Measured on Zen 4 with 2
    rows: 186 GFLOP/s where the planes of a job take 12 KiB, 127 with 27 KiB, 92 with 37 KiB.
    """
    images, groups, channels = c.window.shape[:3]
    rows = c.rows[0].extent
    planes = prod(c.window.shape[3:]), prod(c.factor.shape[3:])
    near = planes[0] + tile.rows * planes[1]
    if near * tile.element.bytes <= target.l1 * 3 // 4:
        return 0.0
    again = channels * (panels - 1) * planes[0] + rows * (channels - 1) * planes[1]
    return groups * images * again * tile.element.bytes / 64 * 6.0


MATCHED_ALGORITHM = Algorithm(
    name="matched",
    summary="sum over positions, few rows, small images: code for the image's size",
    functions=("matched",),
    text=matched_text,
    tiles=matched_tiles,
    plan=matched_plan,
)
