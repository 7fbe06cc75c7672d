import numpy as np


class Conv2D(object):

    def __init__(self, num_filters, filter_size, num_channels, stride=1, pad=0, momentum=0.9):
        self.num_filters = num_filters
        self.filter_size = filter_size
        self.stride = stride
        self.pad = pad
        self.momentum = momentum
        self.W = np.random.normal(0, 0.1, (num_filters, num_channels, filter_size, filter_size))
        self.b = np.zeros((num_filters, 1))
        self.vW = np.zeros(self.W.shape)
        self.vb = np.zeros(self.b.shape)

    def forward(self, X):
        self.X = X
        N, C, H, W = X.shape
        f, s, p = self.filter_size, self.stride, self.pad
        self.Xp = np.pad(X, ((0, 0), (0, 0), (p, p), (p, p)), 'constant')
        oh = (H - f + 2 * p) // s + 1
        ow = (W - f + 2 * p) // s + 1
        Z = np.zeros((N, self.num_filters, oh, ow))
        for n in range(N):
            for k in range(self.num_filters):
                for i in range(oh):
                    for j in range(ow):
                        Z[n, k, i, j] = np.sum(self.Xp[n, :, i*s:i*s+f, j*s:j*s+f] * self.W[k]) + self.b[k, 0]
        return Z

    def backward(self, dZ, lr=0.01):
        f, s, p = self.filter_size, self.stride, self.pad
        N, K, oh, ow = dZ.shape
        dW = np.zeros(self.W.shape)
        db = np.zeros(self.b.shape)
        dXp = np.zeros(self.Xp.shape)
        for n in range(N):
            for k in range(K):
                for i in range(oh):
                    for j in range(ow):
                        dW[k] += self.Xp[n, :, i*s:i*s+f, j*s:j*s+f] * dZ[n, k, i, j]
                        dXp[n, :, i*s:i*s+f, j*s:j*s+f] += self.W[k] * dZ[n, k, i, j]
                        db[k] += dZ[n, k, i, j]
        self.vW = self.momentum * self.vW - lr * dW
        self.vb = self.momentum * self.vb - lr * db
        self.W += self.vW
        self.b += self.vb
        if p:
            return dXp[:, :, p:-p, p:-p]
        return dXp
