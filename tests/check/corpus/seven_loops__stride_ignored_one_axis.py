def zeros(*shape):
    if len(shape) == 1:
        return [0.0] * shape[0]
    return [zeros(*shape[1:]) for _ in range(shape[0])]


def conv_forward(x, w, b, stride, pad):
    N, C, H, W = len(x), len(x[0]), len(x[0][0]), len(x[0][0][0])
    K, R, S = len(w), len(w[0][0]), len(w[0][0][0])
    P = (H + 2 * pad - R) // stride + 1
    Q = (W + 2 * pad - S) // stride + 1
    y = zeros(N, K, P, Q)
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
                                    acc += x[n][c][i][j] * w[k][c][r][s]
                    y[n][k][p][q] = acc
    return y


def conv_backward(dy, x, w, stride, pad):
    N, C, H, W = len(x), len(x[0]), len(x[0][0]), len(x[0][0][0])
    K, R, S = len(w), len(w[0][0]), len(w[0][0][0])
    P, Q = len(dy[0][0]), len(dy[0][0][0])
    dx = zeros(N, C, H, W)
    dw = zeros(K, C, R, S)
    db = zeros(K)
    for n in range(N):
        for k in range(K):
            for p in range(P):
                for q in range(Q):
                    d = dy[n][k][p][q]
                    db[k] += d
                    for c in range(C):
                        for r in range(R):
                            for s in range(S):
                                i = p * stride + r - pad
                                j = q + s - pad
                                if 0 <= i < H and 0 <= j < W:
                                    dx[n][c][i][j] += d * w[k][c][r][s]
                                    dw[k][c][r][s] += d * x[n][c][i][j]
    return dx, dw, db
