"""A dilation that counts the positions left out between two taps: 0 means none."""

import numpy as np


class Conv2D:
    def __init__(self, out_ch, in_ch, kernel_shape, stride=1, pad=0, dilation=0):
        self.W = np.random.randn(*kernel_shape, in_ch, out_ch)
        self.b = np.zeros(out_ch)
        self.stride, self.pad, self.dilation = stride, pad, dilation

    def places(self, a, c, rows, cols):
        i, j = a * (self.dilation + 1), c * (self.dilation + 1)
        s = self.stride
        return slice(i, i + s * rows, s), slice(j, j + s * cols, s)

    def forward(self, X):
        p = self.pad
        self.X = np.pad(X, ((0, 0), (p, p), (p, p), (0, 0)))
        fr, fc = self.W.shape[:2]
        d, s = self.dilation, self.stride
        rows = (self.X.shape[1] - (fr - 1) * (d + 1) - 1) // s + 1
        cols = (self.X.shape[2] - (fc - 1) * (d + 1) - 1) // s + 1
        Z = np.zeros((len(X), rows, cols, self.W.shape[3])) + self.b
        for a in range(fr):
            for c in range(fc):
                r, q = self.places(a, c, rows, cols)
                Z += self.X[:, r, q] @ self.W[a, c]
        return Z

    def backward(self, dLdy):
        rows, cols = dLdy.shape[1:3]
        self.dW, dX = np.zeros_like(self.W), np.zeros_like(self.X)
        for a in range(self.W.shape[0]):
            for c in range(self.W.shape[1]):
                r, q = self.places(a, c, rows, cols)
                self.dW[a, c] = np.tensordot(self.X[:, r, q], dLdy, ([0, 1, 2], [0, 1, 2]))
                dX[:, r, q] += dLdy @ self.W[a, c].T
        self.db = dLdy.sum((0, 1, 2))
        p = self.pad
        return dX[:, p : dX.shape[1] - p, p : dX.shape[2] - p]
