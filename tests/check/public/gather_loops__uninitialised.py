import numpy as np


def conv(x, w, stride=1, pad=0):
    N, C, H, W = x.shape
    K, _, kh, kw = w.shape
    xp = np.zeros((N, C, H + 2 * pad, W + 2 * pad))
    xp[:, :, pad:pad + H, pad:pad + W] = x
    z = np.zeros((N, K, (H + 2 * pad - kh) // stride + 1, (W + 2 * pad - kw) // stride + 1))
    for h in range(z.shape[2]):
        for u in range(z.shape[3]):
            z[:, :, h, u] = np.einsum('ncij,kcij->nk', xp[:, :, h * stride:h * stride + kh, u * stride:u * stride + kw], w)
    return z


def conv_grad_w(dz, x, w, stride=1, pad=0):
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dw = np.empty_like(w)
    kh, kw = w.shape[2:]
    oh, ow = dz.shape[2:]
    for i in range(kh):
        for j in range(kw):
            dw[:, :, i, j] += np.einsum('nkhw,nchw->kc', dz, xp[:, :, i:i + stride * oh:stride, j:j + stride * ow:stride])
    return dw


def conv_grad_x(dz, x, w, stride=1, pad=0):
    """dx[n,c,h,w] = sum over k, i, j of dz[n,k,(h+pad-i)/stride,(w+pad-j)/stride] * w[k,c,i,j]"""
    N, C, H, W = x.shape
    K, _, kh, kw = w.shape
    oh, ow = dz.shape[2:]
    dx = np.zeros_like(x)
    for h in range(H):
        for u in range(W):
            for i in range(kh):
                for j in range(kw):
                    a, r = divmod(h + pad - i, stride)
                    b, s = divmod(u + pad - j, stride)
                    if r == 0 and s == 0 and 0 <= a < oh and 0 <= b < ow:
                        dx[:, :, h, u] += dz[:, :, a, b] @ w[:, :, i, j]
    return dx
