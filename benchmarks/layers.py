"""`python -m benchmarks layers`: every layer and pass, beside PyTorch and others."""

from __future__ import annotations

import importlib.util
import json
import platform
from dataclasses import asdict, dataclass
from math import exp, isnan, log, prod
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks import machine
from benchmarks.libraries import INSTALL, PASSES
from benchmarks.sides import SIDES, Process, Side, agree
from benchmarks.suite import Case, cases

if TYPE_CHECKING:
    from pathlib import Path

OURS = Side("convgrad", "", kept=True)


@dataclass(frozen=True)
class Result:
    """One pass of one layer on all sides.

    Attributes:
        case: the layer's name.
        kind: what limits it.
        name: the pass.
        operations: multiply-adds counted as two, absent terms included.
        seconds: median per side.
        rate: ours, in 1e9 operations per second.
        ratio: the best PyTorch side with the same pages / ours; above 1 we are faster.
        fraction: our rate / the machine's measured peak.
        bound: "arithmetic" or "memory", whichever takes the machine longer.
        reached: the time of that bound / ours.
        failures: what sides that gave no time said.
    """

    case: str
    kind: str
    name: str
    operations: int
    seconds: dict[str, float]
    rate: float
    ratio: float
    fraction: float
    bound: str
    reached: float
    failures: dict[str, str]


@dataclass(frozen=True)
class Machine:
    """What was measured of the machine, and with how many threads.

    Attributes:
        processor: its family.
        threads: of all libraries.
        peak: 1e9 operations per second, for each type of number.
        bandwidth: 1e9 bytes per second, copying.
    """

    processor: str
    threads: int
    peak: dict[str, float]
    bandwidth: float

    def __str__(self) -> str:
        peaks = ", ".join(f"{number} {rate:.0f} GFLOP/s" for number, rate in self.peak.items())
        copying = f"copying {self.bandwidth:.0f} GB/s"
        return f"{self.processor}, {self.threads} threads: {peaks}, {copying}"


def operations(case: Case) -> int:
    """Multiply-adds of a pass, counted as two; terms that the padding leaves out are counted."""
    layer = case.layer
    narrow = layer.input_size if layer.transposed else layer.output_size
    channels = layer.in_channels * layer.filters // layer.groups
    return 2 * case.batch * prod(narrow) * prod(layer.kernel) * channels


def traffic(case: Case) -> int:
    """Bytes of x, w and z: each pass reads two of them and writes the third, once at least."""
    layer = case.layer
    elements = (
        case.batch * layer.in_channels * prod(layer.input_size)
        + case.batch * layer.filters * prod(layer.output_size)
        + prod(layer.weight_shape)
    )
    return elements * (4 if case.number == "float32" else 8)


def limit(case: Case, machine: Machine) -> tuple[str, float]:
    """Which bound of the machine takes longer, and how many seconds."""
    arithmetic = operations(case) / machine.peak[case.number] / 1e9
    memory = traffic(case) / machine.bandwidth / 1e9
    return ("memory", memory) if memory > arithmetic else ("arithmetic", arithmetic)


def judge(
    case: Case, name: str, machine: Machine, seconds: dict[str, float], failures: dict[str, str]
) -> Result:
    """A pass's result from what the sides took; not a number where a side gave none."""
    ours = seconds.get(str(OURS), float("nan"))
    theirs = [s for side, s in seconds.items() if "torch" in side and "kept" in side]
    rate = operations(case) / ours / 1e9
    bound, least = limit(case, machine)
    return Result(
        str(case), case.kind, name, operations(case), seconds,
        rate=rate,
        ratio=min(theirs, default=float("nan")) / ours,
        fraction=rate / machine.peak[case.number],
        bound=bound,
        reached=least / ours,
        failures=failures,
    )  # fmt: skip


def measure(
    case: Case, machine: Machine, processes: dict[tuple[str, bool], Process], rounds: int
) -> list[Result]:
    """All passes of a case: sides show that their numbers agree, then take turns.

    A side that fails or has other numbers than the first one, convgrad's, is not timed.
    """
    results: list[Result] = []
    sides = [side for side in SIDES if (side.library, side.kept) in processes]
    for name in PASSES:
        times: dict[str, list[float]] = {}
        failures: dict[str, str] = {}

        def ask(side: Side, name: str = name, said: dict[str, str] = failures, **more: Any) -> Any:
            question = {"case": str(case), "layout": side.layout, "name": name, **more}
            answer = answered(processes, side, machine.threads, question)
            if isinstance(answer, dict):
                said[str(side)] = answer["error"]
                return None
            return answer

        expected: list[float] | None = None
        for side in sides:
            probed = ask(side, probe=True)
            expected = expected or probed
            if probed and expected and not agree(expected, probed, case.number):
                failures[str(side)] = f"other numbers than {sides[0]}"
        for _ in range(rounds):
            for side in sides:
                if str(side) not in failures and (asked := ask(side, seconds=0.04)):
                    times.setdefault(str(side), []).append(median(asked))
        seconds = {side: median(several) for side, several in times.items()}
        results.append(judge(case, name, machine, seconds, failures))
    return results


def answered(
    processes: dict[tuple[str, bool], Process], side: Side, threads: int, question: dict[str, Any]
) -> Any:
    """What a side's process says, started anew where it ended; its end is an answer too."""
    key = (side.library, side.kept)
    if not processes[key].is_alive:
        processes[key] = Process(side.library, kept=side.kept, threads=threads)
    try:
        return processes[key].ask(**question)
    except ChildProcessError as error:
        processes[key].close()
        return {"error": str(error)}


def store(path: Path, machine: Machine, results: list[Result]) -> None:
    """Write everything measured so far; a file is replaced whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(
        {"machine": asdict(machine), "results": [asdict(r) for r in results]}, indent=1
    )
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)


def restore(path: Path) -> tuple[Machine, list[Result]]:
    """What an earlier run stored."""
    stored = json.loads(path.read_text())
    return Machine(**stored["machine"]), [Result(**result) for result in stored["results"]]


def library_ratio(result: Result, library: str) -> float | None:
    """A library's best time with pages kept / ours; None where one of them has no time."""
    ours = result.seconds.get(str(OURS))
    theirs = [
        s for side, s in result.seconds.items() if side.startswith(library) and "kept" in side
    ]
    return min(theirs) / ours if ours and theirs else None


def mean(ratios: list[float]) -> float:
    """The geometric mean of those that are numbers."""
    known = [ratio for ratio in ratios if not isnan(ratio)]
    return exp(sum(map(log, known)) / len(known)) if known else float("nan")


def main(
    *,
    only: str,
    quick: bool,
    rounds: int,
    threads: int,
    out: Path,
    fresh: bool,
    others: tuple[str, ...],
    resume: bool,
) -> None:
    """Measure, print and store."""
    refuse_missing(others)
    results: list[Result] = []
    if resume and out.exists():
        facts, results = restore(out)
        if facts.threads != threads:
            raise SystemExit(f"{out} was measured with {facts.threads} threads, not {threads}")
    else:
        peak = {number: machine.peak(number, threads) for number in ("float32", "float64")}
        facts = Machine(platform.machine(), threads, peak, machine.bandwidth(threads))
    print(facts)
    processes = {
        (library, kept): Process(library, kept=kept, threads=threads)
        for library in ("convgrad", *others)
        for kept in ((True, False) if fresh else (True,))
    }
    print(f"{'layer':<52}{'forward':>22}{'input gradient':>22}{'weight gradient':>22}")
    print(f"{'':<52}" + f"{'GFLOP/s bound  ratio':>22}" * 3)
    done = {result.case for result in results}
    for case in cases(only, quick=quick):
        if str(case) in done:
            continue
        rows = measure(case, facts, processes, rounds)
        results += rows
        store(out, facts, results)
        print(f"{case!s:<52}{''.join(map(cell, rows))}", flush=True)
        for row in rows:
            for side, said in row.failures.items():
                print(f"  {row.name}: {side} failed: {said}", flush=True)
    for process in processes.values():
        process.close()
    summarise(results)
    draw(results, out.with_suffix(".png"))


def refuse_missing(libraries: tuple[str, ...]) -> None:
    """Say what to install where a library that is asked for is missing."""
    for library in libraries:
        if importlib.util.find_spec(library) is None:
            raise SystemExit(f"{library} is not installed: pip install {INSTALL[library]}")


def cell(row: Result) -> str:
    """Rate, fraction of the arithmetic (a) or memory (m) bound, ratio."""
    return f"{row.rate:>9.0f} {row.reached:>4.0%}{row.bound[0]} {row.ratio:>6.2f}"


def summarise(results: list[Result]) -> None:
    """Geometric means of the ratio, by kind and pass."""
    print("\ngeometric mean of the ratio to the best PyTorch mode, pages kept")
    for kind in dict.fromkeys(result.kind for result in results):
        cells = [
            f"{mean([r.ratio for r in results if r.kind == kind and r.name == name]):>8.2f}"
            for name in PASSES
        ]
        print(f"  {kind:<12}" + "".join(cells))
    single = [r for r in results if not r.case.endswith("f64")]
    print(f"  all float32 {mean([r.ratio for r in single]):.2f}")
    slow = sorted((r for r in results if r.ratio < 0.95), key=lambda r: r.ratio)
    print(f"  below 0.95: {len(slow)} of {len(results)}")
    for result in slow:
        print(f"    {result.ratio:.2f}  {result.case}  {result.name}")
    for library, shown in (("jax", "JAX"), ("tensorflow", "TensorFlow")):
        compare(results, library, shown)


def compare(results: list[Result], library: str, shown: str) -> None:
    """Geometric means beside another library, over the passes that it has."""
    ratios = {
        (r.kind, r.name, r.case): ratio for r in results if (ratio := library_ratio(r, library))
    }
    if not ratios:
        return
    print(f"\ngeometric mean of the ratio to the best {shown} mode, pages kept")
    for kind in dict.fromkeys(kind for kind, _, _ in ratios):
        cells = [
            f"{mean([ratio for key, ratio in ratios.items() if key[:2] == (kind, name)]):>8.2f}"
            for name in PASSES
        ]
        print(f"  {kind:<12}" + "".join(cells))
    print(f"  all {mean(list(ratios.values())):.2f} over {len(ratios)} of {len(results)} passes")


def draw(results: list[Result], path: Path) -> None:
    """A picture of all ratios, where matplotlib is installed."""
    try:
        import matplotlib.pyplot as plt
        from matplotlib.ticker import LogLocator
    except ImportError:
        print("no picture: matplotlib is not installed")
        return
    labels = list(dict.fromkeys(result.case for result in results))
    figure, axes = plt.subplots(figsize=(10, 1.6 + 0.2 * len(labels)), layout="constrained")
    for name, marker in zip(PASSES, "ov^", strict=True):
        ratio = {r.case: r.ratio for r in results if r.name == name}
        places = [labels.index(case) for case in ratio]
        label = f"{name.replace('_', ' ')} (mean {mean(list(ratio.values())):.2f})"
        axes.plot(list(ratio.values()), places, marker, markersize=5, alpha=0.8, label=label)
    axes.axvline(1, color="black", linewidth=1)
    axes.set(xscale="log", xlabel="times as fast as the best PyTorch mode, pages kept")
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_yticks(range(len(labels)), labels, fontsize=7)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.grid(axis="both", linewidth=0.3)
    axes.tick_params(labeltop=True, top=True)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, dpi=150)
    print(f"picture: {path}")
