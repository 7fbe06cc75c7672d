import numpy as np
from itertools import product

class Conv3D:
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        if isinstance(kernel_size, int):
            kernel_size = (kernel_size,) * 3
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.W = np.random.randn(out_channels, in_channels, *kernel_size) * 0.01
        self.b = np.zeros(out_channels)
        self.dW = None
        self.db = None

    def forward(self, x):
        # x: (N, C, D, H, W)
        p, s = self.padding, self.stride
        kd, kh, kw = self.kernel_size
        self.x_shape = x.shape
        self.xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p), (p, p)))
        od, oh, ow = [(n + 2 * p - k) // s + 1 for n, k in zip(x.shape[2:], self.kernel_size)]
        y = np.zeros((x.shape[0], self.W.shape[0], od, oh, ow))
        for d, i, j in product(range(od), range(oh), range(ow)):
            v = self.xp[:, :, d*s:d*s+kd, i*s:i*s+kh, j*s:j*s+kw]
            y[:, :, d, i, j] = np.tensordot(v, self.W, axes=([1, 2, 3, 4], [1, 2, 3, 4])) + self.b
        return y

    def backward(self, dy):
        p, s = self.padding, self.stride
        kd, kh, kw = self.kernel_size
        dxp = np.zeros_like(self.xp)
        self.dW = np.zeros_like(self.W)
        self.db = dy.sum(axis=(0, 2, 3, 4))
        for d, i, j in product(*map(range, dy.shape[2:])):
            g = dy[:, :, d, i, j]
            v = (slice(None), slice(None), slice(d*s, d*s+kd), slice(i*s, i*s+kh), slice(j*s, j*s+kw))
            self.dW += np.tensordot(g, self.xp[v], axes=([0], [0]))
            dxp[v] += np.tensordot(g, self.W, axes=([1], [0]))
        D, H, W = self.x_shape[2:]
        return dxp[:, :, p:p+D, p:p+H, p:p+W]
