"""One spatial axis of a convolution: its sizes, and which positions meet which taps.

not transposed    input  position = stride*output + dilation*tap - before
transposed        output position = stride*input  + dilation*tap - before
"""

from __future__ import annotations

from dataclasses import dataclass


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
    def pairs(self) -> int:
        """How many pairs of a window and a tap lie inside the positions, not in the padding."""
        return sum(len(self.windows_at(tap)) for tap in range(self.kernel))

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
        """The input positions that no window reaches; their gradient is zero.

        >>> Axis(input=6, kernel=3, stride=2).unreached
        (5,)
        """
        if self.transposed:
            alone = (position for position in range(self.input) if not self._reaches(position))
            return tuple(alone)
        reached = {
            self.stride * window + self.dilation * tap - self.before
            for tap in range(self.kernel)
            for window in self.windows_at(tap)
        }
        return tuple(position for position in range(self.input) if position not in reached)

    def _reaches(self, window: int) -> bool:
        """Whether any tap of a transposed axis lands inside the output."""
        return any(window in self.windows_at(tap) for tap in range(self.kernel))

    def input_sizes(self, output: int) -> range:
        """The input sizes that give an output size: as many as the stride, or at most one.

        Output padding may be chosen, so a transposed axis has every input for which one fits.

        >>> Axis(input=0, kernel=5, stride=2, before=1, after=1).input_sizes(15)
        range(31, 33)
        """
        padding = self.before + self.after
        if not self.transposed:
            least = (output - 1) * self.stride + self.extent - padding
            return range(max(1, least), max(1, least + self.stride))
        rest = output + padding - self.extent - self.output_padding
        if rest < 0 or rest % self.stride:
            return range(0)
        return range(rest // self.stride + 1, rest // self.stride + 2)
