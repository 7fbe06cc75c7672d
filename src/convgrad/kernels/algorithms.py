"""The table of algorithms, and the choice among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convgrad.kernels.correlated import CORRELATED_ALGORITHM
from convgrad.kernels.dotted import DOTTED_ALGORITHM
from convgrad.kernels.lined import LINED_ALGORITHM
from convgrad.kernels.matrix import MATRIX_ALGORITHM
from convgrad.kernels.packed import PACKED_ALGORITHM
from convgrad.kernels.plan import WORKERS
from convgrad.kernels.rowwise import ROWWISE_ALGORITHM
from convgrad.kernels.sliding import SLIDING_ALGORITHM
from convgrad.kernels.traced import TRACED_ALGORITHM
from convgrad.kernels.weighted import WEIGHTED_ALGORITHM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.plan import Algorithm, Plan
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
        CORRELATED_ALGORITHM,
        TRACED_ALGORITHM,
        MATRIX_ALGORITHM,
        DOTTED_ALGORITHM,
    )
}

LEAN = frozenset(ALGORITHMS) - {"traced"}
"""Algorithms whose code runs as fast without most of LLVM's passes, which take longer than a third
of a first call. `traced` was measured to be up to a fifth slower so, the others no slower.
"""


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


def ranked(
    contraction: Contraction, number: str, target: Target, only: str | None = None
) -> list[tuple[float, Algorithm, Tile]]:
    """Algorithms and tiles for a sum, by the cycles that their plans take at least."""
    found = [
        (algorithm.least(contraction, tile, target), algorithm, tile)
        for algorithm in ALGORITHMS.values()
        if only in {None, algorithm.name}
        for tile in algorithm.tiles(contraction, number, target)
    ]
    return sorted(found, key=lambda one: one[0])


def choose(
    contraction: Contraction,
    number: str,
    target: Target,
    only: str | None = None,
    bound: int | None = None,
) -> Plan | None:
    """The plan with the fewest predicted cycles, of those whose workspace is within the bound.

    Where none is, the one with the smallest workspace. What cannot be better is not planned.
    """
    best: Plan | None = None
    smallest: Plan | None = None
    for least, algorithm, tile in ranked(contraction, number, target, only):
        if best is not None and least >= best.cycles:
            break
        plan = algorithm.plan(contraction, tile, target)
        if plan is None:
            continue
        if bound is None or plan.workspace(WORKERS) <= bound:
            best = plan if best is None or plan.cycles < best.cycles else best
        elif smallest is None or plan.workspace(WORKERS) < smallest.workspace(WORKERS):
            smallest = plan
    return best or smallest
