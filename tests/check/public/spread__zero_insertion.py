import numpy as np


def dilate(a, s):
    n, c, h, w = a.shape
    out = np.zeros((n, c, h * (s + 1) - s, w * (s + 1) - s))
    out[:, :, ::s + 1, ::s + 1] = a
    return out


def corr(x, w):
    v = np.lib.stride_tricks.sliding_window_view(x, w.shape[-2:], axis=(2, 3))
    return np.einsum("ncxyij,kcij->nkxy", v, w)


class ConvolutionalLayer:
    def __init__(self, c_in, c_out, k, stride=1):
        self.weights = np.random.uniform(-1, 1, (c_out, c_in, k, k))
        self.bias = np.zeros((c_out, 1, 1))
        self.stride = stride

    def forward(self, x):
        self.x = x
        return corr(x, self.weights)[:, :, ::self.stride, ::self.stride] + self.bias

    def backward(self, delta):
        k = self.weights.shape[-1]
        s = self.stride
        self.grad_bias = delta.sum(axis=(0, 2, 3)).reshape(-1, 1, 1)
        self.grad_weights = np.zeros_like(self.weights)
        for i in range(k):
            for j in range(k):
                xs = self.x[:, :, i:i + s * (delta.shape[2] - 1) + 1:s, j:j + s * (delta.shape[3] - 1) + 1:s]
                self.grad_weights[:, :, i, j] = np.einsum("nkxy,ncxy->kc", delta, xs)
        d = dilate(delta, s)
        h, w = self.x.shape[2:]
        d = np.pad(d, ((0, 0), (0, 0), (k - 1, max(0, h - d.shape[2])), (k - 1, max(0, w - d.shape[3]))))
        flipped = self.weights[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
        return corr(d, flipped)[:, :, :h, :w]
