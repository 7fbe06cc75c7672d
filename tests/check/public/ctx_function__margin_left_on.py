import numpy as np


class Context:
    def save_for_backward(self, *tensors):
        self.saved_tensors = tensors


class Function:
    @classmethod
    def apply(cls, *args):
        ctx = Context()
        return ctx, cls.forward(ctx, *args)


class Conv2dFunction(Function):
    """y = conv(x, w) + b; x (N, C, H, W), w (K, C, kh, kw)"""

    @staticmethod
    def forward(ctx, x, w, b, stride=1, padding=0):
        xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
        N, C, H, W = xp.shape
        K, _, kh, kw = w.shape
        oh, ow = (H - kh) // stride + 1, (W - kw) // stride + 1
        cols = np.lib.stride_tricks.sliding_window_view(xp, (kh, kw), axis=(2, 3))[:, :, ::stride, ::stride]
        ctx.save_for_backward(x, w, cols)
        ctx.stride, ctx.padding = stride, padding
        return np.einsum('nchwij,kcij->nkhw', cols, w) + b.reshape(1, K, 1, 1)

    @staticmethod
    def backward(ctx, grad_output):
        x, w, cols = ctx.saved_tensors
        s, p = ctx.stride, ctx.padding
        N, C, H, W = x.shape
        K, _, kh, kw = w.shape
        oh, ow = grad_output.shape[2:]
        grad_w = np.einsum('nkhw,nchwij->kcij', grad_output, cols)
        grad_b = grad_output.sum(axis=(0, 2, 3))
        dcols = np.einsum('nkhw,kcij->nchwij', grad_output, w)
        gxp = np.zeros((N, C, H + 2 * p, W + 2 * p))
        for a in range(oh):
            for b in range(ow):
                gxp[:, :, a * s:a * s + kh, b * s:b * s + kw] += dcols[:, :, a, b]
        return gxp, grad_w, grad_b
