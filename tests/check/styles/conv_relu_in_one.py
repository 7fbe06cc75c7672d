import numpy as np


def conv_forward(x, w, b, conv_param):
    s, p = conv_param["stride"], conv_param["pad"]
    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    kh, kw = w.shape[2:]
    v = np.lib.stride_tricks.sliding_window_view(xp, (kh, kw), (2, 3))[:, :, ::s, ::s]
    return np.einsum("ncijab,kcab->nkij", v, w) + b[:, None, None], (x, w, b, conv_param)


def conv_backward(dout, cache):
    x, w, b, conv_param = cache
    s, p = conv_param["stride"], conv_param["pad"]
    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    kh, kw = w.shape[2:]
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            at = np.s_[:, :, i * s:i * s + kh, j * s:j * s + kw]
            dw += np.einsum("nk,ncab->kcab", dout[:, :, i, j], xp[at])
            dxp[at] += np.einsum("nk,kcab->ncab", dout[:, :, i, j], w)
    return dxp[:, :, p:p + x.shape[2], p:p + x.shape[3]], dw, dout.sum((0, 2, 3))


def relu_forward(x):
    return np.maximum(x, 0), x


def relu_backward(dout, cache):
    return dout * (cache > 0)


def conv_relu_forward(x, w, b, conv_param):
    a, conv_cache = conv_forward(x, w, b, conv_param)
    out, relu_cache = relu_forward(a)
    return out, (conv_cache, relu_cache)


def conv_relu_backward(dout, cache):
    conv_cache, relu_cache = cache
    da = relu_backward(dout, relu_cache)
    return conv_backward(da, conv_cache)
