"""Plans chosen by measuring, kept on disk."""

from __future__ import annotations

import json
from functools import cache
from math import inf
from typing import TYPE_CHECKING

from convgrad.kernels import cache as store
from convgrad.kernels import llvm
from convgrad.kernels.algorithms import candidates, joint_candidates
from convgrad.kernels.algorithms import choose_joint as choose_joint_predicted
from convgrad.kernels.plan import WORKERS

if TYPE_CHECKING:
    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.plan import Plan
    from convgrad.kernels.target import Target
    from convgrad.kernels.tile import Tile


def _entry(sums: Contraction | tuple[Contraction, ...], number: str, target: Target) -> str:
    # Which tiles there are to choose from depends on the caches too.
    facts = llvm.version(), repr(target), number, repr(sums)
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


def remember_joint(
    sums: tuple[Contraction, ...], number: str, target: Target, plan: Plan | None
) -> None:
    """Keep the plan that was measured to be the fastest for all sums at once; None if none was."""
    choice = [] if plan is None else [plan.kernel.algorithm, *_shape(plan.kernel.tile)]
    store.write(_entry(sums, number, target), json.dumps(choice).encode())
    _any_tuned.cache_clear()


def is_joint_measured(sums: tuple[Contraction, ...], number: str, target: Target) -> bool:
    """Whether plans for all sums at once were measured."""
    return _any_tuned() and len(sums) > 1 and store.read(_entry(sums, number, target)) is not None


def choose_joint(
    sums: tuple[Contraction, ...],
    number: str,
    target: Target,
    only: str | None = None,
    bound: int | None = None,
    apart: float = inf,
) -> Plan | None:
    """The measured plan of all sums if it fits and was faster than apart, or as predicted."""
    if only is None and len(sums) > 1 and _any_tuned():
        data = store.read(_entry(sums, number, target))
        if data is not None:
            choice = json.loads(data)
            return next(
                (
                    plan
                    for plan in joint_candidates(sums, number, target)
                    if choice == [plan.kernel.algorithm, *_shape(plan.kernel.tile)]
                    and (bound is None or plan.workspace(WORKERS) <= bound)
                ),
                None,
            )
    return choose_joint_predicted(sums, number, target, only, bound, apart)
