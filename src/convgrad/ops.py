"""The passes of a convolution on NumPy arrays.

    z  = conv(x, w, b)                      dx, dw, db = conv_backward(dz, x, w)
    z  = conv_transpose(x, w, b)            dx = conv_input_grad(dz, w, input_size=...)
    db = conv_bias_grad(dz)                 dw = conv_weight_grad(dz, x, kernel_size=...)

x is (N, C, *spatial), w (K, C/groups, *kernel), transposed (C, K/groups, *kernel), b (K,) or
(K, *output), as in PyTorch. Any number of spatial axes. The result has the type of the arrays:
floats, or integers, for which it is exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from convgrad import calls
from convgrad.arrays import Array, check_rank, check_shape, layer_from_shapes, legal_sizes, taken
from convgrad.convolution import Convolution
from convgrad.dispatch import Backward, BiasPass, Pass
from convgrad.errors import ArrayError
from convgrad.options import choice, one_for_each_axis
from convgrad.results import fresh

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convgrad.dispatch import Outs
    from convgrad.options import Each, Padding


def conv(
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    stride: Each = 1,
    padding: Padding = 0,
    dilation: Each = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    flipped: bool = False,
    out: Array | None = None,
) -> Array:
    """The forward pass of a convolution layer.

    Args:
        x: the input, (N, C, *spatial).
        w: the weights, (K, C/groups, *kernel).
        b: a bias for each filter, (K,), or for each output position, (K, *output).
        stride: positions from one window to the next, one number or one for each axis.
        padding: see `Convolution`.
        dilation: positions from one tap to the next; 1 means none.
        groups: the channels and filters fall into so many groups that do not mix.
        padding_mode: "zeros", "reflect", "replicate" or "circular".
        flipped: whether the kernel runs backwards, as in a true convolution.
        out: an array that the result is written to, of its shape and a type that NumPy casts it
            to without being asked. Any strides will do, and it may overlap the other arrays.

    Returns: z, (N, K, *output); `out` itself if it was given.

    Raises:
        LayerError: where there is no such layer.
        ArrayError: where the arrays do not belong to it.
        MemoryError: where there is no memory for one of them.

    Notes: z[n,k,o] = b[k] + sum(c,t) x[n,c,s*o+d*t-p] * w[k,c,t]

    >>> import numpy as np
    >>> x = np.arange(1, 7).reshape(1, 1, 6)
    >>> conv(x, np.array([[[1, 10, 100]]]), stride=2, padding=1)
    array([[[210, 432, 654]]])
    """
    at = calls.key("conv", (stride, padding, dilation, groups, padding_mode, flipped), x, w, b)
    made = calls.seen(at, Pass)
    if made is not None:
        return made(x, w, b, out)
    arrays = taken(x=x, w=w, b=b)
    x, w = arrays[:2]
    check_rank("x", x)
    check_rank("w", w, x.ndim - 2)
    layer = layer_from_shapes(
        x.shape[2:],
        x.shape[1],
        w.shape,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
        flipped=flipped,
    )
    bias = arrays[2] if b is not None else None
    _check_bias(layer, bias)
    _check_memory(x=x, w=w)
    made = calls.kept(at, Pass("forward", layer, x.shape[0], x.dtype))
    return made(x, w, bias, out)


def conv_transpose(
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    stride: Each = 1,
    padding: Padding = 0,
    output_padding: Each = 0,
    dilation: Each = 1,
    groups: int = 1,
    flipped: bool = False,
    out: Array | None = None,
) -> Array:
    """The forward pass of a transposed convolution layer.

    Args:
        x: the input, (N, C, *spatial).
        w: the weights, (C, K/groups, *kernel).
        b: a bias for each filter, (K,), or for each output position, (K, *output).
        stride: output positions from one input to the next.
        padding: positions cut off the output.
        output_padding: positions added at the far end of the output.
        dilation: positions from one tap to the next; 1 means none.
        groups: the channels and filters fall into so many groups that do not mix.
        flipped: whether the kernel runs backwards.
        out: where the result goes; see `conv`.

    Returns: z, (N, K, *output) with output = (input-1)*s - padding + extent + output_padding.

    Raises:
        LayerError: where there is no such layer.
        ArrayError: where the arrays do not belong to it.

    Notes: z[n,k,o] = b[k] + sum(c,t : s divides o+p-d*t) x[n,c,(o+p-d*t)/s] * w[c,k,t]: the input
        gradient of the convolution with the same numbers [Dumoulin & Visin 2016].

    >>> import numpy as np
    >>> conv_transpose(np.array([[[1, 2]]]), np.array([[[1, 10, 100]]]), stride=2)
    array([[[  1,  10, 102,  20, 200]]])
    """
    at = calls.key(
        "conv_transpose", (stride, padding, output_padding, dilation, groups, flipped), x, w, b
    )
    made = calls.seen(at, Pass)
    if made is not None:
        return made(x, w, b, out)
    arrays = taken(x=x, w=w, b=b)
    x, w = arrays[:2]
    check_rank("x", x)
    check_rank("w", w, x.ndim - 2)
    layer = layer_from_shapes(
        x.shape[2:],
        x.shape[1],
        w.shape,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        transposed=True,
        output_padding=output_padding,
        flipped=flipped,
    )
    bias = arrays[2] if b is not None else None
    _check_bias(layer, bias)
    _check_memory(x=x, w=w)
    made = calls.kept(at, Pass("forward", layer, x.shape[0], x.dtype))
    return made(x, w, bias, out)


def conv_input_grad(
    dz: Array,
    w: Array,
    *,
    input_size: Each,
    stride: Each = 1,
    padding: Padding = 0,
    dilation: Each = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    flipped: bool = False,
    transposed: bool = False,
    output_padding: Each = 0,
    out: Array | None = None,
) -> Array:
    """The gradient of the loss by the input of a layer.

    Args:
        dz: the gradient at the output, (N, K, *output).
        w: the weights of the layer.
        input_size: the spatial sizes of x: with a stride several give the same output.
        stride: and the further options: those of the layer; see `conv` and `conv_transpose`.
        padding: see there.
        dilation: see there.
        groups: see there.
        padding_mode: see there.
        flipped: see there.
        transposed: whether the layer is a transposed one.
        output_padding: see there.
        out: where the result goes; see `conv`.

    Returns: dx, (N, C, *input_size).

    Raises:
        LayerError: where there is no such layer.
        ArrayError: where dz is not of its output; the legal input sizes are named.

    Notes: dx[n,c,i] = sum(k,t : s divides i+p-d*t) dz[n,k,(i+p-d*t)/s] * w[k,c,t]

    >>> import numpy as np
    >>> dz = np.array([[[1, 2, 3]]])
    >>> conv_input_grad(dz, np.array([[[1, 10, 100]]]), input_size=6, stride=2, padding=1)
    array([[[ 10, 102,  20, 203,  30, 300]]])
    """
    options = (input_size, stride, padding, dilation, groups, padding_mode)
    at = calls.key("dx", (*options, flipped, transposed, output_padding), dz, w)
    made = calls.seen(at, Pass)
    if made is not None:
        return made(dz, w, None, out)
    dz, w = taken(dz=dz, w=w)
    check_rank("dz", dz)
    check_rank("w", w, dz.ndim - 2)
    layer = layer_from_shapes(
        _spatial("input_size", input_size, dz.ndim - 2),
        None,
        w.shape,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
        flipped=flipped,
        transposed=transposed,
        output_padding=output_padding,
    )
    _check_output(layer, dz, padding)
    _check_memory(dz=dz, w=w)
    made = calls.kept(at, Pass("input_gradient", layer, dz.shape[0], dz.dtype))
    return made(dz, w, None, out)


def conv_weight_grad(
    dz: Array,
    x: Array,
    *,
    kernel_size: Each,
    stride: Each = 1,
    padding: Padding = 0,
    dilation: Each = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    flipped: bool = False,
    transposed: bool = False,
    output_padding: Each = 0,
    out: Array | None = None,
) -> Array:
    """The gradient of the loss by the weights of a layer.

    Args:
        dz: the gradient at the output, (N, K, *output).
        x: the input of the layer, (N, C, *spatial).
        kernel_size: the taps of the layer: with a stride several give the same output.
        stride: and the further options: those of the layer; see `conv` and `conv_transpose`.
        padding: see there.
        dilation: see there.
        groups: see there.
        padding_mode: see there.
        flipped: see there.
        transposed: whether the layer is a transposed one.
        output_padding: see there.
        out: where the result goes; see `conv`.

    Returns: dw, of the shape of w, summed over the batch.

    Raises:
        LayerError: where there is no such layer.
        ArrayError: where the arrays do not belong to it.

    Notes: dw[k,c,t] = sum(n,o) dz[n,k,o] * x[n,c,s*o+d*t-p]

    >>> import numpy as np
    >>> dz, x = np.array([[[1, 2, 3]]]), np.arange(1, 7).reshape(1, 1, 6)
    >>> conv_weight_grad(dz, x, kernel_size=3, stride=2, padding=1)
    array([[[16, 22, 28]]])
    """
    options = (kernel_size, stride, padding, dilation, groups, padding_mode)
    at = calls.key("dw", (*options, flipped, transposed, output_padding), dz, x)
    made = calls.seen(at, Pass)
    if made is not None:
        return made(dz, x, None, out)
    dz, x = taken(dz=dz, x=x)
    check_rank("x", x)
    check_rank("dz", dz, x.ndim - 2)
    layer = Convolution(
        x.shape[2:],
        x.shape[1],
        dz.shape[1],
        _spatial("kernel_size", kernel_size, x.ndim - 2),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
        flipped=flipped,
        transposed=transposed,
        output_padding=output_padding,
    )
    _check_batch(dz, x)
    _check_output(layer, dz, padding)
    _check_memory(dz=dz, x=x)
    made = calls.kept(at, Pass("weight_gradient", layer, dz.shape[0], dz.dtype))
    return made(dz, x, None, out)


def conv_bias_grad(dz: Array, *, bias: str = "filter", out: Array | None = None) -> Array:
    """The gradient of the loss by the bias of a layer.

    Args:
        dz: the gradient at the output, (N, K, *output).
        bias: "filter" for one bias per filter, "position" for one per output position.
        out: where the result goes; see `conv`.

    Returns: db, (K,) or (K, *output).

    Raises:
        LayerError: for another kind of bias.
        ArrayError: where dz has no spatial axis or is not of numbers.

    Notes: db[k] = sum(n,o) dz[n,k,o]

    >>> import numpy as np
    >>> conv_bias_grad(np.ones((2, 3, 4), int))
    array([8, 8, 8])
    """
    at = calls.key("db", (bias,), dz)
    made = calls.seen(at, BiasPass)
    if made is not None:
        return made(dz, out)
    (dz,) = taken(dz=dz)
    check_rank("dz", dz)
    untied = choice("bias", bias, ("filter", "position")) == "position"
    _check_memory(dz=dz)
    made = calls.kept(at, BiasPass(dz.shape, dz.dtype, untied=untied))
    return made(dz, out)


def conv_backward(
    dz: Array,
    x: Array,
    w: Array,
    *,
    stride: Each = 1,
    padding: Padding = 0,
    dilation: Each = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    flipped: bool = False,
    transposed: bool = False,
    output_padding: Each = 0,
    bias: str = "filter",
    out: Outs | None = None,
) -> tuple[Array, Array, Array]:
    """The backward pass of a layer: all three gradients.

    Args:
        dz: the gradient at the output, (N, K, *output).
        x: the input of the layer, (N, C, *spatial).
        w: the weights of the layer.
        stride: and the further options: those of the layer; see `conv` and `conv_transpose`.
        padding: see there.
        dilation: see there.
        groups: see there.
        padding_mode: see there.
        flipped: see there.
        transposed: whether the layer is a transposed one.
        output_padding: see there.
        bias: "filter" or "position"; see `conv_bias_grad`.
        out: where the gradients go, (dx, dw, db), each an array or None; see `conv`. They may
            overlap dz, x and w, but not one another.

    Returns: (dx, dw, db), of the shapes of x, w and b.

    Raises:
        LayerError: where there is no such layer.
        ArrayError: where the arrays do not belong to it.

    >>> import numpy as np
    >>> dz, x = np.array([[[1, 2, 3]]]), np.arange(1, 7).reshape(1, 1, 6)
    >>> dx, dw, db = conv_backward(dz, x, np.array([[[1, 10, 100]]]), stride=2, padding=1)
    >>> dx, dw, db
    (array([[[ 10, 102,  20, 203,  30, 300]]]), array([[[16, 22, 28]]]), array([6]))
    """
    options = (stride, padding, dilation, groups, padding_mode, flipped)
    at = calls.key("backward", (*options, transposed, output_padding, bias), dz, x, w)
    into = _three(out)
    made = calls.seen(at, Backward)
    if made is not None:
        return made(dz, x, w, into)
    dz, x, w = taken(dz=dz, x=x, w=w)
    check_rank("x", x)
    check_rank("w", w, x.ndim - 2)
    check_rank("dz", dz, x.ndim - 2)
    layer = layer_from_shapes(
        x.shape[2:],
        x.shape[1],
        w.shape,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
        flipped=flipped,
        transposed=transposed,
        output_padding=output_padding,
    )
    _check_batch(dz, x)
    _check_output(layer, dz, padding)
    untied = choice("bias", bias, ("filter", "position")) == "position"
    _check_memory(dz=dz, x=x, w=w)
    made = calls.kept(at, Backward(layer, dz.shape, dz.dtype, untied=untied))
    return made(dz, x, w, into)


def _three(out: Outs | None) -> Outs | None:
    """The three places for the gradients, if there are any."""
    given: object = out
    if out is None or (isinstance(given, tuple | list) and len(out) == 3):
        return out
    raise ArrayError(
        "out is no triple",
        got=type(out).__name__,
        expected="(dx, dw, db), each an array or None",
    )


def _check_memory(**arrays: Array) -> None:
    """An array of few elements that shows itself as a huge one is found out before it is copied.

    Raises:
        MemoryError: with the sizes.
    """
    for name, array in arrays.items():
        if not array.flags.c_contiguous:
            fresh(name, array.shape, array.dtype)


def _check_bias(layer: Convolution, b: Array | None) -> None:
    shapes = (layer.filters,), (layer.filters, *layer.output_size)
    if b is not None and b.shape not in shapes:
        raise ArrayError(
            "b does not belong to this layer",
            got=f"shape {b.shape}",
            expected=f"{shapes[0]}, or {shapes[1]} untied",
        )


def _check_output(layer: Convolution, dz: Array, padding: Padding) -> None:
    if dz.shape[2:] != layer.output_size:
        raise ArrayError(
            "dz does not have the layer's output size",
            got=f"{_x(dz.shape[2:])}, from an input of {_x(layer.input_size)}",
            expected=_x(layer.output_size),
            mend=_fitting_sizes(layer, dz.shape[2:], padding),
        )
    check_shape("dz", dz, (dz.shape[0], layer.filters, *layer.output_size))


def _fitting_sizes(layer: Convolution, output: tuple[int, ...], padding: Padding) -> str:
    """What to change so that the layer has this output: its input, or its output padding."""
    if min(output) < 1:
        return ""
    inputs = layer.input_sizes(output)
    if padding == "same":  # the padding grows with the input, so that output = ceil(input/stride)
        steps = zip(output, layer.stride, strict=True)
        inputs = tuple(range((size - 1) * stride + 1, size * stride + 1) for size, stride in steps)
    if all(inputs):
        return f"an output of {_x(output)} needs an input of {legal_sizes(inputs)}"
    if not layer.transposed:
        return ""
    outputs = (
        range(axis.output - axis.output_padding, axis.output - axis.output_padding + extra)
        for axis in layer.axes
        for extra in [max(axis.stride, axis.dilation)]
    )
    found = legal_sizes([sizes[max(0, 1 - sizes.start) :] for sizes in outputs])
    return f"by output_padding an input of {_x(layer.input_size)} has an output of {found}"


def _check_batch(dz: Array, x: Array) -> None:
    if dz.shape[0] != x.shape[0]:
        raise ArrayError(
            "dz and x have different batches",
            got=f"{dz.shape[0]} and {x.shape[0]} instances",
            expected="one number of instances",
        )


def _spatial(name: str, sizes: Each, rank: int) -> tuple[int, ...]:
    """One size for every axis, or one for each, of an array with so many spatial axes."""
    return one_for_each_axis(name, sizes, rank, mend="give the spatial sizes only")


def _x(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))
