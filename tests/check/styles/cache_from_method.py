import numpy as np


class ConvLayer:
    """deeplearning.ai style, but as a class; forward gives (Z, cache), backward takes dZ and the cache."""

    def __init__(self, f, n_C_prev, n_C, pad=0, stride=1):
        self.f, self.pad, self.stride = f, pad, stride
        self.parameters = {"W": np.random.randn(f, f, n_C_prev, n_C) * 0.01, "b": np.zeros((1, 1, 1, n_C))}

    def forward(self, A_prev):
        W, b = self.parameters["W"], self.parameters["b"]
        m, H, Wd, _ = A_prev.shape
        p, s, f = self.pad, self.stride, self.f
        A = np.pad(A_prev, ((0, 0), (p, p), (p, p), (0, 0)))
        n_H, n_W = (H - f + 2 * p) // s + 1, (Wd - f + 2 * p) // s + 1
        Z = np.zeros((m, n_H, n_W, W.shape[-1]))
        for h in range(n_H):
            for w in range(n_W):
                Z[:, h, w, :] = np.tensordot(A[:, h * s:h * s + f, w * s:w * s + f, :], W, axes=3) + b[0, 0, 0]
        return Z, (A_prev, A)

    def backward(self, dZ, cache):
        A_prev, A = cache
        W = self.parameters["W"]
        p, s, f = self.pad, self.stride, self.f
        dA = np.zeros(A.shape)
        grads = {"dW": np.zeros(W.shape), "db": dZ.sum(axis=(0, 1, 2), keepdims=True)}
        for h in range(dZ.shape[1]):
            for w in range(dZ.shape[2]):
                d = dZ[:, h, w, :]
                sl = np.s_[:, h * s:h * s + f, w * s:w * s + f, :]
                grads["dW"] += np.einsum("mijc,mk->ijck", A[sl], d)
                dA[sl] += np.einsum("ijck,mk->mijc", W, d)
        _, H, Wd, _ = A_prev.shape
        return dA[:, p:H + p, p:Wd + p, :], grads
