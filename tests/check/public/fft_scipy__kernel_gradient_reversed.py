import numpy as np
from scipy.signal import fftconvolve


def conv_forward(x, k, bias):
    """Valid convolution (the real one, kernel turned) of a batch of images.

    x: [batch, channels, rows, cols]; k: [filters, channels, kr, kc]
    """
    B, C, R, S = x.shape
    F, _, kr, kc = k.shape
    out = np.zeros((B, F, R - kr + 1, S - kc + 1))
    for n in range(B):
        for f in range(F):
            for c in range(C):
                out[n, f] += fftconvolve(x[n, c], k[f, c], mode='valid')
            out[n, f] += bias[f]
    return out


def conv_backward(grad_out, x, k):
    B, C, R, S = x.shape
    F, _, kr, kc = k.shape
    grad_x = np.zeros_like(x)
    grad_k = np.zeros_like(k)
    for n in range(B):
        for f in range(F):
            for c in range(C):
                grad_x[n, c] += fftconvolve(grad_out[n, f], k[f, c][::-1, ::-1], mode='full')
                grad_k[f, c] += fftconvolve(x[n, c], grad_out[n, f][::-1, ::-1], mode='valid')
    grad_bias = grad_out.sum(axis=(0, 2, 3))
    return grad_x, grad_k, grad_bias
