"""The three sums of a convolution in NumPy, one tap at a time: readable, exact, for every option.

Windows and positions meet at `position = stride*window + dilation*tap - before`. For one tap the
windows that have it inside are one range, so its terms are one product of matrices. Nothing is
padded: a term in the padding is left out and not multiplied by zero, so that a weight which is not
a number spoils only the sums that it is in.

Arrays are (N, G, channels, *spatial), weights (G, K, C, *kernel); G counts groups.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from convgrad.congruence import solutions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from convgrad.arrays import Array
    from convgrad.axis import Axis

Slices = tuple[Any, ...]


def gather(x: Array, w: Array, axes: Sequence[Axis]) -> Array:
    """Every window collects its positions: the forward pass.

    z[n,g,k,o] = sum(c,t) x[n,g,c, s*o + d*t - p] * w[g,k,c,t]
    """
    windows = tuple(axis.windows for axis in axes)
    z = np.zeros((x.shape[0], x.shape[1], w.shape[1], *windows), x.dtype)
    for tap, at, position in _meetings(axes):
        z[at] += _mix(w[(..., *tap)], x[position])
    return z


def spread(dz: Array, w: Array, axes: Sequence[Axis]) -> Array:
    """Every position collects the windows that it is read by: the input gradient, phase by phase.

    dx[n,g,c,i] = sum(k,t : s divides i + p - d*t) dz[n,g,k, (i + p - d*t)/s] * w[g,k,c,t]

    In the phase i = s*q + r the taps are one residue class and the sum is dense in q; a phase that
    no tap reaches is zero.
    """
    positions = tuple(axis.positions for axis in axes)
    dx = np.zeros((dz.shape[0], dz.shape[1], w.shape[2], *positions), dz.dtype)
    turned = w.swapaxes(1, 2)
    for residues in product(*(range(min(axis.stride, axis.positions)) for axis in axes)):
        stripes = (slice(r, None, axis.stride) for r, axis in zip(residues, axes, strict=True))
        phase = dx[(..., *stripes)]
        classes = (taps_of_phase(axis, r) for axis, r in zip(axes, residues, strict=True))
        for tap in product(*classes):
            at, window = _in_phase(axes, tap)
            phase[at] += _mix(turned[(..., *tap)], dz[window])
    return dx


def weigh(dz: Array, x: Array, axes: Sequence[Axis]) -> Array:
    """Every tap collects the pairs of a window and a position that it joins: the weight gradient.

    dw[g,k,c,t] = sum(n,o) dz[n,g,k,o] * x[n,g,c, s*o + d*t - p]
    """
    taps = tuple(axis.kernel for axis in axes)
    dw = np.zeros((x.shape[1], dz.shape[2], x.shape[2], *taps), x.dtype)
    for tap, window, position in _meetings(axes):
        left = _flat(dz[window]).transpose(1, 2, 0, 3)
        right = _flat(x[position]).transpose(1, 0, 3, 2)
        groups, filters, channels = dw.shape[:3]
        terms = left.shape[2] * left.shape[3]
        left, right = left.reshape(groups, filters, terms), right.reshape(groups, terms, channels)
        dw[(..., *tap)] = left @ right
    return dw


def taps_of_phase(axis: Axis, residue: int) -> range:
    """The taps that reach the positions `stride*q + residue`: d*t = residue + p (mod s).

    >>> from convgrad.axis import Axis
    >>> taps_of_phase(Axis(input=9, kernel=5, stride=2, before=1, after=1), 0)
    range(1, 5, 2)
    """
    return solutions(axis.dilation, residue + axis.before, axis.stride, axis.kernel)


def _meetings(axes: Sequence[Axis]) -> Iterator[tuple[tuple[int, ...], Slices, Slices]]:
    """For each tap the windows that have it inside, and the positions that it lies on there."""
    for tap in product(*(range(axis.kernel) for axis in axes)):
        windows, positions = zip(*map(_meeting, axes, tap), strict=True)
        if all(window.start < window.stop for window in windows):
            yield tap, (..., *windows), (..., *positions)


def _meeting(axis: Axis, tap: int) -> tuple[slice, slice]:
    windows = axis.windows_at(tap)
    first = axis.stride * windows.start + axis.dilation * tap - axis.before
    last = first + axis.stride * (len(windows) - 1)
    return slice(windows.start, windows.stop), slice(first, last + 1, axis.stride)


def _in_phase(axes: Sequence[Axis], tap: tuple[int, ...]) -> tuple[Slices, Slices]:
    """Where in its phase a tap adds, and the windows that it reads there."""
    windows, positions = zip(*map(_meeting, axes, tap), strict=True)
    counted = tuple(
        slice(at.start // axis.stride, at.start // axis.stride + window.stop - window.start)
        for axis, window, at in zip(axes, windows, positions, strict=True)
    )
    return (..., *counted), (..., *windows)


def _mix(w: Array, x: Array) -> Array:
    """The channels mixed by one tap's matrix: (G, K, C) with (N, G, C, *places)."""
    places = x.shape[3:]
    return (w @ _flat(x)).reshape(x.shape[0], x.shape[1], w.shape[1], *places)


def _flat(array: Array) -> Array:
    """All places in one axis."""
    return array.reshape(*array.shape[:3], prod(array.shape[3:]))
