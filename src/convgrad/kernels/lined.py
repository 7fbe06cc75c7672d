"""Lined: few rows; a tile spans neighbouring lines, and reads the image where it is.

    for each group, image, stretch of lines (a task)
      for each block of lines, block of vectors, panel of rows
        for each channel
          for each tap of the last axis
            for each line of the image that the block's lines read
              load its vectors; for each line and tap that meet here: tile += factor * vectors
        write the tile out

A 3x3 kernel on 4 lines needs 18 loads for 36 multiply-adds, where sliding needs 36, and nothing
is copied first: what counts for depthwise layers, whose tiles have one row.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from convgrad.kernels.emit import INTEGER, Code, Module, Number, Pointer, Value, Variable
from convgrad.kernels.factor import FACTOR_FIELDS, emit_pack, emit_task, factor_values
from convgrad.kernels.output import OUTPUT_FIELDS, output_values, position_names
from convgrad.kernels.plan import Algorithm, Kernel, Loop, Plan, Step, blocks
from convgrad.kernels.plane import (
    PLANE_FIELDS,
    fits,
    lines_at,
    plane_values,
    read_tap,
    relative_reads,
)
from convgrad.kernels.record import OUTPUT, WINDOW, Fields, Record, argument
from convgrad.kernels.tile import Tile
from convgrad.kernels.window import window_axes

if TYPE_CHECKING:
    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.target import Target
    from convgrad.kernels.window import WindowAxis

FAR = 4.0
"""Cycles for a line of an image that no cache holds."""
LINED = Fields(
    (
        *PLANE_FIELDS,
        *FACTOR_FIELDS,
        *OUTPUT_FIELDS,
        "row_panels",
        "channels",
        "images",
        "piece_images",
        "piece_groups",
        "groups",
        "pieces",  # of images
        "lines",  # of positions, and positions of a line
        "line",
        "out_line",
        "scratch_factor",
    )
)

UNROLLED = 8
"""Kernels up to this width are unrolled; wider ones loop over the taps of the last axis."""


def meetings(tile: Tile) -> dict[int, list[tuple[int, int]]]:
    """Per line of the image, from the lowest on: the tile's lines and the taps that read it."""
    found: dict[int, list[tuple[int, int]]] = {}
    for line in range(tile.lines):
        for tap, read in enumerate(tile.reads[0]):
            found.setdefault(line * tile.steps[0] + read, []).append((line, tap))
    return dict(sorted(found.items()))


def emit_lines(module: Module, number: Number, tile: Tile) -> Code:
    """lines(factor, bias, image, zeros, ...): a tile of lines, summed up and written."""
    code = module.function(
        "lines",
        (number.name, "factor"),
        (number.name, "bias"),
        (number.name, "image"),
        (number.name, "zeros"),
        (INTEGER, "height"),
        (INTEGER, "width"),
        (INTEGER, "channels"),
        (INTEGER, "channel"),
        (INTEGER, "row_position"),
        (INTEGER, "column_position"),
        (number.name, "to"),
        (INTEGER, "out_row"),
        (INTEGER, "out_line"),
        (INTEGER, "step"),
        (INTEGER, "rows"),
        (INTEGER, "live"),
        (INTEGER, "count"),
    )
    lanes, kind = tile.lanes, number.vector(tile.lanes)
    vectors = range(tile.vectors)
    sums = {
        (r, n, v): code.variable(kind, code.splat(code.pointer("bias").load(r), lanes))
        for r in range(tile.rows)
        for n in range(tile.lines)
        for v in vectors
    }
    height, width = code.integer("height"), code.integer("width")
    columns = [code.integer("column_position") + v * lanes * tile.steps[1] for v in vectors]
    legal = [code.bits(code.lift(0) - column, width - column) for column in columns]
    down, along = tile.reads
    # The lines that the next block reads and this one does not: asked for now.
    below = code.integer("row_position") + (max(meetings(tile)) + 1)
    with code.when(code.integer("live") > tile.lines):
        line = code.pointer("image").at(below * width + columns[0])
        for n in range(tile.lines * tile.steps[0]):
            line = line.at(width) if n else line
            for v in range(0, tile.width * tile.steps[1], 64 // number.bytes):
                line.prefetch(v)
    with code.loop(0, code.integer("channels")) as channel:
        plane = (
            code.pointer("image").at(channel * code.integer("channel")),
            code.pointer("zeros"),
            height,
            width,
        )
        factor = code.pointer("factor").at(channel * (len(down) * len(along) * tile.rows))
        first = code.integer("row_position")
        lines = lines_at(code, plane, first, columns[0], meetings(tile))
        steady = [along[tap] == along[0] + tap * (along[-1] - along[0]) // max(len(along) - 1, 1)
                  for tap in range(len(along))]  # fmt: skip
        if len(along) <= UNROLLED or not all(steady):
            for tap, offset in enumerate(along):
                _emit_tap(code, tile, sums, (factor.at(tap * tile.rows), lines, legal), offset)
        else:
            step = (along[-1] - along[0]) // (len(along) - 1)
            with code.loop(0, len(along)) as tap:
                _emit_tap(
                    code, tile, sums,
                    (factor.at(tap * tile.rows), lines, legal), tap * step + along[0],
                )  # fmt: skip
    _emit_write(code, number, tile, sums)
    return code


def _emit_tap(
    code: Code,
    tile: Tile,
    sums: dict[tuple[int, int, int], Variable],
    sources: tuple[Pointer, dict[int, Pointer], list[Value]],
    offset: Value | int,
) -> None:
    """One tap of the last axis, all taps of the axis before it."""
    factor, lines, legal = sources
    lanes, width = tile.lanes, len(tile.reads[1])
    down = {
        (r, tap): code.splat(factor.load(tap * width * tile.rows + r), lanes)
        for tap in range(len(tile.reads[0]))
        for r in range(tile.rows)
    }
    for read, readers in meetings(tile).items():
        for v in range(tile.vectors):
            line = lines[read].at(v * lanes * tile.steps[1])
            across = read_tap(code, tile, line, legal[v], offset)
            for n, tap in readers:
                for r in range(tile.rows):
                    total = sums[r, n, v]
                    total.set(code.fma(down[r, tap], across, total.get()))


def _emit_write(
    code: Code, number: Number, tile: Tile, sums: dict[tuple[int, int, int], Variable]
) -> None:
    """Write the tile: its live lines and rows, and the lanes that count."""
    lanes, step = tile.lanes, code.integer("step")
    counts = [(code.integer("count") - v * lanes).minimum(lanes) for v in range(tile.vectors)]
    masks = [code.lanes_between(0, count, lanes) for count in counts]
    values = {cell: total.get() for cell, total in sums.items()}

    def target(cell: tuple[int, int, int]) -> Pointer:
        r, n, v = cell
        return code.pointer("to").at(
            code.integer("out_row") * r + code.integer("out_line") * n + step * (v * lanes)
        )

    whole = (code.integer("live") >= tile.lines) & (code.integer("rows") >= tile.rows)
    with code.when(whole & step.equals(1)):
        for cell, value in values.items():
            target(cell).store_masked(value, lanes, masks[cell[2]])
    # Every second element, as in the phases of an input gradient with stride 2: spread to two
    # vectors, of which half the lanes are written.
    with code.when(whole & step.equals(2)):
        for half in (0, lanes):
            order = [(j + half) // 2 for j in range(lanes)]
            spread = [
                code.lanes_between(0, count * 2 - half, lanes) & code.alternate(lanes)
                for count in counts
            ]
            for cell, value in values.items():
                moved = code.shuffle(value, value, order)
                target(cell).store_masked(moved, lanes, spread[cell[2]], half)
    with code.unless(whole & (step < 3)):
        _emit_write_slowly(code, number, tile, values)


def _emit_write_slowly(
    code: Code, number: Number, tile: Tile, values: dict[tuple[int, int, int], Value]
) -> None:
    """The same where something is missing or the output has gaps: in loops, to keep it short."""
    lanes, step = tile.lanes, code.integer("step")
    spill = code.array(number.name, len(values) * lanes)
    for at, value in enumerate(values.values()):
        spill.store(value, at * lanes)
    with (
        code.loop(0, code.integer("rows").minimum(tile.rows)) as r,
        code.loop(0, code.integer("live").minimum(tile.lines)) as n,
        code.loop(0, tile.vectors) as v,
    ):
        count = (code.integer("count") - v * lanes).minimum(lanes)
        source = spill.at(((r * tile.lines + n) * tile.vectors + v) * lanes)
        to = code.pointer("to").at(
            code.integer("out_row") * r + code.integer("out_line") * n + step * v * lanes
        )
        value = source.vector(lanes)
        with code.when(step.equals(1)):
            to.store_masked(value, lanes, code.lanes_between(0, count, lanes))
        # Every second element: spread to two vectors, of which half the lanes are written.
        with code.when(step.equals(2)):
            for half in (0, lanes):
                spread = code.shuffle(value, value, [(j + half) // 2 for j in range(lanes)])
                mask = code.lanes_between(0, count * 2 - half, lanes)
                to.store_masked(spread, lanes, mask & code.alternate(lanes), half)
        with code.when(step > 2), code.loop(0, count) as j:
            to.store(source.load(j), j * step)


def lined_text(tile: Tile) -> str:
    """The nest of this file's title."""
    module, number = Module(), tile.element
    lines = emit_lines(module, number, tile)
    pack = emit_pack(module, number, tile.rows, LINED)
    code = emit_task(module, "lined", number)
    record = Record(LINED, code.pointer("record"))
    arguments, zeros = code.pointer("arguments"), code.pointer("scratch")
    first_image = code.integer("task") % record["pieces"] * record["piece_images"]
    first_group = code.integer("task") // record["pieces"] * record["piece_groups"]
    images = (record["images"] - first_image).minimum(record["piece_images"])
    groups = (record["groups"] - first_group).minimum(record["piece_groups"])
    factors = zeros.at(record["scratch_factor"])
    biases = factors.at(record["piece_groups"] * record["padded_rows"] * record["reduction"])
    with code.loop(0, record["width"]) as j:
        zeros.store(code.zero(number.name), j)
    row_step, column_step = tile.steps
    with code.loop(0, groups) as nth, code.loop(0, record["row_panels"]) as panel:
        row = nth * record["padded_rows"] + panel * tile.rows
        packed, group = factors.at(row * record["reduction"]), first_group + nth
        code.run(pack, record.base, arguments, packed, biases.at(row), group, panel)
    # Images outside, groups inside: the planes of an image are neighbours in memory.
    with code.loop(first_image, first_image + images) as image, code.loop(0, groups) as nth:
        group, first_row = first_group + nth, nth * record["padded_rows"]
        factor = factors.at(first_row * record["reduction"])
        bias = biases.at(first_row)
        window = argument(code, arguments, WINDOW, number.name).at(
            image * record["window_image"] + group * record["window_group"]
        )
        output = argument(code, arguments, OUTPUT, number.name).at(
            record["out_origin"] + image * record["out_image"] + group * record["out_group"]
        )
        with (
            code.loop(0, record["lines"], tile.lines) as line,
            code.loop(0, record["line"], tile.width) as at,
            code.loop(0, record["row_panels"]) as panel,
        ):
            row = panel * tile.rows
            code.run(
                lines,
                factor.at(row * record["reduction"]),
                bias.at(row),
                window,
                zeros,
                record["height"],
                record["width"],
                record["channels"],
                record["window_channel"],
                record["top"] + line * row_step,
                record["left"] + at * column_step,
                output.at(
                    row * record["out_row"] + line * record["out_line"] + at * record["out_step"]
                ),
                record["out_row"],
                record["out_line"],
                record["out_step"],
                record["rows"] - row,
                record["lines"] - line,
                record["line"] - at,
            )
    return str(module)


def _axes(contraction: Contraction) -> tuple[WindowAxis, ...]:
    return window_axes(contraction, frozenset(index.name for index in contraction.free))


def lined_tiles(contraction: Contraction, number: str, target: Target) -> tuple[Tile, ...]:
    """Tiles of few rows and several lines, for the line length at hand."""
    axes = _axes(contraction)
    rows = prod(index.extent for index in contraction.rows)
    if len(axes) != 2 or rows > 16:
        return ()
    whole = target.lanes(Tile(number, 1, 1, 1).element.bits)
    reads = (relative_reads(axes[0]), relative_reads(axes[1]))
    steps = (axes[0].step, axes[1].step)
    room = target.registers * 3 // 4
    tiles: list[Tile] = []
    for count in [n for n in (1, 2, 4) if rows % n == 0]:
        for lanes in (whole, whole // 2):
            vectors = -(-axes[1].positions // lanes)
            for width in [n for n in (1, 2, 3, 4) if n <= vectors and lanes > 1]:
                lines = max(min(room // (count * width), 8), 1)
                lines = blocks(axes[0].positions, lines)
                tiles.append(Tile(number, lanes, count, width, lines, reads, steps))
    return tuple(tiles)


def lined_plan(contraction: Contraction, tile: Tile, target: Target) -> Plan | None:
    """Lanes along the last axis of the output's positions, tiles across the axis before it."""
    c, size = contraction, tile.element.bytes
    if len(c.rows) != 1 or c.output.subscripts[0].terms != (("n", 1),):
        return None
    axes = _axes(c)
    if not fits(axes, tile):
        return None
    names = position_names(c)
    images, groups, channels = c.window.shape[:3]
    rows, taps = c.rows[0].extent, prod(axis.taps for axis in axes)
    panels = -(-rows // tile.rows)
    reduction, padded = channels * taps, panels * tile.rows
    lines, line = axes[0].positions, axes[1].positions
    tiles = -(-lines // tile.lines) * -(-line // tile.width) * panels
    half = tile.lanes * size < target.vector_bytes
    adds = tile.rows * len(tile.reads[0]) * tile.lines * tile.vectors * len(tile.reads[1])
    loads = len(meetings(tile)) * tile.vectors * len(tile.reads[1])
    loads *= 1.4 if tile.steps[1] == 1 else 4.0
    few = max(1.0, 6.0 / (tile.rows * tile.lines * tile.vectors))
    per_tile = channels * (max(adds * few, loads + 0.4 * adds) * (0.7 if half else 1.0) + 12.0)
    # Lines of an image that no cache holds come one by one, each from another page.
    if channels * prod(c.window.shape[3:]) * size > target.l2:
        per_tile += FAR * channels * len(meetings(tile))
    per_tile *= 1.15 if tile.rows * tile.vectors > 1 else 1.0
    per_tile += 20.0 + 2.0 * tile.rows * tile.lines * tile.vectors
    # Measured beside `sliding`, and again where the outputs of a phase are written one by one.
    per_tile *= 1.35 if c.output.step(names[-1]) == 1 else 1.75
    cycles = tiles * images * groups * per_tile
    # A task should last some microseconds, and there should be some tasks for each thread.
    piece_groups = blocks(groups, max(min(groups // 16, int(2e5 / (cycles / groups)) + 1), 1))
    piece_images = images if groups >= 16 else blocks(images, max(images * groups // 16, 1))
    tasks = -(-groups // piece_groups) * -(-images // piece_images)
    return Plan(
        sum=c,
        kernel=Kernel("lined", tile),
        loops=(
            Loop("group", groups, piece_groups, "parallel"),
            Loop("image", images, piece_images, "parallel"),
            Loop("line", lines, tile.lines),
            Loop("vector", -(-line // tile.lanes), tile.vectors),
            Loop("row", rows, tile.rows, str(tile)),
            Loop("channel", channels),
            Loop("tap", taps, taps if len(tile.reads[1]) <= UNROLLED else len(tile.reads[0])),
        ),
        steps=(Step("lined", tasks),),
        fields=LINED,
        record={
            **plane_values(c, axes),
            **factor_values(c, reduction, padded, checked=not all(a.is_inside for a in axes)),
            **output_values(c, 0),
            "row_panels": panels,
            "channels": channels,
            "images": images,
            "piece_images": piece_images,
            "piece_groups": piece_groups,
            "groups": groups,
            "pieces": -(-images // piece_images),
            "lines": lines,
            "line": line,
            "out_line": c.output.step(names[0]),
            "scratch_factor": axes[1].size + 64,
        },
        shared=0,
        scratch=(axes[1].size + 64 + piece_groups * padded * (reduction + 1)) * size,
        cycles=float(cycles),
    )


LINED_ALGORITHM = Algorithm(
    name="lined",
    summary="few rows: images read where they are, loads shared between neighbouring lines",
    functions=("lined",),
    text=lined_text,
    tiles=lined_tiles,
    plan=lined_plan,
)
