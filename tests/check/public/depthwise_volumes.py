import numpy as np


def depthwise_conv3d(x, w, stride=1, padding=0):
    """x: (N, C, D, H, W), w: (C, kd, kh, kw)"""
    p = padding
    x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p), (p, p)))
    kd, kh, kw = w.shape[1:]
    out = [(n - k) // stride + 1 for n, k in zip(x.shape[2:], w.shape[1:])]
    y = np.zeros((x.shape[0], x.shape[1], *out))
    for i in range(kd):
        for j in range(kh):
            for l in range(kw):
                y += x[:, :, i:i + stride * out[0]:stride, j:j + stride * out[1]:stride,
                       l:l + stride * out[2]:stride] * w[None, :, i, j, l, None, None, None]
    return y


def depthwise_conv3d_backward(dy, x, w, stride=1, padding=0):
    p = padding
    kd, kh, kw = w.shape[1:]
    d, h, v = x.shape[2:]
    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p), (p, p)))
    dxp, dw = np.zeros(xp.shape), np.zeros(w.shape)
    out = dy.shape[2:]
    for i in range(kd):
        for j in range(kh):
            for l in range(kw):
                at = (slice(None), slice(None), slice(i, i + stride * out[0], stride),
                      slice(j, j + stride * out[1], stride), slice(l, l + stride * out[2], stride))
                dw[:, i, j, l] = np.sum(xp[at] * dy, axis=(0, 2, 3, 4))
                dxp[at] += dy * w[None, :, i, j, l, None, None, None]
    return dxp[:, :, p:p + d, p:p + h, p:p + v], dw
