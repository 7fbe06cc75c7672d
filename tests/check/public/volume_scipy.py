import numpy as np
from scipy import signal


class Convolutional3D:
    """One volume (channels, depth, height, width) at a time, 'valid' correlation."""

    def __init__(self, input_shape, kernel_size, depth):
        input_depth, input_d, input_h, input_w = input_shape
        self.depth = depth
        self.input_depth = input_depth
        self.input_shape = input_shape
        self.kernels_shape = (depth, input_depth, kernel_size, kernel_size, kernel_size)
        self.output_shape = (depth, input_d - kernel_size + 1, input_h - kernel_size + 1,
                             input_w - kernel_size + 1)
        self.kernels = np.random.randn(*self.kernels_shape)
        self.biases = np.zeros(depth)

    def forward(self, input):
        self.input = input
        self.output = np.zeros(self.output_shape)
        for i in range(self.depth):
            self.output[i] = self.biases[i]
            for j in range(self.input_depth):
                self.output[i] += signal.correlate(input[j], self.kernels[i, j], "valid", method="direct")
        return self.output

    def backward(self, output_gradient, learning_rate):
        kernels_gradient = np.zeros(self.kernels_shape)
        input_gradient = np.zeros(self.input_shape)
        for i in range(self.depth):
            for j in range(self.input_depth):
                kernels_gradient[i, j] = signal.correlate(self.input[j], output_gradient[i], "valid", method="direct")
                input_gradient[j] += signal.convolve(output_gradient[i], self.kernels[i, j], "full", method="direct")
        self.kernels -= learning_rate * kernels_gradient
        self.biases -= learning_rate * output_gradient.sum(axis=(1, 2, 3))
        return input_gradient
