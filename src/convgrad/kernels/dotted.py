"""Dotted: a product of matrices with lanes along the sum, both sides where they lie.

    for each group, piece of rows (a task)
      for each block of rows, block of the free index: one cell for each pair
        for each vector of the sum: cell += factor vector * window vector
        fold the cells: a vector whose lanes are the sums of theirs

The forward pass of a fully connected layer is one: both x and w go on along the sum.
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
from convgrad.kernels.turn import emit_fold

if TYPE_CHECKING:
    import numpy as np

    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.emit import Pointer, Value
    from convgrad.kernels.product import Product
    from convgrad.kernels.target import Target

DOTTED = Fields(
    (
        "rows",
        "piece_rows",
        "pieces",
        "free",
        "depth",
        "row_factor",
        "free_window",
        "free_output",
        *GROUP_FIELDS,
    )
)


def emit_dots(module: Module, number: Number, tile: Tile) -> Code:
    """dots(depth, factor, row_factor, rows, window, free_window, to, free_output, free, ...).

    to[j*free_output + i] = bias[i] + the sum over k < depth of
    factor[i*row_factor + k] * window[j*free_window + k], for i < rows and j < free: `tile.rows`
    by `tile.lines` of them, as many as fill some vectors.
    """
    code = module.function(
        "dots",
        (INTEGER, "depth"),
        (number.name, "factor"),
        (INTEGER, "row_factor"),
        (INTEGER, "rows"),
        (number.name, "window"),
        (INTEGER, "free_window"),
        (number.name, "to"),
        (INTEGER, "free_output"),
        (INTEGER, "free"),
        (number.name, "bias"),
        (INTEGER, "biased"),
    )
    lanes, kind, depth = tile.lanes, number.vector(tile.lanes), code.integer("depth")
    rows, free, zero = code.integer("rows"), code.integer("free"), code.zero(kind)
    # What is beyond the last does what the last one does, and is not written.
    down = [
        code.pointer("factor").at((rows - 1).minimum(i) * code.integer("row_factor"))
        for i in range(tile.rows)
    ]
    across = [
        code.pointer("window").at((free - 1).minimum(j) * code.integer("free_window"))
        for j in range(tile.lines)
    ]
    cells = {(j, i): code.variable(kind, zero) for j in range(tile.lines) for i in range(tile.rows)}

    def add(k: Value, mask: Value | None) -> None:
        def read(pointer: Pointer) -> Value:
            return pointer.vector(lanes, k) if mask is None else pointer.masked(lanes, mask, k)

        window = [read(pointer) for pointer in across]
        for i, pointer in enumerate(down):
            factor = read(pointer)
            for j, value in enumerate(window):
                cell = cells[j, i]
                cell.set(code.fma(factor, value, cell.get()))

    whole = depth // lanes * lanes
    with code.loop(0, whole, lanes) as k:
        add(k, None)
    with code.when(whole < depth):
        add(whole, code.lanes_between(0, depth - whole, lanes))
    # Cells lie in the order (j, i), so that each vector holds the rows of some j.
    values = [cell.get() for cell in cells.values()]
    group, start = lanes // tile.rows, code.variable(kind, zero)
    with code.when(code.integer("biased") > 0):
        one = code.pointer("bias").masked(lanes, code.lanes_between(0, rows, lanes))
        start.set(code.shuffle(one, one, [lane % tile.rows for lane in range(lanes)]))
    for nth in range(len(values) // lanes):
        folded = emit_fold(code, values[nth * lanes : (nth + 1) * lanes])
        total = code.define(kind, f"fadd {kind} {folded.text}, {start.get().text}")
        for j in range(group):
            at, first = nth * group + j, j * tile.rows
            with code.when(free > at):
                mask = code.lanes_between(first, rows.minimum(tile.rows) + first, lanes)
                to = code.pointer("to").at(code.integer("free_output") * at - first)
                to.store_masked(total, lanes, mask)
    return code


def dotted_text(tile: Tile) -> str:
    """The nest of this file's title."""
    module, number = Module(), tile.element
    dots = emit_dots(module, number, tile)
    code = emit_task(module, "dotted", number)
    record, arguments = Record(DOTTED, code.pointer("record")), code.pointer("arguments")
    group = code.integer("task") // record["pieces"]
    first = code.integer("task") % record["pieces"] * record["piece_rows"]
    last = (first + record["piece_rows"]).minimum(record["rows"])
    output, window, factor, bias, biased = emit_group(code, record, arguments, number.name, group)
    with (
        code.loop(first, last, tile.rows) as row,
        code.loop(0, record["free"], tile.lines) as free,
    ):
        code.run(
            dots,
            record["depth"],
            factor.at(row * record["row_factor"]),
            record["row_factor"],
            last - row,
            window.at(free * record["free_window"]),
            record["free_window"],
            output.at(free * record["free_output"] + row),
            record["free_output"],
            record["free"] - free,
            bias.at(row),
            biased,
        )
    return str(module)


def _is_dotted(product: Product) -> bool:
    """Whether both sides go on along the sum, and the rows along the output."""
    return product.summed.window == product.summed.factor == product.rows.output == 1


def dotted_tiles(contraction: Contraction, number: str, target: Target) -> tuple[Tile, ...]:
    """As many cells as half the registers hold, in whole vectors: narrow and wide ones."""
    product = product_of(contraction)
    if not product or not _is_dotted(product):
        return ()
    lanes = target.lanes(Tile(number, 1, 1, 1).element.bits)
    cells = max(1 << (target.registers // 2).bit_length() - 1, lanes)
    return tuple(
        Tile(number, lanes, cells // lines, 1, lines)
        for lines in (1, 2, 4)
        if lines <= product.free.extent and cells // lines <= lanes
    )


def dotted_plan(contraction: Contraction, tile: Tile, target: Target) -> Plan | None:
    """Lanes along the sum; None where something slides, or where a side does not lie along it."""
    c, product = contraction, product_of(contraction)
    if not product or not _is_dotted(product):
        return None
    free, rows, depth, groups = product.free, product.rows, product.summed, c.extent("g")
    panels, size = -(-rows.extent // tile.rows), tile.element.bytes
    cells, loads = tile.rows * tile.lines, tile.rows + tile.lines
    each = max(cells, loads, 16.0) + 2.0
    if loads * depth.extent * size > target.l1 / 2:
        each = max(each, 2.0 * loads)
    tiles = panels * -(-free.extent // tile.lines)
    vectors = -(-depth.extent // tile.lanes)
    work = groups * tiles * (vectors * each + 5.0 * cells + 40.0)
    shares = (blocks(panels, -(-panels // share)) for share in (1, 2, 4, 8))
    cycles, piece = min((work * imbalance(groups * -(-panels // n), WORKERS), -n) for n in shares)
    piece_rows = -piece * tile.rows
    pieces = -(-rows.extent // piece_rows)
    record: dict[str, int | np.ndarray] = {
        "rows": rows.extent,
        "piece_rows": piece_rows,
        "pieces": pieces,
        "free": free.extent,
        "depth": depth.extent,
        "row_factor": rows.factor,
        "free_window": free.window,
        "free_output": free.output,
        **group_values(c),
    }
    return Plan(
        sum=c,
        kernel=Kernel("dotted", tile),
        loops=(
            Loop("group", groups, how="parallel"),
            Loop("row", rows.extent, piece_rows, "parallel"),
            Loop("row", min(piece_rows, rows.extent), tile.rows),
            Loop("free", free.extent, tile.lines, f"{tile.rows} x {tile.lines} cells"),
            Loop("sum", depth.extent, tile.lanes),
        ),
        steps=(Step("dotted", groups * pieces),),
        fields=DOTTED,
        record=record,
        shared=0,
        scratch=0,
        cycles=cycles,
    )


DOTTED_ALGORITHM = Algorithm(
    name="dotted",
    summary="nothing slides: a matrix product in place, lanes along the sum",
    functions=("dotted",),
    text=dotted_text,
    tiles=dotted_tiles,
    plan=dotted_plan,
)
