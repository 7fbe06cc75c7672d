import numpy as np


class Conv2D:
    """Channels last, padding 'same' or 'valid'."""

    def __init__(self, filters, kernel_size, in_channels, strides=1, padding='valid'):
        self.kernel_size = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        self.strides = strides
        self.padding = padding.lower()
        self.kernel = np.random.randn(*self.kernel_size, in_channels, filters)
        self.bias = np.zeros(filters)

    def _pads(self, size, k):
        if self.padding == 'valid':
            return (size - k) // self.strides + 1, 0, 0
        out = -(-size // self.strides)
        total = max((out - 1) * self.strides + k - size, 0)
        return out, total // 2, total - total // 2

    def call(self, inputs):
        kh, kw = self.kernel_size
        s = self.strides
        n, h, w, c = inputs.shape
        oh, top, bottom = self._pads(h, kh)
        ow, left, right = self._pads(w, kw)
        self.inputs = inputs
        padded = np.pad(inputs, ((0, 0), (top, bottom), (left, right), (0, 0)))
        out = np.zeros((n, oh, ow, self.kernel.shape[-1]))
        for i in range(oh):
            for j in range(ow):
                out[:, i, j] = np.tensordot(padded[:, i * s:i * s + kh, j * s:j * s + kw], self.kernel, 3)
        return out + self.bias

    def backward(self, grad):
        kh, kw = self.kernel_size
        s = self.strides
        n, h, w, c = self.inputs.shape
        oh, top, bottom = self._pads(h, kh)
        ow, left, right = self._pads(w, kw)
        padded = np.pad(self.inputs, ((0, 0), (top, bottom), (left, right), (0, 0)))
        d_padded = np.zeros_like(padded)
        d_kernel = np.zeros_like(self.kernel)
        for i in range(oh):
            for j in range(ow):
                g = grad[:, i, j]
                d_kernel += np.tensordot(padded[:, i * s:i * s + kh, j * s:j * s + kw], g, ((0,), (0,)))
                d_padded[:, i * s:i * s + kh, j * s:j * s + kw] += np.tensordot(g, self.kernel, ((1,), (3,)))
        d_inputs = d_padded[:, top:top + h, left:left + w]
        return d_inputs, d_kernel, grad.sum(axis=(0, 1, 2))
