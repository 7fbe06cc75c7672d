from __future__ import annotations
import math
import typing as t
import numpy as np


class Parameter:
    def __init__(self, data: np.ndarray, requires_grad: bool = True):
        self.data = data
        self.requires_grad = requires_grad
        self.grad: t.Optional[np.ndarray] = None

    @property
    def shape(self): return self.data.shape

    def zero_grad(self):
        self.grad = np.zeros_like(self.data)


class Module:
    def __init__(self):
        self._parameters: t.Dict[str, Parameter] = {}
        self.training = True

    def __setattr__(self, key, value):
        if isinstance(value, Parameter):
            self._parameters[key] = value
        object.__setattr__(self, key, value)

    def parameters(self): return list(self._parameters.values())

    def zero_grad(self):
        for p in self.parameters():
            p.zero_grad()

    def __call__(self, *args): return self.forward(*args)


class Conv2d(Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: t.Union[int, t.Tuple[int, int]],
                 stride: int = 1, padding: int = 0, bias: bool = True):
        super().__init__()
        if isinstance(kernel_size, int):
            kernel_size = (kernel_size, kernel_size)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        bound = 1 / math.sqrt(in_channels * kernel_size[0] * kernel_size[1])
        self.weight = Parameter(np.random.uniform(-bound, bound, (out_channels, in_channels, *kernel_size)))
        self.bias = Parameter(np.random.uniform(-bound, bound, out_channels)) if bias else None
        self.zero_grad()

    def _indices(self, shape):
        _, C, H, W = shape
        kh, kw = self.kernel_size
        oh = (H + 2 * self.padding - kh) // self.stride + 1
        ow = (W + 2 * self.padding - kw) // self.stride + 1
        i0 = np.tile(np.repeat(np.arange(kh), kw), C)
        i1 = self.stride * np.repeat(np.arange(oh), ow)
        j0 = np.tile(np.arange(kw), kh * C)
        j1 = self.stride * np.tile(np.arange(ow), oh)
        c = np.repeat(np.arange(C), kh * kw).reshape(-1, 1)
        return c, i0.reshape(-1, 1) + i1, j0.reshape(-1, 1) + j1, oh, ow

    def forward(self, x: np.ndarray) -> np.ndarray:
        p = self.padding
        c, i, j, oh, ow = self._indices(x.shape)
        xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        cols = xp[:, c, i, j]
        out = self.weight.data.reshape(self.out_channels, -1) @ cols
        if self.bias is not None:
            out = out + self.bias.data[:, None]
        self._ctx = (x.shape, xp.shape, cols, c, i, j)
        return out.reshape(x.shape[0], self.out_channels, oh, ow)

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        shape, padded, cols, c, i, j = self._ctx
        g = grad_output.reshape(shape[0], self.out_channels, -1)
        self.weight.grad += np.einsum('nkp,ntp->kt', g, cols).reshape(self.weight.shape)
        if self.bias is not None:
            self.bias.grad += g.sum(axis=(0, 2))
        dcols = self.weight.data.reshape(self.out_channels, -1).T @ g
        dxp = np.zeros(padded)
        np.add.at(dxp, (slice(None), c, i, j), dcols)
        p = self.padding
        return dxp[:, :, p:padded[2] - p, p:padded[3] - p]
