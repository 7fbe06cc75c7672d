import numpy as np
from scipy.signal import correlate


class ConvLayer:
    """backward: dX is the full convolution of the (dilated) error with the filters."""

    def __init__(self, n_in, n_out, k, stride=1):
        self.kernels = np.random.rand(n_out, n_in, k, k) - 0.5
        self.bias = np.zeros((n_out, 1, 1))
        self.stride = stride

    def forward(self, X):
        self.X = X
        s = self.stride
        outs = []
        for x in X:
            maps = [correlate(x, K, mode='valid')[0][::s, ::s] for K in self.kernels]
            outs.append(np.array(maps) + self.bias)
        return np.array(outs)

    def _dilate(self, d):
        s = self.stride
        n, f, h, w = d.shape
        out = np.zeros((n, f, (h - 1) * s + 1, (w - 1) * s + 1))
        out[:, :, ::s, ::s] = d
        return out

    def backward(self, dY):
        dY_d = self._dilate(dY)
        dX = np.zeros_like(self.X)
        self.grad_kernels = np.zeros_like(self.kernels)
        for n in range(len(self.X)):
            for f in range(len(self.kernels)):
                for c in range(self.X.shape[1]):
                    self.grad_kernels[f, c] += correlate(self.X[n, c], dY_d[n, f], mode='valid')
                    dX[n, c] += correlate(dY_d[n, f], self.kernels[f, c, ::-1, ::-1], mode='full')
        self.grad_bias = dY.sum(axis=(0, 2, 3)).reshape(self.bias.shape)
        return dX
