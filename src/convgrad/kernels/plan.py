"""Plans: how a sum becomes a loop nest. A plan is a value that prints itself.

The grammar, on one screen:

    Program  a pass of a layer: its plans in order, and whether the output is cleared first
    Plan     one sum with an algorithm, a tile, its loops, its steps and its workspace
    Loop     an index or a block of it: name, extent, how it is walked
    Step     a parallel loop in compiled code: a kernel, its record, its tasks
    Kernel   what code is compiled for: an algorithm and a tile
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.record import Fields
    from convgrad.kernels.target import Target
    from convgrad.kernels.tile import Tile

WORKERS = os.cpu_count() or 1
"""Tasks are cut for the machine's processors, whatever number of threads is set."""


@dataclass(frozen=True)
class Kernel:
    """Compiled code is shared by all sums with the same kernel."""

    algorithm: str
    tile: Tile


@dataclass(frozen=True)
class Loop:
    """A loop of the nest, outermost first."""

    name: str
    extent: int
    block: int = 1
    how: str = ""

    def __str__(self) -> str:
        step = f" step {self.block}" if self.block > 1 else ""
        note = f"   # {self.how}" if self.how else ""
        return f"for {self.name} < {self.extent}{step}:{note}"


@dataclass(frozen=True)
class Step:
    """A parallel loop over tasks."""

    function: str
    tasks: int


@dataclass(frozen=True)
class Plan:
    """One sum, planned.

    Attributes:
        sum: what is computed.
        kernel: the code that computes it.
        loops: the nest, for people.
        steps: the parallel loops, run in order.
        fields: the names of the record.
        record: the record's values.
        shared: bytes of workspace that all threads share.
        scratch: bytes of workspace of each thread.
        cycles: predicted cycles of one core.
        others: sums that are computed along with it: the other phases of a gradient.
        packing: what all steps but the last depend on, apart from the arrays; empty where plans
            cannot share what these steps write.
        exchanged: the sum's window is what the layer's equation has as its factor.
    """

    sum: Contraction
    kernel: Kernel
    loops: tuple[Loop, ...]
    steps: tuple[Step, ...]
    fields: Fields = field(repr=False)
    record: Mapping[str, int | NDArray[np.int64]] = field(repr=False, hash=False, compare=False)
    shared: int
    scratch: int
    cycles: float
    others: tuple[Contraction, ...] = ()
    packing: tuple[int, ...] = ()
    exchanged: bool = False

    def workspace(self, threads: int) -> int:
        """Bytes of workspace with so many threads."""
        return aligned(self.shared) + aligned(self.scratch) * threads

    def __str__(self) -> str:
        lines = [
            *map(str, (self.sum, *self.others)),
            f"{self.kernel.algorithm}, {self.kernel.tile}",
        ]
        lines += ["  " * depth + str(loop) for depth, loop in enumerate(self.loops, 1)]
        steps = ", ".join(f"{step.function} x {step.tasks}" for step in self.steps)
        lines.append(f"  parallel loops: {steps}")
        lines.append(
            f"  workspace: {self.shared / 1024:.0f} KiB shared, "
            f"{self.scratch / 1024:.0f} KiB per thread"
        )
        lines.append(f"  predicted: {self.cycles / 1e6:.3f} Mcycles of one core")
        return "\n".join(lines)


@dataclass(frozen=True)
class Program:
    """A pass: its plans, run in order.

    Attributes:
        plans: one per sum.
        clear: whether elements of the output belong to no sum and must be zero.
        bound: bytes of workspace that it may take.
    """

    plans: tuple[Plan, ...]
    clear: bool
    bound: int = sys.maxsize

    def __str__(self) -> str:
        head = ["output = 0"] if self.clear else []
        bound = "" if self.bound == sys.maxsize else f" of {self.bound / 1024:.0f} KiB allowed"
        peak = self.workspace(WORKERS) / 1024
        if len(self.rounds) < len(self.plans):
            head.append(f"piece by piece, {len(self.plans)} sums of each:")
        tail = f"peak workspace: {peak:.0f} KiB{bound}, {WORKERS} threads"
        return "\n\n".join([*head, *map(str, self.plans), tail])

    @property
    def rounds(self) -> tuple[tuple[Plan, ...], ...]:
        """Plans that are run together, a task of each after the other; mostly every one alone.

        Phases that share a kernel, what it packs and their cut go through the output piece by
        piece. Their numbers lie side by side: what the one writes the next finds in the cache.
        """
        first = self.plans[0] if self.plans else None
        alike = first is not None and all(
            bool(plan.packing)
            and (plan.kernel, plan.packing, plan.steps)
            == (first.kernel, first.packing, first.steps)
            for plan in self.plans
        )
        return (self.plans,) if alike else tuple((plan,) for plan in self.plans)

    @property
    def shared(self) -> int:
        """Bytes of workspace that all threads share: the rounds run one after the other."""
        return aligned(max((plan.shared for plan in self.plans), default=0))

    @property
    def scratch(self) -> int:
        """Bytes of workspace of each thread."""
        return aligned(max((plan.scratch for plan in self.plans), default=0))

    def workspace(self, threads: int) -> int:
        """Bytes of workspace with so many threads."""
        return self.shared + self.scratch * threads

    @property
    def cycles(self) -> float:
        """Predicted cycles of one core."""
        return sum(plan.cycles for plan in self.plans)


def _unknown(contraction: Contraction, tile: Tile, target: Target) -> float:
    del contraction, tile, target
    return 0.0


@dataclass(frozen=True)
class Algorithm:
    """A way to compute a sum; the table of `algorithms` holds all of them.

    Attributes:
        name: how it is called in plans and benchmarks.
        summary: one sentence.
        functions: the compiled functions.
        text: the program for a tile, in LLVM's language.
        tiles: the tiles worth considering for a sum.
        plan: a plan for a sum with a tile, or None where the sum is not of its kind.
        least: cycles that this plan takes at least, as far as they are known before it is made.
        cost: its cycles, where they are known before its tables are made; also a better bound.
    """

    name: str
    summary: str
    functions: tuple[str, ...]
    text: Callable[[Tile], str]
    tiles: Callable[[Contraction, str, Target], tuple[Tile, ...]]
    plan: Callable[[Contraction, Tile, Target], Plan | None]
    least: Callable[[Contraction, Tile, Target], float] = _unknown
    cost: Callable[[Contraction, Tile, Target], float] = _unknown


@dataclass(frozen=True)
class JointAlgorithm:
    """A way to compute all sums of a pass in one plan: the phases of a strided gradient.

    The attributes are those of `Algorithm`, for several sums. The plan also writes the elements
    that belong to no sum.
    """

    name: str
    summary: str
    functions: tuple[str, ...]
    text: Callable[[Tile], str]
    tiles: Callable[[tuple[Contraction, ...], str, Target], tuple[Tile, ...]]
    plan: Callable[[tuple[Contraction, ...], Tile, Target], Plan | None]


def aligned(size: int) -> int:
    """Bytes in whole cache lines."""
    return -(-size // 64) * 64


def blocks(extent: int, largest: int) -> int:
    """The block size that cuts an extent evenly into as few blocks as `largest` allows."""
    count = -(-extent // max(largest, 1))
    return -(-extent // max(count, 1))


def positions_of(contraction: Contraction, names: frozenset[str]) -> int:
    """How many combinations of the named indices there are."""
    return prod(index.extent for index in contraction.indices if index.name in names)
