"""Sums of one pass that share a kernel: the phases of a gradient, compiled once instead of each.

Phases have fewer taps than the layer and lie differently to the padding, but their positions are
as many; what differs is in their records.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from convgrad.kernels.algorithms import ALGORITHMS, ranked
from convgrad.kernels.plan import WORKERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.plan import Plan
    from convgrad.kernels.target import Target
    from convgrad.kernels.tile import Tile

SLOWER = 1.05
"""How much longer a pass may take, as predicted, for one kernel less to be compiled."""
MOST_STRETCHES = 8
"""More would make the code long."""


def together(
    sums: tuple[Contraction, ...],
    plans: tuple[Plan, ...],
    number: str,
    target: Target,
    only: str | None,
    bound: int,
) -> tuple[Plan, ...]:
    """Plans of all sums with one kernel where there are such, else those that were given.

    Args:
        sums: of a pass.
        plans: the best plan of each.
        number: "float32" or "float64".
        target: the processor.
        only: one algorithm's name, to consider no other.
        bound: bytes of workspace that a plan may take.
    """
    if len({plan.kernel for plan in plans}) == 1:
        return plans
    limit = SLOWER * sum(plan.cycles for plan in plans)
    kinds: dict[tuple[str, Tile], list[tuple[float, Tile]]] = {}
    for item in sums:
        for least, algorithm, tile in ranked(item, number, target, only):
            kinds.setdefault((algorithm.name, bare(tile)), []).append((least, tile))
    common = {kind: found for kind, found in kinds.items() if len(found) == len(sums)}
    for (name, _), found in sorted(common.items(), key=lambda one: _total(one[1])):
        if _total(found) > limit:
            break
        shared = _planned(name, merged(tile for _, tile in found), sums, target)
        fitting = all(plan.workspace(WORKERS) <= bound for plan in shared)
        if fitting and shared and sum(plan.cycles for plan in shared) <= limit:
            return shared
    return plans


def _total(found: list[tuple[float, Tile]]) -> float:
    return sum(least for least, _ in found)


def _planned(
    name: str, tile: Tile, sums: tuple[Contraction, ...], target: Target
) -> tuple[Plan, ...]:
    """A plan of every sum with the same tile, or none."""
    if len(tile.stretches) > MOST_STRETCHES:
        return ()
    found = [ALGORITHMS[name].plan(item, tile, target) for item in sums]
    plans = tuple(plan for plan in found if plan is not None)
    return plans if len(plans) == len(sums) else ()


def bare(tile: Tile) -> Tile:
    """The tile without what it knows of absent terms."""
    return replace(tile, stretches=())


def merged(tiles: Iterable[Tile]) -> Tile:
    """The tile that knows the absent terms of all these."""
    several = tuple(tiles)
    stretches = {stretch for tile in several for stretch in tile.stretches}
    return replace(several[0], stretches=tuple(sorted(stretches)))
