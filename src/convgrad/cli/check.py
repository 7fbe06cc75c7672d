"""convgrad check: is a backward pass right, and if not, which index is wrong."""

from __future__ import annotations

import os
import re
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from convgrad.errors import ConvgradError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator, Sequence

    from convgrad.check.checker import Options
    from convgrad.check.report import FileReport
    from convgrad.cli.command import Subparsers

EXAMPLES = r"""
examples:
  convgrad check my_layers.py
  convgrad check my_layers.py:Conv2D --stride 2
  convgrad check submissions/*.py --junit results.xml
  convgrad check --equation 'dx[i] = sum(t) dz[i-t] * w[t]' --forward 'z[o] = sum(t) x[o+t] * w[t]'

exit codes:
  0  every pass that was found is right (or right up to a convention)
  1  at least one gradient is wrong, crashes or is unexplained
  2  a wrong call, or a file in which nothing could be checked
"""


KINDS = ("convolution", "transposed", "depthwise")
MODES = {
    "zeros": "constant", "constant": "constant", "circular": "wrap", "wrap": "wrap",
    "replicate": "edge", "edge": "edge", "reflect": "reflect", "symmetric": "symmetric",
}  # fmt: skip


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the program."""
    import argparse

    parser = subparsers.add_parser(
        "check",
        help="check someone's backward pass and name the mistake",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE[:NAME]",
        help="Python files, notebooks, or folders of them; NAME is a class or a function",
    )
    group = parser.add_argument_group("equations")
    group.add_argument(
        "--equation",
        metavar="TEXT",
        action="append",
        help="an equation, in LaTeX or as text; may be given several times",
    )
    group.add_argument(
        "--forward",
        metavar="TEXT",
        action="append",
        help="the forward pass that the equations belong to, or one for each of them in turn",
    )
    group = parser.add_argument_group("the layer (by default many, one feature at a time)")
    for name, example, words in (
        ("stride", "2", "only layers with this stride; 2x1 or 2x1x1 for one on each axis"),
        ("padding", "1", "only layers with this padding; 1x2 for one on each axis"),
        ("dilation", "2", "only layers with this dilation; 2x1 for one on each axis"),
    ):
        group.add_argument(f"--{name}", metavar=example, help=words)
    for name, words in (
        ("groups", "only layers with so many groups"),
        ("batch", "only layers with so many samples"),
        ("channels", "only layers with so many channels"),
        ("filters", "only layers with so many filters"),
    ):
        group.add_argument(f"--{name}", type=int, metavar="N", help=words)
    group.add_argument("--kernel", metavar="3x3", help="only layers with this kernel")
    group.add_argument("--input-size", metavar="8x9", help="only layers with this input")
    group = parser.add_argument_group("the kind of layer (by default found by trial)")
    group.add_argument(
        "--kind", choices=KINDS, help="what the layer computes: its forward pass is that of a …"
    )
    group.add_argument("--axes", type=int, choices=(1, 2, 3), help="how many axes it slides along")
    group.add_argument(
        "--padding-mode", choices=MODES, help="what stands in the padding (see numpy.pad)"
    )
    group = parser.add_argument_group("the calling convention (by default found by trial)")
    group.add_argument("--layout", metavar="NCHW", help="axes of the input: NHWC, CHW, NCDHW …")
    group.add_argument("--weights-layout", metavar="KCHW", help="axes of the weights, such as HWCK")
    group.add_argument("--bias-layout", metavar="K", help="axes of the bias, such as 1K or 111K")
    group.add_argument("--forward-name", metavar="NAME", help="the forward method or function")
    group.add_argument("--backward-name", metavar="NAME", help="the backward method")
    group.add_argument(
        "--run-module", action="store_true", help="run the file's top level, not only definitions"
    )
    group = parser.add_argument_group("limits")
    group.add_argument("--seconds", type=float, default=5.0, help="for one call (default 5)")
    group.add_argument("--total", type=float, default=60.0, help="for one file (default 60)")
    group.add_argument("--memory", type=int, default=3072, metavar="MB", help="(default 3072)")
    group = parser.add_argument_group("the report")
    group.add_argument("--teach", action="store_true", help="from the verdict to the derivation")
    group.add_argument("--json", action="store_true", help="print JSON (see docs/check.md)")
    group.add_argument("--html", metavar="FILE", help="write one self-contained page")
    group.add_argument("--junit", metavar="FILE", help="write JUnit XML")
    group.add_argument("--brief", action="store_true", help="only the table")
    parser.set_defaults(run=run)


INTERRUPTED = 130  # as shells count a program that Ctrl-C has ended


def run(arguments: argparse.Namespace) -> int:
    """Check: 0 where everything is right, 1 where something is wrong, 2 where nothing was found."""
    if arguments.equation is not None:
        return _check_equation(arguments)
    if not arguments.files:
        raise ConvgradError("nothing to check", mend="name a file, or give --equation")
    files = [file for text in arguments.files for file in _files(text)]
    reports = _check_files(arguments, files)
    _write(arguments, reports)
    if len(reports) < len(files):
        return INTERRUPTED
    if any(not p.is_right for r in reports for p in r.passes):
        return 1
    nothing = any(r.error or not any(p.identified for p in r.passes) for r in reports)
    return 2 if nothing else 0


def _check_files(
    arguments: argparse.Namespace, files: Sequence[tuple[Path, str | None]]
) -> list[FileReport]:
    """The report of every file, shown as soon as it is there; after Ctrl-C of those that are."""
    from dataclasses import replace

    from convgrad.check.checker import check_file
    from convgrad.check.forms.text import write_details

    options = _options(arguments)
    details = not (arguments.json or arguments.brief)
    reports: list[FileReport] = []
    try:
        for number, (path, name) in enumerate(files, start=1):
            _show_progress(f"{number}/{len(files)} ", str(path))
            owner, _, method = (name or "").partition(".")
            wishes = replace(options.wishes, backward=method or options.wishes.backward)
            reports.append(check_file(path, owner or None, replace(options, wishes=wishes)))
            _show_progress("", "")
            if details:
                with _while_read():
                    write_details(reports[-1], sys.stdout)
    except KeyboardInterrupt:
        _show_progress("", "")
        sys.stderr.write(f"interrupted: {len(reports)} of {len(files)} files checked\n")
    return reports


def _show_progress(counted: str, path: str) -> None:
    """One line that is written over and over, on a terminal only; it must not be broken in two."""
    if not sys.stderr.isatty():
        return
    room = shutil.get_terminal_size().columns - len(counted) - 1
    if len(path) > room:
        path = "…" + path[len(path) - room + 1 :]
    sys.stderr.write(f"\r\x1b[K{counted}{path}")
    sys.stderr.flush()


def _files(text: str) -> list[tuple[Path, str | None]]:
    """The file and the name in it, or all files of a folder that have a backward pass."""
    from convgrad.check.checker import files_in

    path, name = _split(text)
    if name is not None or not path.is_dir():
        return [(path, name)]
    found = files_in(path)
    if not found:
        raise ConvgradError(
            f"no backward pass of a convolution below {path}",
            expected="Python files or notebooks",
            mend="name a file",
        )
    return [(file, None) for file in found]


def _split(text: str) -> tuple[Path, str | None]:
    """The file and the name after its colon, such as `Conv2D` or `Conv2D.backward`."""
    path, separator, name = text.rpartition(":")
    is_name = all(part.isidentifier() for part in name.split("."))
    if separator and path and is_name and not Path(text).exists():
        return Path(path), name
    return Path(text), None


def _options(arguments: argparse.Namespace) -> Options:
    from convgrad.check.checker import Options
    from convgrad.check.conventions.wishes import Wishes
    from convgrad.check.sandbox import Limits

    if arguments.seconds <= 0 or arguments.total <= 0 or arguments.memory < 256:
        raise ConvgradError("limits are positive", expected="--memory of at least 256 MB")
    wishes = Wishes(
        _letters("--layout", arguments.layout, "NCDHW", "NHWC"),
        _letters("--weights-layout", arguments.weights_layout, "KCDHW1()", "HWCK"),
        _letters("--bias-layout", arguments.bias_layout, "KDHW01", "111K"),
        forward=arguments.forward_name,
        backward=arguments.backward_name,
        kind=arguments.kind,
        mode=MODES.get(arguments.padding_mode),
        axes=arguments.axes,
        layer=_layer(arguments),
    )
    limits = Limits(arguments.seconds, arguments.total, arguments.memory * 2**20)
    return Options(wishes, limits, arguments.run_module)


def _letters(option: str, layout: str | None, letters: str, example: str) -> str | None:
    """A layout, refused where it has a letter too many or twice; small letters will do."""
    if layout is None:
        return None
    layout = layout.upper()
    axes = [letter for letter in layout if letter.isalpha()]
    brackets = re.sub(r"\([A-Z]+\)", "", layout)
    if set(layout) - set(letters) or len(set(axes)) < len(axes) or set(brackets) & set("()"):
        raise ConvgradError(
            f"{option} {layout}", expected=f"{' '.join(letters)}, each once, such as {example}"
        )
    return layout


def _layer(arguments: argparse.Namespace) -> dict[str, object]:
    """The sizes that the user has fixed, as fields of the probes' layer."""
    fixed: dict[str, object] = {}
    for name in ("batch", "channels", "filters", "groups"):
        if getattr(arguments, name) is not None:
            fixed[name] = _positive(name, getattr(arguments, name))
    for name in ("stride", "dilation"):
        if getattr(arguments, name) is not None:
            fixed[name] = _numbers(name, getattr(arguments, name))
    if arguments.padding is not None:
        fixed["pads"] = tuple((n, n) for n in _numbers("padding", arguments.padding, least=0))
    for name, text in (("kernel", arguments.kernel), ("size", arguments.input_size)):
        if text is not None:
            fixed[name] = _numbers(name, text)
    return fixed


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise ConvgradError(f"--{name} {value}", expected="1 or more")
    return value


def _numbers(name: str, text: str, least: int = 1) -> tuple[int, ...]:
    """One number for all axes, or one for each of up to three."""
    try:
        numbers = [int(part) for part in text.split("x")]
    except ValueError:
        numbers = []
    if len(numbers) not in {1, 2, 3} or min(numbers) < least:
        raise ConvgradError(
            f"--{name} {text}", expected=f"whole numbers of at least {least}, such as 2 or 2x3"
        )
    return tuple(numbers)


def _write(arguments: argparse.Namespace, reports: Sequence[FileReport]) -> None:
    """What is written about all files together."""
    from convgrad.check.forms.data import write_json
    from convgrad.check.forms.junit import write_junit
    from convgrad.check.forms.lesson import write_lesson
    from convgrad.check.forms.page import write_page
    from convgrad.check.forms.text import write_summary
    from convgrad.files import write_text

    if arguments.html:
        write_text(arguments.html, write_page(reports))
    if arguments.junit:
        write_text(arguments.junit, write_junit(reports))
    with _while_read():
        if arguments.json:
            lesson = write_lesson(reports) if arguments.teach else None
            sys.stdout.write(write_json(reports, lesson))
            return
        write_summary(reports, sys.stdout, always=arguments.brief)
        if arguments.teach:
            sys.stdout.write(write_lesson(reports))


@contextmanager
def _while_read() -> Generator[None]:
    """Text for a reader who may go away, as `head` does; files and the exit code are due anyway."""
    try:
        yield
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # rich ends the program where nobody reads
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _check_equation(arguments: argparse.Namespace) -> int:
    import json

    from convgrad.check.equations import check_equations
    from convgrad.check.forms.lesson import write_equation_lesson

    texts, forwards = arguments.equation, arguments.forward or [None]
    if len(forwards) not in {1, len(texts)}:
        raise ConvgradError(
            f"--forward is given {len(forwards)} times, and --equation {len(texts)} times",
            expected="--forward once for all equations, or once for each",
        )
    pairs = zip(texts, forwards if len(forwards) > 1 else forwards * len(texts), strict=True)
    reports = tuple(report for pair in pairs for report in check_equations(*pair))
    if arguments.json:
        found = [report.as_json() for report in reports]
        data: dict[str, object] = (
            found[0] if len(found) == 1 else {"version": 1, "equations": found}
        )
        if arguments.teach:
            data["lesson"] = write_equation_lesson(reports)
        sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("\n\n".join(map(str, reports)) + "\n")
        if arguments.teach:
            sys.stdout.write("\n" + write_equation_lesson(reports))
    return 0 if all(report.is_right for report in reports) else 1
