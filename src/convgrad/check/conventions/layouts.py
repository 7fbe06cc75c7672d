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


FLAT_WEIGHTS = ("KCW", "WCK", "KWC", "KW", "W", "CKW")
FLAT_BIAS = ("K", "K1", "1K", "1K1", "11K", "1", "0", "")


def weight_layouts(abilities: Abilities) -> tuple[str, ...]:
    """The layouts that weights can have in a layer of this kind."""
    if abilities.depthwise:
        return FLAT_DEPTHWISE if abilities.flat else DEPTHWISE_LAYOUTS
    return FLAT_WEIGHTS if abilities.flat else WEIGHT_LAYOUTS


def layouts_to_try(wishes: Wishes, kind: Abilities) -> tuple[tuple[str, ...], ...]:
    """The layouts of data, weights and bias that are left to try."""
    data = FLAT_DATA if kind.flat else DATA_LAYOUTS
    weights = weight_layouts(kind)
    bias = FLAT_BIAS if kind.flat else BIAS_LAYOUTS
    return (
        (wishes.data,) if wishes.data else data,
        (wishes.weights,) if wishes.weights else weights,
        (wishes.bias,) if wishes.bias is not None else bias,
    )


def belong_together(data: str, weights: str, *, depthwise: bool = False) -> bool:
    """Layouts that can occur together: channels in both or in neither."""
    if depthwise:
        return "C" in data
    return ("C" in data) == ("C" in weights)


def output_layouts(data: str, *, flat: bool) -> tuple[str, ...]:
    """The layouts that the output can have for a layout of the input."""
    if "C" in data:
        return (data,)
    if "N" in data:
        return (data, "NCHW", "NHWC")
    return (data, "CW", "WC") if flat else (data, "CHW", "HWC")
