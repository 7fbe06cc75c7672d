"""The report as one page that needs nothing else, with the wrong entries drawn."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from convgrad.check.forms.picture import draw_difference
from convgrad.check.forms.words import (
    MARKS,
    counted,
    derived,
    difference,
    numbers,
    short_paths,
    summary,
    titled,
    together,
)
from convgrad.check.nest import PASSES
from convgrad.check.report import BAD

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from convgrad.algebra.expression import Equation
    from convgrad.check.nest import Pass
    from convgrad.check.report import (
        Counterexample,
        FileReport,
        FoundMistake,
        PassReport,
        Verdict,
    )

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
figure { margin: 1rem 0; } .scroll { overflow-x: auto; }
figcaption { font-size: .9rem; opacity: .8; }
code { font-family: ui-monospace, monospace; } math { font-size: 1.1rem; margin: .3rem 0; }
math[display="block"] { width: fit-content; margin-left: 0; }
.formula { overflow-x: auto; padding: .2rem 0; }
.label { font-size: .85rem; opacity: .75; margin: .6rem 0 0; }
.planes { display: flex; flex-wrap: wrap; gap: 1rem; } .plane { max-width: 100%; }
.plane p { margin: 0 0 .2rem 22px; font-size: .85rem; font-style: italic; }
.plane svg { max-width: 100%; height: auto; } .plane text { font: 12px system-ui, sans-serif;
  text-anchor: middle; fill: currentColor; font-variant-numeric: tabular-nums; }
.plane .edge { font-size: 10px; opacity: .6; } .fine rect { fill: var(--good); fill-opacity: .16; }
.wrong rect { fill: var(--bad); fill-opacity: .22; stroke: var(--bad); stroke-width: 2; }
.wrong path { stroke: var(--bad); stroke-width: 1; opacity: .5; } .wrong text { font-weight: 700; }
.wrong .want { font-weight: 400; fill: var(--good); }
.legend { columns: 2 14rem; font-size: .9rem; padding-left: 1.2rem; }
@media (max-width: 40rem) { td, th { padding: .2rem .3rem; font-size: .9rem; } }
"""

LEGEND = (
    "<h2>Letters</h2><ul class='legend'><li>n sample, c channel, k filter (c and k count inside a"
    " group)</li><li>i input position, o output position, t tap of the kernel</li><li>s stride,"
    " d dilation, p padding before the axis</li><li>I, O, T: how many inputs, outputs, taps</li>"
    "<li>x input, w weights, b bias, z output; dz is ∂J/∂z, and so on</li></ul>"
)


def write_page(reports: Sequence[FileReport]) -> str:
    """The reports as HTML."""
    counts = escape(counted(summary(reports)))
    sections = "\n".join(_file(n, r) for n, r in enumerate(reports))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>convgrad check</title><style>{STYLE}</style></head><body>"
        f"<main><h1>Backward passes, checked</h1><p>{counts}</p>{_contents(reports)}{sections}"
        f"{LEGEND}</main></body></html>\n"
    )


def _contents(reports: Sequence[FileReport]) -> str:
    """A table of all passes where there are several, each row a link."""
    names = short_paths([report.path for report in reports])
    rows = [
        _row(n, names[n], checked.name, checked.verdicts, (m.name for m in checked.mistakes))
        for n, report in enumerate(reports)
        for checked in report.passes
    ]
    rows += [
        _row(n, names[n], "–", {}, report.error.splitlines()[:1])
        for n, report in enumerate(reports)
        if report.error
    ]
    if len(rows) < 2:
        return ""
    body = "".join(rows)
    heads = "".join(
        f'<th scope="col">{word}</th>' for word in ("file", "pass", *PASSES, "mistakes")
    )
    return (
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
        "</div>"
    )


def _row(
    number: int, name: str, checked: str, verdicts: Mapping[Pass, Verdict], wrong: Iterable[str]
) -> str:
    """A line of the contents; without verdicts where the file could not be read."""
    cells = [_cell(verdicts.get(p, "not computed")) if verdicts else "<td></td>" for p in PASSES]
    return (
        f'<tr><td><a href="#file-{number}">{escape(name)}</a></td><td>{escape(checked)}</td>'
        f"{''.join(cells)}<td>{escape(', '.join(dict.fromkeys(wrong)))}</td></tr>"
    )


def _file(number: int, report: FileReport) -> str:
    error = f'<pre class="bad">{escape(report.error)}</pre>' if report.error else ""
    passes = "".join(_pass(p) for p in report.passes)
    heading = f'<h2 id="file-{number}">{escape(report.path)}</h2>'
    return f"<section>{heading}{error}{passes}</section>"


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
    mistakes = "".join(map(_mistake, together(report.mistakes)))
    numbers_came = any(v in {"wrong", "unexplained"} for v in report.verdicts.values())
    equations = "".join(
        _formula(f"{p} as it is derived", derived(report, p))
        for p in PASSES
        if report.verdicts.get(p) in BAD and numbers_came
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


def _mistake(same: Sequence[FoundMistake]) -> str:
    """One mistake, in all the gradients in which it was found."""
    mistake = same[0]
    term = f"<br>term of the equation: <code>{escape(mistake.term)}</code>" if mistake.term else ""
    wrong = "".join(
        _formula(f"for {m.gradient} the code computes", equation)
        for m in same
        if (equation := m.computed) is not None
    )
    code = "".join(f"<pre>{escape(c)}</pre>" for c in dict.fromkeys(m.code for m in same) if c)
    gradients = ", ".join(dict.fromkeys(m.gradient for m in same))
    places = ", ".join(dict.fromkeys(m.place for m in same if m.place))
    return (
        f'<div class="mistake"><p><strong>{escape(gradients)}: {escape(titled(same))}</strong>'
        f" {escape(places)}</p>{code}<p>{escape(mistake.sentence)}<br>"
        f"<em>{escape(mistake.remedy)}</em>{term}</p>{wrong}</div>"
    )


def _formula(label: str, equation: Equation) -> str:
    """An equation with the conditions below its sum, as a formula."""
    from convgrad.notation.compose import compose
    from convgrad.notation.mathml import mathml

    formula = mathml(compose(equation))
    return f'<p class="label">{escape(label)}</p><div class="formula">{formula}</div>'


def _cell(verdict: str, *, words: bool = False) -> str:
    text = f"{MARKS[verdict]} {verdict}" if words else MARKS[verdict]
    return f'<td class="{_class(verdict)}" title="{escape(verdict)}">{escape(text)}</td>'


def _example(example: Counterexample) -> str:
    parts = "".join(
        f"{name} = {numbers(a, 60)}\n" for name, a in example.arrays.items() if name != "b"
    )
    expected = f"{example.gradient} should be\n{numbers(example.expected, 60)}\n"
    actual = f"{difference(example)}\n"
    if example.actual is not None and example.actual.shape == example.expected.shape:
        actual = f"but is\n{numbers(example.actual, 60)}\n"
    picture = ""
    if example.actual is not None and example.actual.shape == example.expected.shape:
        picture = draw_difference(example.expected, example.actual, example.gradient)
    return (
        f"<h4>Smallest layer that shows it: {escape(example.layer)}</h4>{picture}"
        f"<pre>{escape(parts + expected + actual)}</pre>"
    )
