"""`python -m benchmarks layers`: every layer and pass, beside PyTorch."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from math import exp, log, prod
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import machine
from benchmarks.sides import PASSES, SIDES, Process, Side
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
    """

    case: str
    kind: str
    name: str
    operations: int
    seconds: dict[str, float]
    rate: float
    ratio: float
    fraction: float


def operations(case: Case) -> int:
    """Multiply-adds of a pass, counted as two."""
    layer = case.layer
    narrow = layer.input_size if layer.transposed else layer.output_size
    channels = layer.in_channels * layer.filters // layer.groups
    return 2 * case.batch * prod(narrow) * prod(layer.kernel) * channels


def measure(case: Case, processes: dict[tuple[str, bool], Process], rounds: int) -> list[Result]:
    """All passes of a case: sides take turns, round after round."""
    results: list[Result] = []
    for name in PASSES:
        times: dict[str, list[float]] = {}
        for _ in range(rounds):
            for side in SIDES:
                process = processes.get((side.library, side.kept))
                if process is None:
                    continue
                asked = process.ask(case=str(case), layout=side.layout, name=name, seconds=0.04)
                if asked:
                    times.setdefault(str(side), []).append(median(asked))
        seconds = {side: median(several) for side, several in times.items()}
        ours = seconds[str(OURS)]
        theirs = [s for side, s in seconds.items() if "torch" in side and "kept" in side]
        results.append(
            Result(
                str(case), case.kind, name, operations(case), seconds,
                rate=operations(case) / ours / 1e9,
                ratio=min(theirs, default=float("nan")) / ours,
                fraction=0.0,
            )
        )  # fmt: skip
    return results


def mean(ratios: list[float]) -> float:
    """The geometric mean."""
    return exp(sum(map(log, ratios)) / len(ratios)) if ratios else float("nan")


def main(
    *, only: str, quick: bool, rounds: int, threads: int, out: Path, fresh: bool, torch: bool
) -> None:
    """Measure, print and store."""
    peaks = {number: machine.peak(number, threads) for number in ("float32", "float64")}
    speed = machine.bandwidth(threads)
    print(f"{platform.machine()}, {threads} threads: ", end="")
    print(", ".join(f"{number} {rate:.0f} GFLOP/s" for number, rate in peaks.items()), end="")
    print(f", copying {speed:.0f} GB/s")
    libraries = ["convgrad", *(["torch"] if torch else [])]
    processes = {
        (library, kept): Process(library, kept=kept, threads=threads)
        for library in libraries
        for kept in ((True, False) if fresh else (True,))
    }
    results: list[Result] = []
    print(f"{'layer':<52}{'forward':>22}{'input gradient':>22}{'weight gradient':>22}")
    print(f"{'':<52}" + f"{'GFLOP/s  peak  ratio':>22}" * 3)
    for case in cases(only, quick=quick):
        rows = [
            Result(**{**asdict(row), "fraction": row.rate / peaks[case.number]})
            for row in measure(case, processes, rounds)
        ]
        results += rows
        cells = "".join(f"{row.rate:>9.0f} {row.fraction:>5.0%} {row.ratio:>6.2f}" for row in rows)
        print(f"{case!s:<52}{cells}", flush=True)
    for process in processes.values():
        process.close()
    summarise(results)
    facts = {"threads": threads, "peak": peaks, "bandwidth": speed, "processor": platform.machine()}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(
        json.dumps({"machine": facts, "results": [asdict(r) for r in results]}, indent=1)
    )
    draw(results, out.with_suffix(".png"))


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


def draw(results: list[Result], path: Path) -> None:
    """A picture of all ratios, where matplotlib is installed."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        print("no picture: matplotlib is not installed")
        return
    labels = list(dict.fromkeys(result.case for result in results))
    figure, axes = plt.subplots(figsize=(9, 1 + 0.22 * len(labels)), layout="constrained")
    for shift, name in zip((-0.25, 0, 0.25), PASSES, strict=True):
        ratio = {r.case: r.ratio for r in results if r.name == name}
        places = [labels.index(case) + shift for case in ratio]
        axes.plot(list(ratio.values()), places, "o", markersize=4, label=name.replace("_", " "))
    axes.axvline(1, color="grey", linewidth=1)
    axes.set(xscale="log", xlabel="times as fast as the best PyTorch mode", ylim=(len(labels), -1))
    axes.set_yticks(range(len(labels)), labels, fontsize=6)
    axes.legend()
    figure.savefig(path, dpi=150)
    print(f"picture: {path}")
