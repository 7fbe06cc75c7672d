import numpy as np


class ConvTranspose2d:
    """The arguments of torch.nn.ConvTranspose2d; weight (in, out // groups, kh, kw)."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1):
        self.kernel_size = kernel_size if isinstance(kernel_size, tuple) else (kernel_size, kernel_size)
        self.stride = stride
        self.padding = padding
        self.output_padding = output_padding
        self.groups = groups
        self.weight = np.random.randn(in_channels, out_channels // groups, *self.kernel_size)
        self.bias = np.zeros(out_channels)

    def _placed(self, i, j, n):
        """Where tap (i, j) writes inside the uncropped output."""
        s = self.stride
        return slice(i, i + s * (n[0] - 1) + 1, s), slice(j, j + s * (n[1] - 1) + 1, s)

    def forward(self, x):
        self.x = x
        g, s, p, extra = self.groups, self.stride, self.padding, self.output_padding
        kh, kw = self.kernel_size
        n, c, h, w = x.shape
        per_in, per_out = c // g, self.weight.shape[1]
        full = np.zeros((n, per_out * g, (h - 1) * s + kh + extra, (w - 1) * s + kw + extra))
        for q in range(g):
            a, b = slice(q * per_in, (q + 1) * per_in), slice(q * per_out, (q + 1) * per_out)
            for i in range(kh):
                for j in range(kw):
                    rows, cols = self._placed(i, j, (h, w))
                    full[:, b, rows, cols] += np.einsum('nchw,ck->nkhw', x[:, a], self.weight[a, :, i, j])
        full = full[:, :, p:full.shape[2] - p, p:full.shape[3] - p]
        return full + self.bias[None, :, None, None]

    def backward(self, grad_output):
        g, p = self.groups, self.padding
        kh, kw = self.kernel_size
        n, c, h, w = self.x.shape
        per_in, per_out = c // g, self.weight.shape[1]
        full = np.pad(grad_output, ((0, 0), (0, 0), (p, p), (p, p)))
        grad_input = np.zeros(self.x.shape)
        self.grad_weight = np.zeros(self.weight.shape)
        self.grad_bias = grad_output.sum(axis=(0, 2, 3))
        for q in range(g):
            a, b = slice(q * per_in, (q + 1) * per_in), slice(q * per_out, (q + 1) * per_out)
            for i in range(kh):
                for j in range(kw):
                    rows, cols = self._placed(i, j, (h, w))
                    part = full[:, b, rows, cols]
                    grad_input[:, a] += np.einsum('nkhw,ck->nchw', part, self.weight[a, :, i, j])
                    self.grad_weight[a, :, i, j] = np.einsum('nchw,nkhw->ck', self.x[:, a], part)
        return grad_input
