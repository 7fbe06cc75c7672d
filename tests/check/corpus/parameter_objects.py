import numpy as np


class Parameter:
    def __init__(self, value):
        self.data = value
        self.grad = np.zeros_like(value)


class Module:
    def parameters(self):
        return [v for v in self.__dict__.values() if isinstance(v, Parameter)]

    def zero_grad(self):
        for p in self.parameters():
            p.grad = np.zeros_like(p.data)


class Conv2d(Module):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        k = kernel_size if isinstance(kernel_size, tuple) else (kernel_size, kernel_size)
        bound = 1.0 / np.sqrt(in_channels * k[0] * k[1])
        self.weight = Parameter(np.random.uniform(-bound, bound, (out_channels, in_channels) + k))
        self.bias = Parameter(np.random.uniform(-bound, bound, out_channels))
        self.kernel_size, self.stride, self.padding = k, stride, padding

    def forward(self, x):
        kh, kw = self.kernel_size
        s, p = self.stride, self.padding
        self.input = x
        xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        self.patches = np.lib.stride_tricks.sliding_window_view(xp, (kh, kw), axis=(2, 3))[:, :, ::s, ::s]
        return np.einsum('nchwij,kcij->nkhw', self.patches, self.weight.data) + self.bias.data[:, None, None]

    def backward(self, grad):
        kh, kw = self.kernel_size
        s, p = self.stride, self.padding
        n, c, h, w = self.input.shape
        self.weight.grad += np.einsum('nkhw,nchwij->kcij', grad, self.patches)
        self.bias.grad += grad.sum((0, 2, 3))
        dxp = np.zeros((n, c, h + 2 * p, w + 2 * p))
        oh, ow = grad.shape[2:]
        for i in range(kh):
            for j in range(kw):
                dxp[:, :, i:i + s * oh:s, j:j + s * ow:s][:, :, :oh, :ow] += np.einsum(
                    'nkhw,kc->nchw', grad, self.weight.data[:, :, i, j])
        return dxp[:, :, p:p + h, p:p + w]
