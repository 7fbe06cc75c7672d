import numpy as np


class MyConv:
    def __init__(self, cin, cout, k):
        self.w = np.random.randn(cout, cin, k, k)
        self.b = np.zeros(cout)

    def tuda(self, x):
        self.x = x
        k = self.w.shape[2]
        y = np.zeros((len(x), len(self.w), x.shape[2]-k+1, x.shape[3]-k+1))
        for i in range(y.shape[2]):
            for j in range(y.shape[3]):
                y[:, :, i, j] = np.einsum('ncab,kcab->nk', x[:, :, i:i+k, j:j+k], self.w) + self.b
        return y

    def obratnyj_hod(self, g):
        k = self.w.shape[2]
        self.dw, self.db, dx = np.zeros_like(self.w), g.sum((0, 2, 3)), np.zeros_like(self.x)
        for i in range(g.shape[2]):
            for j in range(g.shape[3]):
                self.dw += np.einsum('nk,ncab->kcab', g[:, :, i, j], self.x[:, :, i:i+k, j:j+k])
                dx[:, :, i:i+k, j:j+k] += np.einsum('nk,kcab->ncab', g[:, :, i, j], self.w)
        return dx
