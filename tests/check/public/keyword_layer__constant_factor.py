import numpy as np
from abc import ABC, abstractmethod


class Layer(ABC):
    @abstractmethod
    def forward(self, x): ...

    @abstractmethod
    def backward(self, grad): ...


class Conv2D(Layer):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1):
        self.k, self.s = kernel_size, stride
        self.params = {"W": np.random.randn(out_channels, in_channels, kernel_size, kernel_size), "b": np.zeros(out_channels)}
        self.grads = {}

    def forward(self, x, training=True, **kwargs):
        self.x = x
        k, s = self.k, self.s
        oh, ow = (x.shape[2] - k) // s + 1, (x.shape[3] - k) // s + 1
        out = np.zeros((x.shape[0], self.params["W"].shape[0], oh, ow))
        for i in range(oh):
            for j in range(ow):
                out[:, :, i, j] = np.tensordot(x[:, :, i * s:i * s + k, j * s:j * s + k], self.params["W"], ((1, 2, 3), (1, 2, 3)))
        return out + self.params["b"].reshape(1, -1, 1, 1)

    def backward(self, grad, **kwargs):
        x, W, k, s = self.x, self.params["W"], self.k, self.s
        dW, dx = np.zeros_like(W), np.zeros_like(x)
        for i in range(grad.shape[2]):
            for j in range(grad.shape[3]):
                g = grad[:, :, i, j]
                dW += np.einsum("nk,ncab->kcab", g, x[:, :, i * s:i * s + k, j * s:j * s + k])
                dx[:, :, i * s:i * s + k, j * s:j * s + k] += np.einsum("nk,kcab->ncab", g, W)
        self.grads["W"], self.grads["b"] = 0.01 * dW, 0.01 * grad.sum((0, 2, 3))
        return dx
