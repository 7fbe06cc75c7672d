"""How long `convgrad check` takes for a file: one file after another, in one process each."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from convgrad.check.checker import check_file

FOLDERS = tuple(Path("tests/check") / name for name in ("corpus", "public"))
SLOW = 2.0
"""Seconds that a verdict on vectorised code should take at most; pure Python loops have 20."""


def main(*, only: str) -> None:
    """Check the files of the tests whose name holds a text, and print the times.

    Raises:
        SystemExit: where there is no such file.
    """
    files = [path for folder in FOLDERS for path in sorted(folder.glob("*.*")) if only in path.name]
    files = [path for path in files if path.suffix in {".py", ".ipynb"}]
    if not files:
        raise SystemExit(
            f"--only {only}: no file in {' or '.join(map(str, FOLDERS))} has that name"
        )
    seconds = {path: check_file(path).seconds for path in files}
    for path, taken in sorted(seconds.items(), key=lambda one: -one[1]):
        if taken > SLOW:
            print(f"{taken:6.2f} s  {path}")
    times = list(seconds.values())
    slow = sum(taken > SLOW for taken in times)
    print(f"{len(times)} files: median {median(times):.2f} s, longest {max(times):.2f} s, ", end="")
    print(f"{slow} above {SLOW:.0f} s")
