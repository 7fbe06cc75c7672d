"""A pass by compiled kernels where they can, by the readable reference where they cannot."""

from __future__ import annotations

import os
import warnings
from functools import cache
from typing import TYPE_CHECKING

from convgrad import reference

if TYPE_CHECKING:
    from types import ModuleType

    from convgrad.arrays import Array
    from convgrad.convolution import Convolution


def forward(layer: Convolution, x: Array, w: Array, b: Array | None = None) -> Array:
    """z; see `convgrad.conv` and `convgrad.conv_transpose`."""
    if kernels := compiled(x):
        z = kernels.run("forward", layer, x, w, b)
        if z is not None:
            return z
    return reference.forward(layer, x, w, b)


def input_gradient(layer: Convolution, dz: Array, w: Array) -> Array:
    """dx; see `convgrad.conv_input_grad`."""
    if kernels := compiled(dz):
        dx = kernels.run("input_gradient", layer, dz, w)
        if dx is not None:
            return dx
    return reference.input_gradient(layer, dz, w)


def weight_gradient(layer: Convolution, dz: Array, x: Array) -> Array:
    """dw; see `convgrad.conv_weight_grad`."""
    if kernels := compiled(x):
        dw = kernels.run("weight_gradient", layer, dz, x)
        if dw is not None:
            return dw
    return reference.weight_gradient(layer, dz, x)


def compiled(array: Array) -> ModuleType | None:
    """The kernels, for the numbers that they know; None leaves the pass to the reference.

    `CONVGRAD_KERNELS=off` in the environment switches them off.
    """
    if array.dtype.kind != "f" or os.environ.get("CONVGRAD_KERNELS") == "off":
        return None
    return _kernels()


@cache
def _kernels() -> ModuleType | None:
    from convgrad import kernels
    from convgrad.kernels import llvm

    if llvm.is_available():
        return kernels
    warnings.warn(
        "llvmlite is not installed: passes run in NumPy, which is right but slower. "
        "pip install llvmlite",
        RuntimeWarning,
        stacklevel=2,
    )
    return None
