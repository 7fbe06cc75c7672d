#!/usr/bin/env python2
# -*- coding: utf-8 -*-
import numpy as np
import cPickle

class ConvolutionLayer(object):
    def __init__(self, nkern, nchan, ksize, stride=1, verbose=False):
        self.nkern = nkern
        self.nchan = nchan
        self.ksize = ksize
        self.stride = stride
        self.w = np.random.standard_normal((nkern, nchan, ksize, ksize))
        self.b = np.zeros(nkern)
        self.dw = np.zeros_like(self.w)
        self.db = np.zeros_like(self.b)
        if verbose:
            print 'conv layer with', nkern, 'kernels'

    def fprop(self, data):
        self.data = data
        nb, nc, nr, ncol = data.shape
        orow = (nr - self.ksize) / self.stride + 1
        ocol = (ncol - self.ksize) / self.stride + 1
        out = np.zeros((nb, self.nkern, orow, ocol))
        for i in xrange(orow):
            for j in xrange(ocol):
                r, c = i * self.stride, j * self.stride
                block = data[:, :, r:r + self.ksize, c:c + self.ksize].reshape(nb, -1)
                out[:, :, i, j] = np.dot(block, self.w.reshape(self.nkern, -1).T) + self.b
        return out

    def bprop(self, error):
        if not error.any():
            print 'warning: no error'
        self.dw[...] = 0
        dx = np.zeros_like(self.data)
        nb = error.shape[0]
        for i in xrange(error.shape[2] - 1):
            for j in xrange(error.shape[3]):
                r, c = i * self.stride, j * self.stride
                block = self.data[:, :, r:r + self.ksize, c:c + self.ksize].reshape(nb, -1)
                self.dw += np.dot(error[:, :, i, j].T, block).reshape(self.w.shape)
                dx[:, :, r:r + self.ksize, c:c + self.ksize] += np.dot(error[:, :, i, j], self.w.reshape(self.nkern, -1)).reshape(nb, self.nchan, self.ksize, self.ksize)
        self.db = error.sum(axis=3).sum(axis=2).sum(axis=0)
        return dx
