"""Where a result goes: into a new array, or into the one that the caller gave as `out`."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from convgrad.arrays import Array, check_shape, narrowed
from convgrad.errors import ArrayError

if TYPE_CHECKING:
    from collections.abc import Sequence


def check_out(name: str, out: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Refuse an array that a result of this shape and type cannot be written to.

    Raises:
        ArrayError: with what it should be.
    """
    if not isinstance(out, np.ndarray):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArrayError(
            f"{name} is no array",
            got=type(out).__name__,
            expected=f"an array of shape {shape}, or None",
            mend="make one with np.empty",
        )
    check_shape(name, out, shape)
    if out.dtype != dtype and not np.can_cast(dtype, out.dtype, "same_kind"):
        raise ArrayError(
            f"{name} has type {out.dtype}, the result {dtype}",
            expected="a type of the same kind, into which NumPy casts without being asked",
            mend=f"make it with dtype={dtype}",
        )
    if not out.flags.writeable:
        raise ArrayError(
            f"{name} is read-only",
            expected="an array that may be written to",
            mend="give a copy, or leave it out",
        )


def check_apart(outs: dict[str, Array | None]) -> None:
    """Refuse results that would be written over each other.

    Raises:
        ArrayError: naming the two.
    """
    given = [(name, out) for name, out in outs.items() if out is not None]
    for number, (name, out) in enumerate(given):
        for other, before in given[:number]:
            if np.shares_memory(out, before):
                raise ArrayError(
                    f"{other} and {name} share memory",
                    expected="a place of its own for each result",
                )


def overlaps(out: Array, *operands: Array) -> bool:
    """Whether writing to `out` could change one of the operands."""
    return any(np.may_share_memory(out, operand) for operand in operands)


def fresh(name: str, shape: Sequence[int], dtype: np.dtype[Any]) -> Array:
    """A new array for a result, its entries not set.

    Raises:
        MemoryError: with the sizes, where there is no memory for it.
    """
    try:
        return np.empty(shape, dtype)
    except (MemoryError, ValueError) as error:
        size = prod(shape) * dtype.itemsize
        raise MemoryError(
            f"no memory for {name} of shape {tuple(shape)}, {dtype}: {size:,} bytes"
        ) from error


def stored(result: Array, out: Array | None) -> Array:
    """The result, in `out` where there is one.

    Raises:
        ArrayError: where an integer does not fit the type of `out`.
    """
    if out is None:
        return result
    if out.dtype.kind in "iu":
        result = narrowed(result, out.dtype)
    out[...] = result
    return out
