"""Padding with the input's own entries: a linear map, and its transpose for the gradient."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from convgrad.convolution import Convolution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convgrad.arrays import Array
    from convgrad.axis import Axis


def pad(x: Array, axes: Sequence[Axis]) -> Array:
    """The input with every spatial axis (the last ones) padded by its own entries.

    padded[j] = x[sources[j]]

    >>> from convgrad.axis import Axis
    >>> axis = Axis(input=4, kernel=3, before=2, after=1, padding_mode="reflect")
    >>> pad(np.array([1, 2, 3, 4]), [axis])
    array([3, 2, 1, 2, 3, 4, 3])
    """
    for number, axis in enumerate(axes):
        x = np.take(x, axis.sources, axis=number - len(axes))
    return x


def unpad(dx: Array, axes: Sequence[Axis]) -> Array:
    """The gradient before the padding: each entry collects all the places it was copied to.

    dx[i] = sum(j : sources[j] = i) padded[j]
    """
    for number, axis in enumerate(axes):
        padded = np.moveaxis(dx, number - len(axes), 0)
        total = np.zeros((axis.input, *padded.shape[1:]), dx.dtype)
        for place, source in enumerate(axis.sources):
            total[source] += padded[place]
        dx = np.moveaxis(total, 0, number - len(axes))
    return dx


@lru_cache
def padded_layer(layer: Convolution) -> Convolution:
    """The layer as it stands on the padded input, which it does not pad any more."""
    return Convolution(
        [axis.padded.input for axis in layer.axes],
        layer.in_channels,
        layer.filters,
        layer.kernel,
        stride=layer.stride,
        dilation=layer.dilation,
        groups=layer.groups,
        bias=layer.bias,
        flipped=layer.flipped,
    )
