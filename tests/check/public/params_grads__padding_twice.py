import numpy as np

class PaddedConv:
    def __init__(self, ci, co, k, stride=1, padding=0):
        self.k, self.stride, self.padding = k, stride, padding
        self.params = {"W": np.random.randn(co, ci, k, k), "b": np.zeros(co)}
        self.grads = {}

    def forward(self, x):
        p, s, k = self.padding, self.stride, self.k
        self.x = x
        self.xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), mode="constant")
        h, w = (self.xp.shape[2] - k) // s + 1, (self.xp.shape[3] - k) // s + 1
        out = np.zeros((x.shape[0], self.params["W"].shape[0], h, w))
        for i in range(h):
            for j in range(w):
                win = self.xp[:, None, :, i * s:i * s + k, j * s:j * s + k]
                out[:, :, i, j] = (win * self.params["W"]).sum((2, 3, 4))
        return out + self.params["b"][:, None, None]

    def backward(self, d):
        p, s, k = self.padding, self.stride, self.k
        W = self.params["W"]
        g, gw = np.zeros_like(self.xp), np.zeros_like(W)
        for i in range(d.shape[2]):
            for j in range(d.shape[3]):
                e = d[:, :, i, j]
                g[:, :, i * s:i * s + k, j * s:j * s + k] += np.einsum("nk,kcab->ncab", e, W)
                gw += np.einsum("nk,ncab->kcab", e, self.xp[:, :, i * s:i * s + k, j * s:j * s + k])
        self.grads["W"], self.grads["b"] = gw, d.sum((0, 2, 3))
        h, w = self.x.shape[2:]
        return g[:, :, 2 * p:2 * p + h, 2 * p:2 * p + w] if p else g
