"""From the verdict to the step of the derivation that was missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convgrad.check.nest import PASSES
from convgrad.check.report import BAD, EQUATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convgrad.check.nest import Pass
    from convgrad.check.report import FileReport, PassReport

START = (
    "The output is z[n,k,o] = b[k] + Σ(c,t) x[n,c,s·o+d·t−p] · w[k,c,t].",
    "The error dz[n,k,o] = ∂J/∂z[n,k,o] is known.",
)
# Every derivation in numbered steps: (what is done, what it gives).
STEPS: dict[Pass, tuple[tuple[str, str], ...]] = {
    "forward": (("write the sum", EQUATIONS["forward"]),),
    "dx": (
        ("chain rule: sum over every output", "dx[n,c,i] = Σ(k,o) dz[n,k,o] · ∂z[n,k,o]/∂x[n,c,i]"),
        (
            "the derivative is w at the tap that reads i",
            "∂z[n,k,o]/∂x[n,c,i] = Σ(t: s·o+d·t−p = i) w[k,c,t]",
        ),
        (
            "put it in: sum over filters k, over pairs (o,t)",
            "dx[n,c,i] = Σ(k) Σ(o,t: s·o+d·t = i+p) dz[n,k,o] · w[k,c,t]",
        ),
        (
            "solve for o: only whole o inside the output count",
            "o = (i+p−d·t)/s, where s divides i+p−d·t and 0 ≤ o < O",
        ),
        ("a position that no o reaches has an empty sum", "dx = 0 there"),
    ),
    "dw": (
        ("chain rule: sum over every output", "dw[k,c,t] = Σ(n,o) dz[n,k,o] · ∂z[n,k,o]/∂w[k,c,t]"),
        ("the derivative is the input under the tap", "∂z[n,k,o]/∂w[k,c,t] = x[n,c,s·o+d·t−p]"),
        ("put it in: sum over samples and positions", EQUATIONS["dw"]),
    ),
    "db": (
        (
            "chain rule: sum over every output of the filter",
            "db[k] = Σ(n,o) dz[n,k,o] · ∂z[n,k,o]/∂b[k]",
        ),
        ("the derivative is one", EQUATIONS["db"]),
    ),
}
# Which step a mistake misses; the last step where it is not listed.
MISSED: dict[str, int] = {
    "stride-ignored": 3, "zero-insertion": 3, "padding-twice": 1, "padding-ignored": 1,
    "padding-hard-coded": 1, "crop-empty": 4, "wrong-side-cropped": 1, "uncovered-rows": 4,
    "rotation-missing": 3, "rotation-unwanted": 2, "sample-for-filter": 1, "channels-for-filters": 1,  # noqa: E501
    "inputs-for-weights": 1, "weights-for-inputs": 1, "first-sample-only": 0, "all-into-first-sample": 0,  # noqa: E501
    "overwritten-not-added": 2, "channels-collapsed": 1, "element-for-slice": 1, "error-rotated": 1,
    "kernel-gradient-reversed": 1, "dilation-ignored": 1, "dilation-off-by-one": 1, "groups-ignored": 1,  # noqa: E501
    "loops-over-input": 0, "last-window-missing": 0, "bias-sum": 0, "mean-over-positions": 0,
    "sign": 0, "updated-weights": 1, "weight-gradient-for-input-gradient": 0, "height-for-width": 3,
}  # fmt: skip


def write_lesson(reports: Sequence[FileReport]) -> str:
    """The lesson for every wrong gradient."""
    parts = [_lesson(p) for r in reports for p in r.passes if not p.is_right]
    return "\n".join(parts) if parts else "Everything that was checked is right.\n"


def _lesson(report: PassReport) -> str:
    lines = [f"{report.name}: from the verdict to the derivation", ""]
    for which in PASSES:
        if report.verdicts.get(which) not in BAD:
            continue
        mistakes = [m for m in report.mistakes if m.gradient == which]
        steps = STEPS[which]
        missed = {min(MISSED.get(m.name, len(steps) - 1), len(steps) - 1): m for m in mistakes}
        lines += [f"{which} is {report.verdicts[which]}.", *START]
        for number, (rule, equation) in enumerate(steps):
            mark = "→" if number in missed else " "
            lines += [f" {mark} {number + 1}. {rule}", f"        {equation}"]
            if number in missed:
                mistake = missed[number]
                place = f", {mistake.place}" if mistake.place else ""
                lines += [f"      Here your code departs ({mistake.name}{place}).",
                          f"      {mistake.sentence}", f"      {mistake.remedy}"]  # fmt: skip
        if not mistakes:
            lines.append(
                "   No known mistake explains the difference: compare each step with your code."
            )
        lines.append("")
    return "\n".join(lines)
