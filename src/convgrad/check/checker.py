"""Checking a file: read it, find the backward passes, run each in a child, judge."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from convgrad.check.conventions.wishes import Wishes
from convgrad.check.double import find_double, judge_double
from convgrad.check.judge import judge
from convgrad.check.report import FileReport, PassReport
from convgrad.check.sandbox import Code, Limits, Sandbox
from convgrad.check.source import NothingFoundError, SourceError, find_targets, read_source


@dataclass(frozen=True)
class Options:
    """How a file is checked.

    Attributes:
        wishes: parts of the convention that the user has set.
        limits: what the code may use.
        run_module: run statements at the top level of the file too.
    """

    wishes: Wishes = field(default_factory=Wishes)
    limits: Limits = field(default_factory=Limits)
    run_module: bool = False


def check_file(
    path: str | Path, name: str | None = None, options: Options | None = None
) -> FileReport:
    """The verdict on every backward pass of a file, or on the one that is named.

    Args:
        path: a Python file or a notebook.
        name: a class or a function in it; by default all that look like a convolution.
        options: limits, and parts of the calling convention that are known.
    Returns: the report; a file that cannot be read is a report with an error, never an exception.
    """
    started = time.monotonic()
    try:
        return _check(Path(path), name, options or Options(), started)
    except (MemoryError, RecursionError) as error:
        text = f"too deeply nested or too large to be read ({type(error).__name__})"
    except Exception as error:  # noqa: BLE001  (one file must not end the run over all others)
        text = f"convgrad failed on this file: {type(error).__name__}: {error}\nplease report it"
    return FileReport(str(path), error=text, seconds=time.monotonic() - started)


def files_in(folder: Path) -> list[Path]:
    """The files below a folder that a check has something to say about, in order.

    Those are files with a backward pass, and files that cannot be read as what they claim to be.
    What is hidden, or put there by Python, is left out.
    """
    below = (f.relative_to(folder) for end in ("*.py", "*.ipynb") for f in folder.rglob(end))
    named = [f for f in below if not any(_is_furniture(part) for part in f.parts)]
    return [folder / f for f in sorted(named) if _has_something(folder / f)]


def _is_furniture(part: str) -> bool:
    return part.startswith(".") or part in {"__pycache__", "site-packages", "node_modules"}


def _has_something(path: Path) -> bool:
    try:
        return bool(find_targets(read_source(path)))
    except NothingFoundError:
        return False
    except (SourceError, RecursionError, MemoryError):
        return True


def _check(path: Path, name: str | None, options: Options, started: float) -> FileReport:
    try:
        source = read_source(path)
        targets = find_targets(source, name, options.wishes.forward, options.wishes.backward)
    except SourceError as error:
        return FileReport(str(path), error=str(error), seconds=time.monotonic() - started)
    code = Code(
        source.text, str(path), str(path.resolve().parent), options.run_module, source.python2
    )
    reports: list[PassReport] = []
    with np.errstate(all="ignore"), Sandbox(code, options.limits) as sandbox:
        reports += [judge(target, source, sandbox, options.wishes) for target in targets]
        if name is None:
            twice = [judge_double(f, source, sandbox) for f in find_double(source)]
            reports += [report for report in twice if report is not None]
    shown = tuple(_with_code(report, source.text.split("\n")) for report in reports)
    return FileReport(str(path), shown, seconds=time.monotonic() - started)


def _with_code(report: PassReport, lines: list[str]) -> PassReport:
    """The report with the lines of code that its mistakes name."""
    mistakes = tuple(
        replace(m, code=lines[m.line - 1].strip()) if m.line and m.line <= len(lines) else m
        for m in report.mistakes
    )
    return replace(report, mistakes=mistakes)
