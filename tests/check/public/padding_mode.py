"""A torch-shaped Conv2d in NumPy."""
from typing import Tuple, Union

import numpy as np

_size = Union[int, Tuple[int, int]]


def _pair(v: _size) -> Tuple[int, int]:
    return (v, v) if isinstance(v, int) else tuple(v)


class Parameter:
    def __init__(self, data: np.ndarray):
        self.data = data
        self.grad = np.zeros_like(data)


class Conv2d:
    def __init__(self, in_channels: int, out_channels: int, kernel_size: _size, stride: _size = 1,
                 padding: _size = 0, dilation: _size = 1, bias: bool = True, padding_mode: str = "zeros"):
        if padding_mode not in ("zeros", "circular"):
            raise ValueError(f"unknown padding_mode {padding_mode!r}")
        self.kernel_size = _pair(kernel_size)
        self.stride = _pair(stride)
        self.padding = _pair(padding)
        self.dilation = _pair(dilation)
        self.padding_mode = padding_mode
        bound = 1 / np.sqrt(in_channels * self.kernel_size[0] * self.kernel_size[1])
        self.weight = Parameter(np.random.uniform(-bound, bound, (out_channels, in_channels, *self.kernel_size)))
        self.bias = Parameter(np.random.uniform(-bound, bound, out_channels)) if bias else None

    def _pad(self, x):
        (ph, pw) = self.padding
        mode = "constant" if self.padding_mode == "zeros" else "wrap"
        return np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), mode=mode)

    def forward(self, x: np.ndarray) -> np.ndarray:
        self._shape = x.shape
        xp = self._xp = self._pad(x)
        kh, kw = self.kernel_size
        sh, sw = self.stride
        dh, dw = self.dilation
        oh = (xp.shape[2] - dh * (kh - 1) - 1) // sh + 1
        ow = (xp.shape[3] - dw * (kw - 1) - 1) // sw + 1
        y = np.zeros((x.shape[0], self.weight.data.shape[0], oh, ow), dtype=x.dtype)
        for i in range(kh):
            for j in range(kw):
                y += np.einsum("nchw,oc->nohw", xp[:, :, i * dh:i * dh + sh * oh:sh, j * dw:j * dw + sw * ow:sw],
                               self.weight.data[:, :, i, j])
        if self.bias is not None:
            y += self.bias.data[None, :, None, None]
        return y

    __call__ = forward

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        kh, kw = self.kernel_size
        sh, sw = self.stride
        dh, dw = self.dilation
        ph, pw = self.padding
        oh, ow = grad_output.shape[2:]
        gxp = np.zeros_like(self._xp)
        for i in range(kh):
            for j in range(kw):
                rows = slice(i * dh, i * dh + sh * oh, sh)
                cols = slice(j * dw, j * dw + sw * ow, sw)
                gxp[:, :, rows, cols] += np.einsum("nohw,oc->nchw", grad_output, self.weight.data[:, :, i, j])
                self.weight.grad[:, :, i, j] += np.einsum("nohw,nchw->oc", grad_output, self._xp[:, :, rows, cols])
        if self.bias is not None:
            self.bias.grad += grad_output.sum(axis=(0, 2, 3))
        h, w = self._shape[2:]
        gx = gxp[:, :, ph:ph + h, pw:pw + w].copy()
        if self.padding_mode == "circular":
            raise NotImplementedError
        return gx

    def zero_grad(self):
        self.weight.grad[...] = 0
        if self.bias is not None:
            self.bias.grad[...] = 0
