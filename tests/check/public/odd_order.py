import numpy as np


def bwd_conv(filt, delta, act, step, border):
    """
    filt   (K, C, fh, fw)
    delta  (N, K, oh, ow)  error of the layer above
    act    (N, C, h, w)    activations that went in
    Returns (d_filt, d_bias, d_act); d_filt and d_bias are means over the batch.
    """
    N = act.shape[0]
    padded = np.pad(act, ((0, 0), (0, 0), (border, border), (border, border)))
    d_padded = np.zeros_like(padded)
    d_filt = np.zeros_like(filt)
    fh, fw = filt.shape[2:]
    for i in range(delta.shape[2]):
        for j in range(delta.shape[3]):
            y, x = i * step, j * step
            d = delta[:, :, i, j]
            d_filt += np.tensordot(d, padded[:, :, y:y + fh, x:x + fw], axes=(0, 0)) / N
            d_padded[:, :, y:y + fh, x:x + fw] += np.tensordot(d, filt, axes=(1, 0))
    d_bias = delta.sum(axis=(2, 3)).mean(axis=0)
    d_act = d_padded[:, :, border:border + act.shape[2], border:border + act.shape[3]]
    return d_filt, d_bias, d_act


def fwd_conv(act, filt, bias, step, border):
    padded = np.pad(act, ((0, 0), (0, 0), (border, border), (border, border)))
    fh, fw = filt.shape[2:]
    oh = (padded.shape[2] - fh) // step + 1
    ow = (padded.shape[3] - fw) // step + 1
    out = np.empty((act.shape[0], filt.shape[0], oh, ow))
    for i in range(oh):
        for j in range(ow):
            out[:, :, i, j] = np.tensordot(padded[:, :, i*step:i*step+fh, j*step:j*step+fw], filt, axes=([1, 2, 3], [1, 2, 3]))
    return out + bias[None, :, None, None]
