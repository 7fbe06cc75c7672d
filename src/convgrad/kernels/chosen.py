"""What was chosen before, kept on disk: choosing takes longer than working one plan out.

A choice is the algorithm and the tile of every sum of a pass. Its key covers all that it depends
on, so that it is what would be chosen again. Layers may come in any number of sizes: so choices
lie many in a file, and the oldest of a file make room.
"""

from __future__ import annotations

import json
from dataclasses import astuple
from typing import TYPE_CHECKING, Any, cast

from convgrad.kernels import cache as store
from convgrad.kernels.algorithms import ALGORITHMS, JOINT
from convgrad.kernels.tile import Tile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.plan import Plan
    from convgrad.kernels.target import Target

MOST = 64
"""Choices in a file, of which there are 256."""

Kernels = list[list[Any]]


def key(*facts: object) -> str:
    """The key of a choice that depends on these facts and on this generator."""
    return store.entry_name("choice", *map(repr, facts))


def remember(at: str, plans: Sequence[Plan]) -> None:
    """Keep the kernels of a pass."""
    kernels = [[plan.kernel.algorithm, *astuple(plan.kernel.tile)] for plan in plans]
    choices = {**_choices(at), at: kernels}
    kept = dict(list(choices.items())[-MOST:])
    store.write(_file(at), json.dumps(kept).encode())


def recall(at: str, sums: tuple[Contraction, ...], target: Target) -> tuple[Plan, ...] | None:
    """The plans of a pass with the kernels that were kept, or None."""
    kernels = _choices(at).get(at)
    if not kernels:
        return None
    name, *tile = kernels[0]
    if name in JOINT:
        joint = JOINT[name].plan(sums, Tile(*_tuples(tile)), target)
        return None if joint is None else (joint,)
    found = [
        ALGORITHMS[name].plan(item, Tile(*_tuples(tile)), target)
        for item, (name, *tile) in zip(sums, kernels, strict=True)
    ]
    plans = tuple(plan for plan in found if plan is not None)
    return plans if len(plans) == len(sums) else None


def _file(at: str) -> str:
    return store.entry_name("choices", at[:2])


def _choices(at: str) -> dict[str, Kernels]:
    data = store.read(_file(at))
    return {} if data is None else cast("dict[str, Kernels]", json.loads(data))


def _tuples(data: Any) -> Any:
    return tuple(map(_tuples, cast("list[Any]", data))) if isinstance(data, list) else data
