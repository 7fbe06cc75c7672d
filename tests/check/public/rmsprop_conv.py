import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


class Conv2d:
    def __init__(self, c_in, c_out, ksize=3, stride=1, pad=1, rho=0.99, eps=1e-8):
        if isinstance(ksize, int):
            ksize = (ksize, ksize)
        self.ksize, self.stride, self.pad = ksize, stride, pad
        self.rho, self.eps = rho, eps
        self.W = np.random.uniform(-0.1, 0.1, size=(c_out, c_in) + tuple(ksize))
        self.b = np.zeros(c_out)
        self.cache_W = np.zeros_like(self.W)
        self.cache_b = np.zeros_like(self.b)

    def __call__(self, x):
        p, s = self.pad, self.stride
        self.x_shape = x.shape
        self.xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        self.win = sliding_window_view(self.xp, self.ksize, axis=(2, 3))[:, :, ::s, ::s]
        return np.einsum('nchwij,kcij->nkhw', self.win, self.W) + self.b.reshape(1, -1, 1, 1)

    def backward(self, dy, lr):
        p, s = self.pad, self.stride
        kh, kw = self.ksize
        oh, ow = dy.shape[2:]
        self.dW = np.einsum('nchwij,nkhw->kcij', self.win, dy)
        self.db = dy.sum((0, 2, 3))
        dxp = np.zeros_like(self.xp)
        for i in range(kh):
            for j in range(kw):
                dxp[:, :, i:i + s * oh:s, j:j + s * ow:s] += np.einsum('nkhw,kc->nchw', dy, self.W[:, :, i, j])
        dx = dxp[:, :, p:dxp.shape[2] - p, p:dxp.shape[3] - p]

        self.cache_W = self.rho * self.cache_W + (1 - self.rho) * self.dW ** 2
        self.cache_b = self.rho * self.cache_b + (1 - self.rho) * self.db ** 2
        self.W -= lr * self.dW / (np.sqrt(self.cache_W) + self.eps)
        self.b -= lr * self.db / (np.sqrt(self.cache_b) + self.eps)
        return dx
