import numpy as np


def conv2d(input, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1)):
    N, C, H, W = input.shape
    O, _, kh, kw = weight.shape
    xp = np.pad(input, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    oh = (xp.shape[2] - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    ow = (xp.shape[3] - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    out = np.zeros((N, O, oh, ow))
    for a in range(kh):
        for b in range(kw):
            i, j = a * dilation[0], b * dilation[1]
            out += np.einsum('nchw,oc->nohw', xp[:, :, i:i + stride[0] * oh:stride[0], j:j + stride[1] * ow:stride[1]], weight[:, :, a, b])
    if bias is not None:
        out += bias.reshape(1, -1, 1, 1)
    return out


def conv2d_backward(grad_output, input, weight, stride=(1, 1), padding=(0, 0), dilation=(1, 1)):
    N, C, H, W = input.shape
    O, _, kh, kw = weight.shape
    oh, ow = grad_output.shape[2:]
    xp = np.pad(input, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    grad_xp = np.zeros_like(xp)
    grad_weight = np.zeros_like(weight)
    for a in range(kh):
        for b in range(kw):
            i, j = a * dilation[0], b * dilation[1]
            rows = slice(i, i + stride[0] * oh, stride[0])
            cols = slice(j, j + stride[1] * ow, stride[1])
            grad_xp[:, :, rows, cols] += np.einsum('nohw,oc->nchw', grad_output, weight[:, :, a, b])
            grad_weight[:, :, a, b] = np.einsum('nohw,nchw->oc', grad_output, xp[:, :, a:a + stride[0] * oh:stride[0], b:b + stride[1] * ow:stride[1]])
    grad_input = grad_xp[:, :, padding[0]:padding[0] + H, padding[1]:padding[1] + W]
    return grad_input, grad_weight, grad_output.sum(axis=(0, 2, 3))
