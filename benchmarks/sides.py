"""The libraries that are measured, each in a process of its own, asked over a pipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.libraries import LIBRARIES, Calls
from benchmarks.suite import cases

if TYPE_CHECKING:
    from collections.abc import Callable

# What keeps freed pages in the process, so that a call does not pay for fresh ones.
KEPT = {
    "MALLOC_TOP_PAD_": str(1 << 30),
    "MALLOC_MMAP_THRESHOLD_": str(1 << 32),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
}


@dataclass(frozen=True)
class Side:
    """A library in one mode, with one way of handling memory."""

    library: str
    layout: str
    kept: bool

    def __str__(self) -> str:
        pages = "pages kept" if self.kept else "default"
        return f"{self.library} {self.layout} ({pages})".replace("  ", " ")


SIDES = tuple(
    Side(library, layout, kept)
    for kept in (True, False)
    for library, layout in (
        ("convgrad", ""),
        ("torch", "channels_first"),
        ("torch", "channels_last"),
        ("jax", "channels_first"),
        ("jax", "channels_last"),
        ("tensorflow", "channels_last"),
    )
)


class Process:
    """A library's process."""

    def __init__(self, library: str, *, kept: bool, threads: int) -> None:
        environment = {**os.environ, **(KEPT if kept else {})}
        environment |= {"OMP_NUM_THREADS": str(threads), "CONVGRAD_NUM_THREADS": str(threads)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sides", library],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def ask(self, **question: Any) -> Any:
        """Ask, and wait for the answer."""
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        if pipe_in is None or pipe_out is None:
            raise BrokenPipeError
        try:
            pipe_in.write(json.dumps(question) + "\n")
            pipe_in.flush()
        except BrokenPipeError as error:
            raise ChildProcessError("the measuring process ended") from error
        line = pipe_out.readline()
        if not line:
            raise ChildProcessError("the measuring process ended")
        return json.loads(line)

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=30)


def _serve(library: str) -> None:
    """Answer questions until there are none: show a pass's numbers, or time it."""
    suite = {str(case): case for case in cases()}
    ready: dict[tuple[str, str], Calls] = {}
    clock = _clock(library)
    for line in sys.stdin:
        question = json.loads(line)
        key = (question["case"], question["layout"])
        name = question["name"]
        try:
            if key not in ready:
                ready.clear()
                ready[key] = LIBRARIES[library](suite[key[0]], key[1])
            call = ready[key].passes.get(name)
            if call is None:
                answer: Any = []
            elif question.get("probe"):
                answer = probe(ready[key].plain(name, call()))
            else:
                answer = _times(call, clock, question["seconds"])
        except Exception as error:  # noqa: BLE001  (whatever a library raises is its result)
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def _clock(library: str) -> Callable[[], float]:
    """With one thread its processor time is taken: a busy machine disturbs that least.

    JAX and TensorFlow work in threads of their own, so theirs is the whole process's.
    """
    if os.environ["OMP_NUM_THREADS"] != "1":
        return time.perf_counter
    return time.thread_time if library in {"convgrad", "torch"} else time.process_time


def probe(result: np.ndarray | None) -> list[float]:
    """A result in few numbers, to be compared: its norm, and elements from all over it."""
    if result is None:
        raise NotImplementedError("no kernel computes this pass")
    count = result.size
    places = np.unique(np.linspace(0, count - 1, min(count, 500)).astype(np.int64))
    sample = result[np.unravel_index(places, result.shape)]
    norm = float(np.sqrt(np.square(result, dtype=np.float64).mean()))
    return [float(count), norm, *map(float, sample)]


def agree(one: list[float], other: list[float], number: str) -> bool:
    """Whether two results are the same up to rounding.

    Winograd's and FFT's algorithms round more than a sum does: a thousandth of the typical size of
    an element is allowed in float32.
    """
    if len(one) != len(other) or one[0] != other[0]:
        return False
    return bool(np.allclose(one[1:], other[1:], rtol=0, atol=TOLERANCE[number] * one[1]))


TOLERANCE = {"float32": 1e-3, "float64": 1e-9}


def _times(call: Callable[[], object], clock: Callable[[], float], seconds: float) -> list[float]:
    """How long a call takes, several times, after one that is not counted."""
    if call() is None:
        raise NotImplementedError("no kernel computes this pass")
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or (time.perf_counter() < end and len(times) < 200):
        start = clock()
        call()
        times.append(clock() - start)
    return times


if __name__ == "__main__":
    _serve(sys.argv[1])
