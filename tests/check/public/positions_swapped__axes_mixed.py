import numpy as np


class Conv2d:
    def __init__(self, in_features, out_features, kernel_size, stride=1, padding=0):
        self.k, self.s, self.p = kernel_size, stride, padding
        self.W = np.random.randn(in_features * kernel_size * kernel_size, out_features)
        self.b = np.zeros((1, out_features))

    def im2col(self, x):
        k, s, p = self.k, self.s, self.p
        x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        n, c, h, w = x.shape
        oh, ow = (h - k) // s + 1, (w - k) // s + 1
        rows = [x[:, :, i * s:i * s + k, j * s:j * s + k].reshape(n, -1) for i in range(oh) for j in range(ow)]
        return np.stack(rows, axis=1).reshape(n * oh * ow, -1), oh, ow

    def forward(self, x):
        self.x_shape = x.shape
        self.cols, self.oh, self.ow = self.im2col(x)
        return (self.cols @ self.W + self.b).reshape(x.shape[0], self.oh, self.ow, -1).transpose(0, 3, 1, 2)

    def backward(self, grad):
        k, s, p = self.k, self.s, self.p
        n, c, h, w = self.x_shape
        g = grad.reshape(-1, grad.shape[1])
        self.W_grad = self.cols.T @ g
        self.b_grad = g.sum(axis=0, keepdims=True)
        dcols = (g @ self.W.T).reshape(n, self.oh, self.ow, c, k, k)
        dx = np.zeros((n, c, h + 2 * p, w + 2 * p))
        for i in range(self.oh):
            for j in range(self.ow):
                dx[:, :, i * s:i * s + k, j * s:j * s + k] += dcols[:, i, j]
        return dx[:, :, p:p + h, p:p + w]
