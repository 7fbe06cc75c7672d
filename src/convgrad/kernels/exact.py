"""A pass whose factor is not finite: region by region, so that no padding zero is multiplied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from convgrad.kernels.algorithms import choose
from convgrad.kernels.bound import Bound
from convgrad.kernels.layers import contractions
from convgrad.kernels.memory import check_workspace, workspace_bound
from convgrad.kernels.plan import WORKERS, Program
from convgrad.kernels.regions import regions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from convgrad.convolution import Convolution
    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.layers import Pass
    from convgrad.kernels.regions import Region
    from convgrad.kernels.target import Target

MOST = 256
"""Regions of a sum: beyond so many, calls and compiling take longer than NumPy."""


class Exact:
    """A pass in regions, each with a program of its own."""

    def __init__(
        self, parts: list[tuple[Region, Bound]], whole: Contraction, dtype: np.dtype[Any]
    ) -> None:
        self._parts, self._whole, self._dtype = parts, whole, dtype

    def run(self, output: NDArray[Any], window: NDArray[Any], factor: NDArray[Any]) -> bool:
        """Run on contiguous arrays; returns whether the result is right."""
        output[...] = 0  # what has no term
        output, factor = (
            array.reshape(operand.shape)
            for array, operand in ((output, self._whole.output), (factor, self._whole.factor))
        )
        for region, bound in self._parts:
            part = np.empty(region.sum.output.shape, self._dtype)
            if not bound.run(part, window, np.ascontiguousarray(factor[region.factors])):
                return False
            output[region.place] = part
        return True


def exact(name: Pass, layer: Convolution, batch: int, number: str, target: Target) -> Exact | None:
    """A pass in regions, or None where there are too many of them."""
    parts: list[tuple[Region, Bound]] = []
    sums = contractions(layer, batch, name)
    if not sums:
        return None
    for item in sums:
        found = regions(item, MOST)
        if found is None:
            return None
        for region in found:
            bound = workspace_bound(item, number)
            # Regions have many sizes, and code for each would take longer than it saves.
            plan = choose(region.sum, number, target, bound=bound, sized=False)
            if plan is None:
                return None
            check_workspace(plan.workspace(WORKERS), str(layer))
            program = Program((plan,), clear=False, bound=bound)
            parts.append((region, Bound(program, target)))
    return Exact(parts, sums[0], np.dtype(number))
