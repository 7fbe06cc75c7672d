"""Parts of the convention and of the layer that the user has set; the rest is found by trial."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convgrad.check.probe import Abilities, Sizes


@dataclass(frozen=True)
class Wishes:
    """What is known beforehand.

    Attributes:
        data: layout of the input, such as "NHWC".
        weights: layout of the weights, such as "HWCK".
        bias: layout of the bias, such as "111K".
        forward: name of the forward method or function.
        backward: name of the backward method.
        kind: "convolution", "transposed" or "depthwise".
        mode: what stands in the padding, in the words of `numpy.pad`.
        axes: how many axes the layer slides along.
        layer: fields of the probed layer that are fixed, such as {"stride": (2, 2)}.
    """

    data: str | None = None
    weights: str | None = None
    bias: str | None = None
    forward: str | None = None
    backward: str | None = None
    kind: str | None = None
    mode: str | None = None
    axes: int | None = None
    layer: dict[str, Any] = field(default_factory=dict[str, Any])

    def fix(self, sizes: Sizes, abilities: Abilities) -> Sizes:
        """The layer with the fixed fields, as far as the code can express them."""
        able = {
            "stride": abilities.stride,
            "pads": abilities.padding,
            "dilation": abilities.dilation,
            "groups": abilities.groups,
            "batch": abilities.batch,
            "channels": abilities.channels,
            "filters": abilities.filters,
            "kernel": abilities.kernel is None,
            "size": True,
        }
        return replace(sizes, **{name: v for name, v in self.layer.items() if able[name]})
