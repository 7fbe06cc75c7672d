import numpy as np
from numpy.lib.stride_tricks import as_strided


def _triple(v):
    return (v, v, v) if np.isscalar(v) else tuple(v)


def _windows(x, kernel, stride):
    n, c, d, h, w = x.shape
    kd, kh, kw = kernel
    sd, sh, sw = stride
    shape = (n, c, (d - kd) // sd + 1, (h - kh) // sh + 1, (w - kw) // sw + 1, kd, kh, kw)
    bn, bc, bd, bh, bw = x.strides
    return as_strided(x, shape, (bn, bc, bd * sd, bh * sh, bw * sw, bd, bh, bw))


class Conv3d:
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, bias=True):
        self.kernel_size = _triple(kernel_size)
        self.stride = _triple(stride)
        self.padding = _triple(padding)
        self.weight = np.random.uniform(-1, 1, (out_channels, in_channels) + self.kernel_size)
        self.bias = np.zeros(out_channels)
        self.grad = {}

    def forward(self, x):
        pd, ph, pw = self.padding
        self.x_shape = x.shape
        self.xp = np.pad(x, [(0, 0), (0, 0), (pd, pd), (ph, ph), (pw, pw)])
        self.cols = _windows(self.xp, self.kernel_size, self.stride)
        out = np.einsum('ncxyzijk,fcijk->nfxyz', self.cols, self.weight)
        return out + self.bias[None, :, None, None, None]

    def backward(self, grad_output):
        self.grad['weight'] = np.einsum('ncxyzijk,nfxyz->fcijk', self.cols, grad_output)
        self.grad['bias'] = grad_output.sum(axis=(0, 2, 3, 4))
        pd, ph, pw = self.padding
        kd, kh, kw = self.kernel_size
        dxp = np.zeros_like(self.xp)
        _, _, D, H, W = grad_output.shape
        for i in range(kd):
            for j in range(kh):
                for k in range(kw):
                    dxp[:, :, i:i + D, j:j + H, k:k + W] += np.einsum(
                        'nfxyz,fc->ncxyz', grad_output, self.weight[:, :, i, j, k])
        _, _, d, h, w = self.x_shape
        return dxp[:, :, pd:pd + d, ph:ph + h, pw:pw + w]
