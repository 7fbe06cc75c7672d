import numpy as np


def causal_conv1d(x, w, b, dilation=1):
    """x: (N, C, T), w: (K, C, L).  Pads on the left only, so y has the T of x."""
    N, C, T = x.shape
    K, _, L = w.shape
    left = dilation * (L - 1)
    xp = np.pad(x, ((0, 0), (0, 0), (left, 0)))
    y = np.tile(b[None, :, None], (N, 1, T)).astype(x.dtype)
    for l in range(L):
        y += np.einsum('nct,kc->nkt', xp[:, :, l * dilation:l * dilation + T], w[:, :, l])
    return y, (x, w, b, dilation)


def causal_conv1d_backward(dy, cache):
    x, w, b, dilation = cache
    N, C, T = x.shape
    K, _, L = w.shape
    left = dilation * (L - 1)
    xp = np.pad(x, ((0, 0), (0, 0), (left, 0)))
    dxp = np.zeros_like(xp)
    dw = np.zeros_like(w)
    for l in range(L):
        seg = slice(l * dilation, l * dilation + T)
        dw[:, :, l] = np.einsum('nkt,nct->kc', dy, xp[:, :, seg])
        dxp[:, :, l:l + T] += np.einsum('nkt,kc->nct', dy, w[:, :, l])
    dx = dxp[:, :, left:]
    db = dy.sum(axis=(0, 2))
    return dx, dw, db
