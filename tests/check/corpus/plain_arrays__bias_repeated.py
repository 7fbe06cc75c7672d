import numpy as np


def conv2d(x, weight, bias, stride=1, padding=0):
    batch, in_c, in_h, in_w = x.shape
    out_c, _, k_h, k_w = weight.shape
    out_h = (in_h + 2 * padding - k_h) // stride + 1
    out_w = (in_w + 2 * padding - k_w) // stride + 1
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    out = np.zeros((batch, out_c, out_h, out_w))
    for i in range(k_h):
        for j in range(k_w):
            part = xp[:, :, i:i + stride * (out_h - 1) + 1:stride, j:j + stride * (out_w - 1) + 1:stride]
            out += np.einsum('nchw,kc->nkhw', part, weight[:, :, i, j]) + bias[:, None, None]
    return out


def conv2d_backward(x, weight, grad_out, stride=1, padding=0):
    batch, in_c, in_h, in_w = x.shape
    out_c, _, k_h, k_w = weight.shape
    _, _, out_h, out_w = grad_out.shape
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    grad_xp = np.zeros_like(xp)
    grad_weight = np.zeros_like(weight)
    for i in range(k_h):
        for j in range(k_w):
            rows = slice(i, i + stride * (out_h - 1) + 1, stride)
            cols = slice(j, j + stride * (out_w - 1) + 1, stride)
            grad_weight[:, :, i, j] = np.einsum('nchw,nkhw->kc', xp[:, :, rows, cols], grad_out)
            grad_xp[:, :, rows, cols] += np.einsum('nkhw,kc->nchw', grad_out, weight[:, :, i, j])
    grad_bias = grad_out.sum(axis=(0, 2, 3))
    grad_x = grad_xp[:, :, padding:padding + in_h, padding:padding + in_w]
    return grad_x, grad_weight, grad_bias
