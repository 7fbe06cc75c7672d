import numpy as np


def pad_nchw(x, p):
    return np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))


class Conv2d:
    def __init__(self, in_channels, out_channels, kernel_size=3, stride=1, padding=1):
        self.stride, self.padding = stride, padding
        self.kernel_size = kernel_size
        self.weight = np.random.randn(out_channels, in_channels, kernel_size, kernel_size)
        self.bias = np.zeros(out_channels)
        self.grad = {}

    def forward(self, x):
        k, s = self.kernel_size, self.stride
        self.x = pad_nchw(x, self.padding)
        self.size = x.shape[2:]
        n, c, h, w = self.x.shape
        oh, ow = (h - k) // s + 1, (w - k) // s + 1
        y = np.zeros((n, self.weight.shape[0], oh, ow))
        for i in range(oh):
            for j in range(ow):
                win = self.x[:, :, i * s:i * s + k, j * s:j * s + k]
                y[:, :, i, j] = np.einsum("ncab,kcab->nk", win, self.weight)
        return y + self.bias[None, :, None, None]

    def backward(self, dy):
        k, s, p = self.kernel_size, self.stride, self.padding
        xp = pad_nchw(self.x, p)
        dxp = np.zeros_like(self.x)
        dw = np.zeros_like(self.weight)
        for i in range(dy.shape[2]):
            for j in range(dy.shape[3]):
                g = dy[:, :, i, j]
                dw += np.einsum("ncab,nk->kcab", xp[:, :, i * s:i * s + k, j * s:j * s + k], g)
                dxp[:, :, i * s:i * s + k, j * s:j * s + k] += np.einsum("nk,kcab->ncab", g, self.weight)
        self.grad["weight"] = dw
        self.grad["bias"] = dy.sum((0, 2, 3))
        return dxp[:, :, p:p + self.size[0], p:p + self.size[1]]
