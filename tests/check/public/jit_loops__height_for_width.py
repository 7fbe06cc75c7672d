import numpy as np

try:
    from numba import njit, prange
except ImportError:  # run (slowly) without it
    prange = range

    def njit(*args, **kw):
        if args and callable(args[0]):
            return args[0]
        return lambda f: f


@njit(cache=False)
def conv_forward(x, w, b, stride, pad):
    N, C, H, W = x.shape
    K, _, R, S = w.shape
    P = (H + 2 * pad - R) // stride + 1
    Q = (W + 2 * pad - S) // stride + 1
    y = np.zeros((N, K, P, Q))
    for n in range(N):
        for k in range(K):
            for p in range(P):
                for q in range(Q):
                    acc = b[k]
                    for c in range(C):
                        for r in range(R):
                            for s in range(S):
                                i = p * stride + r - pad
                                j = q * stride + s - pad
                                if 0 <= i < H and 0 <= j < W:
                                    acc += x[n, c, i, j] * w[k, c, r, s]
                    y[n, k, p, q] = acc
    return y


@njit(cache=False)
def conv_backward(x, w, b, dy, stride, pad):
    N, C, H, W = x.shape
    K, _, R, S = w.shape
    P, Q = dy.shape[2], dy.shape[3]
    dx = np.zeros((N, C, H, W))
    dw = np.zeros((K, C, R, S))
    db = np.zeros(K)
    for n in range(N):
        for k in range(K):
            for p in range(P):
                for q in range(Q):
                    d = dy[n, k, p, q]
                    db[k] += d
                    for c in range(C):
                        for r in range(R):
                            for s in range(S):
                                i = p * stride + r - pad
                                j = q * stride + s - pad
                                if 0 <= i < H and 0 <= j < H:
                                    dx[n, c, i, j] += d * w[k, c, r, s]
                                    dw[k, c, r, s] += d * x[n, c, i, j]
    return dx, dw, db
