import numpy as np


class ConvLayer:
    def __init__(self, n_filters, n_channels, filter_size, stride=1, pad=0):
        self.stride, self.pad, self.f = stride, pad, filter_size
        self.weights = np.random.randn(n_filters, n_channels, filter_size, filter_size)
        self.biases = np.zeros(n_filters)

    def forward(self, inputs):
        print "conv forward", inputs.shape
        self.inputs = inputs
        N, C, H, W = inputs.shape
        F = self.weights.shape[0]
        f, s, p = self.f, self.stride, self.pad
        self.padded = np.pad(inputs, ((0, 0), (0, 0), (p, p), (p, p)), 'constant')
        h = (H - f + 2 * p) / s + 1
        w = (W - f + 2 * p) / s + 1
        out = np.zeros((N, F, h, w))
        for n in xrange(N):
            for k in xrange(F):
                for i in xrange(h):
                    for j in xrange(w):
                        out[n, k, i, j] = np.sum(self.padded[n, :, i*s:i*s+f, j*s:j*s+f] * self.weights[k]) + self.biases[k]
        return out

    def backward(self, d_outputs):
        N, C, H, W = self.inputs.shape
        f, s, p = self.f, self.stride, self.pad
        self.d_weights = np.zeros_like(self.weights)
        d_padded = np.zeros_like(self.padded)
        for n in xrange(N):
            for k in xrange(self.weights.shape[0]):
                for i in xrange(d_outputs.shape[2]):
                    for j in xrange(d_outputs.shape[3]):
                        d = d_outputs[n, k, i, j]
                        self.d_weights[k] += d * self.padded[n, :, i*s:i*s+f, j*s:j*s+f]
                        d_padded[n, :, i*s:i*s+f, j*s:j*s+f] += d * self.weights[k]
        self.d_biases = d_outputs.sum(axis=(0, 2, 3))
        return d_padded[:, :, p:p+H, p:p+W]


if __name__ == '__main__':
    layer = ConvLayer(8, 3, 3)
    print layer.forward(np.random.randn(1, 3, 8, 8)).shape
