import numpy as np
from scipy.signal import fftconvolve


class FFTConv:
    def __init__(self, in_ch, out_ch, k):
        self.weight = np.random.randn(out_ch, in_ch, k, k)
        self.bias = np.zeros(out_ch)

    def forward(self, x):
        self.x = x
        out = []
        for f in range(self.weight.shape[0]):
            flipped = self.weight[f][None, :, ::-1, ::-1]
            out.append(fftconvolve(x, flipped, mode='valid', axes=(2, 3)).sum(axis=1) + self.bias[f])
        return np.stack(out, axis=1)

    def backward(self, grad):
        dx = np.zeros(self.x.shape)
        self.dweight = np.zeros(self.weight.shape)
        for f in range(self.weight.shape[0]):
            g = grad[:, f:f + 1]
            dx += fftconvolve(g, self.weight[f][None], mode='full', axes=(2, 3))
            self.dweight[f] = fftconvolve(self.x[:, :, ::-1, ::-1], g, mode='valid', axes=(2, 3)).sum(axis=0)[:, ::-1, ::-1]
        self.dbias = grad.sum(axis=(0, 2, 3))
        return dx
