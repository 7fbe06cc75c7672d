import numpy as np

def conv1d_forward(x, w, b, stride=1, padding=0):
    """x: (batch, in_channels, length), w: (out_channels, in_channels, k)"""
    B, Cin, L = x.shape
    Cout, _, K = w.shape
    x_pad = np.pad(x, ((0, 0), (0, 0), (padding, padding)), mode="constant")
    Lout = (L + 2 * padding - K) // stride + 1
    out = np.zeros((B, Cout, Lout))
    for t in range(Lout):
        seg = x_pad[:, :, t * stride : t * stride + K]
        out[:, :, t] = np.einsum("bck,ock->bo", seg, w) + b
    cache = (x_pad, w, stride, padding, L)
    return out, cache

def conv1d_backward(dout, cache):
    x_pad, w, stride, padding, L = cache
    dx_pad = np.zeros_like(x_pad)
    dw = np.zeros_like(w)
    K = w.shape[2]
    for t in range(dout.shape[2]):
        seg = x_pad[:, :, t * stride : t * stride + K]
        dw += np.einsum("bo,bck->ock", dout[:, :, t], seg)
        dx_pad[:, :, t : t + K] += np.einsum("bo,ock->bck", dout[:, :, t], w)
    db = dout.sum(axis=(0, 2))
    dx = dx_pad[:, :, padding : padding + L]
    return dx, dw, db
