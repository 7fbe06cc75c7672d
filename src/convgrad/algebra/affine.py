"""Affine forms in indices: what may stand in a subscript.

    (2*i + t - 1)            coefficients are numbers or letters
    (i + p - d*t) / s        one common divisor: only meant where it divides

A form with a divisor always stands beside the condition that the divisor divides it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import gcd
from typing import TYPE_CHECKING

from convgrad.algebra.polynomial import ONE, ZERO, Polynomial, Size

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Affine:
    """`(sum of coefficient * index + constant) / divisor`, in lowest terms.

    Equal forms may be written differently: `order` is the order of the indices when printed,
    `written` the parts of a form that a derivation step shows before it is simplified:
    `(m - a) + p` for `m - a + p`.

    >>> o, t = Affine.index("o"), Affine.index("t")
    >>> print(2 * o + t - 1)
    2*o + t - 1
    >>> i = Affine.index("i")
    >>> print((2 * o + t - 1).with_indices({"o": (i - t + 1).over(2)}))
    i
    """

    terms: tuple[tuple[str, Polynomial], ...] = ()
    constant: Polynomial = ZERO
    divisor: Polynomial = ONE
    order: tuple[str, ...] = field(default=(), compare=False, repr=False)
    written: tuple[Affine, ...] = field(default=(), compare=False, repr=False)

    @staticmethod
    def index(name: str) -> Affine:
        """The form that is one index."""
        return Affine(((name, ONE),))

    @staticmethod
    def number(value: Size) -> Affine:
        """The form that is a number or a size."""
        return Affine((), Polynomial.of(value))

    @staticmethod
    def of(value: Affine | Size) -> Affine:
        """An affine form as it is; a number or a size as a constant form."""
        return value if isinstance(value, Affine) else Affine.number(value)

    @property
    def indices(self) -> frozenset[str]:
        """The names of the indices that occur."""
        return frozenset(name for name, _ in self.terms)

    @property
    def letters(self) -> frozenset[str]:
        """The letters of the sizes that occur."""
        parts = (self.constant, self.divisor, *(size for _, size in self.terms))
        return frozenset[str]().union(*(part.letters for part in parts))

    @property
    def plain(self) -> str | None:
        """The name of the index where the form is one index and nothing else."""
        if len(self.terms) == 1 and not self.constant and self.divisor == ONE:
            name, coefficient = self.terms[0]
            return name if coefficient == ONE else None
        return None

    @property
    def numerator(self) -> Affine:
        """The form without its divisor."""
        return Affine(self.terms, self.constant, order=self.order)

    def coefficient(self, name: str) -> Polynomial:
        """The factor of an index in the numerator; zero where it does not occur."""
        return dict(self.terms).get(name, ZERO)

    def over(self, divisor: Size) -> Affine:
        """The form divided by a size, in lowest terms."""
        return _lowest(dict(self.ordered()), self.constant, self.divisor * divisor)

    def with_indices(self, values: Mapping[str, Affine]) -> Affine:
        """The form with indices replaced by other forms."""
        total = Affine.number(self.constant)
        for name, coefficient in self.ordered():
            total = total + values.get(name, Affine.index(name)) * coefficient
        return total.over(self.divisor)

    def with_sizes(self, values: Mapping[str, Size]) -> Affine:
        """The form with letters of sizes replaced by numbers."""
        terms = {name: coefficient.at(values) for name, coefficient in self.ordered()}
        return _lowest(terms, self.constant.at(values), self.divisor.at(values))

    def renamed(self, names: Mapping[str, str]) -> Affine:
        """The form with other names for its indices."""
        pairs = ((names.get(name, name), coefficient) for name, coefficient in self.terms)
        order = tuple(names.get(name, name) for name in self.order)
        parts = tuple(part.renamed(names) for part in self.written)
        return Affine(tuple(sorted(pairs)), self.constant, self.divisor, order, parts)

    def bounds(self, extents: Mapping[str, Polynomial]) -> tuple[Polynomial, Polynomial] | None:
        """Least and greatest value of the numerator for indices in `0 <= index < extent`.

        None where the sign of a coefficient is not known.
        """
        least = greatest = self.constant
        for name, coefficient in self.terms:
            reach = coefficient * (extents[name] - 1)
            if coefficient.is_nonnegative():
                greatest = greatest + reach
            elif (-coefficient).is_nonnegative():
                least = least + reach
            else:
                return None
        return least, greatest

    def at(self, values: Mapping[str, int]) -> tuple[int, int]:
        """Quotient and remainder of a form without letters at given values of its indices."""
        total = numeric(self.constant)
        for name, coefficient in self.terms:
            total += numeric(coefficient) * values[name]
        return divmod(total, numeric(self.divisor))

    def __add__(self, other: Affine | Size) -> Affine:
        right = Affine.of(other)
        terms = {name: size * right.divisor for name, size in self.ordered()}
        for name, size in right.ordered():
            terms[name] = terms.get(name, ZERO) + size * self.divisor
        constant = self.constant * right.divisor + right.constant * self.divisor
        return _lowest(terms, constant, self.divisor * right.divisor)

    def __radd__(self, other: Size) -> Affine:
        return self + other

    def __neg__(self) -> Affine:
        terms = tuple((name, -size) for name, size in self.terms)
        return Affine(terms, -self.constant, self.divisor, self.order)

    def __sub__(self, other: Affine | Size) -> Affine:
        return self + -Affine.of(other)

    def __rsub__(self, other: Size) -> Affine:
        return -self + other

    def __mul__(self, size: Size) -> Affine:
        factor = Polynomial.of(size)
        terms = {name: coefficient * factor for name, coefficient in self.ordered()}
        return _lowest(terms, self.constant * factor, self.divisor)

    def __rmul__(self, size: Size) -> Affine:
        return self * size

    def ordered(self) -> list[tuple[str, Polynomial]]:
        """The terms in the order of writing; a positive one first where there is one."""
        rank = {name: position for position, name in enumerate(self.order)}
        terms = sorted(self.terms, key=lambda term: (rank.get(term[0], len(rank)), term[0]))
        positive = next((term for term in terms if not str(term[1]).startswith("-")), None)
        if positive:  # `i - t` reads better than `-t + i`
            terms.remove(positive)
            terms.insert(0, positive)
        return terms

    def __str__(self) -> str:
        parts = [signed(size, name) for name, size in self.ordered()]
        constants = [str(Polynomial((term,))) for term in self.constant.terms]
        # `T - 1 - t` reads better than `-t + T - 1`
        lead = bool(parts) and parts[0].startswith("-") and bool(constants)
        parts = [*constants, *parts] if lead else [*parts, *constants]
        text = parts[0] if parts else "0"
        for part in parts[1:]:
            text += f" - {part[1:]}" if part.startswith("-") else f" + {part}"
        if self.divisor == ONE:
            return text
        return f"{_bracketed(text)}/{_bracketed(str(self.divisor))}"


def numeric(size: Polynomial) -> int:
    """The value of a size in which no letter is left."""
    value = size.number
    if value is None:
        raise ValueError(f"{size} has no value yet: give numbers for {sorted(size.letters)}")
    return value


def signed(size: Polynomial, name: str) -> str:
    """A coefficient times an index as text: `2*i`, `-t`, `(s - 1)*o`."""
    if size == ONE:
        return name
    if size == -ONE:
        return f"-{name}"
    text = str(size)
    return f"({text})*{name}" if len(size.terms) > 1 else f"{text}*{name}"


def _bracketed(text: str) -> str:
    return text if text.isidentifier() or text.isdigit() else f"({text})"


def _lowest(terms: dict[str, Polynomial], constant: Polynomial, divisor: Polynomial) -> Affine:
    """Cancel what divides every coefficient and the divisor; sort the indices by name."""
    kept = {name: size for name, size in terms.items() if size}
    if divisor == ONE:
        return Affine(tuple(sorted(kept.items())), constant, divisor, tuple(kept))
    parts = [*kept.values(), constant]
    exact = [part.divided_by(divisor) for part in parts]
    if all(part is not None for part in exact):
        quotients = dict(zip(kept, exact, strict=False))
        kept = {name: part for name, part in quotients.items() if part is not None}
        constant, divisor = exact[-1] or ZERO, ONE
    common = gcd(divisor.content(), *(part.content() for part in parts))
    if divisor != ONE and common > 1:
        unit = Polynomial.of(common)
        kept = {name: size.divided_by(unit) or ZERO for name, size in kept.items()}
        constant = constant.divided_by(unit) or ZERO
        divisor = divisor.divided_by(unit) or ONE
    return Affine(tuple(sorted(kept.items())), constant, divisor, tuple(kept))
