import numpy as np

class GroupConv2d:
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, groups=1):
        assert in_channels % groups == 0 and out_channels % groups == 0
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.k = kernel_size
        self.stride = stride
        self.padding = padding
        self.groups = groups
        self.W = np.random.randn(out_channels, in_channels // groups, kernel_size, kernel_size)
        self.b = np.zeros(out_channels)

    def _windows(self, xp):
        k, s = self.k, self.stride
        return np.lib.stride_tricks.sliding_window_view(xp, (k, k), axis=(2, 3))[:, :, ::s, ::s]

    def forward(self, x):
        p = self.padding
        self.x = x
        self.xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        gi, go = self.in_channels // self.groups, self.out_channels // self.groups
        outs = []
        for g in range(self.groups):
            cols = self._windows(self.xp[:, g * gi:(g + 1) * gi])
            outs.append(np.einsum('nchwij,kcij->nkhw', cols, self.W[g * go:(g + 1) * go]))
        return np.concatenate(outs, axis=1) + self.b[:, None, None]

    def backward(self, dout):
        p, s, k = self.padding, self.stride, self.k
        gi, go = self.in_channels // self.groups, self.out_channels // self.groups
        dxp = np.zeros_like(self.xp)
        dW = np.zeros_like(self.W)
        H, W = dout.shape[2:]
        for g in range(self.groups):
            cin = slice(g * gi, (g + 1) * gi)
            cout = slice(g * go, (g + 1) * go)
            dW[cout] = np.einsum('nkhw,nchwij->kcij', dout[:, cout], self._windows(self.xp[:, cin]))
            for i in range(k):
                for j in range(k):
                    dxp[:, cin, i:i + s * H:s, j:j + s * W:s] += np.einsum('nkhw,kc->nchw', dout[:, cout], self.W[cout, :, i, j])
        self.grads = {'W': dW, 'b': dout.sum(axis=(0, 2, 3))}
        return dxp[:, :, p:p + self.x.shape[2], p:p + self.x.shape[3]]
