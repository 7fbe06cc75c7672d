"""From the verdict to the step of the derivation that was missed.

The derivation is the algebra's own; a mistake belongs to the rule that would have prevented it.
"""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from convgrad.algebra.differentiate import CHAIN, DELTA, GIVEN, LINEAR, RANGES, SIFT, SOLVE, Rule
from convgrad.check.forms.slips import slip
from convgrad.check.forms.words import drawn
from convgrad.check.forms.worked import entry_in_words, worked
from convgrad.check.mistakes.equations import derivation_of, right_equation
from convgrad.check.nest import PASSES
from convgrad.check.report import BAD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from convgrad.algebra.differentiate import Step
    from convgrad.check.equations import EquationReport
    from convgrad.check.nest import Pass
    from convgrad.check.report import FileReport, FoundMistake, PassReport

WIDTH = 76

# The rule that a mistake departs from: the first of these that the derivation uses.
MISSED: dict[str, tuple[Rule, ...]] = {
    **dict.fromkeys(
        (
            "first-sample-only", "all-into-first-sample", "overwritten-not-added", "sign",
            "constant-factor",
            "loops-over-input", "last-window-missing", "last-filter-missing", "bias-sum",
            "mean-over-positions", "weight-gradient-for-input-gradient", "zeros-returned",
            "divided-by-batch", "clipped", "rectified", "weight-decay", "uninitialised",
            "accumulates", "low-precision", "not-deterministic",
        ),
        (CHAIN,),
    ),
    **dict.fromkeys(
        (
            "inputs-for-weights", "weights-for-inputs", "updated-weights", "error-rotated",
            "sample-for-filter", "channels-for-filters", "groups-ignored",
        ),
        (LINEAR,),
    ),
    **dict.fromkeys(
        ("channels-collapsed", "element-for-slice", "axes-mixed", "kernel-gradient-reversed"),
        (DELTA,),
    ),
    **dict.fromkeys(
        (
            "stride-ignored", "zero-insertion", "rotation-missing", "rotation-unwanted",
            "padding-twice", "padding-ignored", "padding-hard-coded", "wrong-side-cropped",
            "dilation-ignored", "dilation-off-by-one", "height-for-width", "crop-empty",
            "uncovered-rows", "margin-left-on",
        ),
        (SOLVE, LINEAR),
    ),
    "bias-ignored": (GIVEN,),
    "bias-repeated": (GIVEN,),
}  # fmt: skip

# What the rule means for whoever writes the loops.
IN_CODE: dict[Rule, str] = {
    GIVEN: "Write the forward sum down first: every subscript of the gradients comes from it.",
    CHAIN: "In code: loop over every sample, filter and position of the error, and add with +=.",
    LINEAR: "In code: the factor beside the error is the one that the forward pass multiplied by.",
    DELTA: "In code: an entry gets only what belongs to its own channel, filter and tap.",
    SIFT: "In code: no loop is needed for an index that the left side fixes.",
    SOLVE: "In code: scatter to s·o + d·t − p, or gather from (i + p − d·t)/s where s divides it.",
    RANGES: "In code: dx has the shape of x; a position that no window reaches stays zero.",
}


def write_lesson(reports: Sequence[FileReport]) -> str:
    """The lesson for every wrong gradient."""
    parts = [_lesson(p) for r in reports for p in r.passes if not p.is_right]
    return "\n".join(parts) if parts else "Everything that was checked is right.\n"


def write_equation_lesson(reports: Sequence[EquationReport]) -> str:
    """The derivation of every gradient whose equation is wrong, to the step that was missed."""
    wrong = [report for report in reports if not report.is_right]
    if not wrong:
        return "Every equation is right.\n"
    return "\n".join("\n".join([*_of_equation(report), ""]) for report in wrong)


def _of_equation(report: EquationReport) -> Iterator[str]:
    forward = report.gradient == "forward"
    what = "What the layer computes:" if forward else "This is how it is derived."
    yield f"{report.gradient} is {report.verdict}. {what}"
    yield ""
    steps = derivation_of(report.gradient, transposed=report.transposed)
    names = [step.rule.name for step in steps]
    last = names.index(report.missed) if report.missed in names else len(steps) - 1
    for number, step in enumerate(steps[: last + 1]):
        yield from _step(number + 1, step, marked=number == last)
    yield ""
    yield "  → Here the equation departs."
    for text in (report.reason, f"Write {report.correction}." if report.correction else ""):
        yield from _block("\n".join(wrap(text, WIDTH - 4)), 4)
    if last < len(steps) - 1:
        yield ""
        yield "    From there the derivation goes on to the result:"
        right = right_equation(report.gradient, transposed=report.transposed)
        yield from _block(drawn(right, WIDTH - 8), 8)


def _lesson(report: PassReport) -> str:
    lines = [f"{report.name}: from the verdict to the derivation", ""]
    for which in PASSES:
        mistakes = [m for m in report.mistakes if m.gradient == which]
        if report.verdicts.get(which) in BAD or mistakes:
            lines += [*_derivation(which, report.verdicts.get(which, ""), mistakes)]
            lines += [*_in_numbers(which, report), ""]
    others = [m for m in report.mistakes if m.gradient not in PASSES]
    for mistake in others:
        lines += [f"{mistake.name}: {mistake.sentence}", f"  {mistake.remedy}", ""]
    return "\n".join(lines)


def missed(name: str, which: Pass, *, transposed: bool = False) -> Rule:
    """The rule of the derivation of a pass that a mistake departs from."""
    used = [step.rule for step in derivation_of(which, transposed=transposed)]
    wanted = MISSED.get(name, ())
    return next((rule for rule in wanted if rule in used), used[-1])


def _derivation(which: Pass, verdict: str, mistakes: Sequence[FoundMistake]) -> Iterator[str]:
    """The steps up to the last that was missed, and the result."""
    transposed = any(m.transposed for m in mistakes)
    steps = derivation_of(which, transposed=transposed)
    marks = {m.name: missed(m.name, which, transposed=m.transposed) for m in mistakes}
    far = [n for n, step in enumerate(steps) if step.rule in marks.values()]
    yield f"{which} is {verdict}. {'This is how it is derived, and where your code departs.' if far else 'This is how it is derived.'}"  # noqa: E501
    yield ""
    for number, step in enumerate(steps):
        if far and number > far[-1]:
            break
        here = [m for m in mistakes if marks[m.name] == step.rule]
        yield from _step(number + 1, step, marked=bool(here))
        for mistake in here:
            yield from _departure(mistake, which)
    if not mistakes:
        yield "    No known mistake explains the difference: compare each step with your code."
    if far and far[-1] < len(steps) - 1:
        yield "    From there the derivation goes on to the result:"
        yield from _block(drawn(steps[-1].equation, WIDTH - 8), 8)


def _step(number: int, step: Step, *, marked: bool) -> Iterator[str]:
    name = "the forward pass" if step.rule == GIVEN else step.rule.name
    yield f"{'→' if marked else ' '} {number}. {name}"
    yield from _block(drawn(step.equation, WIDTH - 8), 8)
    statement = step.why if step.rule == GIVEN else step.rule.statement
    yield from _block("\n".join(wrap(statement, WIDTH - 5)), 5)


def _departure(mistake: FoundMistake, which: Pass) -> Iterator[str]:
    place = f", {mistake.place}" if mistake.place else ""
    yield ""
    yield f"  → Here your code departs ({mistake.name}{place})."
    yield from _block("\n".join(wrap(mistake.code, WIDTH - 6)), 6)
    rule = missed(mistake.name, which, transposed=mistake.transposed)
    why = "" if mistake.transposed else slip(mistake.name, which)
    yield from _block("\n".join(wrap(mistake.sentence, WIDTH - 4)), 4)
    yield from _block("\n".join(wrap(why or IN_CODE[rule], WIDTH - 4)), 4)
    if mistake.computed is not None:
        yield "    It computes"
        yield from _block(drawn(mistake.computed, WIDTH - 8), 8)
    yield from _block("\n".join(wrap(f"Mend: {mistake.remedy}", WIDTH - 4)), 4)
    yield ""


def _in_numbers(which: Pass, report: PassReport) -> Iterator[str]:
    """The first wrong entry of the smallest layer, term by term."""
    example = report.counterexample
    if example is None or example.gradient != which:
        return
    flat = not set("HD") & set(report.conventions.get("input", "HW"))
    lines = list(worked(example, flat=flat))
    if lines:
        entry = entry_in_words(example, flat=flat)
        where = f"In numbers, {entry} of the smallest layer, {example.layer}:"
        yield ""
        yield from _block("\n".join(wrap(where, WIDTH - 4)), 4)
        for line in lines:
            first, *rest = wrap(line, WIDTH - 8)
            yield from _block("\n".join([first, *(f"    {more}" for more in rest)]), 8)


def _block(text: str, indent: int) -> Iterator[str]:
    for line in text.splitlines():
        yield " " * indent + line
