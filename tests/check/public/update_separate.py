import numpy as np


class Layer:
    def forward(self, x): raise NotImplementedError
    def backward(self, grad): raise NotImplementedError
    def update(self, lr): pass


class Flatten(Layer):
    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), -1)
    def backward(self, grad):
        return grad.reshape(self.shape)


class Conv(Layer):
    """2D convolution, (batch, channels, rows, cols)"""
    def __init__(self, n_in, n_out, ksize=3, stride=1, padding=1):
        self.n_in, self.n_out = n_in, n_out
        self.ksize, self.stride, self.padding = ksize, stride, padding
        scale = np.sqrt(2 / (n_in * ksize * ksize))
        self.__w = None
        self.kernel = np.random.normal(0, scale, (n_out, n_in, ksize, ksize))
        self.bias = np.zeros((n_out, 1))

    def forward(self, x):
        p, s, k = self.padding, self.stride, self.ksize
        self._in_shape = x.shape
        xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        win = np.lib.stride_tricks.sliding_window_view(xp, (k, k), axis=(2, 3))[:, :, ::s, ::s]
        self._win = win
        return np.einsum('ncijuv,fcuv->nfij', win, self.kernel) + self.bias[None, :, :, None]

    def backward(self, grad):
        p, s, k = self.padding, self.stride, self.ksize
        self._acc = [np.einsum('nfij,ncijuv->fcuv', grad, self._win),
                     grad.sum((0, 2, 3))[:, None]]
        n, c, h, w = self._in_shape
        out = np.zeros((n, c, h + 2 * p, w + 2 * p))
        for u in range(k):
            for v in range(k):
                t = np.tensordot(grad, self.kernel[:, :, u, v], axes=(1, 0))
                out[:, :, u:u + s * grad.shape[2]:s, v:v + s * grad.shape[3]:s] += t.transpose(0, 3, 1, 2)
        return out[:, :, p:p + h, p:p + w]

    def update(self, lr):
        self.kernel -= lr * self._acc[0]
        self.bias -= lr * self._acc[1]
