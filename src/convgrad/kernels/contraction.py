"""A sum of products of two operands: all that the kernels know of a layer.

    output[A] = sum over the summed indices  window[B] * factor[C]

Subscripts are affine in the loop indices. Only the window may be read outside its array, and such
a term is absent from the sum; every other access is inside for all index values.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod


@dataclass(frozen=True)
class Index:
    """A loop index with its extent, from 0."""

    name: str
    extent: int

    def __str__(self) -> str:
        return f"{self.name} < {self.extent}"


@dataclass(frozen=True)
class Subscript:
    """One array axis: sum of coefficient * index, plus an offset, legal in [0, size)."""

    size: int
    terms: tuple[tuple[str, int], ...]
    offset: int = 0

    def __str__(self) -> str:
        units = {1: "", -1: "-"}
        parts = [units.get(factor, f"{factor}*") + name for name, factor in self.terms]
        if self.offset or not parts:
            parts.append(str(self.offset))
        return " + ".join(parts).replace("+ -", "- ")

    def coefficient(self, name: str) -> int:
        """How far one step of an index moves along this axis."""
        return dict(self.terms).get(name, 0)


@dataclass(frozen=True)
class Operand:
    """An array with its subscripts, elements in C order."""

    name: str
    subscripts: tuple[Subscript, ...]

    def __str__(self) -> str:
        return f"{self.name}[{', '.join(map(str, self.subscripts))}]"

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the array."""
        return tuple(subscript.size for subscript in self.subscripts)

    @cached_property
    def strides(self) -> tuple[int, ...]:
        """Elements from one position to the next, per axis."""
        return tuple(prod(self.shape[axis + 1 :]) for axis in range(len(self.shape)))

    @cached_property
    def names(self) -> frozenset[str]:
        """The indices that occur."""
        return frozenset(name for item in self.subscripts for name, _ in item.terms)

    @cached_property
    def _steps(self) -> dict[str, int]:
        """Elements that one step of each index moves."""
        steps = dict.fromkeys(self.names, 0)
        for stride, subscript in zip(self.strides, self.subscripts, strict=True):
            for name, coefficient in subscript.terms:
                steps[name] += stride * coefficient
        return steps

    def step(self, name: str) -> int:
        """Elements that one step of an index moves."""
        return self._steps.get(name, 0)

    @property
    def origin(self) -> int:
        """Elements from the array's start to where all indices are 0."""
        return sum(
            stride * subscript.offset
            for stride, subscript in zip(self.strides, self.subscripts, strict=True)
        )


@dataclass(frozen=True)
class Contraction:
    """output = sum of window * factor over the indices that the output lacks.

    Every index has one class, read off from where it occurs:

        batch      in all three                (groups)
        free       in output and window        (images, positions; or channels, taps)
        row        in output and factor        (filters; or channels)
        reduction  in window and factor only
    """

    indices: tuple[Index, ...]
    output: Operand
    window: Operand
    factor: Operand

    @cached_property
    def _hash(self) -> int:
        return hash((self.indices, self.output, self.window, self.factor))

    def __hash__(self) -> int:
        """Computed once: planning looks many things up by the sum."""
        return self._hash

    def __str__(self) -> str:
        summed = ", ".join(str(index) for index in self.reduction)
        return f"{self.output} = sum({summed}) {self.window} * {self.factor}"

    def _members(self, output: bool, window: bool, factor: bool) -> tuple[Index, ...]:
        wanted = (output, window, factor)
        return tuple(
            index
            for index in self.indices
            if tuple(index.name in o.names for o in (self.output, self.window, self.factor))
            == wanted
        )

    @cached_property
    def batch(self) -> tuple[Index, ...]:
        """Indices of independent sums: groups."""
        return self._members(True, True, True)

    @cached_property
    def free(self) -> tuple[Index, ...]:
        """Indices of output and window."""
        return self._members(True, True, False)

    @cached_property
    def rows(self) -> tuple[Index, ...]:
        """Indices of output and factor."""
        return self._members(True, False, True)

    @cached_property
    def reduction(self) -> tuple[Index, ...]:
        """Indices summed over."""
        return self._members(False, True, True)

    @property
    def channel(self) -> str:
        """The index of the window's channels: its third axis, after images and groups."""
        ((name, _),) = self.window.subscripts[2].terms
        return name

    @property
    def is_complete(self) -> bool:
        """Whether it reaches every element of the output: a phase of several does not."""
        written = prod(index.extent for index in self.indices if index.name in self.output.names)
        return written == prod(self.output.shape)

    @cached_property
    def terms(self) -> int:
        """Multiply-adds, absent terms of the padding counted."""
        return prod(index.extent for index in self.indices)

    def extent(self, name: str) -> int:
        """Extent of an index."""
        return next(index.extent for index in self.indices if index.name == name)
