"""The one relation of a layer, i = s*o + d*t - p, as a test of subscripts.

Every pass sums products of x at i, dz at o and w at t over the same triples. So an equation of any
gradient, whatever its letters and whatever it is summed over, is right on an axis exactly where its
three subscripts satisfy the relation for some layer; and which layer that is, falls out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from convgrad.algebra.polynomial import ONE, Polynomial

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from convgrad.algebra.affine import Affine

STRIDE = re.compile(r"s(tride)?\w{0,2}", re.IGNORECASE)
PADDING = re.compile(r"p(ad|adding)?\w{0,2}", re.IGNORECASE)
DILATION = re.compile(r"(d|dil(ation)?|r(ate)?)\w{0,2}", re.IGNORECASE)


@dataclass(frozen=True)
class Layer:
    """The numbers or letters of one axis.

    Attributes:
        stride, dilation, padding: as in i = stride*o + dilation*t - padding; a negative dilation
            means a true convolution, whose taps run against the input.
    """

    stride: Polynomial
    dilation: Polynomial
    padding: Polynomial

    @property
    def flipped(self) -> bool:
        """Whether it is a true convolution."""
        return not self.dilation.is_nonnegative()

    def input(self, o: Affine, t: Affine) -> Affine:
        """The position that output o reads at tap t."""
        return o * self.stride + t * self.dilation - self.padding

    def output(self, i: Affine, t: Affine) -> Affine:
        """The output that reads position i at tap t; only where the division comes out even."""
        return (i + self.padding - t * self.dilation).over(self.stride)

    def tap(self, i: Affine, o: Affine) -> Affine:
        """The tap at which output o reads position i."""
        return (i + self.padding - o * self.stride).over(self.dilation)


def solve(i: Affine, o: Affine, t: Affine) -> Layer | None:
    """The layer for which three subscripts belong together, for every value of their indices.

    >>> from convgrad.algebra.affine import Affine
    >>> i, t = Affine.index("i"), Affine.index("t")
    >>> solve(i, (i + "p" - t).over("s"), t)
    Layer(stride=Polynomial(s), dilation=Polynomial(1), padding=Polynomial(p))
    >>> solve(i, i * "s" - t, t)  # multiplied where it must be divided: only for s = 1
    """
    sizes = list(_sizes([i, o, t]))
    for stride in sizes:
        for size in sizes:
            for dilation in (size, -size):
                rest = o * stride + t * dilation - i
                if not rest.terms and rest.divisor == ONE:
                    return Layer(stride, dilation, rest.constant)
    return None


def _sizes(forms: Iterable[Affine]) -> Iterator[Polynomial]:
    """What a stride or a dilation can be: one, and every coefficient that occurs."""
    seen: set[Polynomial] = {ONE}
    yield ONE
    for form in forms:
        for size in (form.divisor, *(coefficient for _, coefficient in form.terms)):
            positive = -size if (-size).is_nonnegative() else size
            if positive and positive not in seen:
                seen.add(positive)
                yield positive


def meant(forms: Iterable[Affine]) -> Layer:
    """The layer that the letters of some subscripts speak of, whether or not they stand right."""
    forms = tuple(forms)
    letters = sorted({letter for form in forms for letter in form.letters})
    numbers = [size for size in _sizes(forms) if (size.number or 0) > 1]

    def named(pattern: re.Pattern[str], default: Polynomial) -> Polynomial:
        return next((Polynomial.letter(n) for n in letters if pattern.fullmatch(n)), default)

    stride = named(STRIDE, numbers[0] if numbers else ONE)
    return Layer(stride, named(DILATION, ONE), named(PADDING, Polynomial.of(0)))
