"""Arrays at the door: which are taken, in which type they are added up, what is said if not."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from convgrad.convolution import Convolution
from convgrad.errors import ArrayError
from convgrad.options import Each, Padding, positive_number

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = np.ndarray[Any, Any]
_ADD_AXES = "add axes of size 1 for one instance or one channel: array[None, None]"


def taken(**arrays: object) -> tuple[Array, ...]:
    """The arrays as NumPy arrays of one type that can be added and multiplied.

    Raises:
        ArrayError: for a type without arithmetic of its own (bool, text, complex), or for two
            different types.
    """
    found = {name: _as_array(name, array) for name, array in arrays.items() if array is not None}
    for name, array in found.items():
        if array.dtype.kind not in "iufO":
            raise ArrayError(
                f"{name} has type {array.dtype}",
                expected="integers, floats, or objects such as Fraction",
                mend="convert it with .astype(float)",
            )
    types = {array.dtype for array in found.values()}
    if len(types) > 1:
        raise ArrayError(
            "the arrays have different types",
            got=", ".join(f"{name} {array.dtype}" for name, array in found.items()),
            expected="one type, which the result then has too",
            mend="convert with .astype",
        )
    return tuple(found.values())


def _as_array(name: str, array: object) -> Array:
    try:
        return np.asarray(array)
    except ValueError as error:
        raise ArrayError(
            f"{name} is no array: its rows have different lengths", expected="one shape"
        ) from error


def check_rank(name: str, array: Array, rank: int | None = None) -> None:
    """Refuse an array that has no spatial axis, or another number of them.

    Raises:
        ArrayError: with what its axes should be.
    """
    axes = {
        "w": "(K, C/groups, *kernel), or (C, K/groups, *kernel) if transposed",
        "x": "(N, C, *spatial)",
        "dz": "(N, K, *output)",
    }
    if array.ndim < 3 or (rank is not None and array.ndim != rank + 2):
        wanted = f"{rank + 2} axes" if rank is not None else "at least 3 axes"
        raise ArrayError(
            f"{name} has {array.ndim} axes",
            got=f"shape {array.shape}",
            expected=f"{wanted}, {axes.get(name, '')}".rstrip(", "),
            mend="" if array.ndim > (rank or 1) + 2 else _ADD_AXES,
        )


def check_shape(name: str, array: Array, shape: Sequence[int], mend: str = "") -> None:
    """Refuse an array of another shape than the layer's.

    Raises:
        ArrayError: naming the first axis that differs.
    """
    if array.shape == tuple(shape):
        return
    place = "its number of axes"
    if array.ndim == len(shape):
        axis = next(n for n, (a, b) in enumerate(zip(array.shape, shape, strict=True)) if a != b)
        place = f"axis {axis}"
    raise ArrayError(
        f"{name} does not belong to this layer: {place} differs",
        got=f"shape {array.shape}",
        expected=f"shape {tuple(shape)}",
        mend=mend,
    )


def layer_from_shapes(
    input_size: Each,
    in_channels: int | None,
    weight_shape: Sequence[int],
    *,
    stride: Each = 1,
    padding: Padding = 0,
    dilation: Each = 1,
    groups: int = 1,
    bias: str | bool = "none",
    transposed: bool = False,
    output_padding: Each = 0,
    padding_mode: str = "zeros",
    flipped: bool = False,
) -> Convolution:
    """The layer that a call describes by the shapes of its arrays and its options.

    Args:
        input_size: the spatial sizes of x.
        in_channels: the channels of x; None for as many as w has.
        weight_shape: of w: (K, C/groups, *kernel), transposed (C, K/groups, *kernel).
        stride: and all further options as in `Convolution`.
        padding: see there.
        dilation: see there.
        groups: see there.
        bias: see there.
        transposed: see there.
        output_padding: see there.
        padding_mode: see there.
        flipped: see there.

    Raises:
        LayerError: where there is no such layer.
        ArrayError: where the channels of x and w do not belong together.
    """
    first, second, *kernel = weight_shape
    both = second * positive_number("groups", groups)
    of_w, filters = (first, both) if transposed else (both, first)
    layer = Convolution(
        input_size,
        of_w if in_channels is None else in_channels,
        filters,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=bias,
        transposed=transposed,
        output_padding=output_padding,
        padding_mode=padding_mode,
        flipped=flipped,
    )
    if layer.weight_shape != tuple(weight_shape):
        expected, got = (
            (layer.in_channels, first) if transposed else (layer.in_channels // groups, second)
        )
        where = "input channels" if transposed else "input channels in each group"
        raise ArrayError(
            f"w has {got} {where}, x has {expected}",
            got=f"w of shape {tuple(weight_shape)}, x with {in_channels} channels, groups={groups}",
            expected=f"w of shape {layer.weight_shape}",
            mend="w is (K, C/groups, *kernel), and (C, K/groups, *kernel) if transposed",
        )
    return layer


def legal_sizes(sizes: Sequence[range]) -> str:
    """Sizes for people: `31 or 32`, `31 to 34`, for each axis."""
    return " x ".join(_listed(size) for size in sizes)


def _listed(sizes: range) -> str:
    if not sizes:
        return "none"
    if len(sizes) < 3:
        return " or ".join(map(str, sizes))
    return f"{sizes[0]} to {sizes[-1]}"


def widened(
    left: Array, right: Array, terms: int, added: Array | None = None
) -> tuple[Array, Array]:
    """The two factors in a type in which a sum of so many products is exact, or loses little.

    The sum may have another array `added` to it.

    Integers go to int64, or to Python's integers where the largest possible sum would not fit;
    float16 goes to float32.
    """
    if left.dtype.kind in "iu":
        bound = _largest(left) * _largest(right) * max(terms, 1)
        bound += 0 if added is None else _largest(added)
        wide = np.dtype(np.int64 if bound < 2**63 else object)
    elif left.dtype == np.float16:
        wide = np.dtype(np.float32)
    else:
        wide = left.dtype
    return left.astype(wide, copy=False), right.astype(wide, copy=False)


def narrowed(result: Array, dtype: np.dtype[Any]) -> Array:
    """The result in the type of the inputs.

    Raises:
        ArrayError: where an integer does not fit; nothing wraps around.
    """
    if dtype.kind in "iu" and result.size:
        limits = np.iinfo(dtype)
        least, most = int(result.min()), int(result.max())
        if least < limits.min or most > limits.max:
            raise ArrayError(
                f"the result does not fit {dtype}",
                got=f"values from {least} to {most}",
                expected=f"{limits.min} to {limits.max}",
                mend="convert the arrays to int64, or to object for integers of any size",
            )
    return np.ascontiguousarray(result.astype(dtype, copy=False))


def _largest(array: Array) -> int:
    return max(abs(int(array.max())), abs(int(array.min()))) if array.size else 0


def split_groups(array: Array, axis: int, groups: int) -> Array:
    """The array with a channel axis cut in two: groups, and channels in each group."""
    shape = array.shape
    inner = shape[axis] // groups
    return array.reshape(*shape[:axis], groups, inner, *shape[axis + 1 :])


def merge_groups(array: Array, axis: int) -> Array:
    """The inverse of `split_groups`."""
    shape = array.shape
    return array.reshape(*shape[:axis], prod(shape[axis : axis + 2]), *shape[axis + 2 :])
