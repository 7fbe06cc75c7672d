"""Turning: squares of numbers transposed, a few columns at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convgrad.kernels.emit import INTEGER
from convgrad.kernels.factor import TABLE

if TYPE_CHECKING:
    from convgrad.kernels.emit import Code, Module, Number, Pointer, Value
    from convgrad.kernels.tile import Tile

UNIT = 16
"""Bytes that vectors of every processor are made of; within them shuffles are cheapest."""
AHEAD = 4
"""Vectors of a row that lie between what is read and what is asked for: more rows are read side by
side than a processor sees by itself."""


def columns(lanes: int) -> int:
    """How many columns are transposed at a time."""
    return min(lanes, 4)


def emit_columns(
    code: Code, number: Number, source: Pointer, step: Value | int, rows: int, lanes: int
) -> list[Value]:
    """The first columns of so many rows: column i holds source[r*step + i] in its lane r.

    Rows stand side by side in vectors such that interleaving within 16 bytes transposes squares
    that are as small; numbers of eight bytes come in two units, which are collected then. One loop
    over the columns is a sixth of the code of a whole square, and faster. Lanes from `rows` on
    are zero.
    """
    side = columns(lanes)
    square = min(UNIT // number.bytes, side)
    units = side // square
    absent = code.zero(number.vector(side))
    rows_of = [
        range(first + i, first + lanes // units, square)
        for first in range(0, lanes, lanes // units)
        for i in range(square)
    ]
    vectors = [
        _joined(code, [source.vector(side, step * r) if r < rows else absent for r in one], side)
        for one in rows_of
    ]
    parts = [_interleaved(code, vectors[at : at + square], lanes) for at in range(0, side, square)]
    if units == 1:
        return parts[0]
    return [
        code.shuffle(
            low,
            high,
            [at + k for at in range(unit * square, 2 * lanes, side) for k in range(square)],
        )
        for unit in range(units)
        for low, high in zip(*parts, strict=True)
    ]


def _joined(code: Code, parts: list[Value], size: int) -> Value:
    """Vectors of one size side by side."""
    while len(parts) > 1:
        size *= 2
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [code.shuffle(left, right, range(size)) for left, right in pairs]
    return parts[0]


def _interleaved(code: Code, vectors: list[Value], lanes: int) -> list[Value]:
    """Every square of numbers with the same place in all vectors transposed."""
    side, half = len(vectors), len(vectors) // 2
    low = [first + k // 2 + k % 2 * lanes for first in range(0, lanes, side) for k in range(side)]
    high = [lane + half for lane in low]
    for _ in range(side.bit_length() - 1):
        pairs = zip(vectors[:half], vectors[half:], strict=True)
        vectors = [code.shuffle(a, b, order) for a, b in pairs for order in (low, high)]
    return vectors


def emit_fold(code: Code, vectors: list[Value]) -> Value:
    """The sums of as many vectors as they have lanes: lane j is that of vector j, in one order.

    Halves of ever smaller squares are exchanged and added at once.
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


def emit_turn(
    module: Module,
    number: Number,
    tile: Tile,
    *,
    checked: bool,
    name: str = "turn",
    rows: int | None = None,
) -> Code:
    """turn(to, from, row, rows, count, width, step, flag): to[j*step + r] = from[r*row + j].

    For j < count and r < width; the width is whole vectors, and rows from `rows` on are zero. A
    number that is not finite raises the flag, where it is checked. Up to three columns behind
    `count` may be written. Squares are read where they lie if they have
    as many rows as the vectors have lanes, or so many as are given.
    """
    code = module.function(
        name,
        (number.name, "to"),
        (number.name, "from"),
        (INTEGER, "row"),
        (INTEGER, "rows"),
        (INTEGER, "count"),
        (INTEGER, "width"),
        (INTEGER, "step"),
        *([(TABLE, "flag")] if checked else []),
    )
    lanes, kind, side = tile.lanes, number.vector(tile.lanes), columns(tile.lanes)
    count, row = code.integer("count"), code.integer("row")
    zero, square = code.zero(kind), code.array(number.name, lanes * lanes)
    checks = [code.variable(kind, zero) for _ in range(side if checked else 0)]
    width, to_step = code.integer("width"), code.integer("step")
    most = min(rows or lanes, lanes)
    with code.loop(0, count, lanes) as j, code.loop(0, width, lanes) as v:
        left = count - j
        begin = code.pointer("from").at(v * row + j)
        live = (code.integer("rows") - v).maximum(0).minimum(lanes)
        with code.loop(0, live) as r:
            begin.prefetch(r * row + AHEAD * lanes, near=True)
        whole = (left >= lanes) & live.equals(most)
        with code.unless(whole):
            mask = code.lanes_between(0, left, lanes)
            with code.loop(0, live) as r:
                square.store(begin.masked(lanes, mask, r * row), r * lanes)
            with code.loop(live, lanes) as r:
                square.store(zero, r * lanes)
        source = code.choose(whole, begin, square)
        step = code.select(whole, row, code.lift(lanes))
        to = code.pointer("to").at(j * to_step + v)
        with code.loop(0, left.minimum(lanes), side) as k:
            turned = emit_columns(code, number, source.at(k), step, most, lanes)
            for i, value in enumerate(turned):
                to.store(value, (k + i) * to_step)
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
