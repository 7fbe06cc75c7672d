"""Grouped convolution, one tap at a time: no loop over positions."""
import numpy as np


def _at(tap, count, stride, dilation):
    start = tap * dilation
    return slice(start, start + stride * (count - 1) + 1, stride)


def group_conv_forward(x, w, b, stride, pad, dilation, groups):
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    k, cg, kh, kw = w.shape
    kg = k // groups
    oh = (xp.shape[2] - dilation * (kh - 1) - 1) // stride + 1
    ow = (xp.shape[3] - dilation * (kw - 1) - 1) // stride + 1
    out = np.tile(b.reshape(1, k, 1, 1), (x.shape[0], 1, oh, ow)).astype(float)
    for g in range(groups):
        mine, read = slice(g * kg, (g + 1) * kg), slice(g * cg, (g + 1) * cg)
        for u in range(kh):
            for v in range(kw):
                part = xp[:, read, _at(u, oh, stride, dilation), _at(v, ow, stride, dilation)]
                out[:, mine] += np.einsum('nchw,kc->nkhw', part, w[mine, :, u, v])
    return out


def group_conv_backward(dout, x, w, b, stride, pad, dilation, groups):
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    k, cg, kh, kw = w.shape
    kg = k // groups
    oh, ow = dout.shape[2:]
    dxp, dw = np.zeros(xp.shape), np.zeros(w.shape)
    for g in range(groups):
        mine, read = slice(g * kg, (g + 1) * kg), slice(g * cg, (g + 1) * cg)
        for u in range(kh):
            for v in range(kw):
                rows, cols = _at(u, oh, stride, dilation), _at(v, ow, stride, dilation)
                dw[mine, :, u, v] = np.einsum('nchw,nkhw->kc', xp[:, read, rows, cols], dout[:, mine])
                dxp[:, read, rows, cols] += np.einsum('nkhw,kc->nchw', dout[:, mine], w[mine, :, u, v])
    h, wd = x.shape[2:]
    return {'dx': dxp[:, :, pad:pad + h, pad:pad + wd], 'dw': dw, 'db': dout.sum(axis=(0, 2, 3))}
