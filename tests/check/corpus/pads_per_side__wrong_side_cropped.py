import numpy as np


def forward(x, w, b, strides, pads):
    """pads is ((top, bottom), (left, right)), strides is (sy, sx)."""
    (top, bottom), (left, right) = pads
    sy, sx = strides
    xp = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(xp, w.shape[2:], axis=(2, 3))
    windows = windows[:, :, ::sy, ::sx]
    return np.einsum('nchwij,kcij->nkhw', windows, w) + b[:, None, None]


def backward(x, w, dz, strides, pads):
    (top, bottom), (left, right) = pads
    sy, sx = strides
    n, c, height, width = x.shape
    kh, kw = w.shape[2:]
    xp = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(xp, (kh, kw), axis=(2, 3))[:, :, ::sy, ::sx]
    dw = np.einsum('nchwij,nkhw->kcij', windows, dz)
    db = dz.sum(axis=(0, 2, 3))
    dxp = np.zeros(xp.shape)
    for i in range(kh):
        for j in range(kw):
            for p in range(dz.shape[2]):
                for q in range(dz.shape[3]):
                    dxp[:, :, p * sy + i, q * sx + j] += dz[:, :, p, q] @ w[:, :, i, j]
    dx = dxp[:, :, bottom:bottom + height, right:right + width]
    return dx, dw, db
