"""An equation evaluated as it is written: slow, obvious, the oracle of everything else.

Nothing is rearranged here: every combination of the summed indices is visited, every condition is
asked, every factor is read. The numbers are whatever Python can add and multiply without rounding:
int or Fraction.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from convgrad.algebra.affine import Affine, numeric
from convgrad.algebra.expression import (
    Access,
    Condition,
    Divides,
    Equation,
    Index,
    Kronecker,
    Term,
    Within,
    Zero,
)
from convgrad.errors import EquationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from fractions import Fraction

    import numpy as np

    from convgrad.algebra.expression import Factor

Place = tuple[int, ...]


@dataclass(frozen=True)
class Contribution:
    """One product of a sum: which elements it multiplies, and by which coefficient.

    Attributes:
        elements: the tensors that are read, each with the place.
        indices: the values of all indices.
    """

    coefficient: Fraction
    elements: tuple[tuple[str, Place], ...]
    indices: Mapping[str, int]


def contributions(equation: Equation, indices: Mapping[str, int]) -> Iterator[Contribution]:
    """Every product that the entry at the given free indices is the sum of.

    >>> from convgrad.algebra import parse
    >>> z = parse("z[o] = sum(t) x[2*o + t - 1] * w[t] for o < 3, t < 3 with x[6]")
    >>> for part in contributions(z, {"o": 0}):
    ...     print(part.elements)
    (('x', (0,)), ('w', (1,)))
    (('x', (1,)), ('w', (2,)))
    """
    for term in equation.terms:
        for values in _everywhere(term.sums):
            at = {**indices, **values}
            if all(holds(condition, at) for condition in term.conditions):
                elements = _elements(term, at)
                if elements is not None:
                    yield Contribution(term.coefficient, elements, at)


def evaluate_literally(
    equation: Equation, arrays: Mapping[str, np.ndarray[Any, Any]]
) -> np.ndarray[Any, Any]:
    """All entries of the left side, for arrays of integers or Fractions.

    Args:
        equation: an equation without letters.
        arrays: one array for each tensor on the right side.

    Returns: an array of Python numbers (dtype object).

    Raises:
        IndexError: where the equation reads outside an array, which no derived equation does.

    >>> import numpy as np
    >>> from convgrad.algebra import parse
    >>> z = parse("z[o] = sum(t) x[2*o + t - 1] * w[t] for o < 3, t < 3 with x[6]")
    >>> evaluate_literally(z, {"x": np.arange(1, 7), "w": np.array([1, 10, 100])})
    array([210, 432, 654], dtype=object)
    """
    import numpy as np

    target = equation.target
    result = np.zeros(tuple(map(numeric, target.tensor.shape)), dtype=object)
    for indices in _everywhere(equation.indices):
        total = 0
        for part in contributions(equation, indices):
            value = part.coefficient if part.coefficient.denominator > 1 else int(part.coefficient)
            for name, place in part.elements:
                value = value * _exact(arrays[name][place])
            total = total + value
        result[place_of(target.subscripts, indices)] = total
    return result


def place_of(subscripts: Iterable[Affine], indices: Mapping[str, int]) -> Place:
    """The values of subscripts; a broken or negative place is refused, not wrapped around."""
    place: list[int] = []
    for subscript in subscripts:
        value, remainder = subscript.at(indices)
        if remainder or value < 0:
            raise IndexError(f"subscript {subscript} has no place at {dict(indices)}")
        place.append(value)
    return tuple(place)


def holds(condition: Condition, indices: Mapping[str, int]) -> bool:
    """Whether a condition without letters is true at given indices."""
    match condition:
        case Within(value, extent):
            quotient, _ = value.at(indices)
            return 0 <= quotient < numeric(extent)
        case Divides(modulus, value):
            quotient, remainder = value.at(indices)
            return remainder == 0 and quotient % numeric(modulus) == 0
        case Zero(value):
            return value.numerator.at(indices)[0] == 0


def _elements(term: Term, indices: Mapping[str, int]) -> tuple[tuple[str, Place], ...] | None:
    """The elements a term reads, or None where one of its deltas is 0."""
    elements: list[tuple[str, Place]] = []
    for factor in term.factors:
        match factor:
            case Access(tensor, subscripts):
                elements.append((tensor.name, place_of(subscripts, indices)))
            case Kronecker(left, right):
                if left.at(indices) != right.at(indices):
                    return None
            case _:
                raise _not_finished(factor)
    return tuple(elements)


def _everywhere(indices: Iterable[Index]) -> Iterator[dict[str, int]]:
    indices = tuple(indices)
    names = [index.name for index in indices]
    for values in product(*(range(numeric(index.extent)) for index in indices)):
        yield dict(zip(names, values, strict=True))


def _exact(number: Any) -> Any:
    """A NumPy scalar as a Python number, so that nothing overflows."""
    return number.item() if hasattr(number, "item") else number


def _not_finished(factor: Factor) -> EquationError:
    return EquationError(
        f"{factor} has no value",
        expected="a finished equation",
        mend="evaluate the result of the derivation, not a step on the way",
    )
