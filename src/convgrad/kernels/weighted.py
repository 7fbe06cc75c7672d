"""Weighted: sums over positions, lanes along the factor's rows (a weight gradient).

    for each group, block of rows, block of channels, part of the pieces (a task)
      for each piece of positions
        bring the window: read where it lies, staged, or with a tile's channels side by side
        for each strip of the piece
          for each panel of rows (lanes here)
            transpose the factor: [positions][rows]
            for each panel of channels and taps
              for each position: tile += broadcast window * transposed factor
      transpose the tiles out
    add up the parts

The window is read one number at a time, so stride, dilation and line ends cost nothing here. With
channels side by side one pointer finds them all, and a strip's operands stay in the first-level
cache.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from convgrad.kernels.cells import CELL_FIELDS, present_cells, present_share, staged_cells
from convgrad.kernels.emit import INTEGER, Code, Module, Number, Pointer, Value, is_loaded
from convgrad.kernels.factor import TABLE, emit_task
from convgrad.kernels.parts import PART_FIELDS, Parts, cut_parts, emit_add, emit_part
from convgrad.kernels.piece import (
    PIECE_FIELDS,
    WORKERS,
    PieceAt,
    Pieces,
    cut,
    emit_piece,
    emit_window,
    imbalance_with_rest,
)
from convgrad.kernels.plan import Algorithm, Kernel, Loop, Plan, blocks
from convgrad.kernels.record import FACTOR, FLAG, Fields, Record, argument
from convgrad.kernels.stage import STAGE_FIELDS, emit_stage, stage_values
from convgrad.kernels.tile import Tile
from convgrad.kernels.turn import columns, emit_columns, emit_turn
from convgrad.kernels.window import Stage, is_dense, outer_sum, window_axes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.target import Target
    from convgrad.kernels.window import WindowAxis

WEIGHTED = Fields(
    (
        *STAGE_FIELDS,
        *PIECE_FIELDS,
        *PART_FIELDS,
        "rows",
        "row_blocks",
        "row_panels",  # per block
        "channels",
        "channel_block",
        "channel_blocks",
        "taps",
        "cell_panels",  # of a block
        "strip_length",  # of a piece, on the axis that pieces are cut along
        "offsets",  # per slot of a panel: where its channel and tap lie
        *CELL_FIELDS,
        "factor_image",
        "factor_group",
        "factor_row",
        "factor_piece",
        "out_group",
        "out_row",
        "out_channel",
        "out_dense",  # whether cells are neighbours there
        "out_offsets",  # per channel of a block and tap
        "turned_block",  # elements of a block of channels that are neighbours, and of an image
        "turned_image",
        "turned_places",  # of an image, and elements from one to the next
        "turned_side",
        "scratch_factor",
        "scratch_tiles",
        "checked",
    )
)


def emit_weigh(module: Module, number: Number, tile: Tile, name: str, vectors: int) -> Code:
    """weigh(window, factor, offsets, first, place, length, from, until, step, valid, to).

    to[r][v] += sum over positions p of window[place of p + offsets[r]] * factor[p][v], for the
    first vectors v of the tile.
    """
    code = module.function(
        name,
        (number.name, "window"),
        (number.name, "factor"),
        (TABLE, "offsets"),
        (TABLE, "first"),
        (TABLE, "place"),
        (TABLE, "length"),
        (INTEGER, "from"),
        (INTEGER, "until"),
        (INTEGER, "step"),
        (INTEGER, "valid"),
        (number.name, "to"),
    )
    lanes, to = tile.lanes, code.pointer("to")
    rows, across_rows = range(tile.rows), range(vectors)
    sums = {
        (row, v): code.variable(
            number.vector(lanes), to.vector(lanes, row * tile.width + v * lanes)
        )
        for row in rows
        for v in across_rows
    }
    if tile.turned:
        at = [code.pointer("window").at(code.pointer("offsets").load())]
    else:
        at = [code.pointer("window").at(code.pointer("offsets").load(row)) for row in rows]
    step = code.integer("step")
    with code.loop(code.integer("from"), code.integer("until")) as run:
        first = code.pointer("first").load(run)
        length = code.pointer("length").load(run).minimum(code.integer("valid") - first)
        place = code.pointer("place").load(run)
        begin = code.pointer("factor").at(first * tile.width)
        with code.loop(0, length) as j:
            panel, here = begin.at(j * tile.width), place + j * step
            numbers = at[0].at(here).settled() if tile.turned else at[0]
            across = [panel.vector(lanes, v * lanes) for v in across_rows]
            for row in rows:
                totals = [sums[row, v] for v in across_rows]
                if tile.turned:
                    code.add_products(numbers.at(row), across, totals, nth=row)
                    continue
                down = code.splat(at[row].load(here), lanes)
                for value, total in zip(across, totals, strict=True):
                    total.set(code.fma(down, value, total.get()))
    for (row, v), total in sums.items():
        to.store(total.get(), row * tile.width + v * lanes)
    return code


def weighted_text(tile: Tile) -> str:
    """The nest of this file's title."""
    module, number = Module(), tile.element
    if tile.turned:
        bring = emit_turn(module, number, tile, checked=False, name="neighbours", rows=tile.rows)
    else:
        bring = emit_stage(module, number, tile.lanes, WEIGHTED)
    turn = emit_turn(module, number, tile, checked=True)
    weigh = emit_weigh(module, number, tile, "weigh", tile.vectors)
    few = weigh if tile.vectors == 1 else emit_weigh(module, number, tile, "weigh_one", 1)
    code = emit_task(module, "weighted", number)
    record = Record(WEIGHTED, code.pointer("record"))
    arguments, scratch = code.pointer("arguments"), code.pointer("scratch")
    task = code.integer("task")
    task, (first, last), result = emit_part(code, record, arguments, number, task)
    rest, at = task // record["channel_blocks"], task % record["channel_blocks"]
    group, row_block = rest // record["row_blocks"], rest % record["row_blocks"]
    first_row = row_block * record["row_panels"] * tile.width
    rows = (record["rows"] - first_row).minimum(record["row_panels"] * tile.width)
    row_panels = (rows + (tile.width - 1)) // tile.width
    channel = at * record["channel_block"]
    channels = (record["channels"] - channel).minimum(record["channel_block"])
    cells = channels * record["taps"]
    cell_panels = record["cell_panels"]
    tiles = scratch.at(record["scratch_tiles"])
    turned = scratch.at(record["scratch_factor"])
    in_place = record["stage_in_place"] > 0
    flag = code.choose(
        record["checked"] > 0, argument(code, arguments, FLAG, INTEGER), code.array(INTEGER, 1)
    )

    with code.loop(0, row_panels * cell_panels * (tile.rows * tile.width), tile.lanes) as j:
        tiles.store(code.zero(number.vector(tile.lanes)), j)
    with code.loop(first, last) as number_of_piece:
        piece = emit_piece(record, number_of_piece)
        window = emit_window(code, record, arguments, number.name, (piece.image, group)).at(
            channel * record["window_channel"]
        )
        if tile.turned:
            _emit_neighbours(code, record, tile, bring, (window, scratch), (channels, piece.images))
            source = scratch
        else:
            with code.unless(in_place):
                code.run(bring, scratch, window, record.base, piece.images, channels, piece.begin)
            source = code.choose(in_place, window.at(piece.begin * record["window_piece"]), scratch)
        factor = argument(code, arguments, FACTOR, number.name).at(
            piece.image * record["factor_image"]
            + group * record["factor_group"]
            + first_row * record["factor_row"]
            + piece.begin * record["factor_piece"]
        )
        sizes = row_panels, rows
        with code.loop(0, piece.length, record["strip_length"]) as begin:
            length = (piece.length - begin).minimum(record["strip_length"])
            strip = replace(piece, length=length, valid=piece.images * length * record["rest"])
            arrays = factor.at(begin * record["factor_piece"]), turned, flag, source, tiles
            _emit_strip(code, record, tile, (turn, weigh, few), arrays, sizes, begin, strip)
    output = result.at(
        group * record["out_group"]
        + first_row * record["out_row"]
        + channel * record["out_channel"]
    )
    _emit_results(code, record, tile, (tiles, output), (row_panels, rows, cells))
    emit_add(module, tile, WEIGHTED)
    return str(module)


def _emit_strip(
    code: Code,
    record: Record,
    tile: Tile,
    functions: tuple[Code, Code, Code],
    arrays: tuple[Pointer, Pointer, Pointer, Pointer, Pointer],
    sizes: tuple[Value, Value],
    begin: Value,
    strip: PieceAt,
) -> None:
    """Every panel of rows, and every panel of channels and taps, over the positions of a strip."""
    (turn, weigh, few), (factor, turned, flag, source, tiles) = functions, arrays
    row_panels, rows = sizes
    cell_panels, size = record["cell_panels"], tile.rows * tile.width
    lists = record.table("list_first").at(begin // record["strip_length"] * record["taps"])
    with code.loop(0, row_panels) as panel:
        _emit_turn_panel(code, record, tile, turn, (factor, turned, flag), (panel, rows), strip)
        is_few = rows - panel * tile.width <= tile.lanes
        with code.loop(0, cell_panels) as cell:
            runs = lists.at(record.table("panel_list").load(cell))
            operands = (
                source,
                turned,
                record.table("offsets").at(cell * tile.rows),
                record.table("run_first"),
                record.table("run_place"),
                record.table("run_length"),
                runs.load(),
                runs.load(1),
                record["run_step"],
                strip.valid,
                tiles.at((panel * cell_panels + cell) * size),
            )
            with code.when(is_few):
                code.run(few, *operands)
            with code.unless(is_few):
                code.run(weigh, *operands)


def _emit_turn_panel(
    code: Code,
    record: Record,
    tile: Tile,
    turn: Code,
    arrays: tuple[Pointer, Pointer, Pointer],
    rows: tuple[Value, Value],
    piece: PieceAt,
) -> None:
    """A panel of the factor, transposed: image after image, each a stretch without gaps."""
    factor, turned, flag = arrays
    panel, count = rows
    stretch = piece.length * record["rest"]
    with code.loop(0, piece.images) as image:
        code.run(
            turn,
            turned.at(image * stretch * tile.width),
            factor.at(image * record["factor_image"] + panel * tile.width * record["factor_row"]),
            record["factor_row"],
            count - panel * tile.width,
            stretch,
            tile.width,
            tile.width,
            flag,
        )


def _emit_results(
    code: Code,
    record: Record,
    tile: Tile,
    arrays: tuple[Pointer, Pointer],
    counts: tuple[Value, Value, Value],
) -> None:
    """The tiles, transposed to where the output wants them."""
    (tiles, output), (row_panels, rows, cells) = arrays, counts
    is_dense = record["out_dense"] > 0
    in_lanes = record["out_row"].equals(1)
    with code.loop(0, row_panels) as panel:
        live = (rows - panel * tile.width).minimum(tile.width)
        begin = tiles.at(panel * record["cell_panels"] * (tile.rows * tile.width))
        to = output.at(panel * tile.width * record["out_row"])
        with code.when(in_lanes), code.loop(0, cells) as cell:
            slot, place = (record.table(name).load(cell) for name in ("slots", "out_offsets"))
            with code.loop(0, live, tile.lanes) as v:
                mask = code.lanes_between(0, live - v, tile.lanes)
                value = begin.vector(tile.lanes, slot * tile.width + v)
                to.store_masked(value, tile.lanes, mask, place + v)
        with code.unless(in_lanes), code.when(is_dense):
            _emit_squares(code, record, tile, (begin, to), (live, cells))
        with (
            code.unless(in_lanes),
            code.unless(is_dense),
            code.loop(0, live) as lane,
            code.loop(0, cells) as cell,
        ):
            value = begin.load(record.table("slots").load(cell) * tile.width + lane)
            to.at(lane * record["out_row"]).store(value, record.table("out_offsets").load(cell))


def _emit_squares(
    code: Code,
    record: Record,
    tile: Tile,
    arrays: tuple[Pointer, Pointer],
    counts: tuple[Value, Value],
) -> None:
    """The tiles of a panel where cells are neighbours in the output: a vector of them at a time."""
    (tiles, output), (live, cells) = arrays, counts
    lanes, number = tile.lanes, tile.element
    square = code.array(number.name, lanes * lanes)
    output = output.at(record.table("out_offsets").load())
    with code.loop(0, cells, lanes) as first, code.loop(0, live, lanes) as lane:
        with code.loop(0, lanes) as i:
            slot = record.table("slots").load((first + i).minimum(cells - 1))
            square.store(tiles.vector(lanes, slot * tile.width + lane), i * lanes)
        mask = code.lanes_between(0, cells - first, lanes)
        with code.loop(0, lanes, columns(lanes)) as k:
            turned = emit_columns(code, number, square.at(k), lanes, lanes, lanes)
            for i, value in enumerate(turned):
                row = lane + (k + i)
                with code.when(live > row):
                    output.at(row * record["out_row"]).store_masked(value, lanes, mask, first)


def _emit_neighbours(
    code: Code,
    record: Record,
    tile: Tile,
    turn: Code,
    arrays: tuple[Pointer, Pointer],
    counts: tuple[Value, Value],
) -> None:
    """The window of a piece with channels side by side, a tile's rows of them at a time."""
    (window, to), (channels, images) = arrays, counts
    with code.loop(0, channels, tile.rows) as first, code.loop(0, images) as image:
        block = to.at(first // tile.rows * record["turned_block"])
        code.run(
            turn,
            block.at(image * record["turned_image"]),
            window.at(first * record["window_channel"] + image * record["window_image"]),
            record["window_channel"],
            (channels - first).minimum(tile.rows),
            record["turned_places"],
            record["turned_side"],
            record["turned_side"],
        )


def weighted_tiles(contraction: Contraction, number: str, target: Target) -> tuple[Tile, ...]:
    """Tiles two vectors wide, or one where there are few rows."""
    cells = prod(index.extent for index in contraction.free)
    rows = prod(index.extent for index in contraction.rows)
    lanes = Tile(number, target.vector_bytes, 1, 1).element.bits
    lanes = target.lanes(lanes)
    wide = target.registers >= 32
    if rows <= lanes:
        choice, vectors = ((14, 12, 8, 4) if wide else (8, 4)), 1
    else:
        choice, vectors = ((12, 14, 9, 8, 4) if wide else (6, 4)), 2
    # Channels fill the rows of a tile evenly where a panel has one tap.
    even = blocks(contraction.window.shape[2], max(choice))
    found = [
        Tile(number, lanes, count, vectors)
        for count in dict.fromkeys((*choice, even))
        if count <= max(cells, min(choice))
    ]
    # Where numbers are repeated from memory, they had better be neighbours.
    if vectors == 2 and not is_loaded(target.vector_bytes, vectors, 0):
        found += [replace(tile, turned=True) for tile in found if tile.rows in {12, 14, even}]
    return tuple(found)


MOST_IN_PLACE = 4096
"""Positions of an image, which must be whole where absent terms are left out."""


@dataclass(frozen=True)
class Cut:
    """How a weighted sum is cut into tasks and blocks, and what that costs."""

    stage: Stage
    pieces: Pieces
    parts: Parts
    row_panels: int
    present: bool
    strip: int
    cycles: float


@lru_cache(maxsize=64)
def _cheapest(
    c: Contraction, tile: Tile, target: Target, axes: tuple[WindowAxis, ...]
) -> Cut | None:
    """The best of the cuts worth considering: blocks of rows against blocks of channels."""
    size = tile.element.bytes
    images, groups, channels = c.window.shape[:3]
    taps, total = prod(axis.taps for axis in axes), images * prod(a.positions for a in axes)
    in_place = all(axis.step == 1 and axis.is_inside for axis in axes)
    panels = -(-c.rows[0].extent // tile.width)
    spread = prod(len(axis.phases) for axis in axes)
    shares = (1, 2, 3, 4, 6, 8, 12, 16, 32, 64)
    best: Cut | None = None
    for row_panels in {blocks(panels, -(-panels // share)) for share in shares}:
        for block in {blocks(channels, -(-channels // share)) for share in shares}:
            held = row_panels * tile.width * (block * taps + tile.rows) * size
            if held > target.l2 // 2 and (row_panels > 1 or block > 1):
                continue
            wide = -(-block // tile.rows) * -(-tile.rows // tile.lanes) * tile.lanes
            width = (wide if tile.turned else block * spread) + tile.width
            room = target.l2 * 3 // 8 // (size * width)
            tasks = groups * -(-panels // row_panels) * -(-channels // block)
            # A piece at least for every processor.
            most = _near(tile, target) if tile.turned else 2048
            room = min(room, most, -(-total * tasks // WORKERS))
            for present in (True,) if tile.turned else (False, True):
                whole = prod(a.positions for a in axes) if present else 0
                pieces = cut(images, axes, max(room, whole, 64))
                # Lists are of whole images, and of the channels of a block, none too few.
                if present and (channels % block or whole > MOST_IN_PLACE):
                    continue
                if tile.turned and not is_dense(c.window):
                    continue
                stage = Stage(
                    axes,
                    pieces.piece_images,
                    block,
                    pieces.split,
                    pieces.piece_length,
                    tile.lanes,
                    c.window,
                    in_place or present,
                    tile.rows if tile.turned else 0,
                )
                strip = _strip(tile, target, pieces)
                cycles = _cycles(
                    c, tile, target, (stage, pieces, row_panels, strip), tasks, present=present
                )
                if best is not None and cycles >= best.cycles:
                    continue
                vectors = row_panels * tile.vectors, -(-c.rows[0].extent // tile.lanes)
                apart = groups * -(-channels // block)

                def idle(number: int, vectors: tuple[int, int] = vectors, n: int = apart) -> float:
                    return imbalance_with_rest(*vectors, n * number, WORKERS)

                parts = cut_parts(c, pieces.number, idle, cycles)
                cycles = cycles * idle(parts.number) + parts.cycles
                if best is None or cycles < best.cycles:
                    best = Cut(stage, pieces, parts, row_panels, present, strip, cycles)
    return best


def _near(tile: Tile, target: Target) -> int:
    """Positions whose factor and window, both transposed, the first-level cache holds."""
    side = -(-tile.rows // tile.lanes) * tile.lanes
    return target.l1 * 3 // 4 // ((side + tile.width) * tile.element.bytes)


def _strip(tile: Tile, target: Target, pieces: Pieces) -> int:
    """Positions of the split axis that are summed over before the next panel has its turn.

    Measured: a tenth faster where both operands come from the first-level cache.
    """
    alone = pieces.piece_images == 1 and pieces.split + 1 < len(pieces.counts)
    if not (tile.turned and alone):
        return pieces.piece_length
    return blocks(pieces.piece_length, max(_near(tile, target) // pieces.rest, 1))


def _cycles(
    c: Contraction,
    tile: Tile,
    target: Target,
    shape: tuple[Stage, Pieces, int, int],
    tasks: int,
    *,
    present: bool,
) -> float:
    """Predicted cycles of one core.

    Measured: a vector of the factor is transposed in 5 cycles; a tile costs 0.65 to 0.8 cycles for
    a multiply-add; loading and storing it for each piece 2 for a vector.
    """
    stage, pieces, row_panels, strip = shape
    images, groups, channels = c.window.shape[:3]
    total = images * prod(axis.positions for axis in stage.axes)
    taps = prod(axis.taps for axis in stage.axes)
    cells = -(-stage.channels * taps // tile.rows) * tile.rows
    if present:
        total *= present_share(stage)
        cells = -(-stage.channels // tile.rows) * tile.rows * taps
    # Of the last panel the vectors that have a row.
    rows = c.rows[0].extent
    share = -(-rows // tile.lanes) / (-(-rows // tile.width) * tile.vectors)
    vectors = tasks * row_panels * tile.vectors * share
    strips = pieces.number * -(-pieces.piece_length // strip)
    each = _each(tile, cells, _turning(c, tile, target))
    cycles = vectors * (total * each + strips * cells * 2.0)
    cycles += 2.0 * c.rows[0].extent * channels * taps * groups
    return cycles + stage.cycles * tasks * pieces.number


def _turning(c: Contraction, tile: Tile, target: Target) -> float:
    """Cycles in which a vector of the factor is transposed.

    From beyond the second-level cache 20 to 37 on Zen 4, where a multiply-add takes a cycle; beside
    0.65 for it, 12 choose as the times do.
    """
    return 12.0 if prod(c.factor.shape) * tile.element.bytes > target.l2 else 5.0


def _each(tile: Tile, cells: int, turning: float) -> float:
    """Cycles of a position and a vector of the factor for so many cells."""
    # Where rows lie apart, each has an address of its own, more than there are registers.
    loads = tile.loads if tile.turned else tile.vectors + 1.5 * tile.rows
    adds = 1.0 + 0.4 * loads / (tile.rows * tile.vectors)
    return cells * 0.65 * max(adds - 0.15, 1.0) + turning


def _is_weighted(c: Contraction) -> bool:
    """Whether positions are summed over, for one index of rows."""
    return len(c.rows) == 1 and any(index.name == "n" for index in c.reduction)


def weighted_cycles(contraction: Contraction, tile: Tile, target: Target) -> float:
    """What no plan with this tile takes less of: no cell is in vain, nothing is staged."""
    c = contraction
    if not _is_weighted(c):
        return 0.0
    axes = window_axes(c, frozenset(index.name for index in c.reduction))
    images, groups, channels = c.window.shape[:3]
    rows, cells = c.rows[0].extent, channels * prod(axis.taps for axis in axes)
    total = images * prod(axis.positions * axis.share for axis in axes)
    vectors = -(-rows // tile.lanes)
    each = _each(tile, cells, _turning(c, tile, target))
    return groups * (vectors * (total * each + 2.0 * cells) + 2.0 * rows * cells)


def weighted_cost(contraction: Contraction, tile: Tile, target: Target) -> float:
    """The cycles of the plan."""
    if not _is_weighted(contraction):
        return 0.0
    reduced = frozenset(index.name for index in contraction.reduction)
    best = _cheapest(contraction, tile, target, window_axes(contraction, reduced))
    return 0.0 if best is None else best.cycles


def weighted_plan(contraction: Contraction, tile: Tile, target: Target) -> Plan | None:
    """Positions are summed over; lanes along the rows."""
    c, size = contraction, tile.element.bytes
    if not _is_weighted(c):
        return None
    reduced = frozenset(index.name for index in c.reduction)
    axes = window_axes(c, reduced)
    groups, channels = c.window.shape[1:3]
    rows, taps = c.rows[0].extent, prod(axis.taps for axis in axes)
    best = _cheapest(c, tile, target, axes)
    if best is None:
        return None
    stage, pieces, row_panels = best.stage, best.pieces, best.row_panels
    channel_block = stage.channels
    row_blocks = -(-rows // (tile.width * row_panels))
    channel_blocks = -(-channels // channel_block)
    strip = pieces.piece_images * best.strip * pieces.rest
    cells = (
        present_cells(stage, tile.rows, strip) if best.present else staged_cells(stage, tile.rows)
    )
    offsets = outer_sum(stage.channel_offsets, stage.taps)
    cell_panels = cells.lists.size
    scratch_factor = -(-stage.elements // 16) * 16
    scratch_tiles = scratch_factor + (strip + tile.lanes) * tile.width
    scratch = scratch_tiles + row_panels * cell_panels * tile.rows * tile.width
    names = [axis_name(c, a, reduced) for a in range(len(axes))]
    places = out_offsets(c, channel_block)
    order = np.argsort(places)
    is_dense = channels % channel_block == 0 and bool(np.all(np.diff(places[order]) == 1))
    if not is_dense:  # of the last block only the first channels are written
        order = np.arange(places.size)
    record: dict[str, int | NDArray[np.int64]] = {
        **stage_values(stage),
        **pieces.values(),
        **best.parts.values(),
        "rows": rows,
        "row_blocks": row_blocks,
        "row_panels": row_panels,
        "channels": channels,
        "channel_block": channel_block,
        "channel_blocks": channel_blocks,
        "taps": taps,
        "cell_panels": cell_panels,
        "strip_length": best.strip,
        "offsets": offsets[cells.cell],
        **cells.values(),
        "slots": cells.slot[order],
        "factor_image": c.factor.step("n"),
        "factor_group": c.factor.step("g"),
        "factor_row": c.factor.step(c.rows[0].name),
        "factor_piece": c.factor.step(names[pieces.split]),
        "out_group": c.output.step("g"),
        "out_row": c.output.step(c.rows[0].name),
        "out_channel": c.output.step(c.channel),
        "out_dense": int(is_dense),
        "out_offsets": places[order],
        "turned_block": stage.images * stage.strides[0],
        "turned_image": stage.strides[0],
        "turned_places": prod(c.window.shape[3:]),
        "turned_side": stage.side,
        "scratch_factor": scratch_factor,
        "scratch_tiles": scratch_tiles,
        "checked": int(not best.present and not all(axis.is_inside for axis in axes)),
    }
    return Plan(
        sum=c,
        kernel=Kernel("weighted", tile),
        loops=(
            Loop("group", groups, how="parallel"),
            Loop("row block", row_blocks, how="parallel"),
            Loop("channel", channels, channel_block, "parallel"),
            Loop("part", best.parts.number, how="parallel, added up at the end"),
            Loop("piece", best.parts.pieces, how=f"{pieces.positions} positions"),
            Loop("strip", -(-pieces.piece_length // best.strip), how=f"{strip} positions"),
            Loop("row panel", row_panels, how=f"transpose {tile.width} rows"),
            Loop("channel, tap", channel_block * taps, tile.rows, str(tile)),
            Loop("position", strip),
        ),
        steps=best.parts.steps("weighted", groups * row_blocks * channel_blocks),
        fields=WEIGHTED,
        record=record,
        shared=best.parts.shared * size,
        scratch=(scratch + 2 * tile.lanes) * size,
        cycles=best.cycles,
    )


def axis_name(contraction: Contraction, axis: int, names: frozenset[str]) -> str:
    """The position index of a spatial axis."""
    subscript = contraction.window.subscripts[3 + axis]
    return next(name for name, _ in subscript.terms if name in names)


def out_offsets(contraction: Contraction, channels: int) -> NDArray[np.int64]:
    """Where the output's channels and taps lie, the last axis fastest."""
    c = contraction
    free = {index.name for index in c.free} - {c.channel}
    taps = [
        name for subscript in c.window.subscripts[3:] for name, _ in subscript.terms if name in free
    ]
    return c.output.origin + outer_sum(
        np.arange(channels, dtype=np.int64) * c.output.step(c.channel),
        *(np.arange(c.extent(name), dtype=np.int64) * c.output.step(name) for name in taps),
    )


WEIGHTED_ALGORITHM = Algorithm(
    name="weighted",
    summary="sum over positions, lanes along the rows: the factor transposed, the window as it is",
    functions=("weighted", "add"),
    text=weighted_text,
    tiles=weighted_tiles,
    plan=weighted_plan,
    least=weighted_cycles,
    cost=weighted_cost,
)
