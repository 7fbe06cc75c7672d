"""A program ready to run: kernels loaded, records filled, only the arrays are missing."""

from __future__ import annotations

from ctypes import addressof, c_int64
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING

import numpy as np

from convgrad.kernels.address import address
from convgrad.kernels.algorithms import ALGORITHMS, JOINT, LEAN
from convgrad.kernels.arena import WORKSPACE
from convgrad.kernels.compile import load
from convgrad.kernels.record import ARGUMENTS
from convgrad.kernels.summed import FUNCTIONS, SUMMED, summed_text
from convgrad.kernels.threads import current_pool, several

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from convgrad.kernels.plan import Kernel, Program
    from convgrad.kernels.summed import Sums
    from convgrad.kernels.target import Target
    from convgrad.kernels.tile import Tile

    Table = NDArray[np.int64]

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

    def _workspace(self, threads: int) -> tuple[int, bool]:
        """Bytes of workspace, and whether one thread has to do: for speed, or to stay in bounds."""
        team = self._needs.bytes(threads)
        if self._serial or team > self._needs.bound:
            return self._needs.bytes(1), True
        return team, False

    def run(self, output: int, window: int, factor: int, bias: int) -> bool:
        """Run all steps on arrays at these addresses; returns whether no flag was raised."""
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
            words, 0, output, window, factor, bias,
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
        if self._exchanged:
            window, factor = factor, window
        return self._launch is None or self._launch.run(
            address(output),
            address(window),
            address(factor),
            0 if bias is None else address(bias),
        )


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

    def run(self, output: NDArray[np.floating], dz: NDArray[np.floating]) -> None:
        """Run on contiguous arrays."""
        self._launch.run(address(output), address(dz), 0, 0)
