"""One convolution layer with its exact sizes: what is legal, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, prod
from typing import TYPE_CHECKING, Any

from convgrad.axis import Axis
from convgrad.errors import LayerError
from convgrad.options import (
    Each,
    Padding,
    at_least,
    choice,
    one_for_each_axis,
    pair_for_each_axis,
    positive_number,
    true_or_false,
    whole_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convgrad.explain.content import Explanation

BIASES = ("filter", "position", "none")
PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


@dataclass(frozen=True)
class Pass:
    """What one pass costs: multiply-adds of the equation, and bytes read and written once."""

    multiply_adds: int
    bytes: int


@dataclass(frozen=True)
class Cost:
    """What the passes of a layer cost; terms with a zero of the padding are not counted."""

    forward: Pass
    input_gradient: Pass
    weight_gradient: Pass
    bias_gradient: Pass


@dataclass(frozen=True, init=False)
class Convolution:
    """A convolution layer, frozen, with all options in one normal form.

    Args:
        input_size: the spatial sizes of the input; its length is the rank.
        in_channels: channels of the input.
        filters: channels of the output.
        kernel: taps, one number or one for each axis; so stride, dilation and output_padding.
        stride: positions from one window to the next.
        padding: zeros (or what `padding_mode` says) around the input: a number, one for each
            axis, a pair (before, after) for each axis, "valid" (none) or "same" (the output has
            ceil(input/stride) positions, the smaller half before, as in TensorFlow and JAX);
            negative padding crops.
        dilation: positions from one tap to the next; 1 means none.
        groups: the channels and filters fall into so many groups that do not mix.
        bias: "filter" for one per filter (or True), "position" for one per output entry (untied),
            "none" (or False).
        transposed: whether this is the transposed convolution, which makes the input larger.
        output_padding: positions added at the far end of a transposed layer's output.
        padding_mode: "zeros", "reflect", "replicate" or "circular".
        flipped: whether the kernel runs backwards: a convolution in the mathematician's sense, and
            not the cross-correlation that networks calculate.

    Raises:
        LayerError: where no such layer exists; the message names axis, value, range and mend.

    >>> layer = Convolution((32, 32), 3, 20, kernel=5, stride=2, padding=1)
    >>> layer.output_size, layer.weight_shape, layer.parameters
    ((15, 15), (20, 3, 5, 5), 1520)
    >>> print(layer)
    Convolution 3x32x32 -> 20x15x15, kernel 5x5, stride 2, padding 1
    >>> Convolution(8, 1, 1, 3, stride=0)
    Traceback (most recent call last):
        ...
    convgrad.errors.LayerError: stride[0]=0: a stride is at least 1
    """

    input_size: tuple[int, ...]
    in_channels: int
    filters: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int
    bias: str
    transposed: bool
    output_padding: tuple[int, ...]
    padding_mode: str
    flipped: bool

    def __init__(
        self,
        input_size: Each,
        in_channels: int,
        filters: int,
        kernel: Each,
        *,
        stride: Each = 1,
        padding: Padding = 0,
        dilation: Each = 1,
        groups: int = 1,
        bias: str | bool = "filter",
        transposed: bool = False,
        output_padding: Each = 0,
        padding_mode: str = "zeros",
        flipped: bool = False,
    ) -> None:
        sizes = at_least(1, "input_size", whole_numbers("input_size", input_size))
        if not sizes:
            raise LayerError(
                "input_size has no axis",
                expected="at least one spatial size",
                mend="give the spatial sizes of the input, such as (32, 32)",
            )
        rank = len(sizes)
        fields: dict[str, Any] = {
            "input_size": sizes,
            "in_channels": positive_number("in_channels", in_channels),
            "filters": positive_number("filters", filters),
            "kernel": at_least(1, "kernel", one_for_each_axis("kernel", kernel, rank)),
            "stride": at_least(1, "stride", one_for_each_axis("stride", stride, rank)),
            "dilation": at_least(1, "dilation", one_for_each_axis("dilation", dilation, rank)),
            "groups": positive_number("groups", groups),
            "bias": choice("bias", _bias_word(bias), BIASES),
            "transposed": true_or_false("transposed", transposed),
            "output_padding": at_least(
                0, "output_padding", one_for_each_axis("output_padding", output_padding, rank)
            ),
            "padding_mode": choice("padding_mode", padding_mode, PADDING_MODES),
            "flipped": true_or_false("flipped", flipped),
        }
        fields["padding"] = _padding(padding, fields)
        for name in type(self).__dataclass_fields__:
            object.__setattr__(self, name, fields[name])
        _check_groups(self)
        for number in range(rank):
            _check_axis(self, number)

    @property
    def rank(self) -> int:
        """The number of spatial axes."""
        return len(self.input_size)

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The spatial axes, one after the other."""
        return tuple(
            Axis(
                size,
                taps,
                stride,
                before,
                after,
                dilation,
                self.transposed,
                extra,
                self.padding_mode,
            )
            for size, taps, stride, (before, after), dilation, extra in zip(
                self.input_size,
                self.kernel,
                self.stride,
                self.padding,
                self.dilation,
                self.output_padding,
                strict=True,
            )
        )

    @property
    def output_size(self) -> tuple[int, ...]:
        """The spatial sizes of the output."""
        return tuple(axis.output for axis in self.axes)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """The shape of w: (K, C/groups, *kernel); transposed (C, K/groups, *kernel)."""
        if self.transposed:
            return (self.in_channels, self.filters // self.groups, *self.kernel)
        return (self.filters, self.in_channels // self.groups, *self.kernel)

    @property
    def bias_shape(self) -> tuple[int, ...] | None:
        """The shape of b: (K,), or (K, *output) where it is untied; None without a bias."""
        shapes = {"filter": (self.filters,), "position": (self.filters, *self.output_size)}
        return shapes.get(self.bias)

    @property
    def parameters(self) -> int:
        """The number of weights and biases.

        >>> Convolution(28, 1, 6, 5).parameters
        36
        """
        return prod(self.weight_shape) + prod(self.bias_shape or (0,))

    @property
    def unreached(self) -> tuple[tuple[int, ...], ...]:
        """For each axis the input positions that no window reaches.

        >>> Convolution((6, 7), 1, 1, 3, stride=2).unreached
        ((5,), ())
        """
        return tuple(axis.unreached for axis in self.axes)

    def input_sizes(self, output: Each) -> tuple[range, ...]:
        """For each axis the input sizes with which this layer has the given output size.

        >>> Convolution(32, 3, 20, 5, stride=2, padding=1).input_sizes(15)
        (range(31, 33),)
        """
        sizes = at_least(1, "output", one_for_each_axis("output", output, self.rank))
        return tuple(axis.input_sizes(size) for axis, size in zip(self.axes, sizes, strict=True))

    def cost(self, batch: int = 1, *, itemsize: int = 4) -> Cost:
        """What the passes cost for a batch, with numbers of `itemsize` bytes.

        >>> Convolution(8, 1, 1, 3, bias=False).cost().forward
        Pass(multiply_adds=18, bytes=68)
        """
        channels = self.filters * self.in_channels // self.groups
        products = batch * channels * prod(axis.pairs for axis in self.axes)
        x = batch * self.in_channels * prod(self.input_size)
        z = batch * self.filters * prod(self.output_size)
        w, b = prod(self.weight_shape), prod(self.bias_shape or (0,))
        return Cost(
            Pass(products, itemsize * (x + w + b + z)),
            Pass(products, itemsize * (z + w + x)),
            Pass(products, itemsize * (z + x + w)),
            Pass(0, itemsize * (z + b) if b else 0),
        )

    def explain(
        self, *, steps: bool = False, code: bool = True, notation: str = "framework"
    ) -> Explanation:
        """The equations of the layer's backward pass, why they hold, an example and code.

        Args:
            steps: whether the derivations are shown step by step.
            code: whether NumPy code is shown.
            notation: "framework", "seed" or "jefkine".

        Returns: an explanation that prints itself, and shows itself in a notebook.

        >>> text = str(Convolution(8, 1, 1, 3).explain(code=False))
        >>> print(text.splitlines()[0])
        The backward pass of Convolution 1x8 → 1x6, kernel 3
        """
        from convgrad.explain.content import Explanation
        from convgrad.notation.conventions import convention

        return Explanation(self, convention(notation), steps, code)

    def _repr_latex_(self) -> str:
        """What a notebook shows where it shows no HTML: the four equations."""
        return self.explain().latex()

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return self.explain(code=False).html_fragment()

    def __str__(self) -> str:
        kind = "Transposed convolution" if self.transposed else "Convolution"
        sizes = f"{_x((self.in_channels, *self.input_size))} -> "
        sizes += _x((self.filters, *self.output_size))
        parts = [f"{kind} {sizes}", f"kernel {_x(self.kernel)}"]
        if set(self.stride) != {1}:
            parts.append(f"stride {_short(self.stride)}")
        if set(self.padding) != {(0, 0)}:
            even = all(before == after for before, after in self.padding)
            sides = tuple(before for before, _ in self.padding)
            pairs = "x".join(f"{before}:{after}" for before, after in self.padding)
            parts.append(f"padding {_short(sides) if even else pairs}")
        if self.padding_mode != "zeros":
            parts.append(f"padding mode {self.padding_mode}")
        if set(self.dilation) != {1}:
            parts.append(f"dilation {_short(self.dilation)}")
        if set(self.output_padding) != {0}:
            parts.append(f"output padding {_short(self.output_padding)}")
        if self.groups > 1:
            parts.append(f"{self.groups} groups")
        parts += ["flipped kernel"] if self.flipped else []
        parts += {"none": ["no bias"], "position": ["a bias for each position"]}.get(self.bias, [])
        return ", ".join(parts)


def _bias_word(bias: str | bool) -> str:
    return ("filter" if bias else "none") if isinstance(bias, bool) else bias


def _padding(padding: Padding, fields: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    """The padding as (before, after) for each axis."""
    rank = len(fields["input_size"])
    if not isinstance(padding, str):
        return pair_for_each_axis(padding, rank)
    if choice("padding", padding, ("valid", "same")) == "valid":
        return ((0, 0),) * rank
    if fields["transposed"]:
        raise LayerError(
            "padding='same' has no single meaning for a transposed layer",
            expected="numbers",
            mend="give the padding of the convolution that it is the transpose of",
        )
    keys = ("input_size", "kernel", "stride", "dilation")
    return tuple(_same(*sizes) for sizes in zip(*(fields[key] for key in keys), strict=True))


def _same(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """The padding for ceil(size/stride) outputs, the smaller half before the input."""
    output = -(-size // stride)
    total = max((output - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2


def _check_groups(layer: Convolution) -> None:
    for name, channels in (("in_channels", layer.in_channels), ("filters", layer.filters)):
        if channels % layer.groups:
            common = gcd(layer.in_channels, layer.filters)
            raise LayerError(
                f"groups={layer.groups} does not divide {name}={channels}",
                expected=f"a divisor of {common}, the greatest that channels and filters share",
                mend=f"use groups={_nearest_divisor(common, layer.groups)}, or other {name}",
            )


def _nearest_divisor(number: int, near: int) -> int:
    """The divisor nearest to `near`; 1 divides everything, so the search ends."""
    start = min(near, number)
    steps = (start + sign * gap for gap in range(start) for sign in (-1, 1))
    return next(divisor for divisor in steps if divisor > 0 and number % divisor == 0)


def _check_axis(layer: Convolution, number: int) -> None:
    axis = layer.axes[number]
    if layer.transposed:
        _check_transposed(axis, number, layer.padding_mode)
        return
    if axis.output_padding:
        raise LayerError(
            f"output_padding[{number}]={axis.output_padding}: only a transposed layer has one",
            axis=number,
            mend="set transposed=True, or leave it out",
        )
    _check_padding_mode(axis, number, layer.padding_mode)
    place = f"(axis {number}; extent = dilation * (kernel - 1) + 1)"
    if axis.input < axis.least_input:
        raise LayerError(
            "nothing is left of the cropped input",
            axis=number,
            got=f"input {axis.input}, padding ({axis.before}, {axis.after})   (axis {number})",
            expected="crops that leave at least 1 position",
            mend="crop less",
        )
    padded = axis.input + axis.before + axis.after
    if padded < axis.extent:
        subject = "dilated kernel" if axis.dilation > 1 else "kernel"
        raise LayerError(
            f"{subject} does not fit into the padded input",
            axis=number,
            got=f"input {axis.input}, padding ({axis.before}, {axis.after}), "
            f"extent {axis.extent}   {place}",
            expected="extent <= input + padding",
            mend=f"pad by {axis.extent - padded} more, or use a smaller kernel or dilation",
        )


def _check_transposed(axis: Axis, number: int, padding_mode: str) -> None:
    if padding_mode != "zeros":
        raise LayerError(
            f"padding_mode={padding_mode!r}: a transposed layer has only 'zeros'",
            mend="pad the output's gradient yourself, or use padding_mode='zeros'",
        )
    limit = max(axis.stride, axis.dilation)
    if axis.output_padding >= limit:
        raise LayerError(
            f"output_padding[{number}]={axis.output_padding} is too large",
            axis=number,
            expected=f"less than max(stride, dilation) = {limit}",
            mend="use a larger input instead",
        )
    if axis.output < 1:
        raise LayerError(
            "the padding cuts the whole output of the transposed layer away",
            axis=number,
            got=f"input {axis.input}, padding ({axis.before}, {axis.after}), "
            f"output {axis.output}   (axis {number})",
            expected="(input - 1)*stride + extent + output_padding > padding on both sides",
            mend=f"pad by {1 - axis.output} less, or use a larger input or kernel",
        )


def _check_padding_mode(axis: Axis, number: int, padding_mode: str) -> None:
    widest = max(axis.before, axis.after)
    limits = {"reflect": axis.input - 1, "circular": axis.input}
    if padding_mode in limits and widest > limits[padding_mode]:
        raise LayerError(
            f"{padding_mode} padding of {widest} does not fit an input of {axis.input}",
            axis=number,
            got=f"input {axis.input}, padding ({axis.before}, {axis.after})   (axis {number})",
            expected=f"padding <= {limits[padding_mode]}",
            mend="pad less, or use padding_mode='replicate'",
        )


def _x(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))


def _short(sizes: Sequence[int]) -> str:
    """One number where all axes have the same."""
    return str(sizes[0]) if len(set(sizes)) == 1 else _x(sizes)
