r"""A formula as LaTeX, for amsmath (`\substack`)."""

from __future__ import annotations

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

_SIGNS = {
    "·": r"\cdot",
    "−": "-",
    "∣": r"\mid",
    "≤": r"\le",
    "≥": r"\ge",
    "∈": r"\in",
    "′": "'",
    "→": r"\to",
}
_SYMBOLS = {"δ": r"\delta", "∂": r"\partial"}


def latex(layout: Layout) -> str:
    r"""LaTeX for a formula, without the dollar signs.

    >>> from convgrad.algebra import parse
    >>> from convgrad.notation.compose import compose
    >>> print(latex(compose(parse("z[i] = sum(t) x[2*i+t] * w[t] for i < 3, t < 2"))))
    z_{i} = \sum_{\substack{t \\ 0 \le 2i + t < X_{0}}} x_{2i + t} \cdot w_{t}
    """
    match layout:
        case Symbol(text, upright):
            found = _SYMBOLS.get(text, text)
            return rf"\mathrm{{{found}}}" if upright else found
        case Number(text):
            return text
        case Sign(text, tight):
            found = "'" * len(text) if text.startswith("′") else _SIGNS.get(text, text)
            if text == ",":
                return "," if tight else r",\; "
            return found if tight else f" {found} "
        case Words(text):
            return rf"\text{{{text}}}"
        case Gap():
            return " "
        case Row(parts):
            return _row(parts)
        case Script(base, sub, sup):
            shown = latex(base)
            shown += _raised(sup) if sup else ""
            return shown + (f"_{{{latex(sub).strip()}}}" if sub else "")
        case Fraction(top, bottom):
            return rf"\frac{{{latex(top).strip()}}}{{{latex(bottom).strip()}}}"
        case Fence(inner, large, square):
            left, right = "[]" if square else "()"
            left, right = (rf"\Big{left} ", rf" \Big{right}") if large else (left, right)
            return f"{left}{latex(inner).strip()}{right}"
        case Sum(limits):
            lines = [latex(limit).strip() for limit in limits]
            if len(lines) == 1:
                return rf"\sum_{{{lines[0]}}} "
            stacked = r" \\ ".join(lines)
            return rf"\sum_{{\substack{{{stacked}}}}} "


def _row(parts: tuple[Layout, ...]) -> str:
    text = ""
    for part in parts:
        piece = latex(part)
        if text and text[-1].isalnum() and piece[:1].isalpha() and _ends_in_command(text):
            text += " "
        text += piece
    return " ".join(text.split())


def _ends_in_command(text: str) -> bool:
    """Whether a letter that follows would be read as part of a command."""
    return text[text.rfind("\\") :][1:].isalpha() if "\\" in text else False


def _raised(sup: Layout) -> str:
    text = latex(sup).strip()
    return text if set(text) == {"'"} else f"^{{{text}}}"
