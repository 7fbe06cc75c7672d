import numpy as np


class ConvLayer:
    """Channels last, one pass over the taps."""

    def __init__(self, filters, kernel_shape, input_channels, stride=(1, 1), padding=(0, 0)):
        kh, kw = kernel_shape
        self.stride = stride
        self.padding = padding
        self.weights = np.random.normal(0, 0.1, size=(kh, kw, input_channels, filters))
        self.bias = np.zeros((1, filters))

    def __call__(self, inputs):
        kh, kw, _, k = self.weights.shape
        sy, sx = self.stride
        py, px = self.padding
        self.padded = np.pad(inputs, ((0, 0), (py, py), (px, px), (0, 0)))
        n, hp, wp, _ = self.padded.shape
        oh, ow = (hp - kh) // sy + 1, (wp - kw) // sx + 1
        out = np.zeros((n, oh, ow, k)) + self.bias
        for i in range(kh):
            for j in range(kw):
                rows = slice(i, i + sy * (oh - 1) + 1, sy)
                cols = slice(j, j + sx * (ow - 1) + 1, sx)
                out += self.padded[:, rows, cols, :] @ self.weights[i, j]
        return out

    def backward(self, grad_output):
        kh, kw, c, k = self.weights.shape
        sy, sx = self.stride
        py, px = self.padding
        n, oh, ow, _ = grad_output.shape
        grad_padded = np.empty(self.padded.shape)
        self.grad_weights = np.zeros(self.weights.shape)
        for i in range(kh):
            for j in range(kw):
                rows = slice(i, i + sy * (oh - 1) + 1, sy)
                cols = slice(j, j + sx * (ow - 1) + 1, sx)
                grad_padded[:, rows, cols, :] += grad_output @ self.weights[i, j].T
                taken = self.padded[:, rows, cols, :]
                self.grad_weights[i, j] = np.tensordot(taken, grad_output, axes=([0, 1, 2], [0, 1, 2]))
        self.grad_bias = grad_output.sum(axis=(0, 1, 2)).reshape(1, -1)
        hp, wp = self.padded.shape[1:3]
        return grad_padded[:, py:hp - py, px:wp - px, :]
