"""One wrong entry of the smallest layer, written out: the terms it is the sum of, in numbers.

The terms are those of the derived equation. What the code made of them is known only by its number;
where a single product of two entries gives that number, it is said which.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import TYPE_CHECKING

from convgrad.algebra.layers import passes
from convgrad.convolution import Convolution
from convgrad.exact.literal import contributions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from convgrad.algebra.expression import Equation
    from convgrad.check.nest import Array
    from convgrad.check.probe import Sizes
    from convgrad.check.report import Counterexample
    from convgrad.exact.literal import Contribution, Place

MOST_TERMS, MOST_PAIRS = 6, 5000
FACTORS = {"forward": ("x", "w"), "dx": ("dz", "w"), "dw": ("dz", "x")}
ORDER = {"forward": "n, k", "dx": "n, c", "dw": "k, c", "db": "k"}


def worked(example: Counterexample, *, flat: bool = False) -> Iterator[str]:
    """The first entry that differs, right and as the code has it; nothing where it says nothing.

    Args:
        example: the smallest layer and its arrays.
        flat: the code has one axis, so that the row is not its own.
    """
    place, sizes, actual = example.first_difference, example.sizes, example.actual
    if actual is not None and actual.shape != example.expected.shape:
        yield f"{_left(example)} has the shape {example.expected.shape}, the code's {actual.shape}"
    if place is None or sizes is None or actual is None:
        return
    if sizes.groups > 1 or sizes.mode != "constant" or sizes.relu or "slope" in example.arrays:
        return  # their equations have more than one sum, or other factors than the code
    equation = _equation(sizes, example.gradient)
    names = [index.name for index in equation.indices]
    if len(names) != len(place):
        return  # an untied bias: one entry, one term
    parts = list(contributions(equation, dict(zip(names, place, strict=True))))
    if len(parts) > MOST_TERMS:
        return
    yield f"{_entry(_left(example), place, flat=flat)} = {_sum(parts, example, flat=flat)}"
    yield f"the code has {_number(actual[place])}{_origin(example, place, flat=flat)}"


def _left(example: Counterexample) -> str:
    return "z" if example.gradient == "forward" else example.gradient


def entry_in_words(example: Counterexample, *, flat: bool = False) -> str:
    """The gradient with what the numbers in its brackets are, as in `dw[k, c, row, column]`."""
    rank = example.sizes.rank if example.sizes is not None else 2
    axes = ("depth", "row", "column")[-rank:]
    shown = axes[-1:] if flat else axes
    places = [ORDER[example.gradient], *(shown if example.gradient != "db" else ())]
    return f"{_left(example)}[{', '.join(places)}]"


def _equation(sizes: Sizes, which: str) -> Equation:
    layer = Convolution(
        sizes.size,
        sizes.channels,
        sizes.filters,
        sizes.kernel,
        stride=sizes.stride,
        padding=sizes.pads,
        dilation=sizes.dilation,
        transposed=sizes.transposed,
        output_padding=sizes.output_padding if sizes.transposed else 0,
        flipped=sizes.flipped,
    )
    found = passes(layer)
    equation = found.forward[-1] if which == "forward" else found.gradients[which][-1]
    return equation.with_sizes({"N": sizes.batch})


def _sum(parts: list[Contribution], example: Counterexample, *, flat: bool) -> str:
    if not parts:
        return "0: no window leads there, the sum has no term"
    words = [" · ".join(_entry(n, p, flat=flat) for n, p in part.elements) for part in parts]
    factors = [[_value(example, n, p) for n, p in part.elements] for part in parts]
    shown = [" · ".join(_signed(f, first=i == 0) for i, f in enumerate(fs)) for fs in factors]
    total = _number(sum(prod(fs) for fs in factors))
    middle = f" = {' + '.join(shown)}" if len(parts) > 1 or len(factors[0]) > 1 else ""
    return f"{' + '.join(words)}{middle} = {total}"


def _origin(example: Counterexample, place: Place, *, flat: bool) -> str:
    """The one product of two entries that has the number of the code, if there is one alone."""
    assert example.actual is not None  # noqa: S101  (for the type checker)
    found, names = float(example.actual[place]), FACTORS.get(example.gradient)
    if found == 0:
        return ", no term at all" if example.expected[place] else ""
    if names is None:
        return ""
    one, other = (_array(example, name) for name in names)
    if one.size * other.size > MOST_PAIRS:
        return ""
    pairs = [
        (p, q)
        for p, q in product(_places(one), _places(other))
        if float(one[p]) * float(other[q]) == found
    ]
    if len(pairs) != 1:
        return ""
    (p, q) = pairs[0]
    return f" = {_entry(names[0], p, flat=flat)} · {_entry(names[1], q, flat=flat)}"


def _places(array: Array) -> Iterator[Place]:
    return product(*map(range, array.shape))


def _array(example: Counterexample, name: str) -> Array:
    """An array as the equation has it: the weights of a transposed layer begin with the channel."""
    array = example.arrays[name]
    transposed = example.sizes is not None and example.sizes.transposed
    return array.swapaxes(0, 1) if name == "w" and transposed else array


def _value(example: Counterexample, name: str, place: Place) -> float:
    return float(_array(example, name)[place])


def _entry(name: str, place: Place, *, flat: bool) -> str:
    kept = (*place[:-2], place[-1]) if flat and len(place) > 2 else place
    return f"{name}[{','.join(map(str, kept))}]"


def _number(value: float) -> str:
    return f"{float(value) + 0.0:g}"


def _signed(value: float, *, first: bool) -> str:
    """A factor; a negative one stands in brackets unless it is the first."""
    text = _number(value)
    return text if first or not text.startswith("-") else f"({text})"
