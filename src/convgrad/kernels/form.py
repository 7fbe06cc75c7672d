"""From an equation to contractions: what is left of an equation once its letters are all it needs.

Deriving an equation takes milliseconds, putting numbers in takes microseconds. So an equation is
derived in letters, once for all layers of its structure, and read off into a `Form`:

    form.contractions(numbers) = the equation's sums at these sizes

A gradient with stride has one form for all its phases (`algebra.phases.in_letters`); which phases
there are, and which taps each has, are the solutions of its congruences at the numbers. A form is
plain data, so it can be kept in a file, and the algebra is not loaded to read it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from convgrad.congruence import solutions
from convgrad.errors import EquationError
from convgrad.kernels.contraction import Contraction, Index, Operand, Subscript

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from convgrad.algebra.affine import Affine
    from convgrad.algebra.expression import Access, Equation, Term
    from convgrad.algebra.phases import Split
    from convgrad.algebra.polynomial import Polynomial

    Numbers = Mapping[str, int]

Size = tuple[tuple[int, tuple[str, ...]], ...]
"""A polynomial: each coefficient with its letters, one repeated for a square."""


class Place(NamedTuple):
    """One subscript: (sum of coefficient * index + constant) / divisor, in an axis of a size."""

    size: Size
    terms: tuple[tuple[str, Size], ...]
    constant: Size
    divisor: Size


class Array(NamedTuple):
    """A tensor and the subscripts that it is read or written with."""

    name: str
    places: tuple[Place, ...]


class Residues(NamedTuple):
    """A congruence in letters: `modulus` divides `position + coefficient*tap + constant`.

    `letters` are those of a solution: residue, positions, first tap, step and taps, as in
    `algebra.phases.Split`.
    """

    modulus: Size
    coefficient: Size
    constant: Size
    positions: Size
    taps: Size
    letters: tuple[str, ...]

    def solved(self, numbers: Numbers) -> Iterator[dict[str, int]]:
        """The letters' numbers for each phase that has taps."""
        sizes = self.modulus, self.coefficient, self.constant, self.positions, self.taps
        modulus, coefficient, constant, positions, taps = (value(size, numbers) for size in sizes)
        for residue in range(min(modulus, positions)):
            found = solutions(coefficient, -constant - residue, modulus, taps)
            if found:
                count = len(range(residue, positions, modulus))
                phase = residue, count, found.start, found.step, len(found)
                yield dict(zip(self.letters, phase, strict=True))


@dataclass(frozen=True)
class Form:
    """An equation `output = sum of window * factor`, its sizes in letters.

    Attributes:
        indices: free ones first, with their extents.
        arrays: output, window and factor.
        residues: one congruence for each axis along which the equation falls into phases.
    """

    indices: tuple[tuple[str, Size], ...]
    arrays: tuple[Array, Array, Array]
    residues: tuple[Residues, ...] = ()

    def contractions(self, numbers: Numbers) -> tuple[Contraction, ...]:
        """The sums, one for each phase with taps; elsewhere the output is zero.

        Args:
            numbers: the number of every letter of the equation.

        Raises:
            EquationError: an array other than the window is read outside.
        """
        phases = product(*(residues.solved(numbers) for residues in self.residues))
        return tuple(
            self._at({**numbers, **{name: n for part in phase for name, n in part.items()}})
            for phase in phases
        )

    def _at(self, numbers: Numbers) -> Contraction:
        indices = tuple(Index(name, value(extent, numbers)) for name, extent in self.indices)
        output, window, factor = (_operand(array, numbers) for array in self.arrays)
        extents = {index.name: index.extent for index in indices}
        for operand in (output, factor):
            if not all(_is_inside(subscript, extents) for subscript in operand.subscripts):
                raise EquationError(
                    f"{operand} reaches outside of its array",
                    expected="terms outside of one array only, the window",
                    mend="state the equation so that every other place is inside",
                )
        return Contraction(indices, output, window, factor)

    def to_json(self) -> bytes:
        """The form as a text for a file."""
        return json.dumps([self.indices, self.arrays, self.residues]).encode()

    @staticmethod
    def from_json(text: bytes) -> Form:
        """The form of such a text."""
        indices, arrays, residues = _tuples(json.loads(text))
        output, window, factor = (
            Array(name, tuple(Place(*place) for place in places)) for name, places in arrays
        )
        return Form(indices, (output, window, factor), tuple(Residues(*one) for one in residues))


def read_off(equation: Equation) -> Form:
    """The form of an equation, whose sizes may be letters.

    The window is the array that a condition speaks of, for it is the one that may be read outside;
    where there is no condition it is the first that is read.

    Raises:
        EquationError: the equation is not one product of two arrays, or a condition speaks of
            something else than one array's subscripts.

    >>> from convgrad.algebra import parse
    >>> z = parse("z[n,k,o] = sum(c,t) x[n,c,s*o+t-p] * w[k,c,t] for n < N, k < K, o < O, "
    ...           "c < C, t < T with x[N,C,I]")
    >>> sizes = {"N": 2, "K": 4, "O": 5, "C": 3, "T": 3, "I": 9, "s": 2, "p": 1}
    >>> print(*read_off(z).contractions(sizes))
    z[n, k, o] = sum(c < 3, t < 3) x[n, c, 2*o + t - 1] * w[k, c, t]
    """
    from convgrad.algebra.expression import Divides
    from convgrad.algebra.phases import in_letters

    splits: tuple[Split, ...] = ()
    if any(isinstance(c, Divides) for term in equation.terms for c in term.conditions):
        phase = in_letters(equation)
        equation, splits = phase.equation, phase.splits
    if len(equation.terms) != 1:
        raise _unfit(equation, f"a sum of {len(equation.terms)} products")
    (term,) = equation.terms
    if len(term.accesses) != 2 or len(term.factors) != 2 or term.coefficient != 1:
        raise _unfit(equation, str(term))
    window = _window(equation, term)
    (factor,) = (access for access in term.accesses if access is not window)
    return Form(
        tuple((index.name, _size(index.extent)) for index in (*equation.indices, *term.sums)),
        (_array(equation.target), _array(window), _array(factor)),
        tuple(map(_residues, splits)),
    )


def _unfit(equation: Equation, got: str) -> EquationError:
    return EquationError(
        f"{equation} is no contraction",
        got=got,
        expected="one product of two arrays, conditions on the subscripts of one of them only",
        mend="give each product an equation of its own",
    )


def _window(equation: Equation, term: Term) -> Access:
    from convgrad.algebra.expression import Within

    guarded: list[Access] = []
    for condition in term.conditions:
        if not isinstance(condition, Within):
            raise _unfit(equation, f"the condition {condition}")
        place = condition.value, condition.extent
        found = [
            access
            for access in term.accesses
            if place in zip(access.subscripts, access.tensor.shape, strict=True)
        ]
        if not found:
            raise _unfit(equation, f"the condition {condition}")
        guarded += found
    if any(access is not guarded[0] for access in guarded):
        raise _unfit(equation, "conditions on two arrays")
    return guarded[0] if guarded else term.accesses[0]


def _array(access: Access) -> Array:
    places = zip(access.subscripts, access.tensor.shape, strict=True)
    return Array(access.tensor.name, tuple(_place(subscript, size) for subscript, size in places))


def _place(subscript: Affine, size: Polynomial) -> Place:
    terms = tuple((name, _size(coefficient)) for name, coefficient in subscript.ordered())
    return Place(_size(size), terms, _size(subscript.constant), _size(subscript.divisor))


def _size(polynomial: Polynomial) -> Size:
    return tuple(
        (coefficient, tuple(name for name, exponent in monomial for _ in range(exponent)))
        for monomial, coefficient in polynomial.terms
    )


def _residues(split: Split) -> Residues:
    return Residues(
        _size(split.modulus),
        _size(split.tap_coefficient),
        _size(split.constant),
        _size(split.position.extent),
        _size(split.tap.extent),
        (split.residue, split.positions, split.first, split.step, split.taps),
    )


def value(size: Size, numbers: Numbers) -> int:
    """A polynomial at the letters' numbers."""
    total = 0
    for coefficient, letters in size:
        product_ = coefficient
        for letter in letters:
            product_ *= numbers[letter]
        total += product_
    return total


def _operand(array: Array, numbers: Numbers) -> Operand:
    return Operand(array.name, tuple(_subscript(place, numbers) for place in array.places))


def _subscript(place: Place, numbers: Numbers) -> Subscript:
    divisor = value(place.divisor, numbers)
    terms = tuple((name, value(size, numbers) // divisor) for name, size in place.terms)
    return Subscript(value(place.size, numbers), terms, value(place.constant, numbers) // divisor)


def _is_inside(subscript: Subscript, extents: Mapping[str, int]) -> bool:
    low = high = subscript.offset
    for name, coefficient in subscript.terms:
        reach = coefficient * (extents[name] - 1)
        low, high = low + min(reach, 0), high + max(reach, 0)
    return low >= 0 and high < subscript.size


def _tuples(data: Any) -> Any:
    return tuple(map(_tuples, cast("list[Any]", data))) if isinstance(data, list) else data
