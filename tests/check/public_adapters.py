"""How each file of tests/check/public is called, written by hand like the others."""

from __future__ import annotations

import numpy as np

from .adapters import RATE, adapter, first, kernels_first, kernels_last, last, pad_of, step_of


@adapter("strides_cache", "stride", "pad", "kernel", "batch")
def strides_cache(module, layer, x, w, b, dz):
    options = {"stride": step_of(layer), "pad": pad_of(layer)}
    z, kept = module.conv_forward_strides(x, w, b, options)
    return z, lambda: module.conv_backward_strides(dz, kept)


@adapter("momentum", "stride", "pad", "batch")
def momentum(module, layer, x, w, b, dz):
    conv = module.ConvLayer(
        layer.channels, layer.filters, layer.kernel[0], step_of(layer), pad_of(layer), RATE
    )
    conv.weights, conv.bias = w.copy(), b.copy()

    def backward():
        dx = conv.backward(dz)
        return dx, (w - conv.weights) / RATE, (b - conv.bias) / RATE

    return conv.forward(x), backward


def applied(conv, weights, bias, dx, apply):
    """What a separate call that applies the gradients subtracts from the parameters."""
    before = getattr(conv, weights).copy(), getattr(conv, bias).copy()
    apply(RATE)
    after = getattr(conv, weights), getattr(conv, bias)
    return dx, *((old - new) / RATE for old, new in zip(before, after, strict=True))


@adapter("update", "stride", "pad", "batch")
def update(module, layer, x, w, b, dz):
    conv = module.Conv(
        layer.channels, layer.filters, layer.kernel[0], step_of(layer), pad_of(layer)
    )
    conv.kernel, conv.bias = w.copy(), b.reshape(-1, 1).copy()

    def backward():
        conv.kernel, conv.bias = w.copy(), b.reshape(-1, 1).copy()
        dx, dw, db = applied(conv, "kernel", "bias", conv.backward(dz), conv.update)
        return dx, dw, db.reshape(-1)

    return conv.forward(x), backward


@adapter("step", "kernel", "batch")
def step(module, layer, x, w, b, dz):
    conv = module.Conv2DLayer(layer.channels, layer.filters, layer.kernel)

    def backward():
        conv.filters, conv.biases = w.copy(), b.copy()
        return applied(conv, "filters", "biases", conv.backward(dz), conv.step)

    conv.filters, conv.biases = w.copy(), b.copy()
    return conv.forward(x), backward


@adapter("optimizer_momentum", "stride", "kernel", "batch")
def optimizer_momentum(module, layer, x, w, b, dz):
    optimizer = module.SGDMomentum(RATE)
    conv = module.Convolutional(w.shape, step_of(layer), optimizer)
    conv.W, conv.B = w.copy(), b.reshape(-1, 1, 1).copy()

    def backward():
        optimizer.velocity.clear()
        conv.W, conv.B = w.copy(), b.reshape(-1, 1, 1).copy()
        dx = conv.backward_propagation(dz)
        return dx, (w - conv.W) / RATE, (b - conv.B.reshape(-1)) / RATE

    return conv.forward_propagation(x), backward


@adapter("torch_like", "stride", "pad", "kernel", "batch")
def torch_like(module, layer, x, w, b, dz):
    conv = module.Conv2d(layer.channels, layer.filters, layer.kernel, step_of(layer), pad_of(layer))
    conv.weight.data, conv.bias.data = w, b

    def backward():
        dx = conv.backward(dz)
        return dx, conv.weight.grad.copy(), conv.bias.grad.copy()

    return conv.forward(x), backward


@adapter("keras_like", "stride", "strides valid", "kernel", "batch", "same")
def keras_like(module, layer, x, w, b, dz):
    padding = "same" if any(map(any, layer.pads)) else "valid"
    conv = module.Conv2D(
        layer.filters, layer.kernel, layer.stride, padding, input_shape=(1, 1, layer.channels)
    )
    conv.kernel, conv.bias = kernels_last(w), b

    def backward():
        dx = conv.backward(last(dz))
        return first(dx), kernels_first(conv.d_kernel), conv.d_bias

    return first(conv.call(last(x))), backward


@adapter("conv1d", "stride", "pad", "batch", "1d")
def conv1d(module, layer, x, w, b, dz):
    z, kept = module.conv1d_forward(x, w, b, step_of(layer), pad_of(layer))
    return z, lambda: module.conv1d_backward(dz, kept)


@adapter("sequences", "dilation", "batch", "1d")
def sequences(module, layer, x, w, b, dz):
    conv = module.TemporalConv(layer.channels, layer.filters, layer.kernel[0], layer.dilation)
    conv.W, conv.b = w.transpose(2, 1, 0), b

    def backward():
        dx = conv.backward(last(dz))
        return first(dx), conv.dW.transpose(2, 1, 0), conv.db

    return first(conv.forward(last(x))), backward


@adapter("volumes", "stride", "pad", "kernel", "batch", "3d")
def volumes(module, layer, x, w, b, dz):
    conv = module.Conv3D(layer.channels, layer.filters, layer.kernel, step_of(layer), pad_of(layer))
    conv.W, conv.b = w, b

    def backward():
        dx = conv.backward(dz)
        return dx, conv.dW, conv.db

    return conv.forward(x), backward


@adapter("transposed", "stride", "pad", "batch", "transposed")
def transposed(module, layer, x, w, b, dz):
    options = (layer.kernel[0], step_of(layer), pad_of(layer))
    conv = module.ConvTranspose2d(layer.channels, layer.filters, *options)
    conv.weight, conv.bias = w, b

    def backward():
        dx = conv.backward(dz)
        return dx, conv.grad_weight, conv.grad_bias

    return conv.forward(x), backward


@adapter("deconv", "stride", "pad", "kernel", "batch", "transposed")
def deconv(module, layer, x, w, b, dz):
    options = {"stride": step_of(layer), "pad": pad_of(layer)}
    z, kept = module.deconv_forward(x, w, b, options)
    return z, lambda: module.deconv_backward(dz, kept)


@adapter("atrous", "pad", "kernel", "batch", "dilation")
def atrous(module, layer, x, w, b, dz):
    options = (kernels_last(w), layer.dilation, pad_of(layer))

    def backward():
        dx, dw = module.atrous_conv2d_grad(last(dz), last(x), *options)
        return first(dx), kernels_first(dw), None

    return first(module.atrous_conv2d(last(x), *options)) + b.reshape(1, -1, 1, 1), backward


@adapter("grouped_layer", "stride", "pad", "batch", "groups")
def grouped_layer(module, layer, x, w, b, dz):
    options = (layer.kernel[0], step_of(layer), pad_of(layer), layer.groups)
    conv = module.GroupConv2d(layer.channels, layer.filters, *options)
    conv.W, conv.b = w, b

    def backward():
        dx = conv.backward(dz)
        return dx, conv.grads["W"], conv.grads["b"]

    return conv.forward(x), backward


@adapter("depthwise_last", "stride", "batch", "depthwise")
def depthwise_last(module, layer, x, w, b, dz):
    conv = module.DepthwiseConv2D(layer.kernel[0], layer.channels, step_of(layer))
    conv.depthwise_kernel, conv.bias = w[:, 0].transpose(1, 2, 0), b

    def backward():
        dx = conv.backward(last(dz))
        return first(dx), conv.d_kernel.transpose(2, 0, 1)[:, None], conv.d_bias

    return first(conv.forward(last(x))), backward


@adapter("depthwise_first", "stride", "pad", "batch", "depthwise")
def depthwise_first(module, layer, x, w, b, dz):
    z, kept = module.depthwise_forward(x, w, b, step_of(layer), pad_of(layer))
    return z, lambda: module.depthwise_backward(dz, kept)


@adapter("many_arguments", "stride", "pad", "kernel", "batch")
def many_arguments(module, layer, x, w, b, dz):
    sizes = (*x.shape, len(w), *layer.kernel, step_of(layer), pad_of(layer))
    return module.conv_fprop(x, w, b, *sizes), lambda: module.conv_bprop(dz, x, w, *sizes)


@adapter("odd_names", "channels")
def odd_names(module, layer, x, w, b, dz):
    maps = module.FeatureMaps(layer.channels, layer.filters, layer.kernel[0])
    maps.synapses, maps.thresholds = w, b
    maps.set_input(x[0])

    def backward():
        dx = maps.propagate_back(dz[0])
        return dx[None], maps.delta_synapses, maps.delta_thresholds

    return maps.propagate()[None], backward


@adapter("py2_layer", "stride", "batch")
def py2_layer(module, layer, x, w, b, dz):
    conv = module.ConvolutionLayer(layer.filters, layer.channels, layer.kernel[0], step_of(layer))
    conv.w, conv.b = w, b

    def backward():
        dx = conv.bprop(dz)
        return dx, conv.dw.copy(), conv.db

    return conv.fprop(x), backward


@adapter("db_dw_dx", "stride", "pad", "batch")
def db_dw_dx(module, layer, x, w, b, dz):
    options = (layer.kernel[0], step_of(layer), pad_of(layer))
    conv = module.Conv2D(layer.channels, layer.filters, *options)
    conv.weight, conv.bias = w, b

    def backward():
        db, dw, dx = conv.backward(dz)
        return dx, dw, db

    return conv.forward(x), backward


@adapter("blog")
def blog(module, layer, x, w, b, dz):
    conv = module.Conv3x3(layer.filters)

    def backward():
        conv.filters = w[:, 0].copy()
        conv.backprop(np.moveaxis(dz[0], 0, 2), RATE)
        return None, (w - conv.filters[:, None]) / RATE, None

    conv.filters = w[:, 0].copy()
    z = np.moveaxis(conv.forward(x[0, 0]), 2, 0)[None]
    return z + b.reshape(1, -1, 1, 1), backward


@adapter("named_params", "stride", "pad", "kernel", "batch")
def named_params(module, layer, x, w, b, dz):
    params = {"W3": kernels_last(w), "b3": b}
    options = (step_of(layer), pad_of(layer))
    z, kept = module.conv_layer_forward(last(x), params, 3, *options)

    def backward():
        dx, grads = module.conv_layer_backward(last(dz), params, kept)
        return first(dx), kernels_first(grads["dW3"]), grads["db3"]

    return first(z), backward


@adapter("wraps", "pad", "batch", "wraps")
def wraps(module, layer, x, w, b, dz):
    conv = module.PeriodicConv2d(layer.channels, layer.filters, layer.kernel[0], pad_of(layer))
    conv.weight, conv.bias = w, b

    def backward():
        dx = conv.backward(dz)
        return dx, conv.weight_grad, conv.bias_grad

    return conv.forward(x), backward


@adapter("two_methods", "stride", "kernel", "batch")
def two_methods(module, layer, x, w, b, dz):
    conv = module.ConvOp(w, b, step_of(layer))
    return conv(x), lambda: (conv.grad_input(dz), conv.grad_weights(dz), conv.grad_bias(dz))


@adapter("pairs", "stride", "pad", "strides", "kernel", "batch", "dilation")
def pairs(module, layer, x, w, b, dz):
    pads = tuple(before for before, _ in layer.pads)
    options = {"stride": layer.stride, "padding": pads, "dilation": (layer.dilation,) * 2}
    z = module.conv2d(x, w, b, **options)
    return z, lambda: module.conv2d_backward(dz, x, w, **options)


@adapter("mirrored", "pad", "kernel", "batch", "mirrors")
def mirrored(module, layer, x, w, b, dz):
    z, kept = module.conv_forward(x, w, b, pad_of(layer))
    return z, lambda: module.conv_backward(dz, kept)


@adapter("transposed_last", "stride", "batch", "transposed")
def transposed_last(module, layer, x, w, b, dz):
    options = (layer.kernel[0], step_of(layer))
    conv = module.Deconvolution2D(layer.channels, layer.filters, *options)
    conv.kernel, conv.bias = w.transpose(2, 3, 0, 1), b.reshape(1, 1, 1, -1)

    def backward():
        dx = conv.backward(last(dz))
        return first(dx), conv.dkernel.transpose(2, 3, 0, 1), conv.dbias.reshape(-1)

    return first(conv.forward(last(x))), backward


@adapter("velocity_dict", "kernel", "batch")
def velocity_dict(module, layer, x, w, b, dz):
    conv = module.Convolution2D(layer.filters, layer.channels, *layer.kernel, RATE)
    conv.params = {"W": w.copy(), "b": b.reshape(-1, 1).copy()}

    def backward():
        before = {name: a.copy() for name, a in conv.params.items()}
        dx = conv.back_propagate(dz)
        dw, db = ((before[name] - conv.params[name]) / RATE for name in "Wb")
        conv.params = before
        return dx, dw, db.reshape(-1)

    return conv.feed_forward(x), backward


@adapter("py2_tabs", "batch")
def py2_tabs(module, layer, x, w, b, dz):
    conv = module.Conv(layer.channels, layer.filters, layer.kernel[0])
    conv.kern, conv.offs = w, b

    def backward():
        dx = conv.bwd(dz)
        return dx, conv.gkern, conv.goffs

    return conv.fwd(x), backward


@adapter("step_optimizer", "stride", "pad", "batch")
def step_optimizer(module, layer, x, w, b, dz):
    shape = (layer.channels, *layer.size)
    options = (layer.filters, layer.kernel[0], pad_of(layer), step_of(layer))
    conv = module.Conv(shape, *options)

    def backward():
        conv.weights, conv.biases = w.copy(), b.copy()
        dx = conv.backward(dz, module.SGD(RATE))
        return dx, (w - conv.weights) / RATE, (b - conv.biases) / RATE

    conv.weights, conv.biases = w.copy(), b.copy()
    return conv.forward(x), backward


@adapter("dataclass", "stride", "batch")
def dataclass_layer(module, layer, x, w, b, dz):
    conv = module.ConvLayer(layer.channels, layer.filters, layer.kernel[0], step_of(layer))
    conv.W, conv.b = w, b

    def backward():
        dx = conv.backward(dz)
        return dx, conv.grads["dW"], conv.grads["db"]

    return conv.forward(x), backward


@adapter("sequential", "pad", "batch")
def sequential(module, layer, x, w, b, dz):
    conv = module.Conv(layer.channels, layer.filters, layer.kernel[0], pad_of(layer))
    conv.W, conv.b = w.reshape(len(w), -1), b.reshape(-1, 1)

    def backward():
        dx = conv.backward(dz)
        return dx, conv.dW.reshape(w.shape), conv.db.reshape(-1)

    return conv.forward(x), backward


@adapter("depthwise_1d", "pad", "batch", "depthwise", "1d")
def depthwise_1d(module, layer, x, w, b, dz):
    conv = module.DepthwiseConv1d(layer.channels, layer.kernel[0], pad_of(layer))
    conv.weight, conv.bias = w[:, 0], b

    def backward():
        dx = conv.backward(dz)
        return dx, conv.dweight[:, None], conv.dbias

    return conv.forward(x), backward


@adapter("hwcn_dict", "stride", "kernel", "batch")
def hwcn_dict(module, layer, x, w, b, dz):
    def order(a):
        return a.transpose(2, 3, 1, 0)

    def restore(a):
        return a.transpose(3, 2, 0, 1)

    params = {"W": order(w), "b": b.reshape(-1, 1)}

    def backward():
        found = module.convLayerBackward(order(dz), order(x), params, step_of(layer))
        return restore(found["dX"]), restore(found["dW"]), found["db"].reshape(-1)

    return restore(module.convLayerForward(order(x), params, step_of(layer))), backward


@adapter("naive_3d", "stride", "pad", "kernel", "batch", "3d")
def naive_3d(module, layer, x, w, b, dz):
    options = {"stride": step_of(layer), "pad": pad_of(layer)}
    z, kept = module.conv3d_forward_naive(x, w, b, options)
    return z, lambda: module.conv3d_backward_naive(dz, kept)


@adapter("voxels", "kernel", "batch", "3d")
def voxels(module, layer, x, w, b, dz):
    conv = module.VoxelConv(layer.channels, layer.filters, layer.kernel)
    conv.params = {"W": w.transpose(2, 3, 4, 1, 0), "b": b}

    def backward():
        dx = np.moveaxis(conv.backward(np.moveaxis(dz, 1, -1)), -1, 1)
        return dx, conv.grads["W"].transpose(4, 3, 0, 1, 2), conv.grads["b"]

    return np.moveaxis(conv(np.moveaxis(x, 1, -1)), -1, 1), backward


@adapter("volume_rate", "channels", "3d")
def volume_rate(module, layer, x, w, b, dz):
    conv = module.Convolutional3D(x.shape[1:], layer.kernel[0], layer.filters)

    def backward():
        conv.kernels, conv.biases = w.copy(), b.copy()
        dx = conv.backward(dz[0], RATE)
        return dx[None], (w - conv.kernels) / RATE, (b - conv.biases) / RATE

    conv.kernels, conv.biases = w.copy(), b.copy()
    return conv.forward(x[0])[None], backward


@adapter("vol2col", "stride", "pad", "kernel", "batch", "3d")
def vol2col(module, layer, x, w, b, dz):
    conv = module.Convolution3D(w, b, step_of(layer), pad_of(layer))

    def backward():
        dx = conv.backward(dz)
        return dx, conv.dW, conv.db

    return conv.forward(x), backward


@adapter("torch_3d", "stride", "strides", "pad", "kernel", "batch", "dilation", "groups", "3d")
def torch_3d(module, layer, x, w, b, dz):
    pads = tuple(before for before, _ in layer.pads)
    options = (layer.kernel, layer.stride, pads, layer.dilation, layer.groups)
    conv = module.Conv3d(layer.channels, layer.filters, *options)
    conv.weight, conv.bias = w, b

    def backward():
        dx = conv.backward(dz)
        return dx, conv.weight_grad, conv.bias_grad

    return conv.forward(x), backward


@adapter("deconv_3d", "stride", "pad", "batch", "transposed", "3d")
def deconv_3d(module, layer, x, w, b, dz):
    options = (layer.kernel[0], step_of(layer), pad_of(layer))
    conv = module.ConvTranspose3d(layer.channels, layer.filters, *options)
    conv.weight, conv.bias = w, b

    def backward():
        dx = conv.backward(dz)
        return dx, conv.dweight, conv.dbias

    return conv.forward(x), backward


@adapter("depthwise_3d", "stride", "pad", "kernel", "batch", "depthwise", "3d")
def depthwise_3d(module, layer, x, w, b, dz):
    options = (step_of(layer), pad_of(layer))

    def backward():
        dx, dw = module.depthwise_conv3d_backward(dz, x, w[:, 0], *options)
        return dx, dw[:, None], None

    z = module.depthwise_conv3d(x, w[:, 0], *options)
    return z + b.reshape(1, -1, 1, 1, 1), backward


@adapter(
    "upconv", "stride", "pad", "kernel", "batch", "groups", "transposed", "output padding"
)  # fmt: skip
def upconv(module, layer, x, w, b, dz):
    options = (step_of(layer), pad_of(layer), layer.output_padding, layer.groups)
    conv = module.ConvTranspose2d(layer.channels, layer.filters, layer.kernel, *options)
    conv.weight, conv.bias = w, b

    def backward():
        dx = conv.backward(dz)
        return dx, conv.grad_weight, conv.grad_bias

    return conv.forward(x), backward


@adapter("upsample", "stride", "pad", "kernel", "batch", "transposed", "output padding")
def upsample(module, layer, x, w, b, dz):
    options = (step_of(layer), pad_of(layer), layer.output_padding)

    def backward():
        return module.conv2d_transpose_backward(dz, x, w, *options)

    return module.conv2d_transpose(x, w, b, *options), backward


# Four files that were written before volumes were checked, and run when they could be.


@adapter("voxel_net", "stride", "kernel", "batch", "3d")
def voxel_net(module, layer, x, w, b, dz):
    options = (layer.kernel, step_of(layer), RATE)
    conv = module.Conv3DLayer(layer.filters, layer.channels, *options)
    kernel = w.transpose(2, 3, 4, 1, 0)

    def backward():
        conv.weights, conv.biases = kernel.copy(), b.copy()
        dx = np.moveaxis(conv.backward(np.moveaxis(dz, 1, -1)), -1, 1)
        dw = ((kernel - conv.weights) / RATE).transpose(4, 3, 0, 1, 2)
        return dx, dw, (b - conv.biases) / RATE

    conv.weights, conv.biases = kernel.copy(), b.copy()
    return np.moveaxis(conv.forward(np.moveaxis(x, 1, -1)), -1, 1), backward


@adapter("video", "stride", "pad", "kernel", "batch", "3d")
def video(module, layer, x, w, b, dz):
    options = {"stride": step_of(layer), "pad": pad_of(layer)}
    z, kept = module.conv3d_forward(x, w, b, options)
    return z, lambda: module.conv3d_backward(dz, kept)


@adapter("strided_volume", "stride", "strides", "pad", "kernel", "batch", "3d")
def strided_volume(module, layer, x, w, b, dz):
    pads = tuple(before for before, _ in layer.pads)
    conv = module.Conv3d(layer.channels, layer.filters, layer.kernel, layer.stride, pads)
    conv.weight, conv.bias = w, b

    def backward():
        dx = conv.backward(dz)
        return dx, conv.grad["weight"], conv.grad["bias"]

    return conv.forward(x), backward


@adapter("grey_volume", "3d")
def grey_volume(module, layer, x, w, b, dz):
    conv = module.ConvolutionLayer3D(layer.filters, layer.kernel[0])

    def backward():
        conv.filters = w[:, 0].copy()
        dx = conv.backprop(np.moveaxis(dz[0], 0, -1), RATE)
        return dx[None, None], ((w[:, 0] - conv.filters) / RATE)[:, None], None

    conv.filters = w[:, 0].copy()
    z = np.moveaxis(conv.forward(x[0, 0]), -1, 0)[None]
    return z + b.reshape(1, -1, 1, 1, 1), backward
