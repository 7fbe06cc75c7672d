import numpy as np

def conv_fprop(x, w, b, N, C, H, W, F, HH, WW, stride, pad):
    Ho = (H + 2 * pad - HH) // stride + 1
    Wo = (W + 2 * pad - WW) // stride + 1
    xp = np.zeros((N, C, H + 2 * pad, W + 2 * pad))
    xp[:, :, pad:pad + H, pad:pad + W] = x
    out = np.zeros((N, F, Ho, Wo))
    for u in range(HH):
        for v in range(WW):
            out += np.tensordot(w[:, :, u, v], xp[:, :, u:u + stride * Ho:stride, v:v + stride * Wo:stride], axes=(1, 1)).transpose(1, 0, 2, 3)
    return out + b.reshape(1, F, 1, 1)

def conv_bprop(dout, x, w, N, C, H, W, F, HH, WW, stride, pad):
    Ho, Wo = dout.shape[2], dout.shape[3]
    xp = np.zeros((N, C, H + 2 * pad, W + 2 * pad))
    xp[:, :, pad:pad + H, pad:pad + W] = x
    dxp = np.zeros_like(xp)
    dw = np.zeros((F, C, HH, WW))
    for u in range(HH):
        for v in range(WW):
            rows = slice(u, u + stride * Ho, stride)
            cols = slice(v, v + stride * Wo, stride)
            dw[:, :, u, v] = np.tensordot(dout, xp[:, :, rows, cols], axes=([0, 2, 3], [0, 2, 3]))
            dxp[:, :, rows, cols] += np.tensordot(dout, w[:, :, u, v], axes=(1, 0)).transpose(0, 3, 1, 2)
    db = dout.sum(axis=0).sum(axis=1).mean(axis=1)
    return dxp[:, :, pad:pad + H, pad:pad + W], dw, db
