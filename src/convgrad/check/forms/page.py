"""The report as one page that needs nothing else, with the wrong entries drawn."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from convgrad.check.forms.words import MARKS, numbers, summary
from convgrad.check.nest import PASSES
from convgrad.check.report import BAD, EQUATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convgrad.check.nest import Array
    from convgrad.check.report import Counterexample, FileReport, PassReport

STYLE = """
:root { color-scheme: light dark; --good: #1a7f37; --bad: #c62828; --mild: #0969da; }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #ff7b72; --mild: #58a6ff; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; overflow-wrap: anywhere; } table { border-collapse: collapse; }
td, th { padding: .2rem .7rem; text-align: left; border-bottom: 1px solid #8884; }
.right { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
.mild { color: var(--mild); } .none { opacity: .6; }
.mistake { border-left: 4px solid var(--bad); padding: .2rem 1rem; margin: 1rem 0; }
pre { overflow-x: auto; padding: .6rem; border: 1px solid #8884; font-size: .85rem; }
svg { max-width: 100%; height: auto; } figure { margin: 1rem 0; } .scroll { overflow-x: auto; }
code { font-family: ui-monospace, monospace; }
"""


def write_page(reports: Sequence[FileReport]) -> str:
    """The reports as HTML."""
    counts = ", ".join(f"{n} {escape(word)}" for word, n in summary(reports).items())
    sections = "\n".join(_file(r) for r in reports)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>convgrad check</title><style>{STYLE}</style></head><body>"
        f"<main><h1>Backward passes, checked</h1><p>{counts}</p>{sections}</main></body></html>\n"
    )


def _file(report: FileReport) -> str:
    error = f'<p class="bad">{escape(report.error)}</p>' if report.error else ""
    passes = "".join(_pass(p) for p in report.passes)
    return f"<section><h2>{escape(report.path)}</h2>{error}{passes}</section>"


def _class(verdict: str) -> str:
    if verdict in BAD:
        return "bad"
    return {"right": "right", "right up to a convention": "mild"}.get(verdict, "none")


def _pass(report: PassReport) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(feature)}</th>'
        + "".join(_cell(passes.get(p, "not computed")) for p in PASSES)
        + "</tr>"
        for feature, passes in report.features.items()
    )
    whole = "".join(_cell(report.verdicts.get(p, "not computed"), words=True) for p in PASSES)
    heads = "".join(f'<th scope="col">{p}</th>' for p in PASSES)
    table = (
        f'<div class="scroll"><table><thead><tr><th scope="col">feature</th>{heads}</tr></thead>'
        f'<tbody><tr><th scope="row">verdict</th>{whole}</tr>{rows}</tbody></table></div>'
    )
    mistakes = "".join(
        f'<div class="mistake"><p><strong>{escape(m.gradient)}: {escape(m.name)}</strong>'
        f" {escape(m.place)}<br>{escape(m.sentence)}<br><em>{escape(m.remedy)}</em><br>"
        f"term: <code>{escape(m.term)}</code></p></div>"
        for m in report.mistakes
    )
    equations = "".join(
        f"<p>right: <code>{escape(EQUATIONS[p])}</code></p>"
        for p in PASSES
        if report.verdicts.get(p) in BAD
    )
    conventions = "".join(
        f'<tr><th scope="row">{escape(k)}</th><td><code>{escape(v)}</code></td></tr>'
        for k, v in report.conventions.items()
    )
    example = _example(report.counterexample) if report.counterexample else ""
    failure = f'<p class="bad">{escape(report.failure)}</p>' if report.failure else ""
    notes = "".join(f"<li>{escape(n)}</li>" for n in report.notes)
    return (
        f"<h3>{escape(report.name)}</h3>{table}{mistakes}{equations}{failure}{example}"
        f'<details><summary>how it was understood</summary><div class="scroll"><table>{conventions}'
        f"</table></div><ul>{notes}</ul></details>"
    )


def _cell(verdict: str, *, words: bool = False) -> str:
    text = f"{MARKS[verdict]} {verdict}" if words else MARKS[verdict]
    return f'<td class="{_class(verdict)}" title="{escape(verdict)}">{escape(text)}</td>'


def _example(example: Counterexample) -> str:
    parts = "".join(
        f"{name} = {numbers(a, 60)}\n" for name, a in example.arrays.items() if name != "b"
    )
    expected = f"{example.gradient} should be\n{numbers(example.expected, 60)}\n"
    if example.actual is None:
        actual = f"but the code ends with {example.failure}\n"
    else:
        actual = f"but is\n{numbers(example.actual, 60)}\n"
    picture = ""
    if example.actual is not None and example.actual.shape == example.expected.shape:
        picture = draw_difference(example.expected, example.actual, example.gradient)
    return (
        f"<h4>Smallest layer that shows it: {escape(example.layer)}</h4>{picture}"
        f"<pre>{escape(parts + expected + actual)}</pre>"
    )


def draw_difference(expected: Array, actual: Array, name: str) -> str:
    """The gradient as a picture: one square per entry, red where it is wrong."""
    planes = expected.reshape(-1, *_last_two(expected.shape))[:24]
    found = actual.reshape(-1, *_last_two(expected.shape))[:24]
    wrong = ~np.isclose(planes, found, rtol=1e-9, atol=1e-9)
    count, rows, columns = planes.shape
    side = max(6, min(34, 720 // max(1, columns * min(count, 4))))
    across = min(count, 4)
    width = across * (columns * side + 14)
    height = -(-count // across) * (rows * side + 14)
    squares: list[str] = []
    for plane in range(count):
        left = (plane % across) * (columns * side + 14)
        top = (plane // across) * (rows * side + 14)
        for i in range(rows):
            for j in range(columns):
                bad = bool(wrong[plane, i, j])
                words = (
                    f"{found[plane, i, j]:g} instead of {planes[plane, i, j]:g}"
                    if bad
                    else f"{planes[plane, i, j]:g}"
                )
                color = "#c62828" if bad else "#1a7f37"
                squares.append(
                    f'<rect x="{left + j * side}" y="{top + i * side}" width="{side - 1}" height="{side - 1}"'  # noqa: E501
                    f' fill="{color}" fill-opacity="{0.85 if bad else 0.25}"><title>{escape(words)}</title></rect>'  # noqa: E501
                )
                if side >= 22:
                    text = f"{found[plane, i, j]:g}"
                    if len(text) <= 5:
                        squares.append(
                            f'<text x="{left + j * side + side / 2}" y="{top + i * side + side / 2 + 4}" font-size="10"'  # noqa: E501
                            f' text-anchor="middle" fill="{"#fff" if bad else "currentColor"}">{escape(text)}</text>'  # noqa: E501
                        )
    total = int(wrong.sum())
    label = f"{name}: {total} of {wrong.size} entries are wrong"
    return (
        f'<figure><svg role="img" aria-label="{escape(label)}" viewBox="0 0 {width} {height}" width="{width}"'  # noqa: E501
        f' height="{height}">{"".join(squares)}</svg><figcaption>{escape(label)} (red)</figcaption></figure>'  # noqa: E501
    )


def _last_two(shape: tuple[int, ...]) -> tuple[int, int]:
    return (shape[-2], shape[-1]) if len(shape) >= 2 else (1, shape[0] if shape else 1)
