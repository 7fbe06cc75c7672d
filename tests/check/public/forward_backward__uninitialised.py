import numpy as np

def forward(x, theta, bias, pad, stride):
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    k = theta.shape[2]
    oh, ow = (xp.shape[2] - k) // stride + 1, (xp.shape[3] - k) // stride + 1
    y = np.empty((len(x), len(theta), oh, ow))
    for i in range(oh):
        for j in range(ow):
            window = xp[:, :, i * stride:i * stride + k, j * stride:j * stride + k]
            y[:, :, i, j] = np.einsum("ncab,kcab->nk", window, theta)
    return y + bias.reshape(1, -1, 1, 1)

def backward(dy, x, theta, bias, pad, stride):
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    k = theta.shape[2]
    dtheta = np.empty(theta.shape)
    dxp = np.zeros(xp.shape)
    for i in range(dy.shape[2]):
        for j in range(dy.shape[3]):
            s = np.s_[:, :, i * stride:i * stride + k, j * stride:j * stride + k]
            dtheta += np.einsum("nk,ncab->kcab", dy[:, :, i, j], xp[s])
            dxp[s] += np.einsum("nk,kcab->ncab", dy[:, :, i, j], theta)
    h, w = x.shape[2:]
    return dxp[:, :, pad:pad + h, pad:pad + w], dtheta, dy.sum((0, 2, 3))
