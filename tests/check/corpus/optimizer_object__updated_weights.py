import numpy as np


class SGD:
    def __init__(self, learning_rate=0.01):
        self.learning_rate = learning_rate

    def update(self, w, grad_w):
        return w - self.learning_rate * grad_w


class Conv2D:
    def __init__(self, n_filters, filter_shape, input_shape, optimizer, stride=1):
        self.n_filters = n_filters
        self.filter_shape = filter_shape
        self.input_shape = input_shape
        self.stride = stride
        self.w_opt = optimizer
        channels = input_shape[0]
        limit = 1 / np.sqrt(np.prod(filter_shape))
        self.W = np.random.uniform(-limit, limit, size=(n_filters, channels, *filter_shape))
        self.w0 = np.zeros((n_filters, 1))

    def _columns(self, X):
        fh, fw = self.filter_shape
        n, c, h, w = X.shape
        oh = (h - fh) // self.stride + 1
        ow = (w - fw) // self.stride + 1
        cols = np.zeros((n, c * fh * fw, oh * ow))
        for p in range(oh * ow):
            i, j = divmod(p, ow)
            i, j = i * self.stride, j * self.stride
            cols[:, :, p] = X[:, :, i:i + fh, j:j + fw].reshape(n, -1)
        return cols, oh, ow

    def forward_pass(self, X, training=True):
        self.layer_input = X
        cols, oh, ow = self._columns(X)
        self.cols = cols
        out = np.einsum('kq,nqp->nkp', self.W.reshape(self.n_filters, -1), cols) + self.w0
        return out.reshape(X.shape[0], self.n_filters, oh, ow)

    def backward_pass(self, accum_grad):
        n = accum_grad.shape[0]
        fh, fw = self.filter_shape
        flat = accum_grad.reshape(n, self.n_filters, -1)
        grad_w = np.einsum('nkp,nqp->kq', flat, self.cols).reshape(self.W.shape)
        grad_w0 = flat.sum(axis=(0, 2)).reshape(-1, 1)
        self.W = self.w_opt.update(self.W, grad_w)
        dcols = np.einsum('kq,nkp->nqp', self.W.reshape(self.n_filters, -1), flat)
        dX = np.zeros(self.layer_input.shape)
        ow = accum_grad.shape[3]
        for p in range(dcols.shape[2]):
            i, j = divmod(p, ow)
            i, j = i * self.stride, j * self.stride
            dX[:, :, i:i + fh, j:j + fw] += dcols[:, :, p].reshape(n, -1, fh, fw)
        self.w0 = self.w_opt.update(self.w0, grad_w0)
        return dX
