from __future__ import annotations

import logging
import numpy as np

from .base import Layer
from ..initializers import he_normal
from ..utils.logger import get_logger

log = get_logger(__name__)


class Conv2D(Layer):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int | tuple = 3, *, stride: int = 1, padding: int = 0, bias: bool = True):
        super().__init__()
        if isinstance(kernel_size, int):
            kernel_size = (kernel_size, kernel_size)
        assert len(kernel_size) == 2
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.W = he_normal((out_channels, in_channels, *kernel_size))
        self.b = np.zeros(out_channels) if bias else None
        self.dW = None
        self.db = None
        log.info("Conv2D %s", self.W)

    @property
    def params(self):
        return [self.W, self.b]

    def forward(self, x: np.ndarray) -> np.ndarray:
        self._x_shape = x.shape
        kh, kw = self.kernel_size
        x = np.pad(x, ((0, 0), (0, 0), (self.padding,) * 2, (self.padding,) * 2))
        self._win = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(-2, -1))[..., ::self.stride, ::self.stride, :, :]
        self._pad_shape = x.shape
        out = np.tensordot(self._win, self.W, axes=[(1, 4, 5), (1, 2, 3)])
        out = np.moveaxis(out, -1, 1)
        if self.b is not None:
            out = out + self.b[:, None, None]
        return out

    def backward(self, dout: np.ndarray) -> np.ndarray:
        self.dW = np.tensordot(dout, self._win, axes=[(0, 2, 3), (0, 2, 3)])
        if self.b is not None:
            self.db = dout.sum((0, 2, 3))
        dx = np.zeros(self._pad_shape)
        kh, kw = self.kernel_size
        g = np.tensordot(dout, self.W, axes=[(1,), (0,)])  # n, oh, ow, c, kh, kw
        for i, j in np.ndindex(kh, kw):
            hs = slice(i, i + self.stride * dout.shape[2], self.stride)
            ws = slice(j, j + self.stride * dout.shape[3], self.stride)
            dx[:, :, hs, ws][:, :, :dout.shape[2], :dout.shape[3]] += g[..., i, j].transpose(0, 3, 1, 2)
        _, _, h, w = self._x_shape
        return dx[:, :, self.padding:self.padding + h, self.padding:self.padding + w]
