"""Choosing plans by measuring them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from convgrad.kernels.algorithms import candidates, joint_candidates
from convgrad.kernels.bound import Bound
from convgrad.kernels.entry import forget
from convgrad.kernels.layers import contractions
from convgrad.kernels.memory import workspace_bound
from convgrad.kernels.plan import WORKERS, Program
from convgrad.kernels.target import host_target
from convgrad.kernels.tuned import remember, remember_joint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from convgrad.convolution import Convolution
    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.layers import Pass
    from convgrad.kernels.plan import Plan
    from convgrad.kernels.target import Target


@dataclass(frozen=True)
class Trial:
    """A plan and the seconds it took, the least of several runs."""

    plan: Plan
    seconds: float

    def __str__(self) -> str:
        kernel = self.plan.kernel
        predicted = self.plan.cycles / 1e6
        return (
            f"{self.seconds * 1e3:9.3f} ms  {predicted:9.3f} Mcycles  "
            f"{kernel.algorithm:<10} {kernel.tile}"
        )


def tune(
    layer: Convolution, name: Pass, *, batch: int = 1, number: str = "float32", most: int = 8
) -> tuple[Trial, ...]:
    """Measure the most promising plans of a pass, and keep the fastest on disk.

    Args:
        layer: the layer.
        name: "forward", "input_gradient" or "weight_gradient".
        batch: how many images.
        number: "float32" or "float64".
        most: how many plans of each sum are measured, those with the best prediction.

    Returns: every trial, the fastest of each sum first, then those of plans for all sums at once;
        empty where there are no kernels here.
    """
    target = host_target()
    if target is None:
        return ()
    trials: list[Trial] = []
    sums, apart = contractions(layer, batch, name), 0.0
    for item in sums:
        measured = _measured(candidates(item, number, target), item, number, target, most)
        remember(item, number, target, measured[0].plan)
        apart += measured[0].seconds
        trials += measured
    if len(sums) > 1:
        joint = _measured(joint_candidates(sums, number, target), sums[0], number, target, most)
        faster = joint[0].plan if joint and joint[0].seconds < apart else None
        remember_joint(sums, number, target, faster)
        trials += joint
    forget()
    return tuple(trials)


def _measured(
    plans: Iterable[Plan], item: Contraction, number: str, target: Target, most: int
) -> list[Trial]:
    """The most promising of the plans that fit, the fastest first."""
    bound = workspace_bound(item, number)
    fitting = [plan for plan in plans if plan.workspace(WORKERS) <= bound]
    promising = sorted(fitting, key=lambda plan: plan.cycles)[:most]
    every = (measure(plan, item, number, target) for plan in promising)
    return sorted(every, key=lambda trial: trial.seconds)


def measure(plan: Plan, item: Contraction, number: str, target: Target) -> Trial:
    """Run one plan for a tenth of a second, at least three times."""
    rng = np.random.default_rng(0)
    arrays: list[NDArray[Any]] = [
        rng.standard_normal(operand.shape).astype(number)
        for operand in (item.output, item.window, item.factor)
    ]
    bound = Bound(Program((plan,), clear=False), target)
    seconds: list[float] = []
    end = time.perf_counter() + 0.1
    while len(seconds) < 3 or time.perf_counter() < end:
        begin = time.perf_counter()
        bound.run(*arrays)
        seconds.append(time.perf_counter() - begin)
    return Trial(plan, min(seconds))
