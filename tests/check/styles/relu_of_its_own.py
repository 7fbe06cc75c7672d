import numpy as np


def relu(z):
    return np.maximum(0, z)


def relu_prime(z):
    return (z > 0).astype(float)


class ConvReLU:
    def __init__(self, n_channels, n_filters, size):
        self.size = size
        self.W = np.random.randn(n_filters, n_channels, size, size) * 0.1
        self.b = np.zeros(n_filters)

    def forward(self, x):
        self.x = x
        n, c, h, w = x.shape
        k = self.size
        self.z = np.zeros((n, len(self.W), h - k + 1, w - k + 1))
        for i in range(h - k + 1):
            for j in range(w - k + 1):
                self.z[:, :, i, j] = np.tensordot(x[:, :, i:i+k, j:j+k], self.W, axes=((1, 2, 3), (1, 2, 3))) + self.b
        self.a = relu(self.z)
        return self.a

    def backward(self, da):
        k = self.size
        dz = da * relu_prime(self.z)
        self.dW = np.zeros_like(self.W)
        self.db = dz.sum(axis=(0, 2, 3))
        dx = np.zeros(self.x.shape)
        for i in range(dz.shape[2]):
            for j in range(dz.shape[3]):
                self.dW += np.einsum('nk,ncab->kcab', dz[:, :, i, j], self.x[:, :, i:i+k, j:j+k])
                dx[:, :, i:i+k, j:j+k] += np.einsum('nk,kcab->ncab', dz[:, :, i, j], self.W)
        return dx
