"""The report in a terminal."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from convgrad.check.forms.words import (
    LABELS,
    MARKS,
    computes,
    drawn,
    headline,
    numbers,
    summary,
)
from convgrad.check.mistakes.equations import right_equation
from convgrad.check.nest import PASSES
from convgrad.check.report import BAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from convgrad.algebra.expression import Equation
    from convgrad.check.nest import Pass
    from convgrad.check.report import Counterexample, FileReport, PassReport

WIDTH = 80
STYLES = {
    "right": "green",
    "right up to a convention": "cyan",
    "wrong": "bold red",
    "not computed": "dim",
    "crashes": "bold magenta",
    "unexplained": "bold red",
}


def write_text(reports: Sequence[FileReport], out: IO[str], *, details: bool = True) -> None:
    """Write the reports, and a table where there are several."""
    from rich.console import Console

    console = Console(file=out, highlight=False, markup=False, soft_wrap=True)
    if details:
        for report in reports:
            _write_file(report, console)
    if len(reports) > 1:
        _write_table(reports, console)


def _write_file(report: FileReport, console: Console) -> None:
    console.print(report.path, style="bold")
    if report.error:
        console.print(f"  {report.error}\n", style="yellow")
    for checked in report.passes:
        _write_pass(checked, console)


def _write_pass(report: PassReport, console: Console) -> None:
    console.print(f"  {report.name} (line {report.line})")
    for which in PASSES:
        verdict = report.verdicts.get(which, "not computed")
        console.print(f"    {MARKS[verdict]} {LABELS[which]:<8}{verdict}", style=STYLES[verdict])
    _write_features(report, console)
    for mistake in report.mistakes:
        where = f" ({mistake.place})" if mistake.place else ""
        detail = f" [{mistake.detail}]" if mistake.detail else ""
        console.print(f"\n    {mistake.gradient}: {mistake.name}{detail}{where}", style="bold red")
        console.print(f"      {mistake.sentence}")
        console.print(f"      mend: {mistake.remedy}", style="green")
        if mistake.term:
            console.print(f"      term of the equation: {mistake.term}")
        equation = computes(mistake)
        if equation is not None:
            _write_equation("it computes", equation, console)
    for which in _wrong(report):
        _write_equation(f"right for {which}", right_equation(which), console, style="green")
    if any(v == "unexplained" for v in report.verdicts.values()):
        console.print("\n    No known mistake, and no pair of them, gives these numbers.")
    if report.failure and not report.is_right:
        console.print(f"    failure: {report.failure}", style="magenta")
    if report.counterexample is not None:
        _write_counterexample(report.counterexample, console)
    console.print("\n    understood as", style="dim")
    for name, words in report.conventions.items():
        console.print(f"      {name:<12}{words}", style="dim")
    for note in report.notes:
        console.print(f"      note: {note}", style="dim")
    console.print()


def _write_equation(label: str, equation: Equation, console: Console, style: str = "") -> None:
    console.print(f"      {label}:", style=style)
    for line in drawn(equation, WIDTH - 10).splitlines():
        console.print(" " * 10 + line, style=style)


def _wrong(report: PassReport) -> list[Pass]:
    return [p for p in PASSES if report.verdicts.get(p) in BAD]


def _write_features(report: PassReport, console: Console) -> None:
    bad = {
        feature: passes for feature, passes in report.features.items() if BAD & set(passes.values())
    }
    if not bad or len(bad) == len(report.features):
        return
    console.print("    fails with", style="dim")
    for feature, passes in bad.items():
        words = ", ".join(f"{p} {v}" for p, v in passes.items() if v in BAD)
        console.print(f"      {feature:<26}{words}", style="dim")
    good = [f for f in report.features if f not in bad]
    console.print(f"    right with {', '.join(good)}", style="dim")


def _write_counterexample(example: Counterexample, console: Console) -> None:
    console.print(f"\n    smallest layer that shows it: {example.layer}", style="bold")
    needed = {"forward": "xwb", "dx": ("w", "dz"), "dw": ("x", "dz"), "db": ("dz",)}
    for name in needed[example.gradient]:
        _write_array(f"{name} =", numbers(example.arrays[name]), console)
    _write_array(f"{example.gradient} should be", numbers(example.expected), console)
    if example.actual is None:
        console.print(f"      but the code ends with {example.failure}", style="red")
    elif example.actual.shape != example.expected.shape:
        shapes = f"{example.actual.shape}, not {example.expected.shape}"
        console.print(f"      but its shape is {shapes}", style="red")
    else:
        _write_array("but is", numbers(example.actual), console, style="red")


def _write_array(label: str, text: str, console: Console, style: str = "") -> None:
    first, *rest = text.split("\n")
    console.print(f"      {label:<13} {first}", style=style)
    for line in rest:
        console.print(" " * 20 + line, style=style)


def _write_table(reports: Sequence[FileReport], console: Console) -> None:
    from rich.table import Table

    table = Table("file", "pass", *PASSES, "mistakes", "s", box=None, pad_edge=False)
    for report in reports:
        if report.error:
            table.add_row(report.path, "–", "", "", "", "", report.error.split("\n")[0], "")
        for checked in report.passes:
            verdicts = [MARKS[checked.verdicts.get(p, "not computed")] for p in PASSES]
            names = ", ".join(dict.fromkeys(m.name for m in checked.mistakes))
            table.add_row(report.path, checked.name, *verdicts, names, f"{report.seconds:.1f}")
    console.print(table)
    console.print("  ".join(f"{mark} {word}" for word, mark in MARKS.items()), style="dim")
    counts = summary(reports)
    console.print(", ".join(f"{n} {word}" for word, n in counts.items()))


def one_line(report: FileReport) -> str:
    """A file in one line, for progress."""
    if report.error:
        return f"{report.path}: {report.error.splitlines()[0]}"
    return "\n".join(f"{report.path}: {p.name}: {headline(p)}" for p in report.passes)
