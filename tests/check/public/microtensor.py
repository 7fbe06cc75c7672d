"""A tiny autograd engine over numpy arrays."""
import numpy as np


class Tensor:
    def __init__(self, data, _children=(), _op=''):
        self.data = np.asarray(data, dtype=np.float64)
        self.grad = np.zeros_like(self.data)
        self._backward = lambda: None
        self._prev = set(_children)
        self._op = _op

    @property
    def shape(self):
        return self.data.shape

    def __mul__(self, other):
        other = other if isinstance(other, Tensor) else Tensor(other)
        out = Tensor(self.data * other.data, (self, other), '*')

        def _backward():
            self.grad += _unbroadcast(other.data * out.grad, self.shape)
            other.grad += _unbroadcast(self.data * out.grad, other.shape)
        out._backward = _backward
        return out

    def sum(self):
        out = Tensor(self.data.sum(), (self,), 'sum')

        def _backward():
            self.grad += np.ones_like(self.data) * out.grad
        out._backward = _backward
        return out

    def relu(self):
        out = Tensor(np.maximum(self.data, 0), (self,), 'relu')

        def _backward():
            self.grad += (out.data > 0) * out.grad
        out._backward = _backward
        return out

    def backward(self, grad=None):
        order, seen = [], set()

        def visit(t):
            if t not in seen:
                seen.add(t)
                for child in t._prev:
                    visit(child)
                order.append(t)
        visit(self)
        self.grad = np.ones_like(self.data) if grad is None else np.asarray(grad, dtype=np.float64)
        for t in reversed(order):
            t._backward()


def _unbroadcast(g, shape):
    while g.ndim > len(shape):
        g = g.sum(axis=0)
    for axis, size in enumerate(shape):
        if size == 1:
            g = g.sum(axis=axis, keepdims=True)
    return g


def conv2d(x, w, b, stride=1, padding=0):
    """x: Tensor (N, C, H, W), w: Tensor (K, C, kh, kw), b: Tensor (K,)."""
    xp = np.pad(x.data, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    kh, kw = w.shape[2:]
    oh = (xp.shape[2] - kh) // stride + 1
    ow = (xp.shape[3] - kw) // stride + 1
    y = np.zeros((x.shape[0], w.shape[0], oh, ow))
    for i in range(kh):
        for j in range(kw):
            y += np.einsum('nchw,kc->nkhw', xp[:, :, i:i + stride * oh:stride, j:j + stride * ow:stride], w.data[:, :, i, j])
    out = Tensor(y + b.data[None, :, None, None], (x, w, b), 'conv2d')

    def _backward():
        g = out.grad
        gxp = np.zeros_like(xp)
        for i in range(kh):
            for j in range(kw):
                rows, cols = slice(i, i + stride * oh, stride), slice(j, j + stride * ow, stride)
                w.grad[:, :, i, j] += np.einsum('nkhw,nchw->kc', g, xp[:, :, rows, cols])
                gxp[:, :, rows, cols] += np.einsum('nkhw,kc->nchw', g, w.data[:, :, i, j])
        x.grad += gxp[:, :, padding:padding + x.shape[2], padding:padding + x.shape[3]]
        b.grad += g.sum(axis=(0, 2, 3))
    out._backward = _backward
    return out
