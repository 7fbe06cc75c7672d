import numpy as np


class ConvTranspose2d:
    """Deconvolution layer, weight (in_channels, out_channels, k, k)."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        self.stride = stride
        self.padding = padding
        self.kernel_size = kernel_size
        self.weight = np.random.randn(in_channels, out_channels, kernel_size, kernel_size)
        self.bias = np.zeros(out_channels)

    def forward(self, x):
        self.x = x
        n, _, h, w = x.shape
        k, s, p = self.kernel_size, self.stride, self.padding
        full = np.zeros((n, self.weight.shape[1], (h - 1) * s + k, (w - 1) * s + k))
        for i in range(h):
            for j in range(w):
                full[:, :, i * s:i * s + k, j * s:j * s + k] += np.tensordot(x[:, :, i, j], self.weight, axes=(1, 0))
        out = full[:, :, p:full.shape[2] - p, p:full.shape[3] - p]
        return out + self.bias.reshape(1, -1, 1, 1)

    def backward(self, grad):
        k, s, p = self.kernel_size, self.stride, self.padding
        g = np.pad(grad, ((0, 0), (0, 0), (p, p), (p, p)))
        dx = np.zeros_like(self.x)
        self.grad_weight = np.zeros_like(self.weight)
        for i in range(self.x.shape[2]):
            for j in range(self.x.shape[3]):
                patch = g[:, :, i * s:i * s + k, j * s:j * s + k]
                dx[:, :, i, j] = np.tensordot(patch, self.weight, axes=([1, 2, 3], [1, 2, 3]))
                self.grad_weight += np.tensordot(self.x[:, :, i, j], patch, axes=(0, 0))
        self.grad_bias = grad.sum(axis=(0, 2, 3))
        return dx
