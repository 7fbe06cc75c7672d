import numpy as np


def group_conv_forward(x, w, b, stride, pad, dilation, groups):
    n, c, h, wd = x.shape
    k, cg, kh, kw = w.shape
    kg = k // groups
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    oh = (h + 2 * pad - dilation * (kh - 1) - 1) // stride + 1
    ow = (wd + 2 * pad - dilation * (kw - 1) - 1) // stride + 1
    out = np.zeros((n, k, oh, ow))
    for g in range(groups):
        for f in range(g * kg, (g + 1) * kg):
            for i in range(oh):
                for j in range(ow):
                    top, left = i * stride, j * stride
                    patch = xp[:, g * cg:(g + 1) * cg,
                               top:top + dilation * (kh - 1) + 1:dilation,
                               left:left + dilation * (kw - 1) + 1:dilation]
                    out[:, f, i, j] = (patch * w[f]).sum(axis=(1, 2, 3)) + b[f]
    return out


def group_conv_backward(dout, x, w, b, stride, pad, dilation, groups):
    n, c, h, wd = x.shape
    k, cg, kh, kw = w.shape
    kg = k // groups
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dxp = np.zeros_like(xp)
    dw = np.zeros_like(w)
    db = np.zeros_like(b)
    oh, ow = dout.shape[2], dout.shape[3]
    for g in range(groups):
        for f in range(g * kg, (g + 1) * kg):
            db[f] = dout[:, f].sum()
            for i in range(oh):
                for j in range(ow):
                    top, left = i * stride, j * stride
                    rows = slice(top, top + dilation * (kh - 1) + 1, dilation)
                    cols = slice(left, left + dilation * (kw - 1) + 1, dilation)
                    d = dout[:, f, i, j].reshape(n, 1, 1, 1)
                    dw[f] += (xp[:, g * cg:(g + 1) * cg, rows, cols] * d).sum(axis=0)
                    dxp[:, :cg, rows, cols] += w[f] * d
    return {'dx': dxp[:, :, pad:pad + h, pad:pad + wd], 'dw': dw, 'db': db}
