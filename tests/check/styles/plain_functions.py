import numpy as np


def forward(x, w, b):
    kh, kw = w.shape[2:]
    out = np.zeros((x.shape[0], w.shape[0], x.shape[2] - kh + 1, x.shape[3] - kw + 1))
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            patch = x[:, :, i : i + kh, j : j + kw]
            out[:, :, i, j] = np.tensordot(patch, w, axes=([1, 2, 3], [1, 2, 3])) + b
    return out


def backward(dout, x, w):
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    kh, kw = w.shape[2:]
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            g = dout[:, :, i, j]
            dx[:, :, i : i + kh, j : j + kw] += np.tensordot(g, w, axes=(1, 0))
            dw += np.tensordot(g, x[:, :, i : i + kh, j : j + kw], axes=(0, 0)) / len(x)
    return dx, dw, dout.sum(axis=(0, 2, 3))
