"""Rowwise: lanes along the rows, positions read where they lie, one number at a time.

    for each group, block of rows, piece of lines (a task)
      for each block of channels
        for each panel of rows (lanes here)
          for each line, block of its positions
            for each channel and present tap: tile += broadcast window * factor
            turn the tile, and write it out

Nothing is staged and nothing is gathered, and a stride costs nothing. The taps that a line lacks
are not in its list; a tap that some positions of a tile lack runs over the others only. So no
zeros are multiplied, and numbers that are not finite go where the equation lets them.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import gcd, prod
from typing import TYPE_CHECKING

import numpy as np

from convgrad.kernels.emit import INTEGER, POINTER, Code, Module, Number, Pointer, Value, Variable
from convgrad.kernels.factor import TABLE, emit_task
from convgrad.kernels.lines import lines_of
from convgrad.kernels.output import far_write
from convgrad.kernels.piece import WORKERS, imbalance
from convgrad.kernels.plan import Algorithm, Kernel, Loop, Plan, Step, blocks
from convgrad.kernels.record import BIAS, FACTOR, OUTPUT, SHARED, WINDOW, Fields, Record, argument
from convgrad.kernels.tile import Tile
from convgrad.kernels.turn import columns, emit_columns, emit_turn
from convgrad.kernels.window import outer_sum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.lines import Lines
    from convgrad.kernels.target import Target
    from convgrad.kernels.tile import Run
    from convgrad.kernels.window import Table

ROWWISE = Fields(
    (
        "rows",
        "row_blocks",
        "row_panels",  # per block, and of a group
        "group_panels",
        "channels",
        "channel_block",
        "taps",  # of the kernel as it lies in memory
        "shared_panels",  # packed once for all tasks (1), or by the one task that uses them (0)
        "panel",  # elements of a packed panel, its bias at the end
        "panel_channel",  # from channel to channel of it, and from tap to tap
        "panel_tap",
        "panel_bias",
        "factor_group",
        "factor_row",
        "factor_channel",
        "turns",  # how a panel is packed: copied (0), in one turn (1), one turn a channel (2)
        "bundles",  # lines that share a tile
        "piece_bundles",
        "piece_blocks",
        "pieces",  # pieces of bundles and of blocks, and how many there are along a line
        "line_pieces",
        "line_from",  # per line of a bundle: where it lies in the window, and in the output
        "line_to",
        "bundle_class",
        "bundle_ask",  # what to ask for, as seen from the bundle
        "blocks",  # of positions along a line
        "block_from",
        "block_to",
        "list_first",  # per class and block: its list of terms
        "term_from",
        "term_factor",
        "term_stretch",  # which of the tile's stretches
        "window_group",
        "window_channel",
        "out_group",
        "out_row",
        "out_step",
        "slots",  # 1 where tiles are kept between blocks of channels
    )
)
PACKING = (
    "rows", "row_blocks", "row_panels", "group_panels", "channels", "taps", "shared_panels",
    "panel", "panel_channel", "panel_tap", "panel_bias", "factor_group", "factor_row",
    "factor_channel", "turns", "pieces", "piece_bundles", "line_pieces", "piece_blocks",
)  # fmt: skip
"""What the packed factor depends on, and the cut into tasks."""
MOST_STRETCHES = 9
"""More would make the code long; layers that need them are left to `packed`."""
LONGEST, MOST_TERMS = 5, 12
"""Taps in a run, and in the code of all kinds of runs.

What a run does beside its multiply-adds, it does once for all its taps: finding the window and the
factor, and asking for what comes. Where a core has another thread to serve, that is time.
"""
BYTE = 0.03
"""Cycles for a byte that a task reads anew, or that goes through memory."""
WAYS, LINE = 16, 64
"""Of a second-level cache, where nobody says: ways, and bytes of a line."""
ENOUGH = 16
"""Accumulators from which on a term has the time to ask for more."""
SOON = 2
"""Channels of the window that are asked for while a term is added."""
AHEAD = 4
"""Channels of the factor that are asked for while one is packed."""
PHASED = 0.88
"""What a phase takes of a sum by itself: the others find its lines in the cache."""
KEPT = 1.2
"""Cycles for a vector of a tile that is kept until the next block of channels."""
PACK = 0.8
"""Cycles for a number of the factor that is packed."""


def emit_sum(module: Module, number: Number, tile: Tile) -> Code:
    """sum(channels, plane, step, from, from_step, to, window, lines, factor, terms, ..., ask).

    to[l][p][v] = from[p*from_step + v] + sum over channels c and terms t of
    window[lines[l] + places[t] + c*plane + p*steps[1]] * factor[c*step + factors[t] + v].
    """
    code = module.function(
        "sum",
        (INTEGER, "channels"),
        (INTEGER, "plane"),
        (INTEGER, "step"),
        (number.name, "from"),
        (INTEGER, "from_step"),
        (number.name, "to"),
        (number.name, "window"),
        (TABLE, "lines"),
        (number.name, "factor"),
        (TABLE, "places"),
        (TABLE, "factors"),
        (TABLE, "stretches"),
        (INTEGER, "terms"),
        (INTEGER, "ask"),
    )
    lanes, kind = tile.lanes, number.vector(tile.lanes)
    begin, from_step = code.pointer("from"), code.integer("from_step")
    sums = {
        (line, p, v): code.variable(
            kind, begin.at(from_step * (line * tile.rows + p)).vector(lanes, v * lanes)
        )
        for line in range(tile.lines)
        for p in range(tile.rows)
        for v in range(tile.vectors)
    }
    at = [code.pointer("window").at(code.pointer("lines").load(line)) for line in range(tile.lines)]
    (_emit_alone if tile.alone else _emit_channels)(code, tile, sums, at)
    for cell, total in enumerate(sums.values()):
        code.pointer("to").store(total.get(), cell * lanes)
    return code


def _emit_channels(
    code: Code, tile: Tile, sums: dict[tuple[int, int, int], Variable], at: list[Pointer]
) -> None:
    """All channels, and all terms of each.

    Pointers run on from channel to channel: what is computed beside the multiply-adds competes
    with them for the same ports.
    """
    step = code.integer("plane")
    planes = [_Runner(code, pointer) for pointer in at]
    panels = _Runner(code, code.pointer("factor"))
    with code.loop(0, code.integer("channels")):
        plane = [runner.pointer for runner in planes]
        soon = [pointer.at(step * SOON) for pointer in plane]
        _emit_ask(tile, [pointer.at(code.integer("ask")) for pointer in plane], near=False)
        with code.loop(0, code.integer("terms")) as t:
            place = code.pointer("places").load(t)
            if tile.lines * tile.rows * tile.vectors >= ENOUGH:
                _emit_ask(tile, [pointer.at(place) for pointer in soon], near=True)
            panel = panels.pointer.at(code.pointer("factors").load(t))
            window = [pointer.at(place) for pointer in plane]
            _emit_term(code, tile, sums, window, panel, code.pointer("stretches").load(t))
        for runner in planes:
            runner.advance(step)
        panels.advance(code.integer("step"))


class _Runner:
    """A pointer that runs on."""

    def __init__(self, code: Code, pointer: Pointer) -> None:
        self._element = pointer.element
        self._variable = code.variable(POINTER, Value(code, POINTER, pointer.text))
        self._code = code

    @property
    def pointer(self) -> Pointer:
        """Where it is."""
        return Pointer(self._code, self._element, self._variable.get().text)

    def advance(self, step: Value) -> None:
        """So many elements on."""
        self._variable.set(Value(self._code, POINTER, self.pointer.at(step).text))


def _emit_alone(
    code: Code, tile: Tile, sums: dict[tuple[int, int, int], Variable], at: list[Pointer]
) -> None:
    """All channels of a sum with one term each, or none: pointers run, and nothing else.

    Whatever else a term computes competes with its multiply-adds for the same ports.
    """
    place = code.pointer("places").load()
    panel = code.pointer("factor").at(code.pointer("factors").load())
    at = [pointer.at(place) for pointer in at]
    with code.loop(0, code.integer("channels") * code.integer("terms")) as c:
        window = [pointer.at(c * code.integer("plane")) for pointer in at]
        _emit_ask(tile, [pointer.at(code.integer("ask")) for pointer in window], near=False)
        if tile.lines * tile.rows * tile.vectors >= ENOUGH:
            soon = code.integer("plane") * SOON
            _emit_ask(tile, [pointer.at(soon) for pointer in window], near=True)
        panel_of = panel.at(c * code.integer("step"))
        settled = [pointer.settled() for pointer in window]
        _emit_run(code, tile, sums, settled, panel_of, ((0, tile.rows),))


def _emit_ask(tile: Tile, lines: list[Pointer], *, near: bool) -> None:
    """Ask for what is read some channels on, or by the next tile."""
    size = tile.element.bytes
    span = (tile.rows - 1) * tile.steps[1] + (tile.run[0] - 1) * abs(tile.run[1])
    if span * size < LINE // 2:  # lines as short as these are mostly neighbours
        lines = lines[:1]
    for pointer in lines:
        for offset in range(0, span, LINE // size):
            pointer.prefetch(offset, near=near)
        if span * size % LINE > LINE // 2:  # else mostly in the line before
            pointer.prefetch(span, near=near)


def _emit_term(
    code: Code,
    tile: Tile,
    sums: dict[tuple[int, int, int], Variable],
    window: list[Pointer],
    panel: Pointer,
    stretch: Value,
) -> None:
    """A run of terms, each for the positions that have it."""
    window = [pointer.settled() for pointer in window]
    kinds = _kinds(tile)
    if len(kinds) == 1:
        _emit_run(code, tile, sums, window, panel, kinds[0])
        return
    for which, kind in enumerate(kinds):
        with code.when(stretch.equals(which)):
            _emit_run(code, tile, sums, window, panel, kind)


def _kinds(tile: Tile) -> tuple[Run, ...]:
    """The kinds of runs that there are; a sum without any term has code all the same."""
    return tile.stretches or (((0, tile.rows),) * tile.run[0],)


def _emit_run(
    code: Code,
    tile: Tile,
    sums: dict[tuple[int, int, int], Variable],
    window: list[Pointer],
    panel: Pointer,
    run: Run,
) -> None:
    """sums[l][p][v] += window[l][p] * panel[v] for each tap of a run and the positions it has."""
    _, apart, panels = tile.run
    for tap, positions in enumerate(run):
        across = [
            panel.vector(tile.lanes, tap * panels * tile.width + v * tile.lanes)
            for v in range(tile.vectors if positions[1] else 0)
        ]
        for line, pointer in enumerate(window):
            for p in range(*positions):
                totals = [sums[line, p, v] for v in range(tile.vectors)]
                number = pointer.at(tap * apart + p * tile.steps[1])
                code.add_products(number, across, totals, nth=p)


def emit_write(module: Module, number: Number, tile: Tile) -> Code:
    """write(tile, to, row, rows, step): to[r*row + step*p] = tile[p][r], for r < rows."""
    code = module.function(
        "write",
        (number.name, "tile"),
        (number.name, "to"),
        (INTEGER, "row"),
        (INTEGER, "rows"),
        (INTEGER, "step"),
    )
    side, count = columns(tile.lanes), min(tile.rows, tile.lanes)
    wide = max(1 << (count - 1).bit_length(), side)
    rows, row, step = (code.integer(name) for name in ("rows", "row", "step"))
    mask, spill = code.lanes_between(0, count, wide), code.array(number.name, side * wide)
    squares = -(-tile.rows // count)
    with code.loop(0, rows.minimum(tile.width), side) as r:
        live, begin = rows - r, code.pointer("to").at(r * row)
        whole = live >= side
        dense, paired = whole & step.equals(1), whole & step.equals(2)
        with code.loop(0, squares) if squares > 1 else nullcontext(code.lift(0)) as at:
            # Where positions are no multiple of the lanes the last ones overlap those before.
            p = (at * count).minimum(tile.rows - count) if squares > 1 else at
            source = code.pointer("tile").at(p * tile.width + r)
            turned = emit_columns(code, number, source, tile.width, count, wide)
            to = begin.at(p * step)
            with code.when(dense):
                for i, value in enumerate(turned):
                    to.at(row * i).store_masked(value, wide, mask)
            with code.when(paired):
                for i, value in enumerate(turned):
                    _emit_spread(code, to.at(row * i), value, count, (wide, tile.lanes))
            with code.unless(dense | paired):
                for i, value in enumerate(turned):
                    spill.store(value, i * wide)
                with code.loop(0, live.minimum(side)) as i:
                    last, value = to.at(row * i), spill.at(i * wide)
                    with code.when(step.equals(1)):
                        last.store_masked(value.vector(wide), wide, mask)
                    with code.unless(step.equals(1)), code.loop(0, count) as j:
                        last.store(value.load(j), j * step)
    return code


def _emit_spread(code: Code, to: Pointer, value: Value, count: int, lanes: tuple[int, int]) -> None:
    """Some lanes of a vector to every second output, in vectors as wide as may be."""
    given, most = lanes
    size = min(2 * given, most)
    for first in range(0, 2 * count, size):
        spread = code.shuffle(value, value, [(first + j) // 2 for j in range(size)])
        mask = code.lanes_between(0, 2 * count - first, size) & code.alternate(size)
        to.store_masked(spread, size, mask, first)


def emit_pack_rows(module: Module, number: Number, tile: Tile) -> Code:
    """pack(record, arguments, to, bias, group, panel, channel, channels): rows of some channels.

    to[channel][tap][row], taps in the order of memory, so that the phases of a gradient differ in
    their lists only; to[tap][channel][row] where each of them has one tap, and reads that alone.
    """
    turn = emit_turn(module, number, tile, checked=False)
    code = module.function(
        "pack",
        (TABLE, "record"),
        (TABLE, "arguments"),
        (number.name, "to"),
        (number.name, "bias"),
        (INTEGER, "group"),
        (INTEGER, "panel"),
        (INTEGER, "channel"),
        (INTEGER, "channels"),
    )
    record = Record(ROWWISE, code.pointer("record"))
    arguments, group, to = code.pointer("arguments"), code.integer("group"), code.pointer("to")
    first, channels = code.integer("panel") * tile.width, code.integer("channels")
    rows = (record["rows"] - first).minimum(tile.width)
    source = argument(code, arguments, FACTOR, number.name).at(
        group * record["factor_group"]
        + first * record["factor_row"]
        + code.integer("channel") * record["factor_channel"]
    )
    taps, how = record["taps"], record["turns"]

    def ask(c: Value) -> None:
        # A few channels ahead: a short stretch each, which processors do not foresee.
        ahead = source.at((c + AHEAD) * record["factor_channel"])
        with code.loop(0, rows * taps, 64 // number.bytes) as j:
            ahead.prefetch(j)

    with code.when(how.equals(0)), code.loop(0, channels) as c:
        ask(c)
        for v in range(0, tile.width, tile.lanes):
            mask = code.lanes_between(0, rows - v, tile.lanes)
            value = source.at(c * record["factor_channel"]).masked(tile.lanes, mask, v)
            to.at(c * tile.width).store(value, v)
    row = record["factor_row"]
    with code.when(how.equals(1)):
        code.run(turn, to, source, row, rows, channels * taps, tile.width, record["panel_tap"])
    with code.when(how.equals(2)), code.loop(0, channels) as c:
        ask(c)
        ends = to.at(c * record["panel_channel"]), source.at(c * record["factor_channel"])
        code.run(turn, *ends, row, rows, taps, tile.width, record["panel_tap"])
    given, bias = argument(code, arguments, BIAS, number.name), code.pointer("bias")
    present = code.define("i1", f"icmp ne i64 {arguments.load(BIAS).text}, 0")
    with code.loop(0, tile.width, tile.lanes) as v:
        bias.store(code.zero(number.vector(tile.lanes)), v)
    with code.when(present), code.loop(0, rows) as r:
        bias.store(given.load(group * record["rows"] + first + r), r)
    return code


def emit_panel(module: Module, number: Number, pack: Code) -> None:
    """panel(record, arguments, scratch, task): pack one panel to the shared workspace."""
    code = emit_task(module, "panel", number)
    record = Record(ROWWISE, code.pointer("record"))
    arguments, task = code.pointer("arguments"), code.integer("task")
    to = argument(code, arguments, SHARED, number.name).at(task * record["panel"])
    bias, panels = to.at(record["panel_bias"]), record["group_panels"]
    at = task // panels, task % panels
    code.run(pack, record.base, arguments, to, bias, *at, 0, record["channels"])


def rowwise_text(tile: Tile) -> str:
    """The nest of this file's title."""
    module, number = Module(), tile.element
    add = emit_sum(module, number, tile)
    write = emit_write(module, number, tile)
    pack = emit_pack_rows(module, number, tile)
    emit_panel(module, number, pack)
    code = emit_task(module, "rowwise", number)
    record = Record(ROWWISE, code.pointer("record"))
    arguments, scratch = code.pointer("arguments"), code.pointer("scratch")
    rest, piece = code.integer("task") // record["pieces"], code.integer("task") % record["pieces"]
    group, row_block = rest // record["row_blocks"], rest % record["row_blocks"]
    first_bundle = piece // record["line_pieces"] * record["piece_bundles"]
    first_block = piece % record["line_pieces"] * record["piece_blocks"]
    piece_blocks = (record["blocks"] - first_block).minimum(record["piece_blocks"])
    bundles = (record["bundles"] - first_bundle).minimum(record["piece_bundles"])
    first_panel = row_block * record["row_panels"]
    panels = (record["group_panels"] - first_panel).minimum(record["row_panels"])
    shared = argument(code, arguments, SHARED, number.name)
    window = argument(code, arguments, WINDOW, number.name).at(group * record["window_group"])
    output = argument(code, arguments, OUTPUT, number.name).at(group * record["out_group"])
    step, is_shared = record["panel_channel"], record["shared_panels"] > 0
    tiles = scratch.at(code.select(is_shared, code.lift(0), record["panel"]))
    with (
        code.loop(0, record["channels"], record["channel_block"]) as channel,
        code.loop(0, panels) as at,
    ):
        channels = (record["channels"] - channel).minimum(record["channel_block"])
        panel = first_panel + at
        with code.unless(is_shared):
            bias = scratch.at(record["panel_bias"])
            place = group, panel, channel, channels
            code.run(pack, record.base, arguments, scratch, bias, *place)
        packed = shared.at((group * record["group_panels"] + panel) * record["panel"])
        factor = code.choose(is_shared, packed.at(channel * step), scratch)
        bias = code.choose(is_shared, packed, scratch).at(record["panel_bias"])
        _emit_lines(
            code,
            record,
            tile,
            (add, write),
            (factor, bias, tiles, window.at(channel * record["window_channel"]), output),
            (channel, channels, at, panel),
            (first_bundle, bundles, first_block, piece_blocks),
        )
    return str(module)


def _emit_lines(
    code: Code,
    record: Record,
    tile: Tile,
    functions: tuple[Code, Code],
    arrays: tuple[Pointer, Pointer, Pointer, Pointer, Pointer],
    channel_block: tuple[Value, Value, Value, Value],
    piece: tuple[Value, Value, Value, Value],
) -> None:
    """A panel of rows and a block of channels: all lines of a piece, all blocks of positions."""
    (add, write), (factor, bias, tiles, window, output) = functions, arrays
    channel, channels, at, panel = channel_block
    first_bundle, bundles, first_block, piece_blocks = piece
    cells = tile.lines * tile.rows * tile.width
    with code.loop(0, bundles) as nth, code.loop(0, piece_blocks) as nth_block:
        block, bundle = first_block + nth_block, first_bundle + nth
        terms = record.table("list_first").at(
            record.table("bundle_class").load(bundle) * record["blocks"] + block
        )
        first = terms.load()
        slot = ((at * bundles + nth) * piece_blocks + nth_block) * record["slots"]
        kept, is_first = tiles.at(slot * cells), channel.equals(0)
        row = panel * tile.width
        rows = (record["rows"] - row).minimum(tile.width)
        to = output.at(row * record["out_row"] + record.table("block_to").load(block))
        lines = [
            to.at(record.table("line_to").load(bundle * tile.lines + line))
            for line in range(tile.lines)
        ]
        is_last = (channel + channels).equals(record["channels"])
        # The lines that are written to: asked for, so that nothing waits for them.
        span = record["out_step"] * (tile.rows - 1)
        with code.when(is_last), code.loop(0, rows) as r:
            for line in lines:
                begin = line.at(r * record["out_row"])
                begin.prefetch(span, near=True, write=True)
                with code.loop(0, span, LINE // tile.element.bytes) as offset:
                    begin.prefetch(offset, near=True, write=True)
        code.run(
            add,
            channels,
            record["window_channel"],
            record["panel_channel"],
            code.choose(is_first, bias, kept),
            code.select(is_first, code.lift(0), code.lift(tile.width)),
            kept,
            window.at(record.table("block_from").load(block)),
            record.table("line_from").at(bundle * tile.lines),
            factor,
            record.table("term_from").at(first),
            record.table("term_factor").at(first),
            record.table("term_stretch").at(first),
            terms.load(1) - first,
            record.table("bundle_ask").load(bundle),
        )
        with code.when(is_last):
            for nth_line, line in enumerate(lines):
                code.run(
                    write,
                    kept.at(nth_line * tile.rows * tile.width),
                    line,
                    record["out_row"],
                    rows,
                    record["out_step"],
                )


def _is_rowwise(c: Contraction, lanes: int) -> bool:
    """Whether the sum has one index of rows, enough of them, and images outside."""
    return (
        len(c.rows) == 1
        and c.rows[0].extent > lanes // 4
        and bool(c.free)
        and c.output.subscripts[0].terms == (("n", 1),)
    )


def rowwise_tiles(contraction: Contraction, number: str, target: Target) -> tuple[Tile, ...]:
    """Tiles that cut the lines at hand evenly; of several lines where these are short."""
    c = contraction
    lanes = target.lanes(Tile(number, 1, 1, 1).element.bits)
    if not _is_rowwise(c, lanes):
        return ()
    lines = lines_of(c)
    count = lines.images * prod(axis.positions for axis in lines.axes[:-1])
    tiles: list[Tile] = []
    for vectors in range(1, min(-(-c.rows[0].extent // lanes), 4) + 1):
        room = (target.registers - 1 - vectors) // vectors
        rows = blocks(lines.length, room)
        several = min(room // rows, 4, count)
        for run in _runs(c, lines):
            stretches = lines.stretches(rows, run[0])
            if len(stretches) * run[0] <= (MOST_TERMS if run[0] > 1 else MOST_STRETCHES):
                tiles.append(
                    Tile(
                        number, lanes, rows, vectors, several,
                        steps=(1, lines.axes[-1].step),
                        run=run, stretches=stretches, alone=_is_alone(lines, rows),
                    )
                )  # fmt: skip
    return tuple(tiles)


def _runs(c: Contraction, lines: Lines) -> list[tuple[int, int, int]]:
    """All taps along a line in one run, where that is not too long, and one by one.

    The phases of a strided gradient have runs of the longest of them: one kernel for them all.
    """
    axis, single = lines.axes[-1], (1, 0, 0)
    name = _tap_names(c)[-1]
    longest = max(
        (
            -(-one.size // abs(one.coefficient(name)))
            for one in c.factor.subscripts
            if name in dict(one.terms)
        ),
        default=1,
    )
    if not 1 < longest <= LONGEST:
        return [single]
    return [(longest, axis.tap * lines.window[-1], c.factor.step(name)), single]


def _is_split(c: Contraction) -> bool:
    """Whether every phase of a gradient has one tap of several, so that panels are tap by tap."""
    names = zip(_tap_names(c), c.factor.subscripts[3:], strict=True)
    return prod(c.factor.shape[3:]) > 1 and all(
        one.size <= abs(one.coefficient(name)) if name else one.size == 1 for name, one in names
    )


def _is_alone(lines: Lines, rows: int) -> bool:
    """Whether a channel has one term, which all positions of a tile have or none."""
    return prod(axis.taps for axis in lines.axes) == 1 and all(
        stretch == ((0, rows),) for stretch in lines.stretches(rows)
    )


def _lists(
    c: Contraction, lines: Lines, tile: Tile, panel_tap: int
) -> tuple[Table, Table, Table, Table]:
    """Per class and block: the first run; per run: window, factor and stretch."""
    taps = lines.axes[-1].taps
    reads = zip(lines.axes, lines.window[1:], strict=True)
    window = outer_sum(*(np.arange(axis.taps) * (axis.tap * step) for axis, step in reads))
    factor = c.factor.origin + _tap_offsets(c)
    run = tile.run[0]
    low, high, some = lines.runs(tile.rows, run)
    which = {kind: at for at, kind in enumerate(tile.stretches)}
    chunks = [np.flatnonzero(block) for block in some]
    pairs = zip(low[some].tolist(), high[some].tolist(), strict=True)
    every = np.array([which[tuple(zip(*pair, strict=True))] for pair in pairs], np.int64)
    kinds = np.split(every, np.cumsum(some.sum(axis=1))[:-1])
    outer = [np.flatnonzero(mask) * taps for mask in lines.classes[0]]
    found = [outer_sum(mask, chunk * run) for mask in outer for chunk in chunks]
    stretch = [np.tile(kind, mask.size) for mask in outer for kind in kinds]
    first = np.cumsum([0, *(one.size for one in found)])
    # A sum without any term has a list all the same.
    every, stretches = (np.concatenate([*parts, [0]]) for parts in (found, stretch))
    return first, window[every], factor[every] * panel_tap, stretches


def _tap_offsets(c: Contraction) -> Table:
    """Where the taps lie in the factor, last axis fastest."""
    return outer_sum(
        *(np.arange(c.extent(name)) * c.factor.step(name) for name in _tap_names(c) if name)
    )


def _tap_names(c: Contraction) -> list[str]:
    """The index of the taps of each axis; "" where there is none."""
    free = {index.name for index in c.free}
    return [
        next((name for name, _ in subscript.terms if name not in free), "")
        for subscript in c.window.subscripts[3:]
    ]


@dataclass(frozen=True)
class Blocking:
    """How a rowwise sum is cut.

    Attributes:
        channels: of a block.
        panels: of rows, in a task.
        bundles: of lines, in a task.
        blocks: of positions along a line, in a task.
        cycles: predicted.
    """

    channels: int
    panels: int
    bundles: int
    blocks: int
    cycles: float


def _blockings(
    c: Contraction, tile: Tile, target: Target, lines: Lines, work: float
) -> Iterator[Blocking]:
    """The cuts worth considering, for work in cycles.

    The window of a task is read once for every panel of rows, so it should stay in the
    second-level cache; so should the tiles that are kept between blocks of channels.
    """
    size, groups, channels = tile.element.bytes, *c.window.shape[1:3]
    bundles = int(lines.bundle_counts(tile.lines).sum())
    along = lines.firsts(tile.rows).size
    taps, panels = prod(c.factor.shape[3:]), -(-c.rows[0].extent // tile.width)
    most = min(target.l2 // 6 // (taps * tile.width * size), _apart(c, size, target))
    last = lines.axes[-1]
    is_wide = (last.taps - 1) * abs(last.tap) * size > LINE // 2
    if is_wide or ((taps == 1 or _is_split(c)) and target.fma_per_cycle > 1):
        most = min(most, _near(tile, target, lines))
    block = blocks(channels, max(most, 16))
    plane = prod(c.window.shape[3:]) * c.window.shape[0] * size
    cell = tile.lines * tile.rows * tile.width * size
    factor = groups * panels * tile.width * taps * channels * size
    cells = tile.lines * tile.rows * tile.vectors
    work += groups * panels * bundles * along * cells * KEPT * (-(-channels // block) - 1)
    rows = {blocks(panels, -(-panels // share)) for share in (1, 2, 4, 8, 16)}
    pieces = {(blocks(bundles, -(-bundles // 2**share)), along) for share in range(12)}
    pieces |= {(1, blocks(along, -(-along // 2**share))) for share in range(1, 12)}
    for row_panels, (piece, part) in product(rows, pieces):
        row_blocks = -(-panels // row_panels)
        number = -(-bundles // piece) * -(-along // part)
        tasks = groups * row_blocks * number
        held = plane * block / number
        kept = row_panels * piece * part * cell if block < channels else 0
        crowded = max((held + kept) / (target.l2 / 4), 1.0)
        again = BYTE * (factor * number + plane * groups * channels * row_blocks)
        again += factor / size * PACK + (2.0 * BYTE * factor if number > 1 else 0.0)
        cycles = (work * crowded + again) * imbalance(tasks, WORKERS)
        yield Blocking(block, row_panels, piece, part, cycles)


def _near(tile: Tile, target: Target, lines: Lines) -> int:
    """How many channels of a panel, and of the lines of a tile, a third of the first level holds.

    With one term a channel, each line of the window is used once by a tile, and so it is where taps
    are far from each other. If the panel did not stay either, both would come from the second
    level, and they are as many as the multiply-adds can wait for: 256 -> 64 channels at 56 x 56
    took 1.4 times as long, 1024 -> 2048 with stride 2 1.3 times, 3x3 with dilation 18 1.5 times.

    A core that starts one multiply-add a cycle has the time to wait where taps are few, and what is
    kept of a tile between blocks costs more: there all channels at once were faster by a tenth.
    """
    size, axis = tile.element.bytes, lines.axes[-1]
    taps = prod(axis.taps for axis in lines.axes)
    span = ((tile.rows - 1) * tile.steps[1] + (axis.taps - 1) * abs(axis.tap)) * size
    read = tile.lines * taps // axis.taps * (1 + span // LINE) * LINE
    return target.l1 // 3 // (taps * tile.width * size + read)


def _apart(c: Contraction, size: int, target: Target) -> int:
    """How many channels' lines the second-level cache holds where they lie in the same few sets.

    A cache of 16 ways holds a line at its address modulo a sixteenth of its size. Planes of 64 x 64
    are 16 KiB apart: of 256 channels, every eighth meets in a set. The factor, the tiles and who
    else uses the cache want most of the ways: 1024 channels at 32 x 32 were faster by a fifth with
    three of sixteen than with twelve.
    """
    sets = target.l2 // (WAYS * LINE)
    return sets // gcd(sets, max(c.window.strides[2] * size // LINE, 1)) * WAYS * 3 // 16


def _work(c: Contraction, tile: Tile, target: Target, lines: Lines) -> float:
    """Cycles of all tiles for one panel of rows after another, in the unit of `packed`.

    Measured beside `packed`: a term costs 0.93 of what it costs there, a run of terms and a channel
    2 and 4 more, for they compute addresses; where a channel has one term, pointers run on instead.
    """
    cells = tile.lines * tile.rows * tile.vectors
    groups, channels = c.window.shape[1:3]
    panels = -(-c.rows[0].extent // tile.width)
    low, high, some = lines.runs(tile.rows, tile.run[0])
    bundles = lines.bundle_counts(tile.lines)
    lists = float(bundles @ lines.classes[0].sum(axis=1))
    tiles = int(bundles.sum()) * len(low)
    each = 0.93 * max(cells, tile.loads, 8.0)
    if prod(axis.taps for axis in lines.axes) == 1:
        each *= 0.96 if tile.vectors == 2 else 1.06
    terms = lists * (float((high > low).sum()) * each + 2.0 * float(some.sum()))
    channel = 0.0 if tile.alone else 4.0
    scattered = 1.0 if lines.output[-1] == 1 else 1.6
    squares = tile.vectors * tile.lines * -(-tile.rows // tile.lanes)
    write = 4.0 * tile.lanes * scattered * squares + 6.0 * cells + 40.0
    write += far_write(c, tile.element.bytes, target) * cells
    phased = PHASED if lines.output[-1] > 1 and c.rows[0].extent > tile.lanes else 1.0
    return phased * groups * panels * (channels * (terms + channel * tiles) + tiles * write)


@lru_cache(maxsize=64)
def _cheapest(c: Contraction, tile: Tile, target: Target, lines: Lines) -> Blocking:
    work = _work(c, tile, target, lines)
    return min(_blockings(c, tile, target, lines, work), key=lambda one: one.cycles)


def rowwise_cycles(contraction: Contraction, tile: Tile, target: Target) -> float:
    """The cycles of the plan, without the plan."""
    return _cheapest(contraction, tile, target, lines_of(contraction)).cycles


def rowwise_plan(contraction: Contraction, tile: Tile, target: Target) -> Plan | None:
    """Lanes along the rows; None where positions are summed over, or do not fit the tile."""
    c, size = contraction, tile.element.bytes
    if not _is_rowwise(c, tile.lanes):
        return None
    lines = lines_of(c)
    if tile.rows > lines.length or tile.run not in _runs(c, lines):
        return None
    if not set(lines.stretches(tile.rows, tile.run[0])) <= set(tile.stretches):
        return None
    if tile.alone and not _is_alone(lines, tile.rows):
        return None
    best = _cheapest(c, tile, target, lines)
    groups, channels = c.window.shape[1:3]
    rows, taps = c.rows[0].extent, prod(c.factor.shape[3:])
    found = lines.bundles(tile.lines)
    bundles, panels = found.kind.size, -(-rows // tile.width)
    begins = lines.firsts(tile.rows)
    channel = next(name for name, _ in c.window.subscripts[2].terms)
    row, along = c.factor.step(c.rows[0].name), c.factor.step(channel)
    turns = 0 if row == 1 and taps == 1 else 1 if along == taps else 2
    row_blocks, line_pieces = -(-panels // best.panels), -(-begins.size // best.blocks)
    pieces = -(-bundles // best.bundles) * line_pieces
    is_shared = pieces > 1
    held, turned = channels if is_shared else best.channels, columns(tile.lanes)
    packed = (held * taps + tile.lanes) * tile.width
    panel_channel, panel_tap = taps * tile.width, tile.width
    if turns == 2 and _is_split(c):
        panel_channel, panel_tap = tile.width, held * tile.width
        packed = -(-taps // turned) * turned * panel_tap  # columns behind the last are written
    panel = packed + tile.width
    first, term_from, term_factor, term_stretch = _lists(c, lines, tile, panel_tap)
    reach = sum(
        (axis.taps - 1) * axis.tap * read
        for axis, read in zip(lines.axes[:-1], lines.window[1:], strict=False)
    )
    begin = found.first[:: tile.lines]
    slots = int(best.channels < channels)
    kept = (best.panels * best.bundles * best.blocks if slots else 1) * tile.lines * tile.rows
    record: dict[str, int | np.ndarray] = {
        "rows": rows,
        "row_blocks": row_blocks,
        "row_panels": best.panels,
        "group_panels": panels,
        "channels": channels,
        "channel_block": best.channels,
        "taps": taps,
        "shared_panels": int(is_shared),
        "panel": panel,
        "panel_channel": panel_channel,
        "panel_tap": panel_tap,
        "panel_bias": packed,
        "factor_group": c.factor.step("g"),
        "factor_row": row,
        "factor_channel": along,
        "turns": turns,
        "bundles": bundles,
        "piece_bundles": best.bundles,
        "piece_blocks": best.blocks,
        "pieces": pieces,
        "line_pieces": line_pieces,
        "line_from": found.first,
        "line_to": found.to,
        "bundle_class": found.kind,
        "bundle_ask": np.append(begin[1:] - begin[:-1], 0) + reach,
        "blocks": begins.size,
        "block_from": begins * (lines.axes[-1].step * lines.window[-1]),
        "block_to": begins * lines.output[-1],
        "list_first": first,
        "term_from": term_from,
        "term_factor": term_factor,
        "term_stretch": term_stretch,
        "window_group": c.window.strides[1],
        "window_channel": c.window.strides[2],
        "out_group": c.output.step("g"),
        "out_row": c.output.step(c.rows[0].name),
        "out_step": lines.output[-1],
        "slots": slots,
    }
    return Plan(
        sum=c,
        kernel=Kernel("rowwise", tile),
        loops=(
            Loop("group", groups, how="parallel"),
            Loop("row block", row_blocks, how="parallel"),
            Loop("piece", pieces, how=f"parallel; {best.bundles * tile.lines} lines"),
            Loop("channel", channels, best.channels),
            Loop("row", min(best.panels * tile.width, rows), tile.width),
            Loop("line", best.bundles * tile.lines, tile.lines),
            Loop("position", min(best.blocks * tile.rows, lines.length), tile.rows, str(tile)),
            Loop("channel, tap", best.channels * term_from.size // max(first.size - 1, 1)),
        ),
        steps=(
            *((Step("panel", groups * panels),) if is_shared else ()),
            Step("rowwise", groups * row_blocks * pieces),
        ),
        fields=ROWWISE,
        record=record,
        shared=groups * panels * panel * size if is_shared else 0,
        scratch=(kept * tile.width + (0 if is_shared else panel)) * size,
        cycles=best.cycles,
        packing=tuple(int(record[name]) for name in PACKING),
    )


ROWWISE_ALGORITHM = Algorithm(
    name="rowwise",
    summary="many rows: lanes along them, the window read in place number by number",
    functions=("panel", "rowwise"),
    text=rowwise_text,
    tiles=rowwise_tiles,
    plan=rowwise_plan,
    least=rowwise_cycles,
)
