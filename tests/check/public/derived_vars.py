import numpy as np


class ReLU:
    def fn(self, z):
        return np.clip(z, 0, np.inf)

    def grad(self, z):
        return (z > 0).astype(int)


class Affine:
    def fn(self, z):
        return z

    def grad(self, z):
        return np.ones_like(z)


class Conv2D:
    """Layer with lazy parameters: in_ch is known after the first forward."""

    def __init__(self, out_ch, kernel_shape, pad=0, stride=1, act_fn=None):
        self.act_fn = Affine() if act_fn is None else act_fn
        self.out_ch, self.kernel_shape = out_ch, kernel_shape
        self.pad, self.stride = pad, stride
        self.in_ch = None
        self.is_initialized = False
        self.parameters = {"W": None, "b": None}
        self.gradients = {}
        self.X, self.derived_variables = [], {"Z": []}

    def _init_params(self):
        fr, fc = self.kernel_shape
        self.parameters = {"W": np.random.randn(fr, fc, self.in_ch, self.out_ch) * 0.1,
                           "b": np.zeros((1, 1, 1, self.out_ch))}
        self.gradients = {k: np.zeros_like(v) for k, v in self.parameters.items()}
        self.is_initialized = True

    def forward(self, X, retain_derived=True):
        if not self.is_initialized:
            self.in_ch = X.shape[3]
            self._init_params()
        W, b = self.parameters["W"], self.parameters["b"]
        Z = conv2D(X, W, self.stride, self.pad) + b
        if retain_derived:
            self.X.append(X)
            self.derived_variables["Z"].append(Z)
        return self.act_fn.fn(Z)

    def backward(self, dLdy, retain_grads=True):
        if not isinstance(dLdy, list):
            dLdy = [dLdy]
        dX = []
        for dy, X, Z in zip(dLdy, self.X, self.derived_variables["Z"]):
            dx, dw, db = self._bwd(dy, X, Z)
            dX.append(dx)
            if retain_grads:
                self.gradients["W"] += dw
                self.gradients["b"] += db
        return dX[0] if len(self.X) == 1 else dX

    def _bwd(self, dLdy, X, Z):
        W = self.parameters["W"]
        fr, fc, _, _ = W.shape
        s, p = self.stride, self.pad
        dLdZ = dLdy * self.act_fn.grad(Z)
        Xp = np.pad(X, ((0, 0), (p, p), (p, p), (0, 0)))
        dXp, dW = np.zeros_like(Xp), np.zeros_like(W)
        for i in range(fr):
            for j in range(fc):
                view = (slice(None), slice(i, i + s * dLdZ.shape[1], s), slice(j, j + s * dLdZ.shape[2], s))
                dW[i, j] = np.tensordot(Xp[view], dLdZ, axes=([0, 1, 2], [0, 1, 2]))
                dXp[view] += dLdZ @ W[i, j].T
        dB = dLdZ.sum(axis=(0, 1, 2)).reshape(1, 1, 1, -1)
        return dXp[:, p:p + X.shape[1], p:p + X.shape[2], :], dW, dB

    def flush_gradients(self):
        self.X, self.derived_variables = [], {"Z": []}
        for k, v in self.gradients.items():
            self.gradients[k] = np.zeros_like(v)


def conv2D(X, W, stride, pad):
    fr, fc = W.shape[:2]
    Xp = np.pad(X, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    oh, ow = (Xp.shape[1] - fr) // stride + 1, (Xp.shape[2] - fc) // stride + 1
    out = np.zeros((X.shape[0], oh, ow, W.shape[3]))
    for i in range(fr):
        for j in range(fc):
            out += Xp[:, i:i + stride * oh:stride, j:j + stride * ow:stride] @ W[i, j]
    return out
