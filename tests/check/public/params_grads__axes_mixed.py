import numpy as np
import os, sys
sys.path.append(os.pardir)


def get_windows(x, kh, kw, stride, pad):
    n, c, h, w = x.shape
    oh = (h + 2 * pad - kh) // stride + 1
    ow = (w + 2 * pad - kw) // stride + 1
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    cols = np.empty((n, oh, ow, c, kh, kw), dtype=x.dtype)
    for i in range(oh):
        for j in range(ow):
            cols[:, i, j] = xp[:, :, i * stride:i * stride + kh, j * stride:j * stride + kw]
    return cols.reshape(n * oh * ow, c * kh * kw), oh, ow


class Conv:
    """params = [W, b]; grads holds arrays of the same shape, filled in place."""

    def __init__(self, W, b, stride=1, pad=0):
        self.params = [W, b]
        self.grads = [np.zeros_like(W), np.zeros_like(b)]
        self.stride, self.pad = stride, pad
        self.cache = None

    def forward(self, x):
        W, b = self.params
        fn, c, kh, kw = W.shape
        cols, oh, ow = get_windows(x, kh, kw, self.stride, self.pad)
        out = cols @ W.reshape(fn, -1).T + b
        self.cache = (x, cols)
        return out.reshape(x.shape[0], oh, ow, fn).transpose(0, 3, 1, 2)

    def backward(self, dout):
        W, b = self.params
        x, cols = self.cache
        fn, c, kh, kw = W.shape
        n, _, oh, ow = dout.shape
        s, p = self.stride, self.pad
        d = dout.transpose(0, 2, 3, 1).reshape(-1, fn)

        self.grads[0][...] = (cols.T @ d).reshape(fn, c, kh, kw)
        self.grads[1][...] = d.sum(axis=0)

        dcols = (d @ W.reshape(fn, -1)).reshape(n, oh, ow, c, kh, kw)
        dx = np.zeros((n, c, x.shape[2] + 2 * p, x.shape[3] + 2 * p))
        for i in range(oh):
            for j in range(ow):
                dx[:, :, i * s:i * s + kh, j * s:j * s + kw] += dcols[:, i, j]
        return dx[:, :, p:p + x.shape[2], p:p + x.shape[3]]


class SGD:
    def __init__(self, lr=0.01):
        self.lr = lr

    def update(self, params, grads):
        for i in range(len(params)):
            params[i] -= self.lr * grads[i]
