"""From an equation to a formula on paper, in a convention."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from convgrad.algebra.affine import Affine
from convgrad.algebra.expression import (
    Access,
    Condition,
    Derivative,
    Divides,
    Equation,
    Factor,
    Index,
    Kronecker,
    Term,
    Within,
    Zero,
)
from convgrad.algebra.polynomial import ONE, Polynomial
from convgrad.notation.conventions import FRAMEWORK, Convention
from convgrad.notation.layout import (
    Fence,
    Fraction,
    Gap,
    Layout,
    Number,
    Row,
    Script,
    Sign,
    Sum,
    Symbol,
    joined,
    row,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAME = re.compile(r"(?P<letter>[^\W\d_])(?P<size>_?)(?P<suffix>\w*)(?P<primes>'*)$")
_COMMA = Sign(",", tight=True)


def compose(equation: Equation, way: Convention = FRAMEWORK) -> Row:
    """A whole equation as a formula.

    Raises:
        EquationError: where the convention has no way to write it.
    """
    way.refuse_unwritable(equation)
    writer = _Writer(way)
    return row(writer.factor(equation.left), Sign("="), Gap(), writer.terms(equation.terms))


def compose_ranges(equation: Equation, way: Convention = FRAMEWORK) -> Row:
    """Where every index of an equation ends, `k < 20, ...`; they begin at 0 (or 1: `k ≤ 20`)."""
    writer = _Writer(way)
    seen: dict[str, Index] = {}
    for index in equation.all_indices():
        if not way.leaves_out(index.name):
            seen.setdefault(index.name, index)
    upper = Sign("≤" if way.first else "<")
    ends = [row(writer.index(i.name), upper, writer.size(i.extent)) for i in seen.values()]
    return joined(list[Layout](ends), Sign(","))


def compose_condition(condition: Condition, way: Convention = FRAMEWORK) -> Row:
    """One condition as a formula."""
    return _Writer(way).condition(condition)


def compose_size(size: Polynomial) -> Layout:
    """A number or an expression in sizes as a formula."""
    return _Writer(FRAMEWORK).size(size)


def identifier(name: str) -> Layout:
    """The name of an index or a size: a letter, what tells the axis as its subscript, primes.

    The axis of a size (`s_h`) is an upright subscript, that of an index (`oh`) a slanted one.
    """
    match = _NAME.match(name)
    if not match:
        return Symbol(name)
    primes = Sign("′" * len(match["primes"]), tight=True) if match["primes"] else None
    suffix = match["suffix"]
    upright = bool(match["size"])
    plain = suffix.isdigit() and not upright
    sub = (Number(suffix) if plain else Symbol(suffix, upright)) if suffix else None
    letter = Symbol(match["letter"])
    return Script(letter, sub, primes) if sub or primes else letter


@dataclass(frozen=True)
class _Writer:
    way: Convention

    def terms(self, terms: Iterable[Term]) -> Row:
        if self.way.bias_last:
            terms = sorted(terms, key=lambda term: not term.sums)
        parts: list[Layout] = []
        for number, term in enumerate(terms):
            if number or term.coefficient < 0:
                parts.append(Sign("−" if term.coefficient < 0 else "+"))
            parts.append(self.term(term))
            parts.append(Gap())
        return row(*parts[:-1]) if parts else row(Number("0"))

    def term(self, term: Term) -> Row:
        parts: list[Layout] = []
        size = abs(term.coefficient)
        if size.denominator != 1:
            parts.append(Fraction(Number(str(size.numerator)), Number(str(size.denominator))))
        elif size != 1 or not term.factors:
            parts.append(Number(str(size)))
        if term.conditions and not term.sums and self.way.show_conditions:
            parts.append(self.iverson(term.conditions))
        parts.extend(self.sum(term))
        for number, factor in enumerate(term.factors):
            if number:
                parts.extend([Sign("·"), Gap()] if self.way.dot else [Gap()])
            parts.append(self.factor(factor))
        return row(*parts)

    def iverson(self, conditions: Iterable[Condition]) -> Layout:
        """Brackets that are 1 where the conditions hold and 0 elsewhere [Knuth 1992]."""
        inside = joined([self.condition(condition) for condition in conditions], Sign(","))
        return row(Fence(inside, square=True), Gap())

    def sum(self, term: Term) -> list[Layout]:
        names = [i.name for i in term.sums if not self.way.leaves_out(i.name)]
        indices: list[Layout] = [self.index(name) for name in names]
        conditions = list(term.conditions) if self.way.show_conditions else []
        below: list[Layout] = [self.condition(condition) for condition in conditions]
        if self.way.each_sum and not below:
            return [Sum((index,)) for index in indices]
        return [Sum((joined(indices, _COMMA), *below))] if indices else []

    def factor(self, factor: Factor) -> Layout:
        match factor:
            case Access():
                return self.access(factor)
            case Kronecker(left, right):
                return Script(Symbol("δ"), row(self.affine(left), _COMMA, self.affine(right)))
            case Derivative(of, by):
                below = row(Symbol("∂"), self.access(by))
                if isinstance(of, Access):
                    return Fraction(row(Symbol("∂"), self.access(of)), below)
                return row(Fraction(Symbol("∂"), below), Fence(self.term(of), large=True))

    def access(self, access: Access) -> Layout:
        tensor = access.tensor
        name = tensor.name
        if "/" in name:  # a number made of sizes, such as 1/(N·O)
            top, bottom = (
                row(*(Number(n) if n.isdigit() else Symbol(n) for n in part.strip("()").split("·")))
                for part in name.split("/")
            )
            return Fraction(top, bottom)
        if self.way.loss and name not in self.way.tensors and name[1:] in self.way.tensors:
            of = Access(replace(tensor, name=name[1:]), access.subscripts)
            top = row(Symbol("∂"), Symbol(self.way.loss))
            return Fraction(top, row(Symbol("∂"), self.access(of)))
        base, sup = self.tensor(name)
        axes = self.way.axes_of(tensor)
        subscripts: list[Layout] = [
            self.affine(access.subscripts[axis], shift=True) for axis in axes
        ]
        sub = joined(subscripts, _COMMA) if subscripts else None
        return Script(base, sub, sup) if sub or sup else base

    def tensor(self, name: str) -> tuple[Layout, Layout | None]:
        """A tensor's letter and superscript: `dx` upright d, `xh` the x padded along h."""
        if name in self.way.tensors:
            letter, sup = self.way.tensors[name]
            return Symbol(letter), _superscript(sup)
        gradients = len(name) - len(name.lstrip("d")) if name.strip("d") else 0
        rest = name[gradients:]
        if gradients and rest in self.way.tensors:
            letter, sup = self.way.tensors[rest]
            return row(Symbol("d" * gradients, upright=True), Symbol(letter)), _superscript(sup)
        letter = Symbol(rest[:1])
        base = row(Symbol("d" * gradients, upright=True), letter) if gradients else letter
        return base, Symbol(rest[1:], upright=True) if rest[1:] else None

    def index(self, name: str) -> Layout:
        bare = name.rstrip("'")
        primes = name[len(bare) :]
        return identifier(self.way.letters.get(bare, bare) + primes)

    def condition(self, condition: Condition) -> Row:
        first = self.way.first
        match condition:
            case Within(value, extent):
                upper = [Sign("≤" if first else "<"), self.size(extent)]
                return row(Number(str(first)), Sign("≤"), self.affine(value, shift=True), *upper)
            case Divides(modulus, value):
                return row(self.size(modulus), Sign("∣"), self.affine(value))
            case Zero(value):
                return row(self.affine(value), Sign("="), Number("0"))

    def affine(self, affine: Affine, *, shift: bool = False) -> Row:
        """A form; where counting starts at 1, indices and (with `shift`) the place move up by 1."""
        first = self.way.first if shift else 0
        if affine.written:
            return self.unsimplified(affine)
        back = {name: Affine.index(name) - self.way.first for name in affine.indices}
        moved = (affine.with_indices(back) if self.way.first else affine) + first
        top = self.linear(moved)
        if moved.divisor == ONE:
            return top
        lone = len(moved.terms) + len(moved.constant.terms) == 1
        return row(top if lone else Fence(top), Sign("/", tight=True), self.size(moved.divisor))

    def unsimplified(self, affine: Affine) -> Row:
        """`(m - a + 1) + p - 1`: the place of the window, and what the tap adds to it."""
        window, rest = affine.written
        back = {name: Affine.index(name) - self.way.first for name in rest.indices}
        added = rest.with_indices(back)
        place = self.affine(window, shift=True)
        return row(Fence(place), Sign("+"), self.linear(added))

    def linear(self, affine: Affine) -> Row:
        terms: list[tuple[bool, Layout]] = []
        for name, coefficient in affine.ordered():
            negative = str(coefficient).startswith("-") and len(coefficient.terms) == 1
            size = -coefficient if negative else coefficient
            index = self.index(name)
            shown = index if size == ONE else row(self.factored(size), index)
            terms.append((negative, shown))
        constants: list[tuple[bool, Layout]] = []
        for term in affine.constant.terms:
            negative = term[1] < 0
            constants.append((negative, self.size(Polynomial(((term[0], abs(term[1])),)))))
        lead = bool(terms) and terms[0][0] and bool(constants)
        ordered = [*constants, *terms] if lead else [*terms, *constants]
        parts: list[Layout] = []
        for number, (negative, shown) in enumerate(ordered or [(False, Number("0"))]):
            if number or negative:
                parts.append(Sign("−" if negative else "+", tight=not number))
            parts.append(shown)
        return row(*parts)

    def factored(self, size: Polynomial) -> Layout:
        return Fence(self.size(size)) if len(size.terms) > 1 else self.size(size)

    def size(self, size: Polynomial) -> Layout:
        parts: list[Layout] = []
        for number, (monomial, coefficient) in enumerate(size.terms):
            if number or coefficient < 0:
                parts.append(Sign("−" if coefficient < 0 else "+", tight=not number))
            letters = [identifier(name) for name, power in monomial for _ in range(power)]
            if abs(coefficient) != 1 or not letters:
                parts.append(Number(str(abs(coefficient))))
            parts.extend(letters)
        return row(*parts) if parts else Number("0")


def _superscript(text: str) -> Layout | None:
    if not text:
        return None
    parts: list[Layout] = []
    for part in re.findall(r"\d+|\w|[+-]", text):
        sign = {"+": "+", "-": "−"}.get(part)
        parts.append(Sign(sign) if sign else Number(part) if part.isdigit() else Symbol(part))
    return row(*parts)
