import numpy as np


class Convolution2D:
    def __init__(self, input_channel, num_filters, kernel_size, stride, padding, learning_rate=0.01):
        self.F = num_filters
        self.K = kernel_size
        self.C = input_channel
        self.s = stride
        self.p = padding
        self.lr = learning_rate
        self.weights = np.random.normal(0, 0.1, (self.F, self.C, self.K, self.K))
        self.bias = np.zeros((self.F, 1))

    def forward(self, inputs):
        C, W, H = inputs.shape
        p = self.p
        self.inputs = np.zeros((C, W + 2 * p, H + 2 * p))
        for c in range(C):
            self.inputs[c, p:p + W, p:p + H] = inputs[c]
        WW = (W + 2 * p - self.K) // self.s + 1
        HH = (H + 2 * p - self.K) // self.s + 1
        feature_maps = np.zeros((self.F, WW, HH))
        for f in range(self.F):
            for w in range(WW):
                for h in range(HH):
                    a, b = w * self.s, h * self.s
                    feature_maps[f, w, h] = np.sum(self.inputs[:, a:a + self.K, b:b + self.K] * self.weights[f]) + self.bias[f, 0]
        return feature_maps

    def backward(self, dy):
        C, W, H = self.inputs.shape
        dx = np.zeros(self.inputs.shape)
        dw = np.zeros(self.weights.shape)
        db = np.zeros(self.bias.shape)
        F, WW, HH = dy.shape
        for f in range(F):
            for w in range(WW):
                for h in range(HH):
                    a, b = w * self.s, h * self.s
                    dw[f] += dy[f, w, h] * self.inputs[:, a:a + self.K, b:b + self.K]
                    dx[:, a:a + self.K, b:b + self.K] += dy[f, w, h] * self.weights[f]
        for f in range(F):
            db[f] = np.sum(dy[f])
        self.weights -= self.lr * dw
        self.bias -= self.lr * db
        return dx[:, self.p:W - self.p, self.p:H - self.p]
