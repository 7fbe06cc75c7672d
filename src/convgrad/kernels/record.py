"""Records: what a compiled kernel is told about one sum, as a row of 64-bit integers.

Kernels are compiled for a tile, not for a layer: everything that a layer decides is an integer or
a table here, so that a new layer needs a new record but rarely new code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from convgrad.kernels.emit import INTEGER, POINTER, Pointer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from convgrad.kernels.emit import Code, Value

    Table = NDArray[np.int64]

# The arguments of a call, the same for all kernels: addresses, but for the last three.
OUTPUT, WINDOW, FACTOR, BIAS, SHARED, SCRATCH, SCRATCH_BYTES, FLAG, THREADS = range(9)
ARGUMENTS = 9


@dataclass(frozen=True)
class Fields:
    """The names of a record's integers, in their order."""

    names: tuple[str, ...]

    def fill(self, values: Mapping[str, int | Table]) -> tuple[Table, tuple[Table, ...]]:
        """The record, and the tables it points to, which must be kept alive with it."""
        tables: list[Table] = []
        row: list[int] = []
        for name in self.names:
            value = values[name]
            if isinstance(value, np.ndarray):
                table = np.ascontiguousarray(value, np.int64)
                tables.append(table)
                row.append(table.ctypes.data)
            else:
                row.append(int(value))
        return np.array(row, np.int64), tuple(tables)


@dataclass(frozen=True)
class Record:
    """A record as the generated code sees it.

    A field is loaded once, where its function begins: the compiler need not find out that no store
    changes it before it can be kept out of the loops.
    """

    fields: Fields
    base: Pointer
    loaded: dict[str, Value] = field(default_factory=dict[str, "Value"], repr=False, compare=False)

    def __getitem__(self, name: str) -> Value:
        if name not in self.loaded:
            code, at = self.base.code, self.fields.names.index(name)
            place = code.before(POINTER, f"getelementptr i64, ptr {self.base.text}, i64 {at}")
            self.loaded[name] = code.before(INTEGER, f"load i64, ptr {place.text}")
        return self.loaded[name]

    def table(self, name: str) -> Pointer:
        """A table of the record."""
        key = name + "*"
        if key not in self.loaded:
            word = self[name]
            self.loaded[key] = word.code.before(POINTER, f"inttoptr i64 {word.text} to ptr")
        return Pointer(self.base.code, INTEGER, self.loaded[key].text)


def argument(code: Code, arguments: Pointer, which: int, element: str) -> Pointer:
    """One of the call's addresses."""
    return code.address(arguments.load(which), element)
