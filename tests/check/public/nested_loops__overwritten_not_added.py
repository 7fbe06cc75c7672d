import numpy as np


class Conv:
    def __init__(self, num_channels, num_filters, size, stride=1):
        self.F, self.C, self.K, self.S = num_filters, num_channels, size, stride
        self.weights = {"W": np.random.randn(self.F, self.C, self.K, self.K), "b": np.zeros((self.F, 1))}
        self.gradients = {"dW": np.zeros((self.F, self.C, self.K, self.K)), "db": np.zeros((self.F, 1))}

    def forward(self, inputs):
        self.inputs = inputs
        n, c, h, w = inputs.shape
        oh, ow = (h - self.K) // self.S + 1, (w - self.K) // self.S + 1
        out = np.zeros((n, self.F, oh, ow))
        for b in range(n):
            for f in range(self.F):
                for i in range(oh):
                    for j in range(ow):
                        window = inputs[b, :, i * self.S:i * self.S + self.K, j * self.S:j * self.S + self.K]
                        out[b, f, i, j] = (window * self.weights["W"][f]).sum() + self.weights["b"][f, 0]
        return out

    def backward(self, dy):
        dx = np.zeros(self.inputs.shape)
        dW = np.zeros(self.weights["W"].shape)
        db = np.zeros(self.weights["b"].shape)
        n, f_, oh, ow = dy.shape
        for b in range(n):
            for f in range(self.F):
                for i in range(oh):
                    for j in range(ow):
                        sl = (b, slice(None), slice(i * self.S, i * self.S + self.K), slice(j * self.S, j * self.S + self.K))
                        dW[f] += dy[b, f, i, j] * self.inputs[sl]
                        dx[sl] += dy[b, f, i, j] * self.weights["W"][f]
                db[f] = np.sum(dy[b, f])
        self.gradients["dW"], self.gradients["db"] = dW, db
        return dx
