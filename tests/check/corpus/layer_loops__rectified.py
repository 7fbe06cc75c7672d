import numpy as np


class Conv2D:
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        self.in_channels = in_channels
        self.out_channels = out_channels
        if isinstance(kernel_size, int):
            kernel_size = (kernel_size, kernel_size)
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        scale = np.sqrt(2.0 / (in_channels * kernel_size[0] * kernel_size[1]))
        self.W = np.random.randn(out_channels, in_channels, *kernel_size) * scale
        self.b = np.zeros(out_channels)
        self.dW = None
        self.db = None

    def forward(self, x):
        self.x = x
        p = self.padding
        s = self.stride
        kh, kw = self.kernel_size
        n, c, h, w = x.shape
        self.x_pad = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        oh = (h + 2 * p - kh) // s + 1
        ow = (w + 2 * p - kw) // s + 1
        out = np.zeros((n, self.out_channels, oh, ow))
        for i in range(oh):
            for j in range(ow):
                region = self.x_pad[:, :, i * s:i * s + kh, j * s:j * s + kw]
                for k in range(self.out_channels):
                    out[:, k, i, j] = np.sum(region * self.W[k], axis=(1, 2, 3)) + self.b[k]
        return out

    def backward(self, dout):
        p = self.padding
        s = self.stride
        kh, kw = self.kernel_size
        n, _, h, w = self.x.shape
        _, _, oh, ow = dout.shape
        dout = np.where(dout > 0, dout, 0)
        self.dW = np.zeros_like(self.W)
        self.db = np.sum(dout, axis=(0, 2, 3))
        dx_pad = np.zeros_like(self.x_pad)
        for i in range(oh):
            for j in range(ow):
                region = self.x_pad[:, :, i * s:i * s + kh, j * s:j * s + kw]
                for k in range(self.out_channels):
                    d = dout[:, k, i, j][:, None, None, None]
                    self.dW[k] += np.sum(region * d, axis=0)
                    dx_pad[:, :, i * s:i * s + kh, j * s:j * s + kw] += d * self.W[k]
        return dx_pad[:, :, p:p + h, p:p + w]
