"""cuda-convnet order: channel, row, column, image.  Weights: channel, row, column, filter."""
import numpy as np


class ConvCHWN(object):
    def __init__(self, weights, biases, stride=1, pad=0):
        self.weights = weights
        self.biases = biases
        self.stride = stride
        self.pad = pad
        self.weights_inc = None
        self.biases_inc = None

    def fprop(self, images):
        p, s = self.pad, self.stride
        C, KH, KW, K = self.weights.shape
        self.images = np.pad(images, ((0, 0), (p, p), (p, p), (0, 0)), 'constant')
        _, H, W, N = self.images.shape
        MH, MW = (H - KH) // s + 1, (W - KW) // s + 1
        targets = np.zeros((K, MH, MW, N))
        for my in range(MH):
            for mx in range(MW):
                patch = self.images[:, my * s:my * s + KH, mx * s:mx * s + KW, :].reshape(-1, N)
                targets[:, my, mx, :] = self.weights.reshape(-1, K).T.dot(patch) + self.biases.reshape(K, 1)
        return targets

    def bprop(self, hid_acts):
        p, s = self.pad, self.stride
        C, KH, KW, K = self.weights.shape
        _, MH, MW, N = hid_acts.shape
        dimages = np.zeros(self.images.shape)
        self.weights_inc = np.zeros(self.weights.shape)
        flat = self.weights.reshape(-1, K)
        for my in range(MH):
            for mx in range(MW):
                d = hid_acts[:, my, mx, :]
                patch = self.images[:, my * s:my * s + KH, mx * s:mx * s + KW, :].reshape(-1, N)
                self.weights_inc = patch.dot(d.T).reshape(self.weights.shape)
                dimages[:, my * s:my * s + KH, mx * s:mx * s + KW, :] += flat.dot(d).reshape(C, KH, KW, N)
        self.biases_inc = hid_acts.sum(axis=(1, 2, 3)).reshape(self.biases.shape)
        if p == 0:
            return dimages
        return dimages[:, p:-p, p:-p, :]
