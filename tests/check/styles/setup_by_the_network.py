"""Parameters made by a method of an unusual name; half a kernel of padding on both sides."""

import numpy as np


class Conv:
    def __init__(self, n_filters, filter_shape, scale=0.1):
        self.n_filters, self.filter_shape, self.scale = n_filters, filter_shape, scale

    def _wire(self, input_shape, rng=np.random):
        self.W = rng.normal(size=(input_shape[1], self.n_filters, *self.filter_shape))
        self.b = np.zeros(self.n_filters)

    def fprop(self, x):
        fh, fw = self.filter_shape
        self.margin = fh // 2, fw // 2
        self.size = x.shape[2:]
        self.x = np.pad(x, ((0, 0), (0, 0), *((m, m) for m in self.margin)))
        oh, ow = self.x.shape[2] - fh + 1, self.x.shape[3] - fw + 1
        z = np.zeros((len(x), self.n_filters, oh, ow))
        for u in range(fh):
            for v in range(fw):
                part = self.x[:, :, u : u + oh, v : v + ow]
                z += np.einsum("nchw,cf->nfhw", part, self.W[:, :, u, v])
        return z + self.b[:, None, None]

    def bprop(self, dz):
        fh, fw = self.filter_shape
        oh, ow = dz.shape[2:]
        dx, self.dW = np.zeros_like(self.x), np.zeros_like(self.W)
        for u in range(fh):
            for v in range(fw):
                at = np.s_[:, :, u : u + oh, v : v + ow]
                self.dW[:, :, u, v] = np.einsum("nchw,nfhw->cf", self.x[at], dz)
                dx[at] += np.einsum("nfhw,cf->nchw", dz, self.W[:, :, u, v])
        self.db = dz.sum((0, 2, 3))
        (p, q), (h, w) = self.margin, self.size
        return dx[:, :, p : p + h, q : q + w]
