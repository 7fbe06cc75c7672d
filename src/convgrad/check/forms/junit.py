"""The report as JUnit XML: a test case per pass and gradient, for graders and CI servers."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from convgrad.check.nest import PASSES
from convgrad.check.report import BAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convgrad.check.report import FileReport, PassReport


def write_junit(reports: Sequence[FileReport]) -> str:
    """The reports as XML."""
    suites = [_suite(r) for r in reports]
    body = "\n".join(suites)
    return f'<?xml version="1.0" encoding="utf-8"?>\n<testsuites name="convgrad check">\n{body}\n</testsuites>\n'  # noqa: E501


def _suite(report: FileReport) -> str:
    cases = [case for p in report.passes for case in _cases(p)]
    if report.error:
        text = f"<error message={_attribute(report.error.splitlines()[0])}/>"
        cases.append(
            f'    <testcase classname={_attribute(report.path)} name="read">{text}</testcase>'
        )
    failures = sum("<failure" in case for case in cases)
    skipped = sum("<skipped" in case for case in cases)
    errors = sum("<error" in case for case in cases)
    head = (
        f'  <testsuite name={_attribute(report.path)} tests="{len(cases)}" failures="{failures}"'
        f' errors="{errors}" skipped="{skipped}" time="{report.seconds:.3f}">'
    )
    return "\n".join([head, *cases, "  </testsuite>"])


def _cases(report: PassReport) -> list[str]:
    found: list[str] = []
    for which in PASSES:
        verdict = report.verdicts.get(which, "not computed")
        mistakes = [m for m in report.mistakes if m.gradient == which]
        if verdict == "not computed":
            inside = "<skipped/>"
        elif verdict in BAD or mistakes:
            names = ", ".join(m.name for m in mistakes) or verdict
            words = [f"{m.sentence} {m.remedy} ({m.place})" for m in mistakes] or [report.failure]
            inside = f"<failure message={_attribute(names)}>{_text(' '.join(words))}</failure>"
        else:
            inside = ""
        found.append(_case(report, which, inside))
    others = [m for m in report.mistakes if m.gradient not in PASSES]
    for mistake in others:
        inside = f"<failure message={_attribute(mistake.name)}>{_text(mistake.sentence)}</failure>"
        found.append(_case(report, mistake.gradient, inside))
    return found


def _case(report: PassReport, name: str, inside: str) -> str:
    return f"    <testcase classname={_attribute(report.name)} name={_attribute(name)}>{inside}</testcase>"  # noqa: E501


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
