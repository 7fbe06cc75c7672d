"""Forward and backward passes of a layer as plain loops over Python numbers.

Slower and simpler than anything it judges: one visit per product, in the words of the definition.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np


@dataclass(frozen=True)
class Layer:
    """The sizes of one layer, with as many axes as its input has.

    A transposed layer has weights (C, K / groups, taps), and its output is what a convolution with
    the same numbers would read. `mode` "wrap" takes what lies outside from the other end,
    "reflect" from the mirror at the outermost entry.
    """

    batch: int = 2
    channels: int = 3
    filters: int = 4
    size: tuple[int, ...] = (6, 7)
    kernel: tuple[int, ...] = (3, 2)
    stride: tuple[int, ...] = (1, 1)
    pads: tuple[tuple[int, int], ...] = ((0, 0), (0, 0))
    dilation: int = 1
    groups: int = 1
    flipped: bool = False
    transposed: bool = False
    output_padding: int = 0
    mode: str = ""

    @property
    def height(self) -> int:
        return self.size[0]

    @property
    def width(self) -> int:
        return self.size[1]

    @property
    def output(self) -> tuple[int, ...]:
        axes = zip(self.size, self.kernel, self.stride, self.pads, strict=True)
        spans = [(n, self.dilation * (taps - 1) + 1, s, sum(pads)) for n, taps, s, pads in axes]
        if self.transposed:
            more = self.output_padding
            return tuple((n - 1) * s + span - pad + more for n, span, s, pad in spans)
        return tuple((n + pad - span) // s + 1 for n, span, s, pad in spans)

    @property
    def weights(self) -> tuple[int, ...]:
        if self.transposed:
            return (self.channels, self.filters // self.groups, *self.kernel)
        return (self.filters, self.channels // self.groups, *self.kernel)

    def arrays(self, seed):
        """Input, weights, bias and error of small integers."""
        draw = np.random.default_rng(seed)
        shapes = (
            (self.batch, self.channels, *self.size),
            self.weights,
            (self.filters,),
            (self.batch, self.filters, *self.output),
        )
        return [draw.integers(1, 6, size=s) * draw.choice([-1.0, 1.0], size=s) for s in shapes]


def places(layer, p, t, size):
    """Where the tap `t` of the window at `p` reads, or None outside."""
    found = []
    axes = zip(p, t, size, layer.kernel, layer.stride, layer.pads, strict=True)
    for o, tap, n, taps, step, pads in axes:
        turned = taps - 1 - tap if layer.flipped else tap
        i = o * step + turned * layer.dilation - pads[0]
        if layer.mode == "wrap":
            i %= n
        if layer.mode == "reflect":
            i = n - 1 - abs(n - 1 - abs(i))
        if not 0 <= i < n:
            return None
        found.append(i)
    return tuple(found)


def passes(layer, x, w, b, dz):
    """Output and the three gradients, one product at a time."""
    z = np.zeros(dz.shape) + b.reshape(1, -1, *[1] * len(layer.size))
    dx, dw, db = np.zeros(x.shape), np.zeros(w.shape), np.zeros(b.shape)
    for k in range(len(b)):
        db[k] = sum(dz[:, k].ravel().tolist())
    # A window belongs to a place of the output, or to one of the input if the layer is transposed.
    windows, read = (x, dz) if layer.transposed else (dz, x)
    per_group = windows.shape[1] // layer.groups
    for n, a, *p in product(*map(range, windows.shape)):
        for c, *t in product(*map(range, w.shape[1:])):
            i = places(layer, p, t, read.shape[2:])
            if i is None:
                continue
            inner = (n, a, *p)
            outer = (n, (a // per_group) * w.shape[1] + c, *i)
            at_x, at_z = (inner, outer) if layer.transposed else (outer, inner)
            at_w = (a, c, *t)
            z[at_z] += x[at_x] * w[at_w]
            dx[at_x] += dz[at_z] * w[at_w]
            dw[at_w] += dz[at_z] * x[at_x]
    return z, dx, dw, db
