"""A sum cut where its terms end: in each region every term exists, and none is a padding zero.

A kernel multiplies padding zeros where the equation has no term. That is wrong only beside a
factor that is infinite or not a number, which is rare; then the sum is computed region by region.
Along an axis the window is read at step*i + tap*j + start, with i in the output and j summed over.
For one i the terms that exist are an interval of j, so neighbouring i with one interval make a
region. A 3 x 3 layer with padding has nine: the inside, four edges and four corners.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import TYPE_CHECKING

from convgrad.kernels.contraction import Contraction, Index, Operand, Subscript

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class Region:
    """A part of the output.

    Attributes:
        sum: computes the part alone, as an array of its own, from the factors that it has.
        place: where that lies in the output, per axis.
        factors: where these lie in the factor.
    """

    sum: Contraction
    place: tuple[slice, ...]
    factors: tuple[slice, ...]


def regions(contraction: Contraction, most: int) -> tuple[Region, ...] | None:
    """The regions of a sum, or None where there are more than `most`."""
    axes = [
        tuple(_stretches(contraction, subscript)) for subscript in contraction.window.subscripts[3:]
    ]
    if prod(map(len, axes)) > most:
        return None
    return tuple(
        _region(contraction, {name: part for axis in parts for name, part in axis.items()})
        for parts in product(*axes)
    )


def _stretches(c: Contraction, subscript: Subscript) -> Iterator[dict[str, range]]:
    """For one axis, the ranges of the output's index and of the summed one in each region."""
    free = next(name for name, _ in subscript.terms if name in c.output.names)
    other = next(name for name, _ in subscript.terms if name != free)
    step, tap = subscript.coefficient(free), subscript.coefficient(other)
    first, found = 0, range(0)
    for i in range(c.extent(free) + 1):
        at = step * i + subscript.offset
        legal = _legal(at, tap, subscript.size, c.extent(other)) if i < c.extent(free) else range(0)
        if legal != found:
            if found:
                yield {free: range(first, i), other: found}
            first, found = i, legal


def _legal(at: int, tap: int, size: int, count: int) -> range:
    """The j from 0 to count with 0 <= at + tap*j < size."""
    if tap < 0:  # the same positions from the other end
        turned = _legal(at + tap * (count - 1), -tap, size, count)
        return range(count - turned.stop, count - turned.start)
    first = min(max(-(at // tap), 0), count)
    return range(first, max(first, min((size - 1 - at) // tap + 1, count)))


def _region(c: Contraction, parts: Mapping[str, range]) -> Region:
    indices = tuple(
        Index(index.name, len(parts[index.name])) if index.name in parts else index
        for index in c.indices
    )
    extents = {index.name: index.extent for index in indices}

    output, place = _dense(c.output, parts, extents)
    factor, taken = _dense(c.factor, parts, extents)
    window = replace(
        c.window, subscripts=tuple(_moved(item, parts) for item in c.window.subscripts)
    )
    return Region(Contraction(indices, output, window, factor), place, taken)


def _dense(
    operand: Operand, parts: Mapping[str, range], extents: Mapping[str, int]
) -> tuple[Operand, tuple[slice, ...]]:
    """The part of an operand as an array of its own, and where it lies in the whole."""
    dense: list[Subscript] = []
    place: list[slice] = []
    for subscript in operand.subscripts:
        ((name, step),) = subscript.terms
        first = _moved(subscript, parts).offset
        stop = first + step * extents[name]
        dense.append(Subscript(extents[name], ((name, 1),)))
        # a flipped kernel is read from its end
        place.append(slice(first, stop if stop >= 0 else None, step))
    return replace(operand, subscripts=tuple(dense)), tuple(place)


def _moved(subscript: Subscript, parts: Mapping[str, range]) -> Subscript:
    """The subscript, where its indices begin at the beginnings of their parts."""
    shift = sum(step * parts[name].start for name, step in subscript.terms if name in parts)
    return replace(subscript, offset=subscript.offset + shift)
