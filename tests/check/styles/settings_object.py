"""Stride and padding as attributes of an object that is handed in, channels last."""

import numpy as np


def conv_forward(x, params, config):
    w, s, p = params["W"], config.stride, config.pad
    kh, kw, _, k = w.shape
    xp = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
    rows, cols = (xp.shape[1] - kh) // s + 1, (xp.shape[2] - kw) // s + 1
    out = np.zeros((len(x), rows, cols, k))
    for i in range(rows):
        for j in range(cols):
            part = xp[:, i * s : i * s + kh, j * s : j * s + kw]
            out[:, i, j] = np.tensordot(part, w, 3) + params["b"]
    return out, (x, params, config)


def conv_backward(dout, cache):
    x, params, config = cache
    w, s, p = params["W"], config.stride, config.pad
    kh, kw = w.shape[:2]
    xp = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for i in range(dout.shape[1]):
        for j in range(dout.shape[2]):
            at = np.s_[:, i * s : i * s + kh, j * s : j * s + kw]
            dw += np.tensordot(xp[at], dout[:, i, j], ((0,), (0,)))
            dxp[at] += np.tensordot(dout[:, i, j], w, ((1,), (3,)))
    dx = dxp[:, p : p + x.shape[1], p : p + x.shape[2]]
    return dx, {"W": dw, "b": dout.sum((0, 1, 2))}
