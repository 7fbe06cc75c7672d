import numpy as np


class ConvolutionalLayer:
    def __init__(self, n_filters, filter_h, filter_w, in_channels, stride=1):
        self.stride = stride
        self.weights = np.random.randn(n_filters, filter_h, filter_w, in_channels)
        self.bias = np.zeros((n_filters, 1))

    def forward_pass(self, a_prev, training=True):
        self.a_prev = np.array(a_prev, copy=True)
        n, h_in, w_in, _ = a_prev.shape
        n_f, h_f, w_f, _ = self.weights.shape
        h_out = (h_in - h_f) // self.stride + 1
        w_out = (w_in - w_f) // self.stride + 1
        output = np.zeros((n, h_out, w_out, n_f))
        for i in range(h_out):
            for j in range(w_out):
                hs, ws = i * self.stride, j * self.stride
                output[:, i, j, :] = np.sum(
                    a_prev[:, hs:hs + h_f, ws:ws + w_f, None, :].transpose(0, 3, 1, 2, 4) * self.weights[None],
                    axis=(2, 3, 4))
        return output + self.bias[:, 0]

    def backward_pass(self, da_curr):
        n, h_out, w_out, _ = da_curr.shape
        n_f, h_f, w_f, _ = self.weights.shape
        output = np.zeros_like(self.a_prev)
        self._dw = np.zeros_like(self.weights)
        self._db = da_curr.sum(axis=(0, 1, 2)).reshape(self.bias.shape) / n
        for i in range(h_out):
            for j in range(w_out):
                hs, ws = i * self.stride, j * self.stride
                block = self.a_prev[:, hs:hs + h_f, ws:ws + w_f]
                for f in range(n_f):
                    output[:, hs:hs + h_f, ws:ws + w_f] = self.weights[f] * da_curr[:, i, j, f][:, None, None, None]
                    self._dw[f] += np.sum(block * da_curr[:, i, j, f][:, None, None, None], axis=0) / n
        return output

    @property
    def gradients(self):
        return self._dw, self._db
