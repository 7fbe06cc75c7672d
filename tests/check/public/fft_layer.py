import numpy as np
from numpy.fft import rfft2, irfft2


class FFTConv2d:
    """Cross-correlation through the Fourier transform; stride 1 only."""

    def __init__(self, in_channels, out_channels, kernel_size, padding=0):
        kh, kw = (kernel_size, kernel_size) if np.isscalar(kernel_size) else kernel_size
        self.padding = padding
        self.weight = np.random.randn(out_channels, in_channels, kh, kw) / np.sqrt(in_channels * kh * kw)
        self.bias = np.zeros(out_channels)

    def forward(self, x):
        p = self.padding
        self.x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        H, W = self.x.shape[2:]
        kh, kw = self.weight.shape[2:]
        self.fx = rfft2(self.x)
        self.fw = rfft2(self.weight, s=(H, W))
        y = irfft2(np.einsum('ncuv,kcuv->nkuv', self.fx, self.fw.conj()), s=(H, W))
        return y[:, :, :H - kh + 1, :W - kw + 1] + self.bias[:, None, None]

    def backward(self, dy):
        p = self.padding
        H, W = self.x.shape[2:]
        kh, kw = self.weight.shape[2:]
        fd = rfft2(dy, s=(H, W))
        self.weight_grad = irfft2(np.einsum('nkuv,ncuv->kcuv', fd.conj(), self.fx), s=(H, W))[:, :, :kh, :kw]
        self.bias_grad = dy.sum(axis=(0, 2, 3))
        dx = irfft2(np.einsum('nkuv,kcuv->ncuv', fd, self.fw), s=(H, W))
        return dx[:, :, p:H - p, p:W - p]
