"""The way in: a pass of a layer, on arrays."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from convgrad.kernels import llvm
from convgrad.kernels.address import plain
from convgrad.kernels.bound import Bound, BoundSums
from convgrad.kernels.exact import Exact, exact
from convgrad.kernels.locks import ForkLock
from convgrad.kernels.memory import bytes_allowed
from convgrad.kernels.program import plan_pass
from convgrad.kernels.shelf import RESULTS
from convgrad.kernels.summed import plan_sums, summed_tile
from convgrad.kernels.target import host_target
from convgrad.padding import pad, padded_layer, unpad

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from numpy.typing import NDArray

    from convgrad.convolution import Convolution
    from convgrad.kernels.layers import Pass
    from convgrad.kernels.target import Target

    Array = NDArray[Any]

_NUMBERS = {np.dtype(np.float32): "float32", np.dtype(np.float64): "float64"}
_SEEN_LIMIT = 4096
_seen: dict[Hashable, Prepared | None] = {}
_met: dict[Hashable, tuple[Convolution, Prepared | None]] = {}
_lock = ForkLock()
_forgetting: list[Callable[[], None]] = []


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
        a target; seldom a factor that is not finite beside terms that the padding leaves out, in
        many ways. Then `out` may have been written to.
    """
    if second.dtype != first.dtype or not first.size or not second.size:
        return None
    ready = prepare(name, layer, first.shape[0], first.dtype, algorithm)
    if ready is None:
        return None
    return ready(first, second, None if bias is None else bias.astype(first.dtype, copy=False), out)


def prepare(
    name: Pass,
    layer: Convolution,
    batch: int,
    dtype: np.dtype[Any],
    algorithm: str | None = None,
) -> Prepared | None:
    """A pass of a layer for so many instances, planned and compiled on first use.

    Returns: None where no kernel computes it; see `run`.
    """
    # A layer is known by its identity before its numbers are compared; kept, it cannot be another.
    at = (name, id(layer), batch, dtype, algorithm)
    try:
        return _met[at][1]
    except KeyError:
        pass
    number = _NUMBERS.get(dtype)
    if number is None or not batch:
        return None
    key = (name, layer, batch, number, algorithm)
    with _lock.held:
        if key not in _seen:
            if len(_seen) >= _SEEN_LIMIT:
                _seen.clear()
            _seen[key] = _make(*key)
        if len(_met) >= _SEEN_LIMIT:
            _met.clear()
        _met[at] = (layer, _seen[key])
        return _seen[key]


def _make(
    name: Pass, layer: Convolution, batch: int, number: str, algorithm: str | None
) -> Prepared | None:
    if not llvm.is_available():
        return None
    target = host_target()
    if target is None:
        return None
    bare = layer if layer.padding_mode == "zeros" else padded_layer(layer)
    program = plan_pass(bare, name, batch=batch, number=number, target=target, algorithm=algorithm)
    if program is None:
        return None
    ready = Ready(name, bare, batch, number, Bound(program, target), target)
    return ready if bare is layer else _Padded(name, layer, ready)


def prepare_sums(shape: tuple[int, ...], dtype: np.dtype[Any], *, untied: bool) -> ReadySums | None:
    """The gradient of a bias, for an output's gradient of this shape.

    Returns: None where no kernel computes it, or its workspace would be more than is allowed.
    """
    number = _NUMBERS.get(dtype)
    if number is None or not shape[0]:
        return None
    target = host_target() if llvm.is_available() else None
    if target is None:
        return None
    tile = summed_tile(number, target)
    sums = plan_sums(shape, tile, untied=untied)
    if sums.shared > bytes_allowed(prod(shape) * dtype.itemsize):
        return None
    return ReadySums(shape[1:] if untied else shape[1:2], dtype, BoundSums(sums, tile, target))


class ReadySums:
    """A bias gradient, compiled, for an output's gradient of one shape and type."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], bound: BoundSums) -> None:
        self._shape, self._dtype, self._bound = shape, dtype, bound
        self._new = RESULTS.maker(shape, dtype)

    def __call__(self, dz: Array, out: Array | None = None) -> Array:
        """The result, in `out` if it was given."""
        direct = out is not None and is_direct(out, self._shape, self._dtype, dz)
        result = out if direct and out is not None else self._new()
        self._bound.run(result, dz)
        if out is None or direct:
            return result
        out[...] = result
        return out


class Ready:
    """A pass of a layer, compiled, for arrays of one batch and type."""

    def __init__(
        self, name: Pass, layer: Convolution, batch: int, number: str, bound: Bound, target: Target
    ) -> None:
        self.bound = bound
        self._what = (name, layer, batch, number, target)
        self._exact: list[Exact | None] = []  # made when it is needed, which is seldom
        self._shape = _shape(name, layer, batch)
        self._dtype = np.dtype(number)
        self._new = RESULTS.maker(self._shape, self._dtype)
        # whether the window, the array that is read along taps, is the second operand
        self._swapped = name == "weight_gradient" and not layer.transposed
        # elements that no phase reaches are cleared, not computed, and have a bias all the same
        self._takes_bias = not bound.program.clear
        self._per_filter = (-1, *(1,) * layer.rank)

    def __call__(
        self, first: Array, second: Array, bias: Array | None = None, out: Array | None = None
    ) -> Array | None:
        """The result; None where the factor is not finite beside absent terms."""
        direct = out is not None and is_direct(out, self._shape, self._dtype, first, second, bias)
        result = out if direct and out is not None else self._new()
        inner = bias if bias is None or (bias.ndim == 1 and self._takes_bias) else None
        window, factor = (second, first) if self._swapped else (first, second)
        if not self.bound.run(result, window, factor, inner):
            # A factor that is not finite beside absent terms; the bias is added afterwards.
            program, inner = self._exact_program(), None
            if program is None or not program.run(result, plain(window), plain(factor)):
                return None
        if bias is not inner and bias is not None:
            result += bias if bias.ndim > 1 else bias.reshape(self._per_filter)
        if out is None or direct:
            return result
        out[...] = result
        return out

    def _exact_program(self) -> Exact | None:
        with _lock.held:
            if not self._exact:
                self._exact.append(exact(*self._what))
            return self._exact[0]


class _Padded:
    """A layer that pads by its own entries: a linear map before the sum, its transpose after it."""

    def __init__(self, name: Pass, layer: Convolution, bare: Ready) -> None:
        self.bound = bare.bound
        self._name, self._axes, self._bare = name, layer.axes, bare

    def __call__(
        self, first: Array, second: Array, bias: Array | None = None, out: Array | None = None
    ) -> Array | None:
        if self._name == "forward":
            return self._bare(pad(first, self._axes), second, bias, out)
        if self._name == "weight_gradient":
            return self._bare(first, pad(second, self._axes), None, out)
        dx = self._bare(first, second)
        if dx is None:
            return None
        dx = np.ascontiguousarray(unpad(dx, self._axes))
        if out is None:
            return dx
        out[...] = dx
        return out


Prepared = Ready | _Padded
"""A pass of a layer that wants only its arrays: (first, second, bias, out) -> result or None."""


def is_direct(
    out: Array, shape: tuple[int, ...], dtype: np.dtype[Any], *operands: Array | None
) -> bool:
    """Whether a kernel may write to `out` itself."""
    return (
        out.shape == shape
        and out.dtype == dtype
        and out.flags.carray
        and not any(np.may_share_memory(out, other) for other in operands if other is not None)
    )


def _shape(name: Pass, layer: Convolution, batch: int) -> tuple[int, ...]:
    if name == "forward":
        return (batch, layer.filters, *layer.output_size)
    if name == "input_gradient":
        return (batch, layer.in_channels, *layer.input_size)
    return layer.weight_shape


def forget() -> None:
    """Forget every program; the next call of each layer plans anew."""
    with _lock.held:
        _seen.clear()
        _met.clear()
    for also in _forgetting:
        also()


def when_forgetting(also: Callable[[], None]) -> None:
    """Have programs forgotten wherever else they are kept."""
    _forgetting.append(also)
