"""Layers and arrays for the kernels' tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from convgrad.convolution import Convolution
from convgrad.errors import LayerError


def layer(size, channels, filters, kernel, stride=1, padding=0, dilation=1, **options):
    """A layer without bias; the tests of the bias give their own."""
    return Convolution(
        size,
        channels,
        filters,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        **{"bias": "none", **options},
    )


@st.composite
def layers(draw, sizes=(0, 70, 20, 8)):
    """Any layer that has an output."""
    rank = draw(st.sampled_from((1, 2, 2, 3)))
    every = lambda *choices: tuple(draw(st.sampled_from(choices)) for _ in range(rank))  # noqa: E731
    kernel, stride, dilation = every(1, 2, 3, 3, 5), every(1, 1, 2, 3), every(1, 1, 2, 3)
    padding = tuple((draw(st.integers(-1, 4)), draw(st.integers(-1, 4))) for _ in range(rank))
    transposed = draw(st.booleans())
    groups = draw(st.sampled_from((1, 1, 2, 3, 8)))
    channels = groups * draw(st.integers(1, 6))
    filters = groups * draw(st.sampled_from((1, 2, 3, 5, 9, 17)))
    smallest = [
        max(1, 1 if transposed else d * (k - 1) + 1 - sum(p))
        for d, k, p in zip(dilation, kernel, padding, strict=True)
    ]
    size = tuple(low + draw(st.integers(0, sizes[rank])) for low in smallest)
    extra = tuple(
        draw(st.integers(0, max(s, d) - 1)) if transposed else 0
        for s, d in zip(stride, dilation, strict=True)
    )
    options = {"groups": groups, "flipped": draw(st.booleans())}
    try:
        return layer(
            size,
            channels,
            filters,
            kernel,
            stride,
            padding,
            dilation,
            transposed=transposed,
            output_padding=extra,
            **options,
        )
    except LayerError:
        return layer(size, channels, filters, kernel, stride, 9, dilation, **options)


def integers(shape, number="float32", seed=0):
    """Small integers as floats: every sum of the tests is exact."""
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(number)


def arrays(made, batch, number="float32"):
    """x, w and dz of a layer."""
    return (
        integers((batch, made.in_channels, *made.input_size), number, 1),
        integers(made.weight_shape, number, 2),
        integers((batch, made.filters, *made.output_size), number, 3),
    )


def operands(name, x, w, dz):
    """The two operands of a pass, in the order that `run` takes them."""
    return {
        "forward": (x, w),
        "input_gradient": (dz, w),
        "weight_gradient": (dz, x),
    }[name]
