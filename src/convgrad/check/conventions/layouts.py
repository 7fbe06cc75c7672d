"""The layouts that occur in the wild, the usual ones first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convgrad.check.conventions.wishes import Wishes
    from convgrad.check.probe import Abilities


DEPTHWISE_LAYOUTS = ("KCHW", "KHW", "HWK", "HWKC", "HWCK", "CKHW")
FLAT_DEPTHWISE = ("KCW", "KW", "WK", "WKC", "WCK")
DATA_LAYOUTS = ("NCHW", "NHWC", "CHW", "HWC", "HW", "NHW", "HWCN", "CHWN", "HWNC", "CNHW")
WEIGHT_LAYOUTS = (
    "KCHW", "HWCK", "KHWC", "KHW", "HW", "CKHW", "K(CHW)", "(CHW)K", "(HWC)K", "K(HWC)", "HWKC",
    "CHWK", "HWK", "KCWH", "HWC", "CHW", "K(CHW)1",
)  # fmt: skip
BIAS_LAYOUTS = (
    "K", "K1", "1K", "K11", "1K11", "111K", "11K", "KHW", "HWK", "1KHW", "1HWK", "1K1", "K111", "1",
    "11", "0", "",
)  # fmt: skip
FLAT_DATA = ("NCW", "NWC", "CW", "W", "WC")


def _in_space(layouts: tuple[str, ...]) -> tuple[str, ...]:
    """The same habits with a third axis: the depth stands before the height."""
    return tuple(layout.replace("HW", "DHW") for layout in layouts if "HW" in layout)


SPACE_DATA = _in_space(DATA_LAYOUTS)
SPACE_DEPTHWISE = _in_space(DEPTHWISE_LAYOUTS)
SPACE_BIAS = (
    "K", "K1", "1K", "K111", "1K111", "1111K", "111K", "KDHW", "DHWK", "1KDHW", "1DHWK", "K1111",
    "1", "0", "",
)  # fmt: skip
FLAT_WEIGHTS = ("KCW", "WCK", "KWC", "KW", "W", "CKW")
SPACE_WEIGHTS = _in_space(WEIGHT_LAYOUTS)
FLAT_BIAS = ("K", "K1", "1K", "1K1", "11K", "1", "0", "")


def weight_layouts(abilities: Abilities) -> tuple[str, ...]:
    """The layouts that weights can have in a layer of this kind."""
    if abilities.depthwise:
        return (FLAT_DEPTHWISE, DEPTHWISE_LAYOUTS, SPACE_DEPTHWISE)[abilities.axes - 1]
    return (FLAT_WEIGHTS, WEIGHT_LAYOUTS, SPACE_WEIGHTS)[abilities.axes - 1]


def bias_layouts(abilities: Abilities) -> tuple[str, ...]:
    """The layouts that the bias can have in a layer of this kind."""
    return (FLAT_BIAS, BIAS_LAYOUTS, SPACE_BIAS)[abilities.axes - 1]


def is_untied(bias: str) -> bool:
    """Whether a layout of the bias has an entry for every position."""
    return bool(set(bias) & set("DHW"))


def layouts_to_try(wishes: Wishes, kind: Abilities) -> tuple[tuple[str, ...], ...]:
    """The layouts of data, weights and bias that are left to try."""
    data = (FLAT_DATA, DATA_LAYOUTS, SPACE_DATA)[kind.axes - 1]
    weights = weight_layouts(kind)
    bias = bias_layouts(kind)
    return (
        (wishes.data,) if wishes.data else data,
        (wishes.weights,) if wishes.weights else weights,
        (wishes.bias,) if wishes.bias is not None else bias,
    )


def likely_first(biases: tuple[str, ...], weights: str) -> tuple[str, ...]:
    """The layouts of the bias with a plain number first where a kernel alone is given.

    An array of one entry would make an array of every number in nested lists.
    """
    alone = "K" not in weights and "C" not in weights and "0" in biases
    return ("0", *(b for b in biases if b != "0")) if alone else biases


def belong_together(data: str, weights: str, *, depthwise: bool = False) -> bool:
    """Layouts that can occur together: channels in both or in neither."""
    if depthwise:
        return "C" in data
    return ("C" in data) == ("C" in weights)


def output_layouts(data: str, axes: int) -> tuple[str, ...]:
    """The layouts that the output can have for a layout of the input."""
    if "C" in data:
        return (data,)
    space = "DHW"[-axes:]
    if "N" in data:
        return (data, f"NC{space}", f"N{space}C")
    return (data, f"C{space}", f"{space}C")
