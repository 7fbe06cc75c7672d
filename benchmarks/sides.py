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

from benchmarks.suite import Case, cases

if TYPE_CHECKING:
    from collections.abc import Callable

PASSES = ("forward", "input_gradient", "weight_gradient")

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


def arrays(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, w and dz of a case."""
    layer, rng = case.layer, np.random.default_rng(0)
    shapes = (
        (case.batch, layer.in_channels, *layer.input_size),
        layer.weight_shape,
        (case.batch, layer.filters, *layer.output_size),
    )
    x, w, dz = (rng.standard_normal(shape).astype(case.number) for shape in shapes)
    return x, w, dz


def _ours(case: Case, layout: str) -> dict[str, Callable[[], object]]:
    from convgrad.kernels import run

    del layout
    x, w, dz = arrays(case)
    given = {
        "forward": (x, w),
        "input_gradient": (dz, w),
        "weight_gradient": (dz, x),
    }
    return {name: (lambda n=name: run(n, case.layer, *given[n])) for name in PASSES}


def _torch(case: Case, layout: str) -> dict[str, Callable[[], object]]:
    import torch

    torch.set_grad_enabled(False)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    layer = case.layer
    formats = {2: torch.channels_last, 3: torch.channels_last_3d}
    x, w, dz = map(torch.from_numpy, arrays(case))
    before = [pair[0] for pair in layer.padding]
    if any(a != b for a, b in layer.padding):
        # PyTorch knows no asymmetric padding: padded beforehand, and not timed.
        flat = [n for pair in layer.padding[::-1] for n in pair]
        x, before = torch.nn.functional.pad(x, flat), [0] * layer.rank
    if layout == "channels_last":
        if layer.rank not in formats:
            return {}
        x, w, dz = (a.contiguous(memory_format=formats[layer.rank]) for a in (x, w, dz))
    rest = (
        list(layer.stride), before, list(layer.dilation), layer.transposed,
        list(layer.output_padding), layer.groups,
    )  # fmt: skip
    back = torch.ops.aten.convolution_backward

    def gradient(*mask: bool) -> Callable[[], object]:
        return lambda: back(dz, x, w, None, *rest, list(mask))

    return {
        "forward": lambda: torch.ops.aten.convolution(x, w, None, *rest),
        "input_gradient": gradient(True, False, False),
        "weight_gradient": gradient(False, True, False),
    }


def _serve(library: str) -> None:
    """Answer questions until there are none: prepare a case, or time one of its passes."""
    suite = {str(case): case for case in cases()}
    ready: dict[tuple[str, str], dict[str, Callable[[], object]]] = {}
    # With one thread its processor time is taken: a busy machine disturbs that least.
    clock = time.thread_time if os.environ["OMP_NUM_THREADS"] == "1" else time.perf_counter
    prepare = {"convgrad": _ours, "torch": _torch}[library]
    for line in sys.stdin:
        question = json.loads(line)
        key = (question["case"], question["layout"])
        try:
            if key not in ready:
                ready.clear()
                ready[key] = prepare(suite[key[0]], key[1])
            call = ready[key].get(question["name"])
            answer = [] if call is None else _times(call, clock, question["seconds"])
        except Exception as error:  # noqa: BLE001  (whatever a library raises is its result)
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


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
