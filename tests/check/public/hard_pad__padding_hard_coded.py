import numpy as np


def conv2d_forward(X, W, b, stride=1, padding=1):
    N, C, H, Wd = X.shape
    F, _, fh, fw = W.shape
    Xp = np.pad(X, ((0, 0), (0, 0), (padding, padding), (padding, padding)), mode="constant")
    oh = (H - fh + 2 * padding) // stride + 1
    ow = (Wd - fw + 2 * padding) // stride + 1
    out = np.zeros((N, F, oh, ow))
    for y in range(oh):
        for x in range(ow):
            region = Xp[:, :, y * stride:y * stride + fh, x * stride:x * stride + fw]
            out[:, :, y, x] = np.tensordot(region, W, axes=([1, 2, 3], [1, 2, 3])) + b
    cache = {"X": X, "W": W, "stride": stride, "padding": padding}
    return out, cache


def conv2d_backward(dout, cache):
    X, W, stride = cache["X"], cache["W"], cache["stride"]
    N, C, H, Wd = X.shape
    F, _, fh, fw = W.shape
    Xp = np.pad(X, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="constant")
    dXp = np.zeros_like(Xp)
    dW = np.zeros_like(W)
    db = dout.sum(axis=(0, 2, 3))
    for y in range(dout.shape[2]):
        for x in range(dout.shape[3]):
            sl = np.s_[:, :, y * stride:y * stride + fh, x * stride:x * stride + fw]
            dW += np.tensordot(dout[:, :, y, x], Xp[sl], axes=(0, 0))
            dXp[sl] += np.tensordot(dout[:, :, y, x], W, axes=(1, 0))
    return {"dX": dXp[:, :, 1:-1, 1:-1], "dW": dW, "db": db}
