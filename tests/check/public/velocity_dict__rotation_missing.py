import numpy as np

class Convolution2D(object):
    def __init__(self, n_filters, n_channels, f_h, f_w, learning_rate=1e-2, rho=0.5):
        self.params = {'W': np.random.randn(n_filters, n_channels, f_h, f_w), 'b': np.zeros((n_filters, 1))}
        self.velocity = {k: np.zeros_like(v) for k, v in self.params.items()}
        self.learning_rate = learning_rate
        self.rho = rho

    def feed_forward(self, X):
        self.X = X
        W, b = self.params['W'], self.params['b']
        windows = np.lib.stride_tricks.sliding_window_view(X, W.shape[2:], axis=(2, 3))
        self.windows = windows
        return np.tensordot(windows, W, axes=([1, 4, 5], [1, 2, 3])).transpose(0, 3, 1, 2) + b.reshape(1, -1, 1, 1)

    def back_propagate(self, delta):
        W = self.params['W']
        f_h, f_w = W.shape[2:]
        grads = {'W': np.tensordot(delta, self.windows, axes=([0, 2, 3], [0, 2, 3])),
                 'b': delta.sum(axis=(0, 2, 3)).reshape(-1, 1)}
        padded = np.pad(delta, ((0, 0), (0, 0), (f_h - 1, f_h - 1), (f_w - 1, f_w - 1)))
        turned = W
        spread = np.lib.stride_tricks.sliding_window_view(padded, (f_h, f_w), axis=(2, 3))
        dX = np.tensordot(spread, turned, axes=([1, 4, 5], [0, 2, 3])).transpose(0, 3, 1, 2)
        for key, g in grads.items():
            self.velocity[key] = self.rho * self.velocity[key] + self.learning_rate * g
            self.params[key] -= self.velocity[key]
        return dX
