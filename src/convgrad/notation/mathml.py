"""A formula as MathML Core, the part that browsers draw."""

from __future__ import annotations

from html import escape

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


def mathml(layout: Layout, *, block: bool = True) -> str:
    """A formula as one `<math>` element.

    >>> from convgrad.notation.layout import Number, Script, Symbol
    >>> print(mathml(Script(Symbol("x"), Number("2")), block=False))
    <math><msub><mi>x</mi><mn>2</mn></msub></math>
    """
    display = ' display="block"' if block else ""
    return f"<math{display}>{_element(layout)}</math>"


def _element(layout: Layout) -> str:
    match layout:
        case Symbol(text, upright):
            variant = ' mathvariant="normal"' if upright and len(text) == 1 else ""
            return f"<mi{variant}>{escape(text)}</mi>"
        case Number(text):
            return f"<mn>{escape(text)}</mn>"
        case Sign(text, tight):
            space = ' lspace="0" rspace="0"' if tight and text != "," else ""
            after = "0.167em" if tight else "0.7em"
            space = f' separator="true" lspace="0" rspace="{after}"' if text == "," else space
            return f"<mo{space}>{escape(text)}</mo>"
        case Words(text):
            return f"<mtext>{escape(text)}</mtext>"
        case Gap():
            return '<mspace width="0.167em"/>'
        case Row(parts):
            return _row(parts)
        case Script(base, sub, sup):
            return _script(base, sub, sup)
        case Fraction(top, bottom):
            return f"<mfrac>{_element(top)}{_element(bottom)}</mfrac>"
        case Fence(inner, large, square):
            pair = "[]" if square else "()"
            stretch = "true" if large else "false"
            left, right = (
                f'<mo stretchy="{stretch}" form="{form}">{sign}</mo>'
                for form, sign in zip(("prefix", "postfix"), pair, strict=True)
            )
            return f"<mrow>{left}{_element(inner)}{right}</mrow>"
        case Sum(limits):
            sign = '<mo largeop="true" movablelimits="false">∑</mo>'
            return f"<munder>{sign}{_stack(limits)}</munder>"


def _row(parts: tuple[Layout, ...]) -> str:
    shown: list[str] = []
    for before, part in zip((None, *parts), parts, strict=False):
        if isinstance(before, Number | Symbol | Script) and isinstance(part, Symbol | Script):
            shown.append("<mo>&#x2062;</mo>")  # invisible times: 2i is a product
        shown.append(_element(part))
    return f"<mrow>{''.join(shown)}</mrow>"


def _script(base: Layout, sub: Layout | None, sup: Layout | None) -> str:
    if sub is not None and sup is not None:
        return f"<msubsup>{_element(base)}{_element(sub)}{_element(sup)}</msubsup>"
    if sub is not None:
        return f"<msub>{_element(base)}{_element(sub)}</msub>"
    if sup is not None:
        return f"<msup>{_element(base)}{_element(sup)}</msup>"
    return _element(base)


def _stack(limits: tuple[Layout, ...]) -> str:
    if len(limits) == 1:
        return _element(limits[0])
    rows = "".join(f"<mtr><mtd>{_element(limit)}</mtd></mtr>" for limit in limits)
    return f'<mtable class="limits">{rows}</mtable>'
