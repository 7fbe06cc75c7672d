"""Exchanged: `weighted` with window and factor exchanged, where one tap lies at every position.

A 1x1 weight gradient is a product of two matrices, dw[k,c] = sum dz[k,p] * x[c,p], and either of
them may be the one that is transposed into lanes. That is better the one with fewer rows, or the
one whose rows fill their vectors.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from convgrad.kernels.contraction import Contraction, Operand
from convgrad.kernels.plan import Algorithm, Kernel
from convgrad.kernels.weighted import (
    weighted_cost,
    weighted_cycles,
    weighted_plan,
    weighted_text,
    weighted_tiles,
)

if TYPE_CHECKING:
    from convgrad.kernels.plan import Plan
    from convgrad.kernels.target import Target
    from convgrad.kernels.tile import Tile


@lru_cache(maxsize=256)
def exchanged(c: Contraction) -> Contraction | None:
    """The same sum with the factor as the window; None where it is not of this kind.

    The taps, all of one place, go with the new window.
    """
    summed = {index.name for index in c.reduction}
    old, other = c.window.subscripts, c.factor.subscripts
    if len(c.rows) != 1 or "n" not in summed or len(old) != len(other):
        return None
    if not c.is_complete or old[:2] != other[:2]:
        return None
    for mine, theirs in zip(old[3:], other[3:], strict=True):
        here = [term for term in mine.terms if term[0] in summed]
        taps = [name for name, _ in mine.terms if name not in summed]
        alike = (tuple(here), mine.size, mine.offset) == (theirs.terms, theirs.size, theirs.offset)
        if not alike or any(c.extent(tap) > 1 for tap in taps):
            return None
    bare = (
        replace(axis, terms=tuple(term for term in axis.terms if term[0] in summed))
        for axis in old[3:]
    )
    window = Operand(c.factor.name, (*other[:3], *old[3:]))
    return Contraction(c.indices, c.output, window, Operand(c.window.name, (*old[:3], *bare)))


def _tiles(c: Contraction, number: str, target: Target) -> tuple[Tile, ...]:
    other = exchanged(c)
    return () if other is None else weighted_tiles(other, number, target)


def _plan(c: Contraction, tile: Tile, target: Target) -> Plan | None:
    other = exchanged(c)
    plan = None if other is None else weighted_plan(other, tile, target)
    return plan and replace(plan, kernel=Kernel("exchanged", tile), exchanged=True)


def _least(c: Contraction, tile: Tile, target: Target) -> float:
    other = exchanged(c)
    return 0.0 if other is None else weighted_cycles(other, tile, target)


def _cost(c: Contraction, tile: Tile, target: Target) -> float:
    other = exchanged(c)
    return 0.0 if other is None else weighted_cost(other, tile, target)


EXCHANGED_ALGORITHM = Algorithm(
    name="exchanged",
    summary="as weighted, lanes along the window's channels: for one tap",
    functions=("weighted", "add"),
    text=weighted_text,
    tiles=_tiles,
    plan=_plan,
    least=_least,
    cost=_cost,
)
