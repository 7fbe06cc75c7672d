"""The parts of a formula on paper, before it is known whether the paper is TeX, a page or a screen.

formula = row of: symbol, number, sign, words, script, fraction, fence, sum, gap
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Symbol:
    """A letter of mathematics, upright where it is an operator's name."""

    text: str
    upright: bool = False


@dataclass(frozen=True)
class Number:
    """Digits."""

    text: str


@dataclass(frozen=True)
class Sign:
    """An operator, a relation or a comma; `tight` where no space belongs around it."""

    text: str
    tight: bool = False


@dataclass(frozen=True)
class Words:
    """Plain language inside a formula."""

    text: str


@dataclass(frozen=True)
class Gap:
    """A place where a line may break, otherwise a thin space."""


@dataclass(frozen=True)
class Row:
    """Parts one after the other."""

    parts: tuple[Layout, ...]


@dataclass(frozen=True)
class Script:
    """An element of a tensor: a base with subscripts and perhaps a superscript."""

    base: Layout
    sub: Layout | None = None
    sup: Layout | None = None


@dataclass(frozen=True)
class Fraction:
    """One part over another."""

    top: Layout
    bottom: Layout


@dataclass(frozen=True)
class Fence:
    """Brackets around a part; `large` where it holds a sum, square where they are Iverson's."""

    inner: Layout
    large: bool = False
    square: bool = False


@dataclass(frozen=True)
class Sum:
    """A summation sign with lines of limits below it; what is summed follows in the row."""

    limits: tuple[Layout, ...]


Layout = Symbol | Number | Sign | Words | Gap | Row | Script | Fraction | Fence | Sum


def row(*parts: Layout) -> Row:
    """Parts in a row, rows in it opened up."""
    flat: list[Layout] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Row) else (part,))
    return Row(tuple(flat))


def joined(parts: list[Layout], between: Layout) -> Row:
    """Parts in a row with the same part between each two."""
    flat: list[Layout] = []
    for number, part in enumerate(parts):
        if number:
            flat.append(between)
        flat.append(part)
    return row(*flat)
