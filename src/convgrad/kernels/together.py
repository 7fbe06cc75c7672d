"""Sums of one pass that share a kernel: the phases of a gradient, compiled once instead of each.

Phases have fewer taps than the layer and lie differently to the padding, but their positions are
mostly as many; what differs is in their records.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import repeat
from typing import TYPE_CHECKING

from convgrad.kernels.algorithms import ALGORITHMS, bounds
from convgrad.kernels.plan import WORKERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.plan import Plan
    from convgrad.kernels.target import Target
    from convgrad.kernels.tile import Tile

SLOWER = 1.07
"""How much longer a pass may take, as predicted, for fewer kernels to be compiled."""


def together(
    sums: tuple[Contraction, ...], plans: tuple[Plan, ...], number: str, target: Target, bound: int
) -> tuple[Plan, ...]:
    """Plans with one kernel for all sums where there are such, else with as few as these have.

    It is the algorithm of the dearest sum, the phase with the most taps, that computes the others
    too.

    Args:
        sums: of a pass.
        plans: the best plan of each.
        number: "float32" or "float64".
        target: the processor.
        bound: bytes of workspace that a plan may take.
    """
    if len({plan.kernel for plan in plans}) < 2:
        return plans
    name = max(plans, key=lambda plan: plan.cycles).kernel.algorithm
    best: tuple[Plan, ...] = ()
    most = SLOWER * _total(plans)
    for least, tiles in _common(sums, name, number, target):
        if least >= most:
            break
        if sum(map(ALGORITHMS[name].cost, sums, tiles, repeat(target))) < most:
            found = _planned(name, _merged(tiles), sums, target, bound)
            if found and _total(found) < most:
                best, most = found, _total(found)
    return best or _unified(plans, target, bound)


def _total(plans: Iterable[Plan]) -> float:
    return sum(plan.cycles for plan in plans)


def _common(
    sums: tuple[Contraction, ...], name: str, number: str, target: Target
) -> list[tuple[float, tuple[Tile, ...]]]:
    """The tiles that every sum may have, up to absent terms, by the cycles of all sums at least.

    Returns: those cycles, and the tile as each sum has it.
    """
    kinds: dict[Tile, list[tuple[float, Tile]]] = {}
    for item in sums:
        for least, tile in bounds(name, item, number, target):
            kinds.setdefault(_bare(tile), []).append((least, tile))
    common = [
        (sum(least for least, _ in found), tuple(tile for _, tile in found))
        for found in kinds.values()
        if len(found) == len(sums)
    ]
    return sorted(common, key=lambda one: one[0])


def _unified(plans: tuple[Plan, ...], target: Target, bound: int) -> tuple[Plan, ...]:
    """The same plans, their kernels alike where only the absent terms differ."""
    alike: dict[tuple[str, Tile], list[Plan]] = {}
    for plan in plans:
        alike.setdefault((plan.kernel.algorithm, _bare(plan.kernel.tile)), []).append(plan)
    instead: dict[Contraction, Plan] = {}
    for (name, _), several in alike.items():
        if len({plan.kernel for plan in several}) > 1:
            tile = _merged([plan.kernel.tile for plan in several])
            for plan in _planned(name, tile, [plan.sum for plan in several], target, bound):
                instead[plan.sum] = plan
    return tuple(instead.get(plan.sum, plan) for plan in plans)


def _planned(
    name: str, tile: Tile, sums: Sequence[Contraction], target: Target, bound: int
) -> tuple[Plan, ...]:
    """A plan of every sum with the same tile, or none."""
    found = [ALGORITHMS[name].plan(item, tile, target) for item in sums]
    plans = tuple(p for p in found if p is not None and p.workspace(WORKERS) <= bound)
    return plans if len(plans) == len(sums) else ()


def _bare(tile: Tile) -> Tile:
    """The tile without what it knows of terms."""
    return replace(tile, stretches=(), alone=False)


def _merged(tiles: Sequence[Tile]) -> Tile:
    """The tile that knows the terms of all these."""
    stretches = {stretch for tile in tiles for stretch in tile.stretches}
    alone = all(tile.alone for tile in tiles)
    return replace(tiles[0], stretches=tuple(sorted(stretches)), alone=alone)
