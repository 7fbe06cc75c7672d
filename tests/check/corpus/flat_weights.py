import numpy as np


class ConvolutionLayer(object):
    def __init__(self, channels, num_filters, kernel_h, kernel_w, stride=1, pad=0):
        self.C, self.K = channels, num_filters
        self.kh, self.kw = kernel_h, kernel_w
        self.stride, self.pad = stride, pad
        self.w = np.random.randn(num_filters, channels * kernel_h * kernel_w) * 0.01
        self.b = np.zeros((num_filters, 1))

    def to_columns(self, x):
        n, c, h, w = x.shape
        xp = np.pad(x, ((0, 0), (0, 0), (self.pad, self.pad), (self.pad, self.pad)))
        self.oh = (h + 2 * self.pad - self.kh) // self.stride + 1
        self.ow = (w + 2 * self.pad - self.kw) // self.stride + 1
        cols = []
        for i in range(self.oh):
            for j in range(self.ow):
                a, b = i * self.stride, j * self.stride
                cols.append(xp[:, :, a:a + self.kh, b:b + self.kw].reshape(n, -1))
        return np.stack(cols, axis=-1)

    def forward(self, x):
        self.x_shape = x.shape
        self.cols = self.to_columns(x)
        z = np.matmul(self.w, self.cols) + self.b
        return z.reshape(x.shape[0], self.K, self.oh, self.ow)

    def backward(self, delta):
        n, c, h, w = self.x_shape
        d = delta.reshape(n, self.K, -1)
        self.delta_w = np.matmul(d, self.cols.transpose(0, 2, 1)).sum(axis=0)
        self.delta_b = d.sum(axis=(0, 2))[:, np.newaxis]
        dcols = np.matmul(self.w.T, d)
        dxp = np.zeros((n, c, h + 2 * self.pad, w + 2 * self.pad))
        q = 0
        for i in range(self.oh):
            for j in range(self.ow):
                a, b = i * self.stride, j * self.stride
                dxp[:, :, a:a + self.kh, b:b + self.kw] += dcols[:, :, q].reshape(n, c, self.kh, self.kw)
                q += 1
        return dxp[:, :, self.pad:self.pad + h, self.pad:self.pad + w]
