import numpy as np


class DepthwiseConv2D:
    """One 2-D filter for each channel.  NHWC input, kernel (kh, kw, C)."""

    def __init__(self, channels, kernel_size=3, stride=1, padding=1):
        self.channels = channels
        self.k, self.s, self.p = kernel_size, stride, padding
        self.kernel = np.random.randn(kernel_size, kernel_size, channels) * 0.1
        self.bias = np.zeros(channels)
        self.d_kernel = np.zeros_like(self.kernel)
        self.d_bias = np.zeros_like(self.bias)

    def forward(self, x):
        k, s, p = self.k, self.s, self.p
        self.xp = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
        self.hw = x.shape[1:3]
        oh = (self.xp.shape[1] - k) // s + 1
        ow = (self.xp.shape[2] - k) // s + 1
        out = np.empty((x.shape[0], oh, ow, self.channels))
        for i in range(oh):
            for j in range(ow):
                out[:, i, j] = (self.xp[:, i*s:i*s+k, j*s:j*s+k] * self.kernel).sum(axis=(1, 2))
        return out + self.bias

    def backward(self, dout):
        k, s, p = self.k, self.s, self.p
        dxp = np.zeros_like(self.xp)
        self.d_kernel = np.zeros_like(self.kernel)
        for i in range(dout.shape[1]):
            for j in range(dout.shape[2]):
                g = dout[:, i, j][:, None, None, :]
                self.d_kernel += (self.xp[:, i*s:i*s+k, j*s:j*s+k] * g).sum(axis=0)
                dxp[:, i*s:i*s+k, j*s:j*s+k] += self.kernel * g
        self.d_bias = dout.sum(axis=(0, 1, 2))
        h, w = self.hw
        return dxp[:, p:p+h, p:p+w]
