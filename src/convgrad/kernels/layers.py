"""The sums of a layer: which contractions a pass of a convolution consists of.

A transposed convolution is the input gradient of the convolution it mirrors, so all layers come
down to that convolution: a `wide` side (its input), a `narrow` side (its output) and

    i = stride*o + dilation*t - before,    i on the wide side, o on the narrow one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import gcd
from typing import TYPE_CHECKING, Literal

from convgrad.kernels.contraction import Contraction, Index, Operand, Subscript

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convgrad.convolution import Convolution

Pass = Literal["forward", "input_gradient", "weight_gradient"]


@dataclass(frozen=True)
class Axis:
    """One spatial axis of the mirrored convolution."""

    wide: int
    narrow: int
    taps: int
    stride: int
    dilation: int
    before: int
    flipped: bool

    def tap(self, name: str, first: int, step: int) -> Subscript:
        """The weight's subscript for the tap first + step*name."""
        if self.flipped:
            return Subscript(self.taps, ((name, -step),), self.taps - 1 - first)
        return Subscript(self.taps, ((name, step),), first)


@dataclass(frozen=True)
class Phase:
    """Wide positions first + stride*q, which see the taps tap + tap_step*u only.

    i + before = stride*o + dilation*t needs e = gcd(stride, dilation) to divide the left side;
    then t runs over one residue class modulo stride/e, and o = start + q - back*u.
    """

    first: int
    positions: int
    tap: int
    tap_step: int
    taps: int
    start: int
    back: int


def phases(axis: Axis) -> tuple[Phase, ...]:
    """The phases of an input gradient along an axis; one without taps has gradient zero."""
    common = gcd(axis.stride, axis.dilation)
    modulus, back = axis.stride // common, axis.dilation // common
    found: list[Phase] = []
    for first in range(min(axis.stride, axis.wide)):
        positions = -(-(axis.wide - first) // axis.stride)
        target = first + axis.before
        if target % common:
            found.append(Phase(first, positions, 0, 1, 0, 0, 0))
            continue
        tap = target // common * pow(back, -1, modulus) % modulus if modulus > 1 else 0
        taps = max(-(-(axis.taps - tap) // modulus), 0)
        start = (target - axis.dilation * tap) // axis.stride
        found.append(Phase(first, positions, tap, modulus, taps, start, back))
    return tuple(found)


@dataclass(frozen=True)
class Mirror:
    """The convolution that a layer is, or whose input gradient it is."""

    batch: int
    groups: int
    wide_channels: int
    narrow_channels: int
    axes: tuple[Axis, ...]

    @property
    def _channels(self) -> tuple[Index, Index, Index, Index]:
        return (
            Index("n", self.batch),
            Index("g", self.groups),
            Index("k", self.narrow_channels),
            Index("c", self.wide_channels),
        )

    def _operand(self, name: str, channel: str, space: Sequence[Subscript]) -> Operand:
        size = self.narrow_channels if channel == "k" else self.wide_channels
        head = (self.batch, "n"), (self.groups, "g"), (size, channel)
        return Operand(name, (*(Subscript(n, ((i, 1),)) for n, i in head), *space))

    def _weight(self, taps: Sequence[Subscript]) -> Operand:
        head = (self.groups, "g"), (self.narrow_channels, "k"), (self.wide_channels, "c")
        return Operand("w", (*(Subscript(n, ((i, 1),)) for n, i in head), *taps))

    def _dense(self) -> tuple[tuple[Index, ...], Operand, Operand, Operand]:
        axes = tuple(enumerate(self.axes))
        indices = (
            *self._channels,
            *(Index(f"o{a}", axis.narrow) for a, axis in axes),
            *(Index(f"t{a}", axis.taps) for a, axis in axes),
        )
        narrow = [Subscript(axis.narrow, ((f"o{a}", 1),)) for a, axis in axes]
        wide = [
            Subscript(axis.wide, ((f"o{a}", axis.stride), (f"t{a}", axis.dilation)), -axis.before)
            for a, axis in axes
        ]
        taps = [axis.tap(f"t{a}", 0, 1) for a, axis in axes]
        return (
            indices,
            self._operand("z", "k", narrow),
            self._operand("x", "c", wide),
            self._weight(taps),
        )

    def gather(self) -> tuple[Contraction, ...]:
        """z[n,g,k,o] = sum(c,t) x[n,g,c, s*o + d*t - p] * w[g,k,c,t]."""
        indices, narrow, wide, weight = self._dense()
        return (Contraction(indices, narrow, wide, weight),)

    def weigh(self) -> tuple[Contraction, ...]:
        """dw[g,k,c,t] = sum(n,o) x[n,g,c, s*o + d*t - p] * dz[n,g,k,o]."""
        indices, narrow, wide, weight = self._dense()
        return (Contraction(indices, weight, wide, narrow),)

    def scatter(self) -> tuple[Contraction, ...]:
        """dx[n,g,c,i] as one dense sum per phase of i; phases without taps are left out."""
        return tuple(
            self._phase(combination)
            for combination in product(*(phases(axis) for axis in self.axes))
            if all(phase.taps for phase in combination)
        )

    def _phase(self, combination: tuple[Phase, ...]) -> Contraction:
        axes = tuple(enumerate(zip(self.axes, combination, strict=True)))
        indices = (
            *self._channels,
            *(Index(f"q{a}", phase.positions) for a, (_, phase) in axes),
            *(Index(f"u{a}", phase.taps) for a, (_, phase) in axes),
        )
        wide = [
            Subscript(axis.wide, ((f"q{a}", axis.stride),), phase.first)
            for a, (axis, phase) in axes
        ]
        narrow = [
            Subscript(axis.narrow, ((f"q{a}", 1), (f"u{a}", -phase.back)), phase.start)
            for a, (axis, phase) in axes
        ]
        taps = [axis.tap(f"u{a}", phase.tap, phase.tap_step) for a, (axis, phase) in axes]
        return Contraction(
            indices,
            self._operand("dx", "c", wide),
            self._operand("dz", "k", narrow),
            self._weight(taps),
        )


def mirror(layer: Convolution, batch: int) -> Mirror:
    """The convolution behind a layer."""
    ends = (layer.output_size, layer.input_size)
    wide, narrow = ends if layer.transposed else ends[::-1]
    channels = (layer.filters, layer.in_channels)
    wide_channels, narrow_channels = channels if layer.transposed else channels[::-1]
    axes = tuple(
        Axis(
            wide=wide[a],
            narrow=narrow[a],
            taps=layer.kernel[a],
            stride=layer.stride[a],
            dilation=layer.dilation[a],
            before=layer.padding[a][0],
            flipped=layer.flipped,
        )
        for a in range(layer.rank)
    )
    return Mirror(
        batch,
        layer.groups,
        wide_channels // layer.groups,
        narrow_channels // layer.groups,
        axes,
    )


def contractions(layer: Convolution, batch: int, name: Pass) -> tuple[Contraction, ...]:
    """The sums of one pass. Where they do not reach every element, the rest is zero."""
    convolution = mirror(layer, batch)
    if name == "weight_gradient":
        return convolution.weigh()
    if (name == "forward") != layer.transposed:
        return convolution.gather()
    return convolution.scatter()
