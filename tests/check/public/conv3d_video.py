import numpy as np


class Conv3d:
    """x: (N, C, D, H, W), w: (K, C, kd, kh, kw)."""

    def __init__(self, in_channels, out_channels, kernel_size=3, stride=1, padding=0):
        if isinstance(kernel_size, int):
            kernel_size = (kernel_size,) * 3
        self.stride, self.padding = stride, padding
        self.weight = np.random.randn(out_channels, in_channels, *kernel_size) * 0.1
        self.bias = np.zeros(out_channels)

    def forward(self, x):
        p, s = self.padding, self.stride
        self.x = x
        self.xp = xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p), (p, p)))
        k = self.weight.shape[2:]
        self.out = tuple((xp.shape[2 + a] - k[a]) // s + 1 for a in range(3))
        y = np.zeros((x.shape[0], self.weight.shape[0]) + self.out)
        for d in range(k[0]):
            for i in range(k[1]):
                for j in range(k[2]):
                    y += np.einsum('ncdhw,kc->nkdhw', xp[self._at(d, i, j)], self.weight[:, :, d, i, j])
        return y + self.bias.reshape(1, -1, 1, 1, 1)

    def _at(self, *tap):
        s = self.stride
        return (slice(None), slice(None)) + tuple(slice(t, t + s * o, s) for t, o in zip(tap, self.out))

    def backward(self, grad):
        p = self.padding
        k = self.weight.shape[2:]
        self.grad_weight = np.zeros_like(self.weight)
        self.grad_bias = grad.sum(axis=(0, 2, 3, 4))
        gxp = np.zeros_like(self.xp)
        for d in range(k[0]):
            for i in range(k[1]):
                for j in range(k[2]):
                    at = self._at(d, i, j)
                    self.grad_weight[:, :, d, i, j] = np.einsum('nkdhw,ncdhw->kc', grad, self.xp[at])
                    gxp[at] += np.einsum('nkdhw,kc->ncdhw', grad, self.weight[:, :, d, i, j])
        if p == 0:
            return gxp
        return gxp[:, :, p:-p, p:-p, p:-p]
