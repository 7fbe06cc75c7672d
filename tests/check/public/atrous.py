import numpy as np

def atrous_conv2d(value, filters, rate, padding=0):
    """value [batch, height, width, in_channels], filters [fh, fw, in, out]"""
    n, h, w, _ = value.shape
    fh, fw, _, out_c = filters.shape
    v = np.pad(value, [[0, 0], [padding] * 2, [padding] * 2, [0, 0]])
    oh = h + 2 * padding - rate * (fh - 1)
    ow = w + 2 * padding - rate * (fw - 1)
    out = np.zeros((n, oh, ow, out_c))
    for i in range(fh):
        for j in range(fw):
            out += v[:, i * rate:i * rate + oh, j * rate:j * rate + ow, :].dot(filters[i, j])
    return out

def atrous_conv2d_grad(grad, value, filters, rate, padding=0):
    n, h, w, _ = value.shape
    fh, fw, _, _ = filters.shape
    oh, ow = grad.shape[1:3]
    v = np.pad(value, [[0, 0], [padding] * 2, [padding] * 2, [0, 0]])
    grad_v = np.zeros(v.shape)
    grad_f = np.zeros(filters.shape)
    for i in range(fh):
        for j in range(fw):
            window = (slice(None), slice(i * rate, i * rate + oh), slice(j * rate, j * rate + ow))
            grad_v[window] += grad.dot(filters[i, j].T)
            grad_f[i, j] = np.tensordot(v[window], grad, ([0, 1, 2], [0, 1, 2]))
    return grad_v[:, padding:padding + h, padding:padding + w, :], grad_f
