"""Turning: squares of numbers transposed in registers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convgrad.kernels.emit import INTEGER
from convgrad.kernels.factor import TABLE

if TYPE_CHECKING:
    from convgrad.kernels.emit import Code, Module, Number, Value
    from convgrad.kernels.tile import Tile


def emit_transpose(code: Code, vectors: list[Value]) -> list[Value]:
    """A square of numbers transposed in registers: halves of ever smaller squares exchanged."""
    lanes, vectors = len(vectors), list(vectors)
    distance = lanes // 2
    while distance:
        low = [lane if not lane & distance else lanes + lane - distance for lane in range(lanes)]
        high = [lane + distance if not lane & distance else lanes + lane for lane in range(lanes)]
        for first in range(lanes):
            if not first & distance:
                a, b = vectors[first], vectors[first + distance]
                vectors[first] = code.shuffle(a, b, low)
                vectors[first + distance] = code.shuffle(a, b, high)
        distance //= 2
    return vectors


def emit_fold(code: Code, vectors: list[Value]) -> Value:
    """The sums of as many vectors as they have lanes: lane j is that of vector j, in one order.

    Halves of ever smaller squares are exchanged as in `emit_transpose`, and added at once.
    """
    lanes, vectors = len(vectors), list(vectors)
    distance = lanes // 2
    while distance:
        low = [lane if not lane & distance else lanes + lane - distance for lane in range(lanes)]
        high = [lane + distance if not lane & distance else lanes + lane for lane in range(lanes)]
        pairs = zip(vectors[:distance], vectors[distance:], strict=True)
        halves = [(code.shuffle(a, b, low), code.shuffle(a, b, high)) for a, b in pairs]
        vectors = [code.define(a.type, f"fadd {a.type} {a.text}, {b.text}") for a, b in halves]
        distance //= 2
    return vectors[0]


def emit_turn(module: Module, number: Number, tile: Tile) -> Code:
    """turn(to, from, row, rows, count, flag): to[j][r] = from[r*row + j], j < count, r < width.

    Rows from `rows` on are zero. A number that is not finite raises the flag.
    """
    code = module.function(
        "turn",
        (number.name, "to"),
        (number.name, "from"),
        (INTEGER, "row"),
        (INTEGER, "rows"),
        (INTEGER, "count"),
        (TABLE, "flag"),
    )
    lanes, kind = tile.lanes, number.vector(tile.lanes)
    source, target, row = code.pointer("from"), code.pointer("to"), code.integer("row")
    zero = code.zero(kind)
    check = code.variable(kind, zero)
    square = [code.variable(kind, zero) for _ in range(lanes)]
    with (
        code.loop(0, code.integer("count"), lanes) as j,
        code.loop(0, tile.vectors) as vector,
    ):
        left = code.integer("count") - j
        mask = code.lanes_between(0, left, lanes)
        rows = code.integer("rows") - vector * lanes
        begin = source.at(vector * lanes * row + j)
        full, long = rows >= lanes, left >= lanes
        with code.when(full & long):
            for lane in range(lanes):
                square[lane].set(begin.vector(lanes, row * lane))
        with code.when(full & (left < lanes)):
            for lane in range(lanes):
                square[lane].set(begin.masked(lanes, mask, row * lane))
        with code.unless(full):
            for lane in range(lanes):
                square[lane].set(zero)
                with code.when(rows > lane):
                    square[lane].set(begin.masked(lanes, mask, row * lane))
        vectors = [variable.get() for variable in square]
        for value in vectors:
            check.set(code.fma(value, zero, check.get()))
        # Vectors beyond the count land on positions written later, or on room to spare.
        for lane, value in enumerate(emit_transpose(code, vectors)):
            target.store(value, (j + lane) * tile.width + vector * lanes)
    total = code.total(check.get())
    spoiled = code.define("i1", f"fcmp uno {number.name} {total.text}, 0.0")
    with code.when(spoiled):
        code.pointer("flag").store(code.lift(1))
    return code
