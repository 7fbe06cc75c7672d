import numpy as np


class Conv2D:
    def __init__(self, in_depth, out_depth, kernel_h, kernel_w, stride_h=1, stride_w=1):
        self.kh, self.kw, self.sh, self.sw = kernel_h, kernel_w, stride_h, stride_w
        self.W = np.random.randn(out_depth, in_depth, kernel_h, kernel_w)
        self.b = np.random.randn(out_depth)

    def parameters(self):
        return [self.W, self.b]

    def gradients(self):
        return [self.dW, self.db]

    def forward(self, X):
        self.X = X
        N, C, H, W = X.shape
        self.oh, self.ow = (H - self.kh) // self.sh + 1, (W - self.kw) // self.sw + 1
        Y = np.zeros((N, len(self.b), self.oh, self.ow))
        for u in range(self.kh):
            for v in range(self.kw):
                Y += np.einsum("nchw,kc->nkhw", self._tap(X, u, v), self.W[:, :, u, v])
        return Y + self.b.reshape(1, -1, 1, 1)

    def _tap(self, A, u, v):
        return A[:, :, u:u + self.sh * (self.oh - 1) + 1:self.sh, v:v + self.sw * (self.ow - 1) + 1:self.sw]

    def backward(self, dY):
        dX = np.zeros_like(self.X)
        self.dW = np.zeros_like(self.W)
        for u in range(self.kh):
            for v in range(self.kw):
                self.dW[:, :, u, v] = np.einsum("nkhw,nchw->kc", dY, self._tap(self.X, u, v))
                self._tap(dX, u, v)[...] += np.einsum("nkhw,kc->nchw", dY, self.W[:, :, u, v])
        self.dW += 5e-5 * self.W     # keep the weights small
        self.db = dY.sum((0, 2, 3))
        return dX
