"""From a layer's pass to a program: its sums, each with the best plan."""

from __future__ import annotations

from math import inf, prod
from typing import TYPE_CHECKING

from convgrad.kernels import tuned
from convgrad.kernels.algorithms import choose, choose_joint
from convgrad.kernels.layers import contractions
from convgrad.kernels.memory import check_workspace, workspace_bound
from convgrad.kernels.plan import WORKERS, Program

if TYPE_CHECKING:
    from convgrad.convolution import Convolution
    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.layers import Pass
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
    select, join = (
        (tuned.choose, tuned.choose_joint) if algorithm is None else (choose, choose_joint)
    )
    program = Program((), clear=True)
    # Plans that fit one by one may be too much together, for they share their memory.
    for allowed in (bound, bound // 2):
        found = [select(item, number, target, algorithm, allowed) for item in sums]
        plans = tuple(plan for plan in found if plan is not None)
        program = Program(plans, clear=_covered(sums) < _elements(layer, name, batch), bound=bound)
        missing = len(plans) < len(sums)
        joint = join(sums, number, target, algorithm, bound, inf if missing else program.cycles)
        if joint is not None:  # which also writes what belongs to no sum
            return Program((joint,), clear=False, bound=bound)
        if missing:
            return None
        if program.workspace(WORKERS) <= bound:
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
