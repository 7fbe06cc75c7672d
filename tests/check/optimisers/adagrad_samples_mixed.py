import numpy as np


class Conv:
    def __init__(self, c_in, c_out, k, stride=1, padding=0):
        self.w = np.random.randn(c_out, c_in, k, k)
        self.b = np.zeros(c_out)
        self.stride, self.padding = stride, padding
        self.Gw = np.zeros_like(self.w)
        self.Gb = np.zeros_like(self.b)

    def forward(self, x):
        p, s = self.padding, self.stride
        self.x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        k = self.w.shape[2]
        oh, ow = (self.x.shape[2] - k)//s + 1, (self.x.shape[3] - k)//s + 1
        y = np.zeros((len(x), len(self.w), oh, ow))
        for i in range(oh):
            for j in range(ow):
                y[:, :, i, j] = np.einsum('ncab,kcab->nk', self.x[:, :, i*s:i*s+k, j*s:j*s+k], self.w) + self.b
        return y

    def backward(self, dy, lr=0.01):
        p, s = self.padding, self.stride
        k = self.w.shape[2]
        dw, dx = np.zeros_like(self.w), np.zeros_like(self.x)
        for i in range(dy.shape[2]):
            for j in range(dy.shape[3]):
                dw += np.einsum('nk,ncab->kcab', dy[:, :, i, j], self.x[::-1, :, i*s:i*s+k, j*s:j*s+k])
                dx[:, :, i*s:i*s+k, j*s:j*s+k] += np.einsum('nk,kcab->ncab', dy[:, :, i, j], self.w)
        db = dy.sum(axis=(0, 2, 3))
        self.Gw += dw ** 2
        self.Gb += db ** 2
        self.w -= lr * dw / (np.sqrt(self.Gw) + 1e-8)
        self.b -= lr * db / (np.sqrt(self.Gb) + 1e-8)
        return dx[:, :, p:dx.shape[2]-p, p:dx.shape[3]-p]
