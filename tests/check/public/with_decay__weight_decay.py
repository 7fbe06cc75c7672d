import numpy as np


class ConvLayer:
    def __init__(self, shape, stride=1, pad=0, l2=1e-4):
        # shape = (filters, channels, height, width)
        self.w = np.random.standard_normal(shape) * 0.1
        self.b = np.zeros((1, shape[0], 1, 1))
        self.stride, self.pad, self.l2 = stride, pad, l2

    def forward(self, x):
        s, p = self.stride, self.pad
        F, C, kh, kw = self.w.shape
        self.x_shape = x.shape
        self.xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        self.oh = (self.xp.shape[2] - kh) // s + 1
        self.ow = (self.xp.shape[3] - kw) // s + 1
        self.cols = np.stack([self.xp[:, :, i*s:i*s+kh, j*s:j*s+kw].reshape(x.shape[0], -1)
                              for i in range(self.oh) for j in range(self.ow)], axis=-1)
        y = np.einsum('fd,ndl->nfl', self.w.reshape(F, -1), self.cols)
        return y.reshape(x.shape[0], F, self.oh, self.ow) + self.b

    def backward(self, dy):
        s, p = self.stride, self.pad
        F, C, kh, kw = self.w.shape
        N, _, H, W = self.x_shape
        d = dy.reshape(N, F, -1)
        self.dw = np.einsum('nfl,ndl->fd', d, self.cols).reshape(self.w.shape) + self.l2 * self.w
        self.db = dy.sum(axis=(0, 2, 3), keepdims=True)
        dcols = np.einsum('fd,nfl->ndl', self.w.reshape(F, -1), d).reshape(N, C, kh, kw, self.oh, self.ow)
        dxp = np.zeros_like(self.xp)
        for i in range(self.oh):
            for j in range(self.ow):
                dxp[:, :, i*s:i*s+kh, j*s:j*s+kw] += dcols[..., i, j]
        return dxp[:, :, p:p+H, p:p+W]
