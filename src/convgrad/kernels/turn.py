"""Turning: squares of numbers transposed, a few columns at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convgrad.kernels.emit import INTEGER
from convgrad.kernels.factor import TABLE

if TYPE_CHECKING:
    from convgrad.kernels.emit import Code, Module, Number, Pointer, Value
    from convgrad.kernels.tile import Tile

BLOCK = 16
"""Bytes that vectors of every processor are made of; within them shuffles are cheapest."""


def columns(number: Number) -> int:
    """How many columns are transposed at a time."""
    return BLOCK // number.bytes


def emit_columns(
    code: Code, number: Number, source: Pointer, step: Value | int, rows: int, lanes: int
) -> list[Value]:
    """The first columns of so many rows: column i holds source[r*step + i] in its lane r.

    Rows are taken in blocks as high as the columns are many. The rows of a number in their block
    stand side by side in a vector; interleaving these transposes all blocks at once, and no number
    leaves its 16 bytes. One loop over the columns is a sixth of the code of a whole square, and no
    slower. Lanes from `rows` on are zero.
    """
    side = columns(number)
    absent = code.zero(number.vector(side))
    vectors = [
        _joined(
            code,
            [source.vector(side, step * r) if r < rows else absent for r in range(i, lanes, side)],
        )
        for i in range(side)
    ]
    half = side // 2
    low = [first + k // 2 + k % 2 * lanes for first in range(0, lanes, side) for k in range(side)]
    high = [lane + half for lane in low]
    for _ in range(side.bit_length() - 1):
        vectors = [
            code.shuffle(vectors[i], vectors[i + half], order)
            for i in range(half)
            for order in (low, high)
        ]
    return vectors


def _joined(code: Code, parts: list[Value]) -> Value:
    """Vectors side by side in one."""
    size = BLOCK
    while len(parts) > 1:
        size = int(parts[0].type[1:].split()[0])
        parts = [
            code.shuffle(left, right, range(2 * size))
            for left, right in zip(parts[::2], parts[1::2], strict=True)
        ]
    return parts[0]


def emit_turn(module: Module, number: Number, tile: Tile, *, checked: bool) -> Code:
    """turn(to, from, row, rows, count, flag): to[j][r] = from[r*row + j], j < count, r < width.

    Rows from `rows` on are zero. A number that is not finite raises the flag, where it is checked.
    Behind `count` as many numbers may be written as 16 bytes hold columns.
    """
    code = module.function(
        "turn",
        (number.name, "to"),
        (number.name, "from"),
        (INTEGER, "row"),
        (INTEGER, "rows"),
        (INTEGER, "count"),
        *([(TABLE, "flag")] if checked else []),
    )
    lanes, kind, side = tile.lanes, number.vector(tile.lanes), columns(number)
    count, row = code.integer("count"), code.integer("row")
    zero, square = code.zero(kind), code.array(number.name, lanes * lanes)
    checks = [code.variable(kind, zero) for _ in range(side if checked else 0)]
    with code.loop(0, count, lanes) as j, code.loop(0, tile.vectors) as v:
        left = count - j
        begin = code.pointer("from").at(v * lanes * row + j)
        live = (code.integer("rows") - v * lanes).maximum(0).minimum(lanes)
        whole = (left >= lanes) & live.equals(lanes)
        with code.unless(whole):
            mask = code.lanes_between(0, left, lanes)
            with code.loop(0, live) as r:
                square.store(begin.masked(lanes, mask, r * row), r * lanes)
            with code.loop(live, lanes) as r:
                square.store(zero, r * lanes)
        source = code.choose(whole, begin, square)
        step = code.select(whole, row, code.lift(lanes))
        to = code.pointer("to").at(j * tile.width + v * lanes)
        with code.loop(0, left.minimum(lanes), side) as k:
            turned = emit_columns(code, number, source.at(k), step, lanes, lanes)
            for i, value in enumerate(turned):
                to.store(value, (k + i) * tile.width)
            for check, value in zip(checks, turned, strict=False):
                check.set(code.fma(value, zero, check.get()))
    for check in checks:
        _emit_flag(code, number, check.get())
    return code


def _emit_flag(code: Code, number: Number, check: Value) -> None:
    """Raise the flag where a sum of zeros times numbers is not zero."""
    spoiled = code.define("i1", f"fcmp uno {number.name} {code.total(check).text}, 0.0")
    with code.when(spoiled):
        code.pointer("flag").store(code.lift(1))
