"""How the files of courses, blogs and home-made frameworks in tests/check/public are called."""

from __future__ import annotations

import numpy as np

from .adapters import RATE, adapter, first, kernels_first, kernels_last, last, pad_of, step_of


def row(b):
    """A bias along the last of four axes."""
    return b.reshape(1, 1, 1, -1)


def options_of(layer):
    return {"stride": step_of(layer), "pad": pad_of(layer)}


def attributes(conv, x, dz, weights, bias, forward="forward", backward="backward"):
    """A layer that leaves its gradients on itself."""

    def run():
        dx = getattr(conv, backward)(dz)
        return dx, getattr(conv, weights), getattr(conv, bias)

    return getattr(conv, forward)(x), run


def stepped(conv, x, run, weights, bias, w, b, forward="forward"):
    """A layer that shows its gradients as the change of its parameters."""

    def reset():
        setattr(conv, weights, w.copy())
        setattr(conv, bias, b.copy())

    def backward():
        reset()
        dx = run()
        dw, db = w - getattr(conv, weights), b - getattr(conv, bias)
        return dx, dw / RATE, (db / RATE).reshape(-1)

    reset()
    return getattr(conv, forward)(x), backward


@adapter("strided_cs", "stride", "pad", "kernel", "batch")
def strided_cs(module, layer, x, w, b, dz):
    z, kept = module.conv_forward_strides(x, w, b, options_of(layer))
    return z, lambda: module.conv_backward_strides(dz, kept)


@adapter("course", "stride", "pad", "batch")
def course(module, layer, x, w, b, dz):
    z, kept = module.conv_forward(last(x), kernels_last(w), row(b), options_of(layer))

    def backward():
        dx, dw, db = module.conv_backward(last(dz), kept)
        return first(dx), kernels_first(dw), db.reshape(-1)

    return first(z), backward


@adapter("scratch", "stride", "pad", "kernel", "batch")
def scratch(module, layer, x, w, b, dz):
    return attributes(module.Convolution(w, b, step_of(layer), pad_of(layer)), x, dz, "dW", "db")


@adapter("params_list", "stride", "pad", "kernel", "batch")
def params_grads(module, layer, x, w, b, dz):
    conv = module.Conv(w, b, step_of(layer), pad_of(layer))

    def backward():
        dx = conv.backward(dz)
        return dx, *(g.copy() for g in conv.grads)

    return conv.forward(x), backward


@adapter("adam_inside", "stride", "pad", "batch")
def adam_inside(module, layer, x, w, b, dz):
    conv = module.ConvLayer(
        layer.channels, layer.filters, layer.kernel[0], step_of(layer), pad_of(layer)
    )

    def backward():  # the running means are 1 - 0.9 times the gradients
        conv.weights, conv.biases = w.copy(), b.copy()
        dx = conv.backward(dz, RATE)
        return dx, conv.m_w * 10, conv.m_b * 10

    conv.weights, conv.biases = w.copy(), b.copy()
    return conv.forward(x), backward


@adapter("momentum_blog", "stride", "pad", "batch")
def momentum_blog(module, layer, x, w, b, dz):
    conv = module.Conv2D(
        layer.filters, layer.kernel[0], layer.channels, step_of(layer), pad_of(layer)
    )
    return stepped(conv, x, lambda: conv.backward(dz, RATE), "W", "b", w, b.reshape(-1, 1))


@adapter("rmsprop", "stride", "pad", "kernel", "batch")
def rmsprop(module, layer, x, w, b, dz):
    options = (layer.kernel, step_of(layer), pad_of(layer))
    conv = module.Conv2d(layer.channels, layer.filters, *options)

    def backward():
        conv.W, conv.b = w.copy(), b.copy()
        dx = conv.backward(dz, RATE)
        return dx, conv.dW, conv.db

    conv.W, conv.b = w.copy(), b.copy()
    return conv(x), backward


@adapter("update_apart", "stride", "pad", "batch")
def update_apart(module, layer, x, w, b, dz):
    conv = module.ConvolutionLayer(
        layer.channels, layer.filters, layer.kernel[0], step_of(layer), pad_of(layer)
    )

    def run():
        dx = conv.backward(dz)
        conv.update(RATE)
        return dx

    return stepped(conv, x, run, "filters", "bias", w, b)


@adapter("factory", "stride", "pad", "batch")
def factory(module, layer, x, w, b, dz):
    conv = module.Conv3x3(layer.channels, layer.filters, step_of(layer), pad_of(layer))
    conv.w, conv.b = w, b
    return attributes(conv, x, dz, "dw", "db")


@adapter("padding_mode", "stride", "strides", "pad", "kernel", "batch", "dilation")
def padding_mode(module, layer, x, w, b, dz):
    pads = tuple(before for before, _ in layer.pads)
    conv = module.Conv2d(
        layer.channels, layer.filters, layer.kernel, layer.stride, pads, layer.dilation
    )
    conv.weight.data, conv.bias.data = w, b

    def backward():
        dx = conv.backward(dz)
        return dx, conv.weight.grad.copy(), conv.bias.grad.copy()

    return conv.forward(x), backward


@adapter("same_valid", "stride", "strides valid", "kernel", "batch", "same")
def same_valid(module, layer, x, w, b, dz):
    padding = "same" if any(map(any, layer.pads)) else "valid"
    conv = module.Conv2D(layer.filters, layer.kernel, layer.channels, layer.stride, padding)
    conv.kernel, conv.bias = kernels_last(w), b

    def backward():
        dx = conv.backward(last(dz))
        return first(dx), kernels_first(conv.dkernel), conv.dbias

    return first(conv.forward(last(x))), backward


@adapter("hwcn_pair", "stride", "pad", "kernel", "batch")
def hwcn_pair(module, layer, x, w, b, dz):
    order, restore = (lambda a: a.transpose(2, 3, 1, 0)), (lambda a: a.transpose(3, 2, 0, 1))
    given = order(x), kernels_last(w), b
    options = step_of(layer), pad_of(layer)

    def backward():
        dx, dw, db = module.conv_bwd(*given, order(dz), *options)
        return restore(dx), kernels_first(dw), db

    return restore(module.conv_fwd(*given, *options)), backward


@adapter("chwn", "stride", "pad", "kernel", "batch")
def chwn(module, layer, x, w, b, dz):
    order, restore = (lambda a: a.transpose(1, 2, 3, 0)), (lambda a: a.transpose(3, 0, 1, 2))
    conv = module.ConvCHWN(np.ascontiguousarray(order(w)), b, step_of(layer), pad_of(layer))

    def backward():
        dx = conv.bprop(order(dz))
        return restore(dx), restore(conv.weights_inc), conv.biases_inc

    return restore(conv.fprop(order(x))), backward


@adapter("grey_regions")
def grey_regions(module, layer, x, w, b, dz):
    conv = module.Conv3x3(layer.filters)

    def backward():
        conv.filters = w[:, 0].copy()
        dx = conv.backprop(dz[0].transpose(1, 2, 0), RATE)
        return dx, ((w[:, 0] - conv.filters) / RATE)[:, None], None

    conv.filters = w[:, 0].copy()
    z = conv.forward(x[0, 0]).transpose(2, 0, 1)[None]
    return z + b.reshape(1, -1, 1, 1), backward


@adapter("untied", "channels")
def untied(module, layer, x, w, b, dz):
    conv = module.Convolutional(x.shape[1:], layer.kernel[0], layer.filters)
    biases = np.zeros(dz[0].shape) + b.reshape(-1, 1, 1)

    def backward():
        conv.kernels, conv.biases = w.copy(), biases.copy()
        dx = conv.backward(dz[0], RATE)
        return dx[None], (w - conv.kernels) / RATE, ((biases - conv.biases) / RATE).sum((1, 2))

    conv.kernels, conv.biases = w.copy(), biases.copy()
    return conv.forward(x[0])[None], backward


@adapter("resampled", "stride", "pad", "batch", "1d")
def resampled(module, layer, x, w, b, dz):
    conv = module.Conv1d(
        layer.channels, layer.filters, layer.kernel[0], step_of(layer), pad_of(layer)
    )
    inner = conv.conv1d_stride1
    inner.W, inner.b = w, b

    def backward():
        dx = conv.backward(dz)
        return dx, inner.dLdW.copy(), inner.dLdb

    return conv.forward(x), backward


@adapter("causal", "batch", "1d", "causal")
def causal(module, layer, x, w, b, dz):
    z, kept = module.causal_conv1d(x, w, b, layer.dilation)
    return z, lambda: module.causal_conv1d_backward(dz, kept)


@adapter("video_layer", "stride", "pad", "kernel", "batch", "3d")
def video(module, layer, x, w, b, dz):
    options = (layer.kernel, step_of(layer), pad_of(layer))
    conv = module.Conv3d(layer.channels, layer.filters, *options)
    conv.weight, conv.bias = w, b
    return attributes(conv, x, dz, "grad_weight", "grad_bias")


@adapter("deconv_gan", "stride", "pad", "batch", "transposed", "output padding")
def deconv_gan(module, layer, x, w, b, dz):
    options = (layer.kernel[0], step_of(layer), pad_of(layer), layer.output_padding)
    conv = module.ConvTranspose2d(layer.channels, layer.filters, *options)
    conv.weight, conv.bias = w, b

    def backward():
        dx = conv.backward(dz)
        return dx, conv.grad["weight"], conv.grad["bias"]

    return conv.forward(x), backward


@adapter("deconv_pair", "stride", "pad", "kernel", "batch", "transposed")
def deconv_pair(module, layer, x, w, b, dz):
    z, kept = module.conv_transpose2d_forward(x, w, b, step_of(layer), pad_of(layer))
    return z, lambda: module.conv_transpose2d_backward(dz, kept)


@adapter("mobile", "stride", "pad", "batch", "depthwise")
def mobile(module, layer, x, w, b, dz):
    conv = module.DepthwiseConv2D(layer.channels, layer.kernel[0], step_of(layer), pad_of(layer))
    conv.kernel, conv.bias = w[:, 0].transpose(1, 2, 0), b

    def backward():
        dx = conv.backward(last(dz))
        return first(dx), conv.d_kernel.transpose(2, 0, 1)[:, None], conv.d_bias

    return first(conv.forward(last(x))), backward


@adapter("group_layer", "stride", "pad", "batch", "groups")
def grouped(module, layer, x, w, b, dz):
    options = (layer.kernel[0], step_of(layer), pad_of(layer), layer.groups)
    conv = module.GroupConv2d(layer.channels, layer.filters, *options)
    conv.w, conv.b = w, b
    return attributes(conv, x, dz, "dw", "db")


@adapter("fourier", "pad", "kernel", "batch")
def fft(module, layer, x, w, b, dz):
    conv = module.FFTConv2d(layer.channels, layer.filters, layer.kernel, pad_of(layer))
    conv.weight, conv.bias = w, b
    return attributes(conv, x, dz, "weight_grad", "bias_grad")


@adapter("fft_pair", "kernel", "batch", "flipped")
def fft_pair(module, layer, x, w, b, dz):
    return module.conv_forward(x, w, b), lambda: module.conv_backward(dz, x, w)


@adapter("windows", "stride", "pad", "batch", "one tap")
def windows(module, layer, x, w, b, dz):
    conv = module.Conv2D(
        layer.channels, layer.filters, layer.kernel[0], step_of(layer), pad_of(layer)
    )
    conv.weight, conv.bias = w, b

    def backward():
        db, dw, dx = conv.backward(dz)
        return dx, dw, db

    return conv.forward(x), backward


@adapter("full_conv", "stride", "batch")
def full_conv(module, layer, x, w, b, dz):
    conv = module.ConvLayer(layer.channels, layer.filters, layer.kernel[0], step_of(layer))
    conv.kernels, conv.bias = w, b.reshape(-1, 1, 1)

    def backward():
        dx = conv.backward(dz)
        return dx, conv.grad_kernels, conv.grad_bias.reshape(-1)

    return conv.forward(x), backward


@adapter("taps_vjp", "stride", "strides", "pad", "kernel", "batch", "dilation")
def taps_vjp(module, layer, x, w, b, dz):
    options = (layer.stride, tuple(before for before, _ in layer.pads), layer.dilation)
    return module.conv2d(x, w, b, *options), lambda: module.conv2d_vjp(x, w, dz, *options)


@adapter("positions", "stride", "pad", "kernel", "batch")
def positions(module, layer, x, w, b, dz):
    conv = module.Conv(layer.channels, layer.filters, *layer.kernel, step_of(layer), pad_of(layer))
    conv.params = {"W": w, "b": b}

    def backward():
        dx = conv.backward(dz)
        return dx, conv.grads["W"], conv.grads["b"]

    return conv.forward(x), backward


@adapter("tensordot_last", "stride", "strides", "pad", "kernel", "batch")
def tensordot_last(module, layer, x, w, b, dz):
    options = (layer.stride, tuple(before for before, _ in layer.pads))

    def backward():
        dx, dw, db = module.backward(last(dz), last(x), kernels_last(w), *options)
        return first(dx), kernels_first(dw), db

    return first(module.forward(last(x), kernels_last(w), b, *options)), backward


@adapter("jit", "stride", "pad", "kernel", "batch")
def jit(module, layer, x, w, b, dz):
    options = (step_of(layer), pad_of(layer))
    z = module.conv_forward(x, w, b, *options)
    return z, lambda: module.conv_backward(x, w, b, dz, *options)


@adapter("gather", "stride", "pad", "kernel", "batch")
def gather(module, layer, x, w, b, dz):
    given = (x, w, step_of(layer), pad_of(layer))

    def backward():
        return module.conv_grad_x(dz, *given), module.conv_grad_w(dz, *given), None

    return module.conv(*given) + b.reshape(1, -1, 1, 1), backward


@adapter("typed", "stride", "pad", "batch")
def typed(module, layer, x, w, b, dz):
    options = (layer.kernel[0], step_of(layer), pad_of(layer))
    conv = module.Conv2DLayer(layer.channels, layer.filters, *options)
    conv.weight, conv.bias = w, b
    return attributes(conv, x, dz, "grad_weight", "grad_bias")


@adapter("odd_order", "stride", "pad", "kernel", "batch")
def odd_order(module, layer, x, w, b, dz):
    options = (step_of(layer), pad_of(layer))

    def backward():
        dw, db, dx = module.bwd_conv(w, dz, x, *options)
        return dx, dw, db

    return module.fwd_conv(x, w, b, *options), backward


@adapter("spanish", "stride", "pad", "batch")
def spanish(module, layer, x, w, b, dz):
    options = (layer.kernel[0], step_of(layer), pad_of(layer))
    conv = module.CapaConvolucional(layer.channels, layer.filters, *options)
    return stepped(conv, x, lambda: conv.atras(dz, RATE), "filtros", "sesgo", w, b, "adelante")


@adapter("german", "stride", "batch")
def german(module, layer, x, w, b, dz):
    conv = module.Faltung(layer.channels, layer.filters, layer.kernel[0], step_of(layer))
    conv.gewichte, conv.bias = w, b
    return attributes(conv, x, dz, "dgewichte", "dbias", "vorwaerts", "rueckwaerts")


@adapter("tape", "stride", "pad", "kernel", "batch")
def tape(module, layer, x, w, b, dz):
    tensors = [module.Tensor(a) for a in (x, w, b)]
    z = module.conv2d(*tensors, step_of(layer), pad_of(layer))

    def backward():
        for tensor in tensors:
            tensor.grad = np.zeros_like(tensor.data)
        z.backward(dz)
        return [tensor.grad for tensor in tensors]

    return z.data, backward


@adapter("tape_function", "stride", "pad", "kernel", "batch")
def tape_function(module, layer, x, w, b, dz):
    context, z = module.Conv2dFunction.apply(x, w, b, step_of(layer), pad_of(layer))
    return z, lambda: module.Conv2dFunction.backward(context, dz)


@adapter("opt_objects", "stride", "pad", "kernel", "batch")
def opt_objects(module, layer, x, w, b, dz):
    options = (pad_of(layer), step_of(layer))
    conv = module.Conv2D(layer.filters, layer.kernel, x.shape[1:], *options)
    conv.initialize(module.StochasticGradientDescent(RATE))

    def run():
        return conv.backward_pass(dz)

    return stepped(conv, x, run, "W", "w0", w, b.reshape(-1, 1), "forward_pass")


@adapter("derived", "stride", "pad", "kernel", "batch")
def derived(module, layer, x, w, b, dz):
    conv = module.Conv2D(layer.filters, layer.kernel, pad_of(layer), step_of(layer))
    conv.forward(last(x))
    conv.flush_gradients()
    conv.parameters = {"W": kernels_last(w), "b": row(b)}

    def backward():
        dx = conv.backward(last(dz))
        return first(dx), kernels_first(conv.gradients["W"]), conv.gradients["b"].reshape(-1)

    return first(conv.forward(last(x))), backward


@adapter("lenet", "stride", "strides", "pad", "kernel", "batch")
def lenet(module, layer, x, w, b, dz):
    pads = tuple(before for before, _ in layer.pads)
    conv = module.Conv(layer.channels, layer.filters, layer.kernel, layer.stride, pads)
    order = w.transpose(0, 2, 3, 1)
    z, run = stepped(conv, last(x), lambda: conv.backward(last(dz), RATE), "W", "b", order, b)

    def backward():
        dx, dw, db = run()
        return first(dx), dw.transpose(0, 3, 1, 2), db

    return first(z), backward


@adapter("rgb", "channels")
def rgb(module, layer, x, w, b, dz):
    conv = module.Conv_op(layer.channels, layer.filters, layer.kernel[0])

    def backward():
        conv.conv_filter = w.copy()
        dx = conv.back_prop(dz[0], RATE)
        return dx[None], (w - conv.conv_filter) / RATE, None

    conv.conv_filter = w.copy()
    return conv.forward_prop(x[0])[None] + b.reshape(1, -1, 1, 1), backward


@adapter("with_decay", "stride", "pad", "kernel", "batch")
def with_decay(module, layer, x, w, b, dz):
    conv = module.ConvLayer(w.shape, step_of(layer), pad_of(layer))
    conv.w, conv.b = w, b.reshape(1, -1, 1, 1)

    def backward():
        dx = conv.backward(dz)
        return dx, conv.dw, conv.db.reshape(-1)

    return conv.forward(x), backward


@adapter("plain_lists", "kernel", "one filter")
def lists(module, layer, x, w, b, dz):
    image, kernel, error = (a[0, 0].tolist() for a in (x, w, dz))

    def backward():
        dx, dw, db = module.convolve_backward(error, image, kernel)
        return np.array(dx)[None, None], np.array(dw)[None, None], np.array([db])

    return np.array(module.convolve(image, kernel, float(b[0])))[None, None], backward


@adapter("fused", "stride", "pad", "batch")
def fused(module, layer, x, w, b, dz):
    options = (layer.kernel[0], step_of(layer), pad_of(layer))
    conv = module.ConvReLU(layer.channels, layer.filters, *options)
    conv.weight, conv.bias = w, b

    def backward():
        dx, found = conv.backward(dz)
        return dx, found["weight"], found["bias"]

    return conv.forward(x), backward


@adapter("hard_pad", "stride", "pad", "kernel", "batch")
def hard_pad(module, layer, x, w, b, dz):
    z, kept = module.conv2d_forward(x, w, b, step_of(layer), pad_of(layer))

    def backward():
        found = module.conv2d_backward(dz, kept)
        return found["dX"], found["dW"], found["db"]

    return z, backward


@adapter("with_tests", "stride", "strides", "pad", "kernel", "batch")
def with_tests(module, layer, x, w, b, dz):
    pads = tuple(before for before, _ in layer.pads)
    conv = module.Convolution2D(kernels_last(w), b, layer.stride, pads)

    def backward():
        dx = conv.backward(last(dz))
        return first(dx), kernels_first(conv.dweight), conv.dbias

    return first(conv.forward(last(x))), backward


@adapter(
    "grouped_transpose", "stride", "pad", "kernel", "batch", "groups", "transposed",
    "output padding",
)  # fmt: skip
def grouped_transpose(module, layer, x, w, b, dz):
    options = (step_of(layer), pad_of(layer), layer.output_padding, layer.groups)
    z = module.conv_transpose2d(x, w, b, *options)
    return z, lambda: module.conv_transpose2d_grad(dz, x, w, *options)


@adapter("grey_port", "kernel", "grey batch")
def grey_port(module, layer, x, w, b, dz):
    images, filters = x[:, 0], w[:, 0].transpose(1, 2, 0)

    def backward():
        dw, db = module.cnnGradient(last(dz), images, filters)
        return None, dw.transpose(2, 0, 1)[:, None], db

    return first(module.cnnConvolve(images, filters, b)), backward


@adapter("first_layer", "stride", "kernel", "batch")
def first_layer(module, layer, x, w, b, dz):
    conv = module.ConvolutionalLayer(layer.filters, *layer.kernel, layer.channels, step_of(layer))
    conv.weights, conv.bias = w.transpose(0, 2, 3, 1), b.reshape(-1, 1)

    def backward():
        dx = conv.backward_pass(last(dz))
        dw, db = conv.gradients
        return first(dx), dw.transpose(0, 3, 1, 2), db.reshape(-1)

    return first(conv.forward_pass(last(x))), backward


@adapter("flat_rows", "stride", "pad", "batch")
def flat_rows(module, layer, x, w, b, dz):
    options = (layer.kernel[0], step_of(layer), pad_of(layer))
    conv = module.Conv2d(layer.channels, layer.filters, *options)
    conv.W, conv.b = w.reshape(layer.filters, -1).T, b.reshape(1, -1)

    def backward():
        dx = conv.backward(dz)
        return dx, conv.W_grad.T.reshape(w.shape), conv.b_grad.reshape(-1)

    return conv.forward(x), backward


@adapter("scratch_notebook", "stride", "pad", "batch")
def scratch_notebook(module, layer, x, w, b, dz):
    options = (step_of(layer), pad_of(layer))
    z, kept = module.conv_fwd(last(x), kernels_last(w), b.reshape(1, -1), *options)

    def backward():
        dx, dw, db = module.conv_bwd(last(dz), kept)
        return first(dx), kernels_first(dw), db.reshape(-1)

    return first(z), backward


@adapter("homework", "stride", "pad", "batch")
def homework(module, layer, x, w, b, dz):
    options = (layer.kernel[0], step_of(layer), pad_of(layer))
    conv = module.Conv(layer.channels, layer.filters, *options)
    conv.weight, conv.bias = w, b
    return attributes(conv, x, dz, "weight_grad", "bias_grad")
