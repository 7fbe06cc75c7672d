"""How more files of tests/check/public are called, written by hand like the others."""

from __future__ import annotations

import numpy as np

from .adapters import RATE, adapter, first, kernels_first, kernels_last, last, pad_of, step_of


@adapter("kernel_list", "kernel", "grey batch")
def kernel_list(module, layer, x, w, b, dz):
    conv = module.ConvLayer(layer.filters, *layer.kernel, eta=RATE)

    def reset():
        conv.kernels, conv.thresholds = [k.copy() for k in w[:, 0]], list(b)

    def backward():
        reset()
        dx = conv.feed_backward(dz)
        dw = (w[:, 0] - np.array(conv.kernels)) / RATE
        return dx[:, None], dw[:, None], (b - np.array(conv.thresholds)) / RATE

    reset()
    return conv.feed_forward(x[:, 0]), backward


@adapter("kernel_sides", "kernel", "stride", "strides valid", "batch")
def kernel_sides(module, layer, x, w, b, dz):
    conv = module.Conv2D(layer.channels, layer.filters, *layer.kernel, *layer.stride)
    conv.W, conv.b = w, b

    def backward():
        dx = conv.backward(dz)
        return dx, conv.dW, conv.db

    return conv.forward(x), backward


@adapter("nested_loops", "stride", "batch")
def nested_loops(module, layer, x, w, b, dz):
    conv = module.Conv(layer.channels, layer.filters, layer.kernel[0], step_of(layer))
    conv.weights = {"W": w, "b": b.reshape(-1, 1)}

    def backward():
        dx = conv.backward(dz)
        return dx, conv.gradients["dW"], conv.gradients["db"].reshape(-1)

    return conv.forward(x), backward


@adapter("pure_functions", "kernel", "stride", "batch")
def pure_functions(module, layer, x, w, b, dz):
    z = module.convolve_forward(x, w, b, step_of(layer))
    return z, lambda: module.convolve_gradients(x, w, b, step_of(layer), dz)


@adapter("dilated_error", "kernel", "stride", "batch")
def dilated_error(module, layer, x, w, b, dz):
    conv = module.StridedConv(layer.channels, layer.filters, layer.kernel, step_of(layer))
    conv.W, conv.b = w, b

    def backward():
        dx = conv.backward(dz)
        return dx, conv.dW, conv.db

    return conv.forward(x), backward


@adapter("grad_method", "kernel", "pad", "batch")
def grad_method(module, layer, x, w, b, dz):
    conv = module.Conv2d(layer.channels, layer.filters, *layer.kernel, pad_of(layer))
    conv.W, conv.b = w, b

    def backward():
        dx = conv.grad(dz)
        return dx, conv.gW, conv.gb

    return conv(x), backward


@adapter("spread", "stride", "batch")
def spread(module, layer, x, w, b, dz):
    conv = module.ConvolutionalLayer(layer.channels, layer.filters, layer.kernel[0], step_of(layer))
    conv.weights, conv.bias = w, b.reshape(-1, 1, 1)

    def backward():
        dx = conv.backward(dz)
        return dx, conv.grad_weights, conv.grad_bias.reshape(-1)

    return conv.forward(x), backward


@adapter("pad_function", "stride", "pad", "batch")
def pad_function(module, layer, x, w, b, dz):
    conv = module.Conv2d(
        layer.channels, layer.filters, layer.kernel[0], step_of(layer), pad_of(layer)
    )
    conv.weight, conv.bias = w, b

    def backward():
        dx = conv.backward(dz)
        return dx, conv.grad["weight"], conv.grad["bias"]

    return conv.forward(x), backward


@adapter("keyword_layer", "stride", "batch")
def keyword_layer(module, layer, x, w, b, dz):
    conv = module.Conv2D(layer.channels, layer.filters, layer.kernel[0], step_of(layer))
    conv.params = {"W": w, "b": b}

    def backward():
        dx = conv.backward(dz)
        return dx, conv.grads["W"], conv.grads["b"]

    return conv.forward(x), backward


@adapter("same_layer", "same alone", "kernel", "batch")
def same_layer(module, layer, x, w, b, dz):
    conv = module.Conv2DSame(layer.filters, layer.channels, layer.kernel)
    conv.kernel, conv.bias = kernels_last(w), b.copy()
    z = conv.forward(last(x))

    def backward():
        dx = conv.backward(last(dz))
        return first(dx), kernels_first(conv.grad_kernel), conv.grad_bias

    return first(z), backward


@adapter("with_context", "1d", "stride", "pad", "kernel", "batch")
def with_context(module, layer, x, w, b, dz):
    ctx = module.Ctx()
    z = module.Conv1dFunction.forward(ctx, x, w, b, step_of(layer), pad_of(layer))
    return z, lambda: module.Conv1dFunction.backward(ctx, dz)


@adapter("grouped_functions", "kernel", "batch", "groups")
def grouped_functions(module, layer, x, w, b, dz):
    z = module.grouped_forward(x, w, b, layer.groups)
    return z, lambda: module.grouped_backward(dz, x, w, b, layer.groups)


@adapter("forward_backward", "stride", "pad", "batch")
def forward_backward(module, layer, x, w, b, dz):
    options = (pad_of(layer), step_of(layer))
    z = module.forward(x, w, b, *options)
    return z, lambda: module.backward(dz, x, w, b, *options)


@adapter("params_grads", "stride", "pad", "batch")
def params_grads(module, layer, x, w, b, dz):
    options = (layer.kernel[0], step_of(layer), pad_of(layer))
    conv = module.PaddedConv(layer.channels, layer.filters, *options)
    conv.params = {"W": w, "b": b}
    return conv.forward(x), lambda: (conv.backward(dz), conv.grads["W"], conv.grads["b"])
