import numpy as np

def reflect_index(n, p):
    return np.pad(np.arange(n), p, mode='reflect')

def conv_forward(x, w, b, pad):
    """Convolution whose border is mirrored."""
    rows, cols = reflect_index(x.shape[2], pad), reflect_index(x.shape[3], pad)
    xp = x[:, :, rows][:, :, :, cols]
    kh, kw = w.shape[2:]
    win = np.lib.stride_tricks.sliding_window_view(xp, (kh, kw), axis=(2, 3))
    return np.einsum('nchwij,fcij->nfhw', win, w) + b.reshape(-1, 1, 1), (x, w, pad, win)

def conv_backward(dout, cache):
    x, w, pad, win = cache
    rows, cols = reflect_index(x.shape[2], pad), reflect_index(x.shape[3], pad)
    dxp = np.zeros((x.shape[0], x.shape[1], len(rows), len(cols)))
    oh, ow = dout.shape[2:]
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            dxp[:, :, i:i + oh, j:j + ow] += np.einsum('nfhw,fc->nchw', dout, w[:, :, i, j])
    dx = np.zeros(x.shape)
    for p, r in enumerate(rows):
        for q, c in enumerate(cols):
            dx[:, :, r, c] += dxp[:, :, p, q]
    dw = np.einsum('nfhw,nchwij->fcij', dout, win)
    return dx, dw, dout.sum((0, 2, 3))
