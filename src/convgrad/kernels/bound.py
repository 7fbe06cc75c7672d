"""A program ready to run: kernels loaded, records filled, only the arrays are missing."""

from __future__ import annotations

from ctypes import addressof, c_int64
from struct import Struct
from typing import TYPE_CHECKING

import numpy as np

from convgrad.kernels.address import address
from convgrad.kernels.algorithms import ALGORITHMS
from convgrad.kernels.arena import WORKSPACE
from convgrad.kernels.compile import load
from convgrad.kernels.record import ARGUMENTS
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
_pack = Struct(f"{ARGUMENTS}q").pack_into


class _Frame:
    """The arguments of a call, and behind them the word that a flag is raised in."""

    __slots__ = ("begin", "flag", "words")

    def __init__(self) -> None:
        self.words = _Words()
        self.begin = addressof(self.words)
        self.flag = self.begin + 8 * ARGUMENTS


class Bound:
    """A program with its compiled steps."""

    def __init__(self, program: Program, target: Target) -> None:
        self.program = program
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
        self._shared, self._scratch = program.shared, program.scratch
        self._frames: list[_Frame] = []
        self._sized = (1, *self._workspace(1))

    def _workspace(self, threads: int) -> tuple[int, bool]:
        """Bytes of workspace, and whether one thread has to do: for speed, or to stay in bounds."""
        team = self.program.workspace(threads)
        if self._serial or team > self.program.bound:
            return self.program.workspace(1), True
        return team, False

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
        sized = self._sized  # another thread may change it meanwhile
        if sized[0] != pool.threads:
            sized = self._sized = (pool.threads, *self._workspace(pool.threads))
        _, size, serial = sized
        # A block or a frame that an interrupt keeps from being returned is only freed.
        block = WORKSPACE.take(size)
        try:
            frame = self._frames.pop()
        except IndexError:
            frame = _Frame()
        work = block.begin
        words = frame.words
        _pack(
            words,
            0,
            address(output),
            address(window),
            address(factor),
            0 if bias is None else address(bias),
            work,
            work + self._shared,
            self._scratch,
            frame.flag,
            pool.threads,
        )
        words[ARGUMENTS] = 0
        pool.run(self._begin, self._count, frame.begin, serial=serial)
        finite = not words[ARGUMENTS]
        WORKSPACE.give(block)
        self._frames.append(frame)
        return finite
