import numpy as np

def conv3d_forward_naive(x, w, b, conv_param):
    """
    Naive 3d convolution.
    x: (N, C, D, H, W)   w: (F, C, DD, HH, WW)   b: (F,)
    """
    stride, pad = conv_param['stride'], conv_param['pad']
    N, C, D, H, W = x.shape
    F, C, DD, HH, WW = w.shape
    D_out = 1 + (D + 2 * pad - DD) // stride
    H_out = 1 + (H + 2 * pad - HH) // stride
    W_out = 1 + (W + 2 * pad - WW) // stride
    x_pad = np.pad(x, ((0,), (0,), (pad,), (pad,), (pad,)), mode='constant')
    out = np.zeros((N, F, D_out, H_out, W_out))
    for n in range(N):
        for f in range(F):
            for d in range(D_out):
                for i in range(H_out):
                    for j in range(W_out):
                        ds, hs, ws = d * stride, i * stride, j * stride
                        out[n, f, d, i, j] = np.sum(x_pad[n, :, ds:ds+DD, hs:hs+HH, ws:ws+WW] * w[f]) + b[f]
    return out, (x, w, b, conv_param)

def conv3d_backward_naive(dout, cache):
    x, w, b, conv_param = cache
    stride, pad = conv_param['stride'], conv_param['pad']
    N, C, D, H, W = x.shape
    F, C, DD, HH, WW = w.shape
    N, F, D_out, H_out, W_out = dout.shape
    x_pad = np.pad(x, ((0,), (0,), (pad,), (pad,), (pad,)), mode='constant')
    dx_pad = np.zeros_like(x_pad)
    dw = np.zeros_like(w)
    db = np.sum(dout, axis=(0, 2, 3, 4))
    for n in range(N):
        for f in range(F):
            for d in range(D_out):
                for i in range(H_out):
                    for j in range(W_out):
                        ds, hs, ws = d * stride, i * stride, j * stride
                        dw[f] += x_pad[n, :, ds:ds+DD, hs:hs+HH, ws:ws+WW] * dout[n, f, d, i, j]
                        dx_pad[n, :, d:d+DD, hs:hs+HH, ws:ws+WW] += w[f] * dout[n, f, d, i, j]
    dx = dx_pad[:, :, pad:pad+D, pad:pad+H, pad:pad+W]
    return dx, dw, db
