import numpy as np

class PeriodicConv2d:
    """Convolution with periodic (circular) boundary: np.pad(mode='wrap')."""
    def __init__(self, in_channels, out_channels, kernel_size, padding=1):
        self.padding = padding
        self.kernel_size = kernel_size
        self.weight = np.random.randn(out_channels, in_channels, kernel_size, kernel_size)
        self.bias = np.random.randn(out_channels)

    def forward(self, x):
        p = self.padding
        self.x = x
        self.xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), mode='wrap')
        oh, ow = (s - self.kernel_size + 1 for s in self.xp.shape[2:])
        y = 0
        for i in range(self.kernel_size):
            for j in range(self.kernel_size):
                y = y + np.einsum('nchw,kc->nkhw', self.xp[:, :, i:i + oh, j:j + ow], self.weight[:, :, i, j])
        return y + self.bias.reshape(1, -1, 1, 1)

    def backward(self, dy):
        p, (h, w) = self.padding, self.x.shape[2:]
        oh, ow = dy.shape[2:]
        dxp = np.zeros_like(self.xp)
        self.weight_grad = np.zeros_like(self.weight)
        for i in range(self.kernel_size):
            for j in range(self.kernel_size):
                self.weight_grad[:, :, i, j] = np.einsum('nkhw,nchw->kc', dy, self.xp[:, :, i:i + oh, j:j + ow])
                dxp[:, :, i:i + oh, j:j + ow] += np.einsum('nkhw,kc->nchw', dy, self.weight[:, :, i, j])
        self.bias_grad = dy.sum(axis=(0, 2, 3))
        return dxp[:, :, p:p + h, p:p + w]
