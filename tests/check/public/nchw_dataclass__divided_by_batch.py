from dataclasses import dataclass, field
import numpy as np


@dataclass
class ConvLayer:
    in_channels: int
    out_channels: int
    kernel_size: int = 3
    stride: int = 1
    W: np.ndarray = field(default=None, repr=False)
    b: np.ndarray = field(default=None, repr=False)
    grads: dict = field(default_factory=dict, repr=False)

    def __post_init__(self):
        self.W = np.random.randn(self.out_channels, self.in_channels, self.kernel_size, self.kernel_size)
        self.b = np.zeros(self.out_channels)

    def forward(self, A):
        self.A = A
        k, s = self.kernel_size, self.stride
        view = np.lib.stride_tricks.sliding_window_view(A, (k, k), axis=(2, 3))[:, :, ::s, ::s]
        return np.einsum('ncijuv,ocuv->noij', view, self.W) + self.b[None, :, None, None]

    def backward(self, dZ):
        k, s = self.kernel_size, self.stride
        m = dZ.shape[0]
        view = np.lib.stride_tricks.sliding_window_view(self.A, (k, k), axis=(2, 3))[:, :, ::s, ::s]
        self.grads['dW'] = np.einsum('noij,ncijuv->ocuv', dZ, view) / m
        self.grads['db'] = dZ.sum(axis=(0, 2, 3)) / m
        dA = np.zeros_like(self.A)
        for u in range(k):
            for v in range(k):
                dA[:, :, u:u + s * dZ.shape[2]:s, v:v + s * dZ.shape[3]:s] += np.einsum('noij,oc->ncij', dZ, self.W[:, :, u, v])
        return dA
