"""Index notation as values: the whole grammar of equations on one screen.

    equation  = access "=" term + term + ...
    term      = coefficient * sum over indices, under conditions, of a product of factors
    factor    = access | Kronecker delta | derivative
    access    = tensor [affine, affine, ...]
    condition = 0 <= affine < extent  |  modulus divides affine  |  affine == 0

Every index runs over `0 <= index < extent`. A tensor is read inside its shape only: what would
lie outside is kept out by a condition, so a zero padding is a missing term and not a zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from convgrad.algebra.affine import Affine
from convgrad.errors import EquationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from convgrad.algebra.polynomial import Polynomial, Size


@dataclass(frozen=True)
class Index:
    """A counting variable: `0 <= name < extent`."""

    name: str
    extent: Polynomial

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Tensor:
    """A named array with its shape; `axes` are the index names that it is usually read with."""

    name: str
    shape: tuple[Polynomial, ...]
    axes: tuple[str, ...] = field(default=(), compare=False)

    def __getitem__(self, subscripts: Affine | tuple[Affine, ...]) -> Access:
        return Access(self, subscripts if isinstance(subscripts, tuple) else (subscripts,))

    def __str__(self) -> str:
        return f"{self.name}[{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class Access:
    """One element of a tensor: `x[n,c,2*o+t-1]`."""

    tensor: Tensor
    subscripts: tuple[Affine, ...] = ()

    def __post_init__(self) -> None:
        if len(self.subscripts) != len(self.tensor.shape):
            raise EquationError(
                f"{self} has {len(self.subscripts)} subscripts",
                expected=f"{len(self.tensor.shape)}, as in {self.tensor}",
                mend="read a tensor with the same number of subscripts everywhere",
            )

    @property
    def indices(self) -> frozenset[str]:
        """The names of the indices in the subscripts."""
        return frozenset[str]().union(*(subscript.indices for subscript in self.subscripts))

    def __str__(self) -> str:
        inside = ",".join(str(subscript).replace(" ", "") for subscript in self.subscripts)
        return f"{self.tensor.name}[{inside}]" if self.subscripts else self.tensor.name


@dataclass(frozen=True)
class Kronecker:
    """1 where two subscripts agree, 0 elsewhere."""

    left: Affine
    right: Affine

    @property
    def indices(self) -> frozenset[str]:
        """The names of the indices on both sides."""
        return self.left.indices | self.right.indices

    def __str__(self) -> str:
        return f"delta({self.left}, {self.right})"


@dataclass(frozen=True)
class Derivative:
    """The derivative of one element, or of a whole sum, by one element: a step on the way."""

    of: Access | Term
    by: Access

    @property
    def indices(self) -> frozenset[str]:
        """The names of the indices that are not summed inside."""
        inner = self.of.indices if isinstance(self.of, Access) else self.of.free
        return inner | self.by.indices

    def __str__(self) -> str:
        return f"d({self.of})/d({self.by})"


@dataclass(frozen=True)
class Within:
    """The condition `0 <= value < extent`."""

    value: Affine
    extent: Polynomial

    def __str__(self) -> str:
        return f"0 <= {self.value} < {self.extent}"


@dataclass(frozen=True)
class Divides:
    """The condition that `modulus` divides `value`."""

    modulus: Polynomial
    value: Affine

    def __str__(self) -> str:
        modulus = str(self.modulus)
        plain = modulus.isidentifier() or modulus.isdigit()
        return f"({self.value}) % {modulus if plain else f'({modulus})'} == 0"


@dataclass(frozen=True)
class Zero:
    """The condition `value == 0`."""

    value: Affine

    def __str__(self) -> str:
        return f"{self.value} == 0"


Factor = Access | Kronecker | Derivative
Condition = Within | Divides | Zero


@dataclass(frozen=True)
class Term:
    """`coefficient * sum(sums if conditions) product of factors`."""

    sums: tuple[Index, ...]
    factors: tuple[Factor, ...]
    conditions: tuple[Condition, ...] = ()
    coefficient: Fraction = Fraction(1)

    @property
    def accesses(self) -> tuple[Access, ...]:
        """The factors that read a tensor."""
        return tuple(factor for factor in self.factors if isinstance(factor, Access))

    @property
    def free(self) -> frozenset[str]:
        """The names of the indices that the term uses and does not sum over."""
        used = frozenset[str]().union(
            *(factor.indices for factor in self.factors),
            *(condition.value.indices for condition in self.conditions),
        )
        return used - {index.name for index in self.sums}

    def map(self, change: Callable[[Affine], Affine]) -> Term:
        """The term with every affine form changed; the sums stay as they are."""
        return replace(
            self,
            factors=tuple(map_factor(factor, change) for factor in self.factors),
            conditions=tuple(
                replace(condition, value=change(condition.value)) for condition in self.conditions
            ),
        )

    def renamed(self, names: Mapping[str, str]) -> Term:
        """The term with other names for its indices, summed or not."""
        sums = tuple(Index(names.get(i.name, i.name), i.extent) for i in self.sums)
        return replace(self, sums=sums).map(lambda affine: affine.renamed(names))

    def __str__(self) -> str:
        product = " * ".join(map(str, self.factors))
        if self.coefficient != 1 or not product:
            product = f"{self.coefficient} * {product}" if product else str(self.coefficient)
        names = ",".join(index.name for index in self.sums)
        if not self.conditions and not self.sums:
            return product
        limits = f"if {', '.join(map(str, self.conditions))}" if self.conditions else ""
        return f"sum({' '.join(filter(None, (names, limits)))}) {product}"


@dataclass(frozen=True)
class Equation:
    """`left[indices] = sum of terms`, the meaning of one pass of a layer.

    Args:
        left: what is defined; its subscripts are mostly the free indices themselves.
        indices: the free indices with their extents.
        terms: the sum; none means zero.

    Raises:
        EquationError: an index that is nowhere bound or bound twice, or a tensor of two shapes.

    >>> from convgrad.algebra import parse
    >>> print(parse("z[i] = sum(t) x[2*i + t] * w[t] for i < 3, t < 2 with x[6]"))
    z[i] = sum(t) x[2*i+t] * w[t]
    """

    left: Access | Derivative
    indices: tuple[Index, ...]
    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        free = {index.name for index in self.indices}
        _refuse_repeated(self.indices)
        if missing := self.left.indices - free:
            raise _unbound(missing, str(self.left))
        for term in self.terms:
            _refuse_repeated((*self.indices, *term.sums))
            if missing := term.free - free:
                raise _unbound(missing, str(term))
        shapes: dict[str, Tensor] = {}
        for tensor in self.tensors:
            known = shapes.setdefault(tensor.name, tensor)
            if known != tensor:
                raise EquationError(
                    f"{tensor.name} has two shapes",
                    got=f"{known} and {tensor}",
                    expected="one shape for each tensor",
                    mend="give different tensors different names",
                )

    @property
    def target(self) -> Access:
        """The left side where it is an element of a tensor, as in every finished equation."""
        if isinstance(self.left, Derivative):
            raise EquationError(f"{self.left} is a derivative, not an element of a tensor")
        return self.left

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Every tensor of the equation in the order of reading, the left one first."""
        return tuple(access.tensor for access in self.accesses())

    @property
    def inputs(self) -> dict[str, Tensor]:
        """The tensors on the right side by name."""
        return {access.tensor.name: access.tensor for access in self.accesses(left=False)}

    @property
    def letters(self) -> frozenset[str]:
        """The letters of sizes that have no value yet."""
        found: set[str] = set()
        for index in self.all_indices():
            found |= index.extent.letters
        for tensor in self.tensors:
            for size in tensor.shape:
                found |= size.letters
        for affine in self.affines():
            found |= affine.letters
        return frozenset(found)

    def all_indices(self) -> Iterator[Index]:
        """The free indices, then the summed ones term by term."""
        yield from self.indices
        for term in self.terms:
            yield from term.sums

    def affines(self) -> Iterator[Affine]:
        """Every subscript and every conditioned form."""
        for access in self.accesses():
            yield from access.subscripts
        for term in self.terms:
            yield from (condition.value for condition in term.conditions)

    def accesses(self, *, left: bool = True) -> Iterator[Access]:
        """Every element that is read or written, in the order of reading."""
        if left:
            yield from accesses_of(self.left)
        for term in self.terms:
            for factor in term.factors:
                yield from accesses_of(factor)

    def extents(self, term: Term | None = None) -> dict[str, Polynomial]:
        """The extent of every free index and, given a term, of its summed ones."""
        indices = (*self.indices, *(term.sums if term else ()))
        return {index.name: index.extent for index in indices}

    def renamed(self, names: Mapping[str, str]) -> Equation:
        """The equation with other names for its indices."""
        return Equation(
            map_left(self.left, lambda affine: affine.renamed(names)),
            tuple(Index(names.get(i.name, i.name), i.extent) for i in self.indices),
            tuple(term.renamed(names) for term in self.terms),
        )

    def turned(self, names: Iterable[str]) -> Equation:
        """The same equation with some indices counted from the other end: t becomes T - 1 - t.

        >>> from convgrad.algebra import parse
        >>> print(parse("z[o] = sum(t) x[o+T-1-t] * w[t] for o < O, t < T with x[I]").turned("t"))
        z[o] = sum(t if 0 <= o + t < I) x[o+t] * w[T-1-t]
        """
        names = frozenset(names)

        def turn(indices: Iterable[Index]) -> dict[str, Affine]:
            return {
                index.name: -Affine.index(index.name) + index.extent - 1
                for index in indices
                if index.name in names
            }

        free = turn(self.indices)
        terms: list[Term] = []
        for term in self.terms:
            values = {**free, **turn(term.sums)}
            terms.append(term.map(lambda affine, v=values: affine.with_indices(v)))
        left = map_left(self.left, lambda affine: affine.with_indices(free))
        return Equation(left, self.indices, tuple(terms))

    def with_sizes(self, values: Mapping[str, Size]) -> Equation:
        """The equation with numbers (or other sizes) in place of letters."""

        def tensor(old: Tensor) -> Tensor:
            return replace(old, shape=tuple(size.at(values) for size in old.shape))

        def change(affine: Affine) -> Affine:
            return affine.with_sizes(values)

        def indices(old: Iterable[Index]) -> tuple[Index, ...]:
            return tuple(Index(index.name, index.extent.at(values)) for index in old)

        def condition(old: Condition) -> Condition:
            match old:
                case Within(value, extent):
                    return Within(change(value), extent.at(values))
                case Divides(modulus, value):
                    return Divides(modulus.at(values), change(value))
                case Zero(value):
                    return Zero(change(value))

        terms = tuple(
            Term(
                indices(term.sums),
                tuple(map_factor(factor, change, tensor) for factor in term.factors),
                tuple(condition(old) for old in term.conditions),
                term.coefficient,
            )
            for term in self.terms
        )
        return Equation(map_left(self.left, change, tensor), indices(self.indices), terms)

    def __str__(self) -> str:
        return f"{self.left} = {sum_text(self.terms)}"

    def _repr_latex_(self) -> str:
        """What a notebook shows."""
        from convgrad.notation.notebook import equation_latex

        return equation_latex(self)


def sum_text(terms: Iterable[Term]) -> str:
    """Terms joined by their signs."""
    text = ""
    for term in terms:
        negative = term.coefficient < 0 and bool(text)
        shown = str(replace(term, coefficient=-term.coefficient) if negative else term)
        text += f" {'-' if negative else '+'} {shown}" if text else shown
    return text or "0"


def accesses_of(factor: Factor) -> Iterator[Access]:
    """The elements of tensors that a factor speaks of."""
    match factor:
        case Access():
            yield factor
        case Derivative(of, by):
            if isinstance(of, Access):
                yield of
            else:
                yield from of.accesses
            yield by
        case Kronecker():
            return


def _same(tensor: Tensor) -> Tensor:
    return tensor


def map_access(
    access: Access,
    change: Callable[[Affine], Affine],
    tensor: Callable[[Tensor], Tensor] = _same,
) -> Access:
    """An access with every subscript, and if wanted its tensor, changed."""
    return Access(tensor(access.tensor), tuple(change(s) for s in access.subscripts))


def map_factor(
    factor: Factor,
    change: Callable[[Affine], Affine],
    tensor: Callable[[Tensor], Tensor] = _same,
) -> Factor:
    """A factor with every affine form, and if wanted every tensor, changed."""
    match factor:
        case Access():
            return map_access(factor, change, tensor)
        case Kronecker(left, right):
            return Kronecker(change(left), change(right))
        case Derivative(of, by):
            inner = map_access(of, change, tensor) if isinstance(of, Access) else of.map(change)
            return Derivative(inner, map_access(by, change, tensor))


def map_left(
    left: Access | Derivative,
    change: Callable[[Affine], Affine],
    tensor: Callable[[Tensor], Tensor] = _same,
) -> Access | Derivative:
    """The left side of an equation changed as a factor is."""
    if isinstance(left, Access):
        return map_access(left, change, tensor)
    inner = map_access(left.of, change, tensor) if isinstance(left.of, Access) else left.of
    return Derivative(inner, map_access(left.by, change, tensor))


def _refuse_repeated(indices: Iterable[Index]) -> None:
    seen: set[str] = set()
    for index in indices:
        if index.name in seen:
            raise EquationError(
                f"the index {index.name} is bound twice",
                expected="each index either free or summed, once",
                mend=f"rename one of the two {index.name}",
            )
        seen.add(index.name)


def _unbound(names: Iterable[str], place: str) -> EquationError:
    listed = ", ".join(sorted(names))
    return EquationError(
        f"nothing says what {listed} runs over",
        got=place,
        expected="every index on the left side or under a sum",
        mend=f"write sum({listed}) before the product",
    )
