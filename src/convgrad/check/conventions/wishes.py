"""Parts of the convention and of the layer that the user has set; the rest is found by trial."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from convgrad.check.probe import base_sizes

if TYPE_CHECKING:
    from convgrad.check.conventions.convention import Convention
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
        layer: fields of the probed layer that are fixed, such as {"stride": (2, 2)}; one number,
            as in (2,), stands for every axis.
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

    @property
    def rank(self) -> int | None:
        """How many axes the layer slides along, as far as the user has said so."""
        written = self.data or self.weights
        return self.axes or (sum(written.count(axis) for axis in "DHW") if written else None)

    @property
    def doubt(self) -> tuple[str, ...]:
        """A remark for code that never ran: the reason may be what the user has set."""
        said = (
            ("layout", self.data), ("weights-layout", self.weights), ("bias-layout", self.bias),
            ("kind", self.kind), ("axes", self.axes),
        )  # fmt: skip
        options = " ".join(f"--{name} {value}" for name, value in said if value)
        return (f"tried with {options} only: without it, what fits is looked for",) * bool(options)

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
        fixed: dict[str, Any] = {}
        for name, value in self.layer.items():
            each = self._on_axes(name, value, abilities)
            if able[name] and each is not None:
                fixed[name] = each
        return replace(sizes, **fixed)

    def _on_axes(self, name: str, value: Any, abilities: Abilities) -> Any:
        """A field with a number for every axis; None where it has another number of them."""
        if name not in _FLAT:
            return value
        each = value * abilities.rank if len(value) == 1 else value
        if abilities.flat:
            return (_FLAT[name], each[-1])
        return each if len(each) == abilities.rank else None

    def unheard(self, c: Convention) -> list[str]:
        """What was wished and is not so in the code, in the words of the options."""
        abilities = c.abilities
        plain = self.fix(base_sizes(abilities), abilities)
        layouts = (("weights", self.weights, c.weights), ("bias", self.bias, c.bias))
        others = [
            f"--{name}-layout {wished} does not fit the code: it was read as {found}"
            for name, wished, found in layouts
            if wished and wished != found
        ]
        return others + [
            f"--{_OPTIONS.get(name, name)} is not understood by the code: other layers were probed"
            for name, value in self.layer.items()
            if getattr(plain, name) != self._on_axes(name, value, abilities)
        ]


_FLAT = {"stride": 1, "pads": (0, 0), "dilation": 1, "kernel": 1, "size": 1}
_OPTIONS = {"pads": "padding", "size": "input-size"}
