"""Each gradient has its own function; dilation is supported."""
import numpy as np


def _taps(size_out, stride, dilation, t):
    start = t * dilation
    return slice(start, start + stride * (size_out - 1) + 1, stride)


def conv(x, w, stride=1, padding=0, dilation=1):
    n, c, h, wd = x.shape
    k, _, kh, kw = w.shape
    oh = (h + 2 * padding - dilation * (kh - 1) - 1) // stride + 1
    ow = (wd + 2 * padding - dilation * (kw - 1) - 1) // stride + 1
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    y = np.zeros((n, k, oh, ow))
    for a in range(kh):
        for b in range(kw):
            part = xp[:, :, _taps(oh, stride, dilation, a), _taps(ow, stride, dilation, b)]
            y += np.einsum('nchw,kc->nkhw', part, w[:, :, a, b])
    return y


def conv_backward_input(dy, w, input_shape, stride=1, padding=0, dilation=1):
    n, c, h, wd = input_shape
    k, _, kh, kw = w.shape
    oh, ow = dy.shape[2:]
    dxp = np.zeros((n, c, h + 2 * padding, wd + 2 * padding))
    for a in range(kh):
        for b in range(kw):
            rows, cols = _taps(oh, stride, dilation, a), _taps(ow, stride, dilation, b)
            dxp[:, :, rows, cols] = np.einsum('nkhw,kc->nchw', dy, w[:, :, a, b])
    return dxp[:, :, padding:padding + h, padding:padding + wd]


def conv_backward_weight(dy, x, kernel_size, stride=1, padding=0, dilation=1):
    kh, kw = kernel_size
    oh, ow = dy.shape[2:]
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    dw = np.zeros((dy.shape[1], x.shape[1], kh, kw))
    for a in range(kh):
        for b in range(kw):
            part = xp[:, :, _taps(oh, stride, dilation, a), _taps(ow, stride, dilation, b)]
            dw[:, :, a, b] = np.einsum('nkhw,nchw->kc', dy, part)
    return dw


def conv_backward_bias(dy):
    return dy.sum(axis=(0, 2, 3))
