"""A worked example: the layer made small, with small integers, every term written out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

from convgrad.algebra.affine import numeric
from convgrad.algebra.layers import passes
from convgrad.convolution import Convolution
from convgrad.errors import LayerError
from convgrad.exact.literal import Contribution, contributions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from convgrad.algebra.expression import Equation, Tensor
    from convgrad.exact.literal import Place

BATCH = 1


@dataclass(frozen=True)
class Entry:
    """One entry of a gradient, written out.

    Attributes:
        name: the gradient, "dx" say.
        place: which entry.
        parts: the products that it is the sum of.
        numbers: the values of the factors of each product.
        value: the sum.
        before: J before the varied entry is raised by 1.
        after: J after it.
    """

    name: str
    place: Place
    parts: tuple[Contribution, ...]
    numbers: tuple[tuple[int, ...], ...]
    value: int
    before: int
    after: int


@dataclass(frozen=True)
class Example:
    """A small layer of the same kind, its arrays, and one entry of each gradient.

    Attributes:
        layer: the small layer.
        arrays: the values of x, w, b and dz, as text in nested lists of rows.
        entries: one of dx, one of dw, one of db where there is a bias.
    """

    layer: Convolution
    arrays: Mapping[str, tuple[tuple[int, ...], Mapping[Place, int]]]
    entries: tuple[Entry, ...]


def worked_example(layer: Convolution) -> Example:
    """The example for a layer.

    >>> example = worked_example(Convolution(32, 3, 20, 5, stride=2, padding=1))
    >>> for entry in example.entries:
    ...     print(entry.name, entry.place, entry.value, entry.after - entry.before)
    dx (0, 0, 1) 4 4
    dw (0, 0, 1) -2 -2
    db (0,) 4 4
    """
    small = smaller(layer)
    world = _World(small)
    entries = [
        world.entry(name, place)
        for name, equations in world.gradients.items()
        for place in [world.telling_place(name, equations)]
    ]
    arrays = {
        name: (world.shape(tensor), {p: world.value(name, p) for p in world.places(tensor)})
        for name, tensor in world.given.items()
    }
    return Example(small, arrays, tuple(entries))


def smaller(layer: Convolution) -> Convolution:
    """The same kind of layer, small enough that a gradient entry has a line of terms.

    Strides, dilations, padding, groups and flips stay; kernels, channels and the input shrink as
    far as the layer allows.
    """
    groups = min(layer.groups, 2)
    taps = 3 if layer.rank < 3 else 2
    for extra, kernel in product(range(12), (taps, taps + 1, 0)):
        sizes = tuple(min(k, kernel) if kernel else k for k in layer.kernel)
        if not _keeps_shape(layer, sizes):
            continue
        output = 3 if layer.rank == 1 else 2
        try:
            return Convolution(
                tuple(_input(layer, axis, size, output) + extra for axis, size in enumerate(sizes)),
                groups * min(layer.in_channels // layer.groups, 2),
                groups * min(layer.filters // layer.groups, 2),
                sizes,
                stride=layer.stride,
                padding=layer.padding,
                dilation=layer.dilation,
                groups=groups,
                bias=layer.bias,
                transposed=layer.transposed,
                output_padding=layer.output_padding,
                padding_mode=layer.padding_mode,
                flipped=layer.flipped,
            )
        except LayerError:
            continue
    return layer


def _keeps_shape(layer: Convolution, sizes: Sequence[int]) -> bool:
    """Whether kernels of more than one tap still have more than one."""
    return all(new > 1 or old == 1 for new, old in zip(sizes, layer.kernel, strict=True))


def _input(layer: Convolution, axis: int, kernel: int, output: int) -> int:
    """The input of an axis that gives about so many outputs."""
    if layer.transposed:
        return output
    before, after = layer.padding[axis]
    extent = layer.dilation[axis] * (kernel - 1) + 1
    return max(1, (output - 1) * layer.stride[axis] + extent - before - after)


@dataclass(frozen=True)
class _World:
    """Values for every element of every tensor of the small layer."""

    layer: Convolution

    @cached_property
    def gradients(self) -> dict[str, tuple[Equation, ...]]:
        found = passes(self.layer).gradients
        return {
            name: tuple(equation.with_sizes({"N": BATCH}) for equation in equations)
            for name, equations in found.items()
        }

    @cached_property
    def forward(self) -> tuple[Equation, ...]:
        return tuple(e.with_sizes({"N": BATCH}) for e in passes(self.layer).forward)

    @cached_property
    def defined(self) -> dict[str, Equation]:
        """The equation that defines each tensor which is not given."""
        equations = [*self.forward, *(e for part in self.gradients.values() for e in part)]
        return {equation.target.tensor.name: equation for equation in equations}

    @cached_property
    def given(self) -> dict[str, Tensor]:
        equations = [*self.forward, *(e for part in self.gradients.values() for e in part)]
        z = self.forward[-1].target.tensor
        tensors = {n: t for equation in equations for n, t in equation.inputs.items()}
        tensors["dz"] = replace(z, name="dz")
        names = sorted((n for n in tensors if n not in self.defined), key="dz x w b".find)
        return {name: tensors[name] for name in names}

    def value(self, name: str, place: Place, raised: tuple[str, Place] | None = None) -> int:
        """The value of an element; `raised` names one that is 1 larger than usual."""
        if name not in self.defined:
            tensor = self.given[name]
            number = 0
            for size, coordinate in zip(self.shape(tensor), place, strict=True):
                number = number * size + coordinate
            start, step = _PATTERNS[name]
            small = (start + step * number) % 7 - 3
            return (small or 1) + (raised == (name, place))
        equation = self.defined[name]
        total = 0
        for part in contributions(equation, self.indices(equation, place)):
            numbers = self.numbers(part, raised)
            total += _product(numbers) * int(part.coefficient)
        return total

    def numbers(
        self, part: Contribution, raised: tuple[str, Place] | None = None
    ) -> tuple[int, ...]:
        return tuple(self.value(name, place, raised) for name, place in part.elements)

    def indices(self, equation: Equation, place: Place) -> dict[str, int]:
        names = (index.name for index in equation.indices)
        return dict(zip(names, place, strict=True))

    def loss(self, raised: tuple[str, Place] | None = None) -> int:
        """J = sum of dz * z."""
        z = self.forward[-1].target.tensor
        return sum(self.value("dz", p) * self.value("z", p, raised) for p in self.places(z))

    def entry(self, name: str, place: Place) -> Entry:
        equation = self.gradients[name][-1]
        parts = tuple(contributions(equation, self.indices(equation, place)))
        return Entry(
            name,
            place,
            parts,
            tuple(self.numbers(part) for part in parts),
            self.value(name, place),
            self.loss(),
            self.loss((name[1:], place)),
        )

    def telling_place(self, name: str, equations: Sequence[Equation]) -> Place:
        """The entry of the first channel that is a sum of the most products."""
        tensor = equations[-1].target.tensor

        def terms(place: Place) -> int:
            equation = equations[-1]
            return sum(1 for _ in contributions(equation, self.indices(equation, place)))

        first = [p for p in self.places(tensor) if not any(self.channels(tensor, p))]
        return max(first, key=terms) if name != "db" else first[0]

    def channels(self, tensor: Tensor, place: Place) -> Place:
        return tuple(p for p, axis in zip(place, tensor.axes, strict=True) if axis in "ngkc")

    def places(self, tensor: Tensor) -> Iterator[Place]:
        return product(*(range(size) for size in self.shape(tensor)))

    def shape(self, tensor: Tensor) -> tuple[int, ...]:
        return tuple(map(numeric, tensor.shape))


_PATTERNS = {"x": (4, 3), "w": (1, 5), "b": (2, 2), "dz": (5, 4)}
"""Start and step of the small integers -3 .. 3 in each array; 0 becomes 1: no term hides."""


def _product(numbers: Sequence[int]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result
