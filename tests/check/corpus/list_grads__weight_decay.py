import numpy as np


class Conv2DLayer:
    def __init__(self, in_depth, out_depth, kernel_size, stride=1, padding=0, activation=None):
        self.stride, self.padding, self.k = stride, padding, kernel_size
        self.activation = activation
        W = np.random.randn(kernel_size, kernel_size, in_depth, out_depth).astype(np.float32)
        b = np.zeros(out_depth, dtype=np.float32)
        self.params = [W, b]
        self.grads = [np.zeros_like(W), np.zeros_like(b)]

    def forward(self, x):
        W, b = self.params
        p, s, k = self.padding, self.stride, self.k
        x = x.astype(np.float32)
        self.xp = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
        n, hp, wp, c = self.xp.shape
        self.oh, self.ow = (hp - k) // s + 1, (wp - k) // s + 1
        z = np.zeros((n, self.oh, self.ow, W.shape[3]), dtype=np.float32)
        for i in range(self.oh):
            for j in range(self.ow):
                patch = self.xp[:, i * s:i * s + k, j * s:j * s + k]
                z[:, i, j] = np.tensordot(patch, W, axes=3) + b
        if self.activation == 'relu':
            self.mask = z > 0
            z = z * self.mask
        return z

    def backward(self, dz):
        W, b = self.params
        p, s, k = self.padding, self.stride, self.k
        dz = dz.astype(np.float32)
        if self.activation == 'relu':
            dz = dz * self.mask
        dW = np.zeros_like(W)
        dxp = np.zeros_like(self.xp)
        for i in range(self.oh):
            for j in range(self.ow):
                patch = self.xp[:, i * s:i * s + k, j * s:j * s + k]
                dW += np.tensordot(patch, dz[:, i, j], axes=((0,), (0,)))
                dxp[:, i * s:i * s + k, j * s:j * s + k] += np.tensordot(dz[:, i, j], W, axes=((1,), (3,)))
        self.grads[0][...] = dW + 1e-4 * W
        self.grads[1][...] = dz.sum(axis=(0, 1, 2))
        n, hp, wp, c = self.xp.shape
        return dxp[:, p:hp - p, p:wp - p]
