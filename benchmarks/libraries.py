"""One case in each library: the calls that are timed, and their results as plain arrays."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.suite import Case
    from convgrad.convolution import Convolution

PASSES = ("forward", "input_gradient", "weight_gradient")

LINE = 64
"""Bytes of a cache line."""

INSTALL = {"torch": "torch", "jax": "jax", "tensorflow": "tensorflow-cpu"}
"""What to install for each library."""


@dataclass(frozen=True)
class Calls:
    """The passes of a case in a library.

    Attributes:
        passes: what is timed; a pass that the library does not have in this layout is left out.
        plain: a pass's result as an array of convgrad's shape.
    """

    passes: dict[str, Callable[[], Any]]
    plain: Callable[[str, Any], np.ndarray]


def arrays(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, w and dz of a case, each from the start of a cache line on.

    So lies what a layer before would hand over: all the libraries' results do, NumPy's need not.
    """
    layer, rng = case.layer, np.random.default_rng(0)
    shapes = (
        (case.batch, layer.in_channels, *layer.input_size),
        layer.weight_shape,
        (case.batch, layer.filters, *layer.output_size),
    )
    x, w, dz = (_aligned(rng.standard_normal(shape).astype(case.number)) for shape in shapes)
    return x, w, dz


def _aligned(array: np.ndarray) -> np.ndarray:
    """A copy that begins where a cache line does."""
    room = np.empty(array.nbytes + LINE, np.uint8)
    begin = -room.ctypes.data % LINE
    copy = room[begin : begin + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def ours(case: Case, layout: str) -> Calls:
    """The compiled kernels."""
    from convgrad.kernels import run

    del layout
    x, w, dz = arrays(case)
    given = {"forward": (x, w), "input_gradient": (dz, w), "weight_gradient": (dz, x)}
    calls = {name: (lambda n=name: run(n, case.layer, *given[n])) for name in PASSES}
    return Calls(calls, lambda _, result: result)


def torch(case: Case, layout: str) -> Calls:
    """`torch.ops.aten.convolution` and its backward pass."""
    import torch

    torch.set_grad_enabled(False)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    layer = case.layer
    formats = {2: torch.channels_last, 3: torch.channels_last_3d}
    x, w, dz = map(torch.from_numpy, arrays(case))
    before = [pair[0] for pair in layer.padding]
    padded = any(a != b for a, b in layer.padding)
    if padded:
        # PyTorch knows no asymmetric padding: padded beforehand, and not timed.
        flat = [n for pair in layer.padding[::-1] for n in pair]
        x, before = torch.nn.functional.pad(x, flat), [0] * layer.rank
    if layout == "channels_last":
        if layer.rank not in formats:
            return Calls({}, lambda _, result: result)
        x, w, dz = (a.contiguous(memory_format=formats[layer.rank]) for a in (x, w, dz))
    rest = (
        list(layer.stride), before, list(layer.dilation), layer.transposed,
        list(layer.output_padding), layer.groups,
    )  # fmt: skip
    back = torch.ops.aten.convolution_backward

    def gradient(*mask: bool) -> Callable[[], Any]:
        return lambda: back(dz, x, w, None, *rest, list(mask))

    def plain(name: str, result: Any) -> np.ndarray:
        if name == "forward":
            return result.numpy()
        found = result[0 if name == "input_gradient" else 1].numpy()
        if name == "input_gradient" and padded:
            places = zip(layer.padding, layer.input_size, strict=True)
            found = found[(..., *(slice(a, a + size) for (a, _), size in places))]
        return found

    calls = {
        "forward": lambda: torch.ops.aten.convolution(x, w, None, *rest),
        "input_gradient": gradient(True, False, False),
        "weight_gradient": gradient(False, True, False),
    }
    return Calls(calls, plain)


def jax(case: Case, layout: str) -> Calls:
    """`jax.lax.conv_general_dilated` and its `jax.vjp`, compiled by `jax.jit`.

    A transposed layer is the pullback of the convolution that it mirrors.
    """
    # XLA starts as many threads as there are processors for it.
    if hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))[: int(os.environ["OMP_NUM_THREADS"])]
        os.sched_setaffinity(0, allowed)
    import jax

    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_x64", True)
    layer = case.layer
    last = layout == "channels_last"
    space = "DHW"[3 - layer.rank :]
    specs = (f"N{space}C", f"{space}IO") if last else (f"NC{space}", f"OI{space}")

    def convolve(wide: Any, w: Any) -> Any:
        return jax.lax.conv_general_dilated(
            wide, w, layer.stride, layer.padding,
            rhs_dilation=layer.dilation,
            dimension_numbers=(specs[0], specs[1], specs[0]),
            feature_group_count=layer.groups,
        )  # fmt: skip

    def pulled_wide(narrow: Any, wide: Any, w: Any) -> Any:
        return jax.vjp(lambda free: convolve(free, w), wide)[1](narrow)[0]

    def pulled_weights(narrow: Any, wide: Any, w: Any) -> Any:
        return jax.vjp(lambda free: convolve(wide, free), w)[1](narrow)[0]

    calls, plain = _mirrored(
        layer, _channels_last(arrays(case)) if last else arrays(case), jax.numpy.asarray,
        jax.jit(convolve), jax.jit(pulled_wide), jax.jit(pulled_weights),
    )  # fmt: skip
    waiting = {
        name: (lambda call=call: jax.block_until_ready(call())) for name, call in calls.items()
    }
    return Calls(waiting, lambda name, result: plain(name, np.asarray(result), last=last))


def tensorflow(case: Case, layout: str) -> Calls:
    """`tf.nn.convolution` and its gradients by `tf.GradientTape`, in a `tf.function`.

    On a CPU TensorFlow has channels last only, and no gradients for groups of several channels.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    import tensorflow as tf

    del layout
    threads = int(os.environ["OMP_NUM_THREADS"])
    if tf.config.threading.get_intra_op_parallelism_threads() != threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    layer = case.layer
    pads = [[0, 0], *map(list, layer.padding), [0, 0]]

    depthwise = layer.groups == layer.in_channels > 1 and layer.rank == 2

    def convolve(wide: Any, w: Any) -> Any:
        if depthwise:
            taps = tf.reshape(w, (*layer.kernel, layer.in_channels, -1))
            steps = (1, *layer.stride, 1)
            return tf.nn.depthwise_conv2d(wide, taps, steps, pads, dilations=layer.dilation)
        if layer.rank == 2:
            return tf.nn.conv2d(wide, w, layer.stride, pads, dilations=layer.dilation)
        padded = tf.pad(wide, pads) if any(map(any, layer.padding)) else wide
        return tf.nn.convolution(padded, w, layer.stride, "VALID", dilations=layer.dilation)

    def pulled_wide(narrow: Any, wide: Any, w: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(wide)
            z = convolve(wide, w)
        return tape.gradient(z, wide, narrow)

    def pulled_weights(narrow: Any, wide: Any, w: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(w)
            z = convolve(wide, w)
        return tape.gradient(z, w, narrow)

    calls, plain = _mirrored(
        layer, _channels_last(arrays(case)), tf.constant,
        tf.function(convolve), tf.function(pulled_wide), tf.function(pulled_weights),
    )  # fmt: skip
    if layer.groups > 1 and not depthwise:
        calls = {"forward": calls["forward"]}
    return Calls(calls, lambda name, result: plain(name, result.numpy(), last=True))


def _channels_last(three: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Arrays x and dz as (N, *spatial, C), w as (*kernel, C, K)."""
    x, w, dz = three
    return (
        np.ascontiguousarray(np.moveaxis(x, 1, -1)),
        np.ascontiguousarray(np.moveaxis(w, (1, 0), (-2, -1))),
        np.ascontiguousarray(np.moveaxis(dz, 1, -1)),
    )


def _mirrored(
    layer: Convolution,
    three: tuple[np.ndarray, ...],
    to_library: Callable[[np.ndarray], Any],
    convolve: Callable[..., Any],
    pulled_wide: Callable[..., Any],
    pulled_weights: Callable[..., Any],
) -> tuple[dict[str, Callable[[], Any]], Callable[..., np.ndarray]]:
    """The passes of a layer as those of the convolution that it is, or mirrors."""
    x, w, dz = map(to_library, three)
    if layer.transposed:
        wide = to_library(np.zeros_like(three[2]))
        calls = {
            "forward": lambda: pulled_wide(x, wide, w),
            "input_gradient": lambda: convolve(dz, w),
            "weight_gradient": lambda: pulled_weights(x, dz, w),
        }
    else:
        calls = {
            "forward": lambda: convolve(x, w),
            "input_gradient": lambda: pulled_wide(dz, x, w),
            "weight_gradient": lambda: pulled_weights(dz, x, w),
        }

    def plain(name: str, result: np.ndarray, *, last: bool) -> np.ndarray:
        if not last:
            return result
        if name == "weight_gradient":
            return np.moveaxis(result, (-2, -1), (1, 0))
        return np.moveaxis(result, -1, 1)

    return calls, plain


LIBRARIES = {"convgrad": ours, "torch": torch, "jax": jax, "tensorflow": tensorflow}
