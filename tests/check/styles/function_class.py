"""Functions as objects: calling one keeps its inputs, and the backward pass reads them."""

import numpy as np


class Function:
    def __call__(self, *inputs):
        self.inputs = inputs
        return self.forward(*inputs)

    def forward(self, *values):
        raise NotImplementedError

    def backward(self, gy):
        raise NotImplementedError


class Conv2d(Function):
    def __init__(self, stride=1, pad=0):
        self.stride, self.pad = stride, pad

    def windows(self, x, W):
        p = self.pad
        wide = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        every = np.lib.stride_tricks.sliding_window_view(wide, W.shape[2:], axis=(2, 3))
        return every[:, :, :: self.stride, :: self.stride]

    def forward(self, x, W, b):
        y = np.tensordot(self.windows(x, W), W, ((1, 4, 5), (1, 2, 3)))
        return np.moveaxis(y, 3, 1) + b[:, None, None]

    def backward(self, gy):
        x, W, b = self.inputs
        n, c, h, w = x.shape
        s, p = self.stride, self.pad
        gW = np.tensordot(gy, self.windows(x, W), ((0, 2, 3), (0, 2, 3)))
        gx = np.zeros((n, c, h + 2 * p, w + 2 * p))
        oh, ow = gy.shape[2:]
        for i in range(W.shape[2]):
            for j in range(W.shape[3]):
                part = np.tensordot(gy, W[:, :, i, j], (1, 0))
                gx[:, :, i : i + s * oh : s, j : j + s * ow : s] += np.moveaxis(part, 3, 1)
        return gx[:, :, p : p + h, p : p + w], gW, gy.sum((0, 2, 3))
