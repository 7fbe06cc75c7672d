import numpy as np


class Conv2D:
    def __init__(self, filters, kernel_size=(3, 3), strides=(1, 1), padding='valid', activation=None, use_bias=True, input_shape=None):
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.padding = padding.lower()
        self.use_bias = use_bias
        self.built = False
        if input_shape is not None:
            self.build(input_shape)

    def build(self, input_shape):
        in_c = input_shape[-1]
        self.kernel = np.random.randn(self.kernel_size[0], self.kernel_size[1], in_c, self.filters) * 0.05
        self.bias = np.zeros(self.filters)
        self.built = True

    def _pads(self, size, k, s):
        if self.padding == 'valid':
            return 0, 0
        out = -(-size // s)
        total = max((out - 1) * s + k - size, 0)
        return total // 2, total - total // 2

    def call(self, inputs):
        if not self.built:
            self.build(inputs.shape[1:])
        n, h, w, c = inputs.shape
        (kh, kw), (sh, sw) = self.kernel_size, self.strides
        self.ph, self.pw = self._pads(h, kh, sh), self._pads(w, kw, sw)
        self.inputs = np.pad(inputs, ((0, 0), self.ph, self.pw, (0, 0)))
        self.in_shape = inputs.shape
        oh = (self.inputs.shape[1] - kh) // sh + 1
        ow = (self.inputs.shape[2] - kw) // sw + 1
        out = np.zeros((n, oh, ow, self.filters))
        for i in range(oh):
            for j in range(ow):
                out[:, i, j, :] = np.tensordot(self.inputs[:, i * sh:i * sh + kh, j * sw:j * sw + kw, :], self.kernel, axes=3)
        return out + self.bias if self.use_bias else out

    def __call__(self, inputs):
        return self.call(inputs)

    def backward(self, grads):
        (kh, kw), (sh, sw) = self.kernel_size, self.strides
        d_inputs = np.zeros_like(self.inputs)
        self.d_kernel = np.zeros_like(self.kernel)
        for i in range(grads.shape[1]):
            for j in range(grads.shape[2]):
                win = (slice(None), slice(i * sh, i * sh + kh), slice(j * sw, j * sw + kw))
                self.d_kernel += np.tensordot(self.inputs[win], grads[:, i, j], axes=(0, 0))
                d_inputs[win] += np.tensordot(grads[:, i, j], self.kernel, axes=(1, 3))
        self.d_bias = grads.sum(axis=(0, 1, 2))
        top, left = self.ph[0], self.pw[0]
        return d_inputs[:, top:top + self.in_shape[1], left:left + self.in_shape[2], :]

    def get_weights(self):
        return [self.kernel, self.bias]
