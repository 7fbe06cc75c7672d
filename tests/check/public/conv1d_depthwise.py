import numpy as np

class DepthwiseConv1d:
    # x: (batch, channels, time); weight: (channels, width)
    def __init__(self, channels, width, pad=0):
        self.pad = pad
        self.weight = np.random.randn(channels, width)
        self.bias = np.zeros(channels)

    def forward(self, x):
        self.x = np.pad(x, ((0, 0), (0, 0), (self.pad, self.pad)))
        t = self.x.shape[2] - self.weight.shape[1] + 1
        return sum(self.x[:, :, k:k + t] * self.weight[None, :, k, None] for k in range(self.weight.shape[1])) + self.bias[None, :, None]

    def backward(self, dy):
        t = dy.shape[2]
        self.dweight = np.stack([(self.x[:, :, k:k + t] * dy).sum(axis=(0, 2)) for k in range(self.weight.shape[1])], axis=1)
        self.dbias = dy.sum(axis=(0, 2))
        dx = np.zeros_like(self.x)
        for k in range(self.weight.shape[1]):
            dx[:, :, k:k + t] += dy * self.weight[None, :, k, None]
        return dx[:, :, self.pad:dx.shape[2] - self.pad]
