"""Linear equations between indices, solved for one of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from convgrad.algebra.affine import Affine
from convgrad.algebra.expression import Condition, Divides, Equation, Index, Term, Within, Zero
from convgrad.algebra.polynomial import ONE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from convgrad.algebra.polynomial import Polynomial


@dataclass(frozen=True)
class Elimination:
    """What became of one index: its value, and the conditions under which it has one."""

    index: Index
    value: Affine
    conditions: tuple[Condition, ...]


def eliminate(
    term: Term, difference: Affine, first: Iterable[str] = ()
) -> tuple[Term, Elimination | None]:
    """Use `difference == 0` to remove one sum from a term.

    The index that is removed is the one whose value is then simplest: first those named in
    `first`, among them one with coefficient 1 or -1. Any other coefficient leaves the condition
    that it divides. Where no sum can be removed the equation stays as a condition.

    Returns: the term without that sum, and what was removed.
    """
    difference = difference.numerator
    preferred = frozenset(first)
    solvable = [index for index in term.sums if _known_sign(difference.coefficient(index.name))]
    if not solvable:
        if not difference.terms and not difference.constant:
            return term, None
        leading = difference.terms[0][1] if difference.terms else difference.constant
        stays = -difference if (-leading).is_nonnegative() else difference
        return replace(term, conditions=(*term.conditions, Zero(stays))), None

    def cost(index: Index) -> tuple[bool, bool]:
        return index.name not in preferred, not _unit(difference.coefficient(index.name))

    index = min(solvable, key=cost)
    coefficient = difference.coefficient(index.name)
    rest = difference - Affine.index(index.name) * coefficient
    value = (-rest).over(coefficient) if coefficient.is_nonnegative() else rest.over(-coefficient)
    summed = {other.name for other in term.sums}
    # places before taps: `jh + th - 2`
    value = replace(value, order=tuple(sorted(value.order, key=lambda name: name in summed)))
    needed: list[Condition] = []
    if value.divisor != ONE:
        needed.append(Divides(value.divisor, value.numerator))
    needed.append(Within(value, index.extent))
    sums = tuple(other for other in term.sums if other != index)
    put = substitute(replace(term, sums=sums), {index.name: value})
    conditions = tuple(dict.fromkeys((*put.conditions, *needed)))
    return replace(put, conditions=conditions), Elimination(index, value, tuple(needed))


def substitute(term: Term, values: dict[str, Affine]) -> Term:
    """The term with indices replaced by forms, which may be quotients that are known to be whole.

    `m | A/q` is written `m*q | A`: the same wherever q divides A.
    """
    put = term.map(lambda affine: affine.with_indices(values))
    return replace(put, conditions=tuple(_whole(condition) for condition in put.conditions))


def _whole(condition: Condition) -> Condition:
    match condition:
        case Divides(modulus, value):
            return Divides(modulus * value.divisor, value.numerator)
        case Zero(value):
            return Zero(value.numerator)
        case Within():
            return condition


def over_quotients(equation: Equation) -> Equation:
    """Sums over an index that a divisibility ties, as sums over the quotient instead.

    sum(o if s | o + c, 0 <= (o + c)/s < I) f(o)  =  sum(i < I if 0 <= s*i - c < O) f(s*i - c)

    Every index o that has coefficient 1 in such a condition is replaced; nothing is divided then.

    >>> from convgrad.algebra import parse
    >>> dw = parse("dw[t] = sum(o) dz[o] * x[(o-t)/s] for o < O, t < T with x[I]")
    >>> print(over_quotients(dw))
    dw[t] = sum(i if 0 <= s*i + t < O) dz[s*i+t] * x[i]
    """
    taken = {index.name for index in equation.all_indices()} | equation.letters
    return replace(equation, terms=tuple(_over_quotients(term, taken) for term in equation.terms))


def _over_quotients(term: Term, taken: set[str]) -> Term:
    extents = {c.value: c.extent for c in term.conditions if isinstance(c, Within)}
    for condition in term.conditions:
        if not isinstance(condition, Divides):
            continue
        quotient = condition.value.over(condition.modulus)
        old = next((i for i in term.sums if condition.value.coefficient(i.name) == ONE), None)
        if old is None or quotient not in extents:
            continue
        name = f"i{old.name[1:]}"
        while name in taken:
            name += "'"
        new = Affine.index(name)
        value = new * condition.modulus - (condition.value - Affine.index(old.name))
        sums = tuple(Index(name, extents[quotient]) if i == old else i for i in term.sums)
        gone = condition, Within(quotient, extents[quotient])
        kept = tuple(other for other in term.conditions if other not in gone)
        put = substitute(replace(term, sums=sums, conditions=kept), {old.name: value})
        inside = Within(value, old.extent)
        put = replace(put, conditions=(*put.conditions, inside))
        return _over_quotients(put, taken | {name})
    return term


def _known_sign(coefficient: Polynomial) -> bool:
    return bool(coefficient) and (coefficient.is_nonnegative() or (-coefficient).is_nonnegative())


def _unit(coefficient: Polynomial) -> bool:
    return coefficient in {ONE, -ONE}
