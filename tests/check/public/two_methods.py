import numpy as np

class ConvOp:
    """y = conv(x, w) + b, gradients by separate methods."""

    def __init__(self, w, b, stride=1):
        self.w = w
        self.b = b
        self.stride = stride

    def __call__(self, x):
        self.x = x
        k, _, r, s = self.w.shape
        n, c, h, w = x.shape
        ho, wo = (h - r) // self.stride + 1, (w - s) // self.stride + 1
        y = np.zeros((n, k, ho, wo))
        for i in range(ho):
            for j in range(wo):
                y[:, :, i, j] = np.einsum('ncrs,kcrs->nk', x[:, :, i * self.stride:i * self.stride + r, j * self.stride:j * self.stride + s], self.w)
        return y + self.b[None, :, None, None]

    def grad_input(self, dy):
        k, _, r, s = self.w.shape
        dx = np.zeros(self.x.shape)
        for i in range(dy.shape[2]):
            for j in range(dy.shape[3]):
                dx[:, :, i * self.stride:i * self.stride + r, j * self.stride:j * self.stride + s] += np.einsum('nk,kcrs->ncrs', dy[:, :, i, j], self.w)
        return dx

    def grad_weights(self, dy):
        k, _, r, s = self.w.shape
        dw = np.zeros(self.w.shape)
        for i in range(dy.shape[2]):
            for j in range(dy.shape[3]):
                dw += np.einsum('nk,ncrs->kcrs', dy[:, :, i, j], self.x[:, :, i * self.stride:i * self.stride + r, j * self.stride:j * self.stride + s])
        return dw

    def grad_bias(self, dy):
        return dy.sum(axis=(0, 2, 3))
