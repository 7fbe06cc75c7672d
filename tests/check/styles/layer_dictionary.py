"""Functions that keep a layer in a dictionary."""

import numpy as np


def forward_conv(layer, x):
    w, s, p = layer["W"], layer["stride"], layer["pad"]
    kh, kw = w.shape[2:]
    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    rows, cols = (xp.shape[2] - kh) // s + 1, (xp.shape[3] - kw) // s + 1
    z = np.zeros((len(x), len(w), rows, cols))
    for i in range(rows):
        for j in range(cols):
            part = xp[:, :, i * s : i * s + kh, j * s : j * s + kw]
            z[:, :, i, j] = np.einsum("ncab,kcab->nk", part, w) + layer["b"]
    layer["cache"] = x, xp
    return z


def backward_conv(layer, grad):
    w, s, p = layer["W"], layer["stride"], layer["pad"]
    x, xp = layer["cache"]
    kh, kw = w.shape[2:]
    dxp, layer["dW"], layer["db"] = np.zeros_like(xp), np.zeros_like(w), grad.sum((0, 2, 3))
    for i in range(grad.shape[2]):
        for j in range(grad.shape[3]):
            at = np.s_[:, :, i * s : i * s + kh, j * s : j * s + kw]
            layer["dW"] += np.einsum("nk,ncab->kcab", grad[:, :, i, j], xp[at])
            dxp[at] += np.einsum("nk,kcab->ncab", grad[:, :, i, j], w)
    return dxp[:, :, p : p + x.shape[2], p : p + x.shape[3]]
