import numpy as np

def conv_layer_forward(A, params, layer_id, stride=1, pad=0):
    W = params["W" + str(layer_id)]
    b = params["b" + str(layer_id)]
    m, h, w, c = A.shape
    f1, f2, c, nf = W.shape
    Ap = np.pad(A, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    oh, ow = (h + 2 * pad - f1) // stride + 1, (w + 2 * pad - f2) // stride + 1
    Z = np.zeros((m, oh, ow, nf))
    for i in range(oh):
        for j in range(ow):
            block = Ap[:, i * stride:i * stride + f1, j * stride:j * stride + f2, :, np.newaxis]
            Z[:, i, j, :] = (block * W).sum(axis=(1, 2, 3)) + b
    cache = {"A": A, "stride": stride, "pad": pad, "id": layer_id}
    return Z, cache

def conv_layer_backward(dZ, params, cache):
    stride, pad, n = cache["stride"], cache["pad"], str(cache["id"])
    A, W = cache["A"], params["W" + n]
    f1, f2, c, nf = W.shape
    m, h, w, _ = A.shape
    Ap = np.pad(A, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    dAp, grads = np.zeros(Ap.shape), {"dW" + n: np.zeros(W.shape)}
    for i in range(dZ.shape[1]):
        for j in range(dZ.shape[2]):
            r, s = i * stride, j * stride
            e = dZ[:, i, j, :][:, None, None, None, :]
            grads["dW" + n] += (Ap[:, r:r + f1, s:s + f2, :, None] * e).sum(axis=0)
            dAp[:, r:r + f1, s:s + f2] += (W * e).sum(axis=4)
    grads["dW" + n] += 1e-4 * W
    grads["db" + n] = dZ.sum(axis=(0, 1, 2))
    return dAp[:, pad:pad + h, pad:pad + w], grads
