"""A layer that takes no size which its windows do not cover."""

import numpy as np


def conv_forward(x, w, b, stride=1, pad=0):
    n, c, height, width = x.shape
    k, _, kh, kw = w.shape
    assert c == w.shape[1], "channels differ"
    rows, cols = (height + 2 * pad - kh) / stride + 1, (width + 2 * pad - kw) / stride + 1
    if not rows.is_integer() or not cols.is_integer():
        raise ValueError(f"{height}x{width} does not divide into windows")
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    z = np.zeros((n, k, int(rows), int(cols)))
    for i in range(z.shape[2]):
        for j in range(z.shape[3]):
            part = xp[:, :, i * stride : i * stride + kh, j * stride : j * stride + kw]
            z[:, :, i, j] = np.tensordot(part, w, ((1, 2, 3), (1, 2, 3))) + b
    return z, (x, w, xp, stride, pad)


def conv_backward(dz, cache):
    x, w, xp, stride, pad = cache
    kh, kw = w.shape[2:]
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for i in range(dz.shape[2]):
        for j in range(dz.shape[3]):
            at = np.s_[:, :, i * stride : i * stride + kh, j * stride : j * stride + kw]
            dw += np.tensordot(dz[:, :, i, j], xp[at], ((0,), (0,)))
            dxp[at] += np.tensordot(dz[:, :, i, j], w, 1)
    dx = dxp[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]]
    return dx, dw, dz.sum((0, 2, 3))
