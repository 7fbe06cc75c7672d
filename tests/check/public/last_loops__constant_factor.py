import numpy as np


def conv_forward(x, w, b, conv_param):
    s, p = conv_param["stride"], conv_param["pad"]
    N, C, H, W = x.shape
    F, C, HH, WW = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), "constant")
    out = np.zeros((N, F, 1 + (H + 2 * p - HH) // s, 1 + (W + 2 * p - WW) // s))
    for i, r in enumerate(range(0, H + 2 * p - HH + 1, s)):
        for j, q in enumerate(range(0, W + 2 * p - WW + 1, s)):
            win = xp[:, :, r:r + HH, q:q + WW].reshape(N, 1, C, HH, WW)
            out[:, :, i, j] = (win * w).sum(axis=(2, 3, 4)) + b
    return out, (x, w, b, conv_param)


def conv_backward(dout, cache):
    x, w, b, conv_param = cache
    s, p = conv_param["stride"], conv_param["pad"]
    N, C, H, W = x.shape
    F, C, HH, WW = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), "constant")
    dxp, dw = np.zeros(xp.shape), np.zeros(w.shape)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            r, q = i * s, j * s
            g = dout[:, :, i, j]
            dw += np.einsum("nf,nchw->fchw", g, xp[:, :, r:r + HH, q:q + WW])
            dxp[:, :, r:r + HH, q:q + WW] += np.einsum("nf,fchw->nchw", g, w)
    return dxp[:, :, p:p + H, p:p + W], 2 * dw, dout.sum((0, 2, 3))
