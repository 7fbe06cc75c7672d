import numpy as np


def conv_transpose2d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1):
    """weight: (C, K // groups, kh, kw), as in torch.nn.functional.conv_transpose2d"""
    n, c, h, w = x.shape
    _, kg, kh, kw = weight.shape
    cg = c // groups
    oh = (h - 1) * stride - 2 * padding + kh + output_padding
    ow = (w - 1) * stride - 2 * padding + kw + output_padding
    buf = np.zeros((n, kg * groups, oh + 2 * padding, ow + 2 * padding))
    for g in range(groups):
        xg, wg = x[:, g * cg:(g + 1) * cg], weight[g * cg:(g + 1) * cg]
        for i in range(h):
            for j in range(w):
                buf[:, g * kg:(g + 1) * kg, i * stride:i * stride + kh, j * stride:j * stride + kw] += \
                    np.tensordot(xg[:, :, i, j], wg, axes=(1, 0))
    y = buf[:, :, padding:padding + oh, padding:padding + ow]
    return y if bias is None else y + bias[None, :, None, None]


def conv_transpose2d_grad(grad, x, weight, stride=1, padding=0, output_padding=0, groups=1):
    n, c, h, w = x.shape
    _, kg, kh, kw = weight.shape
    cg = c // groups
    buf = np.pad(grad, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    gx, gw = np.zeros_like(x), np.zeros_like(weight)
    for g in range(groups):
        wg = weight[g * cg:(g + 1) * cg]
        for i in range(h):
            for j in range(w):
                win = buf[:, g * kg:(g + 1) * kg, i * stride:i * stride + kh, j * stride:j * stride + kw]
                gx[:, g * cg:(g + 1) * cg, i, j] = np.tensordot(win, wg, axes=([1, 2, 3], [1, 2, 3]))
                gw[g * cg:(g + 1) * cg] += np.tensordot(x[:, g * cg:(g + 1) * cg, i, j], win, axes=(0, 0))
    return gx, gw, grad.sum(axis=(0, 2, 3))
