"""Padding with the input's own entries: a linear map, and its transpose for the gradient."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convgrad.arrays import Array
    from convgrad.axis import Axis


def sources(axis: Axis, mode: str) -> Sequence[int]:
    """For each padded position the input position whose entry stands there.

    >>> from convgrad.axis import Axis
    >>> sources(Axis(input=4, kernel=3, before=2, after=1), "reflect")
    (2, 1, 0, 1, 2, 3, 2)
    """
    return replace(axis, padding_mode=mode).sources


def pad_by_mode(x: Array, axes: Sequence[Axis], mode: str) -> Array:
    """The input with every spatial axis (the last ones) padded by its own entries.

    padded[j] = x[sources[j]]
    """
    for number, axis in enumerate(axes):
        x = np.take(x, sources(axis, mode), axis=number - len(axes))
    return x


def unpad_by_mode(dx: Array, axes: Sequence[Axis], mode: str) -> Array:
    """The gradient before the padding: each entry collects all the places it was copied to.

    dx[i] = sum(j : sources[j] = i) padded[j]
    """
    for number, axis in enumerate(axes):
        padded = np.moveaxis(dx, number - len(axes), 0)
        total = np.zeros((axis.input, *padded.shape[1:]), dx.dtype)
        for place, source in enumerate(sources(axis, mode)):
            total[source] += padded[place]
        dx = np.moveaxis(total, 0, number - len(axes))
    return dx


def padded_axes(axes: Sequence[Axis]) -> tuple[Axis, ...]:
    """The axes of the layer on the padded input, which it does not pad any more."""
    return tuple(axis.padded for axis in axes)
