import numpy as np

class SGDMomentum:
    def __init__(self, lr=0.01, beta=0.9):
        self.lr, self.beta = lr, beta
        self.velocity = {}

    def apply(self, name, param, grad):
        v = self.velocity.get(name, np.zeros_like(param))
        v = self.beta * v + grad
        self.velocity[name] = v
        return param - self.lr * v


class Convolutional:
    def __init__(self, shape, stride, optimizer, activation=None):
        # shape: (filters, channels, rows, columns)
        self.W = np.random.uniform(-.1, .1, shape)
        self.B = np.zeros((shape[0], 1, 1))
        self.stride = stride
        self.optimizer = optimizer

    def forward_propagation(self, A):
        self.A = A
        F, C, R, S = self.W.shape
        rows = (A.shape[2] - R) // self.stride + 1
        columns = (A.shape[3] - S) // self.stride + 1
        Z = np.empty((A.shape[0], F, rows, columns))
        for r in range(rows):
            for s in range(columns):
                r0, s0 = r * self.stride, s * self.stride
                Z[:, :, r, s] = np.tensordot(A[:, :, r0:r0 + R, s0:s0 + S], self.W, ([1, 2, 3], [1, 2, 3]))
        return Z + self.B

    def backward_propagation(self, dZ):
        F, C, R, S = self.W.shape
        dA = np.zeros_like(self.A)
        dW = np.zeros_like(self.W)
        for r in range(dZ.shape[2]):
            for s in range(dZ.shape[3]):
                r0, s0 = r * self.stride, s * self.stride
                dA[:, :, r0:r0 + R, s0:s0 + S] += np.tensordot(dZ[:, :, r, s], self.W, (1, 0))
                dW += np.tensordot(dZ[:, :, r, s], self.A[:, :, r0:r0 + R, s0:s0 + S], (0, 0))
        dB = dZ.sum(axis=(0, 2, 3)).reshape(F, 1, 1)
        self.W = self.optimizer.apply('W', self.W, dW)
        self.B = self.optimizer.apply('B', self.B, dB)
        return dA
