import numpy as np


class Conv:
    def __init__(self, n_channels, n_kernels, kernel_h, kernel_w, stride=1, pad=0):
        self.n_kernels = n_kernels
        self.kh, self.kw = kernel_h, kernel_w
        self.stride = stride
        self.pad = pad
        self.params = {
            'W': np.random.randn(n_kernels, n_channels, kernel_h, kernel_w) * 0.01,
            'b': np.zeros(n_kernels),
        }
        self.grads = {}

    def forward(self, X):
        s, p = self.stride, self.pad
        X = np.pad(X, ((0, 0), (0, 0), (p, p), (p, p)), mode='constant')
        self.X = X
        N, C, H, W = X.shape
        Ho = (H - self.kh) // s + 1
        Wo = (W - self.kw) // s + 1
        Wk = self.params['W'].reshape(self.n_kernels, -1)
        Y = np.zeros((N, self.n_kernels, Ho, Wo))
        for y in range(Ho):
            for x in range(Wo):
                patch = X[:, :, y*s:y*s+self.kh, x*s:x*s+self.kw].reshape(N, -1)
                Y[:, :, y, x] = patch @ Wk.T + self.params['b']
        return Y

    def backward(self, dY):
        s, p = self.stride, self.pad
        N, C, H, W = self.X.shape
        _, _, Ho, Wo = dY.shape
        Wk = self.params['W'].reshape(self.n_kernels, -1)
        dX = np.zeros_like(self.X)
        dW = np.zeros_like(Wk)
        for y in range(Ho):
            for x in range(Wo):
                patch = self.X[:, :, y*s:y*s+self.kh, x*s:x*s+self.kw].reshape(N, -1)
                dW += dY[:, :, y, x].T @ patch
                dX[:, :, y*s:y*s+self.kh, x*s:x*s+self.kw] = \
                    (dY[:, :, y, x] @ Wk).reshape(N, C, self.kh, self.kw)
        self.grads['W'] = dW.reshape(self.params['W'].shape)
        self.grads['b'] = dY.sum(axis=(0, 2, 3))
        return dX[:, :, p:H-p, p:W-p]
