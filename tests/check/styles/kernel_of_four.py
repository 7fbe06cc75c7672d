"""The kernel as (height, width, channels, filters), parameters on first use, padding by name."""

import numpy as np


class Conv:
    def __init__(self, kernel, stride=(1, 1), padding="SAME"):
        self.kernel, self.stride, self.mode = kernel, stride, padding
        self.params, self.grads = {}, {}

    def _margins(self):
        if self.mode == "SAME":
            return [((k - 1) // 2, k // 2) for k in self.kernel[:2]]
        return [(0, 0), (0, 0)]

    def forward(self, inputs):
        kh, kw, c, k = self.kernel
        if not self.params:
            self.params = {"w": np.random.randn(kh, kw, c, k), "b": np.zeros(k)}
        sh, sw = self.stride
        self.shape = inputs.shape
        self.x = np.pad(inputs, [(0, 0), *self._margins(), (0, 0)])
        oh, ow = (self.x.shape[1] - kh) // sh + 1, (self.x.shape[2] - kw) // sw + 1
        out = np.zeros((len(inputs), oh, ow, k))
        for i in range(oh):
            for j in range(ow):
                part = self.x[:, i * sh : i * sh + kh, j * sw : j * sw + kw]
                out[:, i, j] = np.tensordot(part, self.params["w"], 3) + self.params["b"]
        return out

    def backward(self, grad):
        kh, kw, c, k = self.kernel
        sh, sw = self.stride
        dx, dw = np.zeros_like(self.x), np.zeros((kh, kw, c, k))
        for i in range(grad.shape[1]):
            for j in range(grad.shape[2]):
                at = np.s_[:, i * sh : i * sh + kh, j * sw : j * sw + kw]
                dw += np.tensordot(self.x[at], grad[:, i, j], ((0,), (0,)))
                dx[at] += np.tensordot(grad[:, i, j], self.params["w"], ((1,), (3,)))
        self.grads = {"w": dw, "b": grad.sum((0, 1, 2))}
        (top, _), (left, _) = self._margins()
        return dx[:, top : top + self.shape[1], left : left + self.shape[2]]
