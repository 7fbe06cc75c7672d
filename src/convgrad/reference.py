"""The passes of a layer in NumPy: what `ops` calls, and what every faster way is held against."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from convgrad.arrays import Array, merge_groups, narrowed, split_groups, widened
from convgrad.padding import pad, padded_layer, unpad
from convgrad.taps import gather, spread, weigh

if TYPE_CHECKING:
    from convgrad.axis import Axis
    from convgrad.convolution import Convolution


def forward(layer: Convolution, x: Array, w: Array, b: Array | None = None) -> Array:
    """z; see `convgrad.conv` and `convgrad.conv_transpose`."""
    terms = layer.in_channels // layer.groups * prod(layer.kernel)
    wide_x, wide_w = widened(x, w, terms, b)
    source = split_groups(wide_x, 1, layer.groups)
    weights = split_groups(_turned(layer, wide_w), 0, layer.groups)
    if layer.transposed:
        z = spread(source, weights, layer.axes)
    else:
        padded, axes = _padded(layer, source)
        z = gather(padded, weights, axes)
    z = merge_groups(z, 1)
    if b is not None:
        z += b.astype(z.dtype).reshape(b.shape if b.ndim > 1 else (-1, *(1,) * layer.rank))
    return narrowed(z, x.dtype)


def input_gradient(layer: Convolution, dz: Array, w: Array) -> Array:
    """dx; see `convgrad.conv_input_grad`."""
    terms = layer.filters // layer.groups * prod(layer.kernel)
    copies = prod(1 + max(before, 0) + max(after, 0) for before, after in layer.padding)
    wide_dz, wide_w = widened(dz, w, terms * copies)
    error = split_groups(wide_dz, 1, layer.groups)
    weights = split_groups(_turned(layer, wide_w), 0, layer.groups)
    if layer.transposed:
        dx = gather(error, weights, layer.axes)
    elif layer.padding_mode == "zeros":
        dx = spread(error, weights, layer.axes)
    else:
        inside = spread(error, weights, padded_layer(layer).axes)
        dx = unpad(inside, layer.axes)
    return narrowed(merge_groups(dx, 1), dz.dtype)


def weight_gradient(layer: Convolution, dz: Array, x: Array) -> Array:
    """dw; see `convgrad.conv_weight_grad`."""
    terms = dz.shape[0] * prod(layer.input_size if layer.transposed else layer.output_size)
    wide_dz, wide_x = widened(dz, x, terms)
    error, source = (split_groups(array, 1, layer.groups) for array in (wide_dz, wide_x))
    if layer.transposed:
        dw = weigh(source, error, layer.axes)
    else:
        padded, axes = _padded(layer, source)
        dw = weigh(error, padded, axes)
    return narrowed(_turned(layer, merge_groups(dw, 0)), dz.dtype)


def bias_gradient(dz: Array, *, untied: bool) -> Array:
    """db; see `convgrad.conv_bias_grad`."""
    axes = (0,) if untied else (0, *range(2, dz.ndim))
    wide, _ = widened(dz, np.ones(1, dz.dtype), prod(dz.shape[axis] for axis in axes))
    return narrowed(np.asarray(wide.sum(axis=axes)), dz.dtype)


def _padded(layer: Convolution, x: Array) -> tuple[Array, tuple[Axis, ...]]:
    """The input as the sum sees it: padded by its own entries, or not at all."""
    if layer.padding_mode == "zeros":
        return x, layer.axes
    return pad(x, layer.axes), padded_layer(layer).axes


def _turned(layer: Convolution, w: Array) -> Array:
    """The kernel as a cross-correlation reads it."""
    return np.flip(w, tuple(range(2, w.ndim))) if layer.flipped else w
