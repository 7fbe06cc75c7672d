"""The line of someone's file where a mistake can be seen."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from convgrad.check.conventions.places import NAMES

if TYPE_CHECKING:
    from convgrad.check.source import Source, Target


def find_line(pattern: str, gradient: str, source: Source, target: Target) -> int | None:
    """The line of the backward pass that matches the pattern and concerns the gradient."""
    lines = source.text.split("\n")
    names = NAMES.get(gradient)  # type: ignore[call-overload]
    best: tuple[int, int] | None = None
    for start, stop, bonus in _ranges(source, target):
        for number in range(start, stop + 1):
            line = lines[number - 1] if number <= len(lines) else ""
            code = line.split("#")[0]
            if not pattern or not re.search(pattern, code):
                continue
            words = re.findall(r"[A-Za-z_]\w*", code.split("=")[0])
            concerned = names is not None and any(
                names.match(w.removesuffix("_pad")) for w in words
            )
            anywhere = names is not None and any(
                names.match(w) for w in re.findall(r"[A-Za-z_]\w*", code)
            )
            score = bonus + 4 * concerned + 2 * anywhere + ("=" in code)
            if best is None or score > best[0]:
                best = (score, number)
    if best is not None:
        return best[1]
    return target.backward[0].line


def _ranges(source: Source, target: Target) -> list[tuple[int, int, int]]:
    """Lines of the backward pass, then of the functions of the same file that it calls."""
    definitions = [n for n in ast.walk(source.tree) if isinstance(n, ast.FunctionDef)]
    starts = {f.line for f in target.backward}
    own = [n for n in definitions if n.lineno in starts]
    called = {
        name.attr if isinstance(name, ast.Attribute) else name.id
        for n in own
        for c in ast.walk(n)
        if isinstance(c, ast.Call) and isinstance(name := c.func, (ast.Attribute, ast.Name))
    }
    others = [n for n in definitions if n.name in called and n.lineno not in starts]
    ranges = [(n.lineno + 1, n.end_lineno or n.lineno, 3) for n in own]
    return ranges + [(n.lineno + 1, n.end_lineno or n.lineno, 0) for n in others]
