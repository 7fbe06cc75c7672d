import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def forward(x, kernel, bias, strides=(1, 1), pads=(0, 0)):
    """x NHWC, kernel HWIO."""
    xp = np.pad(x, ((0, 0), (pads[0],) * 2, (pads[1],) * 2, (0, 0)))
    kh, kw = kernel.shape[:2]
    win = sliding_window_view(xp, (kh, kw), axis=(1, 2))[:, ::strides[0], ::strides[1]]
    return np.tensordot(win, kernel, axes=((4, 5, 3), (0, 1, 2))) + bias


def backward(grad, x, kernel, strides=(1, 1), pads=(0, 0)):
    xp = np.pad(x, ((0, 0), (pads[0],) * 2, (pads[1],) * 2, (0, 0)))
    kh, kw = kernel.shape[:2]
    n, oh, ow, k = grad.shape
    win = sliding_window_view(xp, (kh, kw), axis=(1, 2))[:, ::strides[0], ::strides[1]]
    grad_kernel = np.tensordot(win, grad, axes=((0, 1, 2), (0, 1, 2))).transpose(1, 2, 0, 3)
    grad_bias = grad.reshape(-1, k).sum(axis=0)
    cols = np.tensordot(grad, kernel, axes=((3,), (3,)))
    dxp = np.zeros_like(xp)
    for i in range(kh):
        for j in range(kw):
            dxp[:, i:i + strides[0] * oh:strides[0], j:j + strides[1] * ow:strides[1]] += cols[:, :, :, i, j]
    dx = dxp[:, pads[0]:pads[0] + x.shape[1], pads[1]:pads[1] + x.shape[2]]
    return dx, grad_kernel, grad_bias
