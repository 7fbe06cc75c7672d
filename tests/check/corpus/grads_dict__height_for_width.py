import numpy as np


class Conv:
    def __init__(self, n_in, n_out, ksize, stride=1, pad=0):
        self.stride = stride
        self.pad = pad
        self.ksize = ksize
        self.params = {
            'W': np.random.uniform(-0.1, 0.1, (n_out, n_in, ksize, ksize)),
            'b': np.zeros((n_out, 1)),
        }
        self.grads = {}

    def _unfold(self, x):
        k, s = self.ksize, self.stride
        view = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))
        return view[:, :, ::s, ::s]

    def forward(self, X, training=True):
        p = self.pad
        self.in_shape = X.shape
        self.padded = np.pad(X, ((0, 0), (0, 0), (p, p), (p, p)))
        self.cols = self._unfold(self.padded)
        out = np.tensordot(self.cols, self.params['W'], axes=((1, 4, 5), (1, 2, 3)))
        return out.transpose(0, 3, 1, 2) + self.params['b'].reshape(1, -1, 1, 1)

    def backward(self, dY):
        p, s, k = self.pad, self.stride, self.ksize
        n, c, h = self.in_shape[:3]
        self.grads['W'] = np.tensordot(dY, self.cols, axes=((0, 2, 3), (0, 2, 3)))
        self.grads['b'] = dY.sum(axis=(0, 2, 3)).reshape(-1, 1)
        dcols = np.tensordot(dY, self.params['W'], axes=(1, 0))
        dpadded = np.zeros(self.padded.shape)
        for i in range(dY.shape[2]):
            for j in range(dY.shape[3]):
                dpadded[:, :, i * s:i * s + k, j * s:j * s + k] += dcols[:, i, j]
        return dpadded[:, :, p:p + h, p:p + h]
