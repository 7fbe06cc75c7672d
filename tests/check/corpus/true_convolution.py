import numpy as np
from scipy.signal import convolve2d, correlate2d


class ConvLayer:
    """A true convolution: the kernel is flipped in the forward pass."""

    def __init__(self, in_channels, out_channels, size):
        self.kernels = 0.1 * np.random.randn(out_channels, in_channels, size, size)
        self.bias = np.zeros(out_channels)

    def forward(self, x):
        self.x = x
        maps = []
        for k, b in zip(self.kernels, self.bias):
            maps.append(sum(convolve2d(x[c], k[c], mode='valid') for c in range(len(x))) + b)
        return np.array(maps)

    def backward(self, err):
        self.d_kernels = np.zeros_like(self.kernels)
        dx = np.zeros_like(self.x)
        for f in range(len(self.kernels)):
            for c in range(len(self.x)):
                self.d_kernels[f, c] = np.rot90(correlate2d(self.x[c], err[f], mode='valid'), 2)
                dx[c] += correlate2d(err[f], self.kernels[f, c], mode='full')
        self.d_bias = err.sum(axis=(1, 2))
        return dx
