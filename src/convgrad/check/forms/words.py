"""Words that every form of the report shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convgrad.check.mistakes.equations import AXES_MIXED, right_equation
from convgrad.check.report import BAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convgrad.algebra.expression import Equation
    from convgrad.check.nest import Array, Pass
    from convgrad.check.report import Counterexample, FileReport, FoundMistake, PassReport

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


def titled(same: Sequence[FoundMistake]) -> str:
    """The mistake's name, and in brackets which variants of it were found."""
    details = ", ".join(dict.fromkeys(m.detail for m in same if m.detail))
    return f"{same[0].name} [{details}]" if details else same[0].name


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


def elided(name: str, names: Sequence[str], width: int) -> str:
    """A path that is too long for its place: folders in the middle are left out.

    What tells it from the others stays.

    >>> names = ["ada_lovelace/homework/two/conv.py", "grace_hopper/homework/two/conv.py"]
    >>> elided(names[0], names, 20)
    'ada_lovelace/…/conv.py'
    >>> elided(names[0], names, 40)
    'ada_lovelace/homework/two/conv.py'
    """
    parts = name.split("/")
    others = [other.split("/") for other in names if other != name]
    if len(name) <= width:
        return name
    for head in range(1, len(parts) - 1):
        start, end = parts[:head], parts[-1]
        if not any(o[:head] == start and o[-1] == end for o in others):
            return "/".join([*start, "…", end])
    return name


def numbers(array: Array, limit: int = 40) -> str:
    """An array on a few lines, cut where it is large."""
    import numpy as np

    array = array + 0.0 if array.dtype.kind == "f" else array  # -0. says nothing
    if array.size > limit:
        shape = "×".join(map(str, array.shape))
        first = ", ".join(f"{number:g}" for number in array.ravel()[:6])
        return f"{shape} numbers, starting {first}"
    trimmed = array.reshape([n for n in array.shape if n != 1] or [1])
    return np.array2string(trimmed, separator=", ", max_line_width=60, precision=6)


def difference(example: Counterexample) -> str:
    """What came out instead, in words: an error, another shape or other numbers."""
    if example.actual is None:
        return f"but the code ends with {example.failure}"
    if example.actual.shape != example.expected.shape:
        return f"but its shape is {example.actual.shape}, not {example.expected.shape}"
    return f"but is {numbers(example.actual)}"


def by_verdict(report: PassReport) -> list[tuple[str, list[str]]]:
    """The features that fail, those that fail in the same way together."""
    found: dict[str, list[str]] = {}
    for feature, passes in report.features.items():
        words = ", ".join(f"{p} {v}" for p, v in passes.items() if v in BAD)
        if words:
            found.setdefault(words, []).append(feature)
    return list(found.items())


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


def counted(numbers: dict[str, int]) -> str:
    """Counts with their words.

    >>> counted({"files": 1, "passes": 2, "right": 2})
    '1 file, 2 passes, 2 right'
    """
    one = {"files": "file", "passes": "pass"}
    words = [f"{n} {one.get(word, word) if n == 1 else word}" for word, n in numbers.items()]
    return ", ".join(words)
