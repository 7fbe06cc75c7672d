import numpy as np
from itertools import product


def _to_triple(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * 3


class Conv3d:
    """The arguments of torch.nn.Conv3d, on NumPy arrays."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1):
        self.kernel_size = _to_triple(kernel_size)
        self.stride = _to_triple(stride)
        self.padding = _to_triple(padding)
        self.dilation = _to_triple(dilation)
        self.groups = groups
        self.weight = np.random.randn(out_channels, in_channels // groups, *self.kernel_size)
        self.bias = np.zeros(out_channels)
        self.weight_grad = None
        self.bias_grad = None

    def _reads(self, outputs):
        """For every tap the slices that it reads."""
        for tap in product(*map(range, self.kernel_size)):
            yield tap, tuple(
                slice(t * d, t * d + (o - 1) * s + 1, s)
                for t, d, s, o in zip(tap, self.dilation, self.stride, outputs)
            )

    def forward(self, x):
        self.input_shape = x.shape
        self.padded = np.pad(x, ((0, 0), (0, 0)) + tuple((p, p) for p in self.padding))
        out_shape = tuple(
            (n - d * (k - 1) - 1) // s + 1
            for n, d, k, s in zip(self.padded.shape[2:], self.dilation, self.kernel_size, self.stride)
        )
        g = self.groups
        cin, cout = self.weight.shape[1], self.weight.shape[0] // g
        out = np.zeros((x.shape[0], g * cout) + out_shape)
        for tap, where in self._reads(out_shape):
            for i in range(g):
                part = self.padded[(slice(None), slice(i * cin, (i + 1) * cin)) + where]
                w = self.weight[(slice(i * cout, (i + 1) * cout), slice(None)) + tap]
                out[:, i * cout:(i + 1) * cout] += np.einsum("ncxyz,fc->nfxyz", part, w)
        return out + self.bias.reshape(1, -1, 1, 1, 1)

    def backward(self, grad_out):
        g = self.groups
        cin, cout = self.weight.shape[1], self.weight.shape[0] // g
        grad_padded = np.zeros_like(self.padded)
        self.weight_grad = np.zeros_like(self.weight)
        self.bias_grad = grad_out.sum(axis=(0, 2, 3, 4))
        for tap, where in self._reads(grad_out.shape[2:]):
            for i in range(g):
                read = (slice(None), slice(i * cin, (i + 1) * cin)) + where
                rows = slice(i * cout, (i + 1) * cout)
                error = grad_out[:, rows]
                self.weight_grad[(rows, slice(None)) + tap] = np.einsum(
                    "nfxyz,ncxyz->fc", error, self.padded[read])
                grad_padded[read] += np.einsum("nfxyz,fc->ncxyz", error, self.weight[(rows, slice(None)) + tap])
        inside = tuple(slice(p, p + n) for p, n in zip(self.padding, self.input_shape[2:]))
        return grad_padded[(slice(None), slice(None)) + inside]
