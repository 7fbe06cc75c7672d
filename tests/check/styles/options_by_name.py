"""A constructor that takes its options by name, with names that NumPy has dropped."""

import numpy as np


class ConvLayer:
    def __init__(self, **kwargs):
        self.k, self.channels = kwargs.get("filter_size", 3), kwargs["in_channels"]
        self.count, self.pad = kwargs.get("num_filters", 8), kwargs.pop("padding", 0)
        self.w = np.random.randn(self.count, self.channels, self.k, self.k).astype(np.float)
        self.b = np.zeros(self.count, dtype=np.float_)

    def forward(self, x):
        p = np.int(self.pad)
        self.x = np.lib.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), "constant")
        self.v = np.lib.stride_tricks.sliding_window_view(self.x, (self.k, self.k), (2, 3))
        return np.einsum("ncijab,kcab->nkij", self.v, self.w) + self.b[:, None, None]

    def backward(self, dout):
        p, q = self.pad, self.k - 1
        self.dw = np.einsum("ncijab,nkij->kcab", self.v, dout)
        self.db = dout.sum((0, 2, 3))
        around = np.pad(dout, ((0, 0), (0, 0), (q, q), (q, q)))
        v = np.lib.stride_tricks.sliding_window_view(around, (self.k, self.k), (2, 3))
        dx = np.einsum("nkijab,kcab->ncij", v, self.w[:, :, ::-1, ::-1])
        return dx[:, :, p : dx.shape[2] - p, p : dx.shape[3] - p]
