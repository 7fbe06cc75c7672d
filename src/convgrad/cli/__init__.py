"""The command line: one file for each command."""

from __future__ import annotations

import argparse
import importlib
import sys

from convgrad.errors import ConvgradError

COMMANDS = ("explain", "prove", "check", "plan")
"""The modules of the commands, in the order of the help."""


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        parser.exit(0, f"convgrad {version('convgrad')}\n")


def parser() -> argparse.ArgumentParser:
    """The parser of the whole program."""
    program = argparse.ArgumentParser(
        prog="convgrad",
        description="The backward pass of any convolution layer: read it, prove it, run it, "
        "check yours against it.",
    )
    program.add_argument("--version", action=_Version, nargs=0, help="print the version and stop")
    subparsers = program.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(f"convgrad.cli.{name}").add_parser(subparsers)
    return program


def main(arguments: list[str] | None = None) -> int:
    """Run a command.

    Returns: its exit code: 0 done, 1 a check that failed, 2 a wrong call or an impossible layer.
    """
    chosen = parser().parse_args(arguments)
    try:
        return chosen.run(chosen)
    except ConvgradError as error:
        sys.stderr.write(f"convgrad {chosen.command}: {error}\n")
        return 2
    except BrokenPipeError:  # the reader, `head` say, has enough
        sys.stderr.close()
        return 0
