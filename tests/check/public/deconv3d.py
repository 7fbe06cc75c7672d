import numpy as np


class ConvTranspose3d:
    """Upsamples volumes. weight: (in_channels, out_channels, k, k, k)"""

    def __init__(self, in_channels, out_channels, kernel_size, stride=2, padding=0):
        k = kernel_size
        self.k, self.stride, self.padding = k, stride, padding
        self.weight = np.random.randn(in_channels, out_channels, k, k, k)
        self.bias = np.zeros(out_channels)

    def forward(self, x):
        self.x = x
        k, s, p = self.k, self.stride, self.padding
        n, c, d, h, w = x.shape
        full = np.zeros((n, self.weight.shape[1], (d - 1) * s + k, (h - 1) * s + k, (w - 1) * s + k))
        for z in range(d):
            for i in range(h):
                for j in range(w):
                    full[:, :, z*s:z*s+k, i*s:i*s+k, j*s:j*s+k] += np.tensordot(x[:, :, z, i, j], self.weight, 1)
        out = full[:, :, p:full.shape[2]-p, p:full.shape[3]-p, p:full.shape[4]-p]
        return out + self.bias[:, None, None, None]

    def backward(self, dout):
        k, s, p = self.k, self.stride, self.padding
        dout_pad = np.pad(dout, [(0, 0)] * 2 + [(p, p)] * 3)
        dx = np.zeros(self.x.shape)
        self.dweight = np.zeros(self.weight.shape)
        self.dbias = dout.sum(axis=(0, 2, 3, 4))
        _, _, d, h, w = self.x.shape
        for z in range(d):
            for i in range(h):
                for j in range(w):
                    block = dout_pad[:, :, z*s:z*s+k, i*s:i*s+k, j*s:j*s+k]
                    dx[:, :, z, i, j] = np.tensordot(block, self.weight, axes=([1, 2, 3, 4], [1, 2, 3, 4]))
                    self.dweight += np.tensordot(self.x[:, :, z, i, j], block, axes=([0], [0]))
        return dx
