"""Channels last; "same" padding that is right with odd kernels alone; gradients over the batch."""

import numpy as np


class ConvLayer2D:
    def __init__(self, w, b, padding="valid", stride=1):
        self.w, self.b, self.padding, self.stride = w, b, padding, stride

    def _margins(self):
        if self.padding == "same":
            return (self.w.shape[0] - 1) // 2, (self.w.shape[1] - 1) // 2
        return 0, 0

    def forward_pass(self, a_prev, training):
        (p, q), s, (kh, kw, _, k) = self._margins(), self.stride, self.w.shape
        n, height, width, _ = self.shape = a_prev.shape
        rows, cols = (height - kh) // s + 1, (width - kw) // s + 1
        if self.padding == "same":
            rows, cols = height, width
        self.x = np.pad(a_prev, ((0, 0), (p, p), (q, q), (0, 0)))
        z = np.zeros((n, rows, cols, k))
        for i in range(rows):
            for j in range(cols):
                part = self.x[:, i * s : i * s + kh, j * s : j * s + kw, :, None]
                z[:, i, j] = (part * self.w).sum((1, 2, 3))
        return z + self.b

    def backward_pass(self, da):
        (p, q), s, (kh, kw, _, _) = self._margins(), self.stride, self.w.shape
        n, height, width, _ = self.shape
        self.dw, dx = np.zeros_like(self.w), np.zeros_like(self.x)
        for i in range(da.shape[1]):
            for j in range(da.shape[2]):
                at, d = np.s_[:, i * s : i * s + kh, j * s : j * s + kw], da[:, i, j]
                self.dw += np.einsum("nabc,nk->abck", self.x[at], d) / n
                dx[at] += np.einsum("nk,abck->nabc", d, self.w)
        self.db = da.sum((0, 1, 2)) / n
        return dx[:, p : p + height, q : q + width]
