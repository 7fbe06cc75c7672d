"""Convolution as a loop over the taps of the kernel.  Stride and dilation are pairs or ints."""
import numpy as np


def _two(v):
    return (v, v) if np.isscalar(v) else v


def _views(xp, kh, kw, oh, ow, stride, dilation):
    (sy, sx), (ey, ex) = stride, dilation
    for i in range(kh):
        for j in range(kw):
            yield i, j, xp[..., i * ey:i * ey + (oh - 1) * sy + 1:sy, j * ex:j * ex + (ow - 1) * sx + 1:sx]


def conv2d(x, w, b=None, stride=1, padding=0, dilation=1):
    stride, (py, px), dilation = _two(stride), _two(padding), _two(dilation)
    xp = np.pad(x, [(0, 0), (0, 0), (py, py), (px, px)])
    n, c, h, v = xp.shape
    k, _, kh, kw = w.shape
    oh = (h - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    ow = (v - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    y = np.zeros((n, k, oh, ow), dtype=np.result_type(x, w))
    for i, j, view in _views(xp, kh, kw, oh, ow, stride, dilation):
        y += np.einsum('kc,nchw->nkhw', w[:, :, i, j], view)
    if b is not None:
        y += b[:, None, None]
    return y


def conv2d_vjp(x, w, dy, stride=1, padding=0, dilation=1):
    """Gradients of sum(dy * conv2d(x, w, b)): returns (dx, dw, db)."""
    stride, (py, px), dilation = _two(stride), _two(padding), _two(dilation)
    xp = np.pad(x, [(0, 0), (0, 0), (py, py), (px, px)])
    dxp = np.zeros_like(xp)
    dw = np.zeros_like(w)
    kh, kw = w.shape[2:]
    oh, ow = dy.shape[2:]
    a = _views(xp, kh, kw, oh, ow, stride, dilation)
    b = _views(dxp, kh, kw, oh, ow, stride, dilation)
    for (i, j, xv), (_, _, dv) in zip(a, b):
        dw[:, :, i, j] = np.einsum('nkhw,nchw->kc', dy, xv)
        dv += np.einsum('kc,nkhw->nchw', w[:, :, i, j], dy)
    return dxp[:, :, py:py + x.shape[2], px:px + x.shape[3]], dw, dy.sum((0, 2, 3))
