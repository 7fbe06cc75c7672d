"""A pass by compiled kernels where they can, by the readable reference where they cannot."""

from __future__ import annotations

import os
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from convgrad import calls, reference
from convgrad.arrays import Array
from convgrad.results import check_apart, check_out, fresh, overlaps, stored

if TYPE_CHECKING:
    from types import ModuleType

    import numpy as np

    from convgrad.convolution import Convolution

Name = Literal["forward", "input_gradient", "weight_gradient"]

Outs = tuple[Array | None, Array | None, Array | None]
OUTS = ("out[0]", "out[1]", "out[2]")
_RESULTS = {"forward": "z", "input_gradient": "dx", "weight_gradient": "dw"}


class Pass:
    """A pass of one layer on arrays of one batch and type.

    Attributes:
        shape: of the result.
        dtype: of the arrays and of the result.
    """

    def __init__(self, name: Name, layer: Convolution, batch: int, dtype: np.dtype[Any]) -> None:
        self.name: Name = name
        self.layer = layer
        self.dtype = dtype
        self.shape = {
            "forward": (batch, layer.filters, *layer.output_size),
            "input_gradient": (batch, layer.in_channels, *layer.input_size),
            "weight_gradient": layer.weight_shape,
        }[name]
        # What is too large for memory is said before it is planned.
        fresh(_RESULTS[name], self.shape, dtype)
        kernels = compiled(dtype)
        self._ready = kernels.prepare(name, layer, batch, dtype) if kernels else None

    def __call__(
        self,
        first: Array,
        second: Array,
        bias: Array | None = None,
        out: Array | None = None,
        called: str = "out",
    ) -> Array:
        """The result of the pass on arrays that were checked; `called` is the name of `out`."""
        if out is not None:
            check_out(called, out, self.shape, self.dtype)
        if self._ready is not None:
            result = self._ready(first, second, bias, out)
            if result is not None:
                return result
        if self.name == "forward":
            result = reference.forward(self.layer, first, second, bias)
        elif self.name == "input_gradient":
            result = reference.input_gradient(self.layer, first, second)
        else:
            result = reference.weight_gradient(self.layer, first, second)
        return stored(result, out)


class BiasPass:
    """The gradient by the bias, for one shape and type of the output's gradient.

    Attributes:
        shape: of the result.
        dtype: of the array and of the result.
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], *, untied: bool) -> None:
        self.shape = shape[1:] if untied else shape[1:2]
        self.dtype = dtype
        self._untied = untied
        fresh("db", self.shape, dtype)
        kernels = compiled(dtype)
        self._ready = kernels.prepare_sums(shape, dtype, untied=untied) if kernels else None

    def __call__(self, dz: Array, out: Array | None = None, called: str = "out") -> Array:
        """db, of an array that was checked; `called` is the name of `out`."""
        if out is not None:
            check_out(called, out, self.shape, self.dtype)
        if self._ready is not None:
            return self._ready(dz, out)
        return stored(reference.bias_gradient(dz, untied=self._untied), out)


class Backward:
    """All three gradients of one layer, for arrays of one batch and type."""

    def __init__(
        self, layer: Convolution, shape: tuple[int, ...], dtype: np.dtype[Any], *, untied: bool
    ) -> None:
        self._dx = Pass("input_gradient", layer, shape[0], dtype)
        self._dw = Pass("weight_gradient", layer, shape[0], dtype)
        self._db = BiasPass(shape, dtype, untied=untied)

    def __call__(
        self, dz: Array, x: Array, w: Array, out: Outs | None = None
    ) -> tuple[Array, Array, Array]:
        """(dx, dw, db), of arrays that were checked."""
        if out is None:
            return self._dx(dz, w), self._dw(dz, x), self._db(dz)
        passes = (self._dx, self._dw, self._db)
        for name, wanted, one in zip(OUTS, out, passes, strict=True):
            if wanted is not None:
                check_out(name, wanted, one.shape, one.dtype)
        check_apart(dict(zip(OUTS, out, strict=True)))
        # What lies over an array that a later gradient reads is written when all are known.
        into = [None if one is None or overlaps(one, dz, x, w) else one for one in out]
        found = (
            self._dx(dz, w, None, into[0]),
            self._dw(dz, x, None, into[1]),
            self._db(dz, into[2]),
        )
        dx, dw, db = (
            one if one is wanted else stored(one, wanted)
            for one, wanted in zip(found, out, strict=True)
        )
        return dx, dw, db


def compiled(dtype: np.dtype[Any]) -> ModuleType | None:
    """The kernels, for the numbers that they know; None leaves the pass to the reference.

    `CONVGRAD_KERNELS=off` in the environment switches them off. It is read when a call is first
    seen.
    """
    if dtype.kind != "f" or os.environ.get("CONVGRAD_KERNELS") == "off":
        return None
    return _kernels()


@cache
def _kernels() -> ModuleType | None:
    from convgrad import kernels
    from convgrad.kernels import llvm

    if llvm.is_available():
        kernels.when_forgetting(calls.forget)
        return kernels
    warnings.warn(
        "llvmlite is not installed: passes run in NumPy, which is right but slower. "
        "pip install llvmlite",
        RuntimeWarning,
        stacklevel=2,
    )
    return None
