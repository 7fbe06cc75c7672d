"""A formula on the terminal: boxes of characters side by side, limits below the sum.

dx[n,c,i] =      ∑      dz[n,k,(i − t + 1)/2] · w[k,c,t]
k,t
2 ∣ i − t + 1
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

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
    Words,
)


@dataclass(frozen=True)
class Box:
    """Lines of equal width; `base` is the number of the line that stands on the text line."""

    lines: tuple[str, ...]
    base: int = 0

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.lines[0])

    def beside(self, other: Box) -> Box:
        """The two boxes on one text line."""
        above = max(self.base, other.base)
        below = max(len(self.lines) - self.base, len(other.lines) - other.base)
        left, right = self.padded(above, below), other.padded(above, below)
        return Box(tuple(a + b for a, b in zip(left, right, strict=True)), above)

    def padded(self, above: int, below: int) -> list[str]:
        """The lines with empty ones around them so that the text line is number `above`."""
        empty = " " * self.width
        head = [empty] * (above - self.base)
        tail = [empty] * (below - (len(self.lines) - self.base))
        return [*head, *self.lines, *tail]


def unicode(layout: Layout, width: int = 0) -> str:
    """A formula as lines of text.

    The conditions of the only conditioned sum stand in lines of their own after `where`.

    Args:
        layout: the formula.
        width: where the formula should break into several lines; 0 for nowhere.

    >>> from convgrad.algebra import parse
    >>> from convgrad.notation.compose import compose
    >>> print(unicode(compose(parse("y[i] = b[i] + sum(k) x[i,k] * x[i,k+1] with x[I,9]"))))
    y[i] = b[i] + ∑ x[i,k] · x[i,k + 1]
                  k
        where 0 ≤ k + 1 < 9
    """
    layout, conditions = _hoisted(layout)
    lines = _broken(_pieces(layout), width)
    if conditions:
        shown = [_box(condition).lines[0] for condition in conditions]
        commas = [f"{text}," for text in shown[:-1]] + shown[-1:]
        boxes = [_text(text) for text in commas]
        first, *rest = _broken(boxes, width - len(WHERE) if width else 0, indent=0)
        lines += [WHERE + first, *(" " * len(WHERE) + line for line in rest)]
    return "\n".join(lines)


WHERE = "    where "


def _hoisted(layout: Layout) -> tuple[Layout, tuple[Layout, ...]]:
    """The formula without the conditions below its sum, and these; all left where it has two."""
    if not isinstance(layout, Row):
        return layout, ()
    sums = [part for part in layout.parts if isinstance(part, Sum) and len(part.limits) > 1]
    if len(sums) != 1:
        return layout, ()
    (only,) = sums
    parts = (Sum(only.limits[:1]) if part is only else part for part in layout.parts)
    return Row(tuple(parts)), only.limits[1:]


def _broken(pieces: list[Box], width: int, *, indent: int = 4) -> list[str]:
    """Boxes side by side, broken into several rows where they are too wide."""
    rows: list[Box] = []
    now = pieces[0]
    for piece in pieces[1:]:
        if width and now.width + piece.width + 1 > width:
            rows.append(now)
            now = _text(" " * indent).beside(piece) if indent else piece
        else:
            now = _spaced(now, piece)
    rows.append(now)
    return [line.rstrip() for box in rows for line in box.lines]


def _spaced(left: Box, right: Box) -> Box:
    """Two boxes with one column between them, unless a sign has brought its own."""
    apart = left.lines[left.base].endswith(" ") or right.lines[right.base].startswith(" ")
    return left.beside(right) if apart else left.beside(_text(" ")).beside(right)


def _pieces(layout: Layout) -> list[Box]:
    """The boxes between the gaps of a row."""
    if not isinstance(layout, Row):
        return [_box(layout)]
    groups: list[list[Layout]] = [[]]
    for part in layout.parts:
        if isinstance(part, Gap):
            groups.append([])
        else:
            groups[-1].append(part)
    return [_box(Row(tuple(group))) for group in groups if group]


def _box(layout: Layout) -> Box:
    match layout:
        case Symbol(text) | Number(text) | Words(text):
            return _text(text)
        case Sign(text, tight):
            loose = ", " if text == "," else f" {text} "
            return _text(text if tight else loose)
        case Gap():
            return _text(" ")
        case Row(parts):
            return _beside(parts)
        case Script():
            return _script(layout)
        case Fraction(top, bottom):
            return _fraction(_box(top), _box(bottom))
        case Fence(inner, _, square):
            left, right = "[]" if square else "()"
            return _text(left).beside(_box(inner)).beside(_text(right))
        case Sum(limits):
            below = [line for limit in limits for line in _box(limit).lines]
            wide = max(map(len, below))
            return Box(tuple(line.center(wide) for line in ("∑", *below))).beside(_text(" "))


def _beside(parts: tuple[Layout, ...]) -> Box:
    box = _box(parts[0]) if parts else _text("")
    for before, part in pairwise(parts):
        box = box.beside(_text(_between(before, part))).beside(_box(part))
    return box


def _between(before: Layout, part: Layout) -> str:
    """What keeps two factors from running together: `2·i`, `d·t`; nothing where none could."""
    factors = (Symbol, Script, Fence)
    if isinstance(before, Symbol) and (before.upright or before.text == "∂"):
        return ""
    return "·" if isinstance(before, (*factors, Number)) and isinstance(part, factors) else ""


def _script(script: Script) -> Box:
    """An element as `x[n,c,i]`; the name of an index or a size run together, as in `ih`."""
    base = _box(script.base)
    if script.sup is not None:
        raised = "".join(_flat(script.sup).split())
        base = base.beside(_text(raised if set(raised) == {"′"} else f"^{raised}"))
    if script.sub is None:
        return base
    if isinstance(script.sub, Symbol | Number):
        size = isinstance(script.sub, Symbol) and script.sub.upright
        suffix = _text(f"_{script.sub.text}" if size else script.sub.text)
        primes = script.sup
        name = _box(script.base).beside(suffix)
        return name.beside(_box(primes)) if primes is not None else name
    inside = _box(script.sub)
    return base.beside(_text("[")).beside(inside).beside(_text("]"))


def _fraction(top: Box, bottom: Box) -> Box:
    if len(top.lines) == 1 and len(bottom.lines) == 1 and max(top.width, bottom.width) <= 1:
        return top.beside(_text("/")).beside(bottom)
    wide = max(top.width, bottom.width)
    lines = [*(line.center(wide) for line in top.lines), "─" * wide]
    base = len(lines) - 1
    return Box((*lines, *(line.center(wide) for line in bottom.lines)), base)


def _flat(layout: Layout) -> str:
    return _box(layout).lines[0]


def _text(text: str) -> Box:
    return Box((text,))
