import numpy as np

class SGD:
    def __init__(self, lr):
        self.lr = lr
    def step(self, layer):
        layer.weights = layer.weights - self.lr * layer._dw
        layer.biases = layer.biases - self.lr * layer._db

class Conv:
    def __init__(self, shape_in, n_kernels, kernel_size, padding=0, stride=1):
        # shape_in: (channels, height, width)
        self.shape_in = shape_in
        self.padding, self.stride, self.kernel_size = padding, stride, kernel_size
        self.weights = np.random.randn(n_kernels, shape_in[0], kernel_size, kernel_size)
        self.biases = np.zeros(n_kernels)

    def forward(self, batch):
        p, s, k = self.padding, self.stride, self.kernel_size
        self.batch = np.pad(batch, ((0, 0), (0, 0), (p, p), (p, p)))
        rows = range(0, self.batch.shape[2] - k + 1, s)
        cols = range(0, self.batch.shape[3] - k + 1, s)
        self.corners = [(i, j, r, c) for i, r in enumerate(rows) for j, c in enumerate(cols)]
        out = np.zeros((len(batch), len(self.weights), len(rows), len(cols)))
        for i, j, r, c in self.corners:
            out[:, :, i, j] = np.einsum('bcuv,kcuv->bk', self.batch[:, :, r:r+k, c:c+k], self.weights) + self.biases
        return out

    def backward(self, grad, optimizer):
        k, p = self.kernel_size, self.padding
        self._dw = np.zeros_like(self.weights)
        self._db = np.sum(grad, axis=(0, 2, 3))
        d = np.zeros_like(self.batch)
        for i, j, r, c in self.corners:
            self._dw += np.einsum('bk,bcuv->kcuv', grad[:, :, i, j], self.batch[:, :, r:r+k, c:c+k])
            d[:, :, r:r+k, c:c+k] += np.einsum('bk,kcuv->bcuv', grad[:, :, i, j], self.weights)
        optimizer.step(self)
        return d[:, :, p:d.shape[2] - p, p:d.shape[3] - p]
