"""Parts: a sum over positions cut along the positions, so that all threads have work.

A weight gradient may be a single tile: a few filters and channels, and millions of positions.
Then each part of the positions has a task and an output of its own in the workspace, and these are
added in their order. How many parts there are is decided by the plan, so that any number of
threads gives the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from convgrad.kernels.factor import emit_task
from convgrad.kernels.piece import WORKERS
from convgrad.kernels.plan import Step
from convgrad.kernels.record import OUTPUT, SHARED, Fields, Record, argument

if TYPE_CHECKING:
    from collections.abc import Callable

    from convgrad.kernels.contraction import Contraction
    from convgrad.kernels.emit import Code, Module, Number, Pointer, Value
    from convgrad.kernels.tile import Tile

PART_FIELDS = (
    "parts",
    "part_pieces",  # pieces of a part
    "part_elements",  # elements of an output
)
CHUNK = 1024
"""Elements that one task adds up."""


@dataclass(frozen=True)
class Parts:
    """A cut of the pieces.

    Attributes:
        number: how many parts; with one, the output is written directly.
        pieces: of each part; the last may have fewer.
        elements: of the output.
    """

    number: int
    pieces: int
    elements: int

    @property
    def shared(self) -> int:
        """Elements of workspace."""
        return self.number * self.elements if self.number > 1 else 0

    @property
    def cycles(self) -> float:
        """Predicted for adding up: memory comes and goes, a second parallel loop starts."""
        return self.number * self.elements * 0.6 + 4000.0 if self.number > 1 else 0.0

    def steps(self, function: str, tasks: int) -> tuple[Step, ...]:
        """The parallel loops of a function with so many tasks a part."""
        first = Step(function, tasks * self.number)
        if self.number == 1:
            return (first,)
        return (first, Step("add", -(-self.elements // CHUNK)))

    def values(self) -> dict[str, int]:
        """The record's part."""
        return {
            "parts": self.number,
            "part_pieces": self.pieces,
            "part_elements": self.elements,
        }


def cut_parts(
    contraction: Contraction, pieces: int, idle: Callable[[int], float], cycles: float
) -> Parts:
    """As many parts as make a sum shortest that has so many pieces and predicted cycles.

    `idle` says how much longer the tasks of so many parts take than work that could be cut at will.
    """
    elements = prod(contraction.output.shape)
    sizes = {-(-pieces // number) for number in range(1, min(pieces, 2 * WORKERS) + 1)}
    found = [Parts(-(-pieces // size), size, elements) for size in sizes]
    return min(
        found,
        key=lambda parts: (
            cycles * _idle(parts, pieces) * idle(parts.number) + parts.cycles,
            parts.number,
        ),
    )


def _idle(parts: Parts, pieces: int) -> float:
    """How much longer full parts take than the pieces there are."""
    return parts.number * parts.pieces / pieces


def emit_part(
    code: Code, record: Record, arguments: Pointer, number: Number, task: Value
) -> tuple[Value, tuple[Value, Value], Pointer]:
    """The rest of a task's number, the pieces of its part (first and last), and its output."""
    parts = record["parts"]
    part = task % parts
    first = part * record["part_pieces"]
    last = (first + record["part_pieces"]).minimum(record["pieces"])
    own = argument(code, arguments, SHARED, number.name).at(part * record["part_elements"])
    output = argument(code, arguments, OUTPUT, number.name)
    return task // parts, (first, last), code.choose(parts > 1, own, output)


def emit_add(module: Module, tile: Tile, fields: Fields) -> Code:
    """add(record, arguments, scratch, task): a chunk of the output, all parts in their order."""
    number, lanes = tile.element, tile.lanes
    code = emit_task(module, "add", number)
    record = Record(fields, code.pointer("record"))
    arguments = code.pointer("arguments")
    elements = record["part_elements"]
    begin = code.integer("task") * CHUNK
    count = (elements - begin).minimum(CHUNK)
    source = argument(code, arguments, SHARED, number.name).at(begin)
    output = argument(code, arguments, OUTPUT, number.name).at(begin)
    total = code.variable(number.vector(lanes), code.zero(number.vector(lanes)))
    with code.loop(0, count, lanes) as j:
        mask = code.lanes_between(0, count - j, lanes)
        total.set(source.masked(lanes, mask, j))
        with code.loop(1, record["parts"]) as part:
            value = source.masked(lanes, mask, part * elements + j)
            total.set(
                code.define(value.type, f"fadd {value.type} {total.get().text}, {value.text}")
            )
        output.store_masked(total.get(), lanes, mask, j)
    return code
