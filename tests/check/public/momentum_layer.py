import numpy as np

class ConvLayer(object):

    def __init__(self, in_depth, n_filters, filter_size, stride=1, zero_pad=0, learning_rate=0.01, momentum=0.9):
        self.in_depth = in_depth
        self.n_filters = n_filters
        self.F = filter_size
        self.S = stride
        self.P = zero_pad
        self.lr = learning_rate
        self.mu = momentum
        self.weights = np.random.randn(n_filters, in_depth, filter_size, filter_size) * 0.1
        self.bias = np.zeros(n_filters)
        self.v_w = np.zeros_like(self.weights)
        self.v_b = np.zeros_like(self.bias)

    def forward(self, X):
        self.X = X
        n, d, h, w = X.shape
        oh = (h - self.F + 2 * self.P) // self.S + 1
        ow = (w - self.F + 2 * self.P) // self.S + 1
        self.Xp = np.pad(X, ((0, 0), (0, 0), (self.P, self.P), (self.P, self.P)), 'constant')
        out = np.zeros((n, self.n_filters, oh, ow))
        for i in range(oh):
            for j in range(ow):
                patch = self.Xp[:, :, i * self.S:i * self.S + self.F, j * self.S:j * self.S + self.F]
                for f in range(self.n_filters):
                    out[:, f, i, j] = np.sum(patch * self.weights[f], axis=(1, 2, 3)) + self.bias[f]
        return out

    def backward(self, dY):
        n, _, oh, ow = dY.shape
        dXp = np.zeros_like(self.Xp)
        dW = np.zeros_like(self.weights)
        for i in range(oh):
            for j in range(ow):
                rows = slice(i * self.S, i * self.S + self.F)
                cols = slice(j * self.S, j * self.S + self.F)
                patch = self.Xp[:, :, rows, cols]
                for f in range(self.n_filters):
                    g = dY[:, f, i, j][:, None, None, None]
                    dW[f] += np.sum(patch * g, axis=0)
                    dXp[:, :, rows, cols] += g * self.weights[f]
        db = dY.sum(axis=(0, 2, 3))

        # momentum update
        self.v_w = self.mu * self.v_w - self.lr * dW
        self.v_b = self.mu * self.v_b - self.lr * db
        self.weights += self.v_w
        self.bias += self.v_b

        h, w = self.X.shape[2:]
        return dXp[:, :, self.P:self.P + h, self.P:self.P + w]
