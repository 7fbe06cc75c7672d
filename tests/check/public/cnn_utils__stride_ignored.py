import numpy as np


def pad_images(X, p):
    return np.pad(X, ((0, 0), (p, p), (p, p), (0, 0)), 'constant')


def conv_forward(A_prev, W, b, hparams):
    stride, pad = hparams["stride"], hparams["pad"]
    m, H_prev, W_prev, C_prev = A_prev.shape
    fh, fw, _, n_C = W.shape
    n_H = (H_prev + 2 * pad - fh) // stride + 1
    n_W = (W_prev + 2 * pad - fw) // stride + 1
    A_pad = pad_images(A_prev, pad)
    Z = np.zeros((m, n_H, n_W, n_C))
    for h in range(n_H):
        for w in range(n_W):
            patch = A_pad[:, h*stride:h*stride+fh, w*stride:w*stride+fw, :]
            Z[:, h, w, :] = np.tensordot(patch, W, axes=([1, 2, 3], [0, 1, 2])) + b[0, 0, 0]
    return Z, {"A_prev": A_prev, "W": W, "b": b, "hparams": hparams}


def conv_backward(dZ, cache):
    A_prev, W, b = cache["A_prev"], cache["W"], cache["b"]
    stride, pad = cache["hparams"]["stride"], cache["hparams"]["pad"]
    m, H_prev, W_prev, C_prev = A_prev.shape
    fh, fw, _, n_C = W.shape
    _, n_H, n_W, _ = dZ.shape
    A_pad = pad_images(A_prev, pad)
    dA_pad = np.zeros(A_pad.shape)
    dW = np.zeros(W.shape)
    db = np.sum(dZ, axis=(0, 1, 2), keepdims=True)
    for i in range(m):
        for h in range(n_H):
            for w in range(n_W):
                for c in range(n_C):
                    top, left = h, w
                    dA_pad[i, top:top+fh, left:left+fw, :] += W[:, :, :, c] * dZ[i, h, w, c]
                    dW[:, :, :, c] += A_pad[i, top:top+fh, left:left+fw, :] * dZ[i, h, w, c]
    dA_prev = dA_pad[:, pad:pad+H_prev, pad:pad+W_prev, :]
    return dA_prev, dW, db
