"""First and second derivative of a convolution in plain loops (stride 1, no padding)."""
import numpy as np


def conv_forward(x, w):
    n, c, h, wd = x.shape
    k, _, kh, kw = w.shape
    y = np.zeros((n, k, h - kh + 1, wd - kw + 1))
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            y[:, :, i, j] = np.tensordot(x[:, :, i:i + kh, j:j + kw], w, axes=([1, 2, 3], [1, 2, 3]))
    return y


def conv_backward(dy, x, w):
    kh, kw = w.shape[2:]
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    for i in range(dy.shape[2]):
        for j in range(dy.shape[3]):
            dx[:, :, i:i + kh, j:j + kw] += np.tensordot(dy[:, :, i, j], w, axes=(1, 0))
            dw += np.tensordot(dy[:, :, i, j], x[:, :, i:i + kh, j:j + kw], axes=(0, 0))
    return dx, dw


def conv_double_backward(ddx, ddw, dy, x, w):
    g_dy = conv_forward(ddx, w) + conv_forward(x, ddw)
    g_x = conv_backward(dy, x, ddw)[0]
    g_w = conv_backward(dy, ddx, w)[1]
    return g_dy, g_x, g_w
