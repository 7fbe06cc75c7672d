"""Stride and padding as constants of the module."""

import numpy as np

STRIDE, PAD = 2, 1


def conv_forward(x, w, b):
    kh, kw = w.shape[2:]
    xp = np.pad(x, ((0, 0), (0, 0), (PAD, PAD), (PAD, PAD)))
    v = np.lib.stride_tricks.sliding_window_view(xp, (kh, kw), (2, 3))[:, :, ::STRIDE, ::STRIDE]
    return np.einsum("ncijab,kcab->nkij", v, w) + b[:, None, None]


def conv_backward(dout, x, w):
    (height, width), (kh, kw) = x.shape[2:], w.shape[2:]
    xp = np.pad(x, ((0, 0), (0, 0), (PAD, PAD), (PAD, PAD)))
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            at = np.s_[:, :, i * STRIDE : i * STRIDE + kh, j * STRIDE : j * STRIDE + kw]
            dw += np.einsum("nk,ncab->kcab", dout[:, :, i, j], xp[at])
            dxp[at] += np.einsum("nk,kcab->ncab", dout[:, :, i, j], w)
    return dxp[:, :, PAD : PAD + height, PAD : PAD + width], dw, dout.sum((0, 2, 3))
