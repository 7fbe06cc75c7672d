import numpy as np

# images are stored as H x W x C x N (as in MATLAB), filters as FH x FW x C x K


def conv_fwd(X, W, b, stride=1, pad=0):
    H, Wd, C, N = X.shape
    FH, FW, _, K = W.shape
    Xp = np.zeros((H + 2 * pad, Wd + 2 * pad, C, N))
    Xp[pad:pad + H, pad:pad + Wd] = X
    OH = (H + 2 * pad - FH) // stride + 1
    OW = (Wd + 2 * pad - FW) // stride + 1
    Y = np.zeros((OH, OW, K, N))
    for k in range(K):
        for y in range(OH):
            for x in range(OW):
                window = Xp[y * stride:y * stride + FH, x * stride:x * stride + FW]
                Y[y, x, k] = np.sum(window * W[:, :, :, k, None], axis=(0, 1, 2)) + b[k]
    return Y


def conv_bwd(X, W, b, dY, stride=1, pad=0):
    H, Wd, C, N = X.shape
    FH, FW, _, K = W.shape
    Xp = np.zeros((H + 2 * pad, Wd + 2 * pad, C, N))
    Xp[pad:pad + H, pad:pad + Wd] = X
    dXp = np.zeros_like(Xp)
    dW = np.zeros_like(W)
    db = np.zeros_like(b)
    OH, OW = dY.shape[:2]
    for k in range(K):
        for y in range(OH):
            for x in range(OW):
                sl = (slice(y * stride, y * stride + FH), slice(x * stride, x * stride + FW))
                dW[:, :, :, k] += (Xp[sl] * dY[y, x, k]).sum(axis=-1)
                dXp[sl] += W[:, :, :, k, None] * dY[y, x, k]
                db[k] += dY[y, x, k].sum()
    return dXp[pad:pad + H, pad:pad + Wd], dW, db
