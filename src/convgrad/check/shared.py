"""Layers in a dictionary: two functions that keep everything in one they are both given.

    def conv_forward(layer, x):
        ... layer["W"] ...
        layer["cache"] = x
    def conv_backward(layer, dout):
        layer["dW"] = ...

For every such pair a class is written behind the file, whose constructor makes the dictionary and
whose methods hand it on; the rest of the checker sees an ordinary layer.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

CLASS = "_with_its_dictionary"


@dataclass(frozen=True)
class Shared:
    """Two functions and the dictionary that they share.

    Attributes:
        forward, backward: the functions.
        name: what the dictionary is called in both.
        keys: what the forward pass reads in it before it is written.
    """

    forward: ast.FunctionDef
    backward: ast.FunctionDef
    name: str
    keys: tuple[str, ...]

    def text(self) -> str:
        """The class."""
        entries = ", ".join(f"{key!r}: {key}" for key in self.keys)
        lines = [
            f"class {self.backward.name}{CLASS}:",
            f"    def __init__(self, {', '.join(self.keys)}):",
            f"        self.{self.name} = {{{entries}}}",
        ]
        for method, function in (("forward", self.forward), ("backward", self.backward)):
            others = [a.arg for a in function.args.args if a.arg != self.name]
            given = [f"{self.name}=self.{self.name}", *(f"{o}={o}" for o in others)]
            lines += [
                f"    def {method}({', '.join(['self', *others])}):",
                f"        return {function.name}({', '.join(given)})",
            ]
        return "\n".join([*lines, ""])


def shared_by(forward: ast.FunctionDef, backward: ast.FunctionDef) -> Shared | None:
    """The dictionary that a forward and a backward pass share and write into, if there is one."""
    names = [a.arg for a in backward.args.args]
    for name in [a.arg for a in forward.args.args if a.arg in names]:
        read, written = _keys(forward, name)
        also_read, also_written = _keys(backward, name)
        if read - written and also_read and written | also_written:
            keys = sorted(key for key in read - written if key.isidentifier())
            return Shared(forward, backward, name, tuple(keys))
    return None


def _keys(function: ast.FunctionDef, name: str) -> tuple[set[str], set[str]]:
    """The keys under which a function reads a dictionary, and those under which it writes."""
    read: set[str] = set()
    written: set[str] = set()
    for n in ast.walk(function):
        match n:
            case ast.Subscript(
                value=ast.Name(id=found), slice=ast.Constant(value=str(key)), ctx=context
            ) if found == name:
                (read if isinstance(context, ast.Load) else written).add(key)
            case _:
                pass
    return read, written


def with_classes(text: str, every: Iterable[Shared]) -> str:
    """The text with a class behind it for each pair."""
    return "\n\n".join([text, *(each.text() for each in every)])
