"""A layer without parameters: its forward method takes and keeps them; gradients by name."""

import numpy as np


class Conv2DFunction:
    def forward(self, x, w, b, stride=1, padding=0):
        self.cache = x, w, b, stride, padding
        xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
        v = np.lib.stride_tricks.sliding_window_view(xp, w.shape[2:], (2, 3))
        return np.einsum("ncijab,kcab->nkij", v[:, :, ::stride, ::stride], w) + b[:, None, None]

    def backward(self, dout):
        x, w, b, s, p = self.cache
        (height, width), (kh, kw) = x.shape[2:], w.shape[2:]
        xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        dxp, dw = np.zeros_like(xp), np.zeros_like(w)
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                at = np.s_[:, :, i * s : i * s + kh, j * s : j * s + kw]
                dw += np.einsum("nk,ncab->kcab", dout[:, :, i, j], xp[at])
                dxp[at] += np.einsum("nk,kcab->ncab", dout[:, :, i, j], w)
        dx = dxp[:, :, p : p + height, p : p + width]
        return {"x": dx, "w": dw, "b": dout.sum((0, 2, 3))}
