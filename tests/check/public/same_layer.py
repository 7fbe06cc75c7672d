import numpy as np

class Conv2DSame:
    def __init__(self, filters, in_channels, kernel_size=(3, 3), strides=(1, 1)):
        self.kernel_size, self.strides = kernel_size, strides
        self.kernel = np.random.normal(0, .1, kernel_size + (in_channels, filters))
        self.bias = np.zeros(filters)

    def _pads(self, size, k, s):
        out = -(-size // s)
        total = max((out - 1) * s + k - size, 0)
        return total // 2, total - total // 2

    def forward(self, inputs):
        (kh, kw), (sh, sw) = self.kernel_size, self.strides
        n, h, w, c = inputs.shape
        self.pt, pb = self._pads(h, kh, sh)
        self.pl, pr = self._pads(w, kw, sw)
        self.inputs = inputs
        self.xp = np.pad(inputs, ((0, 0), (self.pt, pb), (self.pl, pr), (0, 0)))
        oh, ow = -(-h // sh), -(-w // sw)
        self.out_shape = oh, ow
        y = np.zeros((n, oh, ow, self.kernel.shape[3])) + self.bias
        for a in range(kh):
            for b in range(kw):
                y += self.xp[:, a:a + sh * oh:sh, b:b + sw * ow:sw][:, :oh, :ow] @ self.kernel[a, b]
        return y

    def backward(self, grad):
        (kh, kw), (sh, sw) = self.kernel_size, self.strides
        oh, ow = self.out_shape
        h, w = self.inputs.shape[1:3]
        self.grad_kernel = np.zeros_like(self.kernel)
        self.grad_bias = grad.sum(axis=(0, 1, 2))
        gx = np.zeros_like(self.xp)
        for a in range(kh):
            for b in range(kw):
                rows = slice(a, a + sh * (oh - 1) + 1, sh)
                cols = slice(b, b + sw * (ow - 1) + 1, sw)
                self.grad_kernel[a, b] = np.einsum("nijc,nijk->ck", self.xp[:, rows, cols], grad)
                gx[:, rows, cols] += grad @ self.kernel[a, b].T
        return gx[:, self.pt:self.pt + h, self.pl:self.pl + w]
