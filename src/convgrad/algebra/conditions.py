"""What is known of a condition from the ranges of its indices alone."""

from __future__ import annotations

from dataclasses import replace
from math import gcd
from typing import TYPE_CHECKING

from convgrad.algebra.affine import Affine
from convgrad.algebra.expression import Access, Condition, Divides, Equation, Term, Within, Zero
from convgrad.algebra.polynomial import ONE
from convgrad.errors import READ, require

if TYPE_CHECKING:
    from collections.abc import Mapping

    from convgrad.algebra.polynomial import Polynomial


def always(condition: Condition, extents: Mapping[str, Polynomial]) -> bool:
    """Whether a condition holds for every value of its indices, for all sizes."""
    match condition:
        case Within(value, extent):
            bounds = value.bounds(extents)
            if bounds is None:
                return False
            least, greatest = bounds
            below = extent * value.divisor - 1 - greatest
            return least.is_nonnegative() and below.is_nonnegative()
        case Divides(modulus, value):
            parts = (value.constant, *(size for _, size in value.terms))
            return all(part.divided_by(modulus) is not None for part in parts)
        case Zero(value):
            return not value.terms and not value.constant


def never(condition: Condition, extents: Mapping[str, Polynomial]) -> bool:
    """Whether a condition fails for every value of its indices, for all sizes."""
    match condition:
        case Within(value, extent):
            bounds = value.bounds(extents)
            if bounds is None:
                return False
            least, greatest = bounds
            return (-greatest).sign() == 1 or (least - extent * value.divisor).is_nonnegative()
        case Divides(modulus, value):
            numbers = (modulus.number, *(size.number for _, size in value.terms))
            constant = value.constant.number
            if constant is None or None in numbers:
                return False
            return constant % gcd(*(number for number in numbers if number is not None)) != 0
        case Zero(value):
            bounds = value.bounds(extents)
            if bounds is None:
                return False
            return (-bounds[1]).sign() == 1 or bounds[0].sign() == 1


def reading_conditions(term: Term, extents: Mapping[str, Polynomial]) -> tuple[Condition, ...]:
    """What must hold so that every tensor of a term is read at whole places inside its shape.

    Conditions that the ranges of the indices already guarantee are left out.
    """
    needed: dict[Condition, None] = {}
    for access in term.accesses:
        for subscript, size in zip(access.subscripts, access.tensor.shape, strict=True):
            if subscript.divisor != ONE:
                needed[Divides(subscript.divisor, subscript.numerator)] = None
            needed[Within(subscript, size)] = None
    return tuple(condition for condition in needed if not always(condition, extents))


def missing_conditions(equation: Equation) -> tuple[tuple[Access, Condition], ...]:
    """Where an equation reads outside a tensor, or at a broken place, and has no condition for it.

    >>> from convgrad.algebra import parse
    >>> bad = parse("dx[i] = sum(t) dz[i - t] * w[t]", zero_outside=False)
    >>> for access, condition in missing_conditions(bad):
    ...     print(access, "needs", condition)
    dz[i-t] needs 0 <= i - t < DZ0
    """
    require(Equation, READ, equation=equation)
    found: list[tuple[Access, Condition]] = []
    for term in equation.terms:
        extents = equation.extents(term)
        for access in term.accesses:
            alone = replace(term, factors=(access,))
            found.extend(
                (access, condition)
                for condition in reading_conditions(alone, extents)
                if condition not in term.conditions
            )
    return tuple(found)


def drop_idle(equation: Equation) -> Equation:
    """The same sums without conditions that always hold."""

    def needed(term: Term) -> Term:
        extents = equation.extents(term)
        kept = dict.fromkeys(c for c in term.conditions if not always(c, extents))
        return replace(term, conditions=tuple(kept))

    return replace(equation, terms=tuple(needed(term) for term in equation.terms))


def tighten(equation: Equation) -> Equation:
    """The same sums without conditions that always hold and without terms that never do."""
    occurring = tuple(
        term
        for term in equation.terms
        if not any(never(condition, equation.extents(term)) for condition in term.conditions)
    )
    return drop_idle(replace(equation, terms=occurring))


def limits(value: Affine, extent: Polynomial, name: str) -> tuple[Affine, Affine] | None:
    """The smallest and largest `name` for which `0 <= value < extent`, as forms to be rounded.

    The first is to be rounded up, the second down. None where the form does not depend on the
    index or the sign of its coefficient is not known.

    >>> from convgrad.algebra.affine import Affine
    >>> from convgrad.algebra.polynomial import Polynomial
    >>> i, t = Affine.index("i"), Affine.index("t")
    >>> low, high = limits((i + 1 - 3 * t).over(2), Polynomial.of(5), "t")
    >>> print(low, "<= t <=", high)
    (i - 7)/3 <= t <= (i + 1)/3
    """
    coefficient = value.coefficient(name)
    if not coefficient:
        return None
    rest = value.numerator - Affine.index(name) * coefficient
    top = extent * value.divisor - value.divisor
    if coefficient.is_nonnegative():
        return (-rest).over(coefficient), (-rest + top).over(coefficient)
    if (-coefficient).is_nonnegative():
        return (rest - top).over(-coefficient), rest.over(-coefficient)
    return None
