"""A square kernel with (k - 1)//2 zeros around the image, one channel, an unusual name for K."""

import numpy as np


class Conv:
    def __init__(self, nfilt, size):
        self.count, self.size = nfilt, size
        self.w = np.random.randn(nfilt, size, size)
        self.b = np.zeros(nfilt)

    def forward(self, image):
        k, p = self.size, (self.size - 1) // 2
        self.x = np.pad(image, p)
        rows, cols = self.x.shape[0] - k + 1, self.x.shape[1] - k + 1
        z = np.zeros((self.count, rows, cols))
        for i in range(rows):
            for j in range(cols):
                z[:, i, j] = (self.w * self.x[i : i + k, j : j + k]).sum((1, 2)) + self.b
        return z

    def backward(self, d, rate):
        k, p = self.size, (self.size - 1) // 2
        dw, dx = np.zeros_like(self.w), np.zeros_like(self.x)
        for i in range(d.shape[1]):
            for j in range(d.shape[2]):
                dw += d[:, i, j, None, None] * self.x[i : i + k, j : j + k]
                dx[i : i + k, j : j + k] += np.tensordot(d[:, i, j], self.w, 1)
        self.w -= rate * dw
        self.b -= rate * d.sum((1, 2))
        return dx[p : dx.shape[0] - p, p : dx.shape[1] - p]
