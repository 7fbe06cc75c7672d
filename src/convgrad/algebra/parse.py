"""Equations as text.

    equation  = access "=" term {("+" | "-") term} ["for" ranges] ["with" shapes]
    term      = [number "*"] ["sum" "(" names ["if" conditions] ")"] product
    product   = (number | access) {"*" (number | access)}
    access    = name ["[" affine {"," affine} "]"]
    condition = "0" "<=" affine "<" size  |  affine "%" size "==" "0"  |  affine "==" "0"
    ranges    = name "<" size {"," name "<" size}
    shapes    = name "[" size {"," size} "]" {"," ...}

An index without a range in `for` runs over the axis that it is the whole subscript of, or over a
size named by its capital letter. `with` states shapes that the ranges do not tell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, NoReturn

from convgrad.algebra.affine import Affine
from convgrad.algebra.conditions import reading_conditions
from convgrad.algebra.expression import (
    Access,
    Condition,
    Divides,
    Equation,
    Index,
    Tensor,
    Term,
    Within,
    Zero,
)
from convgrad.algebra.polynomial import ONE, Polynomial
from convgrad.errors import EquationError, ParseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+)|(?P<name>[^\W\d]\w*'*)|(?P<sign><=|==|[\[\]()=+\-*/%<,·−≤∑]))"
)
_SAME = {"·": "*", "−": "-", "≤": "<=", "∑": "sum"}
_WORDS = frozenset({"sum", "if", "for", "with"})


def parse(text: str, *, zero_outside: bool = True) -> Equation:
    """Read an equation in index notation.

    Args:
        text: the equation; see the grammar at the head of this module.
        zero_outside: whether a tensor counts as zero outside its shape, which is what people
            mean: the conditions that keep every subscript inside are added. Where it is false
            only the conditions that are written stand.

    Returns: the equation.

    Raises:
        ParseError: where the text is no equation, with the column.
        EquationError: where an index has no range or a tensor two ranks.

    >>> z = parse("z[n,k,i,j] = b[k] + sum(c,a,b) x[n,c,2*i+a-1,2*j+b-1] * w[k,c,a,b]")
    >>> print(z.terms[1].conditions[0])
    0 <= 2*i + a - 1 < X2
    >>> parse("z[i] = x[i")
    Traceback (most recent call last):
        ...
    convgrad.errors.ParseError: not an equation, at column 11
      z[i] = x[i
                ^
      expected: , or ]
    """
    return _Reader(text).equation(zero_outside=zero_outside)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    column: int


@dataclass(frozen=True)
class _RawAccess:
    """An access before it is known which names are indices and what the shapes are."""

    name: str
    subscripts: tuple[Affine, ...]
    column: int


@dataclass(frozen=True)
class _RawTerm:
    sums: tuple[str, ...]
    conditions: tuple[Condition, ...]
    coefficient: Fraction
    accesses: tuple[_RawAccess, ...]


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            column = len(text) - len(text[place:].lstrip()) + 1
            raise ParseError(
                text, column, expected="a name, a number or one of [ ] ( ) + - * / % ,"
            )
        kind = match.lastgroup or ""
        found = _SAME.get(match[kind], match[kind])
        yield _Token("name" if found == "sum" else kind, found, match.start(kind) + 1)
        place = match.end()
    yield _Token("end", "", len(text.rstrip()) + 1)


@dataclass
class _Reader:
    """Recursive descent over the tokens; one method for each rule of the grammar."""

    text: str
    place: int = 0
    tokens: list[_Token] = field(default_factory=list[_Token])
    bound: set[str] = field(default_factory=set[str])
    """The indices in scope: every other name in a subscript is a size."""

    def __post_init__(self) -> None:
        self.tokens = list(_tokens(self.text))

    # --- the stream of tokens ---

    @property
    def now(self) -> _Token:
        return self.tokens[self.place]

    def sees(self, *texts: str) -> bool:
        return self.now.kind != "end" and self.now.text in texts

    def takes(self, text: str) -> bool:
        if self.sees(text):
            self.place += 1
            return True
        return False

    def need(self, text: str, *, expected: str = "") -> None:
        if not self.takes(text):
            self.fail(expected or text)

    def name(self, expected: str = "a name") -> str:
        token = self.now
        if token.kind != "name" or token.text in _WORDS:
            self.fail(expected)
        self.place += 1
        return token.text

    def fail(self, expected: str, *, column: int = 0) -> NoReturn:
        raise ParseError(self.text, column or self.now.column, expected=expected)

    # --- the grammar ---

    def equation(self, *, zero_outside: bool) -> Equation:
        self.scan_bound_names()
        left = self.access()
        self.need("=")
        raw = [] if self.sees("0") and self.alone() else [self.term(Fraction(1))]
        if not raw:
            self.place += 1
        while self.sees("+", "-"):
            sign = Fraction(1 if self.takes("+") else -1)
            self.place += sign < 0
            raw.append(self.term(sign))
        extents = self.ranges() if self.takes("for") else {}
        shapes = self.shapes() if self.takes("with") else {}
        if self.now.kind != "end":
            self.fail("an operator (* + -), `for`, `with` or the end")
        return _assemble(self, left, raw, extents, shapes, zero_outside=zero_outside)

    def alone(self) -> bool:
        """Whether the token after this one ends the sum."""
        following = self.tokens[self.place + 1]
        return following.kind == "end" or following.text in {"for", "with", "+", "-"}

    def scan_bound_names(self) -> None:
        """Find the indices first: free ones on the left side, summed ones after `sum(`."""
        before_equals = True
        for token, following in zip(self.tokens, self.tokens[1:], strict=False):
            before_equals = before_equals and token.text != "="
            if before_equals and token.kind == "name" and following.text != "[":
                self.bound.add(token.text)
        for position, token in enumerate(self.tokens):
            if token.text != "sum":
                continue
            for inner in self.tokens[position + 2 :]:
                if inner.text in {")", "if"} or inner.kind == "end":
                    break
                if inner.kind == "name":
                    self.bound.add(inner.text)

    def term(self, coefficient: Fraction) -> _RawTerm:
        if self.takes("-"):
            coefficient = -coefficient
        if self.now.kind == "number":
            coefficient *= self.fraction()
            if self.alone() or not self.takes("*"):
                return _RawTerm((), (), coefficient, ())
        sums: tuple[str, ...] = ()
        conditions: tuple[Condition, ...] = ()
        if self.takes("sum"):
            sums, conditions = self.under_the_sum()
        accesses: list[_RawAccess] = []
        while True:
            if self.now.kind == "number":
                coefficient *= self.fraction()
            else:
                accesses.append(self.access())
            if not self.takes("*"):
                return _RawTerm(sums, conditions, coefficient, tuple(accesses))

    def under_the_sum(self) -> tuple[tuple[str, ...], tuple[Condition, ...]]:
        self.need("(")
        names: list[str] = []
        conditions: list[Condition] = []
        while not self.sees(")", "if"):
            names.append(self.name("the name of a summed index"))
            if not self.sees(")", "if"):
                self.need(",", expected=", or if or )")
        if self.takes("if"):
            conditions.append(self.condition())
            while self.takes(","):
                conditions.append(self.condition())
        self.need(")", expected=", or )")
        return tuple(names), tuple(conditions)

    def condition(self) -> Condition:
        column = self.now.column
        value = self.affine()
        if self.takes("<="):
            if value != Affine.number(0):
                self.fail("a range that starts at 0", column=column)
            value = self.affine()
            self.need("<")
            return Within(value, self.size())
        if self.takes("%"):
            modulus = self.size()
            self.need("==")
            self.need("0")
            return Divides(modulus, value)
        self.need("==", expected="<= or % or ==")
        self.need("0")
        return Zero(value)

    def fraction(self) -> Fraction:
        number = Fraction(self.now.text)
        self.place += 1
        if self.takes("/"):
            if self.now.kind != "number" or self.now.text == "0":
                self.fail("a number greater than 0")
            number /= int(self.now.text)
            self.place += 1
        return number

    def access(self) -> _RawAccess:
        column = self.now.column
        name = self.name("a tensor, a number or sum(...)")
        subscripts: list[Affine] = []
        if self.takes("["):
            while not self.takes("]"):
                subscripts.append(self.affine())
                if not self.sees("]"):
                    self.need(",", expected=", or ]")
        return _RawAccess(name, tuple(subscripts), column)

    def affine(self) -> Affine:
        negative = self.takes("-")
        total = -self.product() if negative else self.product()
        while self.sees("+", "-"):
            total = total + self.product() if self.takes("+") else total - self.negated()
        return total

    def negated(self) -> Affine:
        self.need("-")
        return self.product()

    def product(self) -> Affine:
        total = self.atom()
        while True:
            column = self.now.column
            if self.takes("/"):
                divisor = self.atom()
                if divisor.terms or not divisor.constant:
                    self.fail("a size greater than 0: an index cannot divide", column=column + 1)
                total = total.over(divisor.constant)
            elif self.takes("*") or (self.now.kind == "name" and self.now.text not in _WORDS):
                right = self.atom()
                if total.terms and right.terms:
                    self.fail("a size: two indices cannot be multiplied", column=column)
                total = total * right.constant if not right.terms else right * total.constant
            else:
                return total

    def atom(self) -> Affine:
        if self.takes("("):
            inner = self.affine()
            self.need(")")
            return inner
        if self.now.kind == "number":
            value = int(self.now.text)
            self.place += 1
            return Affine.number(value)
        name = self.name("an index, a size or a number")
        return Affine.index(name) if name in self.bound else Affine.number(name)

    def size(self) -> Polynomial:
        column = self.now.column
        value = self.affine()
        if value.terms or value.divisor != ONE:
            self.fail("a size: a number or letters that are no index", column=column)
        return value.constant

    def ranges(self) -> dict[str, Polynomial]:
        found: dict[str, Polynomial] = {}
        while True:
            name = self.name("an index")
            self.need("<")
            found[name] = self.size()
            if not self.takes(","):
                return found

    def shapes(self) -> dict[str, tuple[Polynomial, ...]]:
        found: dict[str, tuple[Polynomial, ...]] = {}
        while True:
            name = self.name("a tensor")
            sizes: list[Polynomial] = []
            self.need("[")
            while not self.takes("]"):
                sizes.append(self.size())
                if not self.sees("]"):
                    self.need(",", expected=", or ]")
            found[name] = tuple(sizes)
            if not self.takes(","):
                return found


def _assemble(
    reader: _Reader,
    left: _RawAccess,
    raw: list[_RawTerm],
    extents: dict[str, Polynomial],
    shapes: dict[str, tuple[Polynomial, ...]],
    *,
    zero_outside: bool,
) -> Equation:
    """Give every index its extent and every tensor its shape."""
    accesses = [left, *(access for term in raw for access in term.accesses)]
    _refuse_forgotten_sums(reader, accesses)
    for access in accesses:
        for subscript, size in zip(access.subscripts, shapes.get(access.name, ()), strict=False):
            if subscript.plain:
                extents.setdefault(subscript.plain, size)

    def extent(name: str) -> Polynomial:
        return extents.setdefault(name, Polynomial.letter(name.upper()))

    tensors: dict[str, Tensor] = {}
    for name in dict.fromkeys(access.name for access in accesses):
        uses = [access.subscripts for access in accesses if access.name == name]
        if len({len(use) for use in uses}) > 1 or len(shapes.get(name, uses[0])) != len(uses[0]):
            raise EquationError(
                f"{name} is read with different numbers of subscripts",
                got=", ".join(sorted({str(len(use)) for use in uses})),
                expected="the same number everywhere",
                mend="give the tensors different names",
            )
        axes = list(zip(*uses, strict=True))
        guessed = tuple(_axis_size(name, axis, uses, extent) for axis, uses in enumerate(axes))
        names = tuple(next((s.plain for s in axis if s.plain), "") for axis in axes)
        tensors[name] = Tensor(name, shapes.get(name, guessed), names)

    def finished(access: _RawAccess) -> Access:
        return Access(tensors[access.name], access.subscripts)

    target = finished(left)
    free = dict.fromkeys(name for s in left.subscripts for name in sorted(s.indices))
    indices = tuple(Index(name, extent(name)) for name in free)
    terms: list[Term] = []
    for part in raw:
        sums = tuple(Index(name, extent(name)) for name in part.sums)
        factors = tuple(finished(access) for access in part.accesses)
        term = Term(sums, factors, part.conditions, part.coefficient)
        known = {index.name: index.extent for index in (*indices, *sums)}
        if zero_outside and not term.free - free.keys():
            needed = reading_conditions(term, known)
            conditions = tuple(dict.fromkeys((*part.conditions, *needed)))
            term = Term(sums, factors, conditions, part.coefficient)
        terms.append(term)
    return Equation(target, indices, tuple(terms))


def _axis_size(
    name: str, axis: int, uses: tuple[Affine, ...], extent: Callable[[str], Polynomial]
) -> Polynomial:
    """The range of the index that walks along the axis; a letter of its own where none does."""
    for subscript in uses:
        if subscript.plain:
            return extent(subscript.plain)
    if all(not subscript.terms for subscript in uses):
        places = [subscript.constant.number for subscript in uses]
        numbers = [place for place in places if place is not None]
        if len(numbers) == len(places):
            return Polynomial.of(max(numbers) + 1)
    return Polynomial.letter(f"{name.upper()}{axis}")


def _refuse_forgotten_sums(reader: _Reader, accesses: list[_RawAccess]) -> None:
    """A size alone in a subscript is an index whose sum was forgotten."""
    for access in accesses:
        for subscript in access.subscripts:
            constant = subscript.constant
            lone = constant.letters if not subscript.terms and len(constant.terms) == 1 else ()
            if len(lone) == 1 and str(constant) in lone:
                raise ParseError(
                    reader.text,
                    access.column,
                    expected=f"a sum over {constant}, or {constant} on the left side",
                    mend=f"write sum({constant}) before the product",
                )
