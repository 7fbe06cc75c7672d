"""An equation as someone wrote it: read, but without ranges and shapes.

What stands on the page leaves open what the algebra needs: what an index runs over, whether
counting starts at 0 or 1, how large a tensor is. `Written` keeps the page; `parse` fills the gaps
by its own rules, the checker of equations by what a backward pass must be.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from convgrad.algebra.affine import Affine
from convgrad.algebra.expression import Within
from convgrad.algebra.polynomial import ONE, ZERO, Polynomial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from fractions import Fraction

    from convgrad.algebra.expression import Condition


@dataclass(frozen=True)
class AtLeast:
    """The condition `value >= 0`: a range with one end. The other follows from the sizes."""

    value: Affine

    def __str__(self) -> str:
        return f"{self.value} >= 0"


WrittenCondition: TypeAlias = "Condition | AtLeast"


def with_both_ends(
    conditions: Iterable[WrittenCondition], extents: Mapping[str, Polynomial]
) -> tuple[Condition, ...] | None:
    """The conditions as those of the algebra; None where the sign of a coefficient is not known.

    >>> from convgrad.algebra.affine import Affine
    >>> m, a = Affine.index("m"), Affine.index("a")
    >>> M, A = Polynomial.letter("M"), Polynomial.letter("A")
    >>> (condition,) = with_both_ends([AtLeast(m - a)], {"m": M, "a": A})
    >>> print(condition)
    0 <= m - a < M
    """
    found: list[Condition] = []
    for condition in conditions:
        if not isinstance(condition, AtLeast):
            found.append(condition)
            continue
        bounds = condition.value.bounds(extents)
        if bounds is None:
            return None
        found.append(Within(condition.value, bounds[1] + 1))
    return tuple(found)


@dataclass(frozen=True)
class WrittenAccess:
    """A tensor with its subscripts.

    Attributes:
        name: the tensor; a derivative by it is written with a d before it.
        subscripts: one form for each axis.
        column: where it stands.
        rotated: read with the kernel turned by 180 degrees.
    """

    name: str
    subscripts: tuple[Affine, ...]
    column: int = 1
    rotated: bool = False

    def __str__(self) -> str:
        inner = ",".join(str(s).replace(" ", "") for s in self.subscripts)
        shown = f"{self.name}[{inner}]" if self.subscripts else self.name
        return f"rot180({shown})" if self.rotated else shown


@dataclass(frozen=True)
class WrittenSum:
    """A summed index with its first and last value, where they are written."""

    name: str
    first: Polynomial | None = None
    last: Polynomial | None = None

    def __str__(self) -> str:
        if self.first is None:
            return self.name
        return f"{self.name}={self.first}..{'' if self.last is None else self.last}"


@dataclass(frozen=True)
class WrittenTerm:
    """A product under sums.

    Attributes:
        sums: the summed indices.
        conditions: what stands under the sum.
        coefficient: the number before it.
        factor: letters before it, such as N in 1/N: numerator and denominator.
        accesses: the tensors.
    """

    sums: tuple[WrittenSum, ...]
    conditions: tuple[WrittenCondition, ...]
    coefficient: Fraction
    accesses: tuple[WrittenAccess, ...]
    factor: tuple[Polynomial, Polynomial] = (ONE, ONE)

    def map(self, change: Callable[[Affine], Affine]) -> WrittenTerm:
        """The term with every form changed."""
        return replace(
            self,
            conditions=tuple(replace(c, value=change(c.value)) for c in self.conditions),
            accesses=tuple(
                replace(a, subscripts=tuple(map(change, a.subscripts))) for a in self.accesses
            ),
        )

    def __str__(self) -> str:
        names = ", ".join(map(str, self.sums))
        limits = f" if {', '.join(map(str, self.conditions))}" if self.conditions else ""
        sums = f"sum({names}{limits}) " if names or limits else ""
        scale = "" if self.coefficient == 1 else f"{self.coefficient} * "
        over, under = self.factor
        letters = "" if (over, under) == (ONE, ONE) else f"{over}/{under} * "
        return f"{scale}{letters}{sums}{' * '.join(map(str, self.accesses))}"


@dataclass(frozen=True)
class Written:
    """An equation as it was read.

    Attributes:
        left: what is defined.
        terms: the sum; none means zero.
        bound: the names that are indices.
        notes: what was left out in reading.
        operation: the sign of a convolution or cross-correlation that was written out as a sum.
        rounded: a subscript is rounded, which no affine form is.
        extents: ranges that are stated.
        shapes: shapes that are stated.
        layers: the numbers of layers in superscripts, as distances from l.
        activated: the tensors that stand in an activation, with its name.
        slopes: the derivatives of activations, with what they are taken of where it is a tensor.
    """

    left: WrittenAccess
    terms: tuple[WrittenTerm, ...]
    bound: frozenset[str]
    notes: tuple[str, ...] = ()
    operation: str = ""
    rounded: bool = False
    extents: tuple[tuple[str, Polynomial], ...] = ()
    shapes: tuple[tuple[str, tuple[Polynomial, ...]], ...] = ()
    layers: tuple[tuple[str, int], ...] = ()
    activated: tuple[tuple[str, str], ...] = ()
    slopes: tuple[tuple[str, WrittenAccess | None], ...] = ()

    def accesses(self) -> Iterator[WrittenAccess]:
        """Every tensor, the left one first."""
        yield self.left
        for term in self.terms:
            yield from term.accesses

    def map(self, change: Callable[[Affine], Affine]) -> Written:
        """The equation with every form changed."""
        left = replace(self.left, subscripts=tuple(map(change, self.left.subscripts)))
        return replace(self, left=left, terms=tuple(term.map(change) for term in self.terms))

    def __str__(self) -> str:
        return f"{self.left} = {' + '.join(map(str, self.terms)) or '0'}"


@dataclass(frozen=True)
class Origins:
    """Where the counting starts on a page: for every index, and for every axis of every tensor.

    An index i that runs from f is f + i counted from 0, and a subscript e on an axis that starts at
    f is e - f.
    """

    base: Polynomial
    indices: Mapping[str, Polynomial]
    axes: Mapping[tuple[str, int], Polynomial]

    def from_zero(self, access: WrittenAccess) -> WrittenAccess:
        """The access counted from 0."""
        values = {name: Affine.index(name) + first for name, first in self.indices.items()}
        return self._moved(access, values, -1)

    def on_the_page(self, access: WrittenAccess) -> WrittenAccess:
        """The access in the counting of the page."""
        values = {name: Affine.index(name) - first for name, first in self.indices.items()}
        return self._moved(access, values, 1)

    def _moved(self, access: WrittenAccess, values: dict[str, Affine], sign: int) -> WrittenAccess:
        subscripts = tuple(
            subscript.with_indices(values) + self.axes.get((access.name, axis), self.base) * sign
            for axis, subscript in enumerate(access.subscripts)
        )
        return replace(access, subscripts=subscripts)


def origins(
    written: Written, first: int, starts: Mapping[tuple[str, int], Polynomial] | None = None
) -> Origins:
    """Where counting starts on a page that counts from `first`.

    A first value that is written under a sum counts for that index and for the axis it walks along;
    `starts` gives the first subscripts of other axes by tensor and number.
    """
    base = Polynomial.of(first)
    indices = dict.fromkeys(sorted(written.bound), base)
    indices |= {s.name: s.first for t in written.terms for s in t.sums if s.first is not None}
    axes = dict(starts or {})
    for access in written.accesses():
        for axis, subscript in enumerate(access.subscripts):
            if subscript.plain and (access.name, axis) in axes:
                indices[subscript.plain] = axes[access.name, axis]
    for access in written.accesses():
        for axis, subscript in enumerate(access.subscripts):
            if subscript.plain and indices[subscript.plain] != base:
                axes.setdefault((access.name, axis), indices[subscript.plain])
    return Origins(base, indices, axes)


def counted_from(written: Written, start: Origins) -> Written:
    """The same equation with every index counted from 0.

    >>> from convgrad.algebra.parse import read
    >>> page = read("dx[m] = sum(a) dz[m - a + 1] * w[a]")
    >>> print(counted_from(page, origins(page, 1)))
    dx[m] = sum(a) dz[m-a] * w[a]
    """
    if not any((start.base, *start.indices.values(), *start.axes.values())):
        return written
    values = {name: Affine.index(name) + first for name, first in start.indices.items()}

    def term(old: WrittenTerm) -> WrittenTerm:
        put = old.map(lambda affine: affine.with_indices(values))
        sums = tuple(
            replace(s, first=ZERO, last=None if s.last is None else s.last - s.first)
            if s.first is not None
            else s
            for s in old.sums
        )
        return replace(put, sums=sums, accesses=tuple(map(start.from_zero, old.accesses)))

    left = start.from_zero(written.left)
    return replace(written, left=left, terms=tuple(map(term, written.terms)))
