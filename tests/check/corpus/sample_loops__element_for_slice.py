"""One sample at a time, (C, H, W), gradients returned with the update left to the caller."""
import numpy as np


class Conv:
    def __init__(self, weights, biases, stride=1):
        self.weights = weights
        self.biases = biases
        self.stride = stride

    def forward(self, inp):
        self.inp = inp
        s = self.stride
        k, c, f, g = self.weights.shape
        h, w = inp.shape[1:]
        oh, ow = (h - f) // s + 1, (w - g) // s + 1
        out = np.zeros((k, oh, ow))
        for i in range(k):
            for y in range(oh):
                for x in range(ow):
                    out[i, y, x] = (inp[:, y * s:y * s + f, x * s:x * s + g] * self.weights[i]).sum() + self.biases[i, 0]
        return out

    def backward(self, dout):
        s = self.stride
        k, c, f, g = self.weights.shape
        _, oh, ow = dout.shape
        dinp = np.zeros(self.inp.shape)
        dweights = np.zeros(self.weights.shape)
        dbiases = np.zeros(self.biases.shape)
        for i in range(k):
            for y in range(oh):
                for x in range(ow):
                    dweights[i] += dout[i, y, x] * self.inp[:, y * s:y * s + f, x * s:x * s + g]
                    dinp[:, y * s, x * s] += dout[i, y, x] * self.weights[i, :, 0, 0]
            dbiases[i] = dout[i].sum()
        return dinp, dweights, dbiases
