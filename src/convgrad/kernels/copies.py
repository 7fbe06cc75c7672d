"""Padding with copies of the input, around a layer that does not pad."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from convgrad.convolution import Convolution

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


@lru_cache
def sources(layer: Convolution) -> tuple[NDArray[np.intp], ...]:
    """Per axis, the input position whose entry stands at each padded position."""
    return tuple(
        _sources(size, around, layer.padding_mode)
        for size, around in zip(layer.input_size, layer.padding, strict=True)
    )


def _sources(size: int, around: tuple[int, int], mode: str) -> NDArray[np.intp]:
    before, after = around
    added = (max(before, 0), max(after, 0))
    places = np.arange(size)
    match mode:
        case "reflect":
            places = np.pad(places, added, mode="reflect")
        case "replicate":
            places = np.pad(places, added, mode="edge")
        case _:
            places = np.pad(places, added, mode="wrap")
    return places[max(-before, 0) : places.size - max(-after, 0)]


def pad(layer: Convolution, x: Array) -> Array:
    """The input as the inner layer sees it."""
    for axis, places in enumerate(sources(layer), 2):
        x = np.take(x, places, axis=axis)
    return x


def collect(layer: Convolution, dx: Array) -> Array:
    """The gradient before the padding: an entry collects all the places it was copied to."""
    for axis, places in enumerate(sources(layer), 2):
        moved = np.moveaxis(dx, axis, 0)
        total = np.zeros((layer.input_size[axis - 2], *moved.shape[1:]), dx.dtype)
        for place, source in enumerate(places):
            total[source] += moved[place]
        dx = np.moveaxis(total, 0, axis)
    return np.ascontiguousarray(dx)


@lru_cache
def inner(layer: Convolution) -> Convolution:
    """The layer on the padded input."""
    return Convolution(
        tuple(places.size for places in sources(layer)),
        layer.in_channels,
        layer.filters,
        layer.kernel,
        stride=layer.stride,
        dilation=layer.dilation,
        groups=layer.groups,
        bias=layer.bias,
        flipped=layer.flipped,
    )
