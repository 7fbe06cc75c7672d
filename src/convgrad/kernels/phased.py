"""Phased: what the phases of a strided gradient have in common, so that a tile computes them all.

A gradient with stride s falls into s*s dense sums on two axes (`algebra.phases`). They read the
same image, at places that differ by a few numbers; which taps a phase has depends on the axis's
phase alone. Written as neighbours, they make whole lines:

    phases 0 and 1:  a b c d | A B C D   ->   a A b B | c C d D

A pass without stride is its own only phase.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from convgrad.kernels.factor import factor_offsets
from convgrad.kernels.output import position_names
from convgrad.kernels.window import window_axes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.emit import Code, Value
    from convgrad.kernels.tile import Tile

Cell = tuple[int, int, int, int, int]
"""A vector of a tile: row, line, phase of the line, phase along it, vector."""

Reads = tuple[tuple[int, ...], ...]
"""Of an axis: per phase, where its taps read."""


class Phases(NamedTuple):
    """The sums of a pass, one for each phase that has taps.

    Attributes:
        first: one of them, for what is common to all.
        sums: all of them, phase by phase.
        sizes: of the output, per axis.
        window_steps: numbers of the image from one position to the next, per axis.
        lowest: where the lowest tap of all reads for the first positions, per axis.
        reads: where the taps read from there on, per axis.
        inside: whether nothing is read outside of the image.
    """

    first: Contraction
    sums: tuple[Contraction, ...]
    sizes: tuple[int, int]
    window_steps: tuple[int, int]
    lowest: tuple[int, int]
    reads: tuple[Reads, Reads]
    inside: bool

    @property
    def positions(self) -> tuple[int, int]:
        """Positions of the largest phase, per axis."""
        down, along = (
            -(-size // len(reads)) for size, reads in zip(self.sizes, self.reads, strict=True)
        )
        return down, along


def phases_of(sums: Sequence[Contraction]) -> Phases | None:
    """The phases that the sums of a pass are; None where they are no phases of two axes."""
    if not sums or len(sums[0].window.subscripts) != 5 or len(sums[0].rows) != 1:
        return None
    first = sums[0]
    names, places = position_names(first), first.output.subscripts[-2:]
    if first.output.subscripts[0].terms != (("n", 1),):
        return None
    if any(place.terms[0][0] != name for place, name in zip(places, names, strict=True)):
        return None
    free = frozenset(index.name for index in first.free)
    axes = {
        (item.output.subscripts[-2].offset, item.output.subscripts[-1].offset): (
            item,
            window_axes(item, free),
        )
        for item in sums
    }
    lowest = [min(pair[a].lowest for _, pair in axes.values()) for a in range(2)]
    reads: list[Reads] = []
    for a, (place, name) in enumerate(zip(places, names, strict=True)):
        taken = {phase[a]: pair[a].reads for phase, (_, pair) in axes.items()}
        reads.append(
            tuple(
                tuple(read - lowest[a] for read in taken.get(phase, ()))
                for phase in range(place.coefficient(name))
            )
        )
    down, along = next(iter(axes.values()))[1]
    return Phases(
        first,
        tuple(axes[phase][0] for phase in sorted(axes)),
        (places[0].size, places[1].size),
        (down.step, along.step),
        (lowest[0], lowest[1]),
        (reads[0], reads[1]),
        all(axis.is_inside for _, pair in axes.values() for axis in pair),
    )


def packed_offsets(phases: Phases) -> NDArray[np.int64]:
    """Where the factor lies: channel slowest, then the phases, then the taps of each."""
    channels = phases.first.window.shape[2]
    parts = [
        (item.factor.origin + factor_offsets(item)).reshape(channels, -1) for item in phases.sums
    ]
    return np.concatenate(parts, axis=1).ravel()


class Meeting(NamedTuple):
    """A use of what is read: line of the tile, its phases, and the tap's place in the factor."""

    line: int
    down: int
    along: int
    tap: int


def meetings(tile: Tile, lines: int) -> dict[int, dict[int, list[Meeting]]]:
    """Per line of the image and offset along it, from the lowest on: what so many lines use."""
    down, along = tile.phases
    places = _places(tile)
    found: dict[int, dict[int, list[Meeting]]] = {}
    for line in range(lines):
        for h, tall in enumerate(down):
            for i, read in enumerate(tall):
                here = found.setdefault(line * tile.steps[0] + read, {})
                for w, wide in enumerate(along):
                    for j, offset in enumerate(wide):
                        tap = places[h, w] + i * len(wide) + j
                        here.setdefault(offset, []).append(Meeting(line, h, w, tap))
    return {read: dict(sorted(here.items())) for read, here in sorted(found.items())}


def _places(tile: Tile) -> dict[tuple[int, int], int]:
    """Per phase, where its taps begin in the packed factor of a channel."""
    places: dict[tuple[int, int], int] = {}
    total = 0
    for h, tall in enumerate(tile.phases[0]):
        for w, wide in enumerate(tile.phases[1]):
            places[h, w] = total
            total += len(tall) * len(wide)
    return places


def taps_of(tile: Tile) -> int:
    """Taps of all phases."""
    down, along = tile.phases
    return sum(map(len, down)) * sum(map(len, along))


def registers(tile: Tile, columns: Iterable[Iterable[int]]) -> int:
    """Registers that a tile keeps at a time: its sums, the factors of a column of taps, a vector.

    With more than there are, sums are spilled, and the tile is a half slower.

    Args:
        tile: the tile.
        columns: the offsets of the taps that are used one column after the other.
    """
    down, along = tile.phases
    widest = max(
        (sum(reads.count(offset) for reads in along for offset in column) for column in columns),
        default=0,
    )
    # What is used once is read from memory by the multiply-add itself.
    factors = tile.rows * sum(map(len, down)) * widest if tile.lines * tile.vectors > 1 else 0
    return sums_of(tile) + factors + tile.steps[1] + 1


def sums_of(tile: Tile) -> int:
    """Vectors that a tile sums up."""
    return tile.rows * tile.lines * tile.vectors * prod(map(len, tile.phases))


def weave(code: Code, phases: list[Value], lanes: int) -> list[Value]:
    """Vectors of several phases -> as many vectors of neighbours.

    Neighbour p is lane p // s of phase p % s. Each phase is put in between by one shuffle.
    """
    steps = len(phases)
    woven: list[Value] = []
    for part in range(steps):
        places = range(part * lanes, (part + 1) * lanes)
        value = phases[0]
        for phase in range(1, steps):
            order = [
                lanes + p // steps if p % steps == phase else (p // steps if phase == 1 else j)
                for j, p in enumerate(places)
            ]
            value = code.shuffle(value, phases[phase], order)
        woven.append(value)
    return woven
