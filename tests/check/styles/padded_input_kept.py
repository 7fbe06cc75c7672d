import numpy as np


class Conv2d:
    """3x3 same convolution, mostly.  Weights (out, in, k, k)."""

    def __init__(self, in_channels, out_channels, kernel_size=3, padding=1):
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.padding = padding
        self.weight = np.random.randn(out_channels, in_channels, kernel_size, kernel_size)
        self.bias = np.zeros(out_channels)
        self.weight_grad = np.zeros_like(self.weight)
        self.bias_grad = np.zeros_like(self.bias)

    def forward(self, x):
        p = self.padding
        k = self.kernel_size
        self.x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        n, _, h, w = self.x.shape
        y = np.zeros((n, self.out_channels, h - k + 1, w - k + 1))
        for b in range(n):
            for o in range(self.out_channels):
                for i in range(h - k + 1):
                    for j in range(w - k + 1):
                        y[b, o, i, j] = (self.x[b, :, i:i + k, j:j + k] * self.weight[o]).sum() + self.bias[o]
        return y

    def backward(self, dy):
        k = self.kernel_size
        self.weight_grad = np.zeros_like(self.weight)
        self.bias_grad = np.zeros_like(self.bias)
        dx = np.zeros_like(self.x, dtype=np.float64)
        n, _, oh, ow = dy.shape
        for b in range(n):
            for o in range(self.out_channels):
                self.bias_grad[o] += dy[b, o].sum()
                for i in range(oh):
                    for j in range(ow):
                        self.weight_grad[o] += self.x[b, :, i:i + k, j:j + k] * dy[b, o, i, j]
                        dx[b, :, i:i + k, j:j + k] += self.weight[o] * dy[b, o, i, j]
        # remove the padding again
        p = self.padding
        return dx[:, :, p:dx.shape[2] - p, p:dx.shape[3] - p]
