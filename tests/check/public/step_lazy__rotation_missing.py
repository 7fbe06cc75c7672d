# tiny cnn from scratch
import numpy as np
from scipy import signal

class Conv2DLayer():
    def __init__(self, input_channels, output_channels, kernel):
        self.kh, self.kw = kernel
        self.filters = np.random.randn(output_channels, input_channels, self.kh, self.kw)
        self.biases = np.random.randn(output_channels)

    def forward(self, input):
        self.input = input
        res = []
        for img in input:
            maps = []
            for f, b in zip(self.filters, self.biases):
                acc = 0
                for ch, kern in zip(img, f):
                    acc = acc + signal.correlate2d(ch, kern, mode='valid')
                maps.append(acc + b)
            res.append(maps)
        return np.array(res)

    def backward(self, error):
        self.error = error
        grad_in = np.zeros(self.input.shape)
        for n in range(error.shape[0]):
            for c in range(self.filters.shape[1]):
                for f in range(self.filters.shape[0]):
                    grad_in[n, c] += signal.correlate2d(error[n, f], self.filters[f, c], mode='full')
        return grad_in

    def step(self, learning_rate):
        for f in range(self.filters.shape[0]):
            for c in range(self.filters.shape[1]):
                total = 0
                for n in range(self.error.shape[0]):
                    total = total + signal.correlate2d(self.input[n, c], self.error[n, f], mode='valid')
                self.filters[f, c] -= learning_rate * total
            self.biases[f] -= learning_rate * self.error[:, f].sum()
