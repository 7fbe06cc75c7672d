"""Probes: small layers with exact arrays, each stressing one feature.

Sizes are chosen all different and greater than one, so that an axis taken for another shows;
entries are small integers without zeros and without symmetry, so that right means equal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

Pair: TypeAlias = tuple[int, int]
Ints: TypeAlias = tuple[int, ...]
OwnPadding: TypeAlias = Literal["", "causal", "same", "same, more in front", "half", "short half"]

SPACE = "DHW"
"""Depth, height and width: a layer slides along the last two or along all three of them."""


@dataclass(frozen=True)
class Sizes:
    """One layer of two or three axes with its batch; a layer of one axis has height 1.

    A transposed layer is the gradient of a convolution by its input, run forward: `size` is the
    input of the layer itself, and its weights have the same order K, C, height, width here; the
    channels of a group lie on K, because every channel of the input has a kernel of its own.
    `mode` says what stands in the padding, in the words of `numpy.pad`.
    """

    batch: int = 2
    channels: int = 3
    filters: int = 5
    size: Ints = (9, 8)
    kernel: Ints = (4, 2)
    stride: Ints = (1, 1)
    pads: tuple[Pair, ...] = ((0, 0), (0, 0))
    dilation: Ints = (1, 1)
    groups: int = 1
    flipped: bool = False
    relu: bool = False
    transposed: bool = False
    output_padding: Ints = (0, 0)
    mode: str = "constant"

    @property
    def rank(self) -> int:
        """How many axes there are."""
        return len(self.size)

    @property
    def space(self) -> str:
        """The letters of the axes: "HW" or "DHW"."""
        return SPACE[-self.rank :]

    def order(self, letters: str) -> str:
        """Our order of axes: `order("NC")` is "NCHW", and "NCDHW" for three axes."""
        return letters + self.space

    @property
    def extent(self) -> Ints:
        """Input positions that one window spans."""
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))

    @property
    def padded(self) -> Ints:
        """Input with its padding."""
        return tuple(n + sum(p) for n, p in zip(self.size, self.pads, strict=True))

    @property
    def output(self) -> Ints:
        """Output positions."""
        if self.transposed:
            axes = zip(
                self.size, self.extent, self.stride, self.pads, self.output_padding, strict=True
            )
            return tuple((n - 1) * s + e - sum(p) + more for n, e, s, p, more in axes)
        axes = zip(self.padded, self.extent, self.stride, strict=True)
        return tuple((p - e) // s + 1 for p, e, s in axes)

    @property
    def unreached(self) -> Ints:
        """Padded positions at the end of each axis that no window reaches."""
        if self.transposed:
            return (0,) * self.rank
        axes = zip(self.padded, self.extent, self.stride, self.output, strict=True)
        return tuple(p - e - s * (o - 1) for p, e, s, o in axes)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of every array in our order."""
        rows, columns = self.filters, self.channels
        if self.transposed:
            rows //= self.groups
        else:
            columns //= self.groups
        return {
            "x": (self.batch, self.channels, *self.size),
            "w": (rows, columns, *self.kernel),
            "b": (self.filters,),
            "z": (self.batch, self.filters, *self.output),
        }

    @property
    def is_legal(self) -> bool:
        """Whether every window fits at least once, and an output padding is less than a stride."""
        if self.channels % self.groups or self.filters % self.groups:
            return False
        if self.transposed:
            within = all(m < s for m, s in zip(self.output_padding, self.stride, strict=True))
            return min(self.output) > 0 and within
        return all(p >= e for p, e in zip(self.padded, self.extent, strict=True))

    def __str__(self) -> str:
        """The layer in the words of a report."""
        words = ["transposed"] if self.transposed else []
        words += [
            f"N={self.batch} C={self.channels} K={self.filters}",
            f"input {_times(self.size)}",
            f"kernel {_times(self.kernel)}",
        ]
        if set(self.stride) != {1}:
            words.append(f"stride {_one_or_all(self.stride)}")
        if any(map(any, self.pads)):
            same = all(before == after for before, after in self.pads)
            first = tuple(before for before, _ in self.pads)
            sides = [f"{a} before and {b} behind" for a, b in self.pads]
            flat = self.size[0] == 1 and not any(self.pads[0])
            uneven = sides[-1] if flat else ", ".join(sides)
            words.append(f"padding {_one_or_all(first) if same else uneven}")
        if any(self.output_padding):
            words.append(f"output padding {_one_or_all(self.output_padding)}")
        if self.mode != "constant":
            words.append(f"padding mode {self.mode}")
        if set(self.dilation) != {1}:
            words.append(f"dilation {_one_or_all(self.dilation)}")
        if self.groups > 1:
            words.append(f"groups {self.groups}")
        return ", ".join(words)


def _times(numbers: Ints) -> str:
    return "×".join(map(str, numbers))


def _one_or_all(numbers: Ints) -> str:
    return str(numbers[0]) if len(set(numbers)) == 1 else _times(numbers)


@dataclass(frozen=True, eq=False)
class Probe:
    """A layer and the arrays that go through it.

    Attributes:
        feature: what this probe stresses, in the words of the report.
        sizes: the layer.
        x, w, b, dz: the arrays in our order.
    """

    feature: str
    sizes: Sizes
    x: Array
    w: Array
    b: Array
    dz: Array

    @property
    def bias(self) -> Array:
        """The bias with the axes of the output, as it is added to it."""
        return self.b.reshape(-1, *[1] * self.sizes.rank)


def integers(sizes: Sizes, feature: str = "", seed: int = 0) -> Probe:
    """Integers between 1 and 6 with random signs: every sum is exact, nothing cancels by design."""
    draw = np.random.default_rng((11, seed))

    def signed(shape: tuple[int, ...]) -> Array:
        return draw.integers(1, 7, size=shape) * draw.choice([-1.0, 1.0], size=shape)

    shapes = sizes.shapes
    x, w, b, dz = (signed(shapes[name]) for name in "xwbz")
    if sizes.relu:  # all outputs positive: a ReLU inside the layer is open everywhere
        x, w, b = np.abs(x), np.abs(w), np.abs(b)
    return Probe(feature, sizes, x, w, b, dz)


def eighths(sizes: Sizes, feature: str) -> Probe:
    """Larger multiples of 1/8: exact in float64 and float32, not in half precision or integers."""
    plain = integers(sizes, feature, seed=1)

    def enlarge(a: Array) -> Array:
        return a * 8 + np.sign(a) * 0.125

    return Probe(feature, sizes, *(enlarge(a) for a in (plain.x, plain.w, plain.b, plain.dz)))


def without_error(sizes: Sizes, feature: str) -> Probe:
    """A zero error: all gradients are zero, whatever else was added shows alone."""
    plain = integers(sizes, feature, seed=2)
    return replace(plain, dz=np.zeros_like(plain.dz))


def impulse(sizes: Sizes, feature: str) -> Probe:
    """A single one in the error: the gradient is a copy of the kernel and of one window."""
    plain = integers(sizes, feature, seed=3)
    dz = np.zeros_like(plain.dz)
    dz[(-1, 0, *(n // 2 for n in dz.shape[2:]))] = 1
    return replace(plain, dz=dz)


@dataclass(frozen=True)
class Abilities:
    """What someone's code can express; probes outside of it are not run."""

    axes: int = 2
    batch: bool = True
    channels: bool = True
    filters: bool = True
    stride: bool = True
    strides: bool = False
    padding: bool = True
    paddings: bool = False
    sides: bool = False
    same: bool = False
    larger_in_front: bool = False
    odd_same: bool = False
    dilation: bool = False
    dilations: bool = False
    groups: bool = False
    square_kernel: bool = False
    square_input: bool = False
    kernel: Ints | None = None
    stride_fixed: int = 1
    padding_fixed: int = 0
    output_padding: bool = False
    flipped: bool = False
    relu: bool = False
    activation: str = ""
    transposed: bool = False
    depthwise: bool = False
    mode: str = "constant"
    own_padding: OwnPadding = ""

    @property
    def flat(self) -> bool:
        """Whether there is one axis."""
        return self.axes == 1

    @property
    def rank(self) -> int:
        """How many axes the arrays have here: a layer of one axis is one of height 1."""
        return max(self.axes, 2)


OWN_PADDINGS: dict[OwnPadding, str] = {
    "causal": "in front alone, dilation·(kernel - 1) wide",
    "same": "so wide that the output has ceil(input/stride) positions",
    "same, more in front": "so wide that the output has ceil(input/stride) positions, the larger"
    " half in front",
    "half": "kernel//2 on both sides",
    "short half": "(kernel - 1)//2 on both sides",
}
"""Padding that a layer works out from its sizes, in words: causal is that in which no output sees
an input that comes after it."""

MODES = ("constant", "wrap", "edge", "reflect", "symmetric")


@dataclass(frozen=True)
class _Usual:
    """The numbers of the probes, for so many axes: all different, and equal for what is plain.

    Attributes:
        size, kernel: of the layer in which all sizes differ; `turned` are other orders of it.
        side, plain_kernel: of the layer in which they agree.
        small, small_side: inputs of a transposed layer.
        all_features: the input of the layer with padding and stride.
        same_side: an input with equal sides for code that takes no other.
        pads: paddings that differ from axis to axis.
    """

    size: Ints
    turned: tuple[Ints, ...]
    kernel: Ints
    side: int
    plain_kernel: Ints
    small: Ints
    small_turned: tuple[Ints, ...]
    small_side: int
    all_features: Ints
    same_side: int
    pads: tuple[Pair, ...]


_USUAL = {
    2: _Usual(
        (9, 8), ((8, 9),), (4, 2), 8, (3, 3), (5, 4), ((4, 6),), 5, (10, 8), 8, ((2, 2), (1, 1))
    ),
    # A third axis multiplies the work: these are small enough for loops over single numbers.
    3: _Usual(
        (4, 5, 6), ((6, 5, 4), (5, 6, 4)), (2, 4, 3), 5, (2, 2, 2),
        (3, 2, 4), ((4, 3, 2), (2, 4, 3)), 3, (4, 8, 3), 5, ((2, 2), (0, 0), (1, 1)),
    ),
}  # fmt: skip


def base_sizes(abilities: Abilities) -> Sizes:
    """Everything different and greater than one, as far as the code can express it."""
    rank = abilities.rank
    usual = _USUAL[rank]
    kernel = usual.kernel
    channels = 3
    if abilities.kernel is not None:
        kernel = abilities.kernel
        channels = 2 if 3 in kernel else 3
    elif abilities.square_kernel:
        kernel = (2,) * rank
    size = (usual.same_side,) * rank if abilities.square_input else usual.size
    batch = (4 if rank == 2 else 3) if channels == 2 else 2
    fixed = (abilities.padding_fixed, abilities.padding_fixed)
    sizes = Sizes(
        batch=batch if abilities.batch else 1,
        channels=channels if abilities.channels else 1,
        filters=5 if abilities.filters else 1,
        size=size,
        kernel=kernel,
        stride=(abilities.stride_fixed,) * rank,
        pads=(fixed,) * rank,
        dilation=(1,) * rank,
        flipped=abilities.flipped,
        relu=abilities.relu,
        transposed=abilities.transposed,
        output_padding=(0,) * rank,
        mode=abilities.mode,
    )
    if abilities.transposed:
        side = (usual.small_side,) * rank
        sizes = replace(sizes, size=side if abilities.square_input else usual.small)
    if abilities.flat:
        sizes = replace(
            sizes,
            size=(1, sizes.size[1] + 3),
            kernel=(1, kernel[0]),
            pads=((0, 0), sizes.pads[1]),
        )
    sizes = as_padded(sizes, abilities.own_padding)
    return as_depthwise(sizes) if abilities.depthwise else sizes


def as_padded(sizes: Sizes, own: OwnPadding) -> Sizes:
    """The layer with the padding that the code works out for itself."""
    if own == "causal":
        return replace(sizes, pads=tuple((extent - 1, 0) for extent in sizes.extent))
    if own == "same":
        return _same(sizes)
    if own == "same, more in front":
        return replace(sizes, pads=tuple((after, before) for before, after in _same(sizes).pads))
    if own in {"half", "short half"}:
        less = 1 if own == "short half" else 0
        return replace(sizes, pads=tuple(((extent - less) // 2,) * 2 for extent in sizes.extent))
    return sizes


def with_odd_kernel(sizes: Sizes, abilities: Abilities) -> Sizes:
    """The layer with kernels that have a middle."""
    if abilities.kernel is not None:
        return sizes
    odd = (3,) * sizes.rank if abilities.square_kernel else (3, 5, 3)[-sizes.rank :]
    return replace(sizes, kernel=(1, 3) if abilities.flat else odd)


def as_depthwise(sizes: Sizes) -> Sizes:
    """The layer with one filter for every channel."""
    return replace(sizes, filters=sizes.channels, groups=sizes.channels)


def probes(
    abilities: Abilities, fix: Callable[[Sizes], Sizes] = lambda sizes: sizes
) -> Iterator[Probe]:
    """The probes that the code can express: the plain layer first, then one feature at a time.

    Args:
        abilities: what can be expressed.
        fix: sets the sizes that the user has fixed; layers that become equal occur once.
    """
    seen: set[Sizes] = set()
    for feature, sizes in _layers(abilities):
        fixed = fix(as_depthwise(sizes) if abilities.depthwise else sizes)
        fixed = as_padded(fixed, abilities.own_padding)
        if fixed.is_legal and fixed not in seen:
            seen.add(fixed)
            yield integers(fixed, feature)
    base = _square(abilities)
    if abilities.padding:
        base = padded(base, 1)
    base = fix(as_depthwise(base) if abilities.depthwise else base)
    base = as_padded(base, abilities.own_padding)
    if base.is_legal:
        yield eighths(base, "large and fractional numbers")
        yield without_error(base, "zero error")
        yield impulse(base, "unit impulse")


def _square(abilities: Abilities) -> Sizes:
    """The base layer with equal sides, so that only what is named is special."""
    base = base_sizes(abilities)
    if abilities.flat:
        return base
    free = abilities.kernel is None and not abilities.square_kernel
    kernel = _USUAL[base.rank].plain_kernel if free else base.kernel
    return replace(equal_sides(base), kernel=kernel)


def equal_sides(sizes: Sizes) -> Sizes:
    """The layer with an input of equal sides."""
    usual = _USUAL[sizes.rank]
    side = usual.small_side if sizes.transposed else usual.side
    return replace(sizes, size=(side,) * sizes.rank)


def padded(sizes: Sizes, pad: int) -> Sizes:
    """The layer with so much padding on every side."""
    return replace(sizes, pads=tuple((n, n) for n in everywhere(sizes, pad)))


def everywhere(sizes: Sizes, number: int) -> Ints:
    """The number for every axis, but nothing along the absent axis of a flat layer."""
    axes = zip(sizes.size, sizes.kernel, strict=True)
    return tuple(number if n > 1 or k > 1 else 0 for n, k in axes)


def _layers(abilities: Abilities) -> Iterator[tuple[str, Sizes]]:
    yield from _size_layers(abilities)
    yield from _window_layers(abilities)
    yield from _tap_layers(abilities)


def _size_layers(abilities: Abilities) -> Iterator[tuple[str, Sizes]]:
    base = base_sizes(abilities)
    square = _square(abilities)
    usual = _USUAL[base.rank]
    yield "plain", replace(square, batch=1)
    if abilities.batch:
        yield "batch", square
        yield "batch", replace(square, batch=3)
    if abilities.filters and not abilities.depthwise:
        yield "one filter", replace(square, filters=1)
    if abilities.filters and abilities.channels and not abilities.depthwise:
        yield "as many filters as channels", replace(square, filters=square.channels)
    if not abilities.square_input and not abilities.flat:
        uneven = "non-square" if base.rank == 2 else "non-cubic"
        if base.kernel != square.kernel:
            yield f"{uneven} kernel", replace(base, size=square.size)
        yield uneven, base
        for size in usual.small_turned if abilities.transposed else usual.turned:
            yield uneven, replace(base, size=size)


def _window_layers(abilities: Abilities) -> Iterator[tuple[str, Sizes]]:
    """Strides and padding."""
    base = base_sizes(abilities)
    square = _square(abilities)
    two, three = (2,) * base.rank, (3,) * base.rank
    if abilities.stride:
        yield "stride", _covered(replace(square, stride=two))
        if abilities.transposed:
            yield "stride", replace(square, stride=three)
        else:
            yield "sizes no window covers", _uncovered(replace(square, stride=two))
            yield "sizes no window covers", _uncovered(replace(square, stride=three))
    if abilities.strides and not abilities.flat:
        yield from (("unequal strides", sizes) for sizes in _unequal_strides(base))
    if abilities.padding:
        yield "padding", padded(square, 1)
        # in space a margin of two is most of the work: one sample shows it
        yield "padding", padded(square if base.rank == 2 else replace(square, batch=1), 2)
    if abilities.paddings and not abilities.flat:
        yield "unequal padding", replace(base, pads=_USUAL[base.rank].pads)
    if abilities.sides:
        sides = ((1, 0), (0, 2), (1, 0))[-base.rank :]
        yield "padding per side", replace(base, pads=((0, 0), (1, 0)) if abilities.flat else sides)
    if abilities.odd_same:
        yield "same padding", as_padded(with_odd_kernel(base, abilities), "same")
    elif abilities.same or abilities.own_padding.startswith("same"):
        own: OwnPadding = "same, more in front" if abilities.larger_in_front else "same"
        yield "same padding", as_padded(base, own)
        if abilities.stride:
            yield "same padding", as_padded(replace(base, stride=two), own)
        if abilities.kernel is None:  # with four taps the far half is twice the near one
            small = replace(base, kernel=tuple(min(taps, 2) for taps in base.kernel))
            yield "same padding", as_padded(small, own)
    if abilities.stride and abilities.padding:
        yield "stride and padding", _covered(replace(padded(square, 1), stride=two))
        size = base.size if abilities.transposed else _USUAL[base.rank].all_features
        everything = replace(padded(base, 1), size=size, stride=two)
        if abilities.square_input or abilities.flat:
            everything = replace(padded(square, 1), stride=two)
        yield "everything", _covered(everything)
    if abilities.transposed and abilities.output_padding and abilities.stride:
        yield from _output_paddings(abilities)


def _unequal_strides(base: Sizes) -> Iterator[Sizes]:
    if base.rank == 2:
        yield replace(base, stride=(2, 1))
        yield replace(base, stride=(1, 2))
        return
    for stride in ((2, 1, 3), (3, 2, 1), (1, 3, 2)):
        axes = zip(base.kernel, stride, (1, 2, 3), strict=True)
        size = tuple(k + s * more for k, s, more in axes)  # 2, 3 and 4 outputs
        yield replace(base, stride=stride, size=base.size if base.transposed else size)


def _output_paddings(abilities: Abilities) -> Iterator[tuple[str, Sizes]]:
    """Positions that are added at the far end of a transposed layer's output."""
    square = replace(_square(abilities), stride=(2,) * abilities.rank)
    yield "output padding", replace(square, output_padding=everywhere(square, 1))
    if abilities.padding:
        base = replace(padded(base_sizes(abilities), 1), stride=(3,) * abilities.rank)
        yield "output padding", replace(base, output_padding=everywhere(base, 2))


def _tap_layers(abilities: Abilities) -> Iterator[tuple[str, Sizes]]:
    """Kernels, dilation and groups."""
    base = base_sizes(abilities)
    square = _square(abilities)
    if abilities.kernel is None:
        small = replace(square, kernel=(1,) * base.rank)
        name = f"{_times(small.kernel)} kernel"
        yield name, small
        if abilities.padding:
            yield name, padded(small, 1)
    if abilities.dilation:
        yield "dilation", _dilated(base, base.kernel, 2)
        other = (2, 3, 2)[-base.rank :]
        yield "dilation", _dilated(base, base.kernel if _is_fixed(abilities) else other, 3)
    if abilities.dilations and not abilities.flat:
        wide = replace(base, dilation=(1, 2, 1)[-base.rank :])
        larger = replace(wide, size=tuple(n + 3 for n in base.size))
        yield "unequal dilation", larger if base.rank == 2 else _with_few_windows(wide)
    if abilities.groups and not abilities.depthwise:
        grouped = replace(base, channels=4, filters=6, groups=2)
        yield "groups", grouped
        yield "groups", replace(grouped, size=(1, 8) if abilities.flat else square.size, batch=1)


def _is_fixed(abilities: Abilities) -> bool:
    return abilities.square_kernel or abilities.kernel is not None or abilities.flat


def _dilated(sizes: Sizes, kernel: Ints, dilation: int) -> Sizes:
    """Large enough that a dilated window finds several places; a flat layer stays flat."""
    larger = tuple(n + 2 * dilation - 1 for n in sizes.size)
    if sizes.size[0] == 1:
        return replace(sizes, size=(1, larger[1] + 2), dilation=(1, dilation))
    wide = replace(sizes, kernel=kernel, dilation=(dilation,) * sizes.rank)
    if sizes.rank == 2:
        return replace(wide, size=larger)
    return _with_few_windows(wide)


def _with_few_windows(sizes: Sizes) -> Sizes:
    """In space as large as a few windows need; a transposed layer has few as it is."""
    few = tuple(e + n for e, n in zip(sizes.extent, (1, 2, 1), strict=True))
    return sizes if sizes.transposed else replace(sizes, size=few)


def _covered(sizes: Sizes) -> Sizes:
    """Made smaller until every padded position is reached."""
    while any(sizes.unreached):
        axes = zip(sizes.size, sizes.unreached, strict=True)
        sizes = replace(sizes, size=tuple(n - (rest > 0) for n, rest in axes))
    return sizes


def _uncovered(sizes: Sizes) -> Sizes:
    """Made larger until positions are left over, the same number for a square layer."""
    sizes = _covered(sizes)
    first = 0 if sizes.size[0] == 1 else 1
    return replace(sizes, size=(sizes.size[0] + first, *(n + 1 for n in sizes.size[1:])))


def _same(sizes: Sizes) -> Sizes:
    """Padding so that the output has ceil(input / stride) positions, the smaller half before."""
    pads: list[Pair] = []
    for size, extent, stride in zip(sizes.size, sizes.extent, sizes.stride, strict=True):
        outputs = -(-size // stride)
        total = max((outputs - 1) * stride + extent - size, 0)
        pads.append((total // 2, total - total // 2))
    return replace(sizes, pads=tuple(pads))
