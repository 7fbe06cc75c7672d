"""Planes: reading an image in place, tap by tap, without staging it.

Lines outside the image are read from a line of zeros; lanes outside a line are masked. Of the
positions that a vector and its taps reach, one 64-bit word says which are legal: a tap's mask is
that word, shifted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.emit import Code, Pointer, Value
    from convgrad.kernels.tile import Tile
    from convgrad.kernels.window import WindowAxis

PLANE_FIELDS = (
    "height",
    "width",
    "top",  # where line 0 and tap 0 read, from the lowest tap on
    "left",
    "window_image",
    "window_group",
    "window_channel",
)


def relative_reads(axis: WindowAxis) -> tuple[int, ...]:
    """Where the taps read, from the lowest on."""
    return tuple(read - axis.lowest for read in axis.reads)


def fits(axes: tuple[WindowAxis, ...], tile: Tile) -> bool:
    """Whether tiles read in place: two axes, small steps, taps within reach of one word."""
    if len(axes) != 2 or not tile.reads[0]:
        return False
    reach = tile.steps[1] * tile.lanes + max(tile.reads[1])
    return axes[1].step <= 2 and reach < 63


def plane_values(contraction: Contraction, axes: tuple[WindowAxis, ...]) -> dict[str, int]:
    """The record's part."""
    strides = contraction.window.strides
    return {
        "height": axes[0].size,
        "width": axes[1].size,
        "top": axes[0].lowest,
        "left": axes[1].lowest,
        "window_image": strides[0],
        "window_group": strides[1],
        "window_channel": strides[2],
    }


def lines_at(
    code: Code,
    plane: tuple[Pointer, Pointer, Value, Value],
    position: Value,
    column: Value,
    reads: Iterable[int],
) -> dict[int, Pointer]:
    """Lines of a plane (image, zeros, height, width) at a column; zeros where there is none.

    Lines are counted from `position`, in rising order.
    """
    image, zeros, height, width = plane
    none = zeros.at(column)
    line, before = image.at(position * width + column), 0
    found: dict[int, Pointer] = {}
    for read in reads:
        line, before = line.at(width * (read - before)), read
        found[read] = code.choose((position + read).within(height), line, none)
    return found


def read_tap(code: Code, tile: Tile, line: Pointer, bits: Value, offset: Value | int) -> Value:
    """What a tap reads for a vector of positions: every one, or every second."""
    lanes = tile.lanes
    first = line.masked(lanes, code.mask_of(bits, offset, lanes), offset)
    if tile.steps[1] == 1:
        return first
    beyond = code.lift(offset) + lanes
    second = line.masked(lanes, code.mask_of(bits, beyond, lanes), beyond)
    return code.shuffle(first, second, range(0, 2 * lanes, 2))
