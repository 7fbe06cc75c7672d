from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Optional

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class ConvCache(NamedTuple):
    inputs: Array
    columns: Array
    out_hw: tuple[int, int]


@dataclass
class ConvConfig:
    in_channels: int
    out_channels: int
    kernel_size: int = 3
    stride: int = 1
    padding: int = 0


@dataclass
class Conv2DLayer:
    in_channels: int
    out_channels: int
    kernel_size: int = 3
    stride: int = 1
    padding: int = 0
    seed: Optional[int] = None
    weight: Array = field(init=False, repr=False)
    bias: Array = field(init=False, repr=False)
    grad_weight: Optional[Array] = field(init=False, default=None, repr=False)
    grad_bias: Optional[Array] = field(init=False, default=None, repr=False)
    _cache: Optional[ConvCache] = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        shape = (self.out_channels, self.in_channels, self.kernel_size, self.kernel_size)
        self.weight = rng.standard_normal(shape) * np.sqrt(2.0 / np.prod(shape[1:]))
        self.bias = np.zeros(self.out_channels)

    def _indices(self, h: int, w: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64], tuple[int, int]]:
        k, s, p = self.kernel_size, self.stride, self.padding
        oh = (h + 2 * p - k) // s + 1
        ow = (w + 2 * p - k) // s + 1
        i0 = np.tile(np.repeat(np.arange(k), k), self.in_channels)
        i1 = s * np.repeat(np.arange(oh), ow)
        j0 = np.tile(np.arange(k), k * self.in_channels)
        j1 = s * np.tile(np.arange(ow), oh)
        c = np.repeat(np.arange(self.in_channels), k * k).reshape(-1, 1)
        return c, i0[:, None] + i1[None, :], j0[:, None] + j1[None, :], (oh, ow)

    def forward(self, inputs: Array) -> Array:
        p = self.padding
        n, _, h, w = inputs.shape
        padded = np.pad(inputs, ((0, 0), (0, 0), (p, p), (p, p)))
        c, i, j, (oh, ow) = self._indices(h, w)
        columns = padded[:, c, i, j]
        out = np.matmul(self.weight.reshape(self.out_channels, -1), columns) + self.bias[:, None]
        self._cache = ConvCache(inputs, columns, (oh, ow))
        return out.reshape(n, self.out_channels, oh, ow)

    def backward(self, grad_out: Array) -> Array:
        assert self._cache is not None, "call forward first"
        inputs, columns, _ = self._cache
        n, _, h, w = inputs.shape
        p = self.padding
        g = grad_out.reshape(n, self.out_channels, -1)
        self.grad_weight = np.einsum("nkl,ncl->kc", g, columns).reshape(self.weight.shape)
        self.grad_bias = g.sum(axis=(0, 2))
        dcol = np.matmul(self.weight.reshape(self.out_channels, -1).T, g)
        padded = np.zeros((n, self.in_channels, h + 2 * p, w + 2 * p))
        c, i, j, _ = self._indices(h, w)
        np.add.at(padded, (slice(None), c, i, j), dcol)
        return padded[:, :, p:p + h, p:p + w]
