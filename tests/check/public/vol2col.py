import numpy as np


def vol2col(x, kd, kh, kw, stride, pad):
    n, c, d, h, w = x.shape
    od = (d + 2 * pad - kd) // stride + 1
    oh = (h + 2 * pad - kh) // stride + 1
    ow = (w + 2 * pad - kw) // stride + 1
    vol = np.pad(x, [(0, 0), (0, 0)] + [(pad, pad)] * 3)
    col = np.zeros((n, c, kd, kh, kw, od, oh, ow))
    for a in range(kd):
        for b in range(kh):
            for e in range(kw):
                col[:, :, a, b, e] = vol[:, :, a:a + stride * od:stride, b:b + stride * oh:stride,
                                         e:e + stride * ow:stride]
    return col.transpose(0, 5, 6, 7, 1, 2, 3, 4).reshape(n * od * oh * ow, -1)


def col2vol(col, shape, kd, kh, kw, stride, pad):
    n, c, d, h, w = shape
    od = (d + 2 * pad - kd) // stride + 1
    oh = (h + 2 * pad - kh) // stride + 1
    ow = (w + 2 * pad - kw) // stride + 1
    col = col.reshape(n, od, oh, ow, c, kd, kh, kw).transpose(0, 4, 5, 6, 7, 1, 2, 3)
    vol = np.zeros((n, c, d + 2 * pad, h + 2 * pad, w + 2 * pad))
    for a in range(kd):
        for b in range(kh):
            for e in range(kw):
                vol[:, :, a:a + stride * od:stride, b:b + stride * oh:stride,
                    e:e + stride * ow:stride] += col[:, :, a, b, e]
    return vol[:, :, pad:pad + d, pad:pad + h, pad:pad + w]


class Convolution3D:
    def __init__(self, W, b, stride=1, pad=0):
        self.W = W
        self.b = b
        self.stride = stride
        self.pad = pad
        self.x = None
        self.col = None
        self.col_W = None
        self.dW = None
        self.db = None

    def forward(self, x):
        FN, C, FD, FH, FW = self.W.shape
        N, C, D, H, W = x.shape
        out_d = 1 + (D + 2 * self.pad - FD) // self.stride
        out_h = 1 + (H + 2 * self.pad - FH) // self.stride
        out_w = 1 + (W + 2 * self.pad - FW) // self.stride
        col = vol2col(x, FD, FH, FW, self.stride, self.pad)
        col_W = self.W.reshape(FN, -1).T
        out = np.dot(col, col_W) + self.b
        self.x, self.col, self.col_W = x, col, col_W
        return out.reshape(N, out_d, out_h, out_w, -1).transpose(0, 4, 1, 2, 3)

    def backward(self, dout):
        FN, C, FD, FH, FW = self.W.shape
        dout = dout.transpose(0, 2, 3, 4, 1).reshape(-1, FN)
        self.db = np.sum(dout, axis=0)
        self.dW = np.dot(self.col.T, dout).transpose(1, 0).reshape(FN, C, FD, FH, FW)
        dcol = np.dot(dout, self.col_W.T)
        return col2vol(dcol, self.x.shape, FD, FH, FW, self.stride, self.pad)
