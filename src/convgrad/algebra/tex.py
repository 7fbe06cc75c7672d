r"""LaTeX as people write it, turned into the tokens of index notation.

    \delta^{l}_{m} = \sum_{a=0}^{T-1} \delta^{l+1}_{m-a} w_a    delta^l[m] = sum(a=0..T-1) ...
    \frac{\partial J}{\partial x_{n,c}}                         dx[n,c]
    \bar{x}_i,  \Delta k_p(u,v)                                 dx[i],  dk[p,u,v]
    V_{j,(m-1)\times s+k},  w_{abc},  w_{\frac{i-a}{s}}         V[j,(m-1)*s+k], w[a,b,c], w[(i-a)/s]
    A \star B,  A \ast B                                        the sums that they stand for

Spacing, sizes of brackets, numbers and labels of equations say nothing and are skipped. The columns
of the tokens are those of the LaTeX, so an error points into what was typed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NoReturn

from convgrad.algebra.tokens import Token
from convgrad.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

_LEXEME = re.compile(
    r"\\(?P<command>[A-Za-z]+|.)|(?P<number>\d+)|(?P<word>[^\W\d_]+)|(?P<sign>\+=!|\+=|:=|<=|>=|\S)",
    re.DOTALL,
)
_SILENT = frozenset(
    {
        "left", "right", "big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr",
        "displaystyle", "textstyle", "limits", "nolimits", "quad", "qquad", "nonumber", "notag",
        "hspace", "mathstrut",
    }
)  # fmt: skip
_SILENT_WITH_ARGUMENT = frozenset({"label", "tag", "begin", "end", "ref", "eqref", "vphantom"})
_STYLES = frozenset(
    {
        "mathbf", "boldsymbol", "mathsf", "mathrm", "mathcal", "mathbb", "mathit", "text", "textbf",
        "textrm", "textsf", "textit", "operatorname", "vec", "bm", "mathop", "underline",
        "mathbbm", "mathds", "bold",
    }
)  # fmt: skip
# A mark over a letter makes another tensor of it: the error with zeros between, the turned kernel.
_MARKS = {"tilde": "tilde", "widetilde": "tilde", "hat": "hat", "widehat": "hat", "check": "check"}
# Words below a tensor that say which one it is; letters there are subscripts.
_QUALIFIERS = frozenset(
    {"pad", "padded", "in", "out", "up", "dil", "dilated", "ext", "full", "rot"}
)
_ADJOINTS = frozenset({"bar", "overline", "Delta", "nabla"})
_SIGNS = {
    "δ": "delta", "θ": "theta", "ω": "omega", "∂": "partial", "∑": "sum", "Σ": "sum", "·": "cdot",
    "×": "times", "⊙": "odot", "∗": "ast", "⋆": "star", "−": "-", "≤": "le", "≥": "ge", "′": "'",
    "⌊": "lfloor", "⌋": "rfloor", "⌈": "lceil", "⌉": "rceil", "Δ": "Delta", "≡": "equiv",
}  # fmt: skip
_FOREIGN = rf"[{''.join(_SIGNS)}]|[^{''.join(_SIGNS)}]+"
_COMPARE = {
    "le": "<=",
    "leq": "<=",
    "leqslant": "<=",
    "ge": ">=",
    "geq": ">=",
    "geqslant": ">=",
    "lt": "<",
    "gt": ">",
}
_UPWARD = frozenset({"<", "<=", "lt", "le", "leq", "leqslant"})
_RANGE = r"an index with its range, such as m=0 or 0 \le m < M"
_PRODUCTS = frozenset({"cdot", "times", "odot", "circ"})
_OPERATIONS = {"star": "star", "circledast": "star", "ast": "ast", "*": "ast", "otimes": "ast"}
_CALLS = re.compile(
    r"(full|valid|same)?(conv(olve|olution)?|(cross|x)?corr(elate|elation)?)([123]d?)?(full|valid)?"
)
_ROTATION = re.compile(r"[Rr]ot(180)?")
_WORDS = frozenset({"stride", "pad", "padding", "dilation", "dil"})
_SUCH_THAT = frozenset({"s.t.", "st", "s.t", "if", "where", "with", "suchthat", ":", "mid", "|"})
# Functions that act on every entry, and what may follow an equation on its line.
_ENTRYWISE = frozenset(
    {"f", "g", "h", "sigma", "phi", "varphi", "psi", "rho", "relu", "tanh", "act", "activation"}
)
_REMARKS = frozenset({"for", "where", "with", "forall"})
_DOTS = frozenset({"dots", "ldots", "cdots", "dotsc"})
_KERNELS = re.compile(r"(w|k|weight|kernel|filter)\w*", re.IGNORECASE)
_CLOSES = {"{": "}", "(": ")", "[": "]", "lbrace": "rbrace", "lfloor": "rfloor", "lceil": "rceil"}


@dataclass(frozen=True)
class TexEquation:
    """One equation of a LaTeX text as tokens of index notation.

    Attributes:
        notes: what was left out.
        operation: `star` or `ast` where a convolution sign was written out as a sum.
        layers: the tensors whose superscript is the number of a layer, with how far it is from l.
        activated: the tensors that stand in an activation, with its name.
        slopes: the derivatives of activations, each by its name and the tensor that it is taken of.
    """

    tokens: tuple[Token, ...]
    notes: tuple[str, ...] = ()
    operation: str = ""
    layers: tuple[tuple[str, int], ...] = ()
    activated: tuple[tuple[str, str], ...] = ()
    slopes: tuple[tuple[Token, ...], ...] = ()


def is_tex(text: str) -> bool:
    """Whether a text is LaTeX and not index notation; arrays as a whole are no index notation."""
    whole = r"rot180\(\s*\w+\s*\)(?!\[)|\b(full[-_ ]?)?(conv|corr)\w*\("
    return bool(re.search(rf"\\|[_^]\{{|{whole}", text))


def tex_equations(text: str) -> Iterator[TexEquation]:
    r"""The equations of a LaTeX text; a line that begins with = goes on with the one before.

    Raises: ParseError: where a line is no equation.

    >>> for e in tex_equations(r"\frac{\partial J}{\partial b_k} = \sum_n \sum_i \delta_{n,k,i}"):
    ...     print(" ".join(token.text for token in e.tokens[:-1]))
    db [ k ] = sum ( n , i ) delta [ n , k , i ]
    """
    lexemes = list(_lexemes(text))
    for line in _equations(lexemes):
        yield _Translator(text, line).equation()


@dataclass(frozen=True)
class _Lexeme:
    """A command (without its backslash), a word, a number or a sign."""

    kind: str
    text: str
    column: int
    whole: bool = False
    """Set in an upright or bold face: one name, however many letters it has."""

    def is_command(self, *names: str) -> bool:
        return self.kind == "command" and self.text in names


def _lexemes(text: str) -> Iterator[_Lexeme]:
    """The signs of the text that mean something."""
    raw: list[_Lexeme] = []
    for match in _LEXEME.finditer(text):
        kind = match.lastgroup or ""
        found, column = match[kind] or "", match.start() + 1
        if kind == "command" and not found.isalpha():
            if found == "\\":
                raw.append(_Lexeme("command", "newline", column))
            elif found in "{}":
                raw.append(_Lexeme("command", {"{": "lbrace", "}": "rbrace"}[found], column))
            continue
        if kind in {"word", "sign"}:
            for part in re.findall(_FOREIGN, found):
                new = _SIGNS[part] if part in _SIGNS else str(part)
                named = part in _SIGNS and new.isalpha()
                raw.append(_Lexeme("command" if named else kind, new, column))
            continue
        raw.append(_Lexeme(kind, found, column))
    yield from _named(list(_faces(_spoken(raw))))


def _named(lexemes: list[_Lexeme]) -> Iterator[_Lexeme]:
    r"""Words that stand for signs: `sum_n` for `\sum_n`, `full-conv(A, B)` for `A * B`.

    How far the arrays are padded, which `full` and `pad(...)` say, is left to the reader's
    judgement as it is for the sign.
    """
    place = 0
    while place < len(lexemes):
        lexeme, after = lexemes[place], lexemes[place + 1 : place + 2]
        if lexeme.kind == "word" and lexeme.text == "sum" and after and after[0].text == "_":
            yield _Lexeme("command", "sum", lexeme.column)
            place += 1
        elif (opening := _opening(lexemes, place)) and (operands := _operands(lexemes, opening)):
            first, second = operands
            sign = "star" if "corr" in _name(lexemes[place:opening]) else "ast"
            yield from _named(first)
            yield _Lexeme("command", sign, lexeme.column)
            yield from _named(second)
            place = _closing(lexemes, opening) + 1
        else:
            yield lexeme
            place += 1


def _name(lexemes: Sequence[_Lexeme]) -> str:
    """A name that may be written in several parts, as `full_conv` and `cross-correlate` are."""
    return re.sub(r"[-_ ]", "", "".join(lexeme.text for lexeme in lexemes)).lower()


def _opening(lexemes: Sequence[_Lexeme], place: int) -> int:
    """The bracket after the name of an operation that begins here; 0 where there is none."""
    for at in range(place + 1, min(place + 4, len(lexemes))):
        if lexemes[at].text == "(":
            return at if _CALLS.fullmatch(_name(lexemes[place:at])) else 0
    return 0


def _operands(lexemes: list[_Lexeme], opening: int) -> list[list[_Lexeme]]:
    """The two arguments of a call, unpadded; nothing where there are not two."""
    parts = _split(lexemes[opening + 1 : _closing(lexemes, opening)], ",")
    if len(parts) == 3 and _name(parts[2]).strip("'\"`") in {"full", "valid", "same"}:
        parts = parts[:2]
    return [_unpadded(part) for part in parts] if len(parts) == 2 and all(parts) else []


def _unpadded(part: list[_Lexeme]) -> list[_Lexeme]:
    """The array in `pad(dZ)`, however much it is padded by."""
    padded = len(part) > 3 and part[0].text.lower() in {"pad", "padded"} and part[1].text == "("
    return _split(part[2 : _closing(part, 1)], ",")[0] if padded else part


def _spoken(raw: Sequence[_Lexeme]) -> list[_Lexeme]:
    """Without what is only for the eye."""
    kept: list[_Lexeme] = []
    place = 0
    while place < len(raw):
        lexeme = raw[place]
        place += 1
        if lexeme.is_command(*_SILENT_WITH_ARGUMENT):
            if place < len(raw) and raw[place].text == "{":
                place = _closing(raw, place) + 1
        elif lexeme.is_command(*_SILENT):
            if lexeme.text in {"left", "right"} and place < len(raw) and raw[place].text == ".":
                place += 1
        elif lexeme.text == "&" and place < len(raw) and raw[place].text in "=&":
            continue
        elif lexeme.text not in {"&", "$", "~"}:
            kept.append(lexeme)
    return kept


def _faces(lexemes: list[_Lexeme]) -> Iterator[_Lexeme]:
    r"""`\mathrm{rot180}` is one word; the face of anything else is forgotten."""
    place, skip = 0, set[int]()
    while place < len(lexemes):
        lexeme = lexemes[place]
        place += 1
        if place - 1 in skip:
            continue
        if lexeme.text.lower() == "rot" and place < len(lexemes) and lexemes[place].text == "180":
            yield _Lexeme("word", "rot180", lexeme.column, whole=True)
            place += 1
            continue
        if lexeme.is_command(*_MARKS):
            place = yield from _marked(lexemes, place, _MARKS[lexeme.text])
            continue
        if not lexeme.is_command(*_STYLES):
            yield lexeme
            continue
        if place < len(lexemes) and lexemes[place].kind in {"word", "number"}:  # \mathbf 1
            bare = lexemes[place]
            first, rest = bare.text[0], bare.text[1:]
            yield _Lexeme("word", first, bare.column, whole=True)
            if rest:
                yield _Lexeme(bare.kind, rest, bare.column + 1)
            place += 1
            continue
        if place >= len(lexemes) or lexemes[place].text != "{":
            continue
        end = _closing(lexemes, place)
        inside = lexemes[place + 1 : end]
        if inside and all(i.kind in {"word", "number"} or i.text in ".-" for i in inside):
            word = "".join(i.text for i in inside)
            yield _Lexeme("word", word, lexeme.column, whole=True)
            place = end + 1
        else:
            skip |= {end}
            place += 1


def _marked(lexemes: list[_Lexeme], place: int, mark: str) -> Generator[_Lexeme, None, int]:
    r"""`\tilde{\delta}` is the name delta_tilde; gives back the place after it."""
    if place >= len(lexemes):
        return place
    braced = lexemes[place].text == "{"
    end = _closing(lexemes, place) if braced else place
    inside = lexemes[place + 1 : end] if braced else [lexemes[place]]
    named = [i for i in inside if i.kind in {"word", "command"} and i.text not in _STYLES]
    if not named:
        yield from inside
        return end + 1
    first = inside.index(named[0])
    name = named[0]
    long = not braced and name.kind == "word" and len(name.text) > 1 and not name.whole
    text = name.text[0] if long else name.text
    yield _Lexeme("word", f"{text}_{mark}", name.column, whole=True)
    if long:
        yield _Lexeme("word", name.text[1:], name.column + 1)
    yield from (i for n, i in enumerate(inside) if n > first and i.text not in "{}")
    return end + 1


def _closing(lexemes: Sequence[_Lexeme], place: int) -> int:
    """The place of the bracket that closes the one at `place`."""
    opening = lexemes[place].text
    closing = _CLOSES[opening]
    depth = 0
    for at in range(place, len(lexemes)):
        depth += (lexemes[at].text == opening) - (lexemes[at].text == closing)
        if depth == 0:
            return at
    return len(lexemes) - 1 if lexemes[-1].text == closing else len(lexemes)


def _split(lexemes: Sequence[_Lexeme], *signs: str, brackets: str = "{([") -> list[list[_Lexeme]]:
    """The parts between signs that stand outside all brackets."""
    parts: list[list[_Lexeme]] = [[]]
    depth = 0
    opening = {*brackets, "lbrace"}
    closing = {_CLOSES[b] for b in opening}
    for lexeme in lexemes:
        depth += (lexeme.text in opening) - (lexeme.text in closing)
        if depth == 0 and lexeme.text in signs:
            parts.append([])
        else:
            parts[-1].append(lexeme)
    return parts


def _equations(lexemes: list[_Lexeme]) -> Iterator[list[_Lexeme]]:
    """Lines that define something; a line that starts with an equality sign belongs to the last."""
    current: list[_Lexeme] = []
    for line in _split(lexemes, "newline", brackets="{"):
        sides = _split(line, "=", "+=", ":=", "+=!")
        if current and (len(sides) < 2 or not sides[0]):
            current = [*current, *line]
        else:
            if current:
                yield current
            current = line
    yield current


@dataclass
class _Term:
    """What has been read of one product."""

    coefficient: list[Token] = field(default_factory=list[Token])
    sums: list[list[Token]] = field(default_factory=list[list[Token]])
    conditions: list[list[Token]] = field(default_factory=list[list[Token]])
    factors: list[list[Token]] = field(default_factory=list[list[Token]])
    brackets: list[list[Token]] = field(default_factory=list[list[Token]])
    operation: str = ""
    kind: str = ""
    turned: bool = False
    """The result as a whole is turned by 180 degrees."""


class _Translator:
    """Recursive descent over the lexemes of one equation."""

    def __init__(self, text: str, lexemes: list[_Lexeme]) -> None:
        self._text = text
        self._all = lexemes
        self._now: list[_Lexeme] = lexemes
        self._at: int = 0
        self._notes: dict[str, None] = {}
        self._operation = ""
        self._activated: dict[int, str] = {}
        self._slopes: list[tuple[Token, ...]] = []
        self._declared = self._declare()

    # --- the whole ---

    def equation(self) -> TexEquation:
        whole, remark = _without_remark(self._all)
        sides = _split(whole, "=", "+=", ":=", "+=!")
        if len(sides) < 2 or not sides[0] or not sides[-1]:
            column = self._all[-1].column + 1 if self._all else 1
            raise ParseError(self._text, column, expected="an equation: left side = right side")
        left = self._left(sides[:-1])
        sign = next(i for i in self._all if i.text in {"=", "+=", ":=", "+=!"})
        equals = Token("sign", "+=" if "+" in sign.text else "=", sign.column)
        right = self._right(self._before_activation(sides[-1]), left)
        right += self._ranges(remark)
        end = Token("end", "", len(self._text) + 1)
        full = [*left, equals, *right, end]
        named = _layers_told_apart(full)
        layers = {new.text: _layer_number(old.text) for old, new in zip(full, named, strict=True)}
        layers |= {s[1].text: _layer_number(s[1].text) for s in self._slopes if s[1:]}
        numbers = tuple((name, number) for name, number in layers.items() if number is not None)
        activated = {t.text: self._activated[t.column] for t in named if self._is_activated(t)}
        return TexEquation(
            tuple(named), tuple(self._notes), self._operation, numbers,
            tuple(activated.items()), tuple(self._slopes),
        )  # fmt: skip

    def _is_activated(self, token: Token) -> bool:
        return token.kind == "name" and token.column in self._activated

    def _before_activation(self, side: list[_Lexeme]) -> list[_Lexeme]:
        r"""What stands in f(...) around a whole side: of y = f(\sum wx + b) the sum."""
        bare = side[:-1] if side and side[-1].text in {".", ";"} else side
        opens = len(bare) > 2 and bare[0].text.lower() in _ENTRYWISE and bare[1].text in {"(", "["}
        if not opens or _closing(bare, 1) != len(bare) - 1:
            return side
        inside = bare[2:-1]
        if not any(i.text in {"+", "sum", *_OPERATIONS} for i in inside):
            return side
        self._notes["the activation was read as acting on the result"] = None
        return inside

    def _ranges(self, remark: list[_Lexeme]) -> list[Token]:
        r"""The lengths that `for i = 0, \dots, H-k` or `0 \le i < O` after an equation states."""
        parts = [part for part in _split(remark, ",") if part]
        out: list[Token] = []
        at = 0
        while at < len(parts):
            sides = _split(parts[at], "=")
            dots = at + 2 < len(parts) and all(i.text in {*_DOTS, "."} for i in parts[at + 1])
            if len(sides) == 2 and dots and _is_name(sides[0]):
                first, last = (self._expression(side) for side in (sides[1], parts[at + 2]))
                name, column = self._names(sides[0])[0], sides[0][0].column
                minus, plus = Token("sign", "-", column), Token("sign", "+", column)
                length = [*_bracketed(last, column), minus, *_bracketed(first, column), plus]
                out.append(Token("sign", ",", column) if out else Token("name", "for", column))
                out += [name, Token("sign", "<", column), *length, Token("number", "1", column)]
                at += 3
            else:
                said = self._text[parts[at][0].column - 1 :].partition(",")[0].strip()
                self._notes[f"left unread after the equation: {said}"] = None
                at += 1
        return out

    def _left(self, sides: list[list[_Lexeme]]) -> list[Token]:
        """What is defined: of a chain the last part that is a derivative, otherwise the first."""
        chosen = sides[0]
        for side in sides[1:]:
            if (
                len(side) > 2
                and side[0].is_command("frac", "dfrac", "tfrac")
                and side[2].is_command("partial")
            ):
                chosen = side
                break
        self._enter(chosen)
        found = self._access()
        if not found:
            self._fail("a tensor")
        return found

    def _enter(self, lexemes: list[_Lexeme]) -> None:
        self._now, self._at = lexemes, 0

    def _right(self, lexemes: list[_Lexeme], left: list[Token]) -> list[Token]:
        """The sum of terms."""
        self._enter(lexemes)
        done: list[Token] = []
        term = _Term()
        while self._at < len(self._now):
            lexeme = self._now[self._at]
            if lexeme.text in {"+", "-"} and (term.factors or lexeme.text == "-" or done):
                if term.factors or term.coefficient:
                    done += self._finished(term, left)
                    term = _Term()
                done.append(Token("sign", lexeme.text, lexeme.column))
                self._at += 1
            elif lexeme.text in ".;" or (lexeme.kind == "word" and lexeme.text in {"where", "for"}):
                break
            else:
                self._part(term)
        return [*done, *self._finished(term, left)]

    def _part(self, term: _Term) -> None:
        """The next thing of a product: a sum, a number, a sign of multiplication or a tensor."""
        lexeme = self._now[self._at]
        if lexeme.is_command("sum"):
            self._at += 1
            self._sum(term)
        elif self._turns_all():
            term.turned, self._at = not term.turned, self._at + 1
        elif bracket := self._bracket():
            term.brackets += [
                [Token("sign", "[", lexeme.column), *part, Token("sign", "]", lexeme.column)]
                for part in bracket
            ]
        elif lexeme.text in _OPERATIONS:
            term.operation, term.kind = _OPERATIONS[lexeme.text], "full" if term.kind else ""
            self._at += 1
            if self._sees("_", "^"):
                self._at += 1
                self._group()
        elif (
            lexeme.is_command(*_PRODUCTS)
            or lexeme.text in "()[]{},*"
            or lexeme.is_command("lbrace", "rbrace")
        ):
            self._at += 1
        elif lexeme.kind == "number" or (
            lexeme.is_command("frac", "tfrac", "dfrac") and not self._is_derivative()
        ):
            term.coefficient += self._coefficient()
        else:
            found = self._access()
            if found:
                term.factors.append(found)

    def _turns_all(self) -> bool:
        """Whether `rot180(A * B)` begins here and the right side ends with it."""
        opening = self._at + 1
        if not _ROTATION.fullmatch(self._now[self._at].text) or opening >= len(self._now):
            return False
        if self._now[opening].text not in {"(", "[", "{"}:
            return False
        end = _closing(self._now, opening)
        inside = self._now[opening + 1 : end]
        return end >= len(self._now) - 1 and len(_split(inside, *_OPERATIONS)) == 2

    def _bracket(self) -> list[list[Token]]:
        r"""Iverson's bracket `[s \mid i - t]`, or an indicator `\mathbb{1}_{i = o + t}`."""
        at = self._at
        if self._now[at].kind in {"word", "number"} and self._now[at].text in {"1", "I"}:
            at += 1
            at += at < len(self._now) and self._now[at].text == "_"
        if at >= len(self._now) or self._now[at].text not in {"{", "[", "(", "lbrace"}:
            return []
        end = _closing(self._now, at)
        inside = [i for i in self._now[at + 1 : end] if i.text not in {"lbrace", "rbrace"}]
        if self._now[at + 1 : at + 2] and self._now[at + 1].text in {"[", "("}:
            inside = list(_stripped(inside))
        if not _compares(inside) and not any(i.text in {"mid", "|", "equiv"} for i in inside):
            return []
        self._at = end + 1
        parts = _split(inside, ",", "land", "wedge")
        return [self._condition(part) for part in parts]

    def _finished(self, term: _Term, left: list[Token]) -> list[Token]:
        """A term in index notation: number, sum, product."""
        if not term.factors:
            if term.coefficient:
                return term.coefficient
            self._fail("a product on the right side")
        term.factors, ties = _without_kronecker(term.factors)
        term.brackets += ties
        if self._is_operation(term, left):
            self._operation = term.operation
            term.factors, names = _written_out(term, left)
            term.sums += names
        if term.turned:
            if not self._operation:
                self._fail("rot180 around a tensor or around one convolution")
            column = left[0].column
            signs = [Token("name", "rot180", column), Token("sign", "(", column)]
            left[:] = [*signs, *left, Token("sign", ")", column)]
        out = [*term.coefficient]
        if out:
            out.append(Token("sign", "*", out[-1].column))
        if term.sums or term.conditions:
            column = (term.sums or term.conditions)[0][0].column
            out += [Token("name", "sum", column), Token("sign", "(", column)]
            out += _joined(term.sums, ",")
            if term.conditions:
                out += [Token("name", "if", column), *_joined(term.conditions, ",")]
            out.append(Token("sign", ")", column))
        return [*out, *_joined([*term.brackets, *term.factors], "*")]

    def _is_operation(self, term: _Term, left: list[Token]) -> bool:
        """`*` is a convolution where no subscript moves, otherwise a product."""
        if not term.operation or len(term.factors) != 2:
            return False
        if term.operation == "star":
            return True
        moving = any(t.text in {"+", "-", "/"} for factor in term.factors for t in factor)
        return not moving and sum(t.text == "," for t in left) <= 1

    # --- sums ---

    def _sum(self, term: _Term) -> None:
        below: list[_Lexeme] = []
        above: list[_Lexeme] = []
        while self._sees("_", "^"):
            where = below if self._now[self._at].text == "_" else above
            self._at += 1
            where += self._group()
        names, conditions = _under(below)
        last = self._expression(above) if above else []
        for part in names:
            term.sums += self._summed(part, last)
        term.conditions += [self._condition(c) for c in conditions if c]

    def _summed(self, part: list[_Lexeme], last: list[Token]) -> list[list[Token]]:
        r"""`m`, `m=0`, `m \in I`, `0 \le m < M`, or `ij` for two indices."""
        sides = _split(part, "=", "in", *_COMPARE, "<", "<=", ">", ">=")
        if len(sides) == 3:
            between = self._names(sides[1])
            strict = [i.text in {"<", "lt"} for i in part if i.text in _UPWARD]
            if len(between) != 1 or len(strict) != 2:
                raise ParseError(self._text, part[0].column, expected=_RANGE)
            (name,) = between
            low, high = (_bracketed(self._expression(side), name.column) for side in sides[::2])
            more, less = ([Token("sign", sign, name.column), Token("number", "1", name.column)]
                          for sign in "+-")  # fmt: skip
            low, high = low + more * strict[0], high + less * strict[-1]
            equals, dots = Token("sign", "=", name.column), Token("sign", "..", name.column)
            return [[name, equals, *low, dots, *high]]
        names = self._names(sides[0])
        if len(sides) > 3 or (len(sides) == 2 and not names):
            raise ParseError(self._text, part[0].column, expected=_RANGE)
        if len(sides) == 1 or any(lexeme.is_command("in") for lexeme in part):
            return [[name] for name in names]
        out = [names[0], Token("sign", "=", names[0].column), *self._expression(sides[1])]
        if last:
            out += [Token("sign", "..", names[0].column), *last]
        return [out]

    def _condition(self, lexemes: list[_Lexeme]) -> list[Token]:
        r"""A comparison; `s \mid i - t` is (i - t) % s == 0."""
        if not lexemes:
            self._fail("a condition")
        column = lexemes[0].column
        same, *rest = _split(lexemes, "equiv")
        if rest:  # t \equiv i \pmod s
            other, modulus = _modulo(rest[0])
            a, b = (_bracketed(self._expression(side), column) for side in (same, other))
            minus, percent = Token("sign", "-", column), Token("sign", "%", column)
            zero = [Token("sign", "==", column), Token("number", "0", column)]
            size = _bracketed(self._expression(modulus), column)
            return [Token("sign", "(", column), *a, minus, *b, Token("sign", ")", column), percent,
                    *size, *zero]  # fmt: skip
        modulus, *rest = _split(lexemes, "mid", "|")
        if not rest:
            return self._expression(lexemes)
        inside = _bracketed(self._expression(rest[0]), column)
        size = _bracketed(self._expression(modulus), column)
        zero = [Token("sign", "==", column), Token("number", "0", column)]
        return [*inside, Token("sign", "%", column), *size, *zero]

    def _names(self, lexemes: list[_Lexeme]) -> list[Token]:
        """One name, or letters side by side."""
        found = self._expression(lexemes)
        return [token for token in found if token.kind == "name"]

    def _declare(self) -> frozenset[str]:
        """Names of several letters that are indices: between commas under a sum, or on the left."""
        found: set[str] = set()
        for at, lexeme in enumerate(self._all[:-1]):
            if lexeme.kind != "word" or len(lexeme.text) < 2:
                continue
            before, after = self._all[at - 1].text, self._all[at + 1].text
            if (
                before in {"{", ",", "["}
                and after in {"}", ",", "=", "]"}
                and "," in {before, after}
            ):
                found.add(lexeme.text)
        return frozenset(found)

    # --- factors ---

    def _coefficient(self) -> list[Token]:
        lexeme = self._now[self._at]
        self._at += 1
        if lexeme.kind == "number":
            return [Token("number", lexeme.text, lexeme.column)]
        over, under = self._expression(self._group()), self._expression(self._group())
        if len(over) != 1 or len(under) != 1:
            self._fail("a fraction of two numbers, or of a number and a letter")
        return [*over, Token("sign", "/", lexeme.column), *under]

    def _is_derivative(self) -> bool:
        r"""Whether \frac stands before \partial, or the d of a total derivative."""
        inside = self._now[self._at + 1 : self._at + 3]
        return len(inside) == 2 and (
            inside[1].is_command("partial")
            or (inside[1].kind == "word" and inside[1].text[0] == "d")
        )

    def _access(self) -> list[Token]:
        """A tensor with its subscripts; nothing for the derivative of an activation."""
        lexeme = self._now[self._at]
        if lexeme.is_command("frac", "dfrac", "tfrac"):
            self._at += 1
            self._group()
            return self._differential(self._group(), lexeme)
        if lexeme.is_command("partial"):  # \partial J / \partial x
            slash = next(
                (i for i in range(self._at, len(self._now)) if self._now[i].text == "/"), None
            )
            if slash is None:
                self._fail("a fraction such as \\partial J / \\partial x")
            self._at = slash + 1
            self._sees_command("partial")
            self._at += 1
            return self._primed(self._tensor())
        if lexeme.is_command(*_ADJOINTS):
            return self._adjoint()
        if _ROTATION.fullmatch(lexeme.text):
            return self._rotated()
        return self._tensor()

    def _differential(self, below: list[_Lexeme], at: _Lexeme) -> list[Token]:
        inner = [i for i in below if not i.is_command("partial")]
        if (
            inner
            and inner[0].kind == "word"
            and inner[0].text[0] == "d"
            and len(inner) == len(below)
        ):
            first = inner[0]
            rest = _Lexeme(first.kind, first.text[1:], first.column, first.whole)
            inner = [*([rest] if rest.text else []), *inner[1:]]
        if not inner:
            raise ParseError(self._text, at.column, expected="a tensor below the fraction")
        kept = self._now, self._at
        self._enter(inner)
        found = self._tensor()
        self._now, self._at = kept
        if self._sees("J", "L", "E", "C"):  # \frac{\partial}{\partial K} J(V, K)
            following = self._now[self._at + 1 : self._at + 2]
            if following and following[0].text == "(":
                self._at = _closing(self._now, self._at + 1) + 1
        return self._primed(found)

    def _adjoint(self) -> list[Token]:
        r"""\bar{x}_i, \Delta x_i and \nabla_x J are the derivative by x."""
        lexeme = self._now[self._at]
        self._at += 1
        if lexeme.is_command("nabla"):
            self._sees("_")
            self._at += 1
            return self._differential(self._group(), lexeme)
        if lexeme.is_command("bar", "overline"):
            inside = self._group()
            self._now = [*self._now[: self._at], *inside, *self._now[self._at :]]
        return self._primed(self._tensor())

    def _rotated(self) -> list[Token]:
        lexeme = self._now[self._at]
        self._at += 1
        while self._sees("_", "^") or self._now[self._at : self._at + 1] == []:
            if self._at >= len(self._now):
                self._fail("the kernel that is turned")
            self._at += 1
            self._group()
        bracket = self._now[self._at].text
        if bracket in {"(", "{", "[", "lbrace"}:
            end = _closing(self._now, self._at)
            inside, rest = self._now[self._at + 1 : end], self._now[end + 1 :]
            self._enter(inside)
            found = self._tensor() or self._fail("the kernel that is turned")
            self._enter(rest)
            found += self._subscripts()[1]
        else:
            found = self._tensor()
        signs = [Token("name", "rot180", lexeme.column), Token("sign", "(", lexeme.column)]
        return [*signs, *_one_bracket(found), Token("sign", ")", lexeme.column)]

    def _tensor(self) -> list[Token]:
        """A name with superscripts and subscripts."""
        if self._at >= len(self._now):
            self._fail("a tensor")
        lexeme = self._now[self._at]
        if lexeme.kind not in {"word", "command"} or lexeme.text in {"sum", "newline"}:
            self._fail("a tensor")
        self._at += 1
        if lexeme.whole and lexeme.text == "d" and self._at < len(self._now):
            return self._primed(self._tensor())  # an upright d, as in \mathrm{d}x
        primes = ""
        if self._sees("'") or self._is_prime():
            if self._is_function():
                return self._activation(lexeme)
            while self._sees("'"):
                primes, self._at = primes + "'", self._at + 1
        if lexeme.text.lower() in _ENTRYWISE and (inside := self._argument_of_function()):
            self._activated[inside[0].column] = lexeme.text
            self._notes[f"the activation of {inside[0].text} was read as the input"] = None
            return inside
        upper, subscripts = self._subscripts()
        below, _, above = upper.partition("^")
        name = lexeme.text + below + primes + (f"^{above}" if above else "")
        return _one_bracket([Token("name", name, lexeme.column), *subscripts])

    def _argument_of_function(self) -> list[Token]:
        r"""The tensor in f(x^l_{i+m}): to the convolution it is an input like any other."""
        if not self._sees("("):
            return []
        end = _closing(self._now, self._at)
        inside = self._now[self._at + 1 : end]
        named = len(inside) > 2 and inside[0].kind in {"word", "command"}
        if not named or inside[1].text not in {"_", "^"} or len(_split(inside, ",", "+", "-")) > 1:
            return []
        rest = self._now[end + 1 :]
        self._enter(inside)
        found = self._tensor()
        if self._at < len(inside):
            self._fail("one tensor in the brackets")
        self._enter(rest)
        return found

    def _primed(self, tokens: list[Token]) -> list[Token]:
        """The derivative by a tensor: a d before its name."""
        if not tokens:
            self._fail("a tensor")
        first, *rest = tokens
        return [Token("name", f"d{first.text}", first.column), *rest]

    def _is_prime(self) -> bool:
        following = self._now[self._at : self._at + 3]
        return len(following) > 1 and following[0].text == "^" and any(
            i.is_command("prime") for i in following[1:]
        )  # fmt: skip

    def _is_function(self) -> bool:
        """Whether a bracket follows the primes, or nothing at all: f'(x), and not w'_{k,c}."""
        inside = {"'", "^", "{", "}", "prime"}
        rest = [i.text for i in self._now[self._at :]]
        after = next((n for n, text in enumerate(rest) if text not in inside), len(rest))
        if after < len(rest) and rest[after] == "_":  # f'_l(x)
            braced = after + 1 < len(rest) and rest[after + 1] == "{"
            end = _closing(self._now, self._at + after + 1) - self._at if braced else after + 1
            return end + 1 < len(rest) and rest[end + 1] == "("
        return after >= len(rest) or rest[after] == "("

    def _activation(self, lexeme: _Lexeme) -> list[Token]:
        """f'(x): a factor outside the convolution."""
        while self._at < len(self._now) and self._now[self._at].text != "(":
            if (
                self._now[self._at].text not in {"'", "^", "_", "{", "}", "prime"}
                and self._now[self._at].kind != "word"
            ):
                break
            self._at += 1
        argument = self._argument_of_function()
        self._slopes.append((Token("name", f"{lexeme.text}'", lexeme.column), *argument))
        if not argument and self._sees("("):
            self._at = _closing(self._now, self._at) + 1
        self._notes[
            "the derivative of the activation was read as a factor outside the convolution"
        ] = None
        return []

    def _subscripts(self) -> tuple[str, list[Token]]:
        upper = ""
        out: list[Token] = []
        while self._at < len(self._now):
            lexeme = self._now[self._at]
            if qualifier := self._qualifier():
                upper = upper + qualifier
            elif lexeme.text == "^":
                self._at += 1
                inside = self._group()
                if any(a.text == ")" and b.text == "(" for a, b in pairwise(inside)):
                    self._at -= 1
                    self._fail("positions as subscripts, such as v_{m,x+p,y+q}")
                number = "".join(i.text for i in inside if i.text not in "(){}[]")
                upper = upper if "^" in upper else f"{upper}^{number}"
            elif lexeme.text == "_":
                self._at += 1
                out += self._listed(self._group(), lexeme.column)
            elif lexeme.text in {"(", "["}:
                end = _closing(self._now, self._at)
                inside = self._now[self._at + 1 : end]
                if _compares(inside):
                    break  # Iverson's bracket
                self._at = end + 1
                if not self._sees("_"):  # g(G, V, s)_{i,j}: what it is a function of
                    out += self._listed(inside, lexeme.column, letters=False)
            elif (
                lexeme.text == "{"
                and self._now[self._at + 1 : self._at + 2]
                and self._now[self._at + 1].text == "}"
            ):
                self._at += 2
            else:
                break
        return upper, out

    def _qualifier(self) -> str:
        r"""`x_{pad}[i]`, `x_{\text{in}}`: a word below a tensor that says which one it is."""
        if not self._sees("_") or self._at + 1 >= len(self._now):
            return ""
        start = self._at + 1
        braced = self._now[start].text == "{"
        inside = self._now[start + 1 : _closing(self._now, start)] if braced else [self._now[start]]
        if len(inside) != 1 or inside[0].kind != "word":
            return ""
        (word,) = inside
        named = word.text in _QUALIFIERS and (braced or word.whole)
        if not named and not (word.whole and len(word.text) > 1):
            return ""
        if word.text in self._declared:
            return ""
        self._at = start + (3 if braced else 1)
        return f"_{word.text}"

    def _listed(self, inside: list[_Lexeme], column: int, *, letters: bool = True) -> list[Token]:
        """Subscripts in brackets: between commas, or letters side by side."""
        parts = _split(inside, ",")
        if len(parts) == 1 and letters:
            parts = self._side_by_side(parts[0])
        subscripts = [self._expression(part) for part in parts if part]
        return [Token("sign", "[", column), *_joined(subscripts, ","), Token("sign", "]", column)]

    def _side_by_side(self, part: list[_Lexeme]) -> list[list[_Lexeme]]:
        """`nk(h+p-r)w` is four subscripts; with a sign outside brackets it is one form."""
        found: list[list[_Lexeme]] = []
        at = 0
        while at < len(part):
            lexeme = part[at]
            if lexeme.text in {"(", "["}:
                end = _closing(part, at)
                found.append(part[at : end + 1])
                at = end + 1
            elif lexeme.kind == "word" and not lexeme.whole and lexeme.text not in self._declared:
                found += [[_Lexeme("word", c, lexeme.column)] for c in lexeme.text]
                at += 1
            elif lexeme.kind == "word" or lexeme.is_command("lambda", "mu", "nu", "alpha", "beta"):
                found.append([lexeme])
                at += 1
            elif lexeme.text in {"'", "prime", "^", "_"} and found:
                found[-1].append(lexeme)
                at += 1
                if lexeme.text in {"^", "_"} and at < len(part):
                    end = _closing(part, at) if part[at].text == "{" else at
                    found[-1] += part[at : end + 1]
                    at = end + 1
            else:
                return [part]
        return found

    # --- forms ---

    def _expression(self, lexemes: Sequence[_Lexeme]) -> list[Token]:
        """A subscript or a condition."""
        out: list[Token] = []
        at = 0
        while at < len(lexemes):
            lexeme = lexemes[at]
            at += 1
            sign = _COMPARE.get(lexeme.text, "")
            if lexeme.kind == "number":
                out.append(Token("number", lexeme.text, lexeme.column))
            elif lexeme.kind == "word":
                out += [Token("name", name, lexeme.column) for name in self._letters(lexeme)]
            elif lexeme.text == "'" or lexeme.is_command("prime"):
                out = _extended(out, "'")
            elif lexeme.text in {"_", "^"}:
                inside, at = self._argument(lexemes, at)
                text = "".join(i.text for i in inside if i.text not in "{}").replace("prime", "'")
                out = _extended(out, text if set(text) == {"'"} else f"_{text}")
            elif lexeme.is_command("frac", "tfrac", "dfrac"):
                for number in (0, 1):
                    inside, at = self._argument(lexemes, at)
                    out += [Token("sign", "/", lexeme.column)] if number else []
                    out += _bracketed(self._expression(_bare(inside)), lexeme.column)
            elif lexeme.text in {"lfloor", "rfloor", "lceil", "rceil"}:
                opens = lexeme.text[0] == "l"
                out += [Token("name", lexeme.text[1:], lexeme.column)] if opens else []
                out.append(Token("sign", "(" if opens else ")", lexeme.column))
            elif sign:
                out.append(Token("sign", sign, lexeme.column))
            elif lexeme.is_command("cdot", "times", "ast", "star") or lexeme.text == "*":
                out.append(Token("sign", "*", lexeme.column))
            elif lexeme.is_command("bmod", "mod"):
                out.append(Token("sign", "%", lexeme.column))
            elif lexeme.text in "{([})]":
                out.append(Token("sign", "(" if lexeme.text in "{([" else ")", lexeme.column))
            elif lexeme.kind == "command":
                out.append(Token("name", lexeme.text, lexeme.column))
            else:
                text = "==" if lexeme.text == "=" else lexeme.text
                out.append(Token("sign", text, lexeme.column))
        return out

    def _argument(self, lexemes: Sequence[_Lexeme], at: int) -> tuple[Sequence[_Lexeme], int]:
        """The group in braces or the sign at a place, and the place after it."""
        if at >= len(lexemes):
            column = lexemes[-1].column + 1
            raise ParseError(self._text, column, expected="a group in braces")
        end = _closing(lexemes, at) if lexemes[at].text == "{" else at
        return lexemes[at : end + 1], end + 1

    def _letters(self, lexeme: _Lexeme) -> list[str]:
        """A word as one name, or as a product of letters."""
        one = lexeme.whole or lexeme.text in self._declared or lexeme.text in _WORDS
        return [lexeme.text] if one else list(lexeme.text)

    # --- the stream ---

    def _sees(self, *texts: str) -> bool:
        return self._at < len(self._now) and self._now[self._at].text in texts

    def _sees_command(self, name: str) -> None:
        if not (self._at < len(self._now) and self._now[self._at].is_command(name)):
            self._fail(f"\\{name}")

    def _group(self) -> list[_Lexeme]:
        """What stands in braces, or the next sign."""
        if self._at >= len(self._now):
            self._fail("a group in braces")
        lexeme = self._now[self._at]
        if lexeme.text == "{":
            end = _closing(self._now, self._at)
            if end >= len(self._now):
                self._at = len(self._now)
                self._fail("a closing }")
            inside = self._now[self._at + 1 : end]
            self._at = end + 1
            return inside
        if lexeme.kind == "word" and len(lexeme.text) > 1 and not lexeme.whole:
            first = _Lexeme("word", lexeme.text[0], lexeme.column)
            rest = _Lexeme("word", lexeme.text[1:], lexeme.column + 1)
            self._now = [*self._now[: self._at], first, rest, *self._now[self._at + 1 :]]
            lexeme = first
        self._at += 1
        return [lexeme]

    def _fail(self, expected: str) -> NoReturn:
        inside = self._at < len(self._now)
        column = self._now[self._at].column if inside else len(self._text.rstrip()) + 1
        raise ParseError(self._text, column, expected=expected)


def _without_remark(lexemes: list[_Lexeme]) -> tuple[list[_Lexeme], list[_Lexeme]]:
    """An equation and what follows it on its line, after a comma or a word such as `for`."""
    start = next((n for n, i in enumerate(lexemes) if i.text in {"=", "+=", ":=", "+=!"}), 0)
    depth = 0
    for at, lexeme in enumerate(lexemes):
        depth += (lexeme.text in _CLOSES) - (lexeme.text in _CLOSES.values())
        ends = lexeme.text == "," or lexeme.text.strip() in _REMARKS
        if depth == 0 and at > start and ends:
            rest = lexemes[at:]
            while rest and (rest[0].text == "," or rest[0].text.strip() in _REMARKS):
                rest = rest[1:]
            return lexemes[:at], rest
    return lexemes, []


def _without_kronecker(
    factors: list[list[Token]],
) -> tuple[list[list[Token]], list[list[Token]]]:
    r"""The factors, and [a == i + m] for every \delta_{a,i+m} beside two tensors."""
    ties: list[list[Token]] = []
    kept: list[list[Token]] = []
    for factor in factors:
        name, *rest = factor
        commas = [n for n, t in enumerate(rest) if t.text == ","]
        if name.text == "delta" and len(commas) == 1 and len(factors) - len(ties) > 2:
            (at,) = commas
            equal = Token("sign", "==", name.column)
            ties.append([rest[0], *rest[1:at], equal, *rest[at + 1 :]])
        else:
            kept.append(factor)
    return kept, ties


def _under(below: list[_Lexeme]) -> tuple[list[list[_Lexeme]], list[list[_Lexeme]]]:
    """The names below a sum, and the conditions after `such that`."""
    if below and below[0].is_command("substack"):
        below = below[2:-1]
    names: list[list[_Lexeme]] = []
    conditions: list[list[_Lexeme]] = []
    where = names
    for part in _split(below, ",", "newline"):
        rest = part
        while rest:
            at = next((i for i, lexeme in enumerate(rest) if lexeme.text in _SUCH_THAT), None)
            if at is not None and rest[at].text in {"mid", "|"} and not _compares(rest[at:]):
                at = None  # s \mid i - t: s divides i - t
            before = rest if at is None else rest[:at]
            if before:
                (conditions if _is_condition(before) else where).append(before)
            if at is None:
                break
            where, rest = conditions, rest[at + 1 :]
    return names, conditions


def _stripped(inside: Sequence[_Lexeme]) -> Sequence[_Lexeme]:
    """Without a pair of brackets around the whole."""
    whole = len(inside) > 1 and inside[0].text in {"(", "["}
    return inside[1:-1] if whole and _closing(inside, 0) == len(inside) - 1 else inside


def _modulo(lexemes: Sequence[_Lexeme]) -> tuple[Sequence[_Lexeme], Sequence[_Lexeme]]:
    r"""What stands before `\pmod` and what stands in it."""
    words = {"pmod", "mod", "bmod"}
    at = next((n for n, i in enumerate(lexemes) if i.text in words), len(lexemes))
    rest = lexemes[at + 1 :]
    before = lexemes[: at - 1] if at and lexemes[at - 1].text == "(" else lexemes[:at]
    if len(before) < at:
        rest = rest[:-1]
    braced = bool(rest) and rest[0].text in {"{", "("}
    return before, rest[1:-1] if braced else rest


def _compares(lexemes: Sequence[_Lexeme]) -> bool:
    return any(i.text in _COMPARE or i.text in {"=", "<", ">", "<=", ">="} for i in lexemes)


def _is_condition(part: list[_Lexeme]) -> bool:
    r"""`m = 0` and `0 \le m < M` are ranges of a name, everything longer is a condition."""
    if any(lexeme.text in {"mid", "|", "equiv"} for lexeme in part):
        return True
    sides = _split(part, "=", *_COMPARE, "<", "<=", ">", ">=")
    if len(sides) == 1:
        return False
    below = any(i.text in _UPWARD for i in part)
    above = any(i.text in {">", ">=", "gt", "ge", "geq", "geqslant"} for i in part)
    if len(sides) == 3:  # a chain from the least to the greatest
        return above or not _is_name(sides[1])
    return below or any(i.text in {">", "gt"} for i in part) or not _is_name(sides[0])


def _is_name(lexemes: list[_Lexeme]) -> bool:
    """A letter or word with primes and a subscript of its own, or letters side by side."""
    place = 1
    while place < len(lexemes):
        lexeme = lexemes[place]
        if lexeme.text in {"_", "^"}:
            opens = place + 1 < len(lexemes) and lexemes[place + 1].text == "{"
            place = (_closing(lexemes, place + 1) if opens else place + 1) + 1
        elif lexeme.text in {"'", "prime"} or lexeme.kind == "word":
            place += 1
        else:
            return False
    return bool(lexemes) and lexemes[0].kind in {"word", "command"}


def _bare(lexemes: Sequence[_Lexeme]) -> Sequence[_Lexeme]:
    braced = len(lexemes) > 1 and lexemes[0].text == "{"
    return lexemes[1:-1] if braced else lexemes


def _bracketed(tokens: list[Token], column: int) -> list[Token]:
    return [Token("sign", "(", column), *tokens, Token("sign", ")", column)]


def _extended(tokens: list[Token], text: str) -> list[Token]:
    """The last name with a prime or a subscript of its own."""
    if not tokens or tokens[-1].kind != "name":
        return tokens
    last = tokens[-1]
    return [*tokens[:-1], Token("name", last.text + text, last.column)]


def _joined(parts: Iterable[list[Token]], sign: str) -> list[Token]:
    out: list[Token] = []
    for part in parts:
        if out and part:
            out.append(Token("sign", sign, part[0].column))
        out += part
    return out


def _one_bracket(tokens: list[Token]) -> list[Token]:
    """`k[p][u,v]` as `k[p,u,v]`."""
    name, *rest = tokens
    inside = _joined([], ",")
    for token in rest:
        if token.text == "[":
            if inside and inside[-1].text != ",":
                inside.append(Token("sign", ",", token.column))
        elif token.text != "]":
            inside.append(token)
    if not inside:
        return [name]
    column = inside[0].column
    return [name, Token("sign", "[", column), *inside, Token("sign", "]", column)]


def _written_out(term: _Term, left: list[Token]) -> tuple[list[list[Token]], list[list[Token]]]:
    r"""A \star B as a sum: sum(u,v) A[.., i+u, j+v] * B[.., u, v]; the left side gets i and j.

    Whether the arrays meet wholly (full) or only where one lies inside the other (valid) is left
    to the reader's judgement: the subscripts are those of the valid operation.
    """
    first, second = term.factors
    column = left[0].column
    is_forward = not left[0].text.startswith(("d", "delta"))
    if is_forward and _KERNELS.fullmatch(first[0].text) and not _KERNELS.fullmatch(second[0].text):
        first, second = second, first  # of a layer it is the kernel that moves
    cross = term.operation == "star"
    places = [("i'", "u'"), ("j'", "v'")]
    moved = [f"{i}{'+' if cross else '-'}{u}" for i, u in places]
    left[:] = _with(left, [i for i, _ in places])
    names = [[Token("name", u, column)] for _, u in places]
    return [_with(first, moved), _with(second, [u for _, u in places])], names


def _with(tokens: list[Token], subscripts: list[str]) -> list[Token]:
    """The tensor with more subscripts at its end."""
    turned = tokens[0].text == "rot180"
    inner = tokens[2:-1] if turned else tokens
    name, *rest = inner
    old = rest[1:-1]
    new: list[list[Token]] = []
    for text in subscripts:
        parts = re.findall(r"\w'|[+-]", text)
        kinds = [("sign" if part in "+-" else "name", part) for part in parts]
        new.append([Token(kind, part, name.column) for kind, part in kinds])
    out = _one_bracket(
        [
            name,
            Token("sign", "[", name.column),
            *_joined([*([old] if old else []), *new], ","),
            Token("sign", "]", name.column),
        ]
    )
    return [*tokens[:2], *out, tokens[-1]] if turned else out


def _layer_number(name: str) -> int | None:
    """How far the layer of delta^l+1 is from l; None where no number stands."""
    found = re.fullmatch(r"[^^]+\^(?:l|L|ell)([+-]\d+)?", name)
    return int(found[1] or 0) if found else None


def _layers_told_apart(tokens: list[Token]) -> list[Token]:
    """Superscripts are kept only where they tell two tensors apart."""
    full = {t.text for t in tokens if t.kind == "name" and "^" in t.text}
    bare = [name.partition("^")[0] for name in full]
    others = {t.text for t in tokens if t.kind == "name" and "^" not in t.text}
    clash = {b for b in bare if bare.count(b) > 1 or b in others}

    def name(text: str) -> str:
        short = text.partition("^")[0]
        return text if short in clash else short

    return [Token(t.kind, name(t.text), t.column) if t.kind == "name" else t for t in tokens]
