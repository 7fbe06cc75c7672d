"""A function whose context has stride and groups as attributes."""

import numpy as np


class Function:
    def __init__(self):
        self.saved_tensors = []

    def save_for_backward(self, *x):
        self.saved_tensors.extend(x)


class Conv2D(Function):
    @staticmethod
    def forward(ctx, x, w, stride=1, groups=1):
        if type(ctx.stride) is int:
            ctx.stride = (ctx.stride, ctx.stride)
        (k, c, kh, kw), (sh, sw), n = w.shape, ctx.stride, len(x)
        rows, cols = (x.shape[2] - kh) // sh + 1, (x.shape[3] - kw) // sw + 1
        grouped = x.reshape(n, ctx.groups, c, *x.shape[2:])
        windows = np.lib.stride_tricks.sliding_window_view(grouped, (kh, kw), (3, 4))
        windows = windows[:, :, :, ::sh, ::sw]
        w = w.reshape(ctx.groups, k // ctx.groups, c, kh, kw)
        ctx.save_for_backward(windows, w, x.shape)
        return np.einsum("ngcijab,gkcab->ngkij", windows, w).reshape(n, k, rows, cols)

    @staticmethod
    def backward(ctx, grad_output):
        windows, w, shape = ctx.saved_tensors
        (groups, k, c, kh, kw), (sh, sw), (n, _, *size) = w.shape, ctx.stride, shape
        dz = grad_output.reshape(n, groups, k, *grad_output.shape[2:])
        dw = np.einsum("ngcijab,ngkij->gkcab", windows, dz)
        dx = np.zeros((n, groups, c, *size))
        for i in range(dz.shape[3]):
            for j in range(dz.shape[4]):
                at = np.s_[..., i * sh : i * sh + kh, j * sw : j * sw + kw]
                dx[at] += np.einsum("ngk,gkcab->ngcab", dz[..., i, j], w)
        return dx.reshape(shape), dw.reshape(groups * k, c, kh, kw)
