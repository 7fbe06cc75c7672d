import numpy as np


def conv_transpose2d_forward(x, w, b, stride, padding):
    """x: (N, C, H, W); w: (C, K, kh, kw) -> (N, K, (H-1)*stride+kh-2*padding, ...)"""
    N, C, H, W = x.shape
    _, K, kh, kw = w.shape
    full = np.zeros((N, K, (H - 1) * stride + kh, (W - 1) * stride + kw))
    for i in range(H):
        for j in range(W):
            full[:, :, i*stride:i*stride+kh, j*stride:j*stride+kw] += np.tensordot(x[:, :, i, j], w, axes=(1, 0))
    y = full[:, :, padding:full.shape[2]-padding, padding:full.shape[3]-padding]
    y = y + b.reshape(1, -1, 1, 1)
    return y, (x, w, stride, padding)


def conv_transpose2d_backward(dy, cache):
    x, w, stride, padding = cache
    N, C, H, W = x.shape
    _, K, kh, kw = w.shape
    dyp = np.pad(dy, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    dx = np.zeros_like(x)
    dw = np.zeros_like(w)
    w_rot = w[:, :, ::-1, ::-1]
    for i in range(H):
        for j in range(W):
            win = dyp[:, :, i*stride:i*stride+kh, j*stride:j*stride+kw]
            dx[:, :, i, j] = np.tensordot(win, w_rot, axes=([1, 2, 3], [1, 2, 3]))
            dw += np.tensordot(x[:, :, i, j], win, axes=(0, 0))
    db = dy.sum(axis=(0, 2, 3))
    return dx, dw, db
