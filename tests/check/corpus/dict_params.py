import numpy as np


def conv_layer_forward(input, layer, param):
    k, pad, stride = layer['k'], layer['pad'], layer['stride']
    n, c, h, w = input.shape
    num = param['w'].shape[0]
    padded = np.pad(input, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    h_out = (h + 2 * pad - k) // stride + 1
    w_out = (w + 2 * pad - k) // stride + 1
    out = np.zeros((n, num, h_out, w_out))
    for i in range(h_out):
        for j in range(w_out):
            area = padded[:, :, i * stride:i * stride + k, j * stride:j * stride + k]
            out[:, :, i, j] = np.tensordot(area, param['w'], axes=([1, 2, 3], [1, 2, 3])) + param['b']
    return out


def conv_layer_backward(dout, input, layer, param):
    k, pad, stride = layer['k'], layer['pad'], layer['stride']
    n, c, h, w = input.shape
    padded = np.pad(input, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    d_padded = np.zeros_like(padded)
    grad = {'w': np.zeros_like(param['w']), 'b': np.zeros_like(param['b'])}
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            area = padded[:, :, i * stride:i * stride + k, j * stride:j * stride + k]
            delta = dout[:, :, i, j]
            grad['b'] += delta.sum(axis=0)
            grad['w'] += np.tensordot(delta, area, axes=([0], [0]))
            d_padded[:, :, i * stride:i * stride + k, j * stride:j * stride + k] += np.tensordot(
                delta, param['w'], axes=([1], [0])
            )
    d_input = d_padded[:, :, pad:pad + h, pad:pad + w]
    return d_input, grad
