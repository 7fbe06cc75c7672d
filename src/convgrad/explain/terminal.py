"""An explanation on the terminal."""

from __future__ import annotations

from textwrap import fill, indent, wrap
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from convgrad.explain.document import (
    Code,
    Formula,
    Gallery,
    Heading,
    Listing,
    Paragraph,
    Step,
    Table,
)
from convgrad.notation.unicode import unicode

if TYPE_CHECKING:
    from convgrad.explain.document import Block, Document
    from convgrad.notation.layout import Layout

INDENT = "    "
WIDEST = 100
"""Columns of running text, on however wide a terminal."""


def show(document: Document, console: Console | None = None) -> None:
    """Print an explanation; in colour only where the output is a terminal."""
    console = console or Console(highlight=False)
    for block in document.blocks:
        console.print(_block(block, console.width), soft_wrap=True)
        if not isinstance(block, Heading):
            console.print()


def text(document: Document, width: int = 100) -> str:
    """An explanation as plain text."""
    console = Console(width=width, color_system=None, highlight=False, force_terminal=False)
    with console.capture() as capture:
        show(document, console)
    return capture.get()


def _block(block: Block, width: int) -> Text:
    match block:
        case Heading(title, level):
            return _heading(title, level, width)
        case Paragraph(words):
            return Text(fill(words, min(width, WIDEST)))
        case Formula(layout, label, ranges):
            shown = Text(f"{INDENT}{label}\n" if label else "", style="dim")
            shown.append(_formula(layout, width), style="not dim")
            if ranges is not None:
                shown.append("\n" + _indented(f"for {unicode(ranges)}", width))
            return shown
        case Step(layout, rule, why):
            reason = _indented(f"{rule}: {why}", width)
            shown = Text(_formula(layout, width) + "\n")
            shown.append(reason[: len(INDENT + rule)], style="cyan")
            return shown.append(reason[len(INDENT + rule) :], style="dim")
        case Table():
            return _table(block)
        case Code(source, label):
            shown = Text(f"# {label}\n" if label else "", style="dim")
            return shown.append(source, style="not dim")
        case Gallery(pictures):
            return Text("\n".join(f"{INDENT}[picture: {p.caption}]" for p in pictures), style="dim")
        case Listing(lines):
            return Text("\n".join(INDENT + line for line in lines))


def _heading(title: str, level: int, width: int) -> Text:
    lines = wrap(title, min(width, WIDEST))
    rule = {1: "═", 2: "─"}.get(level, "") * max(map(len, lines))
    shown = "\n".join([*lines, *([rule] if rule else [])])
    return Text(shown, style="bold" if level == 1 else "bold cyan")


def _table(table: Table) -> Text:
    rows = [table.headings, *table.rows] if any(table.headings) else list(table.rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        (INDENT + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]
    shown = Text()
    if any(table.headings):
        shown.append(lines.pop(0) + "\n", style="dim")
    return shown.append("\n".join(lines))


def _indented(words: str, width: int) -> str:
    return fill(words, width, initial_indent=INDENT, subsequent_indent=INDENT * 2)


def _formula(layout: Layout, width: int) -> str:
    return indent(unicode(layout, max(40, width - len(INDENT))), INDENT)
