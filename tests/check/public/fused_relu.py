import numpy as np


class ConvReLU:
    """conv + bias + optional relu in one layer"""

    def __init__(self, in_ch, out_ch, k, stride=1, pad=0, activation=None):
        self.stride, self.pad, self.activation = stride, pad, activation
        self.weight = np.random.randn(out_ch, in_ch, k, k) * np.sqrt(2 / (in_ch * k * k))
        self.bias = np.zeros(out_ch)

    def forward(self, x):
        s, p = self.stride, self.pad
        k = self.weight.shape[-1]
        self.shape = x.shape
        self.xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        oh, ow = (self.xp.shape[2] - k) // s + 1, (self.xp.shape[3] - k) // s + 1
        z = np.empty((x.shape[0], self.weight.shape[0], oh, ow))
        for i in range(oh):
            for j in range(ow):
                z[:, :, i, j] = np.einsum('ncab,kcab->nk', self.xp[:, :, i*s:i*s+k, j*s:j*s+k], self.weight)
        self.z = z + self.bias[:, None, None]
        return np.maximum(self.z, 0) if self.activation == 'relu' else self.z

    def backward(self, da):
        s, p = self.stride, self.pad
        k = self.weight.shape[-1]
        dz = da * (self.z > 0) if self.activation == 'relu' else da
        dxp = np.zeros_like(self.xp)
        dw = np.zeros_like(self.weight)
        for i in range(dz.shape[2]):
            for j in range(dz.shape[3]):
                d = dz[:, :, i, j]
                dw += np.einsum('nk,ncab->kcab', d, self.xp[:, :, i*s:i*s+k, j*s:j*s+k])
                dxp[:, :, i*s:i*s+k, j*s:j*s+k] += np.einsum('nk,kcab->ncab', d, self.weight)
        db = dz.sum(axis=(0, 2, 3))
        dx = dxp[:, :, p:p+self.shape[2], p:p+self.shape[3]]
        return dx, {'weight': dw, 'bias': db}
