import numpy as np


class Conv2D:
    """Keras-like layer.  Input (batch, height, width, channels)."""

    def __init__(self, filters, kernel_size, input_channels, strides=(1, 1), padding='valid'):
        self.filters = filters
        self.kernel_size = kernel_size if isinstance(kernel_size, tuple) else (kernel_size, kernel_size)
        self.strides = strides if isinstance(strides, tuple) else (strides, strides)
        self.padding = padding.lower()
        kh, kw = self.kernel_size
        lim = np.sqrt(6 / (kh * kw * (input_channels + filters)))
        self.kernel = np.random.uniform(-lim, lim, (kh, kw, input_channels, filters))
        self.bias = np.zeros(filters)

    def _amounts(self, shape):
        if self.padding == 'valid':
            return 0, 0, 0, 0
        kh, kw = self.kernel_size
        sh, sw = self.strides
        _, h, w, _ = shape
        th = max((-(-h // sh) - 1) * sh + kh - h, 0)
        tw = max((-(-w // sw) - 1) * sw + kw - w, 0)
        return th // 2, th - th // 2, tw // 2, tw - tw // 2

    def forward(self, inputs):
        self.inputs = inputs
        t, bo, l, r = self._amounts(inputs.shape)
        self.padded = np.pad(inputs, ((0, 0), (t, bo), (l, r), (0, 0)))
        kh, kw = self.kernel_size
        sh, sw = self.strides
        oh = (self.padded.shape[1] - kh) // sh + 1
        ow = (self.padded.shape[2] - kw) // sw + 1
        out = np.zeros((inputs.shape[0], oh, ow, self.filters))
        for i in range(oh):
            for j in range(ow):
                patch = self.padded[:, i * sh:i * sh + kh, j * sw:j * sw + kw, :]
                out[:, i, j, :] = np.tensordot(patch, self.kernel, axes=3) + self.bias
        return out

    def backward(self, grad):
        kh, kw = self.kernel_size
        sh, sw = self.strides
        t, bo, l, r = self._amounts(self.inputs.shape)
        dpad = np.zeros_like(self.padded)
        self.dkernel = np.zeros_like(self.kernel)
        _, oh, ow, _ = grad.shape
        for i in range(oh):
            for j in range(ow):
                g = grad[:, i, j, :]
                patch = self.padded[:, i * sh:i * sh + kh, j * sw:j * sw + kw, :]
                self.dkernel += np.tensordot(patch, g, axes=([0], [0]))
                dpad[:, i * sh:i * sh + kh, j * sw:j * sw + kw, :] += np.tensordot(g, self.kernel, axes=([1], [3]))
        self.dbias = grad.sum(axis=(0, 1, 2))
        h, w = self.inputs.shape[1:3]
        # give back what is inside of the border
        return dpad[:, bo:bo + h, r:r + w, :]
