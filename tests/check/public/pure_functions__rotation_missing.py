import numpy as np


def convolve_forward(x, weights, bias, stride):
    kh, kw = weights.shape[2:]
    v = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum("bcyxij,fcij->bfyx", v, weights) + bias[None, :, None, None]


def convolve_gradients(x, weights, bias, stride, upstream):
    """Returns the gradients of x, weights and bias."""
    kh, kw = weights.shape[2:]
    v = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(2, 3))[:, :, ::stride, ::stride]
    grad_weights = np.einsum("bcyxij,bfyx->fcij", v, upstream)
    grad_bias = upstream.sum(axis=(0, 2, 3))
    # full correlation of the upstream gradient and the weights
    padded = np.pad(upstream, ((0, 0), (0, 0), (kh - 1, kh - 1), (kw - 1, kw - 1)))
    u = np.lib.stride_tricks.sliding_window_view(padded, (kh, kw), axis=(2, 3))
    full = np.einsum("bfyxij,fcij->bcyx", u, weights)
    grad_x = np.zeros(x.shape)
    grad_x[:, :, :full.shape[2], :full.shape[3]] = full
    return grad_x, grad_weights, grad_bias
