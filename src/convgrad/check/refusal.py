"""Layers that a forward pass refuses on purpose: to say no is no mistake."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from convgrad.check.sandbox import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from convgrad.check.conventions.convention import Observation
    from convgrad.check.source import Source
    from convgrad.check.watch import Watched

REFUSED = "{}: refused by the code itself ({}), not judged"


def without_refused(every: list[Watched], source: Source) -> tuple[list[Watched], tuple[str, ...]]:
    """The layers that the code accepts, and a remark on the others.

    Where every layer is refused nothing is left out: then the refusal is the verdict.
    """
    refused = {id(w): f for w in every if (f := _refusal(w.seen, source)) is not None}
    kept = [w for w in every if id(w) not in refused]
    if not kept:
        return every, ()
    accepted = {w.given.feature for w in kept}
    by_line: dict[tuple[str, int, str], list[str]] = {}
    words: dict[tuple[str, int, str], str] = {}
    for w in every:
        feature, failure = w.given.feature, refused.get(id(w))
        if failure is not None and feature not in accepted:
            features = by_line.setdefault(failure.lines[-1], [])
            features += [feature] if feature not in features else []
            words.setdefault(failure.lines[-1], str(failure))
    return kept, tuple(REFUSED.format(", ".join(f), words[at]) for at, f in by_line.items())


def _refusal(o: Observation, source: Source) -> Failure | None:
    """Why the forward pass refused this layer, if it did."""
    failure = o.found.get("forward")
    if not isinstance(failure, Failure) or not failure.lines:
        return None
    path, line, _ = failure.lines[-1]
    return failure if path == str(source.path) and line in set(_refusals(source.tree)) else None


def _refusals(tree: ast.Module) -> Iterator[int]:
    """The lines that raise, and those that assert something of the arguments.

    An assertion on the shape of what the function itself has made finds a mistake instead.
    """
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        given = {a.arg for a in function.args.args + function.args.kwonlyargs}
        for node in ast.walk(function):
            match node:
                case ast.Raise():
                    yield from _lines(node)
                case ast.Assert(test=test) if _shapes_in(test) <= given:
                    yield from _lines(node)
                case _:
                    pass


def _lines(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _shapes_in(test: ast.expr) -> set[str]:
    """The names whose shape an assertion speaks of."""
    return {
        n.value.id
        for n in ast.walk(test)
        if isinstance(n, ast.Attribute) and n.attr == "shape" and isinstance(n.value, ast.Name)
    }
