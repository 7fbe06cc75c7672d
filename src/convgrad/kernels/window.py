"""Where the elements of a window lie: the geometry that padding, stride and dilation come down to.

Per axis the window is read at  p = step*q + tap*u + start  with a position q and a tap u. Staging
copies [lowest p, highest p] to a workspace, zero where p is outside the array, and sorts it by
p modulo the step:  p - lowest = step*j + phase  lies at (phase, j). Then

    staged(q, u) = staged origin + q + j(u)         in the line of phase(u)

so every stride is 1 afterwards, a tap is a constant offset, and nothing is ever outside. Phases
that no tap reads are not staged. All loops behind this run over the tables made here, which is
why they know no rank.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from convgrad.kernels.contraction import Contraction, Operand, Subscript

    Table = NDArray[np.int64]


TURN = 10.0
"""Cycles for a vector of channels that are made neighbours."""


@dataclass(frozen=True)
class WindowAxis:
    """One spatial axis of the window.

    Attributes:
        positions: how many q.
        taps: how many u.
        step: elements from one position to the next.
        tap: elements from one tap to the next.
        start: where q = u = 0 reads.
        size: legal range of the array, from 0.
    """

    positions: int
    taps: int
    step: int
    tap: int
    start: int
    size: int

    @cached_property
    def reads(self) -> tuple[int, ...]:
        """Where q = 0 reads, per tap."""
        return tuple(self.start + self.tap * u for u in range(self.taps))

    @cached_property
    def lowest(self) -> int:
        """The smallest position ever read."""
        return min(self.reads)

    @cached_property
    def phases(self) -> tuple[int, ...]:
        """Residues modulo the step that some tap reads, relative to the lowest position."""
        return tuple(sorted({(read - self.lowest) % self.step for read in self.reads}))

    @cached_property
    def reach(self) -> int:
        """Staged elements beyond the positions themselves."""
        return max((read - self.lowest) // self.step for read in self.reads)

    @property
    def is_inside(self) -> bool:
        """Whether no read is outside the array."""
        return self.lowest >= 0 and max(self.reads) + self.step * (self.positions - 1) < self.size

    @cached_property
    def places(self) -> tuple[tuple[int, int], ...]:
        """(phase, staged offset) of each tap."""
        return tuple(
            (
                self.phases.index((read - self.lowest) % self.step),
                (read - self.lowest) // self.step,
            )
            for read in self.reads
        )

    @cached_property
    def having(self) -> tuple[Table, Table]:
        """Per tap, the first position that reads inside, and the last + 1."""
        reads = np.array(self.reads, np.int64)
        low, high = -(reads // self.step), -((reads - self.size) // self.step)
        return low.clip(0, self.positions), high.clip(0, self.positions)

    @cached_property
    def share(self) -> float:
        """The share of positions and taps that read inside."""
        low, high = self.having
        return float((high - low).clip(0).sum()) / max(self.positions * self.taps, 1)

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """Per position and tap, whether the read is inside."""
        at = np.add.outer(np.arange(self.positions) * self.step, np.array(self.reads))
        return (at >= 0) & (at < self.size)

    def place(self, count: int) -> Table:
        """Staged offset of each tap, where a phase has room for so many elements."""
        return np.array([phase * count + offset for phase, offset in self.places], np.int64)


@lru_cache(maxsize=32)
def window_axes(contraction: Contraction, positions: frozenset[str]) -> tuple[WindowAxis, ...]:
    """The spatial axes of the window, where the named indices are the positions."""
    return tuple(
        _axis(contraction, subscript, positions) for subscript in contraction.window.subscripts[3:]
    )


def _axis(c: Contraction, subscript: Subscript, positions: frozenset[str]) -> WindowAxis:
    where = [name for name, _ in subscript.terms if name in positions]
    taps = [name for name, _ in subscript.terms if name not in positions]
    return WindowAxis(
        positions=c.extent(where[0]) if where else 1,
        taps=c.extent(taps[0]) if taps else 1,
        step=subscript.coefficient(where[0]) if where else 1,
        tap=subscript.coefficient(taps[0]) if taps else 0,
        start=subscript.offset,
        size=subscript.size,
    )


@dataclass(frozen=True)
class Stage:
    """The layout of a staged piece of a window.

    Attributes:
        axes: the spatial axes.
        images: how many images a piece holds at most.
        channels: how many channels a piece holds at most.
        split: the axis that pieces are cut along.
        length: how many positions of that axis a piece holds at most.
        lanes: staged lines are padded to a multiple of this.
        window: the array that is staged.
        in_place: read the array itself; legal where all steps are 1 and nothing is outside.
        turned: how many channels are made neighbours, side by side at every place of the array;
            0 for none.
    """

    axes: tuple[WindowAxis, ...]
    images: int
    channels: int
    split: int
    length: int
    lanes: int
    window: Operand
    in_place: bool
    turned: int = 0

    @cached_property
    def positions(self) -> tuple[int, ...]:
        """Positions per axis in a full piece."""
        counts = [axis.positions for axis in self.axes]
        counts[self.split] = self.length
        return tuple(counts)

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Staged elements per phase and axis."""
        counts = [n + axis.reach for n, axis in zip(self.positions, self.axes, strict=True)]
        counts[-1] = -(-counts[-1] // self.lanes) * self.lanes
        return tuple(counts)

    @cached_property
    def strides(self) -> tuple[int, ...]:
        """Elements from one position to the next: image, channel, then the axes."""
        strides = self.window.strides
        if self.turned:
            side, plane = self.side, self.side * prod(self.window.shape[3:])
            return (plane, 1, *(stride * side for stride in strides[3:]))
        if self.in_place:
            return (strides[0], strides[2], *strides[3:])
        sizes = [n * len(axis.phases) for n, axis in zip(self.counts, self.axes, strict=True)]
        inner = tuple(prod(sizes[axis + 1 :]) for axis in range(len(sizes)))
        plane = prod(sizes)
        return (plane * self.channels, plane, *inner)

    @property
    def side(self) -> int:
        """Elements from one place to the next where channels are neighbours: whole vectors."""
        return -(-self.turned // self.lanes) * self.lanes

    @cached_property
    def channel_offsets(self) -> Table:
        """Where each channel lies; of those made neighbours, one block after the other."""
        channel = np.arange(self.channels, dtype=np.int64)
        if not self.turned:
            return channel * self.strides[1]
        block = self.images * self.strides[0]
        return channel // self.turned * block + channel % self.turned

    @cached_property
    def elements(self) -> int:
        """Room for a piece, with a vector's width to spare."""
        if self.turned:
            # A few places behind the last are written too.
            blocks = -(-self.channels // self.turned)
            return blocks * self.images * self.strides[0] + 4 * self.side
        return 0 if self.in_place else self.strides[0] * self.images + self.lanes

    @cached_property
    def taps(self) -> Table:
        """Offset of each tap within a channel, last axis fastest."""
        if self.in_place:
            parts = [np.array(axis.reads, np.int64) for axis in self.axes]
        else:
            parts = [a.place(n) for a, n in zip(self.axes, self.counts, strict=True)]
        return outer_sum(*(part * s for part, s in zip(parts, self.strides[2:], strict=True)))

    @cached_property
    def lines(self) -> Table:
        """Offset of each line of positions (image, then all axes but the last)."""
        counts = (self.images, *self.positions[:-1])
        strides = (self.strides[0], *self.strides[2:-1])
        return outer_sum(
            *(np.arange(n, dtype=np.int64) * s for n, s in zip(counts, strides, strict=True))
        )

    @cached_property
    def cycles(self) -> float:
        """What staging a piece costs: measured, dearer by far where a step must be undone."""
        if self.turned:
            return TURN * self.elements / self.lanes
        if self.in_place:
            return 0.0
        lines = (
            self.images
            * self.channels
            * prod(
                count * len(axis.phases)
                for count, axis in zip(self.counts[:-1], self.axes[:-1], strict=True)
            )
        )
        last = self.axes[-1]
        count = self.positions[-1] + last.reach
        each = 25.0 + (2.5 * -(-count // self.lanes) if last.step == 1 else 1.5 * min(count, 16))
        if last.step > 1:
            each += (0.4 if last.step == 2 else 1.5) * count
        return lines * len(last.phases) * each

    def sources(self) -> tuple[Table, Table]:
        """Per staged line: its offset in the array, and its position on the split axis.

        The position is checked against the axis when staging; a line that is outside on another
        axis has a position that is never legal.
        """
        offsets = [np.zeros(1, np.int64)]
        legal = np.zeros(1, bool) == 0
        split = np.zeros(1, np.int64)
        for number, axis in enumerate(self.axes[:-1]):
            phases = np.array(axis.phases, np.int64)[:, None]
            at = (axis.lowest + phases + axis.step * np.arange(self.counts[number])).ravel()
            offsets.append(at * self.window.strides[3 + number])
            if number == self.split:
                legal = np.repeat(legal, at.size)
                split = np.add.outer(split, at).ravel()
            else:
                legal = np.logical_and.outer(legal, (at >= 0) & (at < axis.size)).ravel()
                split = np.repeat(split, at.size)
        return outer_sum(*offsets), np.where(legal, split, -(1 << 40))


def is_dense(window: Operand) -> bool:
    """Whether the elements of a channel lie one after the other."""
    sizes = window.shape[3:]
    return window.strides[3:] == tuple(prod(sizes[n + 1 :]) for n in range(len(sizes)))


def outer_sum(*parts: Table) -> Table:
    """All sums of one element of each table, the last table fastest."""
    total = np.zeros(1, np.int64)
    for part in parts:
        total = np.add.outer(total, part).ravel()
    return total


def runs(places: Table, starts: Table, step: int = 1) -> tuple[Table, Table, Table, Table]:
    """Lanes cut into panels at some lanes, and panels into runs of evenly spaced places.

    Args:
        places: per lane.
        starts: the first lane of each panel, and the number of lanes.
        step: between the places of neighbours.

    Returns: the first run of each panel (and the end of the last), then per run its lane within
    the panel, its place and its length.
    """
    begins = np.append(np.ones(min(places.size, 1), bool), np.diff(places) != step)
    begins[starts[:-1]] = True
    first = np.flatnonzero(begins)
    panels = np.searchsorted(first, starts)
    panel = np.repeat(np.arange(starts.size - 1), np.diff(panels))
    return panels, first - starts[panel], places[first], np.diff(np.append(first, places.size))
