"""Forward and backward passes of a layer as plain loops over Python numbers.

Slower and simpler than anything it judges: one visit per product, in the words of the definition.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np


@dataclass(frozen=True)
class Layer:
    """The sizes of one two-dimensional layer."""

    batch: int = 2
    channels: int = 3
    filters: int = 4
    height: int = 6
    width: int = 7
    kernel: tuple[int, int] = (3, 2)
    stride: tuple[int, int] = (1, 1)
    pads: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))
    dilation: int = 1
    groups: int = 1
    flipped: bool = False

    @property
    def output(self) -> tuple[int, int]:
        sizes = zip((self.height, self.width), self.kernel, self.stride, self.pads, strict=True)
        return tuple(
            (size + sum(pads) - self.dilation * (taps - 1) - 1) // step + 1
            for size, taps, step, pads in sizes
        )

    def arrays(self, seed):
        """Input, weights, bias and error of small integers."""
        draw = np.random.default_rng(seed)
        shapes = (
            (self.batch, self.channels, self.height, self.width),
            (self.filters, self.channels // self.groups, *self.kernel),
            (self.filters,),
            (self.batch, self.filters, *self.output),
        )
        return [draw.integers(1, 6, size=s) * draw.choice([-1.0, 1.0], size=s) for s in shapes]


def passes(layer, x, w, b, dz):
    """Output and the three gradients, one product at a time."""
    z = np.zeros(dz.shape) + b.reshape(1, -1, 1, 1)
    dx, dw, db = np.zeros(x.shape), np.zeros(w.shape), np.zeros(b.shape)
    kh, kw = layer.kernel
    per_group = layer.filters // layer.groups
    for n, k, p, q in product(*map(range, dz.shape)):
        db[k] += dz[n, k, p, q]
        for c, r, s in product(range(w.shape[1]), range(kh), range(kw)):
            tap = (kh - 1 - r, kw - 1 - s) if layer.flipped else (r, s)
            i = p * layer.stride[0] + tap[0] * layer.dilation - layer.pads[0][0]
            j = q * layer.stride[1] + tap[1] * layer.dilation - layer.pads[1][0]
            if 0 <= i < layer.height and 0 <= j < layer.width:
                channel = (k // per_group) * w.shape[1] + c
                z[n, k, p, q] += x[n, channel, i, j] * w[k, c, r, s]
                dx[n, channel, i, j] += dz[n, k, p, q] * w[k, c, r, s]
                dw[k, c, r, s] += dz[n, k, p, q] * x[n, channel, i, j]
    return z, dx, dw, db
