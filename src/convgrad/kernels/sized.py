"""Sized: code for one size of image, so that nothing about its edges is looked up.

Which lines exist, which lanes are inside of them and which terms are absent is known when the code
is written: masks are constants, and absent lines take no instruction. Blocks of lines that are
alike, those inside of the image, are one loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from convgrad.kernels.phased import meetings, taps_of

if TYPE_CHECKING:
    from convgrad.kernels.emit import Code, Pointer, Value
    from convgrad.kernels.tile import Tile


LONG = 200
"""Multiply-adds of a tile's code from which its blocks are one loop where they can be.

Lines are looked up then, which costs a few hundredths, and code is compiled in half the time.
"""

UNROLLED = 800
"""Multiply-adds of a tile's code at most: compiling takes the longer the more there are."""


class Block(NamedTuple):
    """Lines of every phase that a tile computes at once, and how many blocks are alike."""

    lines: range
    repeats: int


def cut_lines(tile: Tile) -> list[Block]:
    """The blocks of an image; those that read inside of it and are whole are all alike."""
    down, (height, _), (out, _) = tile.phases[0], *tile.sizes
    reads = [read for taps in down for read in taps]
    lines, found = -(-out // len(down)), list[Block]()
    for first in range(0, lines, tile.lines):
        last = min(first + tile.lines, lines) - 1
        inside = first * tile.steps[0] + min(reads) >= 0
        inside &= last * tile.steps[0] + max(reads) < height
        inside &= last + 1 == first + tile.lines and (last + 1) * len(down) <= out
        if found and inside and found[-1].repeats:
            found[-1] = Block(found[-1].lines, found[-1].repeats + 1)
        else:
            found.append(Block(range(first, last + 1), int(inside)))
    return [Block(lines, max(repeats, 1)) for lines, repeats in found]


def blocks_of(tile: Tile) -> list[Block]:
    """The blocks of an image, each with code of its own; one for all where that would be much."""
    found = cut_lines(tile)
    taken = taps_of(tile) * tile.rows * tile.vectors
    lines = -(-tile.sizes[1][0] // len(tile.phases[0]))
    even = lines % tile.lines == 0 and tile.sizes[1][0] % len(tile.phases[0]) == 0
    if len(found) > 1 and even and sum(len(block.lines) for block in found) * taken > LONG:
        return [Block(range(tile.lines), lines // tile.lines)]
    return found


def unrolled(tile: Tile) -> int:
    """Multiply-adds in the code of a tile."""
    lines = sum(len(block.lines) for block in blocks_of(tile))
    return tile.rows * lines * tile.vectors * taps_of(tile)


def lines_of(
    code: Code, tile: Tile, block: Block, source: tuple[Pointer, Pointer], moved: Value | int
) -> dict[int, Pointer]:
    """The lines that a block reads, so many positions further down, from a plane or from zeros.

    Lines that do not exist are left out; they are zeros where that is only seen when the code runs.
    """
    plane, zeros = source
    (height, width), step = tile.sizes[0], tile.steps[0]
    reads = list(meetings(tile, len(block.lines)))
    places = {read: block.lines.start * step + read for read in reads}
    begin = plane.at(code.lift(moved) * (step * width))
    last = places[reads[-1]] + (block.repeats - 1) * tile.lines * step
    if block.repeats == 1 or (places[reads[0]] >= 0 and last < height):
        return {
            read: begin.at(place * width) for read, place in places.items() if 0 <= place < height
        }
    return {
        read: code.choose(
            (code.lift(moved) * step + place).within(height),
            begin.at(place * width),
            zeros,
        )
        for read, place in places.items()
    }


def positions(tile: Tile) -> int:
    """Positions of a line, of the largest phase."""
    return -(-tile.sizes[1][1] // len(tile.phases[1]))


def live_lanes(tile: Tile, vector: int) -> int:
    """How many positions of a line one of its vectors has."""
    return min(positions(tile) - vector * tile.lanes, tile.lanes)


def shared(tile: Tile) -> dict[int, list[int]]:
    """Where vectors are loaded, and the offsets of the taps that they hold the numbers for."""
    offsets = sorted({offset for reads in tile.phases[1] for offset in reads})
    step, lanes = tile.steps[1], tile.lanes
    count = live_lanes(tile, 0)
    # With several rows it is factors that want the registers.
    shares = step > 1 and tile.rows == 1
    found: dict[int, list[int]] = {}
    for offset in offsets:
        base = next(
            (
                base
                for base in found
                if shares and offset - base + step * (count - 1) < step * lanes
            ),
            offset,
        )
        found.setdefault(base, []).append(offset)
    return found


def load(tile: Tile, line: Pointer, first: int, count: int) -> Value | None:
    """So many numbers of a line for a vector of positions, zeros behind; None where all are out."""
    width = tile.sizes[0][1]
    inside = [0 <= first + j < width and j < count for j in range(tile.lanes * tile.steps[1])]
    return line.chosen(inside, first) if any(inside) else None


def pick(code: Code, tile: Tile, loaded: Value, offset: int, live: int) -> Value:
    """Of what was loaded, the numbers at so many positions; behind them the last one."""
    lanes, step = tile.lanes, tile.steps[1]
    if step == 1:
        return loaded
    last = step * lanes - 1
    order = [min(offset + step * j, last) if j < live else last for j in range(lanes)]
    return code.shuffle(loaded, loaded, order)
