"""Reading an equation as people write it, in LaTeX or as text, into factors with subscripts."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace

from convgrad.errors import ParseError

GREEK = ("delta", "theta", "omega", "sigma", "epsilon", "eta", "alpha", "beta", "gamma", "phi")
_NOISE = (
    r"\\label\{[^}]*\}", r"\\tag\{[^}]*\}", r"\\(left|right|big|Big|bigg|Bigg|displaystyle|limits|nolimits)\b\.?",  # noqa: E501
    r"\\[,;:! ]", r"\\(quad|qquad)\b", r"\$", r"\\begin\{[^}]*\}", r"\\end\{[^}]*\}", r"&", r"\\\\", r"~",  # noqa: E501
)  # fmt: skip


@dataclass(frozen=True)
class Factor:
    """A tensor with its subscripts, as texts that Python's grammar can read.

    Attributes:
        name: the tensor, with its superscript.
        subscripts: one text per axis.
        rotated: read with the kernel turned by 180 degrees.
    """

    name: str
    subscripts: tuple[str, ...]
    rotated: bool = False

    def __str__(self) -> str:
        """In index notation."""
        inner = ", ".join(self.subscripts)
        return f"rot180({self.name})[{inner}]" if self.rotated else f"{self.name}[{inner}]"


@dataclass(frozen=True)
class Written:
    """An equation: the left side, the names that are summed over, and one product."""

    left: Factor
    sums: tuple[str, ...]
    factors: tuple[Factor, ...]
    sign: int = 1
    activation: bool = False
    conditions: tuple[str, ...] = ()

    def __str__(self) -> str:
        """In index notation."""
        inner = f"sum({', '.join(self.sums)}) " if self.sums else ""
        sign = "-" if self.sign < 0 else ""
        return f"{self.left} = {sign}{inner}{' * '.join(map(str, self.factors))}"


def read_equation(text: str) -> Written:
    r"""The equation that a text states.

    Raises: ParseError: where it is none, with the place.

    >>> print(read_equation(r"\delta_{m} = \sum_a \delta^{l+1}_{m-a} w_{a}"))
    delta[m] = sum(a) delta^l+1[m - a] * w[a]
    """
    return _Reader(text).equation()


def _plain(text: str) -> str:
    for pattern in _NOISE:
        text = re.sub(pattern, " ", text)
    text = re.sub(
        r"\\(boldsymbol|mathbf|mathsf|mathrm|text|operatorname|vec|bm)\s*\{([^{}]*)\}", r"\2", text
    )
    text = re.sub(r"\\(boldsymbol|mathbf|mathsf|mathrm)\s*\{([^{}]*)\}", r"\2", text)
    text = re.sub(r"\^\s*\{\s*\\prime\s*\}|\^\s*\\prime|\\prime|′", "'", text)
    text = re.sub(r"\\(cdot|times|ast|odot)\b|[·×⊙∗]", " * ", text)
    text = re.sub(
        r"rot_?\{?180\}?(\^?\{?\\?circ\}?)?|rot_\{\s*180\s*\^\s*\{?\s*\\circ\s*\}?\s*\}",
        " ROT ",
        text,
    )
    for name in GREEK:
        text = text.replace(f"\\{name}", f" {name} ")
    text = (
        text.replace("δ", " delta ")
        .replace("∂", r" \partial ")
        .replace("∑", r" \sum ")
        .replace("Σ", r" \sum ")
    )
    text = text.replace("−", "-").replace("+=!", "=").replace("+=", "=").replace(":=", "=")
    return re.sub(r"\\(lbrace|\{)", "(", re.sub(r"\\(rbrace|\})", ")", text))


class _Reader:
    """Recursive descent over the text."""

    def __init__(self, text: str) -> None:
        self._original = text
        self._text = _plain(text)
        self._at = 0

    def equation(self) -> Written:
        left = self._factor()
        self._take("=")
        sums: list[str] = []
        factors: list[Factor] = []
        conditions: list[str] = []
        sign, activation = 1, False
        while True:
            self._space()
            if self._at >= len(self._text) or self._text[self._at] in ".;":
                break
            rest = self._text[self._at :]
            if rest[0] in "*,":
                self._at += 1
            elif rest[0] == "-" and not factors:
                sign, self._at = -sign, self._at + 1
            elif rest[0] in "+=-":
                if rest[0] == "=":  # a chain of equalities: the last counts
                    sums, factors, self._at, sign = [], [], self._at + 1, 1
                    continue
                self._fail("one product; sums of several terms are not read")
            elif match := re.match(r"\\?sum(?![A-Za-z])", rest):
                self._at += match.end()
                names, found = self._sum()
                sums += names
                conditions += found
            elif rest[0] in "([{)]}":
                self._at += 1
            elif match := re.match(r"(\\?[A-Za-z]+)\s*'\s*(_\{[^}]*\})?\s*\(", rest):
                self._at += match.end() - 1
                self._balanced("(", ")")
                activation = True
            elif re.match(r"\d", rest):
                self._fail("a product of tensors without numbers")
            elif re.match(r"where\b|for\b|with\b|if\b", rest):
                break
            else:
                factors.append(self._factor())
        if not factors:
            self._fail("a product on the right side")
        return Written(
            left, tuple(dict.fromkeys(sums)), tuple(factors), sign, activation, tuple(conditions)
        )

    def _fail(self, expected: str) -> None:
        raise ParseError(self._text.strip() or self._original, self._at + 1, expected=expected)

    def _space(self) -> None:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1

    def _take(self, sign: str) -> None:
        self._space()
        if not self._text.startswith(sign, self._at):
            self._fail(f"{sign!r}")
        self._at += len(sign)

    def _balanced(self, opening: str, closing: str) -> str:
        """The text between brackets that open here."""
        depth, start = 0, self._at
        while self._at < len(self._text):
            sign = self._text[self._at]
            depth += (sign == opening) - (sign == closing)
            self._at += 1
            if depth == 0:
                return self._text[start + 1 : self._at - 1]
        self._fail(f"a closing {closing!r}")
        return ""

    def _group(self) -> str:
        """A group in braces, or one sign."""
        self._space()
        if self._text.startswith("{", self._at):
            return self._balanced("{", "}")
        match = re.match(r"\\?[A-Za-z]+'*|\d+|.", self._text[self._at :])
        if match is None:
            self._fail("a subscript")
            return ""
        found = match.group()
        if found[0] != "\\" and len(found) > 1 and found[0].isalpha() and found[1] != "'":
            found = found[0]
        self._at += len(found)
        return found

    def _sum(self) -> tuple[list[str], list[str]]:
        self._space()
        inner = ""
        for _ in range(2):
            self._space()
            if self._text.startswith("_", self._at):
                self._at += 1
                inner = self._group()
            elif self._text.startswith("^", self._at):
                self._at += 1
                self._group()
            elif not inner and self._text.startswith("(", self._at):
                inner = self._balanced("(", ")")
        condition = ""
        if match := re.search(r"\bif\b|:|\|", inner):
            inner, condition = inner[: match.start()], inner[match.end() :]
        names = [_name(re.split(r"=|\\in\b|<|\\le", part)[0]) for part in inner.split(",")]
        return [n for n in names if n], [
            _expression(c) for c in re.split(r",|\band\b", condition) if c.strip()
        ]

    def _factor(self) -> Factor:
        self._space()
        rest = self._text[self._at :]
        if match := re.match(r"\\[dt]?frac\s*", rest):
            self._at += match.end()
            self._balanced("{", "}")
            self._space()
            below = self._balanced("{", "}")
            inner = _Reader(re.sub(r"\\partial", " ", below))._factor()  # noqa: SLF001  (the same class)
            return replace(inner, name=f"d{inner.name}")
        if match := re.match(r"\\partial\s*[A-Z]\w*\s*/\s*\\partial\s*", rest):
            self._at += match.end()
            inner = self._factor()
            return replace(inner, name=f"d{inner.name}")
        if match := re.match(r"ROT\s*", rest):
            self._at += match.end()
            bracket = self._text[self._at : self._at + 1]
            if bracket in {"(", "{"}:
                inner_text = self._balanced(bracket, ")" if bracket == "(" else "}")
                inner = _Reader(inner_text)._factor()  # noqa: SLF001  (the same class)
            else:
                inner = self._factor()
            subscripts = inner.subscripts or self._subscripts()[1]
            return replace(inner, rotated=True, subscripts=subscripts)
        match = re.match(r"\\?([A-Za-z]\w*)", rest)
        if match is None or match.group(1) in {"sum", "frac"}:
            self._fail("a tensor")
            raise AssertionError
        name = match.group(1)
        if "_" in name and not re.match(r"\s*[\[(]", rest[match.end() :]):
            name = name.partition("_")[0]  # x_i: the subscript is read below
            self._at += rest.index(name) + len(name)
        else:
            self._at += match.end()
        upper, subscripts = self._subscripts()
        return Factor(f"{name}^{upper}" if upper else name, subscripts)

    def _subscripts(self) -> tuple[str, tuple[str, ...]]:
        upper, inner = "", ""
        while True:
            self._space()
            sign = self._text[self._at : self._at + 1]
            if sign == "^":
                self._at += 1
                upper = re.sub(r"[\s(){}]", "", self._group())
            elif sign == "_":
                self._at += 1
                inner = self._group()
            elif sign in {"[", "("} and not inner:
                inner = self._balanced(sign, "]" if sign == "[" else ")")
            elif sign == "'":
                self._at += 1
            elif sign == "{" and not self._text[self._at : self._at + 2].strip("{} "):
                self._balanced("{", "}")
            else:
                break
        return upper, _split(inner)


def _split(inner: str) -> tuple[str, ...]:
    if not inner.strip():
        return ()
    parts: list[str] = []
    depth, start = 0, 0
    for i, sign in enumerate(inner):
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and depth == 0:
            parts.append(inner[start:i])
            start = i + 1
    parts.append(inner[start:])
    if len(parts) == 1 and re.fullmatch(r"\s*([a-z]'?){2,4}\s*", parts[0]):
        parts = re.findall(r"[a-z]'?", parts[0])  # w_{ij}: two subscripts
    return tuple(_expression(p) for p in parts)


def _name(text: str) -> str:
    text = re.sub(r"[\s{}\\]", "", text).replace("'", "_prime")
    return re.sub(r"\^.*", "", text)


def _expression(text: str) -> str:
    """A subscript as Python writes it."""
    text = re.sub(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"((\1)/(\2))", text)
    text = re.sub(r"\\(bmod|mod)\b", "%", text)
    text = re.sub(r"\\(lfloor|rfloor|lceil|rceil)\b", " ", text)
    text = re.sub(r"\\(leq?|le)\b|≤", "<=", text)
    text = re.sub(r"\\([A-Za-z]+)", r"\1", text).replace("'", "_prime")
    text = re.sub(r"_\{([^{}]*)\}", r"_\1", text).replace("{", "(").replace("}", ")")
    text = re.sub(r"(\d)\s*([A-Za-z(])", r"\1*\2", text)
    text = re.sub(r"(?<![<>=!])=(?!=)", "==", text)
    text = re.sub(r"\)\s*\(", ")*(", text)
    text = re.sub(r"([A-Za-z_]\w*)\s+([A-Za-z_(])", r"\1*\2", text).strip()
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        raise ParseError(text or "(empty)", 1, expected="a subscript such as s*o + t - p") from None
    return ast.unparse(tree)
