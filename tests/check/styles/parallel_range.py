from numba import njit, prange
import numpy as np


@njit(parallel=True, fastmath=True, cache=True)
def conv2d_forward(x, w, b, stride, pad):
    n, c, h, wd = x.shape
    k, _, kh, kw = w.shape
    oh = (h + 2 * pad - kh) // stride + 1
    ow = (wd + 2 * pad - kw) // stride + 1
    out = np.zeros((n, k, oh, ow))
    for i in prange(n):
        for f in range(k):
            for y in range(oh):
                for z in range(ow):
                    acc = b[f]
                    for ch in range(c):
                        for u in range(kh):
                            iy = y * stride + u - pad
                            if iy < 0 or iy >= h:
                                continue
                            for v in range(kw):
                                ix = z * stride + v - pad
                                if 0 <= ix < wd:
                                    acc += x[i, ch, iy, ix] * w[f, ch, u, v]
                    out[i, f, y, z] = acc
    return out


@njit(parallel=True, fastmath=True, cache=True)
def conv2d_backward(dout, x, w, b, stride, pad):
    n, c, h, wd = x.shape
    k, _, kh, kw = w.shape
    dx = np.zeros_like(x)
    dw = np.zeros_like(w)
    db = np.zeros_like(b)
    for i in prange(n):
        for f in range(k):
            for y in range(dout.shape[2]):
                for z in range(dout.shape[3]):
                    g = dout[i, f, y, z]
                    db[f] += g
                    for ch in range(c):
                        for u in range(kh):
                            iy = y * stride + u - pad
                            if iy < 0 or iy >= h:
                                continue
                            for v in range(kw):
                                ix = z * stride + v - pad
                                if 0 <= ix < wd:
                                    dx[i, ch, iy, ix] += g * w[f, ch, u, v]
                                    dw[f, ch, u, v] += g * x[i, ch, iy, ix]
    return dx, dw, db
