import numpy as np


class Variable:
    def __init__(self, value, parents=(), requires_grad=True):
        self.value = np.array(value, dtype=float)
        self.parents = parents
        self.requires_grad = requires_grad
        self.grad = None
        self.grad_fn = None

    def accumulate(self, g):
        self.grad = g if self.grad is None else self.grad + g

    def conv2d(self, kernel, stride=1):
        k, c, kh, kw = kernel.value.shape
        n, _, h, w = self.value.shape
        oh, ow = (h - kh) // stride + 1, (w - kw) // stride + 1
        out_value = np.zeros((n, k, oh, ow))
        for i in range(oh):
            for j in range(ow):
                patch = self.value[:, :, i*stride:i*stride+kh, j*stride:j*stride+kw]
                out_value[:, :, i, j] = np.einsum('ncab,kcab->nk', patch, kernel.value)
        out = Variable(out_value, (self, kernel))

        def grad_fn(g):
            dx = np.zeros_like(self.value)
            dk = np.zeros_like(kernel.value)
            for i in range(oh):
                for j in range(ow):
                    s = np.s_[:, :, i*stride:i*stride+kh, j*stride:j*stride+kw]
                    dk += np.einsum('nk,ncab->kcab', g[:, :, i, j], self.value[s])
                    dx[s] += np.einsum('nk,kcab->ncab', g[:, :, i, j], kernel.value)
            self.accumulate(dx)
            kernel.accumulate(dk)

        out.grad_fn = grad_fn
        return out
