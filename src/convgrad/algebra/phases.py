"""A strided gradient as dense sums: one for each residue of its positions.

    dx[i] = sum(t if s | i + p - d*t)  dz[(i+p-d*t)/s] * w[t]

For i = s*q + r the condition asks d*t = r + p (mod s): t is one residue class v + m*u with
m = s/gcd(s, d), or there is no t at all. Put in, the division is gone:

    dx[s*q + r] = sum(u)  dz[q + (r + p - d*v)/s - (d*m/s)*u] * w[v + m*u]

where both quotients are whole numbers. `phases` does it for a layer's numbers and gives one
equation for each r; `in_letters` gives this one equation for all of them, and for all layers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from math import gcd, lcm
from typing import TYPE_CHECKING

from convgrad.algebra.affine import Affine, numeric
from convgrad.algebra.conditions import tighten
from convgrad.algebra.expression import Divides, Equation, Index, Term, map_access
from convgrad.algebra.polynomial import ONE, Polynomial
from convgrad.algebra.solve import substitute
from convgrad.congruence import solutions
from convgrad.errors import READ, EquationError, require

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(frozen=True)
class Progression:
    """The values of an index in one phase: `first + step*name` for `0 <= name < count`."""

    of: str
    name: str
    first: int
    step: int
    count: int

    @property
    def value(self) -> Affine:
        """The index as a form in the new one."""
        return Affine.index(self.name) * self.step + self.first

    @property
    def values(self) -> range:
        """All the values."""
        return range(self.first, self.first + self.step * self.count, self.step)

    def __str__(self) -> str:
        return f"{self.of} = {self.value}"


@dataclass(frozen=True)
class Phase:
    """One residue class of the positions of a gradient, and its dense sum.

    Attributes:
        positions: for each split index of the left side, the positions of this phase.
        taps: for each summed index that is thereby tied to a residue class, the class.
        equation: the same sum without any division; no terms where no tap reaches the phase.
    """

    positions: tuple[Progression, ...]
    taps: tuple[Progression, ...]
    equation: Equation

    @property
    def empty(self) -> bool:
        """Whether the gradient is zero in the whole phase."""
        return not self.equation.terms

    def __str__(self) -> str:
        return str(self.equation)


def phases(equation: Equation) -> tuple[Phase, ...]:
    """Split an equation without letters (the batch may stay one) into its phases.

    An equation without divisibility conditions is its own only phase.

    >>> from convgrad.algebra import parse
    >>> dx = parse("dx[i] = sum(t) dz[(i+1-t)/2] * w[t] for i < 9, t < 3 with dz[5]")
    >>> for phase in phases(dx):
    ...     print(phase)
    dx[2*q] = dz[q] * w[1]
    dx[2*q+1] = sum(u) dz[q-u+1] * w[2*u]
    """
    require(Equation, READ, equation=equation)
    periods: dict[str, int] = {}
    for condition in _divisions(equation.terms):
        for index in equation.indices:
            coefficient = numeric(condition.value.coefficient(index.name))
            modulus = numeric(condition.modulus)
            period = modulus // gcd(modulus, coefficient)
            periods[index.name] = lcm(periods.get(index.name, 1), period)
    split = {name: period for name, period in periods.items() if period > 1}
    names = _fresh(equation, dict.fromkeys(split, "q"))
    found: list[Phase] = []
    extents = {name: numeric(equation.extents()[name]) for name in split}
    for residues in product(*(range(period) for period in split.values())):
        positions = tuple(
            _progression(name, names[name], residue, split[name], extents[name])
            for name, residue in zip(split, residues, strict=True)
        )
        if all(position.count > 0 for position in positions):
            found.append(_phase(equation, positions))
    return tuple(found)


@dataclass(frozen=True)
class Split:
    """A condition of divisibility, and the letters in which it is met.

    `modulus` divides `position + tap_coefficient*tap + constant` where

        position = modulus*q + residue,  0 <= q < positions,    tap = step*u + first,  0 <= u < taps

    Attributes:
        modulus: the divisor, a stride.
        position: the free index that the condition ties.
        tap: the summed index that the condition ties.
        tap_coefficient: its coefficient.
        constant: what stands beside them.
        residue: letter for the residue of the positions.
        positions: letter for how many positions the phase has.
        first: letter for the first tap that reaches them.
        step: letter for the step from tap to tap.
        taps: letter for how many taps there are.
    """

    modulus: Polynomial
    position: Index
    tap: Index
    tap_coefficient: Polynomial
    constant: Polynomial
    residue: str
    positions: str
    first: str
    step: str
    taps: str


@dataclass(frozen=True)
class LetteredPhase:
    """Any phase of a gradient as one equation.

    Attributes:
        equation: the dense sum; its quotients are whole for the numbers that the splits allow.
        splits: what says which numbers the new letters have; one for each divisibility.
    """

    equation: Equation
    splits: tuple[Split, ...]


def in_letters(equation: Equation) -> LetteredPhase:
    """A phase of an equation whose sizes may be letters, the residue a letter too.

    Raises:
        EquationError: where a condition of divisibility does not tie one free index, with
            coefficient 1, to one summed index; the gradients of layers are always so.

    >>> from convgrad.algebra import parse
    >>> dx = parse("dx[i] = sum(t) dz[(i+p-d*t)/s] * w[t] for i < I, t < T with dz[O]")
    >>> phase = in_letters(dx)
    >>> print(phase.equation)  # doctest: +NORMALIZE_WHITESPACE
    dx[s*q+r] = sum(u if 0 <= (s*q - d*m*u - d*v + p + r)/s < O)
        dz[(s*q-d*m*u-d*v+p+r)/s] * w[m*u+v]
    """
    splits: list[Split] = []
    positions: dict[str, Index] = {}
    values: dict[str, Affine] = {}
    terms: list[Term] = []
    for term in equation.terms:
        conditions = tuple(_divisions([term]))
        taps: dict[str, Index] = {}
        for condition in conditions:
            split = _split(equation, term, condition)
            if split.position.name in positions or split.tap.name in taps:
                raise EquationError(f"{equation} ties an index by two divisibilities")
            splits.append(split)
            names = _fresh(equation, {split.position.name: "q", split.tap.name: "u"}, term)
            q, u = names[split.position.name], names[split.tap.name]
            positions[split.position.name] = Index(q, Polynomial.letter(split.positions))
            taps[split.tap.name] = Index(u, Polynomial.letter(split.taps))
            values[split.position.name] = Affine.index(q) * split.modulus + split.residue
            values[split.tap.name] = Affine.index(u) * split.step + split.first
        rest = tuple(c for c in term.conditions if c not in conditions)
        sums = tuple(taps.get(index.name, index) for index in term.sums)
        terms.append(substitute(replace(term, sums=sums, conditions=rest), values))
    left = map_access(equation.target, lambda affine: affine.with_indices(values))
    indices = tuple(positions.get(index.name, index) for index in equation.indices)
    return LetteredPhase(Equation(left, indices, tuple(terms)), tuple(splits))


def _split(equation: Equation, term: Term, condition: Divides) -> Split:
    value = condition.value
    free = [index for index in equation.indices if index.name in value.indices]
    tied = [index for index in term.sums if index.name in value.indices]
    if len(free) != 1 or len(tied) != 1 or value.coefficient(free[0].name) != ONE:
        raise EquationError(
            f"the phases of {equation} have no common form",
            got=str(condition),
            expected="a condition that ties one free index, with coefficient 1, to one sum",
            mend="give the sizes numbers and use `phases`",
        )
    (position,), (tap,) = free, tied
    suffix = f"_{position.name[1:]}" if position.name[1:] else ""
    letters = (_unused(equation, letter + suffix) for letter in "rQvmU")
    coefficient = value.coefficient(tap.name)
    return Split(condition.modulus, position, tap, coefficient, value.constant, *letters)


def _unused(equation: Equation, letter: str) -> str:
    taken = {index.name for index in equation.all_indices()} | equation.letters
    while letter in taken:
        letter += "'"
    return letter


def _phase(equation: Equation, positions: tuple[Progression, ...]) -> Phase:
    values = {position.of: position.value for position in positions}
    counts = {p.of: Index(p.name, Polynomial.of(p.count)) for p in positions}
    indices = tuple(counts.get(index.name, index) for index in equation.indices)
    left = map_access(equation.target, lambda affine: affine.with_indices(values))
    terms: list[Term] = []
    taps: dict[Progression, None] = {}
    for term in equation.terms:
        for dense, progressions in _dense(equation, substitute(term, values)):
            terms.append(dense)
            taps.update(dict.fromkeys(progressions))
    tight = tighten(Equation(left, indices, tuple(terms)))
    return Phase(positions, tuple(taps), tight)


def _dense(
    equation: Equation, term: Term, done: tuple[Progression, ...] = ()
) -> Iterator[tuple[Term, tuple[Progression, ...]]]:
    """The term as sums without divisions: each condition ties one summed index to a class."""
    condition = next(_divisions([term]), None)
    if condition is None:
        yield term, done
        return
    modulus = numeric(condition.modulus)
    sums = [i for i in term.sums if numeric(condition.value.coefficient(i.name)) % modulus]
    rest = replace(term, conditions=tuple(c for c in term.conditions if c != condition))
    if not sums:
        if numeric(condition.value.constant) % modulus == 0:
            yield from _dense(equation, rest, done)
        return
    *others, last = sums
    coefficient = numeric(condition.value.coefficient(last.name))
    for residues in product(*(range(modulus) for _ in others)):
        constant = numeric(condition.value.constant)
        for index, residue in zip(others, residues, strict=True):
            constant += numeric(condition.value.coefficient(index.name)) * residue
        values = solutions(coefficient, -constant, modulus, numeric(last.extent))
        if not values:
            continue
        classes = [(i, r, modulus) for i, r in zip(others, residues, strict=True)]
        classes.append((last, values.start, values.step))
        tied = [c for c in classes if c[2] > 1]
        names = _fresh(equation, {i.name: "u" for i, _, _ in tied}, term)
        progressions = tuple(
            _progression(index.name, names[index.name], first, step, numeric(index.extent))
            for index, first, step in tied
        )
        if all(progression.count > 0 for progression in progressions):
            yield from _dense(equation, _walk(rest, progressions), (*done, *progressions))


def _walk(term: Term, progressions: Iterable[Progression]) -> Term:
    """The term with summed indices running over residue classes; a class of one value is put in."""
    walks = {p.of: p for p in progressions}
    values = {p.of: p.value if p.count > 1 else Affine.number(p.first) for p in progressions}
    sums: list[Index] = []
    for index in term.sums:
        walk = walks.get(index.name)
        if walk is None:
            sums.append(index)
        elif walk.count > 1:
            sums.append(Index(walk.name, Polynomial.of(walk.count)))
    return substitute(replace(term, sums=tuple(sums)), values)


def _divisions(terms: Iterable[Term]) -> Iterator[Divides]:
    for term in terms:
        for condition in term.conditions:
            if isinstance(condition, Divides):
                yield condition


def _progression(of: str, name: str, first: int, step: int, extent: int) -> Progression:
    return Progression(of, name, first, step, max(0, -((first - extent) // step)))


def _fresh(
    equation: Equation, letters: Mapping[str, str], term: Term | None = None
) -> dict[str, str]:
    """New names for indices: another letter before the same axis, as in `ih` and `qh`."""
    taken = {index.name for index in equation.all_indices()} | equation.letters
    taken |= {index.name for index in term.sums} if term else set()
    found: dict[str, str] = {}
    for name, letter in letters.items():
        new = letter + name[1:]
        while new in taken:
            new += "'"
        taken.add(new)
        found[name] = new
    return found
