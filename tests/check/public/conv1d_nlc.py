import numpy as np

class TemporalConv:
    """1D convolution over (batch, time, features) sequences."""

    def __init__(self, n_features, n_filters, width, dilation=1, lr=0.01):
        self.width = width
        self.dilation = dilation
        self.lr = lr
        self.W = 0.1 * np.random.randn(width, n_features, n_filters)
        self.b = np.zeros(n_filters)

    def forward(self, X):
        self.X = X
        T = X.shape[1] - (self.width - 1) * self.dilation
        Y = np.zeros((X.shape[0], T, self.W.shape[2]))
        for k in range(self.width):
            s = k * self.dilation
            Y += X[:, s:s + T] @ self.W[k]
        return Y + self.b

    def backward(self, dY):
        T = dY.shape[1]
        self.dW = np.zeros_like(self.W)
        dX = np.zeros_like(self.X)
        for k in range(self.width):
            s = k * self.dilation
            self.dW[k] = np.einsum('nti,nto->io', self.X[:, s:s + T], dY)
            dX[:, s:s + T] += dY @ self.W[k].T
        self.db = dY.sum(axis=(0, 1))
        return dX

    def update(self):
        self.W -= self.lr * self.dW
        self.b -= self.lr * self.db
