"""The words and signs that an equation in index notation is made of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from convgrad.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+)|(?P<name>[^\W\d]\w*'*(?:\^\w+(?:[+-]\d+)?)?)"
    r"|(?P<sign>\+=!|\+=|:=|\.\.|<=|>=|==|//|[\[\]()=+\-*/%<>,·×−≤≥∑Σ]))"
)
_SAME = {
    "·": "*", "×": "*", "−": "-", "≤": "<=", "≥": ">=", "∑": "sum", "Σ": "sum",
    "+=!": "+=", ":=": "=",
}  # fmt: skip
WORDS = frozenset({"sum", "if", "for", "with", "rot180", "floor", "ceil"})
COMPARISONS = ("==", "=", "<=", "<", ">=", ">")


@dataclass(frozen=True)
class Token:
    """A number, a name, a sign or the end, with the column where it stands."""

    kind: str
    text: str
    column: int


def tokens(text: str) -> Iterator[Token]:
    """The tokens of an equation in index notation.

    Raises: ParseError: at a sign that has no place in an equation.
    """
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
        yield Token("name" if found == "sum" else kind, found, match.start(kind) + 1)
        place = match.end()
    yield Token("end", "", len(text.rstrip()) + 1)
