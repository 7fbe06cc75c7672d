import numpy as np

def conv3d_forward(x, w, b, conv_param):
    """
    x: (N, C, T, H, W) clips, w: (F, C, TT, HH, WW), b: (F,)
    """
    stride, pad = conv_param['stride'], conv_param['pad']
    N, C, T, H, W = x.shape
    F, _, TT, HH, WW = w.shape
    T_out = 1 + (T + 2 * pad - TT) // stride
    H_out = 1 + (H + 2 * pad - HH) // stride
    W_out = 1 + (W + 2 * pad - WW) // stride
    x_pad = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad), (pad, pad)), mode='constant')
    out = np.zeros((N, F, T_out, H_out, W_out))
    for n in range(N):
        for f in range(F):
            for t in range(T_out):
                for i in range(H_out):
                    for j in range(W_out):
                        clip = x_pad[n, :, t*stride:t*stride+TT, i*stride:i*stride+HH, j*stride:j*stride+WW]
                        out[n, f, t, i, j] = np.sum(clip * w[f]) + b[f]
    cache = (x, w, b, conv_param)
    return out, cache

def conv3d_backward(dout, cache):
    x, w, b, conv_param = cache
    stride, pad = conv_param['stride'], conv_param['pad']
    N, C, T, H, W = x.shape
    F, _, TT, HH, WW = w.shape
    _, _, T_out, H_out, W_out = dout.shape
    x_pad = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad), (pad, pad)), mode='constant')
    dx_pad = np.zeros_like(x_pad)
    dw = np.zeros_like(w)
    db = np.zeros_like(b)
    for n in range(N):
        for f in range(F):
            db[f] += np.sum(dout[n, f])
            for t in range(T_out):
                for i in range(H_out):
                    for j in range(W_out):
                        g = dout[n, f, t, i, j]
                        a, c, d = t * stride, i * stride, j * stride
                        dw[f] += g * x_pad[n, :, a:a+TT, c:c+HH, d:d+WW]
                        dx_pad[n, :, a:a+TT, c:c+HH, d:d+WW] += g * w[f]
    dx = dx_pad[:, :, pad:pad+T, pad:pad+T, pad:pad+W]
    return dx, dw, db
