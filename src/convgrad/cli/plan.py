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
    from convgrad.kernels.target import Target

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
    from convgrad.padding import padded_layer

    if arguments.batch < 1:
        raise ConvgradError(f"--batch {arguments.batch}: at least 1 instance is needed")
    target = target_here()
    layer = layer_of(arguments)
    sys.stdout.write(f"{layer}, batch {arguments.batch}, {arguments.dtype}, {target.name}\n")
    if layer.padding_mode != "zeros":
        layer = padded_layer(layer)
        sys.stdout.write(f"the input is padded beforehand; the kernels run\n{layer}\n")
    for name in [arguments.name] if arguments.name else PASSES:
        program = plan_pass(
            layer, name, batch=arguments.batch, number=arguments.dtype, target=target
        )
        shown = "computed by the NumPy reference" if program is None else str(program)
        sys.stdout.write(f"\n{name.replace('_', ' ')}\n{shown}\n")
        if program is None:
            continue
        sys.stdout.write(f"\n{predicted(program.cycles, target)}\n")
        if not arguments.no_measure:
            sys.stdout.write(f"{measured(layer, name, arguments.batch, arguments.dtype)}\n")
    return 0


def target_here() -> Target:
    """The processor at hand.

    Raises:
        ConvgradError: there are no kernels on it.
    """
    from convgrad.kernels import llvm
    from convgrad.kernels.target import host_target

    if not llvm.is_available():
        raise ConvgradError(
            "llvmlite is not installed: NumPy computes every pass", mend="pip install llvmlite"
        )
    target = host_target()
    if target is None:
        raise ConvgradError("there are no kernels for this processor: NumPy computes every pass")
    return target


def predicted(cycles: float, target: Target) -> str:
    """Predicted cycles as time, at the speed that the processor has now."""
    from convgrad.kernels.clock import frequency

    rate = frequency(target)
    return f"predicted: {duration(cycles / rate)} on one core at {rate / 1e9:.1f} GHz"


def measured(layer: Convolution, name: Pass, batch: int, number: str) -> str:
    """How long a pass takes, compiled and with its memory at hand."""
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
    threads = kernels.get_num_threads()
    team = "1 thread" if threads == 1 else f"{threads} threads"
    return f"measured:  {duration(min(times))} with {team}, the fastest of {len(times)} runs"


def duration(seconds: float) -> str:
    """A time in the unit that suits it.

    >>> duration(0.0123), duration(4.56e-5)
    ('12.3 ms', '45.6 us')
    """
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} us"
