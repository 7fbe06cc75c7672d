import unittest

import numpy as np


class Convolution2D:
    def __init__(self, weight, bias=None, stride=(1, 1), padding=(0, 0)):
        self.weight = np.asarray(weight)
        self.bias = np.zeros(self.weight.shape[-1]) if bias is None else np.asarray(bias)
        self.stride = stride
        self.padding = padding

    def _unfold(self, x):
        (ph, pw), (sh, sw) = self.padding, self.stride
        kh, kw = self.weight.shape[:2]
        xp = np.pad(x, ((0, 0), (ph, ph), (pw, pw), (0, 0)))
        n, h, w, c = xp.shape
        oh, ow = (h - kh) // sh + 1, (w - kw) // sw + 1
        s = xp.strides
        cols = np.lib.stride_tricks.as_strided(xp, (n, oh, ow, kh, kw, c),
                                               (s[0], s[1] * sh, s[2] * sw, s[1], s[2], s[3]), writeable=False)
        return cols.reshape(n, oh, ow, kh * kw * c)

    def forward(self, x):
        self.x = x
        self.cols = self._unfold(x)
        return self.cols @ self.weight.reshape(-1, self.weight.shape[-1]) + self.bias

    def backward(self, dy):
        (ph, pw), (sh, sw) = self.padding, self.stride
        kh, kw, c, k = self.weight.shape
        n, oh, ow, _ = dy.shape
        self.dweight = (self.cols.reshape(-1, kh * kw * c).T @ dy.reshape(-1, k)).reshape(kh, kw, c, k)
        self.dbias = dy.reshape(-1, k).sum(axis=0)
        dcols = (dy @ self.weight.reshape(-1, k).T).reshape(n, oh, ow, c, kh, kw)
        _, h, w, _ = self.x.shape
        dxp = np.zeros((n, h + 2 * ph, w + 2 * pw, c))
        for i in range(kh):
            for j in range(kw):
                dxp[:, i:i + sh * oh:sh, j:j + sw * ow:sw] += dcols[:, :, :, :, i, j]
        return dxp[:, ph:ph + h, pw:pw + w]


class TestConvolution(unittest.TestCase):
    def test_shapes(self):
        conv = Convolution2D(np.ones((3, 3, 2, 4)), padding=(1, 1))
        x = np.ones((2, 5, 5, 2))
        y = conv.forward(x)
        self.assertEqual(y.shape, (2, 5, 5, 4))
        self.assertEqual(conv.backward(y).shape, x.shape)

    def test_one_channel_gradient(self):
        rng = np.random.default_rng(0)
        conv = Convolution2D(rng.normal(size=(2, 2, 1, 1)))
        x = rng.normal(size=(1, 4, 4, 1))
        y = conv.forward(x)
        dx = conv.backward(np.ones_like(y))
        eps = 1e-6
        x[0, 1, 1, 0] += eps
        self.assertAlmostEqual((conv.forward(x).sum() - y.sum()) / eps, dx[0, 1, 1, 0], places=4)


if __name__ == "__main__":
    unittest.main()
