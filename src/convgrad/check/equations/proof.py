"""The proof by evaluation: an equation with its ranges, on integers, against the derived gradient.

The relation of the subscripts says nothing about ranges that someone wrote under a sum. They are
put to the test: the written equation becomes one of the algebra, its letters get the values of a
layer, and both sides are evaluated exactly.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from convgrad.algebra.affine import Affine
from convgrad.algebra.conditions import reading_conditions
from convgrad.algebra.expression import Access, Divides, Equation, Index, Tensor, Term, Within
from convgrad.algebra.layers import passes
from convgrad.algebra.polynomial import ONE, ZERO, Polynomial
from convgrad.algebra.written import AtLeast, with_both_ends
from convgrad.check.equations.reading import SPATIAL, size_of_kernel
from convgrad.check.equations.relation import DILATION, PADDING, STRIDE, Layer
from convgrad.convolution import Convolution
from convgrad.errors import ConvgradError
from convgrad.exact.vectorised import evaluate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from convgrad.check.equations.reading import Factor, Reading
    from convgrad.exact.arithmetic import Array

Sizes: TypeAlias = dict[str, int]
Lengths: TypeAlias = dict[tuple[str, str], int]
SAMPLES, GROUPS, CHANNELS, FILTERS = 2, 2, 2, 3
INPUT = {"D": 6, "H": 8, "W": 7}
TAPS = {"D": 2, "H": 3, "W": 2}
FAR = 12
THINGS = {
    "w": "the kernel has {} taps",
    "z": "the output has {} positions",
    "x": "the input has {} positions",
}
PLAIN = Layer(ONE, ONE, ZERO)


def holds(
    products: Sequence[Reading], layers: Mapping[str, Layer]
) -> tuple[bool | None, tuple[str, ...]]:
    """Whether the equation gives the gradient of a layer with these strides, on every entry.

    Returns: the answer, None where its letters cannot be given values, so that nothing is shown;
        and what letters in the ranges must stand for, where that is not the size of an axis.
    """
    reading = products[0]
    values = {name: v for one in products for name, v in _values(one, layers).items()}
    layer = _layer(reading, layers, values)
    if layer is None:
        return None, ()
    lengths = _lengths(reading, layer)
    if any(_lacks(factor, one, lengths) for one in products for factor in one.factors.values()):
        return None, ()
    terms: list[Equation] = []
    meanings: list[str] = []
    for one in products:
        equation = _equation(_bounded(one), lengths, values, meanings)
        if equation is None:
            return None, tuple(meanings)
        terms.append(equation)
    whole = replace(terms[0], terms=tuple(term for e in terms for term in e.terms))
    return _agree(reading, whole, layer), tuple(meanings)


def _bounded(reading: Reading) -> Reading:
    """Sums over indices that are no whole subscript, as sums over all that can matter.

    In w[2*t + 1] the index t may be negative: it is written as t - FAR for t from 0 to 2*FAR.
    """
    plain = {s.plain for f in reading.factors.values() for _, s in f.pairs()}
    open_ = [i.name for i in reading.term.sums if i.first is None and i.name not in plain]
    if not open_:
        return reading
    values = {name: Affine.index(name) - FAR for name in open_}
    product = tuple(_moved_along(factor, values) for factor in reading.product)
    sums = tuple(
        replace(i, first=ZERO, last=Polynomial.of(2 * FAR)) if i.name in open_ else i
        for i in reading.term.sums
    )
    term = replace(reading.term.map(lambda form: form.with_indices(values)), sums=sums)
    return replace(reading, product=product, term=term)


def _moved_along(factor: Factor, values: Mapping[str, Affine]) -> Factor:
    pairs = factor.pairs()
    return factor.with_subscripts({letter: s.with_indices(values) for letter, s in pairs})


def _lacks(factor: Factor, reading: Reading, lengths: Lengths) -> bool:
    """Whether a tensor has no axis where the layer has several samples, channels or filters."""
    needed = {"x": "NGC", "w": "GKC", "z": "NGK", "b": "GK"}[factor.role] + reading.spatial
    missing = [c for c in needed if c not in factor.axes and c not in SPATIAL]
    return factor is not reading.left and any(lengths[factor.role, c] > 1 for c in missing)


def _values(reading: Reading, layers: Mapping[str, Layer]) -> Sizes:
    """Values for the letters of strides, dilations and paddings, and of the taps."""
    taps = _taps(reading)
    values = {str(size_of_kernel(letter)): taps[letter] for letter in SPATIAL}
    letters = {n for f in reading.factors.values() for s in f.access.subscripts for n in s.letters}
    for letter, layer in layers.items():
        letters |= layer.stride.letters | layer.dilation.letters
        for name in sorted((layer.padding.letters | letters) - values.keys()):
            for pattern, value in ((STRIDE, 2), (PADDING, 1), (DILATION, 2)):
                if pattern.fullmatch(name):
                    values.setdefault(name, value)
        for name in layer.padding.letters - values.keys():  # a padding of k - 1
            values[name] = taps[letter]
    return values


def _taps(reading: Reading) -> Sizes:
    """The size of the kernel: what a sum over taps says in numbers, or a small one."""
    found = dict(TAPS)
    weights = reading.factors.get("w")
    stated = {
        i.name: i.last - i.first + 1
        for i in reading.term.sums
        if i.first is not None and i.last is not None
    }
    for letter, subscript in weights.pairs() if weights else ():
        number = stated[subscript.plain].number if subscript.plain in stated else None
        if letter in found and number is not None and 0 < number < min(INPUT.values()):
            found[letter] = number
    return found


def _layer(reading: Reading, layers: Mapping[str, Layer], values: Sizes) -> Convolution | None:
    taps = _taps(reading)
    strides: list[int] = []
    dilations: list[int] = []
    paddings: list[int] = []
    for letter in reading.spatial:
        layer = layers.get(letter, PLAIN)
        sizes = (layer.stride, layer.dilation, layer.padding)
        numbers = [size.at(values).number for size in sizes]
        if any(number is None for number in numbers):
            return None
        stride, dilation, padding = (number or 0 for number in numbers)
        if layer.flipped:  # counted from the far end of the kernel
            padding -= dilation * (taps[letter] - 1)
        strides.append(stride)
        dilations.append(abs(dilation))
        paddings.append(padding)
    axes = "".join(factor.axes for factor in reading.factors.values())
    groups = GROUPS if "G" in axes else 1
    try:
        return Convolution(
            tuple(INPUT[letter] for letter in reading.spatial),
            groups * (CHANNELS if "C" in axes else 1),
            groups * (FILTERS if "K" in axes else 1),
            groups=groups,
            transposed=reading.transposed,
            bias=False if reading.which == "forward" else "filter",
            kernel=tuple(taps[letter] for letter in reading.spatial),
            stride=tuple(strides),
            dilation=tuple(dilations),
            padding=tuple(paddings),
            flipped=any(layer.flipped for layer in layers.values()),
        )
    except ConvgradError:
        return None


def _lengths(reading: Reading, layer: Convolution) -> Lengths:
    """The length of every axis of x, w and z by role and letter."""
    axes = "".join(factor.axes for factor in reading.factors.values())
    samples = SAMPLES if "N" in axes else 1
    found: Lengths = {}
    for role in "xwz":
        found |= {(role, "N"): samples, (role, "G"): layer.groups}
        found |= {
            (role, "C"): layer.in_channels // layer.groups,
            (role, "K"): layer.filters // layer.groups,
        }
    found |= {("b", "G"): layer.groups, ("b", "K"): layer.filters // layer.groups}
    for letter, axis in zip(reading.spatial, layer.axes, strict=True):
        found |= {("x", letter): axis.input, ("w", letter): axis.kernel, ("z", letter): axis.output}
    return found


def _equation(
    reading: Reading, lengths: Lengths, values: Sizes, meanings: list[str]
) -> Equation | None:
    """The written equation with a number for every range."""
    factors = reading.product
    untied = reading.which == "db" and reading.left.axes != "K"
    if untied or not all(subscript.plain for _, subscript in reading.left.pairs()):
        return None
    extents: Sizes = {}
    for factor in (reading.left, *factors):
        for letter, subscript in factor.pairs():
            if subscript.plain:
                extents.setdefault(subscript.plain, lengths[factor.role, letter])
    known = _stated(reading, extents, values, lengths, meanings)
    if any(index.name not in extents for index in reading.term.sums):
        return None
    reads = tuple(Access(_tensor(f, f.role, lengths), f.access.subscripts) for f in factors)
    left = Access(_tensor(reading.left, "left", lengths), reading.left.access.subscripts)
    indices = tuple(
        Index(s.plain or "", Polynomial.of(lengths[reading.left.role, letter]))
        for letter, s in reading.left.pairs()
    )
    sums = tuple(Index(i.name, Polynomial.of(extents[i.name])) for i in reading.term.sums)
    written = [replace(c, value=c.value.with_sizes(known)) for c in reading.term.conditions]
    ranges = {index.name: index.extent for index in (*indices, *sums)}
    if any(c.value.indices - ranges.keys() for c in written):
        return None
    conditions = with_both_ends(written, ranges)
    if conditions is None:
        return None
    term = Term(sums, reads, conditions, Fraction(reading.term.coefficient))
    if term.free - {index.name for index in (*indices, *sums)}:
        return None
    equation = Equation(left, indices, (term,)).with_sizes(known)
    (term,) = equation.terms
    sizes = [c.extent for c in term.conditions if isinstance(c, Within)]
    sizes += [c.modulus for c in term.conditions if isinstance(c, Divides)]
    if equation.letters or any(size.letters for size in sizes):
        return None
    needed = reading_conditions(term, equation.extents(term))
    return replace(equation, terms=(replace(term, conditions=(*term.conditions, *needed)),))


def _stated(
    reading: Reading, extents: Sizes, values: Sizes, lengths: Lengths, meanings: list[str]
) -> Sizes:
    """Put the ranges that are written into `extents`; the letters that have values now."""
    stated = {
        index.name: index.last - index.first + 1
        for index in reading.term.sums
        if index.first is not None and index.last is not None
    }
    known = dict(values)
    for condition in reading.term.conditions:
        if isinstance(condition, Within):
            known |= _length_of(condition.value, condition.extent, reading, lengths, known)
        elif isinstance(condition, AtLeast):
            known |= _length_above(condition.value, reading, lengths, known, meanings)
    for name, size in stated.items():  # T - 1 above the sum over taps says what T is
        letters = size.letters - known.keys()
        if len(letters) == 1 and name in extents:
            (letter,) = letters
            rest = (size - letter).number
            if rest is not None:
                known[letter] = extents[name] - rest
                meanings += _meaning(size, rest, name, reading)
    for name, size in stated.items():
        number = size.at(known).number
        if number is not None:
            extents[name] = number
    return known


def _length_of(
    value: Affine, extent: Polynomial, reading: Reading, lengths: Lengths, known: Sizes
) -> Sizes:
    """0 <= i + p - s*o < T: T is the length of the axis that is read so."""
    letters = extent.letters - known.keys()
    for factor in reading.product if len(letters) == 1 else ():
        for letter, subscript in factor.pairs():
            before = (subscript - value).constant.number
            if not (subscript - value).terms and before is not None:
                (name,) = letters
                rest = (extent - name).number
                if rest is not None:
                    return {name: lengths[factor.role, letter] - before - rest}
    return {}


def _meaning(size: Polynomial, rest: int, name: str, reading: Reading) -> list[str]:
    """What a letter must be where not itself but size = letter + rest is the length of an axis."""
    roles = (f.role for f in reading.factors.values() for _, s in f.pairs() if s.plain == name)
    role = next(roles, "")
    return [THINGS[role].format(size)] if rest and role in THINGS else []


def _length_above(
    value: Affine, reading: Reading, lengths: Lengths, known: Sizes, meanings: list[str]
) -> Sizes:
    """T - 1 - (i - o) >= 0: T is the length of the axis that is read at i - o."""
    for factor in reading.product:
        for letter, subscript in factor.pairs():
            whole = (value + subscript).with_sizes(known)
            names = whole.constant.letters
            if whole.terms or whole.divisor != ONE or len(names) != 1:
                continue
            (name,) = names
            rest = (whole.constant - name).number
            if rest is not None:
                size = whole.constant + 1
                meanings += [THINGS[factor.role].format(size)] if rest + 1 else []
                return {name: lengths[factor.role, letter] - 1 - rest}
    return {}


def _tensor(factor: Factor, name: str, lengths: Lengths) -> Tensor:
    return Tensor(
        name, tuple(Polynomial.of(lengths[factor.role, letter]) for letter in factor.axes)
    )


def _agree(reading: Reading, equation: Equation, layer: Convolution) -> bool:
    """Whether the left side as it is written equals the derived gradient."""
    lengths = _lengths(reading, layer)
    group = "G" if layer.groups > 1 else ""
    kernel = group + ("CK" if layer.transposed else "KC")
    order = {"x": f"N{group}C", "w": kernel, "z": f"N{group}K"}
    order = {role: letters + reading.spatial for role, letters in order.items()}
    draw = np.random.default_rng(5)
    full = {
        role: draw.integers(1, 7, [lengths[role, letter] for letter in letters])
        for role, letters in order.items()
    }
    arrays = {f.role: _moved(full[f.role], order[f.role], f.axes) for f in reading.product}
    derived = _derived(reading, layer).with_sizes({"N": lengths["x", "N"]})
    named = {"dz": full["z"], "x": full["x"], "w": full["w"]}
    right = evaluate(derived, {name: named[name] for name in derived.inputs})
    letters = f"{group}K" if reading.which == "db" else order[reading.left.role]
    found = evaluate(equation, arrays)
    return bool(np.array_equal(found, _moved(right, letters, reading.left.axes)))


def _derived(reading: Reading, layer: Convolution) -> Equation:
    found = passes(layer)
    return found.forward[-1] if reading.which == "forward" else found.gradients[reading.which][0]


def _moved(array: Array, axes: str, order: str) -> Array:
    """The array with its axes in another order; axes that are absent there have length one."""
    kept = [axes.index(letter) for letter in order]
    gone = [n for n in range(len(axes)) if n not in kept]
    return np.transpose(array, [*kept, *gone]).reshape([array.shape[n] for n in kept])
