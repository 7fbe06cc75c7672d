"""The bias gradient: sums of one array, as fast as it can be read.

    db[k] = sum(n,o) dz[n,k,o]        untied: db[k,o] = sum(n) dz[n,k,o]

Two kinds of parallel loop do all of it. `rows` adds up stretches that lie in one piece, with
several vectors at once; `columns` adds up rows of a table, vectors side by side. Where rows are
long they are cut, where there are many rows they are parted; the cut is decided by the sizes, so
that any number of threads gives the same bits.

    tied      rows: (N*K, o) -> (N*K)           columns: (N, K) -> (K)
    short o   columns: (N, K*o) -> (K*o)        rows: (K, o) -> (K)
    untied    columns: (N, K*o) -> (K*o)
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from convgrad.kernels.emit import Code, Module, Pointer, Value
from convgrad.kernels.factor import emit_task
from convgrad.kernels.plan import WORKERS, aligned, blocks
from convgrad.kernels.record import OUTPUT, SHARED, WINDOW, Fields, Record, argument
from convgrad.kernels.tile import Tile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convgrad.kernels.target import Target

SUMMED = Fields(
    (
        "source",  # elements from the start of the workspace, or -1: the array
        "target",  # the same, or -1: the output
        "rows",
        "length",  # elements of a row
        "pieces",  # of a row, or of the rows; elements or rows of a piece
        "piece",
        "block",  # of a task: pieces of rows, or columns
        "blocks",
    )
)
FUNCTIONS = ("rows", "columns")

PIECE = 1 << 14
"""Elements of a row that are added up at once."""

LEAST_ROWS = 16
"""Rows of a part, at least: fewer, and adding the parts would cost as much."""

BYTES_PER_CYCLE = 8.0


@dataclass(frozen=True)
class Summing:
    """One parallel loop: a function, its record and how many tasks there are."""

    function: str
    record: dict[str, int]
    tasks: int


@dataclass(frozen=True)
class Sums:
    """The parallel loops of a bias gradient, run in order.

    Attributes:
        steps: the loops.
        shared: bytes of workspace.
        cycles: predicted cycles of one core.
    """

    steps: tuple[Summing, ...]
    shared: int
    cycles: float


def summed_tile(number: str, target: Target) -> Tile:
    """Eight vectors at once: as many additions are under way as a core can have."""
    bits = 32 if number == "float32" else 64
    return Tile(number, target.lanes(bits), 1, 8)


def plan_sums(shape: Sequence[int], tile: Tile, *, untied: bool) -> Sums:
    """How the gradient of a layer's bias is added up, for dz of this shape."""
    batch, channels, places = shape[0], shape[1], prod(shape[2:])
    room = _Room()
    steps: list[Summing] = []
    if untied or (places < tile.lanes and batch > 1):
        last = untied or places == 1
        table = _columns(steps, room, tile, (batch, channels * places), -1, last=last)
        if not last:
            _rows(steps, room, (channels, places), table, last=True)
    else:
        table = _rows(steps, room, (batch * channels, places), -1, last=batch == 1)
        if batch > 1:
            _columns(steps, room, tile, (batch, channels), table, last=True)
    size = tile.element.bytes
    return Sums(tuple(steps), aligned(room.used * size), prod(shape) * size / BYTES_PER_CYCLE)


class _Room:
    """Elements of workspace, dealt out one after the other."""

    def __init__(self) -> None:
        self.used = 0

    def take(self, elements: int) -> int:
        self.used += elements
        return self.used - elements


def _rows(
    steps: list[Summing], room: _Room, table: tuple[int, int], source: int, *, last: bool
) -> int:
    """Each row to its sum; returns where the sums lie."""
    rows, length = table
    piece = blocks(length, PIECE)
    pieces = -(-length // piece)
    target = -1 if last and pieces == 1 else room.take(rows * pieces)
    block = max(PIECE // piece, 1)
    record = {
        "source": source, "target": target, "rows": rows, "length": length,
        "pieces": pieces, "piece": piece, "block": block, "blocks": -(-rows * pieces // block),
    }  # fmt: skip
    steps.append(Summing("rows", record, record["blocks"]))
    return target if pieces == 1 else _rows(steps, room, (rows, pieces), target, last=last)


def _columns(
    steps: list[Summing],
    room: _Room,
    tile: Tile,
    table: tuple[int, int],
    source: int,
    *,
    last: bool,
) -> int:
    """All rows to one; returns where it lies."""
    rows, length = table
    block = 4 * tile.width
    count = -(-length // block)
    most = max(rows // LEAST_ROWS, 1)
    piece = blocks(rows, -(-rows // min(-(-4 * WORKERS // count), most)))
    pieces = -(-rows // piece)
    target = -1 if last and pieces == 1 else room.take(pieces * length)
    record = {
        "source": source, "target": target, "rows": rows, "length": length,
        "pieces": pieces, "piece": piece, "block": block, "blocks": count,
    }  # fmt: skip
    steps.append(Summing("columns", record, pieces * count))
    return (
        target if pieces == 1 else _columns(steps, room, tile, (pieces, length), target, last=last)
    )


def summed_text(tile: Tile) -> str:
    """The two functions."""
    module = Module()
    _emit_rows(module, tile)
    _emit_columns(module, tile)
    return str(module)


def _begin(module: Module, name: str, tile: Tile) -> tuple[Code, Record, Pointer, Pointer]:
    """A task's code, record, source and target."""
    element = tile.element
    code = emit_task(module, name, element)
    record = Record(SUMMED, code.pointer("record"))
    arguments = code.pointer("arguments")
    shared = argument(code, arguments, SHARED, element.name)

    def place(field: str, otherwise: int) -> Pointer:
        outer = argument(code, arguments, otherwise, element.name)
        return code.choose(record[field] >= 0, shared.at(record[field]), outer)

    return code, record, place("source", WINDOW), place("target", OUTPUT)


def _add(code: Code, left: Value, right: Value) -> Value:
    return code.define(left.type, f"fadd {left.type} {left.text}, {right.text}")


def _emit_rows(module: Module, tile: Tile) -> None:
    """Pieces of rows: target[q] = sum of piece q."""
    code, record, source, target = _begin(module, "rows", tile)
    lanes, width, kind = tile.lanes, tile.width, tile.element.vector(tile.lanes)
    pieces, piece, length = record["pieces"], record["piece"], record["length"]
    begin = code.integer("task") * record["block"]
    end = (begin + record["block"]).minimum(record["rows"] * pieces)
    sums = [code.variable(kind, code.zero(kind)) for _ in range(tile.vectors)]
    row = code.variable("i64", 0)
    with code.loop(begin, end) as q:
        row.set(q)
        with code.when(pieces > 1):
            row.set(q // pieces)
        first = (q - row.get() * pieces) * piece
        count = (length - first).minimum(piece)
        at = source.at(row.get() * length + first)
        for total in sums:
            total.set(code.zero(kind))
        with code.loop(0, count - (width - 1), width) as j:
            for number, total in enumerate(sums):
                total.set(_add(code, total.get(), at.vector(lanes, j + number * lanes)))
        done = count // width * width
        with code.loop(done, count - (lanes - 1), lanes) as j:
            sums[0].set(_add(code, sums[0].get(), at.vector(lanes, j)))
        done = count // lanes * lanes
        with code.when(count > done):
            mask = code.lanes_between(0, count - done, lanes)
            sums[1].set(_add(code, sums[1].get(), at.masked(lanes, mask, done)))
        several = [total.get() for total in sums]
        while len(several) > 1:
            half = len(several) // 2
            several = [_add(code, several[i], several[i + half]) for i in range(half)]
        target.store(code.total(several[0]), q)


def _emit_columns(module: Module, tile: Tile) -> None:
    """A part of the rows, a block of columns: target[part][j] = sum of source[row][j]."""
    code, record, source, target = _begin(module, "columns", tile)
    lanes, width, kind = tile.lanes, tile.width, tile.element.vector(tile.lanes)
    task, length = code.integer("task"), record["length"]
    part, begin = task // record["blocks"], task % record["blocks"] * record["block"]
    first = part * record["piece"]
    last = (first + record["piece"]).minimum(record["rows"])
    count = (length - begin).minimum(record["block"])
    at, to = source.at(begin), target.at(part * length + begin)
    sums = [code.variable(kind, code.zero(kind)) for _ in range(tile.vectors)]
    with code.loop(0, count - (width - 1), width) as j:
        for total in sums:
            total.set(code.zero(kind))
        with code.loop(first, last) as row:
            here = at.at(row * length + j)
            for number, total in enumerate(sums):
                total.set(_add(code, total.get(), here.vector(lanes, number * lanes)))
        for number, total in enumerate(sums):
            to.store(total.get(), j + number * lanes)
    with code.loop(count // width * width, count, lanes) as j:
        mask = code.lanes_between(0, count - j, lanes)
        sums[0].set(code.zero(kind))
        with code.loop(first, last) as row:
            value = at.at(row * length + j).masked(lanes, mask)
            sums[0].set(_add(code, sums[0].get(), value))
        to.store_masked(sums[0].get(), lanes, mask, j)
