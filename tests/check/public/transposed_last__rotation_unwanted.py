import numpy as np

class Deconvolution2D:
    """Transposed convolution, channels last. kernel: (k, k, in, out)"""
    def __init__(self, in_maps, out_maps, ksize, stride=1):
        self.k, self.s = ksize, stride
        self.kernel = np.random.randn(ksize, ksize, in_maps, out_maps)
        self.bias = np.zeros((1, 1, 1, out_maps))

    def forward(self, inp):
        self.inp = inp
        n, h, w, _ = inp.shape
        out = np.zeros((n, (h - 1) * self.s + self.k, (w - 1) * self.s + self.k, self.kernel.shape[3]))
        for u in range(self.k):
            for v in range(self.k):
                out[:, u:u + self.s * h:self.s, v:v + self.s * w:self.s] += inp @ self.kernel[u, v]
        return out + self.bias

    def backward(self, dout):
        n, h, w, _ = self.inp.shape
        dx = np.zeros(self.inp.shape)
        self.dkernel = np.zeros(self.kernel.shape)
        self.dbias = dout.sum(axis=(0, 1, 2), keepdims=True)
        flipped = self.kernel[::-1, ::-1]
        for u in range(self.k):
            for v in range(self.k):
                part = dout[:, u:u + self.s * h:self.s, v:v + self.s * w:self.s]
                dx += part @ flipped[u, v].T
                self.dkernel[u, v] = np.einsum('nhwi,nhwo->io', self.inp, part)
        return dx
