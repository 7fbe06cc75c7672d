"""How each style of the corpus is called, written by hand: (module, layer, x, w, b, dz) -> results.

Every adapter gives back z, dx, dw, db in the order (N, C, H, W) and (K, C, kh, kw), with None for
what the code does not compute. Nothing here is shared with the checker, which has to find all of
it by itself.
"""

from __future__ import annotations

import numpy as np

ADAPTERS = {}


def adapter(name, *features):
    """Register how `name` is called and what its layers may use beyond stride and padding."""

    def register(call):
        ADAPTERS[name] = (call, frozenset(features))
        return call

    return register


def pad_of(layer):
    return layer.pads[0][0]


def step_of(layer):
    return layer.stride[0]


@adapter("cache", "stride", "pad", "kernel", "batch")
def cache(module, layer, x, w, b, dz):
    forward = getattr(module, "conv_forward", None) or module.conv_forward_naive
    backward = getattr(module, "conv_backward", None) or module.conv_backward_naive
    z, kept = forward(x, w, b, {"stride": step_of(layer), "pad": pad_of(layer)})
    return z, lambda: backward(dz, kept)


@adapter("cache_options", "stride", "pad", "kernel", "batch")
def cache_options(module, layer, x, w, b, dz):
    z, kept = module.conv2d_forward(x, w, b, step_of(layer), pad_of(layer))
    return z, lambda: module.conv2d_backward(dz, kept)


@adapter("layer_attributes", "stride", "pad", "kernel", "batch")
def layer_attributes(module, layer, x, w, b, dz):
    conv = module.Conv2D(
        layer.channels, layer.filters, layer.kernel, stride=step_of(layer), padding=pad_of(layer)
    )
    conv.W[...], conv.b[...] = w, b

    def backward():
        dx = conv.backward(dz)
        return dx, conv.dW, conv.db

    return conv.forward(x), backward


@adapter("layer_given", "stride", "pad", "kernel", "batch")
def layer_given(module, layer, x, w, b, dz):
    conv = module.Convolution(w, b, stride=step_of(layer), pad=pad_of(layer))

    def backward():
        dx = conv.backward(dz)
        return dx, conv.dW, conv.db

    return conv.forward(x), backward


RATE = 1 / 1024


@adapter("grey_rate")
def grey_rate(module, layer, x, w, b, dz):
    conv = module.ConvKxK(layer.filters, layer.kernel[0])
    conv.filters = w[:, 0].copy()
    z = np.moveaxis(conv.forward(x[0, 0]), 2, 0)[None] + b.reshape(1, -1, 1, 1)

    def backward():
        conv.backprop(np.moveaxis(dz[0], 0, 2), RATE)
        return None, (w - conv.filters[:, None]) / RATE, None

    return z, backward


@adapter("untied_rate", "channels")
def untied_rate(module, layer, x, w, b, dz):
    conv = module.Convolutional(
        (layer.channels, layer.height, layer.width), layer.kernel[0], layer.filters
    )
    conv.kernels[...] = w
    conv.biases[...] = b[:, None, None]

    def backward():
        dx = conv.backward(dz[0], RATE)
        db = (b[:, None, None] - conv.biases) / RATE
        return dx[None], (w - conv.kernels) / RATE, db.sum(axis=(1, 2))

    return conv.forward(x[0])[None], backward


def last(a):
    return np.moveaxis(a, 1, -1)


def first(a):
    return np.moveaxis(a, -1, 1)


def kernels_last(w):
    return w.transpose(2, 3, 1, 0)


def kernels_first(w):
    return w.transpose(3, 2, 0, 1)


@adapter("hparameters", "stride", "pad", "kernel", "batch")
def hparameters(module, layer, x, w, b, dz):
    options = {"stride": step_of(layer), "pad": pad_of(layer)}
    z, kept = module.conv_forward(last(x), kernels_last(w), b.reshape(1, 1, 1, -1), options)

    def backward():
        dx, dw, db = module.conv_backward(last(dz), kept)
        return first(dx), kernels_first(dw), db.reshape(-1)

    return first(z), backward


@adapter("taps_last", "stride", "pad", "strides", "kernel", "batch")
def taps_last(module, layer, x, w, b, dz):
    pads = tuple(pair[0] for pair in layer.pads)
    conv = module.ConvLayer(layer.filters, layer.kernel, layer.channels, layer.stride, pads)
    conv.weights, conv.bias = kernels_last(w).copy(), b.reshape(1, -1).copy()

    def backward():
        dx = conv.backward(last(dz))
        return first(dx), kernels_first(conv.grad_weights), conv.grad_bias

    return first(conv(last(x))), backward


@adapter("plain", "stride", "pad", "kernel", "batch")
def plain(module, layer, x, w, b, dz):
    options = {"stride": step_of(layer), "padding": pad_of(layer)}
    return module.conv2d(x, w, b, **options), lambda: module.conv2d_backward(x, w, dz, **options)


@adapter("dicts", "stride", "pad", "batch")
def dicts(module, layer, x, w, b, dz):
    options = {"k": layer.kernel[0], "pad": pad_of(layer), "stride": step_of(layer)}
    param = {"w": w, "b": b}

    def backward():
        dx, grad = module.conv_layer_backward(dz, x, options, param)
        return dx, grad["w"], grad["b"]

    return module.conv_layer_forward(x, options, param), backward


@adapter("matlab", "stride", "pad", "kernel", "batch")
def matlab(module, layer, x, w, b, dz):
    def order(a):
        return a.transpose(2, 3, 1, 0)

    options = (step_of(layer), pad_of(layer))
    z = module.conv_fwd(order(x), order(w), b, *options)

    def restore(a):
        return a.transpose(3, 2, 0, 1)

    def backward():
        dx, dw, db = module.conv_bwd(order(dz), order(x), order(w), b, *options)
        return restore(dx), restore(dw), db

    return restore(z), backward


@adapter("grads_dict", "stride", "pad", "batch")
def grads_dict(module, layer, x, w, b, dz):
    conv = module.Conv(
        layer.channels, layer.filters, layer.kernel[0], step_of(layer), pad_of(layer)
    )
    conv.params["W"], conv.params["b"] = w.copy(), b.reshape(-1, 1).copy()

    def backward():
        dx = conv.backward(dz)
        return dx, conv.grads["W"], conv.grads["b"].reshape(-1)

    return conv.forward(x), backward


@adapter("separate", "stride", "pad", "kernel", "batch", "dilation")
def separate(module, layer, x, w, b, dz):
    options = {"stride": step_of(layer), "padding": pad_of(layer), "dilation": layer.dilation}

    def backward():
        return (
            module.conv_backward_input(dz, w, x.shape, **options),
            module.conv_backward_weight(dz, x, layer.kernel, **options),
            module.conv_backward_bias(dz),
        )

    return module.conv(x, w, **options) + b.reshape(1, -1, 1, 1), backward


@adapter("grouped", "stride", "pad", "kernel", "batch", "dilation", "groups")
def grouped(module, layer, x, w, b, dz):
    options = (step_of(layer), pad_of(layer), layer.dilation, layer.groups)

    def backward():
        found = module.group_conv_backward(dz, x, w, b, *options)
        return found["dx"], found["dw"], found["db"]

    return module.group_conv_forward(x, w, b, *options), backward


@adapter("optimizer", "stride", "kernel", "batch")
def optimizer(module, layer, x, w, b, dz):
    conv = module.Conv2D(
        layer.filters,
        layer.kernel,
        (layer.channels, layer.height, layer.width),
        module.SGD(RATE),
        step_of(layer),
    )
    conv.W, conv.w0 = w.copy(), b.reshape(-1, 1).copy()

    def backward():
        dx = conv.backward_pass(dz)
        return dx, (w - conv.W) / RATE, (b - conv.w0.reshape(-1)) / RATE

    return conv.forward_pass(x), backward


@adapter("flat", "stride", "pad", "kernel", "batch")
def flat(module, layer, x, w, b, dz):
    conv = module.ConvolutionLayer(
        layer.channels, layer.filters, *layer.kernel, step_of(layer), pad_of(layer)
    )
    conv.w, conv.b = w.reshape(layer.filters, -1), b.reshape(-1, 1)

    def backward():
        dx = conv.backward(dz)
        return dx, conv.delta_w.reshape(w.shape), conv.delta_b.reshape(-1)

    return conv.forward(x), backward


@adapter("grey", "kernel", "one filter")
def grey(module, layer, x, w, b, dz):
    z = module.conv_forward(x[0, 0], w[0, 0], b[0])

    def backward():
        dx, dw, db = module.conv_backward(dz[0, 0], x[0, 0], w[0, 0])
        return dx[None, None], dw[None, None], np.reshape(db, 1)

    return z[None, None], backward


@adapter("fft", "batch")
def fft(module, layer, x, w, b, dz):
    conv = module.FFTConv(layer.channels, layer.filters, layer.kernel[0])
    conv.weight, conv.bias = w, b

    def backward():
        dx = conv.backward(dz)
        return dx, conv.dweight, conv.dbias

    return conv.forward(x), backward


@adapter("seven", "stride", "pad", "kernel", "batch")
def seven(module, layer, x, w, b, dz):
    options = (step_of(layer), pad_of(layer))
    lists = [a.tolist() for a in (dz, x, w)]
    return module.conv_forward(*lists[1:], b.tolist(), *options), lambda: module.conv_backward(
        *lists, *options
    )


@adapter("true", "flipped", "channels")
def true(module, layer, x, w, b, dz):
    conv = module.ConvLayer(layer.channels, layer.filters, layer.kernel[0])
    conv.kernels, conv.bias = w, b

    def backward():
        dx = conv.backward(dz[0])
        return dx[None], conv.d_kernels, conv.d_bias

    return conv.forward(x[0])[None], backward


@adapter("parameters", "stride", "pad", "kernel", "batch")
def parameters(module, layer, x, w, b, dz):
    conv = module.Conv2d(layer.channels, layer.filters, layer.kernel, step_of(layer), pad_of(layer))
    conv.weight.data, conv.bias.data = w, b

    def backward():
        dx = conv.backward(dz)
        return dx, conv.weight.grad, conv.bias.grad

    return conv.forward(x), backward


@adapter("lists", "stride", "pad", "batch")
def lists(module, layer, x, w, b, dz):
    conv = module.Conv2DLayer(
        layer.channels, layer.filters, layer.kernel[0], step_of(layer), pad_of(layer)
    )
    conv.params[0][...], conv.params[1][...] = kernels_last(w), b

    def backward():
        dx = conv.backward(last(dz))
        return first(dx), kernels_first(conv.grads[0]), conv.grads[1]

    return first(conv.forward(last(x))), backward


@adapter("python2", "stride", "pad", "batch")
def python2(module, layer, x, w, b, dz):
    conv = module.ConvLayer(
        layer.filters, layer.channels, layer.kernel[0], step_of(layer), pad_of(layer)
    )
    conv.weights, conv.biases = w, b

    def backward():
        dx = conv.backward(dz)
        return dx, conv.d_weights, conv.d_biases

    return conv.forward(x), backward


@adapter("batch_rate", "stride", "pad", "batch")
def batch_rate(module, layer, x, w, b, dz):
    conv = module.Conv(
        layer.channels, layer.filters, layer.kernel[0], step_of(layer), pad_of(layer), RATE
    )
    conv.kernels, conv.bias = kernels_last(w).copy(), b.reshape(1, 1, 1, -1).copy()

    def backward():
        dx = conv.backward(last(dz))
        dw = (w - kernels_first(conv.kernels)) / RATE
        return first(dx), dw, (b - conv.bias.reshape(-1)) / RATE

    return first(conv.forward(last(x))), backward


@adapter("sides", "stride", "pad", "strides", "kernel", "batch", "sides")
def sides(module, layer, x, w, b, dz):
    options = (layer.stride, layer.pads)
    return module.forward(x, w, b, *options), lambda: module.backward(x, w, dz, *options)


@adapter("sample", "stride", "kernel", "channels")
def sample(module, layer, x, w, b, dz):
    conv = module.Conv(w, b.reshape(-1, 1), step_of(layer))

    def backward():
        dx, dw, db = conv.backward(dz[0])
        return dx[None], dw, db.reshape(-1)

    return conv.forward(x[0])[None], backward


@adapter("sample_rate", "stride", "pad", "channels")
def sample_rate(module, layer, x, w, b, dz):
    conv = module.Convolution2D(
        layer.channels, layer.filters, layer.kernel[0], step_of(layer), pad_of(layer), RATE
    )
    conv.weights, conv.bias = w.copy(), b.reshape(-1, 1).copy()

    def backward():
        dx = conv.backward(dz[0])
        return dx[None], (w - conv.weights) / RATE, (b - conv.bias.reshape(-1)) / RATE

    return conv.forward(x[0])[None], backward


@adapter("twice", "kernel", "batch")
def twice(module, layer, x, w, b, dz):
    def backward():
        return (*module.conv_backward(dz, x, w), None)

    return module.conv_forward(x, w) + b.reshape(1, -1, 1, 1), backward


@adapter("same", "stride", "kernel", "batch", "same")
def same(module, layer, x, w, b, dz):
    padding = "same" if any(map(any, layer.pads)) else "valid"
    conv = module.Conv2D(layer.filters, layer.kernel, layer.channels, step_of(layer), padding)
    conv.kernel, conv.bias = kernels_last(w), b

    def backward():
        dx, dw, db = conv.backward(last(dz))
        return first(dx), kernels_first(dw), db

    return first(conv.call(last(x))), backward
