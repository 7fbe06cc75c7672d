# -*- coding: utf-8 -*-
# python 2.7
import numpy as np


class ConvLayer(object):
    '''grey pictures (batch, rows, cols); every feature map has one kernel'''

    def __init__(self, n_maps, rows, cols, eta=0.1):
        self.n_maps = n_maps
        self.rows, self.cols = rows, cols
        self.eta = eta
        self.kernels = [np.random.randn(rows, cols) / np.sqrt(rows * cols) for _ in xrange(n_maps)]
        self.thresholds = [0.0 for _ in xrange(n_maps)]
        print "conv layer with", n_maps, "maps"

    def feed_forward(self, pictures):
        self.pictures = pictures
        batch, H, W = pictures.shape
        maps = np.zeros((batch, self.n_maps, H - self.rows + 1, W - self.cols + 1))
        for m in xrange(self.n_maps):
            for r in xrange(maps.shape[2]):
                for c in xrange(maps.shape[3]):
                    maps[:, m, r, c] = (pictures[:, r:r + self.rows, c:c + self.cols] * self.kernels[m]).sum(2).sum(1)
            maps[:, m] += self.thresholds[m]
        return maps

    def feed_backward(self, delta):
        back = np.zeros(self.pictures.shape)
        for m in xrange(self.n_maps):
            grad = np.zeros((self.rows, self.cols))
            for r in xrange(delta.shape[2]):
                for c in xrange(delta.shape[3]):
                    d = delta[:, m, r, c].reshape(-1, 1, 1)
                    grad += (d * self.pictures[:, r:r + self.rows, c:c + self.cols]).sum(0)
                    back[:, r:r + self.rows, c:c + self.cols] += d * self.kernels[m]
            self.kernels[m] = self.kernels[m] - self.eta * grad
            self.thresholds[m] = self.thresholds[m] - self.eta * delta[:, m].sum()
        return back


if __name__ == '__main__':
    layer = ConvLayer(2, 3, 3)
    print layer.feed_forward(np.ones((1, 5, 5)))
