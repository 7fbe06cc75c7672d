import numpy as np


class Layer:
    params = ()
    def forward(self, x): ...
    def backward(self, dy): ...


class ReLU(Layer):
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask
    def backward(self, dy):
        return dy * self.mask


class MaxPool(Layer):
    def __init__(self, size=2): self.size = size
    def forward(self, x):
        n, c, h, w = x.shape
        k = self.size
        self.x = x.reshape(n, c, h // k, k, w // k, k)
        self.y = self.x.max(axis=(3, 5), keepdims=True)
        return self.y[:, :, :, 0, :, 0]
    def backward(self, dy):
        n, c, h, _, w, _ = self.x.shape
        return ((self.x == self.y) * dy[:, :, :, None, :, None]).reshape(n, c, h * self.size, w * self.size)


class Linear(Layer):
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.sum(0)
        return dy @ self.W.T


class Conv(Layer):
    def __init__(self, n_in, n_out, size, pad=0):
        self.size, self.pad = size, pad
        self.W, self.b = np.random.randn(n_out, n_in * size * size), np.zeros((n_out, 1))
    def cols(self, x):
        win = np.lib.stride_tricks.sliding_window_view(x, (self.size, self.size), axis=(2, 3))
        n, c, h, w, _, _ = win.shape
        return win.transpose(1, 4, 5, 0, 2, 3).reshape(c * self.size ** 2, n * h * w), (n, c, h, w)
    def forward(self, x):
        p = self.pad
        self.xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        self.c, (n, _, h, w) = self.cols(self.xp)
        return (self.W @ self.c + self.b).reshape(-1, n, h, w).swapaxes(0, 1)
    def backward(self, dy):
        n, k, h, w = dy.shape
        rows = dy.reshape(k, n * h * w)
        self.dW, self.db = rows @ self.c.T, rows.sum(axis=1, keepdims=True)
        d = (self.W.T @ rows).reshape(-1, self.size, self.size, n, h, w)
        dx = np.zeros_like(self.xp)
        for i in range(self.size):
            for j in range(self.size):
                dx[:, :, i:i + h, j:j + w] += d[:, i, j].swapaxes(0, 1)
        p = self.pad
        return dx[:, :, p:dx.shape[2] - p, p:dx.shape[3] - p]


class Sequential:
    def __init__(self, *layers): self.layers = layers
    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x
    def backward(self, dy):
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy
    def step(self, lr):
        for layer in self.layers:
            for name in ("W", "b"):
                if hasattr(layer, name):
                    getattr(layer, name)[...] -= lr * getattr(layer, "d" + name)
