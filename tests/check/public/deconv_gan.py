import numpy as np


class ConvTranspose2d:
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0):
        self.k = kernel_size
        self.stride = stride
        self.padding = padding
        self.output_padding = output_padding
        self.weight = np.random.normal(0, 0.02, (in_channels, out_channels, kernel_size, kernel_size))
        self.bias = np.zeros(out_channels)
        self.grad = {}

    def out_size(self, n):
        return (n - 1) * self.stride - 2 * self.padding + self.k + self.output_padding

    def forward(self, x):
        self.x = x
        n, c, h, w = x.shape
        s, p, k = self.stride, self.padding, self.k
        H, W = self.out_size(h), self.out_size(w)
        canvas = np.zeros((n, self.weight.shape[1], H + 2 * p, W + 2 * p))
        for i in range(k):
            for j in range(k):
                canvas[:, :, i:i + s * h:s, j:j + s * w:s][:, :, :h, :w] += \
                    np.einsum('nchw,co->nohw', x, self.weight[:, :, i, j])
        return canvas[:, :, p:p + H, p:p + W] + self.bias[None, :, None, None]

    def backward(self, dout):
        x = self.x
        n, c, h, w = x.shape
        s, p, k = self.stride, self.padding, self.k
        canvas = np.pad(dout, ((0, 0), (0, 0), (p, p), (p, p)))
        dx = np.zeros_like(x)
        dw = np.zeros_like(self.weight)
        for i in range(k):
            for j in range(k):
                d = canvas[:, :, i:i + s * h:s, j:j + s * w:s][:, :, :h, :w]
                dx += np.einsum('nohw,co->nchw', d, self.weight[:, :, i, j])
                dw[:, :, i, j] = np.einsum('nchw,nohw->co', x, d)
        self.grad['weight'] = dw
        self.grad['bias'] = dout.sum(axis=(0, 2, 3))
        return dx
