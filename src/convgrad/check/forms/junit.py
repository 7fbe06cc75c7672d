"""The report as JUnit XML: a test case per pass and gradient, for graders and CI servers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from convgrad.check.forms.words import difference, numbers, short_paths, titled
from convgrad.check.nest import PASSES
from convgrad.check.report import BAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convgrad.check.report import FileReport, FoundMistake, PassReport

COUNTED = ("tests", "failures", "errors", "skipped")


def write_junit(reports: Sequence[FileReport]) -> str:
    """The reports as XML."""
    names = short_paths([report.path for report in reports])
    suites = [_suite(r, name) for r, name in zip(reports, names, strict=True)]
    totals = {kind: sum(suite.counts[kind] for suite in suites) for kind in COUNTED}
    seconds = sum(report.seconds for report in reports)
    body = "\n".join(suite.text for suite in suites)
    head = " ".join(f'{kind}="{number}"' for kind, number in totals.items())
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<testsuites name="convgrad check" {head} time="{seconds:.3f}">\n{body}\n</testsuites>\n'
    )


@dataclass(frozen=True)
class _Suite:
    text: str
    counts: dict[str, int]


def _suite(report: FileReport, name: str) -> _Suite:
    module = name.removesuffix(".py").replace("/", ".")
    each = report.seconds / max(1, len(report.passes))
    cases = [case for p in report.passes for case in _cases(p, report.path, module, each)]
    if report.error:
        first = report.error.splitlines()[0]
        inside = (
            f'<error type="unreadable" message={_attribute(first)}>{_text(report.error)}</error>'
        )
        cases.append(_case(module, "read", report.path, 0, 0, inside))
    counts = {
        "tests": len(cases),
        "failures": sum("<failure" in case for case in cases),
        "errors": sum("<error" in case for case in cases),
        "skipped": sum("<skipped" in case for case in cases),
    }
    numbers = " ".join(f'{kind}="{number}"' for kind, number in counts.items())
    head = f'  <testsuite name={_attribute(report.path)} {numbers} time="{report.seconds:.3f}">'
    return _Suite("\n".join([head, *cases, "  </testsuite>"]), counts)


def _cases(report: PassReport, path: str, module: str, seconds: float) -> list[str]:
    """A case for every gradient; the time of the pass is that of its first."""
    found: list[str] = []
    name = f"{module}.{report.name}"
    for which in PASSES:
        verdict = report.verdicts.get(which, "not computed")
        mistakes = [m for m in report.mistakes if m.gradient == which]
        if verdict == "not computed":
            inside = '<skipped message="not computed"/>'
        elif verdict in BAD or mistakes:
            inside = _failure(report, which, verdict, mistakes)
        else:
            inside = ""
        line = next((m.line for m in mistakes if m.line), report.line)
        spent = 0.0 if found else seconds
        found.append(_case(name, which, path, line, spent, inside))
    for mistake in report.mistakes:
        if mistake.gradient not in PASSES:
            inside = _failure(report, mistake.gradient, mistake.name, [mistake])
            line = mistake.line or report.line
            found.append(_case(name, mistake.gradient, path, line, 0, inside))
    return found


def _failure(report: PassReport, which: str, verdict: str, mistakes: Sequence[FoundMistake]) -> str:
    """The mistake by name as the message; the rest of what a student needs as the text."""
    names = ", ".join(titled([m]) for m in mistakes) or verdict
    lines: list[str] = []
    for m in mistakes:
        lines += [f"{m.place}: {m.code}"] if m.code else []
        lines += [m.sentence, m.remedy]
        lines += [f"computes: {m.computes}"] if m.computes else []
        lines += [f"right:    {m.right}"] if m.right else []
    if not mistakes:
        lines.append(report.failure or "no known mistake gives these numbers")
    example = report.counterexample
    if example is not None and example.gradient == which:
        lines.append(f"smallest layer that shows it: {example.layer}")
        lines.append(f"should be {numbers(example.expected)}")
        lines.append(difference(example))
    text = "\n".join(lines)
    kind = _attribute(verdict.replace(" ", "-"))
    return f"<failure type={kind} message={_attribute(names)}>{_text(text)}</failure>"


def _case(classname: str, name: str, path: str, line: int, seconds: float, inside: str) -> str:
    head = (
        f"    <testcase classname={_attribute(classname)} name={_attribute(name)}"
        f' file={_attribute(path)} line="{line}" time="{seconds:.3f}"'
    )
    return f"{head}>{inside}</testcase>" if inside else f"{head}/>"


def _printable(text: str) -> str:
    """Text without the characters that XML cannot hold: messages come from other people's code."""
    return "".join(
        c
        for c in text
        if c in "\t\n"
        or (ord(c) >= 32 and not 0xD800 <= ord(c) < 0xE000 and ord(c) not in {0xFFFE, 0xFFFF})
    )


def _attribute(text: str) -> str:
    return quoteattr(_printable(text))


def _text(text: str) -> str:
    return escape(_printable(text))
