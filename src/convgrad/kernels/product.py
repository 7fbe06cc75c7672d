"""Products: sums in which nothing slides, and which are therefore products of matrices.

    output[g, i, j] = sum over r  window[g, i, r] * factor[g, r, j]

A 1 x 1 kernel over an image of one position is one, and so is a kernel as large as its image (a
fully connected layer), with their gradients. An index of the product stands for several of the
sum, where these lie in one run in both of its arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import add
from typing import TYPE_CHECKING, NamedTuple

from convgrad.kernels.emit import INTEGER
from convgrad.kernels.record import BIAS, FACTOR, OUTPUT, WINDOW, argument

if TYPE_CHECKING:
    from convgrad.kernels.contraction import Contraction, Subscript
    from convgrad.kernels.emit import Code, Pointer, Value
    from convgrad.kernels.record import Record

GROUP_FIELDS = (
    "window_group",
    "window_origin",
    "factor_group",
    "factor_origin",
    "out_group",
    "out_origin",
    "bias_group",
)


class Run(NamedTuple):
    """An index of a product: its extent, and the elements from one value to the next.

    Attributes:
        extent: how many values.
        output: step in the output, 0 for an index that is summed over.
        window: step in the window.
        factor: step in the factor.
    """

    extent: int
    output: int
    window: int
    factor: int


@dataclass(frozen=True)
class Product:
    """A sum as a product of matrices, for each group.

    Attributes:
        free: the index of output and window.
        rows: the index of output and factor.
        summed: the index of window and factor.
    """

    free: Run
    rows: Run
    summed: Run


def product_of(c: Contraction) -> Product | None:
    """A sum as a product of matrices; None where something slides or lies in several runs."""
    steps = {
        index.name: Run(index.extent, *(o.step(index.name) for o in (c.output, c.window, c.factor)))
        for index in c.indices
        if index.extent > 1 and index.name != "g"
    }
    for subscript in c.window.subscripts:
        names = [name for name, _ in subscript.terms if name in steps]
        if _ties(subscript, names, steps):
            # q - u must be 0, so that the two are one index, and the window moves with neither.
            first, second = (steps.pop(name) for name in names)
            steps[names[0]] = Run(first.extent, *map(add, first[1:], second[1:]))
            if c.output.name == "z":  # a bias belongs to rows without a position
                return None
        elif len(names) > 1 or not _is_inside(subscript, steps):
            return None
    found = [
        _merged([run for run in steps.values() if tuple(map(bool, run[1:])) == kind])
        for kind in ((True, True, False), (True, False, True), (False, True, True))
    ]
    free, rows, summed = found
    if free is None or rows is None or summed is None or (all(map(all, steps.values())) and steps):
        return None
    return Product(free, rows, summed)


def _ties(subscript: Subscript, names: list[str], steps: dict[str, Run]) -> bool:
    """Whether a position of an axis of one element leaves one tap of as many."""
    coefficients = sorted(subscript.coefficient(name) for name in names)
    return (
        subscript.size == 1
        and subscript.offset == 0
        and coefficients == [-1, 1]
        and len({steps[name].extent for name in names}) == 1
    )


def _is_inside(subscript: Subscript, steps: dict[str, Run]) -> bool:
    """Whether an axis of at most one index is read inside its array only."""
    reach = sum(
        factor * (steps[name].extent - 1) for name, factor in subscript.terms if name in steps
    )
    ends = subscript.offset, subscript.offset + reach
    return min(ends) >= 0 and max(ends) < subscript.size


def _merged(runs: list[Run]) -> Run | None:
    """Several indices as one, where each goes on in all arrays where the one inside it ends."""
    whole = Run(1, 1, 1, 1)
    for nth, run in enumerate(sorted(runs, key=lambda run: run[1:])):
        if not nth:
            whole = run
        elif run[1:] == tuple(whole.extent * step for step in whole[1:]):
            whole = Run(whole.extent * run.extent, *whole[1:])
        else:
            return None
    return whole


def group_values(c: Contraction) -> dict[str, int]:
    """The record's part: where a group begins in each array."""
    sides = (("out", c.output), ("window", c.window), ("factor", c.factor))
    return {
        **{f"{name}_group": side.step("g") for name, side in sides},
        **{f"{name}_origin": side.origin for name, side in sides},
        "bias_group": c.rows[0].extent if c.rows else 1,
    }


def emit_group(
    code: Code, record: Record, arguments: Pointer, element: str, group: Value
) -> tuple[Pointer, Pointer, Pointer, Pointer, Value]:
    """Output, window, factor and bias of a group, and whether there is a bias (1 or 0)."""
    output, window, factor = (
        argument(code, arguments, which, element).at(
            group * record[f"{name}_group"] + record[f"{name}_origin"]
        )
        for which, name in ((OUTPUT, "out"), (WINDOW, "window"), (FACTOR, "factor"))
    )
    bias = argument(code, arguments, BIAS, element).at(group * record["bias_group"])
    given = code.define("i1", f"icmp ne i64 {arguments.load(BIAS).text}, 0")
    return output, window, factor, bias, code.define(INTEGER, f"zext i1 {given.text} to i64")
