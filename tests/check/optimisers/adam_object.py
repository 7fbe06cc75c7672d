import numpy as np


class Adam:
    def __init__(self, lr=0.001, beta1=0.9, beta2=0.999):
        self.lr, self.beta1, self.beta2, self.t = lr, beta1, beta2, 0
        self.m, self.v = 0, 0

    def step(self, p, g):
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * g * g
        mh = self.m / (1 - self.beta1 ** self.t)
        vh = self.v / (1 - self.beta2 ** self.t)
        p -= self.lr * mh / (np.sqrt(vh) + 1e-8)


class Conv2D:
    def __init__(self, filters, kernel_size, channels):
        self.kernel = np.random.randn(filters, channels, *kernel_size)
        self.bias = np.zeros(filters)
        self.opt_k, self.opt_b = Adam(), Adam()

    def forward(self, x):
        self.x = x
        kh, kw = self.kernel.shape[2:]
        oh, ow = x.shape[2] - kh + 1, x.shape[3] - kw + 1
        y = np.zeros((len(x), len(self.kernel), oh, ow))
        for a in range(kh):
            for b in range(kw):
                y += np.einsum('nchw,kc->nkhw', x[:, :, a:a+oh, b:b+ow], self.kernel[:, :, a, b])
        return y + self.bias[:, None, None]

    def backward(self, dy):
        kh, kw = self.kernel.shape[2:]
        oh, ow = dy.shape[2:]
        dk, dx = np.zeros_like(self.kernel), np.zeros_like(self.x)
        for a in range(kh):
            for b in range(kw):
                dk[:, :, a, b] = np.einsum('nkhw,nchw->kc', dy, self.x[:, :, a:a+oh, b:b+ow])
                dx[:, :, a:a+oh, b:b+ow] += np.einsum('nkhw,kc->nchw', dy, self.kernel[:, :, a, b])
        self.opt_k.step(self.kernel, dk)
        self.opt_b.step(self.bias, dy.sum((0, 2, 3)))
        return dx
