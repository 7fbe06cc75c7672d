import numpy as np

def deconv_forward(x, w, b, deconv_param):
    """ x: (N, C, H, W); w: (C, F, HH, WW); b: (F,) """
    s, p = deconv_param['stride'], deconv_param['pad']
    N, C, H, W = x.shape
    _, F, HH, WW = w.shape
    H_out = s * (H - 1) + HH - 2 * p
    W_out = s * (W - 1) + WW - 2 * p
    out = np.zeros((N, F, H_out + 2 * p, W_out + 2 * p))
    for hh in range(HH):
        for ww in range(WW):
            out[:, :, hh:hh + s * H:s, ww:ww + s * W:s] += np.einsum('nchw,cf->nfhw', x, w[:, :, hh, ww])
    out = out[:, :, p:p + H_out, p:p + W_out] + b[None, :, None, None]
    return out, (x, w, b, deconv_param)

def deconv_backward(dout, cache):
    x, w, b, deconv_param = cache
    s, p = deconv_param['stride'], deconv_param['pad']
    N, C, H, W = x.shape
    _, F, HH, WW = w.shape
    d = np.pad(dout, ((0, 0), (0, 0), (p, p), (p, p)), 'constant')
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for hh in range(HH):
        for ww in range(WW):
            part = d[:, :, hh:hh + s * H:s, ww:ww + s * W:s]
            dx += np.einsum('nfhw,cf->nchw', part, w[:, :, hh, ww])
            dw[:, :, hh, ww] = np.einsum('nchw,nfhw->cf', x, part)
    return dx, dw, dout.sum(axis=(0, 2, 3))
