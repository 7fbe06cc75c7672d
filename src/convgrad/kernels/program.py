"""From a layer's pass to a program: its sums, each with the best plan."""

from __future__ import annotations

from math import inf, prod
from typing import TYPE_CHECKING

from convgrad.kernels import chosen, tuned
from convgrad.kernels.algorithms import JOINT, choose, choose_joint
from convgrad.kernels.layers import contractions
from convgrad.kernels.memory import check_workspace, workspace_bound
from convgrad.kernels.plan import WORKERS, Program
from convgrad.kernels.together import together

if TYPE_CHECKING:
    from convgrad.convolution import Convolution
    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.layers import Pass
    from convgrad.kernels.plan import Plan
    from convgrad.kernels.target import Target


def plan_pass(
    layer: Convolution,
    name: Pass,
    *,
    batch: int = 1,
    number: str = "float32",
    target: Target,
    algorithm: str | None = None,
) -> Program | None:
    """How a pass of a layer would be computed.

    Args:
        layer: the layer.
        name: "forward", "input_gradient" or "weight_gradient".
        batch: how many images.
        number: "float32" or "float64".
        target: the processor.
        algorithm: one algorithm's name, to consider no other.

    Returns: None where no algorithm computes one of the sums.

    Raises:
        MemoryError: with the sizes, where no plan is within the bound that the user set.
    """
    sums = contractions(layer, batch, name)
    bound = min((workspace_bound(item, number) for item in sums), default=0)
    clear = _covered(sums) < _elements(layer, name, batch)
    measured: list[Plan | None] = [None] * len(sums)
    is_measured, join = False, choose_joint
    if algorithm is None:
        measured = [tuned.measured(item, number, target, bound) for item in sums]
        is_measured = any(measured) or tuned.is_joint_measured(sums, number, target)
        join = tuned.choose_joint
    at = chosen.key(layer, name, batch, number, target, algorithm, bound, WORKERS)
    plans = None if is_measured else chosen.recall(at, sums, target)
    if plans is not None:
        return Program(plans, clear and plans[0].kernel.algorithm not in JOINT, bound)
    program = Program((), clear=True)
    # Plans that fit one by one may be too much together, for they share their memory.
    for allowed in (bound, bound // 2):
        found = [
            plan or choose(item, number, target, algorithm, allowed)
            for item, plan in zip(sums, measured, strict=True)
        ]
        plans = tuple(plan for plan in found if plan is not None)
        missing = len(plans) < len(sums)
        if not missing and not is_measured:
            plans = together(sums, plans, number, target, allowed)
        program = Program(plans, clear, bound)
        joint = join(sums, number, target, algorithm, bound, inf if missing else program.cycles)
        if joint is not None:  # which also writes what belongs to no sum
            program = Program((joint,), clear=False, bound=bound)
        elif missing:
            return None
        if program.workspace(WORKERS) <= bound:
            if not is_measured:
                chosen.remember(at, program.plans)
            return program
    check_workspace(program.workspace(WORKERS), str(layer))
    return program


def _covered(sums: tuple[Contraction, ...]) -> int:
    """Elements of the output that the sums write; no two write the same."""
    return sum(
        prod(index.extent for index in item.indices if index.name in item.output.names)
        for item in sums
    )


def _elements(layer: Convolution, name: Pass, batch: int) -> int:
    """Elements of the output."""
    if name == "weight_gradient":
        return prod(layer.kernel) * layer.in_channels * layer.filters // layer.groups
    if name == "forward":
        return batch * layer.filters * prod(layer.output_size)
    return batch * layer.in_channels * prod(layer.input_size)
