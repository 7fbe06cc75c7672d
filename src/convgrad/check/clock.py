"""How long the code under test has taken, whatever else the machine does meanwhile.

A process runs, sleeps, or waits for its turn. Running and sleeping are its own doing and count;
waiting for a processor does not, so that a busy machine turns no slow code into an endless loop.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 10  # seconds that may pass for each second that counts
INTERVAL = 0.1  # between two looks at a process that says nothing


@dataclass(frozen=True)
class Reading:
    """A look at a process: its processor time in seconds, and whether it sleeps."""

    processor: float
    asleep: bool


def read(process: int) -> Reading | None:
    """A look at a process; None where the system shows none (no Linux) or it has ended.

    >>> reading = read(os.getpid())
    >>> reading is None or not reading.asleep
    True
    """
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    # The name of the program stands in brackets and may hold anything: proc_pid_stat(5).
    state, *numbers = text.rpartition(")")[2].split()
    user, system = int(numbers[10]), int(numbers[11])
    return Reading((user + system) / os.sysconf("SC_CLK_TCK"), state == "S")


class Clock:
    """The time of one process since the clock was made, its own and that on the wall."""

    def __init__(self, process: int) -> None:
        self._process = process
        self._started = self._looked = time.monotonic()
        self._first = self._last = read(process)
        self._slept = 0.0

    @property
    def passed(self) -> float:
        """Seconds on the wall."""
        return time.monotonic() - self._started

    def own(self) -> float:
        """Seconds in which the process ran or slept; those on the wall where nothing else shows.

        Sleep is what lies between two looks that show no progress and a sleeping process, so
        this is to be asked every `INTERVAL`.
        """
        now, reading = time.monotonic(), read(self._process)
        if reading is None or self._first is None or self._last is None:
            return self.passed
        if reading.asleep and reading.processor == self._last.processor:
            self._slept += now - self._looked
        self._looked, self._last = now, reading
        return reading.processor - self._first.processor + self._slept

    def is_over(self, seconds: float) -> bool:
        """Whether the process has had so many seconds, or has kept us waiting for far longer."""
        return self.own() >= seconds or self.passed >= PATIENCE * seconds
