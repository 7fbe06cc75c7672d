import numpy as np


def affine_forward(x, w, b):
    out = x.reshape(x.shape[0], -1).dot(w) + b
    return out, (x, w, b)


def affine_backward(dout, cache):
    x, w, b = cache
    dx = dout.dot(w.T).reshape(x.shape)
    dw = x.reshape(x.shape[0], -1).T.dot(dout)
    db = np.sum(dout, axis=0)
    return dx, dw, db


def relu_forward(x):
    return np.maximum(0, x), x


def relu_backward(dout, cache):
    return dout * (cache > 0)


def conv_forward_naive(x, w, b, conv_param):
    """
    x: (N, C, H, W), w: (F, C, HH, WW), b: (F,)
    conv_param: 'stride' and 'pad'
    """
    pad, stride = conv_param['pad'], conv_param['stride']
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    Hn = 1 + (H + 2 * pad - HH) // stride
    Wn = 1 + (W + 2 * pad - WW) // stride
    x_p = np.pad(x, ((0,), (0,), (pad,), (pad,)), 'constant')
    out = np.zeros((N, F, Hn, Wn))
    for i in range(Hn):
        for j in range(Wn):
            win = x_p[:, :, i * stride:i * stride + HH, j * stride:j * stride + WW]
            for f in range(F):
                out[:, f, i, j] = np.sum(win * w[f], axis=(1, 2, 3)) + b[f]
    cache = (x, w, b, conv_param)
    return out, cache


def conv_backward_naive(dout, cache):
    x, w, b, conv_param = cache
    pad, stride = conv_param['pad'], conv_param['stride']
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    _, _, Hn, Wn = dout.shape

    x_p = np.pad(x, ((0,), (0,), (pad,), (pad,)), 'constant')
    dx_p = np.zeros_like(x_p)
    dw = np.zeros_like(w)
    db = dout.sum(axis=(0, 2, 3))
    for i in range(Hn):
        for j in range(Wn):
            hs, ws = i * stride, j * stride
            win = x_p[:, :, hs:hs + HH, ws:ws + WW]
            for f in range(F):
                dw[f] += np.sum(win * dout[:, f, i, j][:, None, None, None], axis=0)
            for n in range(N):
                dx_p[n, :, hs:hs + HH, ws:ws + WW] += np.sum(w * dout[n, :, i, j][:, None, None, None], axis=0)
    dx = dx_p[:, :, pad:pad + H, pad:pad + W]
    return dx, dw, db


def max_pool_forward_naive(x, pool_param):
    ph, pw, s = pool_param['pool_height'], pool_param['pool_width'], pool_param['stride']
    N, C, H, W = x.shape
    out = np.zeros((N, C, 1 + (H - ph) // s, 1 + (W - pw) // s))
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            out[:, :, i, j] = x[:, :, i * s:i * s + ph, j * s:j * s + pw].max(axis=(2, 3))
    return out, (x, pool_param)
