import numpy as np


def make_conv(kh, kw, name=None):
    """Return a convolution class for one kernel size (so that the loops can be unrolled by hand later)."""

    class _Conv:
        kernel = (kh, kw)

        def __init__(self, in_ch, out_ch, stride=1, pad=0):
            self.stride, self.pad = stride, pad
            self.w = np.random.randn(out_ch, in_ch, kh, kw) * 0.05
            self.b = np.zeros(out_ch)
            self.dw = None
            self.db = None

        def forward(self, x):
            p, s = self.pad, self.stride
            self.x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
            oh = (self.x.shape[2] - kh) // s + 1
            ow = (self.x.shape[3] - kw) // s + 1
            y = np.zeros((x.shape[0], len(self.w), oh, ow))
            for a in range(kh):
                for b in range(kw):
                    y += np.einsum('nchw,kc->nkhw', self.x[:, :, a:a + s * oh:s, b:b + s * ow:s], self.w[:, :, a, b])
            return y + self.b[:, None, None]

        def backward(self, dy):
            p, s = self.pad, self.stride
            oh, ow = dy.shape[2:]
            self.dw = np.zeros_like(self.w)
            dx = np.zeros_like(self.x)
            for a in range(kh):
                for b in range(kw):
                    part = (slice(None), slice(None), slice(a, a + s * oh, s), slice(b, b + s * ow, s))
                    self.dw[:, :, a, b] = np.einsum('nkhw,nchw->kc', dy, self.x[part])
                    dx[part] += np.einsum('nkhw,kc->nchw', dy, self.w[:, :, a, b])
            self.db = dy.sum(axis=(0, 2, 3))
            return dx[:, :, p:dx.shape[2] - p, p:dx.shape[3] - p]

    _Conv.__name__ = name or 'Conv%dx%d' % (kh, kw)
    return _Conv


Conv3x3 = make_conv(3, 3)
Conv5x3 = make_conv(5, 3)
