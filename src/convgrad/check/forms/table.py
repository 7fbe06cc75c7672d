"""Many files at a glance: a line for every pass, and how many are right."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from convgrad.check.forms.words import MARKS, counted, elided, short_paths, summary
from convgrad.check.nest import PASSES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from convgrad.check.report import FileReport, PassReport

HEADS = {"forward": "z", "dx": "dx", "dw": "dw", "db": "db"}
INDENT = 2


def write_table(reports: Sequence[FileReport], console: Console) -> None:
    """What has a width of its own stands first: marks and seconds. The rest flows, nothing is cut.

    z is the forward pass.
    """
    width = console.width
    heads = "  ".join(HEADS[p] for p in PASSES)
    console.print(f"{heads}      s  file: pass  mistakes", style="bold")
    room = width - len(heads) - 9
    names = short_paths([report.path for report in reports])
    labels = [elided(name, names, room) for name in names]
    rows = [
        row for label, report in zip(labels, reports, strict=True) for row in _rows(label, report)
    ]
    fitting = [len(label) for _, _, label, _ in rows if len(label) <= 2 * room // 3]
    column = max(fitting, default=0)
    for marks, seconds, label, more in rows:
        line = "  ".join(f"{mark:<{len(HEADS[p])}}" for p, mark in zip(PASSES, marks, strict=True))
        text = f"{label:<{column}}  {more}".rstrip()
        first, *rest = [text] if len(text) <= room else _block(label, more, room)
        console.print(f"{line}{seconds:>7}  {first}".rstrip())
        for continued in rest:
            console.print(" " * (width - room) + continued)
    marks = "  ".join(f"{mark}\xa0{word.replace(' ', chr(160))}" for word, mark in MARKS.items())
    for line in wrap(marks, width):
        console.print(line.replace("\xa0", " "), style="dim")
    console.print(counted(summary(reports)))


def _rows(label: str, report: FileReport) -> Iterator[tuple[list[str], str, str, str]]:
    """Marks, seconds, what was checked, and what is wrong."""
    nothing = [""] * len(PASSES)
    if report.error:
        yield nothing, f"{report.seconds:.1f}", label, report.error.split("\n")[0]
    for number, checked in enumerate(report.passes):
        seconds = "" if number else f"{report.seconds:.1f}"
        marks = [MARKS[checked.verdicts.get(p, "not computed")] for p in PASSES]
        yield marks, seconds, f"{label}: {checked.name}", _mistakes(checked)


def _mistakes(checked: PassReport) -> str:
    return ", ".join(dict.fromkeys(m.name for m in checked.mistakes))


def _block(label: str, more: str, room: int) -> list[str]:
    """Lines for what is longer than one."""
    first, *rest = wrap(label, room, break_on_hyphens=False)
    rest += wrap(more, room - INDENT, break_on_hyphens=False)
    return [first, *(" " * INDENT + line for line in rest)]
