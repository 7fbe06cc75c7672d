import numpy as np
import pickle
from sklearn.datasets import load_digits


class SimpleConvNet:
    """conv - relu - conv - relu - fc - softmax, all in one class"""

    def __init__(self, hidden=16, classes=10):
        self.params = {
            'W1': np.random.randn(4, 1, 3, 3) * 0.1, 'b1': np.zeros(4),
            'W2': np.random.randn(8, 4, 3, 3) * 0.1, 'b2': np.zeros(8),
            'W3': np.random.randn(hidden, classes) * 0.1, 'b3': np.zeros(classes),
        }

    def conv_forward(self, X, W, b, stride=1, padding=1):
        n, d, h, w = X.shape
        f, _, kh, kw = W.shape
        Xp = np.pad(X, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
        oh = (h + 2 * padding - kh) // stride + 1
        ow = (w + 2 * padding - kw) // stride + 1
        out = np.zeros((n, f, oh, ow))
        for i in range(oh):
            for j in range(ow):
                out[:, :, i, j] = np.tensordot(
                    Xp[:, :, i*stride:i*stride+kh, j*stride:j*stride+kw], W, axes=([1, 2, 3], [1, 2, 3])) + b
        cache = (X, W, b, stride, padding)
        return out, cache

    def conv_backward(self, dout, cache):
        X, W, b, stride, padding = cache
        n, d, h, w = X.shape
        f, _, kh, kw = W.shape
        Xp = np.pad(X, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
        dXp = np.zeros(Xp.shape)
        dW = np.zeros(W.shape)
        db = dout.sum(axis=(0, 2, 3))
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                g = dout[:, :, i, j]
                win = Xp[:, :, i*stride:i*stride+kh, j*stride:j*stride+kw]
                dW += np.tensordot(g, win, axes=([0], [0]))
                dXp[:, :, i*stride:i*stride+kh, j*stride:j*stride+kw] += np.tensordot(g, W, axes=([1], [0]))
        return dXp[:, :, padding:padding+h, padding:padding+w], dW, db

    def relu_forward(self, x):
        return np.maximum(x, 0), x

    def relu_backward(self, dout, x):
        return dout * (x > 0)

    def loss(self, X, y):
        p = self.params
        a1, c1 = self.conv_forward(X, p['W1'], p['b1'])
        r1, m1 = self.relu_forward(a1)
        a2, c2 = self.conv_forward(r1, p['W2'], p['b2'])
        r2, m2 = self.relu_forward(a2)
        feat = r2.mean(axis=(2, 3))
        scores = feat @ p['W3'][:feat.shape[1]] + p['b3']
        return scores


digits = load_digits()
net = SimpleConvNet()
print(net.loss(digits.images[:4, None], digits.target[:4]))
