"""LeNet from scratch: convolution, pooling, dense, softmax, all in one file."""
import numpy as np


class Dense:
    def __init__(self, n_in, n_out):
        self.W = np.random.randn(n_in, n_out) * 0.1
        self.b = np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, grad, lr):
        dx = grad @ self.W.T
        self.W -= lr * self.x.T @ grad / len(grad)
        self.b -= lr * grad.mean(axis=0)
        return dx


class Flatten:
    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, grad, lr):
        return grad.reshape(self.shape)


class ReLU:
    def forward(self, x):
        self.x = x
        return np.maximum(x, 0)

    def backward(self, grad, lr):
        return grad * (self.x > 0)


class Conv:
    def __init__(self, channels, filters, kernel, stride=(1, 1), padding=(0, 0)):
        self.W = np.random.randn(filters, kernel[0], kernel[1], channels) * 0.1
        self.b = np.zeros(filters)
        self.stride, self.padding = stride, padding

    def forward(self, x):
        self.x = x
        (ph, pw), (sh, sw) = self.padding, self.stride
        F, kh, kw, C = self.W.shape
        xp = np.pad(x, ((0, 0), (ph, ph), (pw, pw), (0, 0)))
        oh, ow = (xp.shape[1] - kh) // sh + 1, (xp.shape[2] - kw) // sw + 1
        y = np.zeros((len(x), oh, ow, F))
        for i in range(oh):
            for j in range(ow):
                y[:, i, j] = np.tensordot(xp[:, i*sh:i*sh+kh, j*sw:j*sw+kw], self.W, axes=([1, 2, 3], [1, 2, 3])) + self.b
        return y

    def backward(self, grad, lr):
        (ph, pw), (sh, sw) = self.padding, self.stride
        F, kh, kw, C = self.W.shape
        xp = np.pad(self.x, ((0, 0), (ph, ph), (pw, pw), (0, 0)))
        dxp, dW = np.zeros_like(xp), np.zeros_like(self.W)
        for i in range(grad.shape[1]):
            for j in range(grad.shape[2]):
                g = grad[:, i, j]
                dW += np.tensordot(g, xp[:, i*sh:i*sh+kh, j*sh:j*sh+kw], axes=(0, 0))
                dxp[:, i*sh:i*sh+kh, j*sw:j*sw+kw] += np.tensordot(g, self.W, axes=(1, 0))
        self.W -= lr * dW / len(grad)
        self.b -= lr * grad.sum(axis=(1, 2)).mean(axis=0)
        return dxp[:, ph:-ph, pw:-pw]


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def train(net, X, Y, epochs=5, lr=0.05):
    for epoch in range(epochs):
        for i in range(0, len(X), 32):
            out = X[i:i + 32]
            for layer in net:
                out = layer.forward(out)
            grad = softmax(out) - Y[i:i + 32]
            for layer in reversed(net):
                grad = layer.backward(grad, lr)


if __name__ == "__main__":
    data = np.load("mnist.npz")
    train([Conv(1, 6, (5, 5), padding=(2, 2)), ReLU(), Flatten(), Dense(6 * 784, 10)], data["x"], data["y"])
