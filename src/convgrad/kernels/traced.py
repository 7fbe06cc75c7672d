"""Traced: sums over positions for few rows (a depthwise weight gradient), images read in place.

    for each group, panel of rows, channel (tasks take several)
      for each block of taps: accumulators, one vector for each row and tap
        for each image, block of lines, vector of positions
          for each line of the image that the block's lines read
            for each tap of the last axis: load; for each line and tap that meet here:
              accumulator += factor vector * window vector
        add up the lanes

As `lined` with output and factor exchanged: the same lines meet the same taps.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from convgrad.kernels.emit import INTEGER, Code, Module, Number, Pointer, Value, Variable
from convgrad.kernels.factor import emit_task
from convgrad.kernels.lined import meetings
from convgrad.kernels.plan import Algorithm, Kernel, Loop, Plan, Step, blocks
from convgrad.kernels.plane import PLANE_FIELDS, fits, lines_at, plane_values, read_tap
from convgrad.kernels.record import FACTOR, FLAG, OUTPUT, WINDOW, Fields, Record, argument
from convgrad.kernels.tile import Tile
from convgrad.kernels.weighted import axis_name
from convgrad.kernels.window import window_axes

if TYPE_CHECKING:
    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.target import Target
    from convgrad.kernels.window import WindowAxis

TRACED = Fields(
    (
        *PLANE_FIELDS,
        "images",
        "lines",
        "line",
        "rows",
        "row_panels",
        "channels",
        "jobs",  # groups x row panels x channels, and per task
        "piece",
        "tall",  # taps of the two axes, and elements from one to the next
        "wide",
        "tall_step",
        "wide_step",
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


def emit_trace(module: Module, number: Number, tile: Tile) -> Code:
    """trace(image, zeros, ...): the accumulators of a block of taps over all images."""
    code = module.function(
        "trace",
        (number.name, "image"),
        (number.name, "zeros"),
        (INTEGER, "height"),
        (INTEGER, "width"),
        (INTEGER, "top"),
        (INTEGER, "left"),
        (INTEGER, "images"),
        (INTEGER, "window_image"),
        (number.name, "factor"),
        (INTEGER, "factor_image"),
        (INTEGER, "factor_row"),
        (INTEGER, "rows"),
        (INTEGER, "lines"),
        (INTEGER, "line"),
        (number.name, "to"),
        (INTEGER + "*", "flag"),
    )
    kind = number.vector(tile.lanes)
    zero = code.zero(kind)
    down, along = tile.reads
    sums = {
        (r, tap, column): code.variable(kind, zero)
        for r in range(tile.rows)
        for tap in range(len(down))
        for column in range(len(along))
    }
    check = code.variable(kind, zero)
    lines = code.integer("lines")
    whole = lines - lines % tile.lines
    with code.loop(0, code.integer("images")) as image:
        plane = (
            code.pointer("image").at(image * code.integer("window_image")),
            code.pointer("zeros"),
            code.integer("height"),
            code.integer("width"),
        )
        factor = code.pointer("factor").at(image * code.integer("factor_image"))
        with code.loop(0, whole, tile.lines) as line:
            _emit_lines(code, number, tile, (plane, factor, line, tile.lines), (sums, check))
        if tile.lines > 1:
            with code.loop(whole, lines) as line:
                _emit_lines(code, number, tile, (plane, factor, line, 1), (sums, check))
    to = code.pointer("to")
    for at, total in enumerate(sums.values()):
        to.store(code.total(total.get()), at)
    spoiled = code.define("i1", f"fcmp uno {number.name} {code.total(check.get()).text}, 0.0")
    with code.when(spoiled):
        code.pointer("flag").store(code.lift(1))
    return code


def _emit_lines(
    code: Code,
    number: Number,
    tile: Tile,
    place: tuple[tuple[Pointer, Pointer, Value, Value], Pointer, Value, int],
    targets: tuple[dict[tuple[int, int, int], Variable], Variable],
) -> None:
    """Some lines of an image: every vector of positions, every tap."""
    plane, factor, line, count = place
    sums, check = targets
    lanes, zero = tile.lanes, code.zero(number.vector(tile.lanes))
    some = Tile(tile.number, lanes, tile.rows, 1, count, tile.reads, tile.steps)
    top = code.integer("top") + line * tile.steps[0]
    length = code.integer("line")
    with code.loop(0, length, lanes) as at:
        column = code.integer("left") + at * tile.steps[1]
        legal = code.bits(code.lift(0) - column, plane[3] - column)
        mask = code.lanes_between(0, length - at, lanes)
        across: dict[tuple[int, int], Value] = {}
        for r in range(tile.rows):
            # Rows beyond the last read the first one, and are not written out.
            row = code.select(
                code.integer("rows") > r, code.integer("factor_row") * r, code.lift(0)
            )
            for n in range(count):
                value = factor.masked(lanes, mask, row + (line + n) * length + at)
                check.set(code.fma(value, zero, check.get()))
                across[r, n] = value
        sources = lines_at(code, plane, top, column, meetings(some))
        for read, readers in meetings(some).items():
            source = sources[read]
            for tap, offset in enumerate(tile.reads[1]):
                value = read_tap(code, tile, source, legal, offset)
                # Lanes beyond the line may hold numbers that are not finite: not times zero.
                value = code.blend(mask, value, zero)
                for n, tall in readers:
                    for r in range(tile.rows):
                        total = sums[r, tall, tap]
                        total.set(code.fma(across[r, n], value, total.get()))


def traced_text(tile: Tile) -> str:
    """The nest of this file's title."""
    module, number = Module(), tile.element
    trace = emit_trace(module, number, tile)
    code = emit_task(module, "traced", number)
    record = Record(TRACED, code.pointer("record"))
    arguments, zeros = code.pointer("arguments"), code.pointer("scratch")
    sums = code.array(number.name, tile.rows * len(tile.reads[0]) * len(tile.reads[1]))
    flag = code.choose(
        record["checked"] > 0, argument(code, arguments, FLAG, INTEGER), code.array(INTEGER, 1)
    )
    with code.loop(0, record["width"]) as j:
        zeros.store(code.zero(number.name), j)
    first = code.integer("task") * record["piece"]
    last = (first + record["piece"]).minimum(record["jobs"])
    down, along = len(tile.reads[0]), len(tile.reads[1])
    with code.loop(first, last) as job:
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
        with (
            code.loop(0, record["tall"], down) as tall,
            code.loop(0, record["wide"], along) as wide,
        ):
            code.run(
                trace,
                window,
                zeros,
                record["height"],
                record["width"],
                record["top"] + tall * record["tall_step"],
                record["left"] + wide * record["wide_step"],
                record["images"],
                record["window_image"],
                factor,
                record["factor_image"],
                record["factor_row"],
                rows,
                record["lines"],
                record["line"],
                sums,
                flag,
            )
            for r in range(tile.rows):
                for tap in range(down):
                    for column in range(along):
                        legal = (rows > r) & (record["tall"] > tall + tap)
                        legal &= record["wide"] > wide + column
                        value = sums.load((r * down + tap) * along + column)
                        with code.when(legal):
                            output.at(
                                record["out_row"] * r
                                + (tall + tap) * record["out_tall"]
                                + (wide + column) * record["out_wide"]
                            ).store(value)
    return str(module)


def _axes(contraction: Contraction) -> tuple[WindowAxis, ...]:
    return window_axes(contraction, frozenset(index.name for index in contraction.reduction))


def _shapes(tall: int, wide: int, room: int) -> list[tuple[int, int]]:
    """Blocks of taps that fit, those with the least waste first."""
    fitting = [
        (down, along)
        for down in range(1, min(tall, room) + 1)
        for along in range(1, min(wide, room // down) + 1)
    ]

    def computed(shape: tuple[int, int]) -> tuple[float, int]:
        down, along = shape
        taps = -(-tall // down) * down * (-(-wide // along) * along)
        return (taps * (1 + 0.5 / along + 1.0 / down), -down)

    return sorted(fitting, key=computed)[:2]


def traced_tiles(contraction: Contraction, number: str, target: Target) -> tuple[Tile, ...]:
    """Tiles of few rows, a block of taps and some lines, for the line length at hand."""
    axes = _axes(contraction)
    rows = prod(index.extent for index in contraction.rows)
    if len(axes) != 2 or rows > 16:
        return ()
    whole = target.lanes(Tile(number, 1, 1, 1).element.bits)
    steps = (axes[0].step, axes[1].step)
    tiles: list[Tile] = []
    for count in [n for n in (1, 2, 4) if rows % n == 0]:
        for down, along in _shapes(axes[0].taps, axes[1].taps, (target.registers - 4) // count):
            free = target.registers - 2 - count * down * along
            lines = blocks(axes[0].positions, max(min(free // count, 4 if count == 1 else 2), 1))
            reads = (
                tuple(tap * axes[0].tap for tap in range(down)),
                tuple(tap * axes[1].tap for tap in range(along)),
            )
            tiles += [
                Tile(number, lanes, count, 1, lines, reads, steps)
                for lanes in (whole, whole // 2)
                if lanes > 1
            ]
    return tuple(tiles)


def traced_plan(contraction: Contraction, tile: Tile, target: Target) -> Plan | None:
    """Positions are summed over, lanes along the last axis."""
    c, size = contraction, tile.element.bytes
    reduced = frozenset(index.name for index in c.reduction)
    if len(c.rows) != 1 or "n" not in reduced:
        return None
    axes = _axes(c)
    if not fits(axes, tile) or min(axis.tap for axis in axes) < 0:
        return None
    images, groups, channels = c.window.shape[:3]
    rows = c.rows[0].extent
    tall, wide = (axis.taps for axis in axes)
    down, along = len(tile.reads[0]), len(tile.reads[1])
    lines, line = (axis.positions for axis in axes)
    panels = -(-rows // tile.rows)
    jobs = groups * panels * channels
    calls = -(-tall // down) * -(-wide // along)
    vectors = images * -(-lines // tile.lines) * -(-line // tile.lanes)
    adds = tile.rows * tile.lines * down * along
    loads = len(meetings(tile)) * along * (1.5 if tile.steps[1] == 1 else 4.0)
    half = 0.7 if tile.lanes * size < target.vector_bytes else 1.0
    per_vector = max(adds, loads + 0.5 * adds) * half + 10.0 + tile.lines * tile.rows * 2.0
    cycles = jobs * calls * (vectors * per_vector + 6.0 * tile.rows * down * along + 40.0)
    piece = blocks(jobs, max(min(jobs // 16, int(2e5 / (cycles / jobs)) + 1), 1))
    taps = [tap_name(c, a, reduced) for a in range(2)]
    return Plan(
        sum=c,
        kernel=Kernel("traced", tile),
        loops=(
            Loop("group, row, channel", jobs, piece, "parallel"),
            Loop("tap", tall * wide, down * along, f"{down} x {along} at once, {tile}"),
            Loop("image", images),
            Loop("line", lines, tile.lines),
            Loop("position", line, tile.lanes),
        ),
        steps=(Step("traced", -(-jobs // piece)),),
        fields=TRACED,
        record={
            **plane_values(c, axes),
            "images": images,
            "lines": lines,
            "line": line,
            "rows": rows,
            "row_panels": panels,
            "channels": channels,
            "jobs": jobs,
            "piece": piece,
            "tall": tall,
            "wide": wide,
            "tall_step": axes[0].tap,
            "wide_step": axes[1].tap,
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
        scratch=(axes[1].size + 64) * size,
        cycles=float(cycles),
    )


def tap_name(contraction: Contraction, axis: int, positions: frozenset[str]) -> str:
    """The tap index of a spatial axis."""
    position = axis_name(contraction, axis, positions)
    names = [name for name, _ in contraction.window.subscripts[3 + axis].terms]
    return next((name for name in names if name != position), "")


TRACED_ALGORITHM = Algorithm(
    name="traced",
    summary="sum over positions, few rows: images read where they are, loads shared between taps",
    functions=("traced",),
    text=traced_text,
    tiles=traced_tiles,
    plan=traced_plan,
)
