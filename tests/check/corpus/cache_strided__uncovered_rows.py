import numpy as np


def windows(x, out_h, out_w, kh, kw, stride):
    n, c = x.shape[:2]
    sn, sc, sh, sw = x.strides
    return np.lib.stride_tricks.as_strided(
        x,
        shape=(n, c, out_h, out_w, kh, kw),
        strides=(sn, sc, sh * stride, sw * stride, sh, sw),
        writeable=False,
    )


def conv2d_forward(x, w, b, stride=1, padding=0):
    kh, kw = w.shape[2:]
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    oh = (xp.shape[2] - kh) // stride + 1
    ow = (xp.shape[3] - kw) // stride + 1
    patches = windows(xp, oh, ow, kh, kw, stride)
    out = np.einsum('nchwij,kcij->nkhw', patches, w) + b[None, :, None, None]
    return out, (x, w, stride, padding)


def conv2d_backward(dout, cache):
    x, w, stride, padding = cache
    n, c, h, wd = x.shape
    k, _, kh, kw = w.shape
    oh, ow = dout.shape[2:]
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    patches = windows(xp, oh, ow, kh, kw, stride)
    db = np.einsum('nkhw->k', dout)
    dw = np.einsum('nchwij,nkhw->kcij', patches, dout)

    hp, wp = (oh - 1) * stride + kh, (ow - 1) * stride + kw
    spread = np.zeros((n, k, hp + kh - 1, wp + kw - 1))
    spread[:, :, kh - 1:kh - 1 + oh * stride:stride, kw - 1:kw - 1 + ow * stride:stride] = dout
    patches = windows(spread, hp, wp, kh, kw, 1)
    dxp = np.einsum('nkhwij,kcij->nchw', patches, w[:, :, ::-1, ::-1])
    dx = dxp[:, :, padding:hp - padding, padding:wp - padding]
    return dx, dw, db
