"""A program ready to run: kernels loaded, records filled, only the arrays are missing."""

from __future__ import annotations

from ctypes import addressof, c_int64
from typing import TYPE_CHECKING, Any

import numpy as np

from convgrad.kernels.algorithms import ALGORITHMS
from convgrad.kernels.arena import ALIGN, WORKSPACE
from convgrad.kernels.compile import load
from convgrad.kernels.record import ARGUMENTS, FLAG
from convgrad.kernels.threads import current_pool

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from convgrad.kernels.plan import Kernel, Program
    from convgrad.kernels.target import Target

SERIAL_CYCLES = 60_000.0
"""Below this a second thread costs more than it brings: about 20 us."""


def kernel_addresses(kernel: Kernel, target: Target) -> dict[str, int]:
    """The compiled functions of a kernel."""
    algorithm = ALGORITHMS[kernel.algorithm]
    tile = kernel.tile
    key = (target.name, kernel.algorithm, repr(tile))
    return load(key, lambda: algorithm.text(tile), algorithm.functions)


_Words = c_int64 * (ARGUMENTS + 1)


def address(array: NDArray[Any]) -> int:
    """Where an array begins; `array.ctypes.data` takes three times as long."""
    return array.__array_interface__["data"][0]


class Bound:
    """A program with its compiled steps."""

    def __init__(self, program: Program, target: Target, shape: tuple[int, ...] = ()) -> None:
        self.program = program
        self.shape = shape
        self._pause = target.pause
        self._kept: list[object] = []
        words: list[int] = []
        for plan in program.plans:
            addresses = kernel_addresses(plan.kernel, target)
            record, tables = plan.fields.fill(plan.record)
            self._kept.append((record, tables))
            for step in plan.steps:
                words += [addresses[step.function], record.ctypes.data, step.tasks]
        self._steps = np.array(words, np.int64)
        self._begin = self._steps.ctypes.data
        self._count = len(words) // 3
        self._serial = program.cycles < SERIAL_CYCLES
        self._shared = -(-max((plan.shared for plan in program.plans), default=0) // 64) * 64
        self._scratch = -(-max((plan.scratch for plan in program.plans), default=0) // 64) * 64

    def workspace(self, threads: int) -> int:
        """Bytes of workspace with so many threads."""
        return self._shared + self._scratch * (1 if self._serial else threads)

    def run(
        self,
        output: NDArray[np.floating],
        window: NDArray[np.floating],
        factor: NDArray[np.floating],
        bias: NDArray[np.floating] | None = None,
    ) -> bool:
        """Run on contiguous arrays.

        Returns: False where the factor is not finite beside absent terms, which these kernels do
            not compute; the output is to be computed otherwise then.
        """
        if self.program.clear:
            output[...] = 0
        if not self._count:
            return True
        pool = current_pool(self._pause)
        block = WORKSPACE.take(self.workspace(pool.threads))
        try:
            work = address(block)
            work += -work % ALIGN
            words = _Words(
                address(output),
                address(window),
                address(factor),
                0 if bias is None else address(bias),
                work,
                work + self._shared,
                self._scratch,
                0,
                pool.threads,
            )
            begin = addressof(words)
            words[FLAG] = begin + 8 * ARGUMENTS
            pool.run(self._begin, self._count, begin, serial=self._serial)
            return not words[ARGUMENTS]
        finally:
            WORKSPACE.give(block)
