"""The options that describe a layer, the same for every command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convgrad.convolution import Convolution
from convgrad.errors import ConvgradError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

Padding = str | int | tuple[int, ...] | tuple[tuple[int, int], ...]


def add_layer_options(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add `--input`, `--filters`, `--kernel` and all options of `Convolution` to a parser."""
    group = parser.add_argument_group("the layer")
    group.add_argument(
        "--input",
        metavar="CxHxW",
        required=required,
        help="channels and sizes, as in 3x32x32",
    )
    group.add_argument(
        "--filters", type=int, required=required, metavar="K", help="output channels"
    )
    group.add_argument(
        "--kernel", required=required, metavar="5x5", help="taps for each axis, or 5"
    )
    group.add_argument("--stride", default="1", metavar="S", help="2, or 2x1 (default 1)")
    group.add_argument(
        "--padding",
        default="0",
        metavar="P",
        help="1, or 1x2 for each axis, or 0:1x0:1 before:after, or same, or valid; negative crops",
    )
    group.add_argument("--dilation", default="1", metavar="D", help="2, or 2x1 (default 1: none)")
    group.add_argument("--groups", type=int, default=1, metavar="G")
    group.add_argument(
        "--bias",
        default="filter",
        choices=("filter", "position", "none"),
        help="one for each filter (default), one for each output position, or none",
    )
    group.add_argument("--transposed", action="store_true", help="a transposed convolution")
    group.add_argument("--output-padding", default="0", metavar="P", help="transposed only")
    group.add_argument(
        "--padding-mode",
        default="zeros",
        choices=("zeros", "reflect", "replicate", "circular"),
        help="what stands in the padding",
    )
    group.add_argument(
        "--flipped", action="store_true", help="true convolution: the kernel runs backwards"
    )


def layer_of(arguments: argparse.Namespace) -> Convolution:
    """The layer that the options describe.

    Raises:
        ConvgradError: an option that cannot be read, or (LayerError) an impossible layer.
    """
    channels, *sizes = _numbers("--input", arguments.input)
    if not sizes:
        raise ConvgradError(
            f"--input {arguments.input} has no spatial axis",
            expected="channels and at least one size, such as 3x32x32",
        )
    return Convolution(
        sizes,
        channels,
        arguments.filters,
        _each("--kernel", arguments.kernel),
        stride=_each("--stride", arguments.stride),
        padding=_padding(arguments.padding),
        dilation=_each("--dilation", arguments.dilation),
        groups=arguments.groups,
        bias=arguments.bias,
        transposed=arguments.transposed,
        output_padding=_each("--output-padding", arguments.output_padding),
        padding_mode=arguments.padding_mode,
        flipped=arguments.flipped,
    )


def _numbers(option: str, text: str) -> list[int]:
    try:
        return [int(part) for part in text.lower().replace("×", "x").split("x")]
    except ValueError:
        raise ConvgradError(
            f"{option} {text} is not a list of numbers",
            expected="whole numbers with x between them, such as 5x5",
        ) from None


def _each(option: str, text: str) -> int | Sequence[int]:
    """One number for every axis, or a number for each."""
    numbers = _numbers(option, text)
    return numbers[0] if len(numbers) == 1 else numbers


def _padding(text: str) -> Padding:
    if text in {"same", "valid"}:
        return text
    if ":" not in text:
        numbers = _numbers("--padding", text)
        return numbers[0] if len(numbers) == 1 else tuple(numbers)
    pairs = [_numbers("--padding", part.replace(":", "x")) for part in text.split("x")]
    if any(len(pair) != 2 for pair in pairs):
        raise ConvgradError(
            f"--padding {text} mixes sides and axes",
            expected="before:after for each axis, such as 0:1x0:1",
        )
    return tuple((pair[0], pair[1]) for pair in pairs)
