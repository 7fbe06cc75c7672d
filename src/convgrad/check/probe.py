"""Probes: small layers with exact arrays, each stressing one feature.

Sizes are chosen all different and greater than one, so that an axis taken for another shows;
entries are small integers without zeros and without symmetry, so that right means equal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

Pair: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Sizes:
    """One two-dimensional layer with its batch; a layer of one dimension has height 1.

    A transposed layer is the gradient of a convolution by its input, run forward: `size` is the
    input of the layer itself, and its weights have the same order K, C, height, width here.
    `mode` says what stands in the padding, in the words of `numpy.pad`.
    """

    batch: int = 2
    channels: int = 3
    filters: int = 5
    size: Pair = (9, 8)
    kernel: Pair = (4, 2)
    stride: Pair = (1, 1)
    pads: tuple[Pair, Pair] = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    groups: int = 1
    flipped: bool = False
    relu: bool = False
    transposed: bool = False
    mode: str = "constant"

    @property
    def extent(self) -> Pair:
        """Input positions that one window spans."""
        return (
            self.dilation[0] * (self.kernel[0] - 1) + 1,
            self.dilation[1] * (self.kernel[1] - 1) + 1,
        )

    @property
    def padded(self) -> Pair:
        """Input with its padding."""
        return (self.size[0] + sum(self.pads[0]), self.size[1] + sum(self.pads[1]))

    @property
    def output(self) -> Pair:
        """Output positions."""
        if self.transposed:
            axes = zip(self.size, self.extent, self.stride, self.pads, strict=True)
            height, width = ((n - 1) * s + e - sum(p) for n, e, s, p in axes)
            return height, width
        sizes = zip(self.padded, self.extent, self.stride, strict=True)
        height, width = ((p - e) // s + 1 for p, e, s in sizes)
        return height, width

    @property
    def unreached(self) -> Pair:
        """Padded rows and columns at the end that no window reaches."""
        if self.transposed:
            return 0, 0
        sizes = zip(self.padded, self.extent, self.stride, self.output, strict=True)
        rows, columns = (p - e - s * (o - 1) for p, e, s, o in sizes)
        return rows, columns

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of every array in our order."""
        per_group = self.channels // self.groups
        return {
            "x": (self.batch, self.channels, *self.size),
            "w": (self.filters, per_group, *self.kernel),
            "b": (self.filters,),
            "z": (self.batch, self.filters, *self.output),
        }

    @property
    def is_legal(self) -> bool:
        """Whether every window fits at least once."""
        if self.transposed:
            return min(self.output) > 0 and self.groups == 1
        fits = all(p >= e for p, e in zip(self.padded, self.extent, strict=True))
        return fits and not (self.channels % self.groups or self.filters % self.groups)

    def __str__(self) -> str:
        """The layer in the words of a report."""
        words = ["transposed"] if self.transposed else []
        words += [
            f"N={self.batch} C={self.channels} K={self.filters}",
            f"input {self.size[0]}×{self.size[1]}",
            f"kernel {self.kernel[0]}×{self.kernel[1]}",
        ]
        if self.stride != (1, 1):
            words.append(f"stride {_one_or_two(self.stride)}")
        if self.pads != ((0, 0), (0, 0)):
            same = all(before == after for before, after in self.pads)
            first = (self.pads[0][0], self.pads[1][0])
            words.append(f"padding {_one_or_two(first) if same else self.pads}")
        if self.mode != "constant":
            words.append(f"padding mode {self.mode}")
        if self.dilation != (1, 1):
            words.append(f"dilation {_one_or_two(self.dilation)}")
        if self.groups > 1:
            words.append(f"groups {self.groups}")
        return ", ".join(words)


def _one_or_two(pair: Pair) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}×{pair[1]}"


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
    dz[-1, 0, dz.shape[2] // 2, dz.shape[3] // 2] = 1
    return replace(plain, dz=dz)


@dataclass(frozen=True)
class Abilities:
    """What someone's code can express; probes outside of it are not run."""

    batch: bool = True
    channels: bool = True
    filters: bool = True
    stride: bool = True
    strides: bool = False
    padding: bool = True
    paddings: bool = False
    sides: bool = False
    same: bool = False
    dilation: bool = False
    groups: bool = False
    square_kernel: bool = False
    square_input: bool = False
    kernel: Pair | None = None
    flat: bool = False
    stride_fixed: int = 1
    padding_fixed: int = 0
    flipped: bool = False
    relu: bool = False
    transposed: bool = False
    depthwise: bool = False
    mode: str = "constant"


MODES = ("constant", "wrap", "edge", "reflect", "symmetric")


def base_sizes(abilities: Abilities) -> Sizes:
    """Everything different and greater than one, as far as the code can express it."""
    kernel: Pair = (4, 2)
    channels = 3
    if abilities.kernel is not None:
        kernel = abilities.kernel
        channels = 2 if 3 in kernel else 3
    elif abilities.square_kernel:
        kernel = (2, 2)
    size: Pair = (9, 8)
    if abilities.square_input:
        size = (8, 8)
    batch = 4 if channels == 2 else 2
    fixed = (abilities.padding_fixed, abilities.padding_fixed)
    sizes = Sizes(
        batch=batch if abilities.batch else 1,
        channels=channels if abilities.channels else 1,
        filters=5 if abilities.filters else 1,
        size=size,
        kernel=kernel,
        stride=(abilities.stride_fixed, abilities.stride_fixed),
        pads=(fixed, fixed),
        flipped=abilities.flipped,
        relu=abilities.relu,
        transposed=abilities.transposed,
        mode=abilities.mode,
    )
    if abilities.transposed:
        sizes = replace(sizes, size=(5, 5) if abilities.square_input else (5, 4))
    if abilities.flat:
        sizes = replace(
            sizes,
            size=(1, sizes.size[1] + 3),
            kernel=(1, kernel[0]),
            pads=((0, 0), sizes.pads[1]),
        )
    return as_depthwise(sizes) if abilities.depthwise else sizes


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
        if fixed.is_legal and fixed not in seen:
            seen.add(fixed)
            yield integers(fixed, feature)
    base = _square(abilities)
    if abilities.padding:
        base = _padded(base, 1)
    base = fix(as_depthwise(base) if abilities.depthwise else base)
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
    side = 5 if abilities.transposed else 8
    return replace(base, size=(side, side), kernel=(3, 3) if free else base.kernel)


def _padded(sizes: Sizes, pad: int) -> Sizes:
    rows = (pad, pad) if sizes.kernel[0] > 1 or sizes.size[0] > 1 else (0, 0)
    return replace(sizes, pads=(rows, (pad, pad)))


def _layers(abilities: Abilities) -> Iterator[tuple[str, Sizes]]:
    yield from _size_layers(abilities)
    yield from _window_layers(abilities)
    yield from _tap_layers(abilities)


def _size_layers(abilities: Abilities) -> Iterator[tuple[str, Sizes]]:
    base = base_sizes(abilities)
    square = _square(abilities)
    yield "plain", replace(square, batch=1)
    if abilities.batch:
        yield "batch", square
        yield "batch", replace(square, batch=3)
    if abilities.filters and not abilities.depthwise:
        yield "one filter", replace(square, filters=1)
    if abilities.filters and abilities.channels and not abilities.depthwise:
        yield "as many filters as channels", replace(square, filters=square.channels)
    if not abilities.square_input and not abilities.flat:
        if base.kernel != square.kernel:
            yield "non-square kernel", replace(base, size=square.size)
        yield "non-square", base
        yield "non-square", replace(base, size=(4, 6) if abilities.transposed else (8, 9))


def _window_layers(abilities: Abilities) -> Iterator[tuple[str, Sizes]]:
    """Strides and padding."""
    base = base_sizes(abilities)
    square = _square(abilities)
    if abilities.stride:
        yield "stride", _covered(replace(square, stride=(2, 2)))
        if abilities.transposed:
            yield "stride", replace(square, stride=(3, 3))
        else:
            yield "sizes no window covers", _uncovered(replace(square, stride=(2, 2)))
            yield "sizes no window covers", _uncovered(replace(square, stride=(3, 3)))
    if abilities.strides and not abilities.flat:
        yield "unequal strides", replace(base, stride=(2, 1))
        yield "unequal strides", replace(base, stride=(1, 2))
    if abilities.padding:
        yield "padding", _padded(square, 1)
        yield "padding", _padded(square, 2)
    if abilities.paddings and not abilities.flat:
        yield "unequal padding", replace(base, pads=((2, 2), (1, 1)))
    if abilities.sides:
        yield "padding per side", replace(base, pads=((0, 0) if abilities.flat else (0, 2), (1, 0)))
    if abilities.same:
        yield "same padding", _same(base)
        yield "same padding", _same(replace(base, stride=(2, 2)))
    if abilities.stride and abilities.padding:
        yield "stride and padding", _covered(replace(_padded(square, 1), stride=(2, 2)))
        size = base.size if abilities.transposed else (10, 8)
        everything = replace(_padded(base, 1), size=size, stride=(2, 2))
        if abilities.square_input or abilities.flat:
            everything = replace(_padded(square, 1), stride=(2, 2))
        yield "everything", _covered(everything)


def _tap_layers(abilities: Abilities) -> Iterator[tuple[str, Sizes]]:
    """Kernels, dilation and groups."""
    base = base_sizes(abilities)
    square = _square(abilities)
    if abilities.kernel is None:
        small = replace(square, kernel=(1, 1))
        yield "1×1 kernel", small
        if abilities.padding:
            yield "1×1 kernel", _padded(small, 1)
    if abilities.dilation:
        yield "dilation", _dilated(base, base.kernel, 2)
        yield "dilation", _dilated(base, base.kernel if _is_fixed(abilities) else (3, 2), 3)
    if abilities.groups and not (abilities.depthwise or abilities.transposed):
        grouped = replace(base, channels=4, filters=6, groups=2)
        yield "groups", grouped
        yield "groups", replace(grouped, size=(1, 8) if abilities.flat else (8, 8), batch=1)


def _is_fixed(abilities: Abilities) -> bool:
    return abilities.square_kernel or abilities.kernel is not None or abilities.flat


def _dilated(sizes: Sizes, kernel: Pair, dilation: int) -> Sizes:
    """Large enough that a dilated window finds several places; a flat layer stays flat."""
    larger = (sizes.size[0] + 2 * dilation - 1, sizes.size[1] + 2 * dilation - 1)
    if sizes.size[0] == 1:
        return replace(sizes, size=(1, larger[1] + 2), dilation=(1, dilation))
    return replace(sizes, size=larger, kernel=kernel, dilation=(dilation, dilation))


def _covered(sizes: Sizes) -> Sizes:
    """Made smaller until every padded row and column is reached."""
    while any(sizes.unreached):
        height = sizes.size[0] - (1 if sizes.unreached[0] else 0)
        width = sizes.size[1] - (1 if sizes.unreached[1] else 0)
        sizes = replace(sizes, size=(height, width))
    return sizes


def _uncovered(sizes: Sizes) -> Sizes:
    """Made larger until rows and columns are left over, the same number for a square layer."""
    sizes = _covered(sizes)
    rows = 0 if sizes.size[0] == 1 else 1
    return replace(sizes, size=(sizes.size[0] + rows, sizes.size[1] + 1))


def _same(sizes: Sizes) -> Sizes:
    """Padding so that the output has ceil(input / stride) positions, the smaller half before."""
    pads: list[Pair] = []
    for size, extent, stride in zip(sizes.size, sizes.extent, sizes.stride, strict=True):
        outputs = -(-size // stride)
        total = max((outputs - 1) * stride + extent - size, 0)
        pads.append((total // 2, total - total // 2))
    return replace(sizes, pads=(pads[0], pads[1]))
