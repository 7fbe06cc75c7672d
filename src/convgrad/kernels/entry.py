"""The way in: a pass of a layer, on arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from convgrad.kernels import llvm
from convgrad.kernels.bound import Bound
from convgrad.kernels.locks import ForkLock
from convgrad.kernels.program import plan_pass
from convgrad.kernels.target import host_target
from convgrad.padding import pad, padded_layer, unpad

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from convgrad.convolution import Convolution
    from convgrad.kernels.layers import Pass

    Array = NDArray[Any]

_NUMBERS = {np.dtype(np.float32): "float32", np.dtype(np.float64): "float64"}
_SEEN_LIMIT = 4096
_seen: dict[Hashable, Bound | None] = {}
_lock = ForkLock()


def run(
    name: Pass,
    layer: Convolution,
    first: Array,
    second: Array,
    bias: Array | None = None,
    *,
    out: Array | None = None,
    algorithm: str | None = None,
) -> Array | None:
    """One pass of a layer with compiled kernels.

    Args:
        name: "forward", "input_gradient" or "weight_gradient".
        layer: the layer; arrays must have its shapes.
        first: x for the forward pass, dz for the gradients.
        second: w; x for the weight gradient.
        bias: (K,) or (K, *output), for the forward pass only.
        out: where the result goes; made if not given.
        algorithm: one algorithm's name, to use no other.

    Returns: the result, or None where no kernel computes this and the reference must: another
        type of number than float32 and float64, an empty array, no llvmlite, a processor without
        a target, or a factor that is not finite beside terms that the padding leaves out. Then
        `out` may have been written to.
    """
    number = _NUMBERS.get(first.dtype)
    if number is None or second.dtype != first.dtype or not first.size or not second.size:
        return None
    if layer.padding_mode != "zeros":
        return _run_padded(name, layer, (first, second, bias), out, algorithm)
    batch = first.shape[0]
    bound = _bind((name, layer, batch, number, algorithm))
    if bound is None:
        return None
    shape = bound.shape
    first, second = _plain(first), _plain(second)
    direct = out is not None and _is_direct(out, shape, first, second, bias)
    result = out if direct and out is not None else np.empty(shape, first.dtype)
    # elements that no phase reaches are cleared, not computed, and have a bias all the same
    shared = bias is not None and bias.ndim == 1 and not bound.program.clear
    inner = _plain(bias.astype(first.dtype, copy=False)) if shared and bias is not None else None
    window, factor = (second, first) if _is_swapped(name, layer) else (first, second)
    if not bound.run(result, window, factor, inner):
        return None
    if bias is not None and not shared:
        result += bias if bias.ndim > 1 else bias.reshape(-1, *(1,) * layer.rank)
    if out is None or direct:
        return result
    out[...] = result
    return out


def _run_padded(
    name: Pass,
    layer: Convolution,
    arrays: tuple[Array, Array, Array | None],
    out: Array | None,
    algorithm: str | None,
) -> Array | None:
    """A layer that pads by its own entries: a linear map before the sum, its transpose after it."""
    first, second, bias = arrays
    bare = padded_layer(layer)
    if name == "forward":
        padded = pad(first, layer.axes)
        return run(name, bare, padded, second, bias, out=out, algorithm=algorithm)
    if name == "weight_gradient":
        padded = pad(second, layer.axes)
        return run(name, bare, first, padded, out=out, algorithm=algorithm)
    dx = run(name, bare, first, second, algorithm=algorithm)
    if dx is None:
        return None
    dx = np.ascontiguousarray(unpad(dx, layer.axes))
    if out is None:
        return dx
    out[...] = dx
    return out


def _is_swapped(name: Pass, layer: Convolution) -> bool:
    """Whether the window, the array that is read along taps, is the second operand."""
    return name == "weight_gradient" and not layer.transposed


def _is_direct(out: Array, shape: tuple[int, ...], *operands: Array | None) -> bool:
    """Whether a kernel may write to `out` itself."""
    return (
        out.shape == shape
        and operands[0] is not None
        and out.dtype == operands[0].dtype
        and out.flags.c_contiguous
        and out.flags.aligned
        and out.flags.writeable
        and not any(np.may_share_memory(out, other) for other in operands if other is not None)
    )


def _plain(array: Array) -> Array:
    """The array in C order, copied only where it is not."""
    flags = array.flags
    if flags.c_contiguous and flags.aligned:
        return array
    return np.array(array, order="C")


def _shape(name: Pass, layer: Convolution, batch: int) -> tuple[int, ...]:
    if name == "forward":
        return (batch, layer.filters, *layer.output_size)
    if name == "input_gradient":
        return (batch, layer.in_channels, *layer.input_size)
    return layer.weight_shape


def _bind(key: tuple[Pass, Convolution, int, str, str | None]) -> Bound | None:
    """The compiled program for a pass, made on first use."""
    try:
        return _seen[key]
    except KeyError:
        pass
    with _lock.held:
        if len(_seen) >= _SEEN_LIMIT:
            _seen.clear()
        _seen[key] = _make(*key)
        return _seen[key]


def _make(
    name: Pass, layer: Convolution, batch: int, number: str, algorithm: str | None
) -> Bound | None:
    if not llvm.is_available():
        return None
    target = host_target()
    if target is None:
        return None
    program = plan_pass(layer, name, batch=batch, number=number, target=target, algorithm=algorithm)
    return None if program is None else Bound(program, target, _shape(name, layer, batch))


def forget() -> None:
    """Forget every program; the next call of each layer plans anew."""
    with _lock.held:
        _seen.clear()
