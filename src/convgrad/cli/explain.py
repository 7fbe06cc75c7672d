"""convgrad explain: the equations of a layer, why they hold, an example, code."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from convgrad.cli.layer import add_layer_options, layer_of
from convgrad.errors import ConvgradError

if TYPE_CHECKING:
    import argparse

    from convgrad.cli.command import Subparsers
    from convgrad.explain.document import Document
    from convgrad.notation.conventions import Convention

EXAMPLES = """\
examples:
  convgrad explain --input 3x32x32 --filters 20 --kernel 5x5 --stride 2 --padding 1
  convgrad explain --input 8x100 --filters 8 --kernel 3 --dilation 4 --groups 8 --steps
  convgrad explain --input 64x7x7 --filters 32 --kernel 4x4 --stride 2 --transposed --html t.html
  convgrad explain --equation "y[i] = sum(j) a[i,j] * x[j]" --wrt x
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the program."""
    import argparse

    parser = subparsers.add_parser(
        "explain",
        help="show the equations of a layer's backward pass, why they hold, and code",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_layer_options(parser, required=False)
    group = parser.add_argument_group("instead of a layer")
    group.add_argument("--equation", metavar="TEXT", help="any sum of products, in index notation")
    group.add_argument(
        "--wrt", metavar="NAME", help="the tensor to differentiate by (default: all)"
    )
    group = parser.add_argument_group("what is shown, and how")
    group.add_argument("--steps", action="store_true", help="the derivations, step by step")
    group.add_argument("--no-code", action="store_true", help="leave out the NumPy code")
    group.add_argument(
        "--notation", default="framework", metavar="NAME", help="framework, seed or jefkine"
    )
    group.add_argument(
        "--letters", metavar="ih=y,iw=x", help="letters of your own for indices of the notation"
    )
    group.add_argument(
        "--count-from", type=int, choices=(0, 1), help="where indices begin, whatever the notation"
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--latex", action="store_true", help="print LaTeX")
    output.add_argument("--json", action="store_true", help="print sizes and equations as JSON")
    output.add_argument("--html", metavar="FILE", help="write one self-contained page")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Explain, and return the exit code."""
    way = _notation(arguments)
    if arguments.equation:
        return _equation(arguments, way)
    missing = [name for name in ("input", "filters", "kernel") if getattr(arguments, name) is None]
    if missing:
        raise ConvgradError(
            f"no layer: {', '.join('--' + name for name in missing)} missing",
            mend="give --input, --filters and --kernel, or an --equation",
        )
    from convgrad.explain.content import Explanation

    layer = layer_of(arguments)
    explanation = Explanation(layer, way, arguments.steps, not arguments.no_code)
    if arguments.json:
        from convgrad.explain.data import layer_data, to_json

        sys.stdout.write(to_json(layer_data(explanation)))
        return 0
    return _show(arguments, explanation.document)


def _equation(arguments: argparse.Namespace, way: Convention) -> int:
    from convgrad.algebra import parse
    from convgrad.explain.equation import EquationExplanation

    equation = parse(arguments.equation)
    explanation = EquationExplanation(equation, arguments.wrt, way, arguments.steps)
    if arguments.json:
        from convgrad.explain.data import equation_data, to_json

        sys.stdout.write(to_json(equation_data(explanation)))
        return 0
    return _show(arguments, explanation.document)


def _show(arguments: argparse.Namespace, document: Document) -> int:
    if arguments.latex:
        from convgrad.explain.tex import tex

        sys.stdout.write(tex(document))
    elif arguments.html:
        from convgrad.explain.page import page
        from convgrad.files import write_text

        write_text(arguments.html, page(document))
        sys.stdout.write(f"wrote {arguments.html}\n")
    else:
        from convgrad.explain.terminal import show

        show(document)
    return 0


def _notation(arguments: argparse.Namespace) -> Convention:
    from convgrad.notation.conventions import convention

    letters: dict[str, str] = {}
    for pair in (arguments.letters or "").split(","):
        name, equals, letter = pair.partition("=")
        if pair and not (name and equals and letter):
            raise ConvgradError(
                f"--letters {arguments.letters} cannot be read",
                expected="index=letter with commas between, such as ih=y,iw=x",
            )
        letters |= {name.strip(): letter.strip()} if pair else {}
    way = convention(arguments.notation, letters)
    return way if arguments.count_from is None else replace(way, first=arguments.count_from)
