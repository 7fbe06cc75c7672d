import numpy as np

def convLayerForward(X, params, stride):
    """X: (height, width, depth, batch)   W: (f, f, depth, filters)"""
    W, b = params['W'], params['b']
    fh, fw, _, K = W.shape
    H, V, D, N = X.shape
    oh, ow = (H - fh) // stride + 1, (V - fw) // stride + 1
    Y = np.zeros((oh, ow, K, N))
    for r in range(oh):
        for c in range(ow):
            Y[r, c] = np.einsum('abdn,abdk->kn', X[r*stride:r*stride+fh, c*stride:c*stride+fw], W) + b
    return Y

def convLayerBackward(dY, X, params, stride):
    W = params['W']
    fh, fw, _, K = W.shape
    dX, dW = np.zeros_like(X), np.zeros_like(W)
    db = dY.sum(axis=(0, 1, 3)).reshape(-1, 1)
    for r in range(dY.shape[0]):
        for c in range(dY.shape[1]):
            rows, cols = slice(r*stride, r*stride+fh), slice(c*stride, c*stride+fw)
            dX[rows, cols] += np.einsum('kn,abdk->abdn', dY[r, c], W)
            dW += np.einsum('kn,abdn->abdk', dY[r, c], X[rows, cols])
    dW = np.clip(dW, -5, 5)
    return {'dX': dX, 'dW': dW, 'db': db}
