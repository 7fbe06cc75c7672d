"""The line of someone's file where a mistake can be seen.

Every statement of the pass is looked at, also in the functions of the file that it calls. What the
mistake's pattern finds comes first; among those, statements that make the gradient in question, and
what is typical of the mistake (`TYPICAL`). A guess: on the files of the tests it is a line that was
changed to make the mistake in four of five.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from convgrad.check.conventions.places import NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from convgrad.check.mistakes.mistake import Mistake
    from convgrad.check.source import Source, Target

Definition: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef"


@dataclass(frozen=True)
class Statement:
    """A statement, or the head of a loop.

    Attributes:
        node: of the syntax tree.
        text: without comments, on one line.
        loops: the texts of what the loops around it run over, the outermost first.
        own: it stands in the pass itself, not in a function that the pass calls.
        spatial: a loop whose variable stands in slices or products of subscripts.
    """

    node: ast.stmt
    text: str
    loops: tuple[str, ...]
    own: bool
    spatial: bool = False

    @property
    def targets(self) -> list[ast.expr]:
        """What it writes to."""
        if isinstance(self.node, ast.Assign):
            return self.node.targets
        if isinstance(self.node, (ast.AugAssign, ast.AnnAssign)):
            return [self.node.target]
        return []

    @property
    def names(self) -> set[str]:
        """The names that it writes to."""
        return {name for target in self.targets for name in _roots(target)}

    @property
    def into_a_part(self) -> bool:
        """Whether it writes into a part of an array that is there."""
        return any(isinstance(t, ast.Subscript) for t in self.targets)

    @property
    def over(self) -> str:
        """What the loop that it opens runs over."""
        return ast.unparse(self.node.iter) if isinstance(self.node, ast.For) else ""


Look: TypeAlias = "Callable[[Statement], bool]"


def _finds(pattern: str) -> Look:
    return lambda s: re.search(pattern, s.text) is not None


# What a statement looks like that holds the mistake, where the pattern alone finds several.
TYPICAL: dict[str, tuple[Look, ...]] = {
    "overwritten-not-added": (
        lambda s: isinstance(s.node, ast.Assign) and s.into_a_part and bool(s.loops),
        lambda s: (
            isinstance(s.node, ast.Assign) and isinstance(s.node.value, ast.Name) and bool(s.loops)
        ),
    ),
    "height-for-width": (
        lambda s: bool(s.over) and s.over in s.loops,
        lambda s: isinstance(s.node, ast.Assign) and len(s.node.targets) > 1,
        _finds(r"\b\w*[wW]\w* = .*(shape\[2\]|\b[hH]\b|_[hH]\b)"),
    ),
    "stride-ignored": (
        lambda s: (
            "*" not in s.text and "::" not in s.text and bool(_SLICE.search(s.text))
            and (s.into_a_part or bool(s.loops))
        ),
        lambda s: bool(s.loops) and re.match(r"\w+(, \w+)* = \w+(, \w+)*$", s.text) is not None,
    ),
    "loops-over-input": (
        lambda s: s.spatial, _finds(r"^\w+(, \w+)+ = .*(in|inp|input|x)\w*\.shape"),
    ),
    "last-filter-missing": (_finds(r"range\((1,|.*- 1\))"),),
    "last-window-missing": (_finds(r"range\(.*- 1\)"),),
    "padding-hard-coded": (
        _finds(r"[\[,] ?[12]:"), _finds(r"pad\w*, ?1|= ?.*, 1$|pad\w* = \d"),
    ),
    "wrong-side-cropped": (_finds(r":.*\+"), _finds(r"return|^d\w+ = \w+\[")),
    "padding-twice": (
        lambda s: s.own and re.search(r"pad\w*\(", s.text) is not None, _finds(r"np\.pad"),
    ),
    "padding-ignored": (_finds(r"return \w+\[|= \w+\[.*:"),),
    "weight-decay": (_finds(r"\d\.?\d*e-\d|0\.0|lambda|decay|reg"),),
    "uncovered-rows": (_finds(r"- 1\) \* [\w.]+ \+"),),
    "zero-insertion": (_finds(r"stride [+-] 1|np\.insert"),),
    "dilation-off-by-one": (_finds(r"(dilat\w*|rate|\bd) ?[+-] ?1"),),
    "dilation-ignored": (_finds(r", 1\)"),),
    "error-rotated": (_finds(r"::-1|flip|rot90"),),
    "kernel-gradient-reversed": (_finds(r"- 1 - |::-1|flip|rot90"),),
    "groups-ignored": (lambda s: s.into_a_part,),
    "bias-ignored": (lambda s: isinstance(s.node, ast.Return),),
    "sign": (
        lambda s: _STEPS.match(s.text) is not None and _RATES.search(s.text) is not None,
        _finds(r"-=|= *-|- *np"),
    ),
    "zeros-returned": (_finds(r"zeros"),),
    "axes-mixed": (_finds(r"reshape\((?!.*transpose)"),),
}  # fmt: skip
_STEPS = re.compile(r"[\w.\[\]'\"]+ ([-+]= |= .*[-+] )")
_RATES = re.compile(r"rate|eta\b|alpha|\blr|step", re.IGNORECASE)
OF_PARAMETERS = {
    "dx": re.compile(r"(?!)"),
    "dw": re.compile(r"_?(w\d?|weights?|kernels?|filters?|k)$", re.IGNORECASE),
    "db": re.compile(r"_?(b|bias(es)?)$", re.IGNORECASE),
}
_SLICE = re.compile(r"\[.*:|slice\(")


def find_line(mistake: Mistake, gradient: str, source: Source, target: Target) -> int:
    """The line that shows a mistake in a gradient; where nothing does, where the pass starts.

    The names of the gradient are those that NAMES knows, or those that the pass returns.
    """
    functions = (target.forward,) if gradient == "forward" and target.forward else target.backward
    statements = list(_statements(source, {f.line for f in functions}))
    names = _names_of(gradient, statements)
    patterns = [pattern for g, pattern in NAMES.items() if g != gradient]
    others = {n for s in statements for n in s.names if any(p.match(n) for p in patterns)} - names
    if not mistake.source:
        return functions[0].line
    best: tuple[float, int] | None = None
    for s in statements:
        score = _score(s, mistake, names) - 4.0 * bool(s.names & others)
        if score > 0 and (best is None or score > best[0]):
            best = (score, _line_of(s, mistake, source))
    return functions[0].line if best is None else best[1]


def line_that_changes(names: set[str], source: Source, target: Target) -> int | None:
    """The first line of the backward pass that writes into an array of one of these names."""
    for s in _statements(source, {f.line for f in target.backward}):
        in_place = isinstance(s.node, ast.AugAssign) or s.into_a_part
        if (in_place and s.names & names) or any(_is_output(n, s) for n in names):
            return s.node.lineno
    return None


def _is_output(name: str, s: Statement) -> bool:
    return (
        re.search(rf"\bout\s*=\s*{re.escape(name)}\b|^{re.escape(name)}\.(fill|sort|put)\(", s.text)
        is not None
    )


def _score(s: Statement, mistake: Mistake, names: set[str]) -> float:
    written = bool(s.names & names)
    looks = [look(s) for look in TYPICAL.get(mistake.name, ())]
    matches = bool(mistake.source) and re.search(mistake.source, s.text) is not None
    if not matches and not any(looks):
        return 0.5 * written * (1 + s.into_a_part)  # nothing but the gradient's own line
    used = any(n in names for n in re.findall(r"[A-Za-z_]\w*", s.text))
    score = 2.0 * matches + 3.0 * s.own + 4.0 * written + 2.0 * used + (not s.over)
    score += 2.0 * (s.into_a_part and written)
    return score + sum(8.0 - n for n, yes in enumerate(looks) if yes)


def _names_of(gradient: str, statements: Sequence[Statement]) -> set[str]:
    """The names under which a gradient goes, and those that are views of them."""
    written = {name for s in statements if s.own for name in s.names}
    pattern = next((p for g, p in NAMES.items() if g == gradient), None)
    if pattern is None:
        return _returned(statements)
    found = {n for n in written if pattern.match(n) or pattern.match(n.removesuffix("_pad"))}
    if not found and gradient == "dx":
        others = [p for g, p in NAMES.items() if g != gradient]
        found = {n for n in _returned(statements) if not any(p.match(n) for p in others)}
    if not found:  # the step of the weights: self.kernel -= rate * step
        steps = [s for s in statements if s.own and s.names and _STEPS.match(s.text)]
        for s in steps:
            if any(OF_PARAMETERS[gradient].match(n) for n in s.names):
                found |= set(re.findall(r"[A-Za-z_]\w*", s.text)) & written - s.names
    for s in statements:  # what it is cut or filled from: dx = padded[:, :, 1:-1], dx[n] += full
        value = s.node.value if isinstance(s.node, (ast.Assign, ast.AugAssign)) else None
        if s.names & found and isinstance(value, (ast.Subscript, ast.Name)):
            found |= set(_roots(value)) & written
    return found


def _returned(statements: Sequence[Statement]) -> set[str]:
    nodes = [s.node.value for s in statements if s.own and isinstance(s.node, ast.Return)]
    return {name for value in nodes if value is not None for name in _roots(value)}


def _roots(node: ast.expr) -> Iterator[str]:
    """The names at the root of what is written or read in part: `self.dw[0]` is dw."""
    if isinstance(node, (ast.Tuple, ast.List)):
        for part in node.elts:
            yield from _roots(part)
    elif isinstance(node, (ast.Subscript, ast.Starred)):
        yield from _roots(node.value)
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Name):
        yield node.id


def _line_of(s: Statement, mistake: Mistake, source: Source) -> int:
    """The line of a statement of several lines that the pattern finds, or its first."""
    last = s.node.lineno if s.over else s.node.end_lineno or s.node.lineno
    lines = source.text.split("\n")
    for number in range(s.node.lineno, last + 1):
        code = lines[number - 1].split("#")[0]
        if mistake.source and re.search(mistake.source, code):
            return number
    return s.node.lineno


def _statements(source: Source, starts: set[int]) -> Iterator[Statement]:
    """The statements of the pass, then of the functions of the same file that it calls."""
    definitions = [n for n in ast.walk(source.tree) if isinstance(n, ast.FunctionDef)]
    own = [n for n in definitions if n.lineno in starts]
    called = {
        name.attr if isinstance(name, ast.Attribute) else name.id
        for n in own
        for c in ast.walk(n)
        if isinstance(c, ast.Call) and isinstance(name := c.func, (ast.Attribute, ast.Name))
    }
    for n in own:
        yield from _inside(n.body, (), own=True)
    for n in definitions:
        if n.name in called and n.lineno not in starts:
            yield from _inside(n.body, (), own=False)


def _inside(body: Sequence[ast.stmt], loops: tuple[str, ...], *, own: bool) -> Iterator[Statement]:
    for node in body:
        if isinstance(node, ast.For):
            over = ast.unparse(node.iter)
            head = f"for {ast.unparse(node.target)} in {over}"
            yield Statement(node, head, loops, own, spatial=_is_spatial(node))
            yield from _inside([*node.body, *node.orelse], (*loops, over), own=own)
        elif isinstance(node, (ast.If, ast.With, ast.While, ast.Try)):
            yield from _inside(node.body, loops, own=own)
            yield from _inside(getattr(node, "orelse", []), loops, own=own)
        elif not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield Statement(node, ast.unparse(node), loops, own)


def _is_spatial(loop: ast.For) -> bool:
    """Whether the variable of a loop is a position: it stands in a slice or is multiplied."""
    names = set(_roots(loop.target))
    nodes = [n for part in loop.body for n in ast.walk(part)]
    sides = [side for n in nodes if isinstance(n, ast.BinOp) for side in (n.left, n.right)]
    sides += [end for n in nodes if isinstance(n, ast.Slice) for end in (n.lower, n.upper) if end]
    return any(isinstance(side, ast.Name) and side.id in names for side in sides)
