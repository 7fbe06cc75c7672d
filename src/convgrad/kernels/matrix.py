"""Matrix: a product of matrices with lanes along the output, all arrays where they lie.

    for each group, piece of lanes, piece of rows (a task)
      for each chunk of rows, block of lanes, panel of rows
        for each index that is summed over: tile += broadcast side * lane side

The gradients of a fully connected layer are such products: nothing is packed for so few uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from convgrad.kernels.emit import INTEGER, Code, Module, Number
from convgrad.kernels.factor import emit_task
from convgrad.kernels.piece import WORKERS, imbalance
from convgrad.kernels.plan import Algorithm, Kernel, Loop, Plan, Step, blocks
from convgrad.kernels.product import GROUP_FIELDS, emit_group, group_values, product_of
from convgrad.kernels.record import Fields, Record
from convgrad.kernels.tile import Tile

if TYPE_CHECKING:
    import numpy as np

    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.product import Product, Run
    from convgrad.kernels.target import Target

MATRIX = Fields(
    (
        "along_factor",  # whether the lanes run along the factor's index (1) or the window's (0)
        "lanes",  # extents: of the index along the lanes, of the other one, of the sum
        "rows",
        "depth",
        "chunk",  # rows that share a walk along the lanes
        "piece_rows",
        "pieces",
        "piece_lanes",
        "lane_pieces",
        "row_side",  # steps of the side that is broadcast
        "depth_side",
        "depth_lane",  # and of the side that is read in vectors
        "out_row",
        *GROUP_FIELDS,
    )
)
LONG = 16
"""Terms of a sum from which rows rather than lanes are walked along."""
PAGES = 64
"""That a processor finds at once; others take it a few cycles."""


def emit_product(module: Module, number: Number, tile: Tile) -> Code:
    """product(depth, side, row_side, depth_side, lane, depth_lane, to, out_row, rows, left, ...).

    to[i*out_row + j] = bias[i*bias_row + j*bias_lane] + the sum over k < depth of
    side[i*row_side + k*depth_side] * lane[k*depth_lane + j], for i < rows and j < left.
    """
    code = module.function(
        "product",
        (INTEGER, "depth"),
        (number.name, "side"),
        (INTEGER, "row_side"),
        (INTEGER, "depth_side"),
        (number.name, "lane"),
        (INTEGER, "depth_lane"),
        (number.name, "to"),
        (INTEGER, "out_row"),
        (INTEGER, "rows"),
        (INTEGER, "left"),
        (number.name, "bias"),
        (INTEGER, "bias_lane"),
        (INTEGER, "biased"),
    )
    lanes, kind, rows = tile.lanes, number.vector(tile.lanes), code.integer("rows")
    left, zero = code.integer("left"), code.zero(kind)
    masks = [code.lanes_between(0, left - v * lanes, lanes) for v in range(tile.vectors)]
    sums = {
        (i, v): code.variable(kind, zero) for i in range(tile.rows) for v in range(tile.vectors)
    }
    bias, is_along = code.pointer("bias"), code.integer("bias_lane") > 0
    biased = code.integer("biased") > 0
    with code.when(biased & is_along):
        for (_, v), total in sums.items():
            total.set(bias.masked(lanes, masks[v], v * lanes))
    # Rows beyond the last do what the last one does, and are not written.
    at = [(rows - 1).minimum(i) for i in range(tile.rows)]
    with code.when(biased & (code.integer("bias_lane").equals(0))):
        for (i, _), total in sums.items():
            total.set(code.splat(bias.load(at[i]), lanes))
    side = [code.pointer("side").at(row * code.integer("row_side")) for row in at]

    def add(*, whole: bool) -> None:
        with code.loop(0, code.integer("depth")) as k:
            lane = code.pointer("lane").at(k * code.integer("depth_lane"))
            across = [
                lane.vector(lanes, v * lanes) if whole else lane.masked(lanes, masks[v], v * lanes)
                for v in range(tile.vectors)
            ]
            for i, pointer in enumerate(side):
                down = code.splat(pointer.load(k * code.integer("depth_side")), lanes)
                for v, value in enumerate(across):
                    total = sums[i, v]
                    total.set(code.fma(down, value, total.get()))

    is_whole = left >= tile.width
    with code.when(is_whole):
        add(whole=True)
    with code.unless(is_whole):
        add(whole=False)
    for i in range(tile.rows):
        to = code.pointer("to").at(code.integer("out_row") * i)
        with code.when(rows > i):
            for v in range(tile.vectors):
                to.store_masked(sums[i, v].get(), lanes, masks[v], v * lanes)
    return code


def matrix_text(tile: Tile) -> str:
    """The nest of this file's title."""
    module, number = Module(), tile.element
    multiply = emit_product(module, number, tile)
    code = emit_task(module, "matrix", number)
    record, arguments = Record(MATRIX, code.pointer("record")), code.pointer("arguments")
    rest, piece = code.integer("task") // record["pieces"], code.integer("task") % record["pieces"]
    group, lane_piece = rest // record["lane_pieces"], rest % record["lane_pieces"]
    output, window, factor, bias, biased = emit_group(code, record, arguments, number.name, group)
    along = record["along_factor"] > 0
    lane_side, side = code.choose(along, factor, window), code.choose(along, window, factor)
    first_lane, first_row = lane_piece * record["piece_lanes"], piece * record["piece_rows"]
    last_lane = (first_lane + record["piece_lanes"]).minimum(record["lanes"])
    last_row = (first_row + record["piece_rows"]).minimum(record["rows"])
    with (
        code.loop(first_row, last_row, record["chunk"]) as chunk,
        code.loop(first_lane, last_lane, tile.width) as lane,
        code.loop(chunk, (chunk + record["chunk"]).minimum(last_row), tile.rows) as row,
    ):
        code.run(
            multiply,
            record["depth"],
            side.at(row * record["row_side"]),
            record["row_side"],
            record["depth_side"],
            lane_side.at(lane),
            record["depth_lane"],
            output.at(row * record["out_row"] + lane),
            record["out_row"],
            last_row - row,
            last_lane - lane,
            bias.at(code.select(along, lane, row)),
            record["along_factor"],
            biased,
        )
    return str(module)


def _sides(product: Product) -> tuple[Run, Run, bool] | None:
    """The index along the lanes, the other one, and whether the first is the factor's.

    Lanes lie one behind the other in the output and in the side that is read.
    """
    free, rows = product.free, product.rows
    ways = [(rows, free, True)] if rows.output == rows.factor == 1 else []
    ways += [(free, rows, False)] if free.output == free.window == 1 else []
    return max(ways, key=lambda way: way[0].extent, default=None)


def matrix_tiles(contraction: Contraction, number: str, target: Target) -> tuple[Tile, ...]:
    """Tiles that cut both indices evenly."""
    product = product_of(contraction)
    sides = product and _sides(product)
    if not sides:
        return ()
    lanes = target.lanes(Tile(number, 1, 1, 1).element.bits)
    along, other, _ = sides
    return tuple(
        Tile(number, lanes, blocks(other.extent, (target.registers - 1 - v) // v), v)
        for v in range(1, min(-(-along.extent // lanes), 4) + 1)
    )


def matrix_plan(contraction: Contraction, tile: Tile, target: Target) -> Plan | None:
    """Lanes along the output; None where something slides, or where no side lies along it."""
    c, product = contraction, product_of(contraction)
    sides = product and _sides(product)
    if not product or not sides:
        return None
    (along, other, is_factor), depth = sides, product.summed
    groups, work = c.extent("g"), _work(product, sides, tile, target)
    lane_blocks, panels = -(-along.extent // tile.width), -(-other.extent // tile.rows)
    # A task takes whole tiles; there are as many tasks as keep the workers busy.
    shares = [(one, other) for one in (1, 2, 4, 8) for other in (1, 2, 4, 8)]
    cuts = [
        (blocks(panels, -(-panels // p)), blocks(lane_blocks, -(-lane_blocks // q)))
        for p, q in shares
    ]
    cycles, piece_panels, piece_blocks = min(
        (
            work * imbalance(groups * -(-panels // p) * -(-lane_blocks // q), WORKERS),
            -p,
            -q,
        )
        for p, q in cuts
    )
    piece_rows, piece_lanes = -piece_panels * tile.rows, -piece_blocks * tile.width
    pieces, lane_pieces = -(-other.extent // piece_rows), -(-along.extent // piece_lanes)
    # A long sum uses lanes in the first-level cache often; a short one writes rows in one go.
    chunk = piece_rows if depth.extent >= LONG else tile.rows
    record: dict[str, int | np.ndarray] = {
        "along_factor": int(is_factor),
        "lanes": along.extent,
        "rows": other.extent,
        "depth": depth.extent,
        "chunk": chunk,
        "piece_rows": piece_rows,
        "pieces": pieces,
        "piece_lanes": piece_lanes,
        "lane_pieces": lane_pieces,
        "row_side": other.window if is_factor else other.factor,
        "depth_side": depth.window if is_factor else depth.factor,
        "depth_lane": depth.factor if is_factor else depth.window,
        "out_row": other.output,
        **group_values(c),
    }
    return Plan(
        sum=c,
        kernel=Kernel("matrix", tile),
        loops=(
            Loop("group", groups, how="parallel"),
            Loop("lane", along.extent, piece_lanes, "parallel"),
            Loop("row", other.extent, piece_rows, "parallel"),
            Loop("row", min(piece_rows, other.extent), chunk),
            Loop("lane", min(piece_lanes, along.extent), tile.width),
            Loop("row", min(chunk, other.extent), tile.rows, str(tile)),
            Loop("sum", depth.extent),
        ),
        steps=(Step("matrix", groups * lane_pieces * pieces),),
        fields=MATRIX,
        record=record,
        shared=0,
        scratch=0,
        cycles=groups * cycles,
    )


def _work(product: Product, sides: tuple[Run, Run, bool], tile: Tile, target: Target) -> float:
    """Cycles of a group, in the unit of `packed`.

    Lanes that are read once more for every panel come from the second-level cache where they do
    not fit the first; each line of a long stride is on a page of its own.
    """
    (along, other, is_factor), depth = sides, product.summed
    cells, loads, size = tile.rows * tile.vectors, tile.rows + tile.vectors, tile.element.bytes
    stride = size * (depth.factor if is_factor else depth.window)
    each = max(cells, loads, 8.0) + 1.0
    if depth.extent * tile.width * size > target.l1 / 2:
        each += tile.vectors
    if depth.extent * stride > PAGES * 4096:
        each += 4.0
    tiles = -(-along.extent // tile.width) * -(-other.extent // tile.rows)
    return tiles * (depth.extent * each + 3.0 * cells + 4.0 * tile.rows + 40.0)


MATRIX_ALGORITHM = Algorithm(
    name="matrix",
    summary="nothing slides: a matrix product in place, lanes along the output",
    functions=("matrix",),
    text=matrix_text,
    tiles=matrix_tiles,
    plan=matrix_plan,
)
