"""`python -m benchmarks first`: the first call of a layer, compiled anew and from disk."""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.libraries import PASSES, arrays
from benchmarks.suite import cases
from convgrad.convolution import Convolution
from convgrad.kernels import bound, entry, forget, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmarks.suite import Case

ALLOWED = {"new": 0.150, "disk": 0.010}
"""Seconds that a first call should take at most, beside its running."""

SEEN = Convolution((9,), 2, 3, 2, bias="none")
"""A layer that every process has called before: in float64, so that no other shares its code."""


@dataclass(frozen=True)
class First:
    """The first call of one pass of a layer, in seconds of one processor.

    Attributes:
        case: the layer's name.
        name: the pass.
        kept: "new" with nothing on disk, or "disk".
        taken: by the first call beyond what the second one takes.
        planning: of that, until the algorithm, its tile and its loops are chosen.
        code: of that, until the code is compiled, or read, and in memory.
        running: the second call.
    """

    case: str
    name: str
    kept: str
    taken: float
    planning: float
    code: float
    running: float

    def __str__(self) -> str:
        rest = self.taken - self.planning - self.code
        return (
            f"{1e3 * self.taken:7.1f} ms: planning {1e3 * self.planning:6.1f}, "
            f"code {1e3 * self.code:6.1f}, rest {1e3 * rest:5.1f}  {self.case}  {self.name}"
        )


@contextmanager
def timed(places: list[tuple[object, str]]) -> Iterator[dict[str, float]]:
    """Seconds that named functions of modules take while they are called here."""
    seconds = dict.fromkeys((name for _, name in places), 0.0)
    before = [(place, name, getattr(place, name)) for place, name in places]

    def wrap(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*given: Any, **named: Any) -> Any:
            start = time.process_time()
            try:
                return function(*given, **named)
            finally:
                seconds[name] += time.process_time() - start

        return measured

    for place, name, function in before:
        setattr(place, name, wrap(name, function))
    try:
        yield seconds
    finally:
        for place, name, function in before:
            setattr(place, name, function)


def warm_up() -> None:
    """Load all that a process loads with its first layer."""
    forget()
    x, w, dz = (np.ones(shape) for shape in ((1, 2, 9), (3, 2, 2), (1, 3, 8)))
    for name, first, second in zip(PASSES, (x, dz, dz), (w, w, x), strict=True):
        run(name, SEEN, first, second)


def shape_of(case: Case, name: str) -> tuple[int, ...]:
    """The shape of a pass's result."""
    layer = case.layer
    return {
        "forward": (case.batch, layer.filters, *layer.output_size),
        "input_gradient": (case.batch, layer.in_channels, *layer.input_size),
        "weight_gradient": layer.weight_shape,
    }[name]


def call(case: Case, name: str, kept: str, given: tuple[np.ndarray, np.ndarray]) -> First:
    """A pass called twice in this process, into memory that was written before.

    Raises:
        NotImplementedError: where no kernel computes it.
    """
    out = np.ones(shape_of(case, name), case.number)
    with timed([(entry, "plan_pass"), (bound, "load")]) as seconds:
        start = time.process_time()
        result = run(name, case.layer, *given, out=out)
        first = time.process_time() - start
    if result is None:
        raise NotImplementedError(f"no kernel computes {name} of {case}")
    start = time.process_time()
    run(name, case.layer, *given, out=out)
    running = time.process_time() - start
    return First(
        str(case), name, kept, first - running, seconds["plan_pass"], seconds["load"], running
    )


def apart(work: Callable[[], First]) -> First:
    """The work done in a process of its own, a copy of this one, so that it leaves no trace here.

    Raises:
        ChildProcessError: where that process ended without a result.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.close(reading)
            # A copied page is paid for when it is first written to: here and not in the call.
            gc.collect()
            warm_up()
            os.write(writing, json.dumps(asdict(work())).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    if not said:
        raise ChildProcessError("the measuring process ended")
    return First(**json.loads(said))


def measure(case: Case) -> Iterator[First]:
    """The first call of every pass, compiled anew and from disk."""
    x, w, dz = arrays(case)
    given = {"forward": (x, w), "input_gradient": (dz, w), "weight_gradient": (dz, x)}
    for name in PASSES:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["CONVGRAD_CACHE_DIR"] = folder
            for kept in ALLOWED:
                yield apart(lambda n=name, k=kept: call(case, n, k, given[n]))


def summarise(found: list[First]) -> None:
    """How many calls take longer than they should, and the longest of them."""
    for kept, allowed in ALLOWED.items():
        those = sorted((one for one in found if one.kept == kept), key=lambda one: -one.taken)
        beyond = [one for one in those if one.taken > allowed]
        print(
            f"\n{kept}: median {1e3 * median(one.taken for one in those):.1f} ms, "
            f"{len(beyond)} of {len(those)} beyond {1e3 * allowed:.0f} ms; the longest"
        )
        for one in those[: max(len(beyond), 5)]:
            print(f"  {one}")


def main(*, only: str, quick: bool, out: Path) -> None:
    """Measure, print and store.

    Raises:
        SystemExit: where no case has such a name, or the system cannot copy a process.
    """
    wanted = cases(only, quick=quick)
    if not wanted:
        raise SystemExit(f"--only {only}: no case has that name")
    if not hasattr(os, "fork"):
        raise SystemExit(f"{sys.platform} has no fork(), with which calls are kept apart")
    os.environ["CONVGRAD_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CONVGRAD_CACHE_DIR"] = folder
        warm_up()
    found: list[First] = []
    for case in wanted:
        rows = list(measure(case))
        found += rows
        print(f"{case!s:<52}" + "".join(f"{1e3 * one.taken:>8.1f}" for one in rows), flush=True)
    summarise(found)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_suffix(".part")
    part.write_text(json.dumps([asdict(one) for one in found], indent=1))
    part.replace(out)
