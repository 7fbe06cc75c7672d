"""An explanation as one self-contained page: MathML with its font, no script, prints well."""

from __future__ import annotations

import base64
from html import escape
from importlib.resources import files
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
from convgrad.notation.mathml import mathml

if TYPE_CHECKING:
    from convgrad.explain.document import Block, Document, Picture

STYLE = """
@font-face { font-family: "Math"; src: url(data:font/woff2;base64,FONT) format("woff2"); }
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #d8dde4;
  --paper: #fff; --shade: #f5f7f9; --mark: #0b6b8f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --soft: #9aa6b5; --line: #36404c;
  --paper: #14181e; --shade: #1c222a; --mark: #6cc4e4; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 5rem; max-width: 54rem; background: var(--paper);
  color: var(--ink); font: 17px/1.55 Charter, "Bitstream Charter", Cambria, Georgia, serif; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 1.25rem; text-wrap: balance; }
h2 { font-size: 1.2rem; margin: 2.75rem 0 .75rem; padding-top: .75rem;
  border-top: 1px solid var(--line); color: var(--mark); }
h3 { font-size: 1rem; margin: 1.75rem 0 .5rem; }
p { margin: .6rem 0; max-width: 42rem; }
math { font-family: "Math", math; font-size: 1.1rem; }
math[display="block"] { text-align: left; margin: 0; width: max-content; }
.limits { font-size: .72em; } .limits mtd { padding: .1em 0; }
figure { margin: 1rem 0; padding: .9rem 1.1rem; background: var(--shade); border-radius: 6px;
  overflow-x: auto; break-inside: avoid; }
figcaption { color: var(--soft); font-size: .85rem; margin-bottom: .35rem; }
.ranges { margin-top: .55rem; color: var(--soft); }
.ranges math { font-size: .9rem; }
.why { margin-top: .5rem; font-size: .92rem; color: var(--soft); }
.why b { color: var(--mark); font-weight: 600; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.2rem, 1fr));
  gap: .75rem; margin: 1rem 0; }
.gallery.crisp { grid-template-columns: repeat(auto-fill, minmax(4.1rem, 1fr)); }
.picture { margin: 0; padding: 0; background: none; }
.picture img { display: block; width: 100%; height: auto; border-radius: 3px; }
.crisp img { image-rendering: pixelated; }
.picture figcaption { margin: .3rem 0 0; line-height: 1.3; }
.single { margin: 1rem 0; }
table { border-collapse: collapse; margin: 1rem 0; font-size: .95rem; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: .85rem; }
th, td { padding: .28rem 1.4rem .28rem 0; border-bottom: 1px solid var(--line);
  font-variant-numeric: tabular-nums; vertical-align: top; }
pre { margin: 1rem 0; padding: .9rem 1.1rem; background: var(--shade); border-radius: 6px;
  overflow-x: auto; font: 13.5px/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
@media print { body { max-width: none; padding: 0; font-size: 10.5pt; }
  :root { --paper: #fff; --ink: #000; --shade: #fff; --soft: #444; --line: #bbb; --mark: #000; }
  figure, pre { border: 1px solid #bbb; } pre { white-space: pre-wrap; font-size: 8.5pt; } }
"""


def page(document: Document) -> str:
    """The whole page."""
    body = "\n".join(_block(block) for block in document.blocks)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(document.title)}</title>\n<style>{_style()}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def fragment(document: Document) -> str:
    """The blocks without a page around them, for notebooks."""
    return "\n".join(_block(block) for block in document.blocks)


def _style() -> str:
    font = files("convgrad.explain") / "fonts" / "stix-two-math-subset.woff2"
    return STYLE.replace("FONT", base64.b64encode(font.read_bytes()).decode("ascii"))


def _block(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Paragraph(text):
            return f"<p>{escape(text)}</p>"
        case Formula(layout, label, ranges):
            caption = f"<figcaption>{escape(label)}</figcaption>" if label else ""
            inside = mathml(ranges) if ranges is not None else ""
            below = f'<div class="ranges">{inside}</div>' if inside else ""
            return f"<figure>{caption}{mathml(layout)}{below}</figure>"
        case Step(layout, rule, why):
            reason = f'<div class="why"><b>{escape(rule)}.</b> {escape(why)}</div>'
            return f"<figure>{mathml(layout)}{reason}</figure>"
        case Table():
            return _table(block)
        case Code(text, label):
            caption = f"<h3>{escape(label)}</h3>" if label else ""
            return f"{caption}<pre><code>{escape(text)}</code></pre>"
        case Gallery(pictures, crisp):
            kind = "gallery crisp" if crisp else "gallery" if len(pictures) > 1 else "single"
            return f'<div class="{kind}">{"".join(map(_picture, pictures))}</div>'
        case Listing(lines):
            return f"<pre>{escape(chr(10).join(lines))}</pre>"


def _picture(picture: Picture) -> str:
    data = base64.b64encode(picture.png).decode("ascii")
    caption = escape(picture.caption)
    image = f'<img src="data:image/png;base64,{data}" alt="{caption}">'
    return f'<figure class="picture">{image}<figcaption>{caption}</figcaption></figure>'


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in table.headings)
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table.rows
    )
    top = f"<thead><tr>{head}</tr></thead>" if any(table.headings) else ""
    return f"<table>{top}<tbody>{rows}</tbody></table>"
