"""The layouts that occur in the wild, the usual ones first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convgrad.check.conventions.wishes import Wishes


DATA_LAYOUTS = ("NCHW", "NHWC", "CHW", "HWC", "HW", "NHW", "HWCN", "CHWN", "HWNC", "CNHW")
WEIGHT_LAYOUTS = (
    "KCHW", "HWCK", "KHWC", "KHW", "HW", "CKHW", "K(CHW)", "(CHW)K", "(HWC)K", "K(HWC)", "HWKC",
    "CHWK", "HWK", "KCWH", "HWC", "CHW", "K(CHW)1",
)  # fmt: skip
BIAS_LAYOUTS = (
    "K", "K1", "1K", "K11", "1K11", "111K", "11K", "KHW", "HWK", "1KHW", "1HWK", "1K1", "K111", "1",
    "11", "",
)  # fmt: skip
FLAT_DATA = ("NCW", "NWC", "CW", "W", "WC")


FLAT_WEIGHTS = ("KCW", "WCK", "KWC", "KW", "W", "CKW")
FLAT_BIAS = ("K", "K1", "1K", "1K1", "11K", "1", "")


def layouts_to_try(wishes: Wishes, *, flat: bool) -> tuple[tuple[str, ...], ...]:
    """The layouts of data, weights and bias that are left to try."""
    data = FLAT_DATA if flat else DATA_LAYOUTS
    weights = FLAT_WEIGHTS if flat else WEIGHT_LAYOUTS
    bias = FLAT_BIAS if flat else BIAS_LAYOUTS
    return (
        (wishes.data,) if wishes.data else data,
        (wishes.weights,) if wishes.weights else weights,
        (wishes.bias,) if wishes.bias is not None else bias,
    )


def belong_together(data: str, weights: str) -> bool:
    """Layouts that can occur together: channels in both or in neither."""
    return ("C" in data) == ("C" in weights)


def output_layouts(data: str, *, flat: bool) -> tuple[str, ...]:
    """The layouts that the output can have for a layout of the input."""
    if "C" in data:
        return (data,)
    if "N" in data:
        return (data, "NCHW", "NHWC")
    return (data, "CW", "WC") if flat else (data, "CHW", "HWC")
