"""Parts of the convention and of the layer that the user has set; the rest is found by trial."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from convgrad.check.probe import Sizes

if TYPE_CHECKING:
    from convgrad.check.probe import Abilities


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
        fixed = {name: v for name, v in self.layer.items() if able[name]}
        if abilities.flat:
            fixed |= {name: (_FLAT[name], v[1]) for name, v in fixed.items() if name in _FLAT}
        return replace(sizes, **fixed)

    def unheard(self, abilities: Abilities) -> list[str]:
        """The fixed fields that the code cannot express, in the words of the options."""
        plain = self.fix(Sizes(), replace(abilities, flat=False))
        return [
            f"--{_OPTIONS.get(name, name)} is not understood by the code: other layers were probed"
            for name, value in self.layer.items()
            if getattr(plain, name) != value
        ]


_FLAT = {"stride": 1, "pads": (0, 0), "dilation": 1, "kernel": 1, "size": 1}
_OPTIONS = {"pads": "padding", "size": "input-size"}
