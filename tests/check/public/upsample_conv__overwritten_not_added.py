import numpy as np

def conv2d_transpose(x, w, b, stride=1, pad=0, out_pad=0):
    # x: (N, C, H, W)  w: (C, F, KH, KW)  b: (F,)
    N, C, H, W = x.shape
    _, F, KH, KW = w.shape
    OH = (H - 1) * stride - 2 * pad + KH + out_pad
    OW = (W - 1) * stride - 2 * pad + KW + out_pad
    y = np.zeros((N, F, OH + 2 * pad, OW + 2 * pad))
    for i in range(H):
        for j in range(W):
            y[:, :, i*stride:i*stride+KH, j*stride:j*stride+KW] += np.tensordot(x[:, :, i, j], w, axes=1)
    return y[:, :, pad:pad+OH, pad:pad+OW] + b.reshape(1, F, 1, 1)

def conv2d_transpose_backward(dy, x, w, stride=1, pad=0, out_pad=0):
    N, C, H, W = x.shape
    _, F, KH, KW = w.shape
    dyp = np.pad(dy, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i in range(H):
        for j in range(W):
            g = dyp[:, :, i*stride:i*stride+KH, j*stride:j*stride+KW]
            dx[:, :, i, j] = np.tensordot(g, w, axes=([1, 2, 3], [1, 2, 3]))
            dw = np.tensordot(x[:, :, i, j], g, axes=([0], [0]))
    db = dy.sum(axis=(0, 2, 3))
    return dx, dw, db
