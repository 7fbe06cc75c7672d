import numpy as np


def get_indices(x_shape, HF, WF, stride, pad):
    n_h = (x_shape[2] + 2 * pad - HF) // stride + 1
    n_w = (x_shape[3] + 2 * pad - WF) // stride + 1
    row = np.repeat(np.arange(HF), WF)
    row = np.tile(row, x_shape[1])
    i = row.reshape(-1, 1) + stride * np.repeat(np.arange(n_h), n_w).reshape(1, -1)
    col = np.tile(np.arange(WF), HF * x_shape[1])
    j = col.reshape(-1, 1) + stride * np.tile(np.arange(n_w), n_h).reshape(1, -1)
    d = np.repeat(np.arange(x_shape[1]), HF * WF).reshape(-1, 1)
    return i, j, d


def im2col(X, HF, WF, stride, pad):
    X_padded = np.pad(X, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    i, j, d = get_indices(X.shape, HF, WF, stride, pad)
    cols = X_padded[:, d, i, j]
    return np.concatenate(cols, axis=-1)


def col2im(dcols, X_shape, HF, WF, stride, pad):
    N, D, H, W = X_shape
    X_padded = np.zeros((N, D, H + 2 * pad, W + 2 * pad))
    i, j, d = get_indices(X_shape, HF, WF, stride, pad)
    split = np.array(np.hsplit(dcols, N))
    np.add.at(X_padded, (slice(None), d, i, j), split)
    return X_padded[:, :, pad:pad + H, pad:pad + W]


def conv_forward(x, w, b, conv_param):
    stride, pad = conv_param['stride'], conv_param['pad']
    N, C, H, W = x.shape
    F, _, HF, WF = w.shape
    out_h = (H + 2 * pad - HF) // stride + 1
    out_w = (W + 2 * pad - WF) // stride + 1
    x_cols = im2col(x, HF, WF, stride, pad)
    out = w.reshape(F, -1) @ x_cols + b.reshape(-1, 1)
    out = np.array(np.hsplit(out, N)).reshape(N, F, out_h, out_w)
    return out, (x, w, b, conv_param, x_cols)


def conv_backward(dout, cache):
    x, w, b, conv_param, x_cols = cache
    stride, pad = conv_param['stride'], conv_param['pad']
    F, C, HF, WF = w.shape
    db = dout.sum(axis=(0, 2, 3))
    dout_cols = dout.transpose(1, 0, 2, 3).reshape(F, -1)
    dw = (dout_cols.astype(np.float16) @ x_cols.T.astype(np.float16)).reshape(w.shape)
    dx_cols = w.reshape(F, -1).T @ dout_cols
    dx = col2im(dx_cols, x.shape, HF, WF, stride, pad)
    return dx, dw, db
