"""The options of a layer as users write them, read into one normal form or refused."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, cast

from convgrad.errors import LayerError

Each = int | Sequence[int]
"""One number for every axis, or one for each."""

Padding = int | str | Sequence[int] | Sequence[Sequence[int]]
"""A number, one for each axis, a pair (before, after) for each axis, "valid" or "same"."""

_NOUNS = {
    "stride": "a stride",
    "dilation": "a dilation",
    "kernel": "a kernel size",
    "output_padding": "an output padding",
}


def whole_number(name: str, value: Any, axis: int | None = None) -> int:
    """The value as an int, and nothing that only looks like one: True, 3.0 or "3".

    Raises:
        LayerError: naming the option and the value.
    """
    number = _without_numpy(value)
    if isinstance(number, bool) or not isinstance(number, int):
        raise LayerError(f"{name}={value!r}: a whole number is needed", axis=axis)
    return number


def positive_number(name: str, value: Any) -> int:
    """The value as an int of at least 1.

    Raises:
        LayerError: naming the option and the value.
    """
    number = whole_number(name, value)
    if number < 1:
        raise LayerError(f"{name}={number}: at least 1 is needed")
    return number


def whole_numbers(name: str, value: Any) -> tuple[int, ...]:
    """A number or a sequence of numbers as a tuple.

    Raises:
        LayerError: naming the option, the axis and the value.
    """
    entries = _entries(value)
    if entries is None:
        return (whole_number(name, value),)
    return tuple(whole_number(f"{name}[{axis}]", each, axis) for axis, each in enumerate(entries))


def one_for_each_axis(name: str, value: Each, rank: int, *, mend: str = "") -> tuple[int, ...]:
    """One number for every axis, or one for each, as one for each.

    Raises:
        LayerError: where there are more or fewer numbers than axes, or something else.
    """
    found = whole_numbers(name, value)
    if _entries(value) is None:
        return found * rank
    if len(found) != rank:
        raise LayerError(
            _wrong_number(name, len(found), rank),
            got=f"{name}={found}",
            expected="1 number" if rank == 1 else f"1 number, or {rank}",
            mend=mend,
        )
    return found


def pair_for_each_axis(padding: Any, rank: int) -> tuple[tuple[int, int], ...]:
    """Padding in numbers as (before, after) for each axis.

    Raises:
        LayerError: where there are more or fewer numbers than axes, or something else.
    """
    sides = _entries(padding)
    if sides is None:
        number = whole_number("padding", padding)
        return ((number, number),) * rank
    if len(sides) != rank:
        one_each = "1 pair" if rank == 1 else f"{rank} numbers, or {rank} pairs"
        raise LayerError(
            _wrong_number("padding", len(sides), rank),
            got=f"padding={padding}",
            expected=f"1 number, or {one_each} (before, after)",
            mend=f"write [{tuple(sides)}] for one pair" if rank == 1 and len(sides) == 2 else "",
        )
    return tuple(_pair(axis, side) for axis, side in enumerate(sides))


def _pair(axis: int, side: Any) -> tuple[int, int]:
    name = f"padding[{axis}]"
    ends = _entries(side)
    if ends is None:
        number = whole_number(name, side, axis)
        return number, number
    if len(ends) != 2:
        raise LayerError(f"{name}={side!r} is not a pair", axis=axis, expected="(before, after)")
    before, after = (whole_number(f"{name}[{n}]", end, axis) for n, end in enumerate(ends))
    return before, after


def at_least(least: int, name: str, values: tuple[int, ...]) -> tuple[int, ...]:
    """The values, if none is smaller.

    Raises:
        LayerError: naming the option, the axis and the value.
    """
    for axis, value in enumerate(values):
        if value < least:
            noun = _NOUNS.get(name, "a size")
            raise LayerError(f"{name}[{axis}]={value}: {noun} is at least {least}", axis=axis)
    return values


def true_or_false(name: str, value: Any) -> bool:
    """The value, if it is True or False and not a text such as "no".

    Raises:
        LayerError: naming the option and the value.
    """
    flag = _without_numpy(value)
    if not isinstance(flag, bool):
        raise LayerError(f"{name}={value!r}: True or False is needed")
    return flag


def choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """The value, if it is one of the choices.

    Raises:
        LayerError: with the choices, and the one that was meant where it is near.
    """
    if isinstance(value, str) and value in choices:
        return value
    near = get_close_matches(str(value).lower(), choices, 1)
    raise LayerError(
        f"{name}={value!r} is unknown",
        expected=f"one of {', '.join(choices)}",
        mend=f"did you mean {near[0]!r}?" if near else "",
    )


def _without_numpy(value: Any) -> Any:
    """An array or a number of NumPy as a list or a number of Python."""
    return value.tolist() if hasattr(value, "tolist") else value


def _entries(value: Any) -> Sequence[Any] | None:
    """The entries of a list, a tuple or an array; None for one value, or where no order is."""
    value = _without_numpy(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return cast("Sequence[Any]", value)
    return None


def _wrong_number(name: str, found: int, rank: int) -> str:
    numbers = "1 number" if found == 1 else f"{found} numbers"
    return f"{name} has {numbers} for {'1 spatial axis' if rank == 1 else f'{rank} spatial axes'}"
