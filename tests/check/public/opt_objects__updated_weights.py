import copy
import math

import numpy as np


class StochasticGradientDescent:
    def __init__(self, learning_rate=0.01, momentum=0):
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.w_updt = None

    def update(self, w, grad_wrt_w):
        if self.w_updt is None:
            self.w_updt = np.zeros(np.shape(w))
        self.w_updt = self.momentum * self.w_updt + (1 - self.momentum) * grad_wrt_w
        return w - self.learning_rate * self.w_updt


class Conv2D:
    def __init__(self, n_filters, filter_shape, input_shape=None, padding=0, stride=1):
        self.n_filters = n_filters
        self.filter_shape = filter_shape
        self.padding = padding
        self.stride = stride
        self.input_shape = input_shape
        self.trainable = True

    def initialize(self, optimizer):
        filter_height, filter_width = self.filter_shape
        channels = self.input_shape[0]
        limit = 1 / math.sqrt(np.prod(self.filter_shape))
        self.W = np.random.uniform(-limit, limit, size=(self.n_filters, channels, filter_height, filter_width))
        self.w0 = np.zeros((self.n_filters, 1))
        self.W_opt = copy.copy(optimizer)
        self.w0_opt = copy.copy(optimizer)

    def output_shape(self):
        channels, height, width = self.input_shape
        oh = (height + 2 * self.padding - self.filter_shape[0]) // self.stride + 1
        ow = (width + 2 * self.padding - self.filter_shape[1]) // self.stride + 1
        return self.n_filters, oh, ow

    def _cols(self, X):
        fh, fw = self.filter_shape
        p, s = self.padding, self.stride
        Xp = np.pad(X, ((0, 0), (0, 0), (p, p), (p, p)))
        v = np.lib.stride_tricks.sliding_window_view(Xp, (fh, fw), axis=(2, 3))[:, :, ::s, ::s]
        return v.transpose(1, 4, 5, 2, 3, 0).reshape(X.shape[1] * fh * fw, -1)

    def forward_pass(self, X, training=True):
        batch_size, channels, height, width = X.shape
        self.layer_input = X
        self.X_col = self._cols(X)
        self.W_col = self.W.reshape((self.n_filters, -1))
        output = self.W_col.dot(self.X_col) + self.w0
        output = output.reshape(self.output_shape() + (batch_size,))
        return output.transpose(3, 0, 1, 2)

    def backward_pass(self, accum_grad):
        fh, fw = self.filter_shape
        p, s = self.padding, self.stride
        n, _, oh, ow = accum_grad.shape
        accum_grad = accum_grad.transpose(1, 2, 3, 0).reshape(self.n_filters, -1)
        if self.trainable:
            grad_w = accum_grad.dot(self.X_col.T).reshape(self.W.shape)
            grad_w0 = np.sum(accum_grad, axis=1, keepdims=True)
            self.W = self.W_opt.update(self.W, grad_w)
            self.w0 = self.w0_opt.update(self.w0, grad_w0)
        back = self.W.reshape((self.n_filters, -1)).T.dot(accum_grad)
        c, h, w = self.layer_input.shape[1:]
        back = back.reshape(c, fh, fw, oh, ow, n).transpose(5, 0, 1, 2, 3, 4)
        dXp = np.zeros((n, c, h + 2 * p, w + 2 * p))
        for i in range(fh):
            for j in range(fw):
                dXp[:, :, i:i + s * oh:s, j:j + s * ow:s] += back[:, :, i, j]
        return dXp[:, :, p:p + h, p:p + w]
