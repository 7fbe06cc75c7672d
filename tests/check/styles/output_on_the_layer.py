"""Nothing is returned: output and gradients are left on the layer, the bias of shape (K, 1, 1)."""

import numpy as np


class LayerConv2D:
    def __init__(self, n_kernels, n_channels, kernel_size, stride=1, weight_regularizer_l2=0):
        self.weights = 0.01 * np.random.randn(n_kernels, n_channels, kernel_size, kernel_size)
        self.biases = np.zeros((n_kernels, 1, 1))
        self.stride, self.weight_regularizer_l2 = stride, weight_regularizer_l2

    def forward(self, inputs, training):
        self.inputs, k, s = inputs, self.weights.shape[2], self.stride
        rows, cols = (inputs.shape[2] - k) // s + 1, (inputs.shape[3] - k) // s + 1
        self.output = np.zeros((len(inputs), len(self.weights), rows, cols))
        for i in range(rows):
            for j in range(cols):
                window = inputs[:, None, :, i * s : i * s + k, j * s : j * s + k]
                self.output[:, :, i, j] = (window * self.weights).sum((2, 3, 4))
        self.output += self.biases

    def backward(self, dvalues):
        k, s = self.weights.shape[2], self.stride
        self.dweights = np.zeros_like(self.weights)
        self.dinputs = np.zeros_like(self.inputs)
        for i in range(dvalues.shape[2]):
            for j in range(dvalues.shape[3]):
                at = np.s_[:, :, i * s : i * s + k, j * s : j * s + k]
                d = dvalues[:, :, i, j]
                self.dweights += np.einsum("nk,ncab->kcab", d, self.inputs[at])
                self.dinputs[at] += np.einsum("nk,kcab->ncab", d, self.weights)
        self.dbiases = dvalues.sum((0, 2, 3)).reshape(self.biases.shape)
        if self.weight_regularizer_l2 > 0:
            self.dweights += 2 * self.weight_regularizer_l2 * self.weights
