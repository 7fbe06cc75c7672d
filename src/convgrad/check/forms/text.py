"""The report in a terminal."""

from __future__ import annotations

from textwrap import wrap
from typing import IO, TYPE_CHECKING

from convgrad.check.forms.table import write_table
from convgrad.check.forms.words import (
    LABELS,
    MARKS,
    by_verdict,
    derived,
    difference,
    drawn,
    numbers,
    titled,
    together,
)
from convgrad.check.nest import PASSES
from convgrad.check.report import BAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from convgrad.algebra.expression import Equation
    from convgrad.check.nest import Pass
    from convgrad.check.report import Counterexample, FileReport, FoundMistake, PassReport

WIDTH = 80
STYLES = {
    "right": "green",
    "right up to a convention": "cyan",
    "wrong": "bold red",
    "not computed": "dim",
    "crashes": "bold magenta",
    "unexplained": "bold red",
}


def write_text(reports: Sequence[FileReport], out: IO[str]) -> None:
    """Write the reports, and a table where there are several."""
    for report in reports:
        write_details(report, out)
    write_summary(reports, out)


def write_details(report: FileReport, out: IO[str]) -> None:
    """Write all that is known of one file."""
    _write_file(report, _console(out))


def write_summary(reports: Sequence[FileReport], out: IO[str], *, always: bool = False) -> None:
    """Write a table of all passes, where there are several files or it is all that is shown."""
    if always or len(reports) > 1:
        write_table(reports, _console(out))


def _console(out: IO[str]) -> Console:
    from rich.console import Console

    return Console(file=out, highlight=False, markup=False, soft_wrap=True)


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
    for same in together(report.mistakes):
        _write_mistake(same, report, console)
    said = {m.gradient for m in report.mistakes if m.computed is not None}
    for which in _wrong(report):
        if which not in said and not _only_crashes(report):
            _write_equation(f"right for {which}", derived(report, which), console, style="green")
    if any(v == "unexplained" for v in report.verdicts.values()):
        console.print("\n    No known mistake, and no pair of them, gives these numbers.")
    failure = "" if report.is_right else report.failure
    if failure:
        console.print(f"    failure: {failure}", style="magenta")
    if report.counterexample is not None:
        _write_counterexample(report.counterexample, console)
    console.print("\n    understood as" if report.conventions else "", style="dim")
    for name, words in report.conventions.items():
        first, *rest = wrap(words, WIDTH - 20) or [""]
        console.print(f"      {name:<12}{first}", style="dim")
        for line in rest:
            console.print(" " * 20 + line, style="dim")
    for note in report.notes:
        if failure and failure in note:
            continue  # it has been said
        _write_words(f"note: {note}", console, "dim")
    console.print()


def _only_crashes(report: PassReport) -> bool:
    """Whether no number came back, so that no equation says what is computed."""
    return all(v in {"crashes", "not computed", "right"} for v in report.verdicts.values())


def _write_mistake(same: Sequence[FoundMistake], report: PassReport, console: Console) -> None:
    """One mistake, in all the gradients in which it was found."""
    mistake = same[0]
    gradients = ", ".join(dict.fromkeys(m.gradient for m in same))
    places = ", ".join(dict.fromkeys(m.place for m in same if m.place))
    where = f" ({places})" if places else ""
    console.print(f"\n    {gradients}: {titled(same)}{where}", style="bold red")
    for code in dict.fromkeys(m.code for m in same if m.code):
        _write_words(f"> {code}", console, "bold")
    _write_words(mistake.sentence, console)
    _write_words(f"mend: {mistake.remedy}", console, style="green")
    if mistake.term:
        console.print(f"      term of the equation: {mistake.term}")
    wrong = {m.gradient: m.computed for m in same}
    for which in PASSES:
        equation = wrong.get(which)
        if equation is not None:
            _write_equation(f"for {which} the code computes", equation, console)
            _write_equation(f"right for {which}", derived(report, which), console, style="green")


def _write_words(text: str, console: Console, style: str = "", indent: int = 6) -> None:
    """A sentence, broken where 80 columns end."""
    for number, line in enumerate(wrap(text, WIDTH - indent - 2)):
        console.print(" " * (indent + 2 * (number > 0)) + line, style=style)


def _write_equation(label: str, equation: Equation, console: Console, style: str = "") -> None:
    console.print(f"      {label}:", style=style)
    for line in drawn(equation, WIDTH - 10).splitlines():
        console.print(" " * 10 + line, style=style)


def _wrong(report: PassReport) -> list[Pass]:
    return [p for p in PASSES if report.verdicts.get(p) in BAD]


def _write_features(report: PassReport, console: Console) -> None:
    bad = by_verdict(report)
    failing = {feature for _, features in bad for feature in features}
    if not failing or len(failing) == len(report.features):
        return
    console.print("    fails with", style="dim")
    for words, features in bad:
        _write_words(f"{words}: {', '.join(features)}", console, "dim")
    good = [f for f in report.features if f not in failing]
    _write_words(f"right with {', '.join(good)}", console, "dim", indent=4)


def _write_counterexample(example: Counterexample, console: Console) -> None:
    console.print(f"\n    smallest layer that shows it: {example.layer}", style="bold")
    needed = {"forward": "xwb", "dx": ("w", "dz"), "dw": ("x", "dz"), "db": ("dz",)}
    for name in needed[example.gradient]:
        _write_array(f"{name} =", numbers(example.arrays[name]), console)
    if "slope" in example.arrays and example.gradient != "forward":
        _write_array("f'(z) =", numbers(example.arrays["slope"]), console)
    label = "z" if example.gradient == "forward" else example.gradient
    _write_array(f"{label} should be", numbers(example.expected), console)
    if example.actual is None or example.actual.shape != example.expected.shape:
        _write_words(difference(example), console, "red")
    else:
        _write_array("but is", numbers(example.actual), console, style="red")


def _write_array(label: str, text: str, console: Console, style: str = "") -> None:
    first, *rest = text.split("\n")
    console.print(f"      {label:<13} {first}", style=style)
    for line in rest:
        console.print(" " * 20 + line, style=style)
