import numpy as np
def causal_conv(x, w, b, dilation=1):
    k = w.shape[2]
    pad = (k - 1) * dilation
    xp = np.pad(x, ((0, 0), (0, 0), (pad, 0)))
    y = sum(np.einsum("ncl,kc->nkl", xp[:, :, t * dilation:t * dilation + x.shape[2]], w[:, :, t]) for t in range(k))
    return y + b[:, None]
def causal_conv_backward(dy, x, w, dilation=1):
    k = w.shape[2]
    pad, length = (k - 1) * dilation, x.shape[2]
    xp = np.pad(x, ((0, 0), (0, 0), (pad, 0)))
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for t in range(k):
        at = slice(t * dilation, t * dilation + length)
        dxp[:, :, at] += np.einsum("nkl,kc->ncl", dy, w[:, :, t])
        dw[:, :, t] = np.einsum("nkl,ncl->kc", dy, xp[:, :, at])
    return dxp[:, :, pad:], dw, dy.sum((0, 2))
