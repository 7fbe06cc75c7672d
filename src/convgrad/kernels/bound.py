"""A program ready to run: kernels loaded, records filled, only the arrays are missing."""

from __future__ import annotations

from ctypes import addressof, c_int64
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING

import numpy as np

from convgrad.kernels import builtin
from convgrad.kernels.address import address, plain
from convgrad.kernels.algorithms import ALGORITHMS, JOINT, LEAN
from convgrad.kernels.arena import WORKSPACE
from convgrad.kernels.compile import load
from convgrad.kernels.record import ARGUMENTS
from convgrad.kernels.summed import FUNCTIONS, SUMMED, summed_text
from convgrad.kernels.threads import current_pool, runner, several

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from convgrad.kernels.plan import Kernel, Program
    from convgrad.kernels.summed import Sums
    from convgrad.kernels.target import Target
    from convgrad.kernels.tile import Tile

    Array = NDArray[np.floating]
    Table = NDArray[np.int64]
    Run = Callable[[Array, Array, Array | None, Array | None], bool]

SERIAL_CYCLES = 60_000.0
"""Below this a second thread costs more than it brings: about 20 us."""


def kernel_addresses(kernel: Kernel, target: Target) -> dict[str, int]:
    """The compiled functions of a kernel."""
    algorithm = ALGORITHMS.get(kernel.algorithm) or JOINT[kernel.algorithm]
    tile = kernel.tile
    key = (target.name, kernel.algorithm, repr(tile))
    lean = kernel.algorithm in LEAN
    return load(key, lambda: algorithm.text(tile), algorithm.functions, lean=lean)


_Words = c_int64 * (ARGUMENTS + 1)
_pack = Struct(f"{ARGUMENTS}q").pack_into


@dataclass(frozen=True)
class Workspace:
    """Bytes that all threads share, bytes of each thread, and how many may be taken."""

    shared: int
    scratch: int
    bound: int

    def bytes(self, threads: int) -> int:
        """Bytes with so many threads."""
        return self.shared + self.scratch * threads


class _Frame:
    """The arguments of a call, and behind them the word that a flag is raised in."""

    __slots__ = ("begin", "flag", "words")

    def __init__(self) -> None:
        self.words = _Words()
        self.begin = addressof(self.words)
        self.flag = self.begin + 8 * ARGUMENTS


class Launch:
    """Compiled steps with their records and workspace: only the arrays are missing."""

    def __init__(
        self,
        steps: Sequence[tuple[int, Table, int]],
        kept: object,
        pause: str,
        needs: Workspace,
        *,
        serial: bool,
    ) -> None:
        self._kept = (steps, kept)  # records and tables are read by their addresses
        words = [(function, record.ctypes.data, tasks) for function, record, tasks in steps]
        self._steps = np.array(words, np.int64)
        self._begin, self._count = self._steps.ctypes.data, len(steps)
        self._pause, self._needs, self._serial = pause, needs, serial
        self._frames: list[_Frame] = []
        self._sized = (1, *self._workspace(1))
        self.run = self._quickest()

    def _quickest(self) -> Run:
        """What runs all steps on arrays.

        It takes the output, the window, the factor and the bias, or None where there is no such
        array, and returns whether no flag was raised.
        """
        needs = self._needs
        if not self._serial or needs.bytes(1) > builtin.MOST or not builtin.is_possible():
            return self._run
        call = builtin.call(runner(self._pause), self._steps, needs.shared, needs.scratch)

        def run(output: Array, window: Array, factor: Array | None, bias: Array | None) -> bool:
            clean = call(output, window, factor, bias)
            return self._run(output, window, factor, bias) if clean is None else clean

        return run

    def _workspace(self, threads: int) -> tuple[int, bool]:
        """Bytes of workspace, and whether one thread has to do: for speed, or to stay in bounds."""
        team = self._needs.bytes(threads)
        if self._serial or team > self._needs.bound:
            return self._needs.bytes(1), True
        return team, False

    def _run(self, output: Array, window: Array, factor: Array | None, bias: Array | None) -> bool:
        # The copies, where one is needed, live as long as this call.
        given = [None if array is None else plain(array) for array in (window, factor, bias)]
        pool = current_pool(self._pause)
        sized = self._sized  # another thread may change it meanwhile
        if sized[0] != pool.threads:
            sized = self._sized = (pool.threads, *self._workspace(pool.threads))
        _, size, serial = sized
        # A block or a frame that an interrupt keeps from being returned is only freed.
        block = WORKSPACE.take(size) if size else None
        try:
            frame = self._frames.pop()
        except IndexError:
            frame = _Frame()
        work = block.begin if block else 0
        scratch = work + self._needs.shared
        words = frame.words
        _pack(
            words, 0, address(output), *(0 if array is None else address(array) for array in given),
            work, scratch, self._needs.scratch, frame.flag, pool.threads,
        )  # fmt: skip
        words[ARGUMENTS] = 0
        pool.run(self._begin, self._count, frame.begin, serial=serial)
        clean = not words[ARGUMENTS]
        if block:
            WORKSPACE.give(block)
        self._frames.append(frame)
        return clean


class Bound:
    """A program with its compiled steps."""

    def __init__(self, program: Program, target: Target) -> None:
        self.program = program
        steps: list[tuple[int, Table, int]] = []
        kept: list[object] = []
        for plans in program.rounds:
            addresses = kernel_addresses(plans[0].kernel, target)
            filled = [plan.fields.fill(plan.record) for plan in plans]
            kept.append(filled)
            steps += [
                (addresses[step.function], filled[0][0], step.tasks) for step in plans[0].steps
            ]
            if len(plans) > 1:
                function, _, tasks = steps.pop()
                words = [len(plans), function, *(record.ctypes.data for record, _ in filled)]
                steps.append((several(target.pause), np.array(words, np.int64), tasks))
        self._exchanged = any(plan.exchanged for plan in program.plans)
        serial = program.cycles < SERIAL_CYCLES
        needs = Workspace(program.shared, program.scratch, program.bound)
        self._launch = Launch(steps, kept, target.pause, needs, serial=serial) if steps else None

    def run(
        self,
        output: Array,
        window: Array,
        factor: Array,
        bias: Array | None = None,
    ) -> bool:
        """Run on arrays; the output lies in C order.

        Returns: False where the factor is not finite beside absent terms, which these kernels do
            not compute; the output is to be computed otherwise then.
        """
        if self.program.clear:
            output[...] = 0
        if self._exchanged:
            window, factor = factor, window
        return self._launch is None or self._launch.run(output, window, factor, bias)


class BoundSums:
    """A bias gradient with its compiled steps."""

    def __init__(self, sums: Sums, tile: Tile, target: Target) -> None:
        key = (target.name, "summed", repr(tile))
        addresses = load(key, lambda: summed_text(tile), FUNCTIONS)
        steps = [
            (addresses[step.function], SUMMED.fill(step.record)[0], step.tasks)
            for step in sums.steps
        ]
        needs = Workspace(sums.shared, 0, sums.shared)
        serial = sums.cycles < SERIAL_CYCLES
        self._launch = Launch(steps, None, target.pause, needs, serial=serial)

    def run(self, output: Array, dz: Array) -> None:
        """Run on arrays; the output lies in C order."""
        self._launch.run(output, dz, None, None)
