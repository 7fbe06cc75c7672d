"""convgrad prove: the derived gradients of a layer against its forward pass, in integers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from convgrad.cli.layer import add_layer_options, layer_of
from convgrad.errors import ConvgradError

if TYPE_CHECKING:
    import argparse

    from convgrad.cli.command import Subparsers
    from convgrad.exact.proof import Proof

METHODS = {
    "auto": "",
    "basis": "difference quotient over the complete basis",
    "coefficients": "comparison of every coefficient, axis by axis",
    "identity": "polynomial identity test",
}


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the program."""
    parser = subparsers.add_parser(
        "prove",
        help="check the gradients of a layer against its forward pass, exactly",
        description=__doc__,
    )
    add_layer_options(parser, required=False)
    group = parser.add_argument_group("instead of a layer")
    group.add_argument("--equation", metavar="TEXT", help="any sum of products; sizes are numbers")
    group.add_argument("--wrt", metavar="NAME", help="the tensor to derive by (default: all)")
    group = parser.add_argument_group("how")
    group.add_argument(
        "--method",
        choices=tuple(METHODS),
        default="auto",
        help="every basis vector, every coefficient axis by axis, or a random point of a prime "
        "field; auto: the first if small, else the last",
    )
    group.add_argument("--trials", type=int, default=1, help="random points of the identity test")
    group.add_argument("--batch", type=int, default=2, help="instances (default 2)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prove; 0 where everything holds, 1 where something does not."""
    if arguments.trials < 1 or arguments.batch < 1:
        raise ConvgradError("--trials and --batch are at least 1")
    proofs = _equation(arguments) if arguments.equation else _layer(arguments)
    for proof in proofs:
        sys.stdout.write(f"{proof}\n")
    return 0 if all(proof.holds for proof in proofs) else 1


def _layer(arguments: argparse.Namespace) -> tuple[Proof, ...]:
    if any(getattr(arguments, name) is None for name in ("input", "filters", "kernel")):
        raise ConvgradError("no layer", mend="give --input, --filters and --kernel, or --equation")
    from convgrad.exact.proof import prove

    layer = layer_of(arguments)
    sys.stdout.write(f"{layer}\n")
    return prove(
        layer,
        batch=arguments.batch,
        method=METHODS[arguments.method],
        trials=arguments.trials,
    )


def _equation(arguments: argparse.Namespace) -> tuple[Proof, ...]:
    from convgrad.algebra import parse
    from convgrad.algebra.differentiate import differentiate
    from convgrad.exact.proof import prove_gradient

    equation = parse(arguments.equation)
    if equation.letters:
        letters = ", ".join(sorted(equation.letters))
        raise ConvgradError(
            f"the sizes {letters} have no numbers",
            mend="write them after `for` and `with`: ... for i < 4, j < 3 with x[9]",
        )
    names = [arguments.wrt] if arguments.wrt else list(equation.inputs)
    sys.stdout.write(f"{equation}\n")
    return tuple(
        prove_gradient(
            [equation],
            [differentiate(equation, name).result],
            name,
            method=METHODS[arguments.method],
            trials=arguments.trials,
        )
        for name in names
    )
