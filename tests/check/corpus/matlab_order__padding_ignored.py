import numpy as np


def conv_fwd(X, F, B, stride, pad):
    """X is H x W x D x N, F is fh x fw x D x K."""
    H, W, D, N = X.shape
    fh, fw, _, K = F.shape
    Xp = np.zeros((H + 2 * pad, W + 2 * pad, D, N))
    Xp[pad:pad + H, pad:pad + W] = X
    oh = (H + 2 * pad - fh) // stride + 1
    ow = (W + 2 * pad - fw) // stride + 1
    Y = np.zeros((oh, ow, K, N))
    Fm = F.reshape(-1, K)
    for r in range(oh):
        for c in range(ow):
            block = Xp[r * stride:r * stride + fh, c * stride:c * stride + fw].reshape(-1, N)
            Y[r, c] = Fm.T.dot(block) + B.reshape(K, 1)
    return Y


def conv_bwd(dY, X, F, B, stride, pad):
    H, W, D, N = X.shape
    fh, fw, _, K = F.shape
    oh, ow = dY.shape[:2]
    Xp = np.zeros((H + 2 * pad, W + 2 * pad, D, N))
    Xp[pad:pad + H, pad:pad + W] = X
    dXp = np.zeros(Xp.shape)
    dFm = np.zeros((fh * fw * D, K))
    Fm = F.reshape(-1, K)
    for r in range(oh):
        for c in range(ow):
            ys, xs = r * stride, c * stride
            block = Xp[ys:ys + fh, xs:xs + fw].reshape(-1, N)
            dFm += block.dot(dY[r, c].T)
            dXp[ys:ys + fh, xs:xs + fw] += Fm.dot(dY[r, c]).reshape(fh, fw, D, N)
    dF = dFm.reshape(F.shape)
    dB = dY.sum(axis=(0, 1, 3)).reshape(B.shape)
    dX = dXp[:H, :W]
    return dX, dF, dB
