"""Integer polynomials in the sizes of a layer: the coefficients of index arithmetic.

A stride may be the number 2 or the letter s; `s*(O - 1) + d*(T - 1) + 1` is one input size for all
layers. Every letter stands for a size, so it is never negative; that alone is used when signs are
compared, and it is enough to see that `o + t` stays below `O + T - 1`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Monomial = tuple[tuple[str, int], ...]
"""A product of letters with their exponents, sorted by letter: `(("O", 1), ("s", 1))` is O*s."""


@dataclass(frozen=True)
class Polynomial:
    """A sum of monomials with integer coefficients, in one canonical order.

    >>> s, size = Polynomial.letter("s"), Polynomial.letter("O")
    >>> print(s * (size - 1) + 1)
    O*s - s + 1
    >>> (s * (size - 1) + 1).at({"s": 2, "O": 5})
    Polynomial(9)
    """

    terms: tuple[tuple[Monomial, int], ...] = ()

    @staticmethod
    def of(value: Size) -> Polynomial:
        """A number, a letter or a polynomial as a polynomial."""
        if isinstance(value, Polynomial):
            return value
        return Polynomial.letter(value) if isinstance(value, str) else _constant(value)

    @staticmethod
    def letter(name: str) -> Polynomial:
        """The polynomial that is one letter."""
        return Polynomial(((((name, 1),), 1),))

    @property
    def letters(self) -> frozenset[str]:
        """The letters that occur."""
        return frozenset(name for monomial, _ in self.terms for name, _ in monomial)

    @property
    def number(self) -> int | None:
        """The value where no letter occurs, otherwise None."""
        if not self.terms:
            return 0
        if self.terms[0][0] == () and len(self.terms) == 1:
            return self.terms[0][1]
        return None

    def at(self, values: Mapping[str, Size]) -> Polynomial:
        """The polynomial with letters replaced by numbers or by other polynomials."""
        total = ZERO
        for monomial, coefficient in self.terms:
            product = Polynomial.of(coefficient)
            for name, exponent in monomial:
                letter = Polynomial.of(values.get(name, name))
                for _ in range(exponent):
                    product = product * letter
            total = total + product
        return total

    def sign(self) -> int | None:
        """1, 0 or -1 where all values agree: positive, zero, negative; None where they do not.

        A letter may be zero, so `s` is not known to be positive, only not negative: see
        `is_nonnegative`.
        """
        if not self.terms:
            return 0
        constant = dict(self.terms).get((), 0)
        if constant > 0 and self.is_nonnegative():
            return 1
        if constant < 0 and (-self).is_nonnegative():
            return -1
        return None

    def is_nonnegative(self) -> bool:
        """Whether the value is at least zero for all letters >= 0, as far as signs tell."""
        return all(coefficient >= 0 for _, coefficient in self.terms)

    def divided_by(self, divisor: Polynomial) -> Polynomial | None:
        """The exact quotient by one monomial, or None where it does not divide every term."""
        if divisor.terms == _UNIT:
            return self
        if len(divisor.terms) != 1:
            return ONE if self == divisor else None
        ((letters, number),) = divisor.terms
        quotient: list[tuple[Monomial, int]] = []
        for monomial, coefficient in self.terms:
            exponents = dict(monomial)
            for name, exponent in letters:
                exponents[name] = exponents.get(name, 0) - exponent
            if coefficient % number or any(exponent < 0 for exponent in exponents.values()):
                return None
            quotient.append((_monomial(exponents), coefficient // number))
        return _canonical(quotient)

    def content(self) -> int:
        """The greatest common divisor of the coefficients; 0 for the polynomial zero."""
        return gcd(*(coefficient for _, coefficient in self.terms))

    def __add__(self, other: Size) -> Polynomial:
        if not _is_size(other):
            return NotImplemented
        right = Polynomial.of(other)
        if not right.terms:
            return self
        if (left := self.number) is not None and (number := right.number) is not None:
            return _constant(left + number)
        return _canonical([*self.terms, *right.terms])

    def __radd__(self, other: Size) -> Polynomial:
        return self + other

    def __neg__(self) -> Polynomial:
        return Polynomial(tuple((monomial, -coefficient) for monomial, coefficient in self.terms))

    def __sub__(self, other: Size) -> Polynomial:
        if not _is_size(other):
            return NotImplemented
        return self + -Polynomial.of(other)

    def __rsub__(self, other: Size) -> Polynomial:
        return Polynomial.of(other) - self

    def __mul__(self, other: Size) -> Polynomial:
        if not _is_size(other):
            return NotImplemented
        factor = Polynomial.of(other)
        if (number := factor.number) is not None:
            if number in {0, 1}:
                return self if number else ZERO
            return Polynomial(tuple((monomial, c * number) for monomial, c in self.terms))
        products: list[tuple[Monomial, int]] = []
        for left, left_coefficient in self.terms:
            for right, right_coefficient in factor.terms:
                exponents = dict(left)
                for name, exponent in right:
                    exponents[name] = exponents.get(name, 0) + exponent
                products.append((_monomial(exponents), left_coefficient * right_coefficient))
        return _canonical(products)

    def __rmul__(self, other: Size) -> Polynomial:
        return self * other

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __str__(self) -> str:
        text = ""
        for monomial, coefficient in self.terms:
            letters = [name for name, exponent in monomial for _ in range(exponent)]
            size = abs(coefficient)
            shown = "*".join([*([str(size)] if size != 1 or not letters else []), *letters])
            sign = "-" if coefficient < 0 else "+"
            text += f" {sign} {shown}" if text else ("-" if coefficient < 0 else "") + shown
        return text or "0"

    def __repr__(self) -> str:
        return f"Polynomial({self})"


Size = int | str | Polynomial
"""What may stand where a size is meant: a number, a letter, or a polynomial in letters."""


def _is_size(value: object) -> bool:
    """Whether arithmetic with a polynomial is this module's; an affine form brings its own."""
    return isinstance(value, int | str | Polynomial)


@lru_cache(maxsize=4096)
def _constant(value: int) -> Polynomial:
    return Polynomial((((), value),) if value else ())


def _monomial(exponents: Mapping[str, int]) -> Monomial:
    return tuple(sorted((name, exponent) for name, exponent in exponents.items() if exponent))


def _canonical(terms: list[tuple[Monomial, int]]) -> Polynomial:
    """Collect equal monomials; higher degree first, the constant last."""
    total: dict[Monomial, int] = {}
    for monomial, coefficient in terms:
        total[monomial] = total.get(monomial, 0) + coefficient

    def order(term: tuple[Monomial, int]) -> tuple[int, Monomial]:
        return (-sum(exponent for _, exponent in term[0]), term[0])

    return Polynomial(tuple(sorted(((m, c) for m, c in total.items() if c), key=order)))


_UNIT = (((), 1),)
ZERO = Polynomial()
ONE = Polynomial.of(1)
