"""Lines: the positions of a sum along its last axis, and the taps that they have.

A tap that reads the padding is no term. Lines that have the same taps of all other axes are of one
class. Along a line the positions that have a tap are one range, so what a block of positions lacks
is known from two numbers for each tap.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from convgrad.kernels.output import position_names
from convgrad.kernels.window import WindowAxis, outer_sum, window_axes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.tile import Run
    from convgrad.kernels.window import Table


@dataclass(frozen=True)
class Bundles:
    """Lines with the same taps, in bundles that share a tile.

    Attributes:
        first: per line, where it lies in the window.
        to: and in the output.
        kind: per bundle, its class.
    """

    first: Table
    to: Table
    kind: Table


@dataclass(frozen=True)
class Lines:
    """The positions of a sum as lines.

    Attributes:
        images: how many.
        axes: the spatial axes.
        window: elements from one image to the next, and from one number to the next on each axis.
        output: the same from one position to the next.
        origin: where the output's first element lies.
    """

    images: int
    axes: tuple[WindowAxis, ...]
    window: tuple[int, ...]
    output: tuple[int, ...]
    origin: int

    @property
    def length(self) -> int:
        """Positions of a line."""
        return self.axes[-1].positions

    @cached_property
    def classes(self) -> tuple[NDArray[np.bool_], Table]:
        """Per class which taps of all axes but the last it has; per line of an image its class."""
        masks, kind = np.ones((1, 1), bool), np.zeros(1, np.int64)
        for axis in self.axes[:-1]:
            present, which = np.unique(axis.present, axis=0, return_inverse=True)
            kind = outer_sum(kind * len(present), which.ravel())
            masks = np.einsum("ct,du->cdtu", masks, present)
            masks = masks.reshape(masks.shape[0] * masks.shape[1], -1)
        # Without any tap of one axis it is all the same what the others have.
        masks, same = np.unique(masks, axis=0, return_inverse=True)
        return masks, same.ravel()[kind]

    def bundle_counts(self, size: int) -> Table:
        """Per class, how many bundles of so many lines there are."""
        masks, kind = self.classes
        return -(-np.bincount(kind, minlength=len(masks)) * self.images // size)

    def bundles(self, size: int) -> Bundles:
        """Lines in their order, each waiting for others of its class.

        The last bundle of a class has its last line several times where lines are wanting.
        """
        kind = np.tile(self.classes[1], self.images)
        sizes, bundles = np.bincount(kind, minlength=len(self.classes[0])), self.bundle_counts(size)
        of = np.repeat(np.arange(bundles.size), bundles)
        nth = np.arange(of.size) - np.repeat(np.cumsum(bundles) - bundles, bundles)
        within = np.add.outer(nth * size, np.arange(size))
        within = (
            np.minimum(within, sizes[of][:, None] - 1) + (np.cumsum(sizes) - sizes)[of][:, None]
        )
        lines = np.argsort(kind, kind="stable")[within]
        # A full bundle comes when its last line does, the others behind them all.
        full = (nth + 1) * size <= sizes[of]
        order = np.argsort(np.where(full, lines[:, -1], lines[:, 0] + kind.size), kind="stable")
        chosen = lines[order].ravel()
        counts = (self.images, *(axis.positions for axis in self.axes[:-1]))
        moves = (1, *(axis.step for axis in self.axes[:-1]))
        first = outer_sum(
            *(
                np.arange(n) * (step * move)
                for n, step, move in zip(counts, self.window[:-1], moves, strict=True)
            )
        )
        to = outer_sum(
            *(np.arange(n) * step for n, step in zip(counts, self.output[:-1], strict=True))
        )
        start = sum(
            axis.start * step for axis, step in zip(self.axes, self.window[1:], strict=True)
        )
        return Bundles(first[chosen] + start, to[chosen] + self.origin, of[order])

    def firsts(self, count: int) -> Table:
        """Where blocks of so many positions begin; the last one overlaps its neighbour."""
        return np.minimum(np.arange(0, self.length, count, dtype=np.int64), self.length - count)

    def blocks(self, count: int) -> tuple[Table, Table]:
        """Per block of so many positions and tap, those that have it: a range, (0, 0) if none."""
        low, high = (
            (bound - self.firsts(count)[:, None]).clip(0, count) for bound in self.axes[-1].having
        )
        some = high > low
        return low * some, high * some

    def runs(self, count: int, taps: int) -> tuple[Table, Table, NDArray[np.bool_]]:
        """Per block of so many positions and run of so many taps, the first positions and the last.

        Returns: both as blocks x runs x taps, and which runs have a term: blocks x runs. Taps that
            do not exist are had by no position.
        """
        if (count, taps) not in self._runs:
            low, high = self.blocks(count)
            more = -low.shape[1] % taps
            if more:
                low, high = (np.pad(bound, ((0, 0), (0, more))) for bound in (low, high))
            low, high = (bound.reshape(len(bound), -1, taps) for bound in (low, high))
            some: NDArray[np.bool_] = np.any(high > low, axis=2)
            self._runs[count, taps] = low, high, some
        return self._runs[count, taps]

    @cached_property
    def _runs(self) -> dict[tuple[int, int], tuple[Table, Table, NDArray[np.bool_]]]:
        """What was asked for before: several tiles have as many positions."""
        return {}

    def stretches(self, count: int, taps: int = 1) -> tuple[Run, ...]:
        """The kinds of runs with a term, of blocks of so many positions."""
        if (count, taps) not in self._stretches:
            low, high, some = self.runs(count, taps)
            # A few short rows: np.unique takes several times as long as a set.
            pairs = zip(low[some].tolist(), high[some].tolist(), strict=True)
            found = {tuple(zip(first, last, strict=True)) for first, last in pairs}
            self._stretches[count, taps] = tuple(sorted(found))
        return self._stretches[count, taps]

    @cached_property
    def _stretches(self) -> dict[tuple[int, int], tuple[Run, ...]]:
        """What was asked for before, as in `_runs`."""
        return {}


@lru_cache(maxsize=16)
def lines_of(c: Contraction) -> Lines:
    """The lines of a sum whose positions belong to the output."""
    names = position_names(c)
    return Lines(
        c.window.shape[0],
        window_axes(c, frozenset(index.name for index in c.free)),
        (c.window.strides[0], *c.window.strides[3:]),
        (c.output.step("n"), *(c.output.step(name) for name in names)),
        c.output.origin,
    )
