"""From a layer to its equations.

    forward          z[n,g,k,o]  = b[g,k] + sum(c,t) x[n,g,c, s*o + d*t - p] * w[g,k,c,t]
    transposed       z[n,g,k,o]  = b[g,k] + sum(c,t,i) x[n,g,c,i] * w[g,c,k,t],  s*i + d*t - p = o

with one o, t and i for each spatial axis. Groups are an index like any other, on arrays whose
channel axis is split in two (a reshape); g is left out where there is one group. A padding mode
other than zeros is a linear map of its own before the sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from convgrad.algebra.affine import Affine
from convgrad.algebra.conditions import drop_idle
from convgrad.algebra.differentiate import Derivation, differentiate
from convgrad.algebra.expression import Access, Condition, Equation, Index, Tensor, Term, Within
from convgrad.algebra.polynomial import Polynomial
from convgrad.algebra.solve import eliminate
from convgrad.convolution import Convolution
from convgrad.errors import MADE, require
from convgrad.letters import axis_letters, axis_suffixes

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Passes:
    """The equations of a layer.

    Attributes:
        forward: one equation, or with a padding mode one for each padded axis before it.
        dx: how the input gradient is derived, the last map of the forward pass first.
        dw: how the weight gradient is derived.
        db: how the bias gradient is derived; None without a bias.
    """

    forward: tuple[Equation, ...]
    dx: tuple[Derivation, ...]
    dw: Derivation
    db: Derivation | None

    @property
    def gradients(self) -> dict[str, tuple[Equation, ...]]:
        """The results by name, each as the equations to be evaluated one after the other.

        The weight gradient reads the padded input, so with a padding mode the maps come first.
        """
        dw = (*self.forward[:-1], self.dw.result)
        found = {"dx": tuple(part.result for part in self.dx), "dw": dw}
        return {**found, "db": (self.db.result,)} if self.db else found


@lru_cache(maxsize=256)
def passes(layer: Convolution, *, symbolic: bool = False) -> Passes:
    """All passes of a layer.

    Args:
        layer: the layer.
        symbolic: whether the sizes are letters (s, d, p, T, O, I; s_h for the axis h) and not
            the layer's numbers. The batch N is a letter always.

    >>> from convgrad.convolution import Convolution
    >>> layer = Convolution(32, 3, 20, 5, stride=2, padding=1)
    >>> print(passes(layer).dw.result)
    dw[k,c,t] = sum(n,o if 0 <= 2*o + t - 1 < 32) dz[n,k,o] * x[n,c,2*o+t-1]
    >>> print(passes(layer, symbolic=True).gradients["dw"][0])
    dw[k,c,t] = sum(n,o if 0 <= s*o + d*t - p < I) dz[n,k,o] * x[n,c,s*o+d*t-p]
    """
    require(Convolution, MADE, layer=layer)
    forward = forward_equations(layer, symbolic=symbolic)
    *maps, layer_sum = forward
    read = maps[-1].target.tensor.name if maps else "x"
    dx = [differentiate(layer_sum, read)]
    for padded in reversed(maps):
        (source,) = padded.inputs
        dx.append(differentiate(padded, source))
    db = differentiate(layer_sum, "b") if "b" in layer_sum.inputs else None
    return Passes(forward, tuple(dx), differentiate(layer_sum, "w"), db)


def forward_equations(layer: Convolution, *, symbolic: bool = False) -> tuple[Equation, ...]:
    """The forward pass of a layer; see `passes`."""
    return _Forward(layer, _axes(layer, symbolic), symbolic).equations()


@dataclass(frozen=True)
class _Axis:
    """The sizes of one spatial axis, as numbers or letters, and its index names."""

    suffix: str
    input: Polynomial
    output: Polynomial
    kernel: Polynomial
    stride: Polynomial
    dilation: Polynomial
    before: Polynomial
    after: Polynomial

    @property
    def i(self) -> Affine:
        return Affine.index(f"i{self.suffix}")

    @property
    def o(self) -> Affine:
        return Affine.index(f"o{self.suffix}")

    @property
    def t(self) -> Affine:
        return Affine.index(f"t{self.suffix}")


def _axes(layer: Convolution, symbolic: bool) -> tuple[_Axis, ...]:
    def letters(suffix: str) -> _Axis:
        return _Axis(suffix, *map(Polynomial.letter, axis_letters(suffix)))

    suffixes = axis_suffixes(layer.rank)
    if symbolic:
        return tuple(letters(suffix) for suffix in suffixes)
    return tuple(
        _Axis(
            suffix,
            *map(
                Polynomial.of,
                (
                    axis.input,
                    axis.output,
                    axis.kernel,
                    axis.stride,
                    axis.dilation,
                    axis.before,
                    axis.after,
                ),
            ),
        )
        for suffix, axis in zip(suffixes, layer.axes, strict=True)
    )


@dataclass(frozen=True)
class _Forward:
    layer: Convolution
    axes: tuple[_Axis, ...]
    symbolic: bool

    def size(self, letter: str, number: int) -> Polynomial:
        return Polynomial.letter(letter) if self.symbolic else Polynomial.of(number)

    @property
    def channels(self) -> dict[str, Index]:
        """n, g, k and c with their extents; g only where there are several groups."""
        layer = self.layer
        found = {
            "n": Index("n", Polynomial.letter("N")),
            "g": Index("g", self.size("G", layer.groups)),
            "k": Index("k", self.size("K", layer.filters // layer.groups)),
            "c": Index("c", self.size("C", layer.in_channels // layer.groups)),
        }
        if layer.groups == 1:
            del found["g"]
        return found

    def tensor(self, name: str, letters: str, sizes: dict[str, Polynomial]) -> Tensor:
        """A tensor over some of n, g, k, c and then the given spatial indices."""
        channels = self.channels
        axes = [channels[letter] for letter in letters if letter in channels]
        return Tensor(
            name,
            (*(axis.extent for axis in axes), *sizes.values()),
            (*(axis.name for axis in axes), *sizes),
        )

    def read(self, tensor: Tensor, places: dict[str, Affine]) -> Access:
        """The tensor read at its own indices, some of them replaced."""
        return Access(tensor, tuple(places.get(name, Affine.index(name)) for name in tensor.axes))

    def equations(self) -> tuple[Equation, ...]:
        x = self.tensor("x", "ngc", {f"i{axis.suffix}": axis.input for axis in self.axes})
        maps: list[Equation] = []
        inside = self.layer.padding_mode == "zeros"
        if not inside:
            for axis in self.axes:
                maps.append(self.padded(x, axis))
                x = maps[-1].target.tensor
        build = self.transposed if self.layer.transposed else self.correlation
        return (*maps, drop_idle(build(x)))

    def correlation(self, x: Tensor) -> Equation:
        places: dict[str, Affine] = {}
        for name, axis in zip(x.axes[-len(self.axes) :], self.axes, strict=True):
            shift = axis.before if self.layer.padding_mode == "zeros" else Polynomial.of(0)
            places[name] = self.position(axis, axis.o) - shift
        read = self.read(x, places)
        conditions = tuple(
            Within(subscript, size)
            for subscript, size in zip(read.subscripts, x.shape, strict=True)
            if not subscript.plain
        )
        taps = tuple(Index(f"t{axis.suffix}", axis.kernel) for axis in self.axes)
        weights = self.tensor("w", "gkc", {tap.name: tap.extent for tap in taps})
        sums = (self.channels["c"], *taps)
        term = Term(sums, (read, self.read(weights, {})), conditions)
        return self.with_bias([term])

    def transposed(self, x: Tensor) -> Equation:
        """Every product of an input and a tap goes to the output at s*i + d*t - p."""
        taps = tuple(Index(f"t{axis.suffix}", axis.kernel) for axis in self.axes)
        weights = self.tensor("w", "gck", {tap.name: tap.extent for tap in taps})
        inputs = tuple(Index(f"i{axis.suffix}", axis.input) for axis in self.axes)
        sums = (self.channels["c"], *taps, *inputs)
        term = Term(sums, (self.read(x, {}), self.read(weights, {})))
        for axis, index in zip(self.axes, inputs, strict=True):
            difference = self.position(axis, axis.i) - axis.before - axis.o
            term, _ = eliminate(term, difference, [index.name])
        return self.with_bias([term])

    def position(self, axis: _Axis, window: Affine) -> Affine:
        """Where a tap of a window lies: s*o + d*t; a flipped kernel counts from its far end."""
        if self.layer.flipped:
            return window * axis.stride + (Affine.number(axis.kernel - 1) - axis.t) * axis.dilation
        return window * axis.stride + axis.t * axis.dilation

    def with_bias(self, terms: list[Term]) -> Equation:
        outputs = {f"o{axis.suffix}": axis.output for axis in self.axes}
        z = self.tensor("z", "ngk", outputs)
        shared = self.layer.bias == "filter"
        if self.layer.bias != "none":
            bias = self.tensor("b", "gk", {} if shared else outputs)
            terms = [Term((), (self.read(bias, {}),)), *terms]
        free = tuple(map(Index, z.axes, z.shape))
        return Equation(self.read(z, {}), free, tuple(terms))

    def padded(self, x: Tensor, axis: _Axis) -> Equation:
        """One axis of the input padded by its own entries, as a sum of one term for each part."""
        place = next(number for number, name in enumerate(x.axes) if name == f"i{axis.suffix}")
        j = Affine.index(f"j{axis.suffix}")
        length = axis.input + axis.before + axis.after
        inside = j - axis.before
        beyond = inside - axis.input
        parts: list[tuple[Affine, Condition]] = [(inside, Within(inside, axis.input))]
        left, right = _BORDERS[self.layer.padding_mode](axis, inside)
        if self.symbolic or (axis.before.number or 0) > 0:
            parts.insert(0, (left, Within(j, axis.before)))
        if self.symbolic or (axis.after.number or 0) > 0:
            parts.append((right, Within(beyond, axis.after)))
        axes = (*x.axes[:place], f"j{axis.suffix}", *x.axes[place + 1 :])
        shape = (*x.shape[:place], length, *x.shape[place + 1 :])
        padded = Tensor(f"{x.name}{axis.suffix or 'p'}", shape, axes)
        terms = tuple(
            Term((), (self.read(x, {x.axes[place]: source}),), (condition,), Fraction(1))
            for source, condition in parts
        )
        return drop_idle(Equation(self.read(padded, {}), tuple(map(Index, axes, shape)), terms))


def _reflect(axis: _Axis, place: Affine) -> tuple[Affine, Affine]:
    return -place, (axis.input - 1) * 2 - place


def _replicate(axis: _Axis, _: Affine) -> tuple[Affine, Affine]:
    return Affine.number(0), Affine.number(axis.input - 1)


def _circular(axis: _Axis, place: Affine) -> tuple[Affine, Affine]:
    return place + axis.input, place - axis.input


_BORDERS: dict[str, Callable[[_Axis, Affine], tuple[Affine, Affine]]] = {
    "reflect": _reflect,
    "replicate": _replicate,
    "circular": _circular,
}
"""For each padding mode, which input stands left of place 0 and which right of the last place."""
