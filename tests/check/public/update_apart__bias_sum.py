import numpy as np


class Layer:
    def forward(self, x):
        raise NotImplementedError

    def backward(self, grad):
        raise NotImplementedError

    def update(self, lr):
        pass


class ConvolutionLayer(Layer):
    def __init__(self, in_depth, n_filters, size, stride=1, padding=0):
        self.in_depth = in_depth
        self.n_filters = n_filters
        self.size = size
        self.stride = stride
        self.padding = padding
        self.filters = np.random.randn(n_filters, in_depth, size, size) / (size * size)
        self.bias = np.zeros(n_filters)
        self._acc = []

    def _out(self, n):
        return (n + 2 * self.padding - self.size) // self.stride + 1

    def forward(self, x):
        p = self.padding
        self.last = np.pad(x, [(0, 0), (0, 0), (p, p), (p, p)], mode="constant")
        self.shape = x.shape
        oh, ow = self._out(x.shape[2]), self._out(x.shape[3])
        y = np.zeros((x.shape[0], self.n_filters, oh, ow))
        for r in range(oh):
            for c in range(ow):
                block = self.last[:, :, r*self.stride:r*self.stride+self.size, c*self.stride:c*self.stride+self.size]
                y[:, :, r, c] = np.einsum('bdij,fdij->bf', block, self.filters) + self.bias
        return y

    def backward(self, grad):
        _, _, oh, ow = grad.shape
        d_filters = np.zeros_like(self.filters)
        d_last = np.zeros_like(self.last)
        for r in range(oh):
            for c in range(ow):
                r0, c0 = r * self.stride, c * self.stride
                block = self.last[:, :, r0:r0+self.size, c0:c0+self.size]
                d_filters += np.einsum('bf,bdij->fdij', grad[:, :, r, c], block)
                d_last[:, :, r0:r0+self.size, c0:c0+self.size] += np.einsum('bf,fdij->bdij', grad[:, :, r, c], self.filters)
        d_bias = np.sum(grad, axis=(0, 2))[:, 0]
        self._acc = [d_filters, d_bias]
        p = self.padding
        return d_last[:, :, p:p+self.shape[2], p:p+self.shape[3]]

    def update(self, lr):
        self.filters -= lr * self._acc[0]
        self.bias -= lr * self._acc[1]
