import numpy as np

STRIDE = 2
KERNEL = 3


class ConvLayer:
    def __init__(self, in_maps, out_maps):
        self.k = np.random.randn(out_maps, in_maps, KERNEL, KERNEL) * 0.1
        self.b = np.zeros(out_maps)

    def forward(self, x):
        self.x = x
        n, c, h, w = x.shape
        oh, ow = (h - KERNEL) // STRIDE + 1, (w - KERNEL) // STRIDE + 1
        y = np.zeros((n, len(self.b), oh, ow))
        for i in range(oh):
            for j in range(ow):
                p = x[:, :, i * STRIDE:i * STRIDE + KERNEL, j * STRIDE:j * STRIDE + KERNEL]
                y[:, :, i, j] = np.einsum("ncab,kcab->nk", p, self.k) + self.b
        return y

    def backward(self, dy):
        dx = np.zeros_like(self.x)
        self.dk = np.zeros_like(self.k)
        for i in range(dy.shape[2]):
            for j in range(dy.shape[3]):
                s = np.s_[:, :, i * STRIDE:i * STRIDE + KERNEL, j * STRIDE:j * STRIDE + KERNEL]
                self.dk += np.einsum("nk,ncab->kcab", dy[:, :, i, j], self.x[s])
                dx[s] += np.einsum("nk,kcab->ncab", dy[:, :, i, j], self.k)
        self.db = dy.sum((0, 2, 3))
        return dx
