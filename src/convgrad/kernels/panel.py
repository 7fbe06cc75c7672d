"""Panels: positions gathered side by side, multiplied by rows of the factor, written out.

A panel is [terms][lanes]: gathered in the first-level cache, or read where it lies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from convgrad.kernels.emit import INTEGER, Code, Module, Number

if TYPE_CHECKING:
    from convgrad.kernels.tile import Tile

TABLE = INTEGER + "*"
LINE = 64
"""Bytes of a line of the caches."""


def emit_gather(module: Module, number: Number, tile: Tile) -> Code:
    """gather(to, from, offsets, depth, lane, place, length, first, last, valid).

    to[k][lane + j] = from[offsets[k] + place + j] for the runs first..last of a panel; lanes from
    `valid` on are never read.
    """
    code = module.function(
        "gather",
        (number.name, "to"),
        (number.name, "from"),
        (TABLE, "offsets"),
        (INTEGER, "depth"),
        (TABLE, "lane"),
        (TABLE, "place"),
        (TABLE, "length"),
        (INTEGER, "first"),
        (INTEGER, "last"),
        (INTEGER, "valid"),
    )
    lanes, width = tile.lanes, tile.width
    with code.loop(code.integer("first"), code.integer("last")) as run:
        lane = code.pointer("lane").load(run)
        length = code.pointer("length").load(run).minimum(code.integer("valid") - lane)
        source = code.pointer("from").at(code.pointer("place").load(run))
        target = code.pointer("to").at(lane)
        vectors = (length + (lanes - 1)) // lanes
        # Runs of each length in vectors have a loop of their own: nothing is decided per tap.
        for count in range(1, tile.vectors + 1):
            tail = (count - 1) * lanes
            with code.when(vectors.equals(count)):
                mask = code.lanes_between(0, length - tail, lanes)
                with code.loop(0, code.integer("depth")) as k:
                    begin = source.at(code.pointer("offsets").load(k))
                    end = target.at(k * width)
                    for j in range(0, tail, lanes):
                        end.store(begin.vector(lanes, j), j)
                    end.store_masked(begin.masked(lanes, mask, tail), lanes, mask, tail)
    return code


def emit_tile(module: Module, number: Number, tile: Tile, used: int) -> Code:
    """tile(depth, factor, factors, panel, places, from, to, stride, bias, fresh, next, asks).

    to = from + the sum over k of factor[factors[k] + row] * panel[places[k] + lane]; `fresh`
    starts from the bias instead of `from`, which may be `to`. Meanwhile next[asks[k]] is asked
    for: spread over the multiply-adds the requests hold nothing up.
    The last panel may need fewer vectors than the tile has; only `used` ones are computed.
    """
    code = module.function(
        f"tile{used}",
        (INTEGER, "depth"),
        (number.name, "factor"),
        (TABLE, "factors"),
        (number.name, "panel"),
        (TABLE, "places"),
        (number.name, "from"),
        (number.name, "to"),
        (INTEGER, "stride"),
        (number.name, "bias"),
        (INTEGER, "fresh"),
        (number.name, "next"),
        (TABLE, "asks"),
    )
    lanes, kind = tile.lanes, number.vector(tile.lanes)
    to, stride = code.pointer("to"), code.integer("stride")
    cells = [(row, vector) for row in range(tile.rows) for vector in range(used)]
    sums = {cell: code.variable(kind, code.zero(kind)) for cell in cells}
    fresh = code.integer("fresh") > 0
    with code.when(fresh):
        for row, vector in cells:
            sums[row, vector].set(code.splat(code.pointer("bias").load(row), lanes))
    with code.unless(fresh):
        for row, vector in cells:
            sums[row, vector].set(
                code.pointer("from").vector(lanes, row * tile.width + vector * lanes)
            )
    # A store to a line that is in no cache of this core waits for it, and others behind it.
    for row in range(tile.rows):
        for lane in range(0, used * lanes, LINE // number.bytes):
            to.prefetch(row * stride + lane, near=True, write=True)
    with code.loop(0, code.integer("depth")) as k:
        panel = code.pointer("panel").at(code.pointer("places").load(k))
        factor = code.pointer("factor").at(code.pointer("factors").load(k)).settled()
        code.pointer("next").prefetch(code.pointer("asks").load(k))
        across = [panel.vector(lanes, vector * lanes) for vector in range(used)]
        for row in range(tile.rows):
            totals = [sums[row, vector] for vector in range(used)]
            code.add_products(factor.at(row), across, totals, nth=row)
    for row, vector in cells:
        to.store(sums[row, vector].get(), row * stride + vector * lanes)
    return code


def emit_copy_out(module: Module, number: Number, tile: Tile) -> Code:
    """copy_out(to, from, rows, stride, step, lane, place, length, first, last, valid).

    to[row*stride + place + step*j] = from[row][lane + j] for the runs of a panel of tiles.
    """
    code = module.function(
        "copy_out",
        (number.name, "to"),
        (number.name, "from"),
        (INTEGER, "rows"),
        (INTEGER, "stride"),
        (INTEGER, "step"),
        (TABLE, "lane"),
        (TABLE, "place"),
        (TABLE, "length"),
        (INTEGER, "first"),
        (INTEGER, "last"),
        (INTEGER, "valid"),
    )
    lanes, step = tile.lanes, code.integer("step")
    with code.loop(code.integer("first"), code.integer("last")) as run:
        lane = code.pointer("lane").load(run)
        length = code.pointer("length").load(run).minimum(code.integer("valid") - lane)
        place = code.pointer("place").load(run)
        with code.loop(0, code.integer("rows")) as row:
            source = code.pointer("from").at(row * tile.width + lane)
            target = code.pointer("to").at(row * code.integer("stride") + place)
            with code.when(step.equals(1)), code.loop(0, length, lanes) as j:
                whole = j + lanes <= length
                value = source.vector(lanes, j)
                with code.when(whole):
                    target.store(value, j)
                with code.unless(whole):
                    target.store_masked(value, lanes, code.lanes_between(0, length - j, lanes), j)
            # Every second element: spread to two vectors, of which half the lanes are written.
            with code.when(step.equals(2)), code.loop(0, length, lanes) as j:
                value, left = source.vector(lanes, j), (length - j) * 2
                for half in (0, lanes):
                    spread = code.shuffle(value, value, [(n + half) // 2 for n in range(lanes)])
                    mask = code.lanes_between(0, left - half, lanes) & code.alternate(lanes)
                    target.store_masked(spread, lanes, mask, j * 2 + half)
            with code.when(step > 2), code.loop(0, length) as j:
                target.store(source.load(j), j * step)
    return code
