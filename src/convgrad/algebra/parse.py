"""Equations as text: index notation, or LaTeX as people write it.

    equation  = access "=" term {("+" | "-") term} ["for" ranges] ["with" shapes]
    term      = [number "*"] ["sum" "(" sums ["if" conditions] ")"] product
    product   = (number | factor | "[" condition "]") {"*" ...}
    factor    = access  |  name "(" access ")"
    access    = name ["[" affine {"," affine} "]"]  |  "rot180" "(" access ")"
    sums      = name ["=" limit ".." limit] {"," ...}
    limit     = affine  |  ("floor" | "ceil") "(" affine ")"
    condition = affine ("==" | "<=" | "<" | ">=" | ">") affine {...}  |  affine "%" size "==" affine
    ranges    = name "<" size {"," name "<" size}
    shapes    = name "[" size {"," size} "]" {"," ...}

In f(x[i]) the name is an activation's, and f'(x[i]) its derivative, a factor outside the sum.
A bracket is Iverson's: a product counts where the condition in it holds. A sum under which only a
condition stands runs over the indices in it that the left side lacks.

An index without a range runs over the axis that it is the whole subscript of, or over a size named
by its capital letter. `with` states shapes that the ranges do not tell. LaTeX is turned into the
same tokens by `tex`, so both are read by the one grammar here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, NoReturn

from convgrad.algebra.affine import Affine
from convgrad.algebra.assemble import assemble
from convgrad.algebra.expression import Divides, Within, Zero
from convgrad.algebra.polynomial import ONE, Polynomial
from convgrad.algebra.tex import is_tex, tex_equations
from convgrad.algebra.tokens import COMPARISONS, WORDS, Token, tokens
from convgrad.algebra.written import AtLeast, Written, WrittenAccess, WrittenSum, WrittenTerm
from convgrad.errors import EquationError, ParseError, require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from convgrad.algebra.expression import Equation
    from convgrad.algebra.written import WrittenCondition


# Letters that stand for strides, paddings, dilations and numbers of things.
SIZE = re.compile(r"[A-Z]\w*'*|s(tride)?\w{0,2}|p(ad|adding)?\w{0,2}|dil(ation)?")


def parse(text: str, *, zero_outside: bool = True, first: int = 0) -> Equation:
    r"""Read an equation in index notation or LaTeX.

    Args:
        text: the equation; see the grammar at the head of this module.
        zero_outside: whether a tensor counts as zero outside its shape, which is what people
            mean: the conditions that keep every subscript inside are added. Where it is false
            only the conditions that are written stand.
        first: the number that indices count from on the page; the result counts from 0.

    Returns: the equation.

    Raises:
        ParseError: where the text is no equation, with the column.
        EquationError: where an index has no range or a tensor two ranks.

    >>> z = parse("z[n,k,i,j] = b[k] + sum(c,a,b) x[n,c,2*i+a-1,2*j+b-1] * w[k,c,a,b]")
    >>> print(z.terms[1].conditions[0])
    0 <= 2*i + a - 1 < X2
    >>> print(parse(r"\delta_m = \sum_{a=1}^{T} \delta^{l+1}_{m-a+1} w_a", first=1))
    delta[m] = sum(a if 0 <= m - a < DELTA^L+10) delta^l+1[m-a] * w[a]
    >>> parse("z[i] = x[i")
    Traceback (most recent call last):
        ...
    convgrad.errors.ParseError: not an equation, at column 11
      z[i] = x[i
                ^
      expected: , or ]
    """
    require(str, 'write the equation as text, such as "dw[t] = sum(o) dz[o] * x[o + t]"', text=text)
    return assemble(read(text), text, zero_outside=zero_outside, first=first)


def read(text: str) -> Written:
    """The one equation of a text as it is written; see `read_all`."""
    first, *more = read_all(text)
    if more:
        raise EquationError(
            f"{1 + len(more)} equations",
            got="; ".join(str(f.left) for f in (first, *more)),
            expected="one",
            mend="read them one by one",
        )
    return first


def read_all(text: str) -> tuple[Written, ...]:
    r"""Every equation of a text, as written: ranges and shapes are left open.

    Raises: ParseError: where the text is no equation, with the column.

    >>> for equation in read_all(r"dw_t &= \sum_o dz_o x_{o+t} \\ db &= \sum_o dz_o"):
    ...     print(equation)
    dw[t] = sum(o) dz[o] * x[o+t]
    db = sum(o) dz[o]
    """
    if not is_tex(text):
        return (_Reader(text, list(tokens(text))).equation(),)
    found: list[Written] = []
    for part in tex_equations(text):
        written = _Reader(text, list(part.tokens)).equation()
        end = part.tokens[-1]
        slopes = (
            (f.text, _Reader(text, [*of, end], bound=set(written.bound)).access() if of else None)
            for f, *of in part.slopes
        )
        found.append(
            replace(
                written,
                notes=part.notes,
                operation=part.operation,
                layers=part.layers,
                activated=(*written.activated, *part.activated),
                slopes=(*written.slopes, *slopes),
            )
        )
    return tuple(found)


@dataclass
class _Reader:
    """Recursive descent over the tokens; one method for each rule of the grammar."""

    text: str
    tokens: list[Token]
    place: int = 0
    bound: set[str] = field(default_factory=set[str])
    """The indices in scope: every other name in a subscript is a size."""
    rounded: bool = False
    activated: dict[str, str] = field(default_factory=dict[str, str])
    slopes: list[tuple[str, WrittenAccess | None]] = field(
        default_factory=list[tuple[str, WrittenAccess | None]]
    )

    # --- the stream of tokens ---

    @property
    def now(self) -> Token:
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
        if token.kind != "name" or token.text in WORDS:
            self.fail(expected)
        self.place += 1
        return token.text

    def fail(self, expected: str, *, column: int = 0) -> NoReturn:
        raise ParseError(self.text, column or self.now.column, expected=expected)

    # --- the grammar ---

    def equation(self) -> Written:
        self.scan_bound_names()
        left = self.access()
        ties: tuple[WrittenCondition, ...] = ()
        if self.sees("+="):
            left, ties = self.scattered(left)
        self.need("+=" if self.sees("+=") else "=", expected="=")
        terms = [] if self.sees("0") and self.alone() else [self.term(Fraction(1))]
        if not terms:
            self.place += 1
        while self.sees("+", "-"):
            sign = Fraction(1 if self.takes("+") else -1)
            self.place += sign < 0
            terms.append(self.term(sign))
        if ties:
            terms = [replace(t, conditions=(*t.conditions, *ties)) for t in terms]
        extents = self.ranges() if self.takes("for") else {}
        shapes = self.shapes() if self.takes("with") else {}
        if self.now.kind != "end":
            self.fail("an operator (* + -), `for`, `with` or the end")
        return Written(
            left,
            tuple(terms),
            frozenset(self.bound),
            rounded=self.rounded,
            extents=tuple(extents.items()),
            shapes=tuple(shapes.items()),
            activated=tuple(self.activated.items()),
            slopes=tuple(self.slopes),
        )

    def scattered(self, left: WrittenAccess) -> tuple[WrittenAccess, tuple[WrittenCondition, ...]]:
        """`dx[s*o + t] += ...` adds to position i where i = s*o + t, summed over o and t."""
        names = (f"{letter}'" for letter in "ijlmuv" if f"{letter}'" not in self.bound)
        subscripts: list[Affine] = []
        ties: list[WrittenCondition] = []
        for subscript in left.subscripts:
            if len(subscript.terms) < 2:
                subscripts.append(subscript)
                continue
            place = Affine.index(next(names))
            self.bound |= place.indices
            ties.append(Zero((subscript - place).numerator))
            subscripts.append(place)
        return replace(left, subscripts=tuple(subscripts)), tuple(ties)

    def alone(self) -> bool:
        """Whether the token after this one ends the sum."""
        following = self.tokens[self.place + 1]
        return following.kind == "end" or following.text in {"for", "with", "+", "-"}

    def scan_bound_names(self) -> None:
        """Find the indices first: free ones on the left side, summed ones after `sum(`."""
        self.bound |= set(self._names_on_the_left())
        for place, token in enumerate(self.tokens[:-1]):
            if token.text == "sum":
                self.bound |= set(self._names_of_sum(place + 1))
        for place, token in enumerate(self.tokens[:-1]):
            if token.text == "sum" and not list(self._names_of_sum(place + 1)):
                self.bound |= set(self._names_of_condition(place + 1))
        self._bind_repeated()

    def _names_on_the_left(self) -> Iterator[str]:
        """The indices of the left side.

        In `x[n, s*h + i - p]` the sizes s and p stand beside them: an index is a whole subscript
        somewhere, or no letter of the kind that sizes have.
        """
        end = next((n for n, t in enumerate(self.tokens) if t.text in {"=", "+="}), 0)
        whole = self._whole_subscripts()
        before = self.tokens[:end]
        several = any(t.text in {"+", "-", "*", "/"} for t in before)
        for place, token in enumerate(before):
            opens = self.tokens[place + 1].text in {"[", "("}
            is_tensor = opens and (place == 0 or before[place - 1].text in {"rot180", "("})
            if token.kind != "name" or is_tensor or token.text in WORDS:
                continue
            if not several or token.text in whole or not SIZE.fullmatch(token.text):
                yield token.text

    def _whole_subscripts(self) -> set[str]:
        """The names that are a subscript of their own, anywhere."""
        texts = [token.text for token in self.tokens]
        end = next((n for n, text in enumerate(texts) if text in {"for", "with"}), len(texts) - 1)
        return {
            token.text
            for n, token in enumerate(self.tokens[1:end], start=1)
            if token.kind == "name" and texts[n - 1] in {"[", ","} and texts[n + 1] in {"]", ","}
        }

    def _names_of_condition(self, place: int) -> Iterator[str]:
        """`sum(if m - a < K)`: the indices in it that nothing else binds."""
        whole = self._whole_subscripts()
        depth = 0
        for token in self.tokens[place:]:
            depth += (token.text == "(") - (token.text == ")")
            if depth == 0:
                return
            if token.kind == "name" and token.text in whole and token.text not in self.bound:
                yield token.text

    def _names_of_sum(self, place: int) -> Iterator[str]:
        """The names after `(` or a comma, up to `if` or the closing bracket."""
        depth = 0
        for before, token in zip(self.tokens[place:], self.tokens[place + 1 :], strict=False):
            depth += (before.text == "(") - (before.text == ")")
            if token.text == "if" or depth == 0:
                return
            if depth == 1 and token.kind == "name" and before.text in {"(", ","}:
                yield token.text

    def _bind_repeated(self) -> None:
        """`+=` without a sum: every name that is a whole subscript is summed over."""
        texts = [token.text for token in self.tokens]
        if "+=" not in texts or "sum" in texts:
            return
        for i, token in enumerate(self.tokens[1:-1], start=1):
            alone = texts[i - 1] in {"[", "(", ","} and texts[i + 1] in {"]", ")", ","}
            if token.kind == "name" and alone:
                self.bound.add(token.text)

    def term(self, coefficient: Fraction) -> WrittenTerm:
        factor = (ONE, ONE)
        if self.takes("-"):
            coefficient = -coefficient
        if self.now.kind == "number":
            number, under = self.fraction()
            coefficient, factor = coefficient * number, (ONE, under)
            if not self.takes("*"):
                return WrittenTerm((), (), coefficient, (), factor)
        sums: tuple[WrittenSum, ...] = ()
        conditions: tuple[WrittenCondition, ...] = ()
        while self.takes("sum"):
            more, limits = self.under_the_sum()
            sums, conditions = (*sums, *more), (*conditions, *limits)
        accesses: list[WrittenAccess] = []
        while True:
            if self.now.kind == "number":
                coefficient *= self.fraction()[0]
            elif self.takes("["):
                conditions = (*conditions, *self.condition())
                self.need("]")
            else:
                accesses += self.factor()
            if not self.takes("*"):
                break
        if not sums and any(token.text == "+=" for token in self.tokens):
            left = self._free_names()
            inside = {n for a in accesses for s in a.subscripts for n in s.indices}
            sums = tuple(WrittenSum(name) for name in sorted(inside - left))
        return WrittenTerm(sums, conditions, coefficient, tuple(accesses), factor)

    def _free_names(self) -> set[str]:
        """The names that are a whole subscript on the left side: nothing sums over them."""
        before = self.tokens[: self.tokens.index(self._equals())]
        texts = [token.text for token in before]
        ends = {"[", "]", "(", ")", ","}
        return {
            text
            for n, text in enumerate(texts[1:-1], start=1)
            if texts[n - 1] in ends and texts[n + 1] in ends
        }

    def _equals(self) -> Token:
        return next(token for token in self.tokens if token.text in {"=", "+="})

    def under_the_sum(self) -> tuple[tuple[WrittenSum, ...], tuple[WrittenCondition, ...]]:
        place = self.place
        self.need("(")
        names: list[WrittenSum] = []
        conditions: list[WrittenCondition] = []
        while not self.sees(")", "if"):
            name, limits = self.summed()
            names.append(name)
            conditions += limits
            if not self.sees(")", "if"):
                self.need(",", expected=", or if or )")
        if self.takes("if"):
            if not names:
                names += map(WrittenSum, dict.fromkeys(self._summed_by_condition(place)))
            conditions += self.condition()
            while self.takes(","):
                conditions += self.condition()
        self.need(")", expected=", or )")
        return tuple(names), tuple(conditions)

    def _summed_by_condition(self, place: int) -> Iterator[str]:
        others = set(self._names_on_the_left())
        for at, token in enumerate(self.tokens[:-1]):
            if token.text == "sum":
                others |= set(self._names_of_sum(at + 1))
        self.bound -= (found := self.bound - others)
        names = list(self._names_of_condition(place))
        self.bound |= found
        yield from names

    def summed(self) -> tuple[WrittenSum, list[WrittenCondition]]:
        """An index with its limits; those that are no sizes are conditions."""
        name = self.name("the name of a summed index")
        if not self.takes("="):
            return WrittenSum(name), []
        index = Affine.index(name)
        conditions: list[WrittenCondition] = []
        low, rounding = self.limit()
        first = last = None
        if rounding or low.terms or low.divisor != ONE:
            # name >= floor(a/s) is s*name > a - s
            value = index - low + (_less_one(low) if rounding == "floor" else 0)
            conditions.append(AtLeast(value.numerator))
        else:
            first = low.constant
        if self.takes("..") and not self.sees(")", "if", ","):
            high, rounding = self.limit()
            if rounding or high.terms or high.divisor != ONE or first is None:
                value = high - index + (_less_one(high) if rounding == "ceil" else 0)
                conditions.append(AtLeast(value.numerator))
            else:
                last = high.constant
        return WrittenSum(name, first, last), conditions

    def limit(self) -> tuple[Affine, str]:
        """A limit of a sum, and which way it is rounded."""
        way = self.now.text if self.sees("floor", "ceil") else ""
        before = self.rounded
        value = self.affine()
        self.rounded = before
        return value, way

    def condition(self) -> list[WrittenCondition]:
        """A comparison, or a chain of them such as `0 <= i + p - s*o < T`."""
        values = [self.affine()]
        if self.takes("%"):
            modulus = self.size()
            self.need("==" if self.sees("==") else "=", expected="==")
            return [Divides(modulus, values[0] - self.affine())]
        signs: list[str] = []
        while self.sees(*COMPARISONS):
            signs.append(self.now.text)
            self.place += 1
            values.append(self.affine())
        if not signs:
            self.fail("<= or % or ==")
        if set(signs) <= {"==", "="}:
            return [Zero((a - b).numerator) for a, b in pairwise(values)]
        if len(signs) == 2 and all(sign[0] == signs[0][0] for sign in signs):
            low, value, high = values if signs[0][0] == "<" else values[::-1]
            below, above = signs if signs[0][0] == "<" else signs[::-1]
            start = low + (below in {"<", ">"})
            extent = high - start + (above in {"<=", ">="})
            if not extent.terms and extent.divisor == ONE:
                return [Within(value - start, extent.constant)]
        found: list[WrittenCondition] = []
        for sign, (a, b) in zip(signs, pairwise(values), strict=True):
            difference = b - a if sign[0] == "<" else a - b
            strict = sign in {"<", ">"}
            found.append(AtLeast(difference.numerator - int(strict)))
        return found

    def fraction(self) -> tuple[Fraction, Polynomial]:
        """A number, perhaps over a number or over a letter, such as 1/N."""
        number, under = Fraction(self.now.text), ONE
        self.place += 1
        if self.takes("/"):
            if self.now.kind == "name" and self.now.text not in WORDS:
                return number, self.atom().constant
            if self.now.kind != "number" or self.now.text == "0":
                self.fail("a number greater than 0")
            number /= int(self.now.text)
            self.place += 1
        return number, under

    def factor(self) -> list[WrittenAccess]:
        """A tensor, perhaps in an activation; none for the derivative of an activation."""
        ahead = [token.text for token in self.tokens[self.place + 1 : self.place + 4]]
        if ahead[:1] != ["("] or ahead[2:] != ["["] or self.sees("rot180"):
            return [self.access()]
        f = self.name()
        self.need("(")
        inside = self.access()
        self.need(")")
        if f.endswith("'"):
            self.slopes.append((f, inside))
            return []
        self.activated[inside.name] = f
        return [inside]

    def access(self) -> WrittenAccess:
        column = self.now.column
        if self.takes("rot180"):
            self.need("(")
            turned = self.access()
            self.need(")")
            outside = self.subscripts()
            subscripts = (*turned.subscripts, *outside)
            return replace(turned, subscripts=subscripts, column=column, rotated=True)
        name = self.name("a tensor, a number or sum(...)")
        return WrittenAccess(name, self.subscripts(), column)

    def subscripts(self) -> tuple[Affine, ...]:
        found: list[Affine] = []
        while self.sees("[", "("):
            closing = "]" if self.takes("[") else ")"
            if closing == ")":
                self.place += 1
            while not self.takes(closing):
                found.append(self.affine())
                if not self.sees(closing):
                    self.need(",", expected=f", or {closing}")
        return tuple(found)

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
            follows = self.now.kind in {"name", "number"} and self.now.text not in WORDS
            if self.sees("/", "//"):
                self.rounded = self.rounded or self.now.text == "//"
                self.place += 1
                divisor = self.atom()
                if divisor.terms or not divisor.constant:
                    self.fail("a size greater than 0: an index cannot divide", column=column + 1)
                total = total.over(divisor.constant)
            elif self.takes("*") or follows or self.sees("("):
                right = self.atom()
                if total.terms and right.terms:
                    self.fail("a size: two indices cannot be multiplied", column=column)
                total = total * right.constant if not right.terms else right * total.constant
            else:
                return total

    def atom(self) -> Affine:
        if self.sees("floor", "ceil"):
            self.place += 1
            self.rounded = True
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


def _less_one(limit: Affine) -> Affine:
    """What rounding the other way can add to a quotient: (s - 1)/s."""
    return Affine.number(limit.divisor - 1).over(limit.divisor)
