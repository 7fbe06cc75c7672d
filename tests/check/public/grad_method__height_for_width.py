import numpy as np


class Conv2d:
    def __init__(self, cin, cout, kh, kw, pad):
        self.W = np.random.randn(cout, cin, kh, kw) * np.sqrt(2. / (cin * kh * kw))
        self.b = np.zeros(cout)
        self.pad = pad

    def __call__(self, X):
        self.N, self.C, self.H, self.Wd = X.shape
        p = self.pad
        self.Xp = np.zeros((self.N, self.C, self.H + 2 * p, self.Wd + 2 * p))
        self.Xp[:, :, p:p + self.H, p:p + self.Wd] = X
        K, C, kh, kw = self.W.shape
        Y = np.zeros((self.N, K, self.H + 2 * p - kh + 1, self.Wd + 2 * p - kw + 1))
        for i in range(kh):
            for j in range(kw):
                Y += np.einsum("nchw,kc->nkhw", self.Xp[:, :, i:i + Y.shape[2], j:j + Y.shape[3]], self.W[:, :, i, j])
        return Y + self.b.reshape(1, K, 1, 1)

    def grad(self, G):
        dXp = np.zeros_like(self.Xp)
        self.gW = np.zeros_like(self.W)
        h, w = G.shape[2:]
        for i in range(self.W.shape[2]):
            for j in range(self.W.shape[3]):
                self.gW[:, :, i, j] = np.einsum("nkhw,nchw->kc", G, self.Xp[:, :, i:i + h, j:j + w])
                dXp[:, :, i:i + h, j:j + w] += np.einsum("nkhw,kc->nchw", G, self.W[:, :, i, j])
        self.gb = G.sum(axis=(0, 2, 3))
        p = self.pad
        return dXp[:, :, p:p + self.H, p:p + self.H]
