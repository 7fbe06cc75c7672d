import numpy as np

def grouped_forward(x, w, b, groups):
    n, c, h, wd = x.shape
    k, cg, kh, kw = w.shape
    kg = k // groups
    y = np.zeros((n, k, h - kh + 1, wd - kw + 1))
    for g in range(groups):
        for i in range(y.shape[2]):
            for j in range(y.shape[3]):
                y[:, g * kg:(g + 1) * kg, i, j] = np.einsum(
                    "ncab,kcab->nk", x[:, g * cg:(g + 1) * cg, i:i + kh, j:j + kw], w[g * kg:(g + 1) * kg])
    return y + b[:, None, None]

def grouped_backward(dy, x, w, b, groups):
    k, cg, kh, kw = w.shape
    kg = k // groups
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for g in range(groups):
        cs, ks = slice(g * cg, (g + 1) * cg), slice(g * kg, (g + 1) * kg)
        for i in range(dy.shape[2]):
            for j in range(dy.shape[3]):
                dx[:, cs, i:i + kh, j:j + kw] += np.einsum("nk,kcab->ncab", dy[:, ks, i, j], w[:kg])
                dw[ks] += np.einsum("nk,ncab->kcab", dy[:, ks, i, j], x[:, cs, i:i + kh, j:j + kw])
    return dx, dw, dy.sum((0, 2, 3))
