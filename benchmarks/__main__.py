"""The benchmarks' command line."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmarks import checker, first, layers


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("layers", help="every layer and pass, beside PyTorch")
    one.add_argument("--only", default="", help="cases whose name or kind holds this text")
    one.add_argument("--quick", action="store_true", help="the few cases that stand for all")
    one.add_argument("--rounds", type=int, default=5, help="turns that each side gets")
    one.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    one.add_argument("--fresh", action="store_true", help="measure with default malloc too")
    one.add_argument("--no-torch", action="store_true", help="measure convgrad alone")
    one.add_argument("--jax", action="store_true", help="measure JAX too (pip install jax)")
    one.add_argument(
        "--tensorflow", action="store_true", help="measure TensorFlow too (tensorflow-cpu)"
    )
    one.add_argument("--resume", action="store_true", help="keep what --out holds, do the rest")
    one.add_argument("--out", type=Path, default=Path("benchmarks/results/layers.json"))
    two = commands.add_parser("checker", help="the time of a verdict on a file")
    two.add_argument("--only", default="", help="files whose name holds this text")
    three = commands.add_parser("first", help="the first call of every layer and pass")
    three.add_argument("--only", default="", help="cases whose name or kind holds this text")
    three.add_argument("--quick", action="store_true", help="the few cases that stand for all")
    three.add_argument("--out", type=Path, default=Path("benchmarks/results/first.json"))
    given = parser.parse_args()
    if given.command == "checker":
        checker.main(only=given.only)
        return
    if given.command == "first":
        first.main(only=given.only, quick=given.quick, out=given.out)
        return
    wanted = {"torch": not given.no_torch, "jax": given.jax, "tensorflow": given.tensorflow}
    others = tuple(name for name, asked in wanted.items() if asked)
    layers.main(
        only=given.only, quick=given.quick, rounds=given.rounds, threads=given.threads,
        out=given.out, fresh=given.fresh, others=others, resume=given.resume,
    )  # fmt: skip


if __name__ == "__main__":
    main()
