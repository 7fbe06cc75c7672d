"""The table of algorithms, and the choice among them."""

from __future__ import annotations

from functools import lru_cache
from heapq import heapify, heappop, heappush
from math import inf
from typing import TYPE_CHECKING

from convgrad.kernels.correlated import CORRELATED_ALGORITHM
from convgrad.kernels.dotted import DOTTED_ALGORITHM
from convgrad.kernels.exchanged import EXCHANGED_ALGORITHM
from convgrad.kernels.lined import LINED_ALGORITHM
from convgrad.kernels.matched import MATCHED_ALGORITHM
from convgrad.kernels.matrix import MATRIX_ALGORITHM
from convgrad.kernels.packed import PACKED_ALGORITHM
from convgrad.kernels.plan import WORKERS
from convgrad.kernels.rowwise import ROWWISE_ALGORITHM
from convgrad.kernels.sliding import SLIDING_ALGORITHM
from convgrad.kernels.traced import TRACED_ALGORITHM
from convgrad.kernels.weighted import WEIGHTED_ALGORITHM
from convgrad.kernels.whole import WHOLE_ALGORITHM
from convgrad.kernels.woven import WOVEN_ALGORITHM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.plan import Algorithm, JointAlgorithm, Plan
    from convgrad.kernels.target import Target
    from convgrad.kernels.tile import Tile

ALGORITHMS: dict[str, Algorithm] = {
    algorithm.name: algorithm
    for algorithm in (
        PACKED_ALGORITHM,
        ROWWISE_ALGORITHM,
        SLIDING_ALGORITHM,
        LINED_ALGORITHM,
        WEIGHTED_ALGORITHM,
        EXCHANGED_ALGORITHM,
        CORRELATED_ALGORITHM,
        TRACED_ALGORITHM,
        MATCHED_ALGORITHM,
        MATRIX_ALGORITHM,
        DOTTED_ALGORITHM,
    )
}

JOINT: dict[str, JointAlgorithm] = {
    algorithm.name: algorithm for algorithm in (WOVEN_ALGORITHM, WHOLE_ALGORITHM)
}
"""Algorithms that compute all sums of a pass at once."""

LEAN = frozenset((*ALGORITHMS, *JOINT)) - {"traced"}
"""Algorithms whose code runs as fast without most of LLVM's passes, which take longer than a third
of a first call. `traced` was measured to be up to a fifth slower so, the others no slower.
"""


SIZED = frozenset({"whole", "matched"})
"""Algorithms whose code is written for one size of image, and compiled anew for the next."""


def candidates(
    contraction: Contraction, number: str, target: Target, only: str | None = None
) -> Iterator[Plan]:
    """Every plan worth considering for a sum."""
    for algorithm in ALGORITHMS.values():
        if only in {None, algorithm.name}:
            for tile in algorithm.tiles(contraction, number, target):
                plan = algorithm.plan(contraction, tile, target)
                if plan is not None:
                    yield plan
    if contraction.is_complete:
        yield from joint_candidates((contraction,), number, target, only)


@lru_cache(maxsize=256)
def bounds(
    name: str, contraction: Contraction, number: str, target: Target
) -> tuple[tuple[float, Tile], ...]:
    """An algorithm's tiles for a sum, each with the cycles that its plan takes at least."""
    algorithm = ALGORITHMS[name]
    tiles = algorithm.tiles(contraction, number, target)
    return tuple((algorithm.least(contraction, tile, target), tile) for tile in tiles)


def promising(
    contraction: Contraction, number: str, target: Target, only: str | None = None
) -> Iterator[tuple[float, Algorithm, Tile]]:
    """Algorithms and tiles for a sum, by the cycles that their plans take at least.

    What is cheap to know of a plan's cycles comes first. Only a plan that is next in turn by it is
    looked at more closely, and waits for its turn again where that makes it dearer.
    """
    found = [
        (least, name, tile)
        for name in ALGORITHMS
        if only in {None, name}
        for least, tile in bounds(name, contraction, number, target)
    ]
    found.sort(key=lambda one: one[0])
    waiting = [(least, turn, False) for turn, (least, _, _) in enumerate(found)]
    heapify(waiting)
    while waiting:
        least, turn, is_close = heappop(waiting)
        _, name, tile = found[turn]
        if is_close:
            yield least, ALGORITHMS[name], tile
        else:
            cost = ALGORITHMS[name].cost(contraction, tile, target)
            heappush(waiting, (max(least, cost), turn, True))


def choose(
    contraction: Contraction,
    number: str,
    target: Target,
    only: str | None = None,
    bound: int | None = None,
    *,
    sized: bool = True,
) -> Plan | None:
    """The plan with the fewest predicted cycles, of those whose workspace is within the bound.

    Where none is, the one with the smallest workspace. What cannot be better is not planned.
    Algorithms for one size of image are only considered where they are wanted.
    """
    best: Plan | None = None
    smallest: Plan | None = None

    def consider(plan: Plan) -> None:
        nonlocal best, smallest
        if bound is None or plan.workspace(WORKERS) <= bound:
            best = plan if best is None or plan.cycles < best.cycles else best
        elif smallest is None or plan.workspace(WORKERS) < smallest.workspace(WORKERS):
            smallest = plan

    if contraction.is_complete:
        for plan in joint_candidates((contraction,), number, target, only):
            if sized or plan.kernel.algorithm not in SIZED:
                consider(plan)
    for least, algorithm, tile in promising(contraction, number, target, only):
        if best is not None and least >= best.cycles:
            break
        if sized or algorithm.name not in SIZED:
            plan = algorithm.plan(contraction, tile, target)
            if plan is not None:
                consider(plan)
    return best or smallest


def joint_candidates(
    sums: tuple[Contraction, ...], number: str, target: Target, only: str | None = None
) -> Iterator[Plan]:
    """Every plan worth considering that computes all of these sums."""
    for algorithm in JOINT.values():
        if only in {None, algorithm.name}:
            for tile in algorithm.tiles(sums, number, target):
                plan = algorithm.plan(sums, tile, target)
                if plan is not None:
                    yield plan


def choose_joint(
    sums: tuple[Contraction, ...],
    number: str,
    target: Target,
    only: str | None = None,
    bound: int | None = None,
    apart: float = inf,
) -> Plan | None:
    """The joint plan with the fewest predicted cycles whose workspace is within the bound.

    Args:
        sums: of a pass.
        number: "float32" or "float64".
        target: the processor.
        only: one algorithm's name, to consider no other.
        bound: bytes of workspace that it may take.
        apart: the predicted cycles of a plan for each sum.

    Returns: None where it is predicted to be slower, or where there is none. A sum that makes the
        pass alone has its joint plans among its own.
    """
    if len(sums) == 1 and sums[0].is_complete:
        return None
    fitting = (
        plan
        for plan in joint_candidates(sums, number, target, only)
        if (bound is None or plan.workspace(WORKERS) <= bound) and plan.cycles < apart
    )
    return min(fitting, key=lambda plan: plan.cycles, default=None)
