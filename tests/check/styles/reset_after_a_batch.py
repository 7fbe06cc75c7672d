"""One image at a time; gradients are added up until they are applied; rows and columns by name."""

import numpy as np


class Conv:
    def __init__(self, nb_filter, nb_row, nb_col, input_depth, border=1):
        self.W = np.random.randn(nb_filter, input_depth, nb_row, nb_col)
        self.b, self.border = np.zeros(nb_filter), border
        self.reset()

    def reset(self):
        self.dW, self.db = np.zeros_like(self.W), np.zeros_like(self.b)

    def forward(self, image):
        m, (kh, kw) = self.border, self.W.shape[2:]
        self.x = np.pad(image, ((0, 0), (m, m), (m, m)))
        self.v = np.lib.stride_tricks.sliding_window_view(self.x, (kh, kw), (1, 2))
        return np.einsum("cijab,kcab->kij", self.v, self.W) + self.b[:, None, None]

    def backward(self, grad):
        m, (kh, kw) = self.border, self.W.shape[2:]
        self.dW += np.einsum("cijab,kij->kcab", self.v, grad)
        self.db += grad.sum((1, 2))
        dx = np.zeros_like(self.x)
        for a in range(kh):
            for b in range(kw):
                part = np.einsum("kij,kc->cij", grad, self.W[:, :, a, b])
                dx[:, a : a + grad.shape[1], b : b + grad.shape[2]] += part
        return dx[:, m : dx.shape[1] - m, m : dx.shape[2] - m]

    def apply(self, rate, batch_size):
        self.W -= rate * self.dW / batch_size
        self.b -= rate * self.db / batch_size
        self.reset()
