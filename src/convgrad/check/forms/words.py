"""Words that every form of the report shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convgrad.check.mistakes.equations import AXES_MIXED, right_equation
from convgrad.check.nest import PASSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convgrad.algebra.expression import Equation
    from convgrad.check.nest import Array, Pass
    from convgrad.check.report import FileReport, FoundMistake, PassReport

MARKS = {
    "right": "✓",
    "right up to a convention": "≈",
    "wrong": "✗",
    "not computed": "–",
    "crashes": "!",
    "unexplained": "?",
}
LABELS: dict[Pass, str] = {"forward": "forward", "dx": "dx", "dw": "dw", "db": "db"}


def drawn(equation: Equation, width: int) -> str:
    """An equation as people write it, on a few lines of text."""
    from convgrad.notation.compose import compose
    from convgrad.notation.unicode import unicode

    return unicode(compose(equation), width)


def derived(report: PassReport, which: Pass) -> Equation:
    """The right equation of a pass, with all axes where a mistake confuses them."""
    mixed = [m for m in report.mistakes if m.name in AXES_MIXED and m.gradient == which]
    rank = mixed[0].axes if mixed else 1
    transposed = any(m.transposed for m in report.mistakes)
    return right_equation(which, rank=rank, transposed=transposed)


def together(mistakes: Sequence[FoundMistake]) -> list[list[FoundMistake]]:
    """The mistakes by name: one that shows in several gradients is one mistake."""
    found: dict[str, list[FoundMistake]] = {}
    for mistake in mistakes:
        found.setdefault(mistake.name, []).append(mistake)
    return list(found.values())


def short_paths(paths: Sequence[str]) -> list[str]:
    """Paths without the folder that all of them share.

    >>> short_paths(["hw/ada/conv.py", "hw/bob/conv.py"])
    ['ada/conv.py', 'bob/conv.py']
    """
    parts = [path.split("/") for path in paths]
    shared = 0
    while all(len(p) > shared + 1 and p[shared] == parts[0][shared] for p in parts):
        shared += 1
    return ["/".join(p[shared:]) for p in parts]


def numbers(array: Array, limit: int = 40) -> str:
    """An array on a few lines, cut where it is large."""
    import numpy as np

    if array.size > limit:
        shape = "×".join(map(str, array.shape))
        return f"{shape} numbers, starting {np.array2string(array.ravel()[:6], separator=', ')}"
    trimmed = array.reshape([n for n in array.shape if n != 1] or [1])
    return np.array2string(trimmed, separator=", ", max_line_width=60, precision=6)


def summary(reports: Sequence[FileReport]) -> dict[str, int]:
    """How many passes are right, wrong, and how many files have none."""
    passes = [p for r in reports for p in r.passes]
    return {
        "files": len(reports),
        "passes": len(passes),
        "right": sum(p.is_right for p in passes),
        "wrong": sum(not p.is_right for p in passes),
        "without a verdict": sum(bool(r.error) for r in reports),
    }


def headline(report: PassReport) -> str:
    """One line for one pass: the verdict of every gradient."""
    return "  ".join(f"{LABELS[p]} {report.verdicts.get(p, 'not computed')}" for p in PASSES)
