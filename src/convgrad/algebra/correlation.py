"""The input gradient as a cross-correlation: of the padded error with the turned kernel.

    dx[i] = sum(t) dz[i + p - d*t] * w[t]

has the taps running against the input. Counted from the other end, t = T - 1 - r, they run along:

    v[r]  = w[T - 1 - r]                                  the kernel turned by 180 degrees,
    dx[i] = sum(r) dz[i + d*r - (d*(T-1) - p)] * v[r]     channels and filters exchanged

which is a cross-correlation with padding d*(T-1) - p: "full" where p = 0. A stride puts s - 1 zeros
between the entries of the error first; in 3-D terms, with the filters as depth, every one of the C
channels of dx has one filter of depth K.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from convgrad.algebra.affine import Affine
from convgrad.algebra.conditions import tighten
from convgrad.algebra.expression import Access, Divides, Equation, Index, Tensor, Term, Within
from convgrad.algebra.polynomial import ONE
from convgrad.algebra.solve import substitute
from convgrad.errors import READ, EquationError, require

if TYPE_CHECKING:
    from convgrad.algebra.polynomial import Polynomial


@dataclass(frozen=True)
class Correlation:
    """An input gradient as a stride-1 cross-correlation.

    Attributes:
        error: dz with zeros put between its entries; None where the stride is 1.
        kernel: the turned kernel, its two channel axes exchanged.
        gradient: the cross-correlation of the error with that kernel.
        padding: of the cross-correlation, for each spatial axis before the first entry.
    """

    error: Equation | None
    kernel: Equation
    gradient: Equation
    padding: tuple[Polynomial, ...]

    @property
    def equations(self) -> tuple[Equation, ...]:
        """What is to be evaluated, one after the other."""
        return (*([self.error] if self.error else []), self.kernel, self.gradient)


def as_cross_correlation(dx: Equation) -> Correlation:
    """Rewrite an input gradient as a cross-correlation.

    Args:
        dx: one product of dz and w, every place of dz being `(i - d*t + constant)/s`.

    Raises:
        EquationError: where the places of dz have no such form, as in the gradient of a transposed
            convolution, which is a strided cross-correlation as it is.

    >>> from convgrad.algebra import parse
    >>> dx = parse("dx[i] = sum(t) dz[i+1-2*t] * w[t] for i < 8, t < 3 with dz[6]")
    >>> for equation in as_cross_correlation(dx).equations:
    ...     print(equation)
    v[r] = w[2-r]
    dx[i] = sum(r if 0 <= i + 2*r - 3 < 6) dz[i+2*r-3] * v[r]
    """
    require(Equation, READ, dx=dx)
    if len(dx.terms) != 1:
        raise EquationError(f"{dx} is not one product", expected="one product of dz and w")
    (term,) = dx.terms
    error, kernel = term.accesses
    walks = _walks(error, term, dx)
    taps = {tap: f"r{tap[1:]}" for tap in walks}
    extents = dx.extents(term)
    turned = {tap: Affine.number(extents[tap] - 1) - Affine.index(r) for tap, r in taps.items()}
    weights = _turned(kernel, turned, taps, extents)
    sums = tuple(Index(taps.get(i.name, i.name), i.extent) for i in term.sums)
    put = substitute(replace(term, sums=sums), turned)
    read = Access(
        weights.target.tensor, tuple(Affine.index(name) for name in weights.target.tensor.axes)
    )
    if all(subscript.divisor == ONE for subscript in put.accesses[0].subscripts):
        gradient = replace(dx, terms=(replace(put, factors=(put.accesses[0], read)),))
        return Correlation(None, weights, gradient, _padding(put.accesses[0]))
    spread = _spread(error)
    places = tuple(subscript.numerator for subscript in put.accesses[0].subscripts)
    shape = spread.target.tensor.shape
    conditions = tuple(
        Within(place, size) for place, size in zip(places, shape, strict=True) if not place.plain
    )
    lone = Term(put.sums, (Access(spread.target.tensor, places), read), conditions)
    gradient = tighten(replace(dx, terms=(lone,)))
    return Correlation(spread, weights, gradient, _padding(Access(spread.target.tensor, places)))


def _walks(error: Access, term: Term, dx: Equation) -> dict[str, str]:
    """For every tap the free index it runs against, in the same subscript of the error."""
    free = {index.name for index in dx.indices}
    summed = {index.name for index in term.sums}
    found: dict[str, str] = {}
    for subscript in error.subscripts:
        if subscript.plain:
            continue
        taps, places = subscript.indices & summed, subscript.indices & free
        if len(taps) != 1 or len(places) != 1 or subscript.coefficient(*places) != ONE:
            raise EquationError(
                f"{error} is not read along a stride-1 window",
                got=f"the subscript {subscript}",
                expected="(i - d*t + constant)/s",
                mend="a transposed layer's gradient is a strided cross-correlation already",
            )
        found[next(iter(taps))] = next(iter(places))
    return found


def _turned(
    kernel: Access, turned: dict[str, Affine], taps: dict[str, str], extents: dict[str, Polynomial]
) -> Equation:
    """The kernel read from its far end; the channel of dx first, that of dz second."""
    names = [subscript.plain or "" for subscript in kernel.subscripts]
    channels = [name for name in names if name in "gkc"]
    order = [*(n for n in "gck" if n in channels), *(n for n in names if n not in channels)]
    axes = tuple(taps.get(name, name) for name in order)
    shape = tuple(extents[name] for name in order)
    subscripts = tuple(turned.get(name, Affine.index(name)) for name in names)
    target = Tensor("v", shape, axes)[tuple(Affine.index(axis) for axis in axes)]
    term = Term((), (Access(kernel.tensor, subscripts),))
    return Equation(target, tuple(map(Index, axes, shape)), (term,))


def _spread(error: Access) -> Equation:
    """The error with zeros between its entries: entry o at place s*o."""
    tensor = error.tensor
    shape: list[Polynomial] = []
    axes: list[str] = []
    subscripts: list[Affine] = []
    conditions: list[Divides] = []
    for name, size, subscript in zip(tensor.axes, tensor.shape, error.subscripts, strict=True):
        stride = subscript.divisor
        axis = name if subscript.plain else f"m{name[1:]}"
        axes.append(axis)
        shape.append((size - 1) * stride + 1)
        subscripts.append(Affine.index(axis).over(stride))
        if stride != ONE:
            conditions.append(Divides(stride, Affine.index(axis)))
    target = Tensor("e", tuple(shape), tuple(axes))
    left = Access(target, tuple(Affine.index(axis) for axis in axes))
    term = Term((), (Access(tensor, tuple(subscripts)),), tuple(conditions))
    return Equation(left, tuple(map(Index, axes, shape)), (term,))


def _padding(error: Access) -> tuple[Polynomial, ...]:
    return tuple(-subscript.constant for subscript in error.subscripts if not subscript.plain)
