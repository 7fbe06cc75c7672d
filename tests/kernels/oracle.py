"""The passes of a convolution, tap by tap in NumPy: slower and simpler than what it judges."""

from __future__ import annotations

from itertools import product

import numpy as np


def pairs(layer, taps):
    """Per axis, the narrow and wide positions that meet at a tap."""
    narrow, wide = [], []
    for a, t in enumerate(taps):
        sizes = (layer.input_size[a], layer.output_size[a])
        n_wide, n_narrow = sizes[::-1] if layer.transposed else sizes
        o = np.arange(n_narrow)
        i = layer.stride[a] * o + layer.dilation[a] * t - layer.padding[a][0]
        inside = (i >= 0) & (i < n_wide)
        narrow.append(o[inside])
        wide.append(i[inside])
    return np.ix_(*narrow), np.ix_(*wide)


def grouped(array, groups):
    """(N, C, ...) -> (N, G, C/G, ...)."""
    return array.reshape(array.shape[0], groups, array.shape[1] // groups, *array.shape[2:])


def weights(w, groups):
    """(G * A, B, ...) -> (G, A, B, ...)."""
    return w.reshape(groups, w.shape[0] // groups, *w.shape[1:])


def passes(layer, x, w, dz):
    """z, dx and dw; x and dz on the layer's input and output side."""
    g = layer.groups
    wide, narrow = (dz, x) if layer.transposed else (x, dz)
    wide, narrow, w = grouped(wide, g), grouped(narrow, g), weights(w, g)
    gathered, scattered = np.zeros_like(narrow), np.zeros_like(wide)
    dw = np.zeros_like(w)
    for taps in product(*(range(t) for t in layer.kernel)):
        at = (
            tuple(n - 1 - t for n, t in zip(layer.kernel, taps, strict=True))
            if layer.flipped
            else taps
        )
        o, i = pairs(layer, taps)
        here = w[(slice(None),) * 3 + at]
        every = (slice(None),) * 3
        gathered[(*every, *o)] += np.einsum("ngc...,gkc->ngk...", wide[(*every, *i)], here)
        scattered[(*every, *i)] += np.einsum("ngk...,gkc->ngc...", narrow[(*every, *o)], here)
        left = narrow[(*every, *o)].reshape(*narrow.shape[:3], -1)
        right = wide[(*every, *i)].reshape(*wide.shape[:3], -1)
        dw[(*every, *at)] += np.einsum("ngkp,ngcp->gkc", left, right)
    z, dx = (scattered, gathered) if layer.transposed else (gathered, scattered)
    merge = lambda a: a.reshape(a.shape[0], a.shape[1] * a.shape[2], *a.shape[3:])  # noqa: E731
    return merge(z), merge(dx), dw.reshape(-1, *dw.shape[2:])
