"""The factor, packed once for all tasks: panels of rows, [reduction][rows], and the bias."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from convgrad.kernels.emit import INTEGER, Code, Module, Number
from convgrad.kernels.record import BIAS, FACTOR, FLAG, SHARED, Fields, Record, argument
from convgrad.kernels.window import outer_sum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from convgrad.kernels.contraction import Contraction

TABLE = INTEGER + "*"

FACTOR_FIELDS = (
    "rows",
    "reduction",
    "factor_group",
    "factor_row",
    "factor_origin",
    "factor_offsets",  # per reduction index
    "padded_rows",
    "packed_factor",  # elements from the start of the shared workspace
    "packed_bias",
    "checked",  # whether the factor must be finite, for there are absent terms
)


def factor_values(
    contraction: Contraction, reduction: int, padded: int, *, checked: bool
) -> dict[str, int | NDArray[np.int64]]:
    """The record's part."""
    c = contraction
    rows = c.rows[0]
    return {
        "rows": rows.extent,
        "reduction": reduction,
        "factor_group": c.factor.step("g"),
        "factor_row": c.factor.step(rows.name),
        "factor_origin": c.factor.origin,
        "factor_offsets": factor_offsets(c),
        "padded_rows": padded,
        "packed_factor": 0,
        "packed_bias": c.extent("g") * padded * reduction,
        "checked": int(checked),
    }


def factor_offsets(contraction: Contraction) -> NDArray[np.int64]:
    """Where the factor lies per reduction index: channel slowest, then the taps of each axis."""
    reduced = {index.name for index in contraction.reduction}
    order = [
        name
        for subscript in contraction.window.subscripts[2:]
        for name, _ in subscript.terms
        if name in reduced
    ]
    return outer_sum(
        *(
            np.arange(contraction.extent(name), dtype=np.int64) * contraction.factor.step(name)
            for name in order
        )
    )


def emit_pack(module: Module, number: Number, rows: int, fields: Fields) -> Code:
    """pack(record, arguments, to, bias, group, panel): one panel of rows, [reduction][rows].

    Rows beyond the last are zero. Where the padding has absent terms, a factor that is not finite
    raises the flag: zero times it would not be absent.
    """
    code = module.function(
        "pack",
        (TABLE, "record"),
        (TABLE, "arguments"),
        (number.name, "to"),
        (number.name, "bias"),
        (INTEGER, "group"),
        (INTEGER, "panel"),
    )
    record = Record(fields, code.pointer("record"))
    arguments, group = code.pointer("arguments"), code.integer("group")
    source = argument(code, arguments, FACTOR, number.name).at(
        group * record["factor_group"] + record["factor_origin"]
    )
    target, first = code.pointer("to"), code.integer("panel") * rows
    count = (record["rows"] - first).minimum(rows)
    step, zero = record["factor_row"], code.zero(number.name)
    checks = [code.variable(number.name, zero) for _ in range(rows)]
    # Rows beyond the last are read where the last one is, and replaced by zero.
    begins = [source.at((first + (count - 1).minimum(row)) * step) for row in range(rows)]
    with code.loop(0, record["reduction"]) as k:
        offset, end = record.table("factor_offsets").load(k), target.at(k * rows)
        for row in range(rows):
            value = begins[row].load(offset)
            checks[row].set(code.fma(value, zero, checks[row].get()))
            end.store(code.select(count > row, value, zero), row)
    total = zero
    for check in checks:
        value = check.get()
        total = code.define(number.name, f"fadd {number.name} {total.text}, {value.text}")
    spoiled = code.define("i1", f"fcmp uno {number.name} {total.text}, 0.0")
    with code.when(spoiled & (record["checked"] > 0)):
        argument(code, arguments, FLAG, INTEGER).store(code.lift(1))
    given = argument(code, arguments, BIAS, number.name)
    present = code.define("i1", f"icmp ne i64 {arguments.load(BIAS).text}, 0")
    for row in range(rows):
        code.pointer("bias").store(zero, row)
        with code.when(present & (count > row)):
            value = given.load(group * record["rows"] + first + row)
            code.pointer("bias").store(value, row)
    return code


def emit_factor(module: Module, number: Number, rows: int, fields: Fields) -> Code:
    """factor(record, arguments, scratch, task): pack one panel to the shared workspace."""
    pack = emit_pack(module, number, rows, fields)
    code = emit_task(module, "factor", number)
    record = Record(fields, code.pointer("record"))
    arguments, task = code.pointer("arguments"), code.integer("task")
    panels = record["padded_rows"] // rows
    shared = argument(code, arguments, SHARED, number.name)
    code.run(
        pack,
        record.base,
        arguments,
        shared.at(record["packed_factor"] + task * record["reduction"] * rows),
        shared.at(record["packed_bias"] + task * rows),
        task // panels,
        task % panels,
    )
    return code


def emit_task(module: Module, name: str, number: Number) -> Code:
    """A function that runs one task of a step."""
    return module.function(
        name,
        (TABLE, "record"),
        (TABLE, "arguments"),
        (number.name, "scratch"),
        (INTEGER, "task"),
        public=True,
    )
