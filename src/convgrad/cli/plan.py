"""convgrad plan: how the compiled kernels would compute the passes of a layer."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from convgrad.cli.layer import add_layer_options, layer_of
from convgrad.errors import ConvgradError

if TYPE_CHECKING:
    import argparse

    from convgrad.cli.command import Subparsers
    from convgrad.convolution import Convolution
    from convgrad.kernels.layers import Pass

PASSES: tuple[Pass, ...] = ("forward", "input_gradient", "weight_gradient")


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the program."""
    parser = subparsers.add_parser(
        "plan",
        help="show the loop nests of the compiled kernels, predicted and measured",
        description=__doc__,
    )
    add_layer_options(parser)
    group = parser.add_argument_group("what is planned")
    group.add_argument("--pass", dest="name", choices=PASSES, help="one pass only")
    group.add_argument("--batch", type=int, default=1, help="instances (default 1)")
    group.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    group.add_argument("--no-measure", action="store_true", help="do not run the passes")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Plan, and return the exit code."""
    from convgrad.kernels import plan_pass
    from convgrad.kernels.target import host_target

    if arguments.batch < 1:
        raise ConvgradError(f"--batch {arguments.batch}: at least 1 instance is needed")
    target = host_target()
    if target is None:
        raise ConvgradError("there are no kernels for this processor: NumPy computes every pass")
    layer = layer_of(arguments)
    sys.stdout.write(f"{layer}, batch {arguments.batch}, {arguments.dtype}, {target.name}\n")
    for name in [arguments.name] if arguments.name else PASSES:
        program = plan_pass(
            layer, name, batch=arguments.batch, number=arguments.dtype, target=target
        )
        shown = "computed by the NumPy reference" if program is None else str(program)
        sys.stdout.write(f"\n{name.replace('_', ' ')}\n{shown}\n")
        if program is not None and not arguments.no_measure:
            seconds = measured(layer, name, arguments.batch, arguments.dtype)
            sys.stdout.write(f"measured: {seconds * 1e6:.0f} us, the fastest of 7 runs\n")
    return 0


def measured(layer: Convolution, name: Pass, batch: int, number: str) -> float:
    """Seconds that a pass takes, compiled and with its memory at hand."""
    import numpy as np

    from convgrad import kernels

    x = np.ones((batch, layer.in_channels, *layer.input_size), number)
    dz = np.ones((batch, layer.filters, *layer.output_size), number)
    w = np.ones(layer.weight_shape, number)
    operands = {"forward": (x, w), "input_gradient": (dz, w), "weight_gradient": (dz, x)}[name]
    out = kernels.run(name, layer, *operands)
    times: list[float] = []
    for _ in range(7):
        start = time.perf_counter()
        kernels.run(name, layer, *operands, out=out)
        times.append(time.perf_counter() - start)
    return min(times)
