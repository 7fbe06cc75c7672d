import numpy as np
from scipy.signal import correlate

# https://example.org/blog/backprop-in-cnn  - my notes as code


def conv_fprop(x, W, b):
    """x: (N, C, H, W), W: (K, C, p, q), stride 1, valid"""
    N, K = x.shape[0], W.shape[0]
    out = []
    for n in range(N):
        out.append([correlate(x[n], W[k], mode='valid')[0] + b[k] for k in range(K)])
    return np.array(out)


def conv_bprop(delta, x, W):
    N, C = x.shape[:2]
    K, _, p, q = W.shape
    # delta is padded so that every position of the kernel overlaps
    delta_pad = np.pad(delta, ((0, 0), (0, 0), (p - 1, p - 1), (q - 1, q - 1)), mode='constant')
    W_flip = W[:, :, ::-1, ::-1]
    dx = np.zeros(x.shape)
    dW = np.zeros(W.shape)
    for n in range(N):
        for k in range(K):
            for c in range(C):
                dx[n, c] += correlate(delta_pad[n, k], W_flip[k, c], mode='valid')
                dW[k, c] += correlate(x[n, c], delta[n, k], mode='valid')
    db = delta.sum(axis=(0, 2, 3))
    return dx, dW, db
