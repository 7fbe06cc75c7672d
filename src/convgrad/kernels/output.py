"""Where the positions of a sum lie in the output."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from convgrad.kernels.record import OUTPUT, Record, argument
from convgrad.kernels.window import Stage, outer_sum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.emit import Code, Pointer, Value
    from convgrad.kernels.piece import PieceAt
    from convgrad.kernels.target import Target

OUTPUT_FIELDS = (
    "out_step",  # elements between neighbours on the last axis
    "out_image",
    "out_group",
    "out_row",
    "out_piece",  # what one position of the piece's beginning adds
    "out_origin",
)


def position_names(contraction: Contraction) -> list[str]:
    """The position index of each spatial axis, where positions belong to the output."""
    free = {index.name for index in contraction.free}
    return [
        next(name for name, _ in subscript.terms if name in free)
        for subscript in contraction.window.subscripts[3:]
    ]


def output_values(contraction: Contraction, split: int) -> dict[str, int]:
    """The record's part, for pieces cut along an axis."""
    c, names = contraction, position_names(contraction)
    return {
        "out_step": c.output.step(names[-1]),
        "out_image": c.output.step("n"),
        "out_group": c.output.step("g"),
        "out_row": c.output.step(c.rows[0].name),
        "out_piece": c.output.step(names[split]),
        "out_origin": c.output.origin,
    }


def output_places(contraction: Contraction, stage: Stage) -> tuple[NDArray[np.int64], int]:
    """Where the positions of a full piece lie, and the step between neighbours."""
    c = contraction
    steps = [c.output.step(name) for name in position_names(c)]
    places = outer_sum(
        np.arange(stage.images, dtype=np.int64) * c.output.step("n"),
        *(
            np.arange(count, dtype=np.int64) * step
            for count, step in zip(stage.positions, steps, strict=True)
        ),
    )
    return places, steps[-1]


def emit_output(
    code: Code,
    record: Record,
    arguments: Pointer,
    element: str,
    place: tuple[PieceAt, Value],
) -> Pointer:
    """The output at a piece and a group, first row."""
    piece, group = place
    return argument(code, arguments, OUTPUT, element).at(
        record["out_origin"]
        + piece.image * record["out_image"]
        + group * record["out_group"]
        + piece.begin * record["out_piece"]
    )


def far_write(contraction: Contraction, size: int, target: Target) -> float:
    """Cycles for a vector that is written, beyond those where a cache holds the output.

    Measured where few terms are summed up; `packed` is the slower for it by less.
    """
    c = contraction
    free = prod(index.extent for index in (*c.batch, *c.free, *c.rows))
    return 5.0 if free * size > target.l2 else 0.0
