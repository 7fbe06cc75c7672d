"""An explanation as LaTeX: a whole document that needs amsmath and geometry only."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from convgrad.notation.latex import latex

if TYPE_CHECKING:
    from convgrad.explain.document import Block, Document

PREAMBLE = r"""\documentclass{article}
\usepackage[a4paper,margin=25mm]{geometry}
\usepackage{amsmath}
\setlength{\parindent}{0pt}\setlength{\parskip}{6pt}
\begin{document}
"""

_ESCAPED = {
    "\\": r"\textbackslash{}",
    "_": r"\_",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "^": r"\^{}",
    "~": r"\~{}",
    "×": r"$\times$",
    "≤": r"$\le$",
    "∣": r"$\mid$",
    "−": "$-$",
    "<": "$<$",
    ">": "$>$",
}


def tex(document: Document) -> str:
    """The whole TeX file."""
    body = "\n\n".join(_block(block) for block in document.blocks)
    return f"{PREAMBLE}{body}\n\\end{{document}}\n"


def _block(block: Block) -> str:
    match block:
        case Heading(text, level):
            command = {1: "section*", 2: "subsection*"}.get(level, "subsubsection*")
            return rf"\{command}{{{_text(text)}}}"
        case Paragraph(text):
            return _text(text)
        case Formula(layout, label, ranges):
            above = f"{_text(label)}\n" if label else ""
            below = rf" \\ &{latex(ranges)}" if ranges is not None else ""
            return f"{above}\\begin{{align*}}\n&{latex(layout)}{below}\n\\end{{align*}}"
        case Step(layout, rule, why):
            return (
                f"\\begin{{align*}}\n&{latex(layout)}\n\\end{{align*}}\n"
                rf"\emph{{{_text(rule)}.}} {_text(why)}"
            )
        case Table():
            return _table(block)
        case Code(text, label):
            heading = rf"\subsubsection*{{{_text(label)}}}" + "\n" if label else ""
            return f"{heading}{{\\small\\begin{{verbatim}}\n{text}\n\\end{{verbatim}}}}"
        case Gallery(pictures):
            return "\n\n".join(rf"[{_text(picture.caption)}]" for picture in pictures)
        case Listing(lines):
            text = "\n".join(lines)
            return f"{{\\small\\begin{{verbatim}}\n{text}\n\\end{{verbatim}}}}"


def _table(table: Table) -> str:
    rows = [table.headings, *table.rows] if any(table.headings) else list(table.rows)
    lines = [" & ".join(map(_text, row)) + r" \\" for row in rows]
    columns = "l" * len(table.headings)
    return f"\\begin{{tabular}}{{{columns}}}\n" + "\n".join(lines) + "\n\\end{tabular}"


def _text(text: str) -> str:
    return "".join(_ESCAPED.get(character, character) for character in text)
