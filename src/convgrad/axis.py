"""One spatial axis of a convolution: its sizes, and which positions meet which taps.

not transposed    input  position = stride*output + dilation*tap - before
transposed        output position = stride*input  + dilation*tap - before
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Axis:
    """The sizes of one spatial axis.

    Attributes:
        input: the number of input positions.
        kernel: the number of taps.
        stride: input positions from one window to the next (transposed: output positions).
        before: padding before the first position; negative crops.
        after: padding after the last one; negative crops.
        dilation: input positions from one tap to the next; 1 means none are left out.
        transposed: whether the axis runs from the small side to the large one.
        output_padding: output positions added at the far end of a transposed axis.
        padding_mode: "zeros", or which of the input's own entries the padding copies.

    >>> Axis(input=32, kernel=5, stride=2, before=1, after=1).output
    15
    """

    input: int
    kernel: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1
    transposed: bool = False
    output_padding: int = 0
    padding_mode: str = "zeros"

    @property
    def extent(self) -> int:
        """How many positions a window spans: dilation*(kernel - 1) + 1."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def output(self) -> int:
        """The number of output positions; below 1 where the layer is impossible."""
        if self.transposed:
            spanned = (self.input - 1) * self.stride + self.extent
            return spanned - self.before - self.after + self.output_padding
        return (self.input + self.before + self.after - self.extent) // self.stride + 1

    @property
    def windows(self) -> int:
        """The number of windows: outputs, or the inputs of a transposed axis."""
        return self.input if self.transposed else self.output

    @property
    def positions(self) -> int:
        """The number of positions that the windows lie over."""
        return self.output if self.transposed else self.input

    @property
    def padded(self) -> Axis:
        """The axis on the padded input, where the padding copies entries; itself if it is zeros."""
        if self.padding_mode == "zeros":
            return self
        size = self.input + self.before + self.after
        return replace(self, input=size, before=0, after=0, padding_mode="zeros")

    @property
    def sources(self) -> Sequence[int]:
        """The input position whose entry stands at each position of the padded axis.

        >>> Axis(input=4, kernel=3, before=2, after=1, padding_mode="reflect").sources
        (2, 1, 0, 1, 2, 3, 2)
        """
        last = self.input - 1
        places = range(-self.before, self.input + self.after)
        match self.padding_mode:
            case "circular":
                return tuple(place % self.input for place in places)
            case "replicate":
                return tuple(min(max(place, 0), last) for place in places)
            case "reflect":
                return tuple(min(abs(place), 2 * last - abs(place)) for place in places)
            case _:
                return range(self.input)

    @property
    def pairs(self) -> int:
        """How many pairs of a window and a tap meet an entry, and not a zero of the padding."""
        return sum(len(self.padded.windows_at(tap)) for tap in range(self.kernel))

    def windows_at(self, tap: int) -> range:
        """The windows whose tap lies inside, `0 <= stride*window + dilation*tap - before < size`.

        >>> Axis(input=4, kernel=3, before=1, after=1).windows_at(0)
        range(1, 4)
        """
        shift = self.dilation * tap - self.before
        first = max(0, -(shift // self.stride))
        last = min(self.windows - 1, (self.positions - 1 - shift) // self.stride)
        return range(first, max(first, last + 1))

    @property
    def unreached(self) -> tuple[int, ...]:
        """The input positions that no window reaches, nor a copy of theirs; their gradient is zero.

        >>> Axis(input=6, kernel=3, stride=2).unreached
        (5,)
        >>> Axis(input=6, kernel=3, stride=2, before=2, padding_mode="circular").unreached
        ()
        """
        axis, sources = self.padded, self.sources
        reached = {
            window if axis.transposed else sources[axis.position(window, tap)]
            for tap in range(axis.kernel)
            for window in axis.windows_at(tap)
        }
        return tuple(position for position in range(self.input) if position not in reached)

    def position(self, window: int, tap: int) -> int:
        """Where a tap of a window lies: stride*window + dilation*tap - before."""
        return self.stride * window + self.dilation * tap - self.before

    @property
    def least_input(self) -> int:
        """The smallest input that the padding can be cut from or copied from."""
        widest = max(self.before, self.after)
        room = {"reflect": widest + 1, "circular": widest}
        cropped = max(-self.before, 0) + max(-self.after, 0)
        return max(cropped + 1, room.get(self.padding_mode, 1))

    def input_sizes(self, output: int) -> range:
        """The input sizes that give an output size: as many as the stride, fewer if it is cropped.

        A transposed axis has at most one, with the output padding that it has.

        >>> Axis(input=32, kernel=5, stride=2, before=1, after=1).input_sizes(15)
        range(31, 33)
        >>> Axis(input=15, kernel=5, stride=2, transposed=True).input_sizes(33)
        range(15, 16)
        """
        padding = self.before + self.after
        if not self.transposed:
            least = (output - 1) * self.stride + self.extent - padding
            first = max(self.least_input, least)
            return range(first, max(first, least + self.stride))
        rest = output + padding - self.extent - self.output_padding
        if rest < 0 or rest % self.stride:
            return range(0)
        return range(rest // self.stride + 1, rest // self.stride + 2)
