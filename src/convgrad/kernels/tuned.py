"""Plans chosen by measuring, kept on disk."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from convgrad.kernels import cache as store
from convgrad.kernels import llvm
from convgrad.kernels.algorithms import candidates
from convgrad.kernels.plan import WORKERS

if TYPE_CHECKING:
    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.plan import Plan
    from convgrad.kernels.target import Target
    from convgrad.kernels.tile import Tile


def _entry(contraction: Contraction, number: str, target: Target) -> str:
    # Which tiles there are to choose from depends on the caches too.
    facts = llvm.version(), repr(target), number, repr(contraction)
    return "tuned-" + store.entry_name(*facts)


def _shape(tile: Tile) -> list[int]:
    return [tile.lanes, tile.rows, tile.vectors, tile.lines]


@cache
def _any_tuned() -> bool:
    """Whether anything was ever tuned: most never tune, and need not look each plan up."""
    place = store.folder()
    return place is not None and place.is_dir() and any(place.glob("tuned-*"))


def remember(contraction: Contraction, number: str, target: Target, plan: Plan) -> None:
    """Keep the plan that was measured to be the fastest for a sum."""
    choice = [plan.kernel.algorithm, *_shape(plan.kernel.tile)]
    store.write(_entry(contraction, number, target), json.dumps(choice).encode())
    _any_tuned.cache_clear()


def measured(
    contraction: Contraction, number: str, target: Target, bound: int | None = None
) -> Plan | None:
    """The plan of a sum that was measured to be the fastest, if there is one and it fits."""
    data = store.read(_entry(contraction, number, target)) if _any_tuned() else None
    if data is None:
        return None
    name, *shape = json.loads(data)
    plan = next(
        plan
        for plan in candidates(contraction, number, target, name)
        if shape == _shape(plan.kernel.tile)
    )
    return plan if bound is None or plan.workspace(WORKERS) <= bound else None
