import numpy as np


class GroupConv2d:
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, groups=1):
        assert in_channels % groups == 0 and out_channels % groups == 0
        self.groups, self.stride, self.padding, self.k = groups, stride, padding, kernel_size
        self.w = np.random.randn(out_channels, in_channels // groups, kernel_size, kernel_size) * .1
        self.b = np.zeros(out_channels)

    def forward(self, x):
        p, s, k, G = self.padding, self.stride, self.k, self.groups
        self.x = x
        self.xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        cg, kg = x.shape[1] // G, self.w.shape[0] // G
        oh = (self.xp.shape[2] - k) // s + 1
        ow = (self.xp.shape[3] - k) // s + 1
        y = np.zeros((x.shape[0], self.w.shape[0], oh, ow))
        for g in range(G):
            xs = self.xp[:, g*cg:(g+1)*cg]
            ws = self.w[g*kg:(g+1)*kg]
            for i in range(oh):
                for j in range(ow):
                    y[:, g*kg:(g+1)*kg, i, j] = np.einsum('ncab,kcab->nk', xs[:, :, i*s:i*s+k, j*s:j*s+k], ws)
        return y + self.b[None, :, None, None]

    def backward(self, dy):
        p, s, k, G = self.padding, self.stride, self.k, self.groups
        cg, kg = self.x.shape[1] // G, self.w.shape[0] // G
        dxp = np.zeros_like(self.xp)
        self.dw = np.zeros_like(self.w)
        self.db = dy.sum((0, 2, 3))
        _, _, oh, ow = dy.shape
        for g in range(G):
            xs = self.xp[:, :cg]
            ws = self.w[g*kg:(g+1)*kg]
            for i in range(oh):
                for j in range(ow):
                    d = dy[:, g*kg:(g+1)*kg, i, j]
                    self.dw[g*kg:(g+1)*kg] += np.einsum('nk,ncab->kcab', d, xs[:, :, i*s:i*s+k, j*s:j*s+k])
                    dxp[:, g*cg:(g+1)*cg, i*s:i*s+k, j*s:j*s+k] += np.einsum('nk,kcab->ncab', d, ws)
        return dxp[:, :, p:p+self.x.shape[2], p:p+self.x.shape[3]]
